"""Control methods of the load balancer, with Kamailio's names, shapes and texts."""

from typing import Any

from sipwright.control.rpc import FAILED, RpcError
from sipwright.modules.dispatcher import DISABLED, PROBING, Destination, Group, ListError, parse_state
from sipwright.modules.dispatcher_pool import Pool
from sipwright.modules.dispatcher_select import hash_of

_PROTOCOLS = {"": 0, "udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5, "wss": 6}


class DispatcherRpc:
    """The methods, for one pool; `now` is a monotonic clock."""

    def __init__(self, pool: Pool, now: Any) -> None:
        self._pool = pool
        self._now = now

    def list(self, mode: str = "") -> dict[str, Any]:
        """dispatcher.list."""
        groups = list(self._pool.groups.values())
        if not groups:
            raise RpcError(FAILED, "No Destination Sets")
        return {"NRSETS": len(groups), "RECORDS": [{"SET": self._set(group, mode)} for group in groups]}

    def reload(self) -> str:
        """dispatcher.reload."""
        try:
            self._pool.reload(self._now())
        except (ListError, OSError) as error:
            raise RpcError(FAILED, f"Reload Failed: {error}") from error
        return "Ok. Dispatcher successfully reloaded."

    def set_state(self, state: str, group: int, address: str) -> str:
        """dispatcher.set_state: `address` is a URI of the set, or `all`."""
        flags = _flags(state)
        if address == "all":
            self._pool.set_state(group, flags, lambda one: True)
        elif not self._pool.set_state(group, flags, lambda one: one.uri.lower() == address.lower()):
            raise RpcError(FAILED, "State Update Failed")
        return "Ok. Dispatcher state updated."

    def set_duid_state(self, state: str, group: int, duid: str) -> str:
        """dispatcher.set_duid_state."""
        flags = _flags(state)
        if not self._pool.set_state(group, flags, lambda one: one.attributes.duid == duid):
            raise RpcError(FAILED, "State Update Failed")
        return "Ok. Dispatcher state updated."

    def ping_active(self, state: int | None = None) -> dict[str, int]:
        """dispatcher.ping_active: shows or sets whether keep-alives are sent."""
        old = int(self._pool.pings)
        if state is None:
            return {"OldPingState": old}
        self._pool.pings = bool(state)
        return {"NewPingState": int(bool(state)), "OldPingState": old}

    def add(self, group: int, address: str, flags: int = 0, priority: int = 0, attrs: str = "") -> str:
        """dispatcher.add."""
        try:
            self._pool.add(group, Destination.make(address, flags, priority, attrs))
        except ValueError as error:
            raise RpcError(FAILED, f"Adding Failed: {error}") from error
        return "Ok. Dispatcher destination added."

    def remove(self, group: int, address: str) -> str:
        """dispatcher.remove."""
        self._pool.remove(group, address)
        return "Ok. Dispatcher destination removed."

    def hash(self, nslots: int, val1: str, val2: str = "") -> dict[str, int]:
        """dispatcher.hash."""
        value = hash_of(str(val1), str(val2)) if val2 else hash_of(str(val1))
        return {"hashid": value, "slot": value % nslots if nslots > 0 else 0}

    def _set(self, group: Group, mode: str) -> dict[str, Any]:
        return {"ID": group.id, "TARGETS": [{"DEST": self._target(group, one, mode)} for one in group.destinations]}

    def _target(self, group: Group, one: Destination, mode: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"URI": one.uri, "FLAGS": one.state, "PRIORITY": one.priority}
        if mode == "full":
            resolved = int(one.resolved_at or 0)
            shown |= {"HOST": one.host, "IPADDR": one.addresses[0] if one.addresses else "", "PORT": one.port}
            shown |= {"PROTOID": _PROTOCOLS.get(one.proto, 0), "DNSTIME_SEC": resolved, "DNSTIME_USEC": 0}
        attributes = one.attributes
        if attributes.body and mode != "short":
            shown["ATTRS"] = {
                "BODY": attributes.body,
                "DUID": attributes.duid or None,
                "MAXLOAD": attributes.maxload,
                "WEIGHT": attributes.weight,
                "RWEIGHT": attributes.rweight,
                "SOCKET": attributes.socket or None,
                "SOCKNAME": attributes.sockname or None,
                "OBPROXY": attributes.obproxy or None,
            }
        if self._pool.settings.ds_ping_latency_stats:
            latency = one.latency
            shown["LATENCY"] = {
                "AVG": latency.average,
                "STD": latency.deviation,
                "EST": latency.estimate,
                "MAX": latency.longest,
                "TIMEOUT": latency.timeouts,
            }
        if attributes.duid and (load := self._pool.loads.load(group.id, attributes.duid)):
            shown["RUNTIME"] = {"DLGLOAD": load}
        return shown


def _flags(state: str) -> int:
    """As Kamailio reads a state: its first letter counts, and a `p` behind it but for `d`; what follows does not matter."""
    flags = parse_state(state[:1]) if state[:1].lower() in ("a", "i", "t", "d") else None
    if flags is None:
        raise RpcError(FAILED, "Unknown State Value")
    return flags | PROBING if state[1:2].lower() == "p" and not flags & DISABLED else flags
