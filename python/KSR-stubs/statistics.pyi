# Written by `python -m sipwright.kemi.stubs`.
"""KSR.statistics: functions of Kamailio's module."""


def reset_stat(name: str, /) -> int:
    """Sets a counter to 0: 1, or -1 when there is none of that name."""

def update_stat(name: str, value: int, /) -> int:
    """Adds to a counter of `counters.variable`: 1, or -1 when there is none of that name."""
