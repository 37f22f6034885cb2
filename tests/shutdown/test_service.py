"""A server that systemd runs tells it what it does, and only the server does."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from support.servers import Sipwright

SCRIPT = """
import os
import KSR
class Handler:
    def child_init(self, rank): return 0
    def ksr_request_route(self, msg): return 1
def mod_init():
    assert "NOTIFY_SOCKET" not in os.environ and "WATCHDOG_USEC" not in os.environ
    return Handler()
"""


def test_a_life_as_a_service(tmp_path: Path) -> None:
    script = tmp_path / "route.py"
    script.write_text(SCRIPT)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)

        def told(name: str) -> dict[str, str]:
            """The next message that says `name`; others may come before."""
            while True:
                found = dict(line.partition("=")[::2] for line in manager.recv(4096).decode().splitlines())
                if name in found:
                    return found

        env = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "200000"}
        with Sipwright(script, tmp_path / "server", env=env) as server:
            ready = told("READY")
            assert ready["MAINPID"] == str(server.process.pid)
            assert f"of {script} serves udp:127.0.0.1:" in ready["STATUS"]
            told("WATCHDOG")
            told("WATCHDOG")
            os.kill(server.process.pid, signal.SIGHUP)
            told("RELOADING")
            assert f"version 2 of {script}" in told("READY")["STATUS"]
            script.write_text("def mod_init(): raise ValueError('broken')\n")
            os.kill(server.process.pid, signal.SIGHUP)
            told("RELOADING")
            assert f"version 2 of {script}" in told("READY")["STATUS"], "the last good version stays"
            assert server.stop().code == 0
            told("STOPPING")
