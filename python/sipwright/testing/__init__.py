"""The test kit: routing scripts under test on the real engine, without sockets, threads or waiting.

The pytest fixtures are `sip` and `sip_server`; everything else is reached from the `VirtualServer` that they give.
Importing this package costs nothing: its parts are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipwright.testing.call import Call
    from sipwright.testing.expect import ExpectationError
    from sipwright.testing.incoming import Incoming
    from sipwright.testing.message import SipMessage
    from sipwright.testing.phone import Phone
    from sipwright.testing.server import VirtualServer

__all__ = ["Call", "ExpectationError", "Incoming", "Phone", "SipMessage", "VirtualServer"]

_PLACES = {
    "Call": "call",
    "ExpectationError": "expect",
    "Incoming": "incoming",
    "Phone": "phone",
    "SipMessage": "message",
    "VirtualServer": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
