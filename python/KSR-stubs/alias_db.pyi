# Written by `python -m sipwright.kemi.stubs`.
"""KSR.alias_db: functions of Kamailio's module."""


def lookup(table: str, /) -> int:
    """Replaces the user of the request-URI by the one that it is an alias of: 1; -1 when it is no alias, or for an error."""

def lookup_ex(table: str, flags: str, /) -> int:
    """As `lookup`. Flags: `d` by name alone, `u` by name and domain, `r` from the user to its alias."""
