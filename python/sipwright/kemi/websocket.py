"""Control methods of WebSocket; the functions of KSR.websocket are builtins."""

from typing import TYPE_CHECKING, Any

from sipwright.control.rpc import FAILED, RpcError

if TYPE_CHECKING:
    from sipwright.host import Host

__all__: list[str] = []


def configure(host: "Host") -> None:
    """Adds `ws.dump` and `ws.close`."""
    host.rpc.add("ws.dump", lambda: dump(host))
    host.rpc.add("ws.close", lambda id: close(host, id))


def dump(host: "Host") -> list[dict[str, Any]]:
    """Open WebSocket connections."""
    rows = [] if host.engine is None else host.engine.connections()
    names = ("id", "proto", "remote", "local", "outbound", "state", "thread", "age_ms")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [row for row in found if row["proto"] in ("ws", "wss")]


def close(host: "Host", identity: int) -> str:
    """Closes one of them with status code 1001."""
    if host.engine is None or identity not in [row["id"] for row in dump(host)]:
        raise RpcError(FAILED, f"there is no WebSocket connection {identity}")
    host.engine.close_connection(identity)
    return "closed"
