# Written by `python -m sipwright.kemi.stubs`.
"""KSR.sl: functions of Kamailio's module."""


def send_reply(code: int, reason: str, /) -> int:
    """Answers the request: through its transaction if there is one, else without."""

def send_reply_error() -> int:
    """`sl_reply_error` through the transaction, if there is one."""

def send_reply_mode(code: int, reason: str, mode: int, /) -> int:
    """As `send_reply`, for any message: responses are left alone."""

def sl_forward_reply(code: str, reason: str, /) -> int:
    """Forwards a response by its Via, as the engine does when its routes have ended."""

def sl_reply_error() -> int:
    """Answers with what the last failed function had to say, 500 by default."""

def sl_send_reply(code: int, reason: str, /) -> int:
    """Answers the request without a transaction; 1, or -1 when it cannot be answered."""
