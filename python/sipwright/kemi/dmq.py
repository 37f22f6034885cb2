"""KSR.dmq: messages between Kamailio servers, which are not spoken: what comes is refused as a server without peers does."""

from sipwright import _engine
from sipwright.kemi.calls import ksr

__all__ = ["handle_message", "handle_message_rc", "is_from_node", "process_message", "process_message_rc"]


@ksr("dmq.handle_message")
def handle_message() -> int:
    """Answers with 404, as Kamailio does where no peer is registered for what comes: 0."""
    return _refuse()


@ksr("dmq.handle_message_rc")
def handle_message_rc(rc: int) -> int:
    """The same; returns the number that it is given."""
    _refuse()
    return rc


@ksr("dmq.process_message")
def process_message() -> int:
    """As `handle_message`."""
    return _refuse()


@ksr("dmq.process_message_rc")
def process_message_rc(rc: int) -> int:
    """As `handle_message_rc`."""
    _refuse()
    return rc


@ksr("dmq.is_from_node")
def is_from_node() -> int:
    """Whether the sender is a node of the cluster: -1, there are none."""
    return -1


def _refuse() -> int:
    _engine.sl_send_reply(404, "User Not Found")
    return 0
