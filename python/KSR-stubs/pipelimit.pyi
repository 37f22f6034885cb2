# Written by `python -m sipwright.kemi.stubs`.
"""KSR.pipelimit: functions of Kamailio's module."""


def pl_active(name: str, /) -> int:
    """Whether there is a pipe of that name: 1 or -1."""

def pl_check(name: str, /) -> int:
    """Counts a request in a pipe: 1 when it passes, -1 when the limit is reached, 2 without a limit, -2 without the pipe."""

def pl_check_limit(name: str, algorithm: str, limit: int, /) -> int:
    """As `pl_check`; makes the pipe if it is not there (TAILDROP, RED, FEEDBACK, NETWORK), else sets its limit if above 0."""

def pl_drop() -> int:
    """Answers with `pipelimit.reply_code`, 503 by default: 1 or -1."""

def pl_drop_range(low: int, high: int, /) -> int:
    """The same with a Retry-After between two numbers of seconds: 1 or -1."""

def pl_drop_retry(after: int, /) -> int:
    """The same with Retry-After, in seconds: 1 or -1."""
