# Written by `python -m sipwright.kemi.stubs`.
"""KSR.sipjson: functions of Kamailio's module."""


def sj_serialize(mode: str, variable: str, /) -> int:
    """Writes the message as JSON into a variable; `B` in the mode adds the body: 1 or -1."""
