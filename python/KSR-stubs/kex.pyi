# Written by `python -m sipwright.kemi.stubs`.
"""KSR.kex: functions of Kamailio's module."""


def resetdebug() -> int:
    """Sets the level of the log back to `log.level`: 1."""

def setdebug(level: int, /) -> int:
    """Sets the level of the log, for the whole server, from -5 to 3: 1."""
