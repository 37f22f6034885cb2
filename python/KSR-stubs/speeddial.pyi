# Written by `python -m sipwright.kemi.stubs`.
"""KSR.speeddial: functions of Kamailio's module."""


def lookup(table: str, /) -> int:
    """Replaces the request-URI by what the user of From has under it as a short number: 1, or -1."""

def lookup_owner(table: str, owner: str, /) -> int:
    """As `lookup`, for the short numbers of the user `owner`, a URI."""
