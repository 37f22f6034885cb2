# Written by `python -m sipwright.kemi.stubs`.
"""KSR.websocket: functions of Kamailio's module."""


def close() -> int:
    """Closes the connection that the message came by, with status code 1000."""

def close_conid(status: int, reason: str, con: int, /) -> int:
    """Closes the connection of that number, as `$ws_conid` gives it, with this status code and reason."""

def close_reason(status: int, reason: str, /) -> int:
    """Closes the connection that the message came by, with this status code and reason (RFC 6455 section 7.4)."""

def handle_handshake() -> int:
    """Answers the HTTP request of the route of `xhttp:request` with 101 and makes its connection one of WebSocket: 1. What asks for something else is answered with 400 or 426 and its connection closed: 0. -1 where there is no such request, or it was answered."""
