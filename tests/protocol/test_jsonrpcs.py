"""JSON-RPC over HTTP, a FIFO and datagrams (Kamailio's module jsonrpcs), and for scripts."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from support.ports import free_port
from support.process import wait_until
from support.servers import Server
from support.web import Http, Response

ECHO = {"jsonrpc": "2.0", "method": "core.info", "id": 7}


def asked(server: Server, uri: str, body: bytes) -> Response:
    async def run() -> Response:
        async with Http.open(server.address("tcp")) as http:
            return await http.ask(f"POST {uri} HTTP/1.1\nHost: h", body)

    return asyncio.run(run())


def notes(server: Server) -> list[str]:
    return (server.directory / "notes").read_text().splitlines()


@pytest.fixture
def server(start: Start) -> Server:
    return start("web.py", "tcp", settings={"xhttp.event_callback": "on_http"})


def test_over_http(server: Server) -> None:
    got = asked(server, "/RPC", json.dumps(ECHO).encode())
    assert (got.status, got.reason, got.headers["Content-Type"]) == (200, "OK", "application/json")
    answer = json.loads(got.body)
    assert (answer["id"], answer["result"]["pid"]) == (7, server.process.popen.pid)
    assert got.body.startswith(b"{\n\t")
    got = asked(server, "/RPC", json.dumps([ECHO, {**ECHO, "id": 8}]).encode())
    assert [one["id"] for one in json.loads(got.body)] == [7, 8]
    got = asked(server, "/RPC", json.dumps({**ECHO, "method": "no.such"}).encode())
    assert got.status == 500
    assert got.reason.startswith("there is no method no.such")
    assert json.loads(got.body)["error"]["code"] == -32601
    for body in (b"nonsense", b"[]", b"[1]", b"7", b"\xff"):
        got = asked(server, "/RPC", body)
        assert (got.status, json.loads(got.body)["error"]["code"]) == (400, -32600), body
    wait_until(lambda: notes(server) == ["dispatch 1"] * 3 + ["dispatch -1"] * 5, 5, "notes of the script")


def test_for_scripts(server: Server) -> None:
    same, *results = asked(server, "/exec", json.dumps(ECHO).encode()).body.decode().split("|")
    assert (same, *results[:4]) == ("True", "1", "1", "200", "OK")
    assert json.loads(results[4])["id"] == 7
    _, *results = asked(server, "/exec", b'{"method": "no.such"}').body.decode().split("|")
    assert results[:3] == ["1", "-1", "500"]
    assert results[3].startswith("there is no method")


def test_a_reload_from_within_the_script(server: Server) -> None:
    """Nobody waits for a worker that waits for the reload."""
    for version in (2, 3):
        got = asked(server, "/RPC", b'{"method": "app_python.reload", "id": 1}')
        assert json.loads(got.body)["result"] == {"old": version - 1, "new": version}


def test_http_can_be_left_out(start: Start) -> None:
    settings = {"xhttp.event_callback": "on_http", "jsonrpcs.transport": 6}
    server = start("web.py", "tcp", settings=settings)

    async def run() -> None:
        async with Http.open(server.address("tcp")) as http:
            http.send(b"POST /RPC HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            assert await http.rest() == b""

    asyncio.run(run())
    assert notes(server) == ["dispatch -1"]


def through_fifo(fifo: Path, reply: Path, request: dict[str, Any]) -> Any:
    os.mkfifo(reply)
    with fifo.open("w") as out:
        out.write(json.dumps({**request, "reply_name": reply.name}) + "\n")
    with reply.open() as answer:
        return json.loads(answer.read())


def test_over_a_fifo(start: Start, tmp_path: Path) -> None:
    settings = {"jsonrpcs.fifo_name": "rpc.fifo", "jsonrpcs.fifo_reply_dir": tmp_path, "jsonrpcs.fifo_mode": 0o640}
    server = start("answer.py", "tcp", settings=settings)
    fifo = server.directory / "data" / "rpc.fifo"
    wait_until(fifo.exists, 5, "the FIFO")
    assert stat.S_IMODE(fifo.stat().st_mode) == 0o640
    for number in range(3):
        answer = through_fifo(fifo, tmp_path / f"reply{number}", {**ECHO, "id": number})
        assert (answer["id"], answer["result"]["pid"]) == (number, server.process.popen.pid)
    # Whatever comes in between is skipped; what names no FIFO is carried out all the same.
    with fifo.open("w") as out:
        out.write("nonsense } " + json.dumps({**ECHO, "reply_name": "../x"}) + json.dumps(ECHO))
    assert through_fifo(fifo, tmp_path / "last", {"method": "rpc.list", "id": 1})["result"]
    server.assert_clean_stop()
    assert not fifo.exists()


@pytest.mark.parametrize("kind", ["unix", "udp"])
def test_over_datagrams(start: Start, tmp_path: Path, kind: str) -> None:
    port = free_port("127.0.0.1")
    name = "rpc.sock" if kind == "unix" else f"udp:127.0.0.1:{port}"
    server = start("answer.py", "tcp", settings={"jsonrpcs.dgram_socket": name, "jsonrpcs.pretty_format": False})
    place: Any = str(server.directory / "data" / "rpc.sock") if kind == "unix" else ("127.0.0.1", port)
    if kind == "unix":
        wait_until(Path(place).exists, 5, "the socket")
        assert stat.S_IMODE(os.stat(place).st_mode) == 0o600
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.bind(str(tmp_path / "client.sock") if kind == "unix" else ("127.0.0.1", 0))
        for request, expected in ((json.dumps(ECHO), "result"), ("nonsense", "error")):
            client.sendto(request.encode(), place)
            text = client.recv(65536)
            assert expected in json.loads(text)
            assert b"\t" not in text
    server.assert_clean_stop()
    assert kind == "udp" or not Path(place).exists()


def test_something_else_is_there(start: Start, tmp_path: Path) -> None:
    other = tmp_path / "precious"
    other.write_text("mine")
    with pytest.raises(RuntimeError, match="something else is there"):
        start("answer.py", "tcp", settings={"jsonrpcs.fifo_name": other})
    assert other.read_text() == "mine"
