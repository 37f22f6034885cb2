"""What the control socket offers; names as in Kamailio's RPC where Kamailio has the command."""

import os
import platform
from functools import partial
from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright.control import cfg, core, names, profile, record, statistics, system, tls, tm
from sipwright.control.rpc import FAILED, Rpc, RpcError
from sipwright.control.threads import thread_table
from sipwright.kemi import known
from sipwright.script.errors import ScriptError
from sipwright.script.watchdog import place_of
from sipwright.settings.errors import SettingsError
from sipwright.settings.listen import socket_text

if TYPE_CHECKING:
    from sipwright.server import Server


def register(rpc: Rpc, server: "Server") -> None:
    """Adds all methods of `server`."""
    rpc.add("core.info", partial(info, server))
    rpc.add("core.threads", partial(threads, server))
    rpc.add("core.stats", partial(stats, server))
    rpc.add("core.connections", partial(connections, server))
    rpc.add("core.workers", partial(workers, server))
    rpc.add("app_python.reload", partial(reload, server), blocking=True)
    rpc.add("app_python.api_list", api_list)
    rpc.add("settings.reload", partial(reload_settings, server), blocking=True)
    core.register(rpc, server)
    system.register(rpc)
    cfg.register(rpc, server)
    statistics.register(rpc, server)
    tm.register(rpc, server)
    names.register(rpc, server)
    tls.register(rpc, server)
    record.register(rpc, server)
    profile.register(rpc, server)
    rpc.add("rpc.list", rpc.names)


def info(server: "Server") -> dict[str, Any]:
    """What runs: version, process, script, sockets, TLS mode, health."""
    settings = server.settings
    return {
        "version": _engine.VERSION,
        **core.build(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "uptime_s": round(server.uptime_s(), 1),
        "script": str(settings.script.path),
        "script_version": server.runtime.generation,
        "isolation": settings.script.isolation,
        "workers": settings.script.workers,
        "tls_threads_mode": settings.tls.threads_mode,
        "tls_provider": "rustls with aws-lc-rs, statically linked",
        "sockets": [socket_text(*socket) for socket in server.engine.sockets()],
        "data_dir": str(server.data_dir),
        "status": "degraded" if server.watchdog.is_stalled else "ok",
    }


def threads(server: "Server") -> list[dict[str, Any]]:
    """Every thread of the process, and its progress."""
    busy = {call[0]: call[1] for call in server.engine.busy()}
    done = enumerate(server.engine.done(), 1)
    workers = {f"script-{rank}": (routes, busy.get(rank, 0)) for rank, routes in done}
    return thread_table(server.engine.threads(), workers)


def stats(server: "Server") -> dict[str, int]:
    """All counters by name."""
    counters = dict(server.engine.stats())
    counters |= server.host.counters()
    counters["script_slow_calls"] = server.watchdog.slow_calls
    counters["script_stalls"] = server.watchdog.stalls
    reloads = server.reloader.counters
    counters["script_reloads"] = reloads["script_reloads"]
    counters["script_reload_failures"] = reloads["script_reload_failures"] + server.runtime.failed_adoptions
    counters["settings_reloads"] = reloads["settings_reloads"]
    counters["settings_reload_failures"] = reloads["settings_reload_failures"]
    return counters


def connections(server: "Server") -> list[dict[str, Any]]:
    """Open TCP and TLS connections."""
    names = ("id", "proto", "remote", "local", "outbound", "state", "thread", "age_ms")
    return [dict(zip(names, row, strict=True)) for row in server.engine.connections()]


def workers(server: "Server") -> list[dict[str, Any]]:
    """What each script worker does now."""
    busy = {call[0]: call for call in server.engine.busy()}
    rows: list[dict[str, Any]] = []
    for worker in server.runtime.workers:
        row: dict[str, Any] = {"worker": worker.rank, "busy": worker.rank in busy}
        if worker.rank in busy:
            _, since_ms, callback, call_id = busy[worker.rank]
            row |= {"since_ms": since_ms, "route": callback, "call_id": call_id, "at": place_of(worker.ident)}
        rows.append(row)
    return rows


def reload(server: "Server") -> dict[str, int]:
    """Reloads the script; the old and the new version number."""
    try:
        old, new = server.reload()
    except ScriptError as error:
        raise RpcError(FAILED, f"reload failed, the previous script stays in use: {error}") from error
    return {"old": old, "new": new}


def reload_settings(server: "Server") -> dict[str, list[str]]:
    """Reads the settings again: those that are in force now, and those that differ but need a restart."""
    try:
        found = server.reloader.settings()
    except SettingsError as error:
        log.error(f"the settings stay as they were: {error}")
        raise RpcError(FAILED, f"the settings stay as they were: {error}") from error
    if found.failed:
        raise RpcError(
            FAILED, "; ".join([*found.failed, f"in force now: {', '.join(found.changed) or 'nothing else'}"])
        )
    return {"changed": found.changed, "restart": found.restart}


def api_list() -> dict[str, Any]:
    """All KSR functions, in the form of Kamailio's `app_python.api_list`."""
    import sys

    from sipwright.kemi.namespace import implemented

    rows = []
    for dotted in implemented(sys.modules["KSR"]):
        module, _, name = dotted.rpartition(".")
        signature = known.functions().get(dotted)
        if signature is not None:
            params = ", ".join(signature.params) or "none"
            function = {"ret": signature.returns, "module": module, "name": name, "params": params}
            rows.append({"func": function})
    return {"msize": len(rows), "methods": rows}
