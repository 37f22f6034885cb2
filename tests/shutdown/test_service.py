"""A server that systemd runs tells it what it does, and only the server does; the container's file names what there is."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import tomllib
from pathlib import Path

import click

from sipwright.cli import main
from support.servers import ROOT, Sipwright

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


# ---- the container -------------------------------------------------------------------------------------------------

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_container_copies_what_is_there() -> None:
    sources = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)]
    assert sources
    for source in (one for words in sources for one in words):
        assert (ROOT / source).exists(), source


def test_the_container_starts_the_server_by_options_that_there_are() -> None:
    (words,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    name, *arguments = json.loads(words)
    group = main
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    context = command.make_context(name, arguments)
    assert len(context.params["listen"]) == 3


def test_the_container_installs_extras_that_there_are() -> None:
    (extras,) = re.findall(r"sipwright\[([a-z,]+)\]", DOCKERFILE)
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(offered)
