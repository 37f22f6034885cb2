# Written by `python -m sipwright.kemi.stubs`.
"""KSR.pike: functions of Kamailio's module."""


def pike_check_ip(address: str, /) -> int:
    """The same for any address; -1 for what is none."""

def pike_check_req() -> int:
    """Counts the request's sender: 1 when it may send, -2 when it is blocked from now on, -1 when it has been blocked."""
