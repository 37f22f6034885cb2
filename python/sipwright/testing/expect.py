"""Failures of expectations, told with the ladder of what has happened."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipwright.testing.message import SipMessage

Wanted = int | str | range | tuple[int | str, ...]


class ExpectationError(AssertionError):
    """What a test expected did not happen."""


def fits(message: "SipMessage", wanted: Wanted) -> bool:
    """Whether a response has a wanted code: `486`, `"4xx"`, `range(400, 500)`, or one of several."""
    if isinstance(wanted, tuple):
        return any(fits(message, one) for one in wanted)
    if isinstance(wanted, range):
        return message.status in wanted
    if isinstance(wanted, int):
        return message.status == wanted
    return wanted.lower() == f"{message.status // 100}xx"


def shown(wanted: Wanted) -> str:
    """The wanted codes in words."""
    if isinstance(wanted, tuple):
        return " or ".join(shown(one) for one in wanted)
    return f"{wanted.start} to {wanted.stop - 1}" if isinstance(wanted, range) else str(wanted)
