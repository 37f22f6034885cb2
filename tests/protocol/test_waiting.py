"""Scripts that ask HTTP servers, at once or while the transaction waits, and routes that go on later."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import Start
from support.messages import Sip, request
from support.peers import UdpPeer, eventually
from support.ports import free_port
from support.servers import Server

SLOW_S = 2.0


class Answers(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        if self.path == "/slow":
            time.sleep(SLOW_S)
        status = {"/missing": 404, "/broken": 500}.get(self.path, 200)
        data = f"{self.command} {self.path} {self.headers.get('X-Mine')} {body}\nsecond line".encode()
        self.send_response(status, "Answered")
        self.send_header("X-Server", "test")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = handle_any

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    """The URL of an HTTP server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Stage:
    """A server that runs later.py, and a caller."""

    server: Server
    caller: UdpPeer

    def sent(self, do: str, url: str = "", **headers: str) -> Sip:
        extra = [("X-Do", do), ("X-Url", url), *((name.replace("_", "-"), value) for name, value in headers.items())]
        sent = request("MESSAGE", "sip:later@test.invalid", self.caller.address, extra=tuple(extra))
        self.caller.send(sent, self.server.address("udp"))
        return sent

    async def result(self, do: str, url: str = "", **headers: str) -> str:
        answer = await self.caller.final(self.sent(do, url, **headers)["Call-ID"])
        assert answer.status == 200
        return answer["X-Result"]


def play(start: Start, story: Callable[[Stage], Awaitable[None]], **settings: object) -> Server:
    server = start("later.py", workers=1, settings=settings)

    async def run() -> None:
        async with UdpPeer.open() as caller:
            await story(Stage(server, caller))

    asyncio.run(run())
    return server


def test_queries_that_wait_for_the_answer(start: Start, web: str) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.result("get", f"{web}/a?b=c") == "200|GET /a?b=c None"
        assert await stage.result("get", f"{web}/missing") == "404|GET /missing None"
        assert await stage.result("post", f"{web}/p") == "200|POST /p yes a=1"
        # Numbers of libcurl's.
        assert await stage.result("get", f"http://127.0.0.1:{free_port('127.0.0.1')}/") == "7|0"
        assert await stage.result("get", "http://nobody.invalid/") == "6|0"
        assert await stage.result("get", "nonsense") == "3|0"
        assert await stage.result("header", f"{web}/a") == "test|None"
        assert await stage.result("get", f"{web}/slow") == "28|0"

    play(start, story, **{"http_client.connection_timeout_s": "1", "http_client.maxdatasize_bytes": 1000})


def test_a_connection_of_the_settings_and_its_failover(start: Start, web: str) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.result("connection") == "200|POST /base/path None text second line"

    dead = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    connections = f'["server=>{dead};timeout=1;failover=second", "second=>{web}/base"]'
    play(start, story, **{"http_client.httpcon": connections, "http_client.query_result": 0})


def test_the_transaction_waits_not_the_worker(start: Start, web: str) -> None:
    """One worker: while a query takes a second, other requests are answered."""

    async def story(stage: Stage) -> None:
        slow = stage.sent("ask", f"{web}/slow")
        begin = time.monotonic()
        assert (await stage.result("get", f"{web}/a")).startswith("200|")
        assert time.monotonic() - begin < SLOW_S / 2
        answer = await stage.caller.final(slow["Call-ID"])
        assert answer["X-Result"] == "1|200|Answered|test|GET /slow None  second line|27|kept"
        assert answer["X-Error"] == "<null>"
        assert answer["X-Same-Id"] == "True"

    server = play(start, story, **{"http_async_client.connection_timeout_ms": 5000})
    assert server.route_calls("MESSAGE") == 2


def test_what_is_asked_and_what_fails(start: Start, web: str) -> None:
    async def story(stage: Stage) -> None:
        asked = await stage.caller.final(stage.sent("ask", f"{web}/x", X_Method="PUT")["Call-ID"])
        assert "PUT /x yes body of the query" in asked["X-Result"]
        # What was set holds for one query.
        plain = await stage.caller.final(stage.sent("ask", f"{web}/y")["Call-ID"])
        assert "GET /y None" in plain["X-Result"]
        dead = f"http://127.0.0.1:{free_port('127.0.0.1')}"
        failed = await stage.caller.final(stage.sent("ask", dead)["Call-ID"])
        assert failed["X-Result"] == "0|None|None|None|None|None|kept"
        assert failed["X-Error"].startswith("Couldn't connect to server")

    play(start, story, **{"http_async_client.connection_timeout_ms": 5000})


def test_what_needs_no_transaction(start: Start, web: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.caller.final(stage.sent("apart", f"{web}/x")["Call-ID"])
        await eventually(lambda: "apart 200" in stage.server.log())
        await eventually(lambda: "task data of the task of others" in stage.server.log())
        await eventually(lambda: "task variables data of the task others None" in stage.server.log())

    play(start, story, **{"http_async_client.connection_timeout_ms": 5000})


def test_messages_of_a_cluster_are_refused(start: Start) -> None:
    """As by a Kamailio without peers."""

    async def story(stage: Stage) -> None:
        answer = await stage.caller.final(stage.sent("cluster")["Call-ID"])
        assert answer.first_line == "SIP/2.0 404 User Not Found"

    play(start, story)


def test_routes_go_on_later(start: Start) -> None:
    async def story(stage: Stage) -> None:
        begin = time.monotonic()
        slept = await stage.caller.final(stage.sent("sleep")["Call-ID"])
        assert time.monotonic() - begin >= 0.19
        assert (slept.status, slept["X-Result"].strip()) == (202, "MESSAGE")
        task = await stage.caller.final(stage.sent("task")["Call-ID"])
        assert (task.status, task["X-Result"]) == (202, "MESSAGE others")

    play(start, story)
