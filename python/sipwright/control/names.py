"""Control methods about names of servers: what a name leads to, and the cache."""

from functools import partial
from typing import TYPE_CHECKING, Any

from sipwright import _engine
from sipwright.control.rpc import FAILED, INVALID_PARAMS, Rpc, RpcError

if TYPE_CHECKING:
    from sipwright.server import Server


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods; `dns.locate` has no counterpart in Kamailio."""
    rpc.add("dns.locate", partial(locate, server), blocking=True)
    rpc.add("dns.lookup", partial(lookup, server), blocking=True)
    rpc.add("dns.view", partial(view, server))
    rpc.add("dns.delete", partial(delete, server))
    rpc.add("dns.delete_all", lambda: {"deleted": server.engine.dns_delete_all()})


def locate(server: "Server", uri: str) -> list[dict[str, Any]]:
    """Where a request to a URI would go (RFC 3263), best place first."""
    try:
        found = server.engine.locate(uri)
    except _engine.EngineError as error:
        raise RpcError(FAILED, str(error)) from error
    return [{"proto": proto, "address": address, "port": port} for proto, address, port in found]


def lookup(server: "Server", type: str, name: str) -> dict[str, Any]:
    """The records of one name, asked for unless they are known."""
    try:
        return {"name": name, "type": type.upper(), "records": server.engine.dns_lookup(type, name)}
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from error


def view(server: "Server") -> list[dict[str, Any]]:
    """The answers that are cached, by name."""
    return [
        {"name": name, "type": kind, "expires_s": left_ms // 1000, "records": records}
        for name, kind, left_ms, records in server.engine.dns_view()
    ]


def delete(server: "Server", type: str, name: str) -> dict[str, bool]:
    """Forgets one answer."""
    try:
        return {"deleted": server.engine.dns_delete(type, name)}
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from error
