"""The session description of the message in work, for modules that change it."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from sipwright import _engine
from sipwright.modules import media_sdp as sdp

if TYPE_CHECKING:
    from sipwright._engine import Message

# Offers that may wait for their answer.
_OFFERS: Final = 65_536


def method() -> str:
    """Method of the request, or of the one that a response answers."""
    return str(_engine.pv_get("$rm"))


def status(message: "Message") -> int:
    """Code of a response, 0 for a request."""
    return 0 if is_request(message) else int(message.Status)


def is_request(message: "Message") -> bool:
    """Whether it is a request."""
    return message.Type == "SIP_REQUEST"


def description(message: "Message") -> bytes | None:
    """The session description in the body, or None."""
    body = message.body()
    place = sdp.locate(body, message.header("Content-Type"))
    return None if place is None else body[place[0] : place[1]]


def replace_description(message: "Message", new: bytes) -> None:
    """Replaces it when the message is sent; other parts of a multipart body stay."""
    body = message.body()
    place = sdp.locate(body, message.header("Content-Type"))
    if place is not None:
        _engine.set_body(body[: place[0]] + new + body[place[1] :])


class Offers:
    """Which transactions carried an offer in their request, so that what a response has is known for its answer."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, message: "Message") -> None:
        """The request of this message carries an offer."""
        with self._lock:
            self._known[message.call_id, message.cseq] = None
            if len(self._known) > _OFFERS:
                self._known.popitem(last=False)

    def has(self, message: "Message") -> bool:
        """Whether the request that this response answers carried one."""
        return (message.call_id, message.cseq) in self._known
