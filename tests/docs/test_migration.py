"""The page on moving a Kamailio deployment over is true: its commands run in their order, on a deployment of the examples."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sipwright.control.server import SOCKET_NAME
from support.databases import kamailio_sqlite
from support.ports import free_port
from support.process import Child, wait_until
from support.servers import ROOT, SIPWRIGHT

PAGE = ROOT / "docs" / "howto" / "migrate-from-kamailio.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in BLOCK.findall(PAGE.read_text()) for line in block.splitlines()]
    assert all(line.startswith("$ sipwright ") for line in lines)
    return [line.removeprefix("$ sipwright ") for line in lines]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """The places of the page, in a folder of the test's own."""
    etc = tmp_path / "kamailio"
    shutil.copytree(ROOT / "examples" / "kamailio" / "lab-registrar", etc)
    database = tmp_path / "sip.db"
    kamailio_sqlite(database)
    (etc / "local.cfg").write_text(f'#!define DBURL "sqlite:///{database}"\n')
    return {
        "/etc/kamailio/": f"{etc}/",
        "/var/lib/kamailio/sip.db": str(database),
        "/var/lib/sipwright": str(tmp_path / "data"),
        "127.0.0.1:5070": f"127.0.0.1:{free_port('127.0.0.1')}",
    }


def started(argv: list[str], directory: Path) -> Child:
    server = Child(argv, directory / "server.log", cwd=directory / "kamailio")
    socket = directory / "data" / SOCKET_NAME
    wait_until(lambda: socket.exists() or not server.running(), 60, "the server")
    assert server.running(), server.output()
    return server


# Each command is a process that imports the command line.
@pytest.mark.timeout(240)
def test_every_command_of_the_page(places: dict[str, str], tmp_path: Path) -> None:
    server: Child | None = None
    ran = []
    try:
        for line in commands():
            for name, place in places.items():
                line = line.replace(name, place)
            argv = [str(SIPWRIGHT), *shlex.split(line)]
            ran.append(argv[1])
            if argv[1] == "run":
                server = started(argv, tmp_path)
                continue
            done = subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=tmp_path / "kamailio")
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    finally:
        if server is not None:
            server.stop(10)
    assert server is not None
    assert ran == ["check", "db", "db", "run", "doctor", "ctl", "ul", "ctl"]
