"""The running process itself shows that the engine shares nothing with Python's TLS, nor its threads with Python."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import Start
from sipwright import _engine
from sipwright.cli.doctor import _links_tls
from sipwright.control.client import call
from support.certificates import Certificates
from support.servers import SIPWRIGHT, Server

OWNERS = ("main", "script", "python")


@pytest.fixture
def server(start: Start, certs: Certificates) -> Server:
    """A server whose script does TLS of its own in a thread."""
    env = {"CA": str(certs.ca), "CERTIFICATE": str(certs.certificate), "KEY": str(certs.key)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        server = start("tls_of_its_own.py", "udp", "tls", counted=False, settings=certs.settings())
    server.process.wait_output("is ready")
    return server


def test_no_engine_thread_has_a_python_thread_state(server: Server) -> None:
    """What Python says of its threads, against the kernel's list and the engine's register."""
    threads = {thread["tid"]: thread for thread in call(server.directory / "data", "core.threads")}
    tasks = Path(f"/proc/{server.process.pid}/task")
    names = {int(task.name): (task / "comm").read_text().strip() for task in tasks.iterdir()}
    engine = {tid: name for tid, name in names.items() if name.startswith("sw-")}
    assert {"sw-timer", "sw-dns", "sw-tls-0"} <= set(engine.values())
    for tid, name in engine.items():
        assert threads[tid]["name"] == name
        assert threads[tid]["kind"] not in OWNERS
        assert threads[tid]["python"] is False
    states = [thread for thread in threads.values() if thread["python"]]
    assert {thread["kind"] for thread in states} <= set(OWNERS)
    assert sum(thread["kind"] == "script" for thread in states) == 2


def test_the_engine_needs_no_tls_library_though_python_has_mapped_one(server: Server) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libssl.so" in maps, "the script uses ssl"
    file = Path(str(_engine.__file__))
    assert str(file) in maps
    needed = subprocess.run(["readelf", "--dynamic", "--wide", file], capture_output=True, text=True, check=True).stdout
    libraries = [line.split("[")[1].rstrip("]") for line in needed.splitlines() if "(NEEDED)" in line]
    assert libraries
    assert not [name for name in libraries if name.startswith(("libssl", "libcrypto"))]
    # Nor does it look for one by name, or offer Python's its own functions under their names.
    assert not _links_tls(file)
    symbols = subprocess.run(["readelf", "--dyn-syms", "--wide", file], capture_output=True, text=True, check=True)
    exported = [line.split()[-1] for line in symbols.stdout.splitlines() if "UND" not in line and " FUNC " in line]
    assert exported == ["PyInit__engine"], exported


def test_doctor_says_so(server: Server) -> None:
    argv: list[str | Path] = [SIPWRIGHT, "doctor", "--data-dir", server.directory / "data", "--output", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["server"]["tls_provider"].startswith("rustls")
    assert any("_ssl" in path for path in found["server"]["linked_by"])
    assert "lock_order" in found["environment"]
