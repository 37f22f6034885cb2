"""JSON-RPC, health and readiness over HTTP, and who may ask."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import SCRIPTS, Start
from sipwright.control.client import call
from support.control import data_of
from support.http import Web
from support.peers import UdpPeer, options
from support.process import rss_bytes, wait_until
from support.servers import Listen, Server, Sipwright

TOKEN = "correct-horse-battery"


def request(method: str, params: Any = None, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": [] if params is None else params, "id": 1, **more}


def web_of(start: Start, token: str = "", settings: Mapping[str, object] | None = None) -> tuple[Web, Server]:
    web = Web.chosen(token)
    server = start("answer.py", settings={**web.settings, **(settings or {})})
    wait_until(lambda: "listening" in server.log() or data_of(server).exists(), 10, "the server is ready")
    return web, server


def token_file(directory: Path, text: str = TOKEN) -> Path:
    path = directory / "token"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def test_calls(start: Start) -> None:
    web, server = web_of(start)
    answer = web.rpc(request("core.info"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["result"]["pid"] == server.process.pid
    # By name, in a batch, and one that wants no answer.
    both = web.rpc([request("dns.lookup", {"type": "A", "name": "localhost"}), request("core.info", id=2)])
    assert [one["id"] for one in both.json] == [1, 2]
    silent = web.rpc({"jsonrpc": "2.0", "method": "core.info"})
    assert (silent.status, silent.body) == (204, b"")
    assert web.rpc(request("nothing.such")).json["error"]["code"] == -32601
    assert web.rpc(b"{").json["error"]["code"] == -32700
    assert web.rpc(b"[]").json["error"]["code"] == -32600


def test_what_is_refused(start: Start) -> None:
    web, _ = web_of(start, settings={"http.max_body_bytes": 2000})
    assert web.get("/RPC").status == 405
    assert web.get("/nothing").status == 404
    body = b'{"jsonrpc": "2.0", "method": "core.info", "id": 1}'
    # What a form of another site's page can send.
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert web.ask("POST", "/RPC", body, Content_Type=kind).status == 415
    assert web.rpc(body, Host="evil.example").status == 421
    assert web.rpc(body, Origin="http://evil.example").status == 403
    assert web.rpc(body, Origin="null").status == 403
    # No address at all.
    assert web.rpc(body, Origin="http://[").status == 403
    assert web.rpc(body, Host="[").status == 421
    own = web.rpc(body, Origin=f"http://127.0.0.1:{web.port}")
    assert own.status == 200
    assert not [name for name in own.headers if name.startswith("access-control")]
    asked = web.ask("OPTIONS", "/RPC", Origin="http://evil.example", Access_Control_Request_Method="POST")
    assert asked.status == 403
    assert web.rpc(b"[" + b" " * 2000 + b"]").status == 413
    assert web.rpc(body, Host=f"localhost:{web.port}").status == 200


def test_a_body_without_a_length_is_bounded_too(start: Start) -> None:
    web, _ = web_of(start, settings={"http.max_body_bytes": 2000})
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        head = b"POST /RPC HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b" " * 1000 + b"\r\n")
        connection.sendall(b"3e8\r\n" + b" " * 1000 + b"\r\n" + b"3e8\r\n" + b" " * 1000 + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_token_is_needed_where_one_is_set(start: Start, tmp_path: Path) -> None:
    path = token_file(tmp_path)
    web, server = web_of(start, TOKEN, {"http.token_file": path})
    anybody = Web(web.port)
    assert web.call("core.info")["pid"] == server.process.pid
    for answer in (anybody.rpc(request("core.info")), Web(web.port, TOKEN + "x").rpc(request("core.info"))):
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert anybody.get("/RPC").status == 401
    assert anybody.get("/nothing").status == 401
    # Probes of load balancers have none.
    assert (anybody.get("/health").status, anybody.get("/ready").status) == (200, 200)
    # Browsers keep it in a cookie.
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert anybody.ask("POST", "/login", b"token=wrong", **form).status == 401
    login = anybody.ask("POST", "/login", f"token={TOKEN}".encode(), **form)
    cookie = login.headers["set-cookie"]
    assert login.status == 303
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert anybody.rpc(request("core.info"), Cookie=cookie.partition(";")[0]).status == 200
    # A new token takes the place of the old one.
    token_file(tmp_path, "another-token-of-ours")
    wait_until(lambda: Web(web.port, "another-token-of-ours").get("/nothing").status == 404, 10, "it is read again")
    assert web.rpc(request("core.info")).status == 401
    assert TOKEN not in server.log()
    assert "another-token-of-ours" not in server.log()


@pytest.mark.parametrize(
    ("listen", "token", "mode", "says"),
    [
        ("0.0.0.0:1234", None, 0o600, "http: token_file must be set, since 0.0.0.0:1234 is not loopback"),
        ("0.0.0.0:1234", TOKEN, 0o644, "others may read it; chmod 600"),
        ("0.0.0.0:1234", "short", 0o600, "at least 16 characters"),
        ("0.0.0.0:1234", "", 0o600, "there is no token in it"),
        ("127.0.0.1", None, 0o600, "is not ADDRESS:PORT"),
    ],
)
def test_a_start_that_would_be_open_is_refused(
    tmp_path: Path, listen: str, token: str | None, mode: int, says: str
) -> None:
    settings: dict[str, object] = {"http.listen": listen}
    if token is not None:
        path = token_file(tmp_path, token)
        path.chmod(mode)
        settings["http.token_file"] = path
    server = Sipwright(SCRIPTS / "answer.py", tmp_path / "s", settings=settings)
    with pytest.raises(RuntimeError, match="ended with 2") as error:
        server.start()
    assert says in str(error.value)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        server = Sipwright(SCRIPTS / "answer.py", tmp_path / "s", settings={"http.listen": at})
        with pytest.raises(RuntimeError, match="ended with 1") as error:
            server.start()
        assert f"{at}: Address already in use (http.listen)" in str(error.value)


BLOCKING = """
import time

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        time.sleep(1.2)
        return 1

