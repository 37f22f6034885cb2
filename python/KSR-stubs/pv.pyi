# Written by `python -m sipwright.kemi.stubs`.
"""KSR.pv: functions of Kamailio's module."""


def get(name: str, /) -> str | int | None:
    """Value of a pseudo-variable: int or str as Kamailio has it, None when it is null or unknown."""

def gete(name: str, /) -> str | int:
    """As `get`, but an empty str for null."""

def geti(name: str, /) -> int:
    """Value as int, 0 when it has none."""

def getl(name: str, /) -> str | int | None:
    """As `get`; Kamailio's name for long values."""

def getvn(name: str, default: int, /) -> str | int:
    """Value, or the given int when it is null."""

def getvs(name: str, default: str, /) -> str | int:
    """Value, or the given str when it is null."""

def getw(name: str, /) -> str | int:
    """As `get`, but `"<null>"` for null."""

def is_null(name: str, /) -> bool:
    """Whether a pseudo-variable has no value; True for one that is unknown."""

def seti(name: str, value: int, /) -> bool:
    """Sets a pseudo-variable to an int; False when it cannot be set."""

def setl(name: str, value: int, /) -> bool:
    """Sets a pseudo-variable to an int; Kamailio's name for long values."""

def sets(name: str, value: str, /) -> bool:
    """Sets a pseudo-variable to a str; False when it cannot be set."""

def unset(name: str, /) -> bool:
    """Removes the value of a pseudo-variable; False when it cannot be removed."""
