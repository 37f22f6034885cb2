"""KSR.pike: blocks addresses that send too many requests, with Kamailio's return codes."""

import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules.pike import NEWLY_BLOCKED, AddressTree

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["pike_check_ip", "pike_check_req"]

_SWEEP_S: Final = 10.0
_FILTERS: Final = {"": ("HOT",), "HOT": ("HOT",), "WARM": ("HOT", "WARM"), "ALL": ("HOT", "WARM", "")}

_tree = AddressTree(30, 120, 1)
_level = log.NOTICE


def configure(host: "Host") -> None:
    """Makes the tree, empty; its timers, control methods and counters."""
    global _tree, _level
    settings = host.settings.pike
    _tree = AddressTree(settings.reqs_density_per_unit, settings.remove_latency_s, settings.max_nodes)
    _level = settings.pike_log_level
    host.every(settings.sampling_time_unit_s, _turn)
    host.every(_SWEEP_S, lambda: _tree.sweep(time.monotonic()))
    host.rpc.add("pike.top", top)
    host.rpc.add("pike.list", top)
    host.count(lambda: {"pike_blocked": _tree.blocked, "pike_nodes": len(_tree)})


@ksr("pike.pike_check_req")
def pike_check_req() -> int:
    """Counts the request's sender: 1 when it may send, -2 when it is blocked from now on, -1 when it has been blocked."""
    return _check(_engine.current().source.ip)


@ksr("pike.pike_check_ip")
def pike_check_ip(address: str) -> int:
    """The same for any address; -1 for what is none."""
    return _check(address)


def top(mode: str = "") -> dict[str, Any]:
    """pike.top: the addresses that are blocked (HOT), also those of networks that are counted (WARM), or ALL."""
    wanted = _FILTERS.get(mode.upper(), ("HOT",))
    rows = [
        {
            "ip_addr": leaf.address,
            "leaf_hits_prev": leaf.hits_before,
            "leaf_hits_curr": leaf.hits,
            "expires": leaf.expires_s,
            "status": leaf.status,
        }
        for leaf in _tree.leaves(time.monotonic())
        if leaf.status in wanted
    ]
    return {"max_hits": _tree.limit, "list": rows, "number_of_rows": len(rows)}


def _check(text: str) -> int:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        log.error(f"KSR.pike: {text!r} is no IP address")
        return -1
    result = _tree.hit(address.packed, time.monotonic())
    if result == NEWLY_BLOCKED:
        log.write(_level, f"pike: blocking {address}")
    return result


def _turn() -> None:
    for address in _tree.turn():
        log.write(_level, f"pike: no longer blocking {address}")
