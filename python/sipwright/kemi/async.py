"""KSR.async: routes that go on later with the same message, as in Kamailio.

`async` is a word of Python: scripts say `KSR.__dict__["async"]` or `getattr(KSR, "async")`, and only importlib finds this file.
"""

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.kemi.suspending import Suspended, call_route, suspend
from sipwright.modules.background import Alarm

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "get_data",
    "get_gname",
    "ms_route",
    "route",
    "task_data",
    "task_group_data",
    "task_group_route",
    "task_route",
]

MOST_WAITING: Final = 100_000
_GO_ON: Final = "async:go_on"

_host: "Host | None" = None
_alarm = Alarm("async", 1)
_waiting: dict[Suspended, tuple[str, str]] = {}
_worker = threading.local()


def configure(host: "Host") -> None:
    """Makes the clock that wakes what waits."""
    global _host, _alarm
    _host = host
    _alarm = host.alarm("async", MOST_WAITING)
    _waiting.clear()
    host.at_stop(_alarm.stop)
    host.route(_GO_ON, _go_on)
    host.count(lambda: {"async_waiting": len(_alarm)})
    host.variable("async", lambda inner, _: _of_worker(inner))


@ksr("async.route")
def route(name: str, seconds: int) -> int:
    """Suspends the request and calls a method of the script with it after so many seconds: 1 or -1. The route ends."""
    return _later(name, seconds)


@ksr("async.ms_route")
def ms_route(name: str, milliseconds: int) -> int:
    """The same after so many milliseconds."""
    return _later(name, milliseconds / 1000)


@ksr("async.task_route")
def task_route(name: str) -> int:
    """Suspends the request and has the next free worker call a method of the script with it: 1 or -1."""
    return _now(name, "")


@ksr("async.task_group_route")
def task_group_route(name: str, group: str) -> int:
    """The same; all workers are of any group, and `get_gname` tells which was asked for: 1 or -1."""
    return _now(name, group)


@ksr("async.task_data")
def task_data(name: str, data: str) -> int:
    """Has the next free worker call a method of the script with a made-up message and a text for `get_data`: 1 or -1."""
    return _apart(name, "", data)


@ksr("async.task_group_data")
def task_group_data(name: str, group: str, data: str) -> int:
    """The same; `get_gname` tells the group: 1 or -1."""
    return _apart(name, group, data)


@ksr("async.get_data")
def get_data() -> str | None:
    """The text of `task_data`, in the route that it has called."""
    return _of_worker("data")


@ksr("async.get_gname")
def get_gname() -> str | None:
    """The group that `task_group_route` named for the route that runs, or an empty text."""
    return _of_worker("gname")


def _of_worker(what: str) -> str | None:
    """`$async(data)` and `$async(gname)` of the route that this worker runs."""
    if what == "gname":
        name: str = getattr(_worker, "group", "")
        return name
    data: str | None = getattr(_worker, "data", None) if what == "data" else None
    return data


def _later(name: str, seconds: float) -> int:
    if seconds <= 0:
        log.error(f"KSR.async: {seconds:g} s is no time to wait")
        return -1
    place = suspend()
    if place is None:
        log.error("KSR.async: the request cannot be suspended")
        return -1
    _waiting[place] = name, ""
    if not _alarm.after(seconds, partial(_continue, place)):
        log.error("KSR.async: too many messages wait; this one goes on at once")
        _continue(place)
    return 1


def _now(name: str, group: str) -> int:
    place = suspend()
    if place is None:
        log.error("KSR.async: the request cannot be suspended")
        return -1
    _waiting[place] = name, group
    _continue(place)
    return 1


def _apart(name: str, group: str, data: str) -> int:
    host = _host
    if host is None:
        return -1

    def run() -> None:
        _worker.group, _worker.data = group, data
        try:
            host.run_route(name, "")
        finally:
            _worker.group, _worker.data = "", None

    return 1 if host.call(run) else -1


def _continue(place: Suspended) -> None:
    if _engine.tmx_t_continue(*place, _GO_ON) != 1:
        # The transaction is over: it was cancelled, or its time was.
        _waiting.pop(place, None)


def _go_on(message: "Message", event: str) -> None:
    place = (_engine.pv_geti("$T(id_index)"), _engine.pv_geti("$T(id_label)"))
    found = _waiting.pop(place, None)
    if found is None:
        return
    name, _worker.group = found
    try:
        call_route(name, message)
    finally:
        _worker.group = ""
