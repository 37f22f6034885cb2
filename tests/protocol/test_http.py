"""HTTP requests on SIP's TCP and TLS sockets (Kamailio's module xhttp)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from conftest import SCRIPTS, Start
from support.certificates import Certificates
from support.messages import Sip
from support.peers import StreamPeer, UdpPeer, options
from support.process import wait_until
from support.servers import Listen, Server, Sipwright
from support.web import Http

Test = Callable[[Http], Awaitable[None]]
PROTOS = ["tcp", "tls"]


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda mode: f"mode{mode}")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certs: Certificates
) -> Iterator[Server]:
    settings = {
        **certs.settings(),
        "tls.threads_mode": request.param,
        "xhttp.event_callback": "on_http",
        "xhttp.url_skip": "^/skipped",
        "limits.max_message_bytes": 4096,
        "server_header": "tested",
    }
    listen = [Listen("tcp"), Listen("tls"), Listen("udp")]
    with Sipwright(SCRIPTS / "web.py", tmp_path_factory.mktemp("server"), listen, settings=settings) as started:
        yield started


def connected(server: Server, proto: str, tls: ssl.SSLContext, test: Test) -> None:
    async def run() -> None:
        async with Http.open(server.address(proto), tls if proto == "tls" else None) as http:
            await test(http)

    asyncio.run(run())


def notes(server: Server) -> list[str]:
    path = server.directory / "notes"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("proto", PROTOS)
def test_the_script_answers(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(http: Http) -> None:
        got = await http.ask("GET /a?b=c HTTP/1.1\nHost: web.test")
        assert (got.status, got.reason) == (200, "OK")
        assert list(got.headers) == ["Content-Type", "Server", "Content-Length"]
        assert got.headers["Server"] == "tested"
        assert got.body == f"xhttp:request /a?b=c GET /a?b=c HTTP/1.1 {proto}  web.test None".encode()
        # The connection stays, for HTTP and for SIP.
        got = await http.ask("POST /p HTTP/1.1\nHost: web.test\nContent-Type: text/x", b"the body")
        assert got.body == f"xhttp:request /p POST /p HTTP/1.1 {proto} the body web.test text/x".encode()
        sent = options(StreamPeer(http.reader, http.writer), server.address(proto), proto)
        assert (await StreamPeer(http.reader, http.writer).ask(sent)).status == 200
        assert (await http.ask("GET / HTTP/1.1")).status == 200

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_requests_byte_by_byte(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(http: Http) -> None:
        peer = StreamPeer(http.reader, http.writer)
        await peer.send_bytewise(
            b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        assert b" abcde " in (await http.receive()).body

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_pipelined_requests_are_answered_in_order(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(http: Http) -> None:
        http.send(b"GET /slow HTTP/1.1\r\n\r\nGET /1 HTTP/1.1\r\n\r\nGET /slow HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
        bodies = [(await http.receive()).body.split()[:2] for _ in range(4)]
        assert bodies == [[b"slow"], [b"xhttp:request", b"/1"], [b"slow"], [b"xhttp:request", b"/2"]]

    connected(server, proto, client_tls, test)


def test_more_than_may_wait_is_pipelined(server: Server, client_tls: ssl.SSLContext) -> None:
    """What a client sends while a request is in work stays in the kernel, and nothing is lost."""

    async def test(http: Http) -> None:
        body = b"x" * 3000
        one = b"POST /n HTTP/1.1\r\nContent-Length: 3000\r\n\r\n" + body
        http.send(b"GET /slow HTTP/1.1\r\n\r\n" + one * 100)
        assert (await http.receive()).body == b"slow"
        for _ in range(100):
            assert body in (await http.receive()).body

    connected(server, "tcp", client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_who_sends_no_more_gets_the_answer(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(http: Http) -> None:
        http.send(b"GET /slow HTTP/1.1\r\n\r\n")
        if proto == "tcp":
            http.writer.write_eof()
        assert (await http.receive()).body == b"slow"
        if proto == "tcp":
            assert await http.rest() == b""

    connected(server, proto, client_tls, test)


def test_head_has_no_body(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        got = await http.ask("HEAD / HTTP/1.1")
        assert int(got.headers["Content-Length"]) > 0
        assert (await http.ask("GET /1 HTTP/1.1")).body.split()[1] == b"/1"

    connected(server, "tcp", client_tls, test)


@pytest.mark.parametrize(
    ("request_", "closes"),
    [
        ("GET /close HTTP/1.1", True),
        ("GET /1 HTTP/1.1\nConnection: close", True),
        ("GET /1 HTTP/1.0", True),
        ("GET /1 HTTP/1.0\nConnection: Keep-Alive", False),
        ("GET /1 HTTP/1.1\nConnection: keep-alive", False),
    ],
)
def test_when_the_connection_ends(server: Server, client_tls: ssl.SSLContext, request_: str, closes: bool) -> None:
    async def test(http: Http) -> None:
        got = await http.ask(request_)
        assert got.status == 200
        assert (got.headers.get("Connection") == "close") == closes
        assert ("X-Last" in got.headers) == ("/close" in request_)
        if closes:
            assert await http.rest() == b""
        else:
            assert (await http.ask("GET /2 HTTP/1.1")).status == 200

    connected(server, "tcp", client_tls, test)


def test_no_answer_closes(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        http.send(b"GET /nothing HTTP/1.1\r\n\r\nGET /1 HTTP/1.1\r\n\r\n")
        assert await http.rest() == b""
        assert "nothing" in notes(server)

    connected(server, "tcp", client_tls, test)


def test_an_exception_is_a_500(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        assert (await http.ask("GET /raise HTTP/1.1")).status == 500
        assert (await http.ask("GET /1 HTTP/1.1")).status == 200
        wait_until(lambda: "ValueError: of the script" in server.log(), 5, "the log")

    connected(server, "tcp", client_tls, test)


def test_functions_of_sip_leave_http_alone(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        got = await http.ask("GET /functions HTTP/1.1\nHost: h")
        assert got.status == 200
        assert got.body.endswith(b" 1 -1 None None")
        assert all(int(word) < 0 for word in got.body.split()[:3])

    connected(server, "tcp", client_tls, test)


def test_one_answer(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        assert (await http.ask("GET /twice HTTP/1.1")).status == 201
        got = await http.ask("GET /breaks HTTP/1.1")
        assert (got.status, list(got.headers)) == (200, ["Server", "Content-Length"])
        wait_until(lambda: {"0 -1", "-1 -1"} <= set(notes(server)), 5, "notes of the script")
        got = await http.ask("GET /sl HTTP/1.1")
        assert (got.status, got.reason) == (202, "Fine")

    connected(server, "tcp", client_tls, test)


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"GET /skipped HTTP/1.1\r\n\r\n", 404),
        (b"G(T / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 5000, 431),
    ],
)
def test_refused_and_closed(server: Server, client_tls: ssl.SSLContext, stream: bytes, status: int) -> None:
    async def test(http: Http) -> None:
        http.send(stream)
        assert (await http.receive()).status == status
        assert await http.rest() == b""

    connected(server, "tcp", client_tls, test)


def test_crlf_between_requests_is_no_ping(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        http.send(b"GET /1 HTTP/1.1\r\n\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
        assert [(await http.receive()).body.split()[1] for _ in range(2)] == [b"/1", b"/2"]

    connected(server, "tcp", client_tls, test)


def test_http_by_udp_is_no_message(server: Server) -> None:
    async def run() -> None:
        async with UdpPeer.open() as peer:
            peer.send(b"GET / HTTP/1.1\r\n\r\n", server.address("udp"))
            assert (await peer.ask(options(peer, server.address("udp")), server.address("udp"))).status == 200

    asyncio.run(run())


def test_without_a_script_that_wants_it(start: Start) -> None:
    server = start("answer.py", "tcp")

    async def run() -> None:
        async with Http.open(server.address("tcp")) as http:
            assert (await http.ask("GET / HTTP/1.1")).status == 404
            assert await http.rest() == b""

    asyncio.run(run())


def test_a_missing_method_is_a_500(start: Start) -> None:
    server = start("answer.py", "tcp", settings={"xhttp.event_callback": "no_such"})

    async def run() -> None:
        async with Http.open(server.address("tcp")) as http:
            http.send(b"GET / HTTP/1.1\r\n\r\n")
            assert await http.rest() == b""

    asyncio.run(run())
    wait_until(lambda: "has no method no_such" in server.log(), 5, "the log")


def test_only_matching_uris(start: Start) -> None:
    server = start("web.py", "tcp", settings={"xhttp.event_callback": "on_http", "xhttp.url_match": "^/(a|b)$"})

    async def run() -> None:
        for uri, status in (("/a", 200), ("/b", 200), ("/c", 404), ("/ab", 404)):
            async with Http.open(server.address("tcp")) as http:
                assert (await http.ask(f"GET {uri} HTTP/1.1")).status == status

    asyncio.run(run())


def test_a_queue_that_is_full(start: Start) -> None:
    """Further requests are refused at once, while the only worker is in the script."""
    settings = {"xhttp.event_callback": "on_http", "limits.queue_messages": 1}
    server = start("web.py", "tcp", workers=1, settings=settings)

    async def run() -> None:
        async def one() -> int:
            async with Http.open(server.address("tcp")) as http:
                got = await http.ask("GET /slow HTTP/1.1")
                if got.status == 503:
                    assert got.headers["Retry-After"]
                    assert await http.rest() == b""
                return got.status

        answers = await asyncio.gather(*(one() for _ in range(8)))
        assert set(answers) == {200, 503}

    asyncio.run(run())


def test_a_slow_request_is_given_up(start: Start) -> None:
    settings = {"xhttp.event_callback": "on_http", "timeouts.message_ms": 200}
    server = start("web.py", "tcp", settings=settings)

    async def run() -> None:
        async with Http.open(server.address("tcp")) as http:
            http.send(b"GET / HTTP/1.1\r\nX-A: ")
            assert await http.rest() == b""

    asyncio.run(run())


@pytest.mark.parametrize("accept", [False, True])
def test_sip_without_content_length(start: Start, accept: bool) -> None:
    server = start("answer.py", "tcp", settings={"tcp.accept_no_cl": accept})

    async def run() -> None:
        async with StreamPeer.open(server.address("tcp")) as peer:
            sent = options(peer, server.address("tcp"), "TCP")
            head = sent.encode().replace(b"Content-Length: 0\r\n", b"")
            await peer.send(head + (sent.encode() if accept else b""))
            assert (await peer.receive()).status == (200 if accept else 400)

    asyncio.run(run())


def test_a_body_on_the_wire_is_no_second_request(server: Server, client_tls: ssl.SSLContext, tmp_path: Path) -> None:
    """SIP in the body of HTTP is a body, and HTTP in the body of SIP too."""

    async def test(http: Http) -> None:
        peer = StreamPeer(http.reader, http.writer)
        hidden = options(peer, server.address("tcp"), "TCP")
        assert b"OPTIONS sip:" in (await http.ask("POST /p HTTP/1.1", hidden.encode())).body
        sent = options(peer, server.address("tcp"), "TCP")
        outer = Sip(sent.first_line, sent.headers, b"GET / HTTP/1.1\r\n\r\n")
        assert (await peer.ask(outer)).status == 200
        assert (await http.ask("GET /1 HTTP/1.1")).body.split()[1] == b"/1"

    connected(server, "tcp", client_tls, test)
