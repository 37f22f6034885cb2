"""KSR.counters: counters that scripts keep and the control socket shows, with Kamailio's return codes."""

from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi.calls import ksr
from sipwright.modules.counting import Counters

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["add", "inc", "reset"]

# Prefix of the counters among those of `core.stats`.
_PREFIX: Final = "script."

counters = Counters()
_group = "script"


def configure(host: "Host") -> None:
    """Makes the counters of the settings; `$stat`, control methods."""
    global counters, _group
    counters = Counters()
    settings = host.settings.counters
    _group = settings.script_cnt_grp_name
    for name in settings.script_counter:
        counters.define(_full(name))
    for name in settings.variable:
        counters.define(f"{_group}.{name}")
    host.variable("stat", lambda inner, _: counters.get(_full(inner)))
    host.count(lambda: {name.removeprefix(_PREFIX): value for name, value in counters.all().items()})
    host.rpc.add("cnt.get", get)
    host.rpc.add("cnt.reset", reset_one)
    host.rpc.add("cnt.grps_list", lambda: sorted({name.partition(".")[0] for name in counters.all()}))
    host.rpc.add("cnt.grp_get_all", group_of)


@ksr("counters.inc")
def inc(name: str) -> int:
    """Adds 1 to a counter of `counters.script_counter`: 1, or -1 when there is none of that name."""
    return _done(counters.add(_full(name), 1), name)


@ksr("counters.add")
def add(name: str, value: int) -> int:
    """Adds to a counter: 1, or -1 when there is none of that name."""
    return _done(counters.add(_full(name), value), name)


@ksr("counters.reset")
def reset(name: str) -> int:
    """Sets a counter to 0: 1, or -1 when there is none of that name."""
    return _done(counters.reset(_full(name)), name)


def get(group: str, name: str) -> int:
    """cnt.get."""
    value = counters.get(f"{group}.{name}")
    if value is None:
        raise RpcError(FAILED, f"counter {group}.{name} does not exist")
    return value


def reset_one(group: str, name: str) -> None:
    """cnt.reset."""
    if not counters.reset(f"{group}.{name}"):
        raise RpcError(FAILED, f"counter {group}.{name} does not exist")


def group_of(group: str) -> dict[str, Any]:
    """cnt.grp_get_all: the counters of a group."""
    return {name.partition(".")[2]: value for name, value in counters.all().items() if name.partition(".")[0] == group}


def _full(name: str) -> str:
    return name if "." in name else f"{_group}.{name}"


def _done(done: bool, name: str) -> int:
    if done:
        return 1
    log.error(f"KSR.counters: there is no counter {name!r}; setting counters.script_counter names them")
    return -1
