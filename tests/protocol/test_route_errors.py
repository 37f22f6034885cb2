"""A route that fails: 500 and a log line that helps, never silence. More of it: tests/routing/test_route_errors.py."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from conftest import SCRIPTS, Start
from support.messages import Sip, request
from support.peers import UdpPeer
from support.process import wait_until
from support.servers import SIPWRIGHT, Server


def ask(server: Server, user: str, method: str = "OPTIONS") -> Sip:
    async def run() -> Sip:
        host, port = server.address("udp")
        async with UdpPeer.open() as peer:
            return await peer.ask(request(method, f"sip:{user}@{host}:{port}", peer.address), (host, port))

    return asyncio.run(run())


def logged(server: Server, text: str) -> None:
    wait_until(lambda: text in server.log(), 3, f"{text!r} in the log:\n{server.log()}")


def test_exception_is_answered_and_traced(start: Start) -> None:
    server = start("raising.py")
    answer = ask(server, "raise")
    assert answer.status == 500
    logged(server, "ValueError: the script broke")
    log = server.log()
    source = (SCRIPTS / "raising.py").read_text().splitlines()
    line = 1 + source.index('            raise ValueError("the script broke")')
    assert re.search(rf"raising\.py\D+{line}\b", log), log
    assert answer["Call-ID"] in log
    assert server.route_calls("OPTIONS", answer["Call-ID"]) == 1
    # The worker lives on.
    assert ask(server, "exit").status == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import KSR\n\ndef mod_init(:\n    pass\n", r"broken\.py.*\b3\b"),
        ("import KSR\n\nraise RuntimeError('at load')\n", r"at load"),
        ("import KSR\n", r"mod_init"),
        ("def mod_init():\n    return None\n", r"mod_init"),
        ("def mod_init():\n    return object()\n", r"child_init"),
    ],
    ids=["syntax", "import", "no-mod_init", "none-handler", "no-child_init"],
)
def test_bad_script_stops_the_start(tmp_path: Path, text: str, expected: str) -> None:
    script = tmp_path / "broken.py"
    script.write_text(text)
    argv = [str(SIPWRIGHT), "run", str(script), "--listen", "udp:127.0.0.1:0", "--set", f"data_dir={tmp_path / 'data'}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    output = done.stdout + done.stderr
    assert done.returncode not in (0, -6, -11), output
    assert re.search(expected, output, re.DOTALL), output
    assert "broken.py" in output, output
