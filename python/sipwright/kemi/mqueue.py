"""KSR.mqueue: queues that all workers share, with Kamailio's return codes."""

import threading
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi.calls import ksr
from sipwright.modules.mqueue import Queues
from sipwright.settings.small import named_values

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "mq_add",
    "mq_fetch",
    "mq_pv_free",
    "mq_size",
    "mqk_get",
    "mqk_gete",
    "mqk_getw",
    "mqv_get",
    "mqv_gete",
    "mqv_getw",
]

_EMPTY: Final = -2

_queues = Queues(1)
_worker = threading.local()


def configure(host: "Host") -> None:
    """Makes the queues of the settings; variables, control methods, counters."""
    global _queues
    settings = host.settings.mqueue
    _queues = Queues(settings.max_size)
    for line in settings.mqueue:
        values = named_values(line)
        _queues.define(values["name"], int(values.get("size", "0")))
    host.variable("mqk", lambda inner, _: _taken(inner)[0])
    host.variable("mqv", lambda inner, _: _taken(inner)[1])
    host.variable("mq_size", lambda inner, _: _queues.size(inner) if _queues.has(inner) else None)
    host.rpc.add("mqueue.get_size", get_size)
    host.rpc.add("mqueue.get_sizes", lambda: [get_size(name) for name in _queues.names()])
    host.rpc.add("mqueue.fetch", fetch)
    host.count(lambda: {"mqueue_dropped": _queues.dropped})


@ksr("mqueue.mq_add")
def mq_add(queue: str, key: str, value: str) -> int:
    """Adds an item to a queue: 1, or -1 when there is no such queue."""
    return 1 if _queues.add(queue, key, value) else _missing(queue)


@ksr("mqueue.mq_fetch")
def mq_fetch(queue: str) -> int:
    """Takes the oldest item, for `$mqk(queue)` and `$mqv(queue)` of this worker: 1, -2 when it is empty, -1 without it."""
    if not _queues.has(queue):
        return _missing(queue)
    item = _queues.take(queue)
    _held()[queue] = item or (None, None)
    return 1 if item else _EMPTY


@ksr("mqueue.mq_pv_free")
def mq_pv_free(queue: str) -> int:
    """Forgets the item that this worker has taken: 1."""
    _held().pop(queue, None)
    return 1


@ksr("mqueue.mq_size")
def mq_size(queue: str) -> int:
    """How many items wait; -1 when there is no such queue."""
    return _queues.size(queue) if _queues.has(queue) else _missing(queue)


@ksr("mqueue.mqk_get")
def mqk_get(queue: str) -> str | None:
    """Key of the item that this worker has taken, or None."""
    return _taken(queue)[0]


@ksr("mqueue.mqk_gete")
def mqk_gete(queue: str) -> str:
    """The same, or an empty text."""
    return _taken(queue)[0] or ""


@ksr("mqueue.mqk_getw")
def mqk_getw(queue: str) -> str:
    """The same, or `<null>`."""
    key = _taken(queue)[0]
    return "<null>" if key is None else key


@ksr("mqueue.mqv_get")
def mqv_get(queue: str) -> str | None:
    """Value of the item that this worker has taken, or None."""
    return _taken(queue)[1]


@ksr("mqueue.mqv_gete")
def mqv_gete(queue: str) -> str:
    """The same, or an empty text."""
    return _taken(queue)[1] or ""


@ksr("mqueue.mqv_getw")
def mqv_getw(queue: str) -> str:
    """The same, or `<null>`."""
    value = _taken(queue)[1]
    return "<null>" if value is None else value


def get_size(name: str) -> dict[str, Any]:
    """mqueue.get_size."""
    _known(name)
    return {"name": name, "size": _queues.size(name)}


def fetch(name: str) -> dict[str, str]:
    """mqueue.fetch: takes the oldest item."""
    _known(name)
    item = _queues.take(name)
    if item is None:
        raise RpcError(FAILED, "Empty queue")
    return {"key": item[0], "val": item[1]}


def _known(name: str) -> None:
    if not _queues.has(name):
        raise RpcError(FAILED, "No such queue")


def _held() -> dict[str, tuple[str | None, str | None]]:
    held: dict[str, tuple[str | None, str | None]] | None = getattr(_worker, "held", None)
    if held is None:
        held = _worker.held = {}
    return held


def _taken(queue: str) -> tuple[str | None, str | None]:
    return _held().get(queue, (None, None))


def _missing(queue: str) -> int:
    log.error(f"KSR.mqueue: there is no queue {queue!r}; setting mqueue.mqueue names them")
    return -1
