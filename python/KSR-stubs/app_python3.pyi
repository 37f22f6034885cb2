# Written by `python -m sipwright.kemi.stubs`.
"""KSR.app_python3: functions of Kamailio's module."""


def exec(method: str, /) -> int:
    """Calls `handler.<method>(msg)` for the current message; 1, or -1 when there is no such method."""

def exec_p1(method: str, argument: str, /) -> int:
    """Calls `handler.<method>(msg, argument)`; 1, or -1 when there is no such method."""

def execx(method: str, /) -> int:
    """As `exec`."""
