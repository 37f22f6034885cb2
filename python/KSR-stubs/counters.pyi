# Written by `python -m sipwright.kemi.stubs`.
"""KSR.counters: functions of Kamailio's module."""


def add(name: str, value: int, /) -> int:
    """Adds to a counter: 1, or -1 when there is none of that name."""

def inc(name: str, /) -> int:
    """Adds 1 to a counter of `counters.script_counter`: 1, or -1 when there is none of that name."""

def reset(name: str, /) -> int:
    """Sets a counter to 0: 1, or -1 when there is none of that name."""
