"""Control methods of Kamailio's core and of its modules kex and corex, with their names and shapes.

What a method says of processes it says here of threads, of which `pid` is the kernel's number; what it says of shared
memory, of the memory of the process.
"""

import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.control.rpc import INVALID_PARAMS, Rpc, RpcError
from sipwright.control.threads import thread_table
from sipwright.modules.binrpc import Members
from sipwright.settings.listen import Listen

if TYPE_CHECKING:
    from sipwright.server import Server

_UNITS: Final = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGTERM)
# Settings such as `auth_ephemeral.secret`, `uac.credential` and the URL of a database with its password.
_SECRET: Final = re.compile(r"^((?:--set=)?[\w.]*(?:secret|passw|credential|url|restore_passwd)[\w.]*)=.*", re.DOTALL)
_FLAGS: Final = "USE_TCP, USE_TLS, USE_WEBSOCKET, TLS_RUSTLS"


def register(rpc: Rpc, server: "Server") -> None:
    """Adds all of them."""
    of_server: dict[str, Callable[..., Any]] = {
        "core.uptime": uptime,
        "core.runinfo": runinfo,
        "core.ps": ps,
        "core.psx": psx,
        "core.psa": psa,
        "core.sockets_list": sockets_list,
        "core.aliases_list": aliases_list,
        "core.tcp_info": tcp_info,
        "core.tcp_list": tcp_list,
        "core.tcp_options": tcp_options,
        "core.modules": modules,
        "corex.list_sockets": list_sockets,
        "corex.list_aliases": list_aliases,
        "pkg.stats": pkg_stats,
    }
    for name, method in of_server.items():
        rpc.add(name, partial(method, server))
    for method in (version, flags, echo, printi, prints, arg, pwd, kill, shmmem, udp4_raw_info):
        rpc.add(f"core.{method.__name__}", method)
    rpc.add("corex.debug", debug)
    rpc.add("shm.stats", shmmem)
    rpc.add("shm.info", shm_info)
    rpc.add("pkg.info", shm_info)


def version() -> str:
    """The version, with the machine that it was built for."""
    return f"sipwright {_engine.VERSION} ({platform.machine()}/{sys.platform})"


def flags() -> str:
    """What it was built with."""
    return _FLAGS


def build() -> dict[str, Any]:
    """The members of `core.info` that Kamailio has beside the version."""
    return {"id": "unknown", "compiler": platform.python_compiler(), "compiled": "", "flags": _FLAGS}


def uptime(server: "Server") -> dict[str, Any]:
    """Since when the server runs."""
    now, seconds = time.time(), server.uptime_s()
    return {"now": time.ctime(now), "up_since": time.ctime(now - seconds), "uptime": int(seconds)}


def runinfo(server: "Server") -> dict[str, Any]:
    """What runs, and since when."""
    now, seconds = time.time(), server.uptime_s()
    days, rest = divmod(int(seconds), 86_400)
    told = build()
    return {
        "name": "sipwright",
        "version": _engine.VERSION,
        "sourceid": told["id"],
        "compiler": told["compiler"],
        "compiled": told["compiled"],
        "time_now": time.ctime(now),
        "time_started": time.ctime(now - seconds),
        "uptime_secs": int(seconds),
        "utime_days": f"{days}d {rest // 3600}h {rest // 60 % 60}m {rest % 60}s",
    }


def ps(server: "Server") -> list[Any]:
    """The threads: number and name of each, one after the other."""
    return [value for row in _threads(server) for value in (row["tid"], row["name"])]


def psx(server: "Server") -> list[dict[str, Any]]:
    """The threads, each as a structure."""
    return [{"IDX": index, "PID": row["tid"], "DSC": row["name"]} for index, row in enumerate(_threads(server))]


def psa(server: "Server") -> list[dict[str, Any]]:
    """The threads with what is known of them: `rank` is that of a script worker, 0 of the main thread, else -1."""
    return [
        {"index": index, "pid": row["tid"], "status": 1, "rank": _rank(row), "description": row["name"]}
        for index, row in enumerate(_threads(server))
    ]


def _threads(server: "Server") -> list[dict[str, Any]]:
    return thread_table(server.engine.threads())


def _rank(row: dict[str, Any]) -> int:
    if row["kind"] == "script":
        return int(row["name"].rpartition("-")[2])
    return 0 if row["kind"] == "main" else -1


