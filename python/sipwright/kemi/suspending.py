"""Transactions that wait for something outside of SIP, and the routes that go on with them; no KSR module of its own."""

from typing import TYPE_CHECKING

from sipwright import _engine, log
from sipwright.script.worker import call_for_event, current_handler

if TYPE_CHECKING:
    from sipwright._engine import Message

# Index and label of a transaction.
Suspended = tuple[int, int]


def suspend() -> Suspended | None:
    """Suspends the message in work; None where that cannot be done."""
    if _engine.tmx_t_suspend() != 1:
        return None
    return _engine.pv_geti("$T(id_index)"), _engine.pv_geti("$T(id_label)")


def call_route(name: str, message: "Message", event: str = "") -> None:
    """Calls a method of the script's handler, in the worker that has the message."""
    handler = current_handler()
    method = getattr(handler, name, None)
    if method is None:
        log.error(f"the handler {type(handler).__name__} has no method {name}")
    else:
        call_for_event(method, message, event)
