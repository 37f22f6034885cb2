# Written by `python -m sipwright.kemi.stubs`.
"""KSR.group: functions of Kamailio's module."""


def is_user_in(uri: str, group: str, /) -> int:
    """Whether the user of a URI is in a group: 1; -6 when not, -1 for no URI, -5 when the database does not answer."""
