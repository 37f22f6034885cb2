# Written by `python -m sipwright.kemi.stubs`.
"""KSR.dmq: functions of Kamailio's module."""


def handle_message() -> int:
    """Answers with 404, as Kamailio does where no peer is registered for what comes: 0."""

def handle_message_rc(rc: int, /) -> int:
    """The same; returns the number that it is given."""

def is_from_node() -> int:
    """Whether the sender is a node of the cluster: -1, there are none."""

def process_message() -> int:
    """As `handle_message`."""

def process_message_rc(rc: int, /) -> int:
    """As `handle_message_rc`."""