def mod_init():
    return Handler()
"""


def test_health(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "blocking.py"
    script.write_text(BLOCKING)
    web = Web.chosen()
    server = start(script, settings={**web.settings, "script.stall_after_ms": 200})
    wait_until(lambda: data_of(server).exists(), 10, "the server is ready")
    assert web.get("/health").json == {"status": "ok", "problems": []}

    async def send() -> None:
        async with UdpPeer.open() as peer:
            peer.send(options(peer, server.address("udp")), server.address("udp"))
            await asyncio.to_thread(wait_until, lambda: web.get("/health").status == 503, 5, "degraded")

    asyncio.run(send())
    wait_until(lambda: web.get("/health").status == 200, 5, "well again")
    assert server.route_calls("OPTIONS") == 1


def test_not_ready(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "relay.py"
    script.write_text(BLOCKING)
    web = Web.chosen()
    server = start(script, settings=web.settings)
    wait_until(lambda: data_of(server).exists(), 10, "the server is ready")
    assert web.get("/ready").json == {"status": "ready", "problems": []}

    async def send() -> None:
        async with UdpPeer.open() as peer:
            peer.send(options(peer, server.address("udp")), server.address("udp"))
            await asyncio.to_thread(wait_until, lambda: server.route_calls("OPTIONS") == 1, 5, "the route runs")

    asyncio.run(send())
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    try:
        wait_until(lambda: web.get("/ready").status == 503, 5, "not ready")
        assert web.get("/ready").json == {"status": "not ready", "problems": ["the server is stopping"]}
        assert web.get("/health").status == 200
    finally:
        stopping.join()


def test_nothing_is_imported_before_somebody_asks(tmp_path: Path) -> None:
    web = Web.chosen()
    server = Sipwright(SCRIPTS / "answer.py", tmp_path / "s", [Listen("udp")], settings=web.settings)
    with server:
        data = data_of(server)
        before = rss_bytes(server.process.pid)
        assert "http" not in [thread["name"] for thread in call(data, "core.threads")]
        assert web.get("/health").status == 200
        assert "http" in [thread["name"] for thread in call(data, "core.threads")]
        assert rss_bytes(server.process.pid) - before < 40_000_000
