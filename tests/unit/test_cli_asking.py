"""Commands that ask a running server: by the control socket and HTTP, and how answers are shown."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipwright.cli import main, shown
from sipwright.control.rpc import FAILED, Rpc, RpcError
from sipwright.control.server import SOCKET_NAME, ControlServer
from support.ports import free_port
from support.servers import SIPWRIGHT
from support.tools import tool

CONTACT = {"Address": "sip:bob@192.0.2.1", "Expires": 60, "Q": -1, "Socket": "udp:192.0.2.9:5060"}
INFO = {"AoR": "bob", "Contacts": [{"Contact": {**CONTACT, "Received": "[not set]", "User-Agent": "Phone"}}]}
TARGET = {"URI": "sip:192.0.2.2", "FLAGS": "AP", "PRIORITY": 3, "ATTRS": {"BODY": "duid=a"}}


def rpc() -> Rpc:
    made, removed = Rpc(), []

    def lookup(table: str, aor: str) -> Any:
        if aor != "bob":
            raise RpcError(FAILED, "AOR not found in location table")
        return INFO

    made.add("ul.dump", lambda mode="": {"Domains": [{"Domain": {"Domain": "location", "AoRs": [{"Info": INFO}]}}]})
    made.add("ul.lookup", lookup)
    made.add("ul.rm", lambda table, aor: removed.append(aor))
    made.add("removed", lambda: removed)
    targets = [{"SET": {"ID": 1, "TARGETS": [{"DEST": TARGET}]}}]
    made.add("dispatcher.list", lambda: {"NRSETS": 1, "RECORDS": targets})
    made.add("tls.list", list)
    made.add("echo", lambda *values: list(values))
    made.add("rpc.list", made.names)
    return made


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A control socket with those methods."""
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = ControlServer(rpc(), tmp_path / SOCKET_NAME)
        await server.start()
        ready.set()
        await stop.wait()
        await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield tmp_path
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("DATA_DIR", "URL", "TOKEN_FILE"):
        monkeypatch.delenv(f"SIPWRIGHT_{name}", raising=False)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


def test_rows(data_dir: Path) -> None:
    rows = [
        {
            "table": "location",
            "aor": "bob",
            "contact": "sip:bob@192.0.2.1",
            "expires": 60,
            "q": "",
            "socket": "udp:192.0.2.9:5060",
            "received": "",
            "user_agent": "Phone",
        }
    ]
    assert json.loads(run("ul", "list", "-d", data_dir).output) == rows
    assert json.loads(run("ul", "show", "bob", "-d", data_dir).output) == rows
    table = run("ul", "list", "-d", data_dir, "--output", "table").output.splitlines()
    assert table[0].split() == list(rows[0])
    assert table[1].split() == ["location", "bob", "sip:bob@192.0.2.1", "60", "udp:192.0.2.9:5060", "Phone"]
    expected = {"set": 1, "uri": "sip:192.0.2.2", "state": "AP", "priority": 3, "attributes": "duid=a"}
    assert json.loads(run("dispatcher", "list", "-d", data_dir).output) == [expected]
    assert json.loads(run("tls", "list", "-d", data_dir).output) == []


def test_removing(data_dir: Path) -> None:
    gone = run("ul", "rm", "carol", "-d", data_dir)
    assert (gone.exit_code, gone.output) == (1, "sipwright: AOR not found in location table\n")
    assert run("ul", "rm", "bob", "-d", data_dir).output == "removed all contacts of bob\n"
    assert json.loads(run("ctl", "removed", "-d", data_dir).output) == ["bob"]


def test_parameters_are_json_or_texts(data_dir: Path) -> None:
    words = ("bob", 5, '{"a": [1]}', "sip:x", "true")
    assert json.loads(run("ctl", "echo", *words, "-d", data_dir).output) == ["bob", 5, {"a": [1]}, "sip:x", True]


class Http(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_known = self.headers["Authorization"] == "Bearer a-token-of-the-test"
        answer = {"result": [self.path, body["method"], body["params"]]} if is_known else {"error": "a token is needed"}
        self.send_response(200 if is_known else 401)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_http(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Http)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    token = tmp_path / "token"
    token.write_text("a-token-of-the-test\n")
    try:
        done = run("ctl", "echo", 1, "--url", url, "--token-file", token)
        assert json.loads(done.output) == ["/RPC", "echo", [1]]
        refused = run("ctl", "echo", "--url", url)
        assert refused.exit_code == 1
        assert refused.output == f"sipwright: {url}: 401: a token is needed\n"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--url", f"http://127.0.0.1:{free_port('127.0.0.1')}"], "no server answers at http://127.0.0.1:"),
        (["--url", "nothing"], "nothing: unknown url type"),
        (["--url", "http://x", "-d", "/tmp"], "--url and --data-dir: only one of them"),
        (["--url", "http://x", "--token-file", "/gone"], "--token-file: /gone: "),
        (["-d", "/gone"], "no server is running with data directory /gone"),
        (["--timeout", "0"], "--timeout: must be greater than 0"),
    ],
)
def test_mistakes_are_named(words: list[str], says: str) -> None:
    result = run("ul", "list", *words)
    assert result.exit_code != 0
    assert result.output.startswith("sipwright: ")
    assert says in result.output


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [1, "x"], "c": {"d": None}}, "a: 1\nb:\n  - 1\n  - x\nc:\n  d: null"),
        ([{"a": 1, "b": 2}, []], "- a: 1\n  b: 2\n- []"),
        ({"x": "no", "y": "1.5", "z": "a: b", "e": ""}, 'x: "no"\n"y": "1.5"\nz: "a: b"\ne: ""'),
        ("sip:a", '"sip:a"'),
    ],
)
def test_yaml(value: Any, text: str) -> None:
    assert shown.yaml(value) == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_read_by_their_shell(shell: str, tmp_path: Path) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_SIPWRIGHT_COMPLETE" in result.output
    if shell == "bash":
        script = tmp_path / "completion"
        script.write_text(result.output)
        subprocess.run([tool("bash"), "-n", script], check=True, timeout=20)


def test_completion_knows_the_methods_of_the_server(data_dir: Path) -> None:
    env = {
        "_SIPWRIGHT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"sipwright ctl -d {data_dir} ul.l",
        "COMP_CWORD": "4",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run([SIPWRIGHT], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["plain,ul.lookup"]
