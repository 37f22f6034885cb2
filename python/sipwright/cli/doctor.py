"""`sipwright doctor`: looks at the environment and, from the outside, at a running server.

What it is for: Sipwright's TLS library shares nothing with the libssl that Python may load, and no engine thread
holds a Python thread state. Both can be seen here on the process itself.
"""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import click

from sipwright.cli.common import Failure, server_data_dir
from sipwright.control.client import ControlError, call
from sipwright.control.lock import holder_of
from sipwright.settings.effective import default_data_dir

_TLS_LIBRARIES = (b"libssl.so", b"libcrypto.so")


@click.command("doctor")
@click.option("--pid", type=int, help="Process to look at; without it, the server of the data directory.")
@server_data_dir
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(pid: int | None, data_dir: Path | None, output: str) -> None:
    """Show the environment and, if a server runs, its threads and TLS libraries.

    Exits with 1 when one of the rules is broken.
    """
    directory = data_dir or default_data_dir()
    found: dict[str, Any] = {"environment": environment()}
    running = pid if pid is not None else holder_of(directory)
    if running is not None:
        try:
            found["server"] = inspect(running, directory)
        except OSError as error:
            raise Failure(f"process {running}: {error.strerror}") from error
        found["problems"] = problems(found["server"])
    click.echo(json.dumps(found, indent=2) if output == "json" else text(found, directory))
    if found.get("problems"):
        raise SystemExit(1)


def environment() -> dict[str, Any]:
    """Versions, and whether the engine can be loaded."""
    try:
        from sipwright import _engine

        engine = _engine.VERSION
        checked = _engine.LOCK_ORDER_CHECKED
    except ImportError as error:
        engine, checked = f"cannot be loaded: {error}", False
    free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()
    return {
        "python": f"{platform.python_version()} ({sys.executable})",
        "free_threaded": free_threaded,
        "system": platform.platform(),
        "engine": engine,
        "lock_order": "checked at every lock" if checked else "not checked: a release build; cargo test checks it",
        "cpus": os.cpu_count(),
    }


def inspect(pid: int, data_dir: Path) -> dict[str, Any]:
    """What the process shows: mapped TLS libraries with those that link them, and its threads. OSError."""
    mapped = _mapped_files(pid)
    libraries = [path for path in mapped if any(path.name.startswith(name.decode()) for name in _TLS_LIBRARIES)]
    server: dict[str, Any] = {
        "pid": pid,
        "tls_libraries": [str(path) for path in libraries],
        "linked_by": [str(path) for path in mapped if path not in libraries and _links_tls(path)],
        "engine_file": next((str(path) for path in mapped if path.name.startswith("_engine.")), None),
    }
    try:
        info = call(data_dir, "core.info")
        if info["pid"] != pid:
            raise ControlError(f"the data directory {data_dir} belongs to process {info['pid']}")
        server |= {key: info[key] for key in ("version", "tls_provider", "tls_threads_mode", "isolation", "status")}
        server["threads"] = call(data_dir, "core.threads")
    except ControlError as error:
        server["control"] = str(error)
        server["threads"] = _kernel_threads(pid)
    return server


def problems(server: dict[str, Any]) -> list[str]:
    """The rules that the process breaks."""
    found = [
        f"engine thread {thread['name']} (kind {thread['kind']}) holds a Python thread state"
        for thread in server["threads"]
        if thread["kind"] not in ("main", "script", "python", "unknown") and thread.get("python")
    ]
    if server["engine_file"] in server["linked_by"]:
        found.append(f"the engine {server['engine_file']} links libssl or libcrypto")
    return found


def text(found: dict[str, Any], data_dir: Path) -> str:
    """The findings for people."""
    lines = [f"{name:<14} {value}" for name, value in found["environment"].items()]
    server = found.get("server")
    if server is None:
        lines.append(f"\nNo server is running with data directory {data_dir}.")
        return "\n".join(lines)
    lines += ["", f"Server, process {server['pid']}"]
    shown = ("version", "tls_provider", "tls_threads_mode", "isolation", "status", "engine_file", "control")
    lines += [f"  {name:<18} {server[name]}" for name in shown if server.get(name) is not None]
    lines.append(f"  libssl, libcrypto  {', '.join(server['tls_libraries']) or 'not mapped'}")
    lines.append(f"  linked by          {', '.join(server['linked_by']) or 'nothing mapped'}")
    lines += ["", f"  {'tid':>8}  {'thread':<18} {'kind':<10} Python thread state"]
    for thread in server["threads"]:
        holds = {True: "yes", False: "no"}.get(thread.get("python"), "unknown")
        lines.append(f"  {thread['tid']:>8}  {thread['name']:<18} {thread['kind']:<10} {holds}")
    lines.append("")
    lines += found["problems"] or ["No engine thread holds a Python thread state; the engine links no libssl."]
    return "\n".join(lines)


def _mapped_files(pid: int) -> list[Path]:
    """The files that are mapped into a process, each once."""
    paths: dict[str, None] = {}
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith("/"):
            paths[parts[5]] = None
    return [Path(path) for path in paths]


def _links_tls(path: Path) -> bool:
    """Whether an ELF file names libssl or libcrypto among what it needs (its string table has the names)."""
    if ".so" not in path.name:
        return False
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return any(name in content for name in _TLS_LIBRARIES)


def _kernel_threads(pid: int) -> list[dict[str, Any]]:
    """Threads as the kernel names them, when the control socket does not answer."""
    threads: list[dict[str, Any]] = []
    for task in sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name)):
        name = (task / "comm").read_text().strip()
        threads.append({"tid": int(task.name), "name": name, "kind": "unknown", "python": None})
    return threads
