"""Sharing as part of a server: its link, which starts and stops with it, its counters and its control method."""

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.settings.errors import SettingsError
from sipwright.settings.listen import join_host_port

if TYPE_CHECKING:
    from sipwright._engine import Engine
    from sipwright.host import Host
    from sipwright.sharing.link import Link, Store
    from sipwright.sharing.nodes import Nodes

COUNTERS: Final = (
    "connected",
    "nodes",
    "waiting",
    "sent",
    "received",
    "applied",
    "bad",
    "refused",
    "syncs",
    "failures",
)
# Kinds of sockets by which others are to reach this server, the best first.
_PREFERRED: Final = ("tcp", "udp", "tls")


def nodes_of(host: "Host", module: str, rules: str) -> "Nodes":
    """The servers that share a module's tables, of which only this one is known yet. Raises SettingsError without a
    `server_id`. `rules` are the settings that have to be the same on all of them.
    """
    from sipwright.sharing.nodes import Nodes

    if not host.settings.server_id:
        raise SettingsError(f"{module}.share_url needs a server_id other than 0, one of its own for each server")
    return Nodes(module, host.settings.server_id, rules=rules)


def connect(host: "Host", url: str, store: "Store", nodes: "Nodes", node_uri: str = "") -> "Link":
    """The link of a store, which starts and stops with the server. Raises SettingsError for a URL that is none."""
    from sipwright.sharing.link import Link

    link = Link(url, store, nodes)
    engine = host.engine
    if engine is not None:

        async def start() -> None:
            nodes.sockets = tuple(f"{proto}:{join_host_port(ip, port)}" for proto, ip, port in engine.sockets())
            nodes.uri = node_uri or _uri_of(engine)
            if not nodes.uri and nodes.module == "usrloc":
                log.warning("usrloc.share_node: no socket has an address that others could use; set it")
            link.start()

        host.serve(start)
        host.at_stop(link.stop)
    return link


def show(host: "Host", module: str, link: "Link | None") -> None:
    """Registers counters and control method, which are there for a server that shares nothing too."""

    def count() -> dict[str, int]:
        counts = dict.fromkeys(COUNTERS, 0) if link is None else link.counters()
        return {f"{module}_share_{name}": count for name, count in counts.items()}

    def state() -> dict[str, Any]:
        if link is None:
            raise RpcError(FAILED, f"nothing is shared: {module}.share_url is not set")
        return link.state()

    host.count(count)
    host.rpc.add(f"{module}.share", state)


def _uri_of(engine: "Engine") -> str:
    """A SIP URI of this server; empty when it listens on wildcard addresses only."""
    sockets = [row for row in engine.sockets() if not ipaddress.ip_address(row[1]).is_unspecified]
    for wanted in _PREFERRED:
        for proto, ip, port in sockets:
            if proto == wanted:
                return f"sip:{join_host_port(ip, port)}" + ("" if proto == "udp" else f";transport={proto}")
    return ""
