# Written by `python -m sipwright.kemi.stubs`.
"""KSR.ratelimit: functions of Kamailio's module."""


def rl_check() -> int:
    """Counts the request in the pipe of its method: 1 or 2 when it passes, -1 when the limit is reached or no queue fits."""

def rl_check_pipe(pipe: int, /) -> int:
    """Counts the request in a pipe: 1 or 2 when it passes, -1 when the limit is reached or there is no such pipe."""