def pkg_stats(server: "Server") -> list[dict[str, Any]]:
    """The memory of the process, as Kamailio shows that of each of its processes."""
    memory = shmmem()
    return [
        {
            "entry": 0,
            "pid": os.getpid(),
            "rank": 0,
            "used": memory["used"],
            "free": memory["free"],
            "real_used": memory["real_used"],
            "total_size": memory["total"],
            "total_frags": 0,
            "desc": f"{server.settings.script.workers} script workers and the engine's threads",
        }
    ]


def shmmem(unit: str = "b") -> dict[str, int]:
    """The memory of the process: `total` is what the machine or the control group lets it have, `used` what is resident,
    `max_used` the most that was. In bytes, or in units of `k`, `m` or `g`.
    """
    size = _UNITS.get(unit[:1].lower())
    if size is None:
        raise RpcError(INVALID_PARAMS, "bad memory unit, use one of b, k, m, g")
    status = _proc("/proc/self/status")
    used, most = _kilobytes(status, "VmRSS"), _kilobytes(status, "VmHWM")
    total = max(_limit(), used)
    figures = {"total": total, "free": total - used, "used": used, "real_used": used, "max_used": most}
    return {**{name: value // size for name, value in figures.items()}, "fragments": 0}


def _limit() -> int:
    total = _kilobytes(_proc("/proc/meminfo"), "MemTotal")
    text = _proc("/sys/fs/cgroup/memory.max").strip()
    return min(total, int(text)) if text.isdigit() else total


def _proc(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _kilobytes(text: str, name: str) -> int:
    line = next((line for line in text.splitlines() if line.startswith(f"{name}:")), "")
    return int(line.split()[1]) * 1024 if line else 0


def shm_info() -> dict[str, Any]:
    """What memory comes from."""
    return {"name": "malloc", "size": _limit()}


def sockets_list(server: "Server") -> Members:
    """The sockets."""
    return Members(
        {
            "socket": {
                "proto": proto,
                "address": name,
                "ipaddress": address,
                "port": str(port),
                "mcast": "no",
                "mhomed": "yes" if server.settings.forward.mhomed else "no",
                "virtual": "no",
                **({} if listen.advertise is None else {"advertise": _advertised(listen, proto)}),
                **({"name": listen.name} if listen.name else {}),
            }
        }
        for listen, proto, name, address, port in _listening(server)
    )


def _advertised(listen: Listen, proto: str) -> str:
    assert listen.advertise is not None
    host, port = listen.advertise
    return f"{proto}:{f'[{host}]' if ':' in host else host}" + (f":{port}" if port else "")


def _listening(server: "Server") -> list[tuple[Listen, str, str, str, int]]:
    """Each socket: the setting that it comes from, its protocol, host as set, address, and port."""
    rows = []
    for proto, address, port in server.engine.sockets():
        found = [
            (listen, host)
            for listen in server.settings.listen
            for kind, host, number in listen.sockets()
            if (kind, number) == (proto, port)
        ]
        own = [pair for pair in found if pair[1] == address]
        listen, host = (own or found or [(Listen(proto, address, port), address)])[0]
        rows.append((listen, proto, host, address, port))
    return rows


def aliases_list(server: "Server") -> dict[str, Any]:
    """The names that are this server too."""
    rows = [{"alias": {"proto": p, "address": host, "port": port}} for p, host, port in _aliases(server)]
    return {"myself_callbacks": "no", "aliases": rows}


def _aliases(server: "Server") -> list[tuple[str, str, str]]:
    found = []
    for alias in server.settings.aliases:
        first, separator, rest = alias.partition(":")
        proto, place = (first, rest) if separator and first in ("udp", "tcp", "tls", "ws", "wss") else ("*", alias)
        host, _, port = place.rpartition(":") if place.rpartition(":")[2].isdigit() else (place, "", "")
        found.append((proto, host, port or "*"))
    return found


def list_aliases(server: "Server") -> list[dict[str, Any]]:
    """The same in the shape of module corex."""
    return [
        {"PROTO": proto, "ADDR": host, "PORT": 0 if port == "*" else int(port)}
        for proto, host, port in _aliases(server)
    ]


def list_sockets(server: "Server") -> list[dict[str, Any]]:
    """The sockets in the shape of module corex."""
    return [
        {
            "PROTO": proto,
            "NAME": name,
            "ADDRLIST": {"ADDR": address},
            "PORT": str(port),
            "MCAST": "no",
            "MHOMED": "yes" if server.settings.forward.mhomed else "no",
            "VIRTUAL": "no",
            "SOCKNAME": listen.name or "-",
            "ADVERTISE": "-" if listen.advertise is None else _advertised(listen, proto),
        }
        for listen, proto, name, address, port in _listening(server)
    ]


def tcp_info(server: "Server") -> dict[str, int]:
    """How many connections there are and may be, and what waits to be written in those of TLS."""
    most = server.settings.limits.connections
    tls = server.engine.tls_connections()
    return {
        "readers": sum(1 for _, kind, *_ in server.engine.threads() if kind in ("network", "tls")),
        "max_connections": most,
        "max_tls_connections": most,
        "opened_connections": len(server.engine.connections()),
        "opened_tls_connections": len(tls),
        "write_queued_bytes": sum(plain[6] for plain, _ in tls),
    }


def tcp_list(server: "Server") -> list[dict[str, Any]]:
    """Open connections of streams, TLS and WebSocket too."""
    idle_s = server.settings.timeouts.idle_ms // 1000
    rows = []
    for conid, proto, remote, local, outbound, state, _thread, age_ms in server.engine.connections():
        (source, source_port), (here, here_port) = _split(remote), _split(local)
        rows.append(
            {
                "id": conid,
                "type": proto.upper(),
                "state": state,
                "timeout": idle_s,
                "lifetime": idle_s,
                "ref_count": 1,
                "src_ip": source,
                "src_port": source_port,
                "dst_ip": here,
                "dst_port": here_port,
                "outbound": int(outbound),
                "age": age_ms // 1000,
            }
        )
    return rows


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def tcp_options(server: "Server") -> dict[str, int]:
    """The settings of streams, by Kamailio's names."""
    settings = server.settings
    most = settings.limits.connections
    return {
        "connect_timeout": settings.timeouts.connect_ms // 1000,
        "send_timeout": settings.timeouts.message_ms // 1000,
        "connection_lifetime": settings.timeouts.idle_ms // 1000,
        "max_connections(soft)": most,
        "max_tls_connections(soft)": most,
        "no_connect": 0,
        "fd_cache": 0,
        "async": 1,
        "connect_wait": 1,
        "conn_wq_max": settings.limits.write_buffer_bytes,
        "wq_max": settings.limits.write_buffer_bytes * most,
        "defer_accept": 0,
        "delayed_ack": 1,
        "syncnt": 0,
        "linger2": 0,
        "keepalive": 1,
        "keepidle": 0,
        "keepintvl": 0,
        "keepcnt": 0,
        "crlf_ping": 1,
        "accept_aliases": 0,
        "alias_flags": 1,
        "new_conn_alias_flags": 2,
    }


def udp4_raw_info() -> dict[str, int]:
    """Raw sockets, which are not used."""
    return {"udp4_raw": 0, "udp4_raw_mtu": 1500, "udp4_raw_ttl": 64}


def modules(server: "Server") -> list[str]:
    """Kamailio's modules that are loaded, the last one first; those of all functions where no kamailio.cfg is used."""
    from sipwright.kemi.namespace import offered_modules

    loaded = server.settings.modules
    return list(reversed(loaded)) if loaded is not None else sorted(offered_modules())


def echo(*values: str | int | float) -> list[Any]:
    """What it was given."""
    return list(values)


def printi(*values: int) -> list[Any]:
    """The numbers that it was given."""
    wrong = [value for value in values if not isinstance(value, int)]
    if wrong:
        raise RpcError(INVALID_PARAMS, f"{wrong[0]!r} is no whole number")
    return list(values)


def prints(*values: str | int | float) -> list[str]:
    """The texts that it was given."""
    return [str(value) for value in values]


def arg() -> list[str]:
    """The command line; values of secret settings are left out."""
    words = [part.decode("utf-8", "replace") for part in Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]]
    return [_SECRET.sub(r"\1=...", word) for word in words]


def pwd() -> str:
    """The working directory."""
    return os.getcwd()


def kill(signo: int = int(signal.SIGTERM)) -> None:
    """Sends the server a signal: 15 and 2 stop it, 1 reloads the script, 10 logs its state; others are refused."""
    if signo not in _SIGNALS:
        raise RpcError(INVALID_PARAMS, "signal must be one of 1, 2, 10, 15")
    log.notice(f"core.kill: signal {signo}")
    os.kill(os.getpid(), signo)


def debug(level: int | None = None) -> dict[str, int]:
    """Shows the log level, from -5 (alert) to 3 (debug), or sets it."""
    old = _engine.core_get_debug()
    if level is None:
        return {"debug": old}
    if not -5 <= level <= 3:
        raise RpcError(INVALID_PARAMS, "the level must be from -5 to 3")
    _engine.set_log_level(level)
    return {"old": old, "new": level}
