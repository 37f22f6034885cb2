# Written by `python -m sipwright.kemi.stubs`.
"""KSR.mqueue: functions of Kamailio's module."""


def mq_add(queue: str, key: str, value: str, /) -> int:
    """Adds an item to a queue: 1, or -1 when there is no such queue."""

def mq_fetch(queue: str, /) -> int:
    """Takes the oldest item, for `$mqk(queue)` and `$mqv(queue)` of this worker: 1, -2 when it is empty, -1 without it."""

def mq_pv_free(queue: str, /) -> int:
    """Forgets the item that this worker has taken: 1."""

def mq_size(queue: str, /) -> int:
    """How many items wait; -1 when there is no such queue."""

def mqk_get(queue: str, /) -> str | None:
    """Key of the item that this worker has taken, or None."""

def mqk_gete(queue: str, /) -> str:
    """The same, or an empty text."""

def mqk_getw(queue: str, /) -> str:
    """The same, or `<null>`."""

def mqv_get(queue: str, /) -> str | None:
    """Value of the item that this worker has taken, or None."""

def mqv_gete(queue: str, /) -> str:
    """The same, or an empty text."""

def mqv_getw(queue: str, /) -> str:
    """The same, or `<null>`."""
