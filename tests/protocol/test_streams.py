"""SIP over TCP and TLS: framing by Content-Length, keep-alives, limits; the same on both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator

import pytest

from conftest import SCRIPTS, Start
from support.certificates import Certificates
from support.messages import Sip
from support.peers import StreamPeer, UdpPeer, options
from support.servers import Listen, Server, Sipwright

Test = Callable[[StreamPeer], Awaitable[None]]
PROTOS = ["tcp", "tls"]


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda mode: f"mode{mode}")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certs: Certificates
) -> Iterator[Server]:
    settings = {**certs.settings(), "tls.threads_mode": request.param}
    listen = [Listen("tcp"), Listen("tls"), Listen("tcp", "::1"), Listen("tls", "::1"), Listen("udp", "::1")]
    with Sipwright(SCRIPTS / "answer.py", tmp_path_factory.mktemp("server"), listen, settings=settings) as started:
        yield started


def connected(server: Server, proto: str, tls: ssl.SSLContext, test: Test, index: int = 0) -> None:
    async def run() -> None:
        context = tls if proto == "tls" else None
        async with StreamPeer.open(server.address(proto, index), context) as peer:
            await test(peer)

    asyncio.run(run())


def asked(peer: StreamPeer, server: Server, proto: str) -> Sip:
    return options(peer, server.address(proto), proto)


@pytest.mark.parametrize("proto", PROTOS)
@pytest.mark.parametrize("index", [0, 1], ids=["ipv4", "ipv6"])
def test_request_is_answered(server: Server, client_tls: ssl.SSLContext, proto: str, index: int) -> None:
    async def test(peer: StreamPeer) -> None:
        for _ in range(3):
            assert (await peer.ask(asked(peer, server, proto))).status == 200

    connected(server, proto, client_tls, test, index)


def test_request_over_udp_and_ipv6(server: Server) -> None:
    async def run() -> None:
        async with UdpPeer.open("::1") as peer:
            host, port = server.address("udp")
            sent = options(peer, (host, port))
            assert (await peer.ask(sent, (host, port))).status == 200

    asyncio.run(run())


@pytest.mark.parametrize("proto", PROTOS)
def test_messages_in_one_segment(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(peer: StreamPeer) -> None:
        sent = [asked(peer, server, proto) for _ in range(5)]
        await peer.send(b"".join(message.encode() for message in sent))
        answers = [await peer.receive() for _ in sent]
        assert {answer["Call-ID"] for answer in answers} == {message["Call-ID"] for message in sent}

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_message_in_single_bytes(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(peer: StreamPeer) -> None:
        message = asked(peer, server, proto)
        for byte in Sip(message.first_line, message.headers, b"a body\r\n\r\nof lines").encode():
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await peer.receive()).status == 200

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_keep_alive_is_answered(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(peer: StreamPeer) -> None:
        for _ in range(3):
            await peer.ping()
        assert (await peer.ask(asked(peer, server, proto))).status == 200
        await peer.ping()

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_missing_content_length_closes(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    """Without it a stream has no frames any more (RFC 3261 section 18.3): 400, then the end."""

    async def test(peer: StreamPeer) -> None:
        raw = asked(peer, server, proto).encode().replace(b"Content-Length: 0\r\n", b"")
        await peer.send(raw)
        assert (await peer.receive()).status == 400
        assert await peer.closed()

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_too_large_message_closes(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(peer: StreamPeer) -> None:
        message = asked(peer, server, proto)
        await peer.send(Sip(message.first_line, (*message.headers, ("Content-Length", "70000000"))).encode())
        assert await peer.closed()

    connected(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_endless_header_closes(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def test(peer: StreamPeer) -> None:
        await peer.send(b"OPTIONS sip:x SIP/2.0\r\nX: ")
        try:
            for _ in range(200):
                await peer.send(b"a" * 10_000)
            closed = await peer.closed()
        except ConnectionError:
            closed = True
        assert closed

    connected(server, proto, client_tls, test)


def test_garbage_instead_of_a_handshake(server: Server, client_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 300, b"\0" * 1000):
            async with StreamPeer.open(server.address("tls")) as peer:
                await peer.send(garbage)
                assert await peer.closed(12), garbage

    asyncio.run(run())

    async def test(peer: StreamPeer) -> None:
        assert (await peer.ask(asked(peer, server, "tls"))).status == 200

    connected(server, "tls", client_tls, test)


def test_connections_per_source(start: Start) -> None:
    server = start("answer.py", "tcp", settings={"limits.connections_per_source": 3})

    async def run() -> None:
        async with (
            StreamPeer.open(server.address("tcp")) as one,
            StreamPeer.open(server.address("tcp")) as two,
            StreamPeer.open(server.address("tcp")) as three,
        ):
            for peer in (one, two, three):
                assert (await peer.ask(options(peer, server.address("tcp"), "TCP"))).status == 200
            async with StreamPeer.open(server.address("tcp")) as four:
                assert await four.closed()
        # Their places are free again.
        async with asyncio.timeout(5):
            while True:
                async with StreamPeer.open(server.address("tcp")) as again:
                    try:
                        await again.ping()
                        return
                    except (EOFError, ConnectionError):
                        await asyncio.sleep(0.01)

    asyncio.run(run())


@pytest.mark.parametrize("proto", PROTOS)
def test_idle_connection_is_closed(start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str) -> None:
    server = start("answer.py", proto, settings={**certs.settings(), "timeouts.idle_ms": 300})

    async def test(peer: StreamPeer) -> None:
        assert (await peer.ask(asked(peer, server, proto))).status == 200
        assert await peer.closed(3)

    connected(server, proto, client_tls, test)


def test_silent_handshake_is_closed(start: Start, certs: Certificates) -> None:
    server = start("answer.py", "tls", settings={**certs.settings(), "timeouts.handshake_ms": 300})

    async def run() -> None:
        async with StreamPeer.open(server.address("tls")) as silent:
            assert await silent.closed(3)

    asyncio.run(run())
