"""WebSocket on SIP's TCP and TLS sockets (RFC 6455, RFC 7118, Kamailio's module websocket)."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import SCRIPTS, Start
from sipwright.control.client import ControlError, call
from support.certificates import Certificates
from support.messages import Sip, request, unique
from support.peers import StreamPeer, UdpPeer, eventually, options
from support.process import wait_until
from support.servers import Listen, Server, Sipwright
from support.web import Http, WebSocketPeer

PROTOS = ["ws", "wss"]
CARRIER = {"ws": "tcp", "wss": "tls"}
HANDSHAKE = {
    "Host": "h",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "sip",
    "Sec-WebSocket-Version": "13",
}


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda mode: f"mode{mode}")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certs: Certificates
) -> Iterator[Server]:
    settings = {
        **certs.settings(),
        "tls.threads_mode": request.param,
        "xhttp.event_callback": "on_http",
        "websocket.event_callback": "on_closed",
        "websocket.cors_mode": 2,
        "limits.max_message_bytes": 4096,
        "server_header": "tested",
    }
    listen = [Listen("tcp"), Listen("tls"), Listen("udp")]
    with Sipwright(SCRIPTS / "web.py", tmp_path_factory.mktemp("server"), listen, settings=settings) as started:
        yield started


@asynccontextmanager
async def opened(server: Server, proto: str, tls: ssl.SSLContext) -> AsyncIterator[WebSocketPeer]:
    async with WebSocketPeer.open(server.address(CARRIER[proto]), tls if proto == "wss" else None) as peer:
        yield peer


def notes(server: Server) -> list[str]:
    path = server.directory / "notes"
    return path.read_text().splitlines() if path.exists() else []


def asked(server: Server, peer: WebSocketPeer, proto: str, user: str = "") -> Sip:
    host, port = server.address(CARRIER[proto])
    to = f"sip:{user}{'@' if user else ''}{host}:{port}"
    return request("OPTIONS", to, ("df7jal23ls0d.invalid", 5060), proto=proto)


@pytest.mark.parametrize("proto", PROTOS)
def test_a_request_is_answered(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def run() -> None:
        async with opened(server, proto, client_tls) as peer:
            assert peer.connection.subprotocol == "sip"
            for _ in range(3):
                got = await peer.ask(asked(server, peer, proto))
                words = got["X-Seen"].split()
                assert got.status == 200
                assert words[:5] == [str(proto == "ws"), str(proto == "wss"), "True", "True", "True"]
                assert words[5:7] == [proto, proto]
                assert int(words[7]) > 0
                assert int(words[8]) == server.port(CARRIER[proto])

    asyncio.run(run())


@pytest.mark.parametrize("proto", PROTOS)
def test_frames_in_any_form(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    """Text and binary, whole and in fragments, with pings in between; the answer is text or, not being UTF-8, binary."""

    async def run() -> None:
        async with opened(server, proto, client_tls) as peer:
            for text in (True, False):
                sent = asked(server, peer, proto)
                data = sent.encode()
                await peer.send(sent, text=text)
                assert (await peer.final(sent)).status == 200
                sent = asked(server, peer, proto)
                data = sent.encode()
                await peer.connection.send([data[:10], data[10:50], data[50:]], text=text)
                assert (await peer.final(sent)).status == 200
            pong = await peer.connection.ping(b"x" * 125)
            await asyncio.wait_for(pong, 5)
            sent = asked(server, peer, proto)
            odd = Sip(sent.first_line, tuple((n, v + ";x=\udcff" if n == "From" else v) for n, v in sent.headers))
            await peer.send(odd, text=False)
            async with asyncio.timeout(5):
                assert isinstance(await peer.connection.recv(), bytes)

    asyncio.run(run())


@pytest.mark.parametrize("proto", PROTOS)
def test_crlf_keepalive(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def run() -> None:
        async with opened(server, proto, client_tls) as peer:
            await peer.send(b"\r\n\r\n")
            async with asyncio.timeout(5):
                assert await peer.connection.recv() == "\r\n"

    asyncio.run(run())


def frame(first: int, data: bytes) -> bytes:
    """A frame with a mask of zeros."""
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
    return bytes([first]) + length + bytes(4) + data


async def shaken(http: Http, **changes: str | None) -> None:
    """Ask for WebSocket by hand, with header fields changed or left out."""
    headers = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    http.send(f"GET /sip HTTP/1.1\r\n{''.join(lines)}\r\n".encode())


def by_hand(
    server: Server, proto: str, tls: ssl.SSLContext, test: Callable[[Http], Awaitable[None]], **changes: str | None
) -> None:
    async def run() -> None:
        async with Http.open(server.address(CARRIER[proto]), tls if proto == "wss" else None) as http:
            await shaken(http, **changes)
            await test(http)

    asyncio.run(run())


def test_the_101(server: Server, client_tls: ssl.SSLContext) -> None:
    async def test(http: Http) -> None:
        got = await http.receive()
        assert (got.status, got.reason) == (101, "Switching Protocols")
        assert got.headers == {
            "Sec-WebSocket-Protocol": "sip",
            "Upgrade": "websocket",
            "Connection": "upgrade",
            "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Access-Control-Allow-Origin": "https://o.test",
            "Server": "tested",
        }

    by_hand(server, "ws", client_tls, test, Origin="https://o.test")


@pytest.mark.parametrize(
    ("changes", "status", "headers"),
    [
        ({"Sec_WebSocket_Version": "8"}, 426, {"Sec-WebSocket-Version": "13"}),
        ({"Sec_WebSocket_Protocol": "msrp"}, 400, {"Sec-WebSocket-Protocol": "sip", "Sec-WebSocket-Version": "13"}),
        ({"Sec_WebSocket_Key": None}, 400, {"Sec-WebSocket-Protocol": "sip", "Sec-WebSocket-Version": "13"}),
        ({"Connection": "close"}, 400, {"Sec-WebSocket-Protocol": "sip", "Sec-WebSocket-Version": "13"}),
    ],
)
def test_refused_handshakes(
    server: Server, client_tls: ssl.SSLContext, changes: dict[str, str | None], status: int, headers: dict[str, str]
) -> None:
    async def test(http: Http) -> None:
        before = notes(server).count("handshake 0")
        got = await http.receive()
        assert (got.status, await http.rest()) == (status, b"")
        assert headers.items() <= got.headers.items()
        wait_until(lambda: notes(server).count("handshake 0") >= before, 5, "the note of the script")

    by_hand(server, "ws", client_tls, test, **changes)


@pytest.mark.parametrize("proto", PROTOS)
def test_frames_right_behind_the_handshake(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    """A client need not wait for the 101."""

    async def test(http: Http) -> None:
        http.send(frame(0x89, b"early"))
        assert (await http.receive()).status == 101
        async with asyncio.timeout(5):
            assert await http.reader.readexactly(7) == b"\x8a\x05early"

    by_hand(server, proto, client_tls, test)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01a", 1002),
        (frame(0xC1, b"a"), 1002),
        (frame(0x83, b""), 1002),
        (frame(0x80, b"a"), 1002),
        (frame(0x09, b""), 1002),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x82, b"x" * 4097), 1009),
        (frame(0x88, b"\x03\xe8"), 1000),
        (frame(0x88, b""), 1000),
        (frame(0x88, struct.pack("!H", 4321)), 4321),
    ],
)
@pytest.mark.parametrize("proto", PROTOS)
def test_what_ends_a_connection(server: Server, client_tls: ssl.SSLContext, proto: str, data: bytes, code: int) -> None:
    async def test(http: Http) -> None:
        assert (await http.receive()).status == 101
        http.send(data)
        end = await http.rest()
        assert (end[:1], *struct.unpack("!H", end[2:4])) == (b"\x88", code), end

    by_hand(server, proto, client_tls, test)


@pytest.mark.parametrize("proto", PROTOS)
def test_the_script_closes(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def run() -> None:
        for user, code in (("close", 4000), ("conid", 1000)):
            async with opened(server, proto, client_tls) as peer:
                host, port = peer.address
                got = await peer.ask(asked(server, peer, proto, user))
                conid = got["X-Seen"].split()[7]
                with pytest.raises(ConnectionClosed) as closed:
                    await peer.receive()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == code
            event = f"websocket:closed {host} {port} {proto} {conid}"
            await eventually(lambda event=event: event in notes(server))  # type: ignore[misc]
        assert "close 1" in notes(server)
        assert {"conid 1", "conid -1 -1"} <= set(notes(server))

    asyncio.run(run())


@pytest.mark.parametrize("proto", PROTOS)
def test_a_client_that_goes_away(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    async def run() -> None:
        async with opened(server, proto, client_tls) as peer:
            got = await peer.ask(asked(server, peer, proto))
            event = f"websocket:closed 127.0.0.1 {peer.address[1]} {proto} {got['X-Seen'].split()[7]}"
            peer.connection.transport.abort()
            await eventually(lambda: event in notes(server))

    asyncio.run(run())


@pytest.mark.parametrize("proto", PROTOS)
def test_a_registered_client_is_called(server: Server, client_tls: ssl.SSLContext, proto: str) -> None:
    """Its contact is a name that nobody can resolve: the connection is found by the source of the registration, the
    dialog by the alias of the contact.
    """

    async def run() -> None:
        udp, aor_host = server.address("udp"), f"127.0.0.1:{server.port('udp')}"
        user = unique("web")
        aor = f"sip:{user}@{aor_host}"
        contact = f"sip:{user}@x7y8z9.invalid;transport=ws"
        async with opened(server, proto, client_tls) as web, UdpPeer.open() as phone:
            local = ("x7y8z9.invalid", 5060)
            sent = request("REGISTER", f"sip:{aor_host}", local, proto=proto, from_uri=aor, to_uri=aor, contact=contact)
            assert (await web.ask(sent)).status == 200
            phone_uri = f"sip:phone@{phone.address[0]}:{phone.address[1]}"
            invite = request("INVITE", aor, phone.address, contact=phone_uri)
            phone.send(invite, udp)
            got = await web.expect("INVITE")
            assert got.uri == contact
            via = got.all("Via")[0]
            assert via.startswith(f"SIP/2.0/{proto.upper()} 127.0.0.1:{server.port(CARRIER[proto])};branch=z9hG4bK")
            routes = got.all("Record-Route")
            assert len(routes) == 2
            assert f"transport={proto}" in routes[0]
            await web.send(got.reply(200, "OK", "web", (("Contact", f"<{contact}>"),)))
            ok = await phone.final(invite["Call-ID"])
            alias = f";alias=127.0.0.1~{web.address[1]}~{5 if proto == 'ws' else 6}"
            assert alias in ok["Contact"]
            target = ok["Contact"].strip("<>")
            for method, cseq in (("ACK", 1), ("BYE", 2)):
                within = request(method, target, phone.address, call_id=invite["Call-ID"], cseq=cseq)
                kept = tuple(header for header in within.headers if header[0] not in ("From", "To"))
                dialog = (("From", ok["From"]), ("To", ok["To"]))
                route = tuple(("Route", value) for value in reversed(ok.all("Record-Route")))
                phone.send(Sip(within.first_line, (*kept, *dialog, *route)), udp)
                arrived = await web.expect(method)
                assert arrived.uri == contact
            await web.send(arrived.reply(200, "OK"))
            assert (await phone.final(invite["Call-ID"])).status == 200
            assert f"onsend {proto} {proto == 'ws'} {proto == 'wss'}" in notes(server)

    asyncio.run(run())


def test_a_connection_that_is_gone_is_not_opened(server: Server, client_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with UdpPeer.open() as phone:
            sent = request("MESSAGE", "sip:x@127.0.0.1:9;transport=ws", phone.address)
            got = await phone.ask(sent, server.address("udp"))
            assert got.status in (477, 500, 503)

    asyncio.run(run())


def test_sip_and_http_before_an_upgrade(server: Server, client_tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with Http.open(server.address("tcp")) as http:
            peer = StreamPeer(http.reader, http.writer)
            assert (await peer.ask(options(peer, server.address("tcp"), "TCP"))).status == 200
            assert (await http.ask("GET /1 HTTP/1.1")).status == 200
            await shaken(http)
            assert (await http.receive()).status == 101
            http.send(frame(0x89, b""))
            assert await http.reader.readexactly(2) == b"\x8a\x00"

    asyncio.run(run())


# Servers with settings of their own.


@pytest.mark.parametrize("proto", PROTOS)
def test_without_a_script(start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str) -> None:
    """A listener for WebSocket upgrades by itself, and takes neither SIP nor other HTTP."""
    server = start("answer.py", proto, settings=certs.settings() if proto == "wss" else {})
    tls = client_tls if proto == "wss" else None

    async def run() -> None:
        async with WebSocketPeer.open(server.address(proto), tls, path="/any") as peer:
            sent = request("OPTIONS", f"sip:127.0.0.1:{server.port(proto)}", ("a.invalid", 5060), proto=proto)
            got = await peer.ask(sent)
            assert got.status == 200
            assert server.route_calls("OPTIONS", sent["Call-ID"]) == 1
        async with Http.open(server.address(proto), tls) as http:
            assert (await http.ask("GET / HTTP/1.1")).status == 404
        async with Http.open(server.address(proto), tls) as http:
            stream = StreamPeer(http.reader, http.writer)
            await stream.send(options(stream, server.address(proto), "TCP"))
            assert await http.rest() == b""

    asyncio.run(run())


def test_origins(start: Start) -> None:
    server = start("answer.py", "ws", settings={"websocket.origins": "https://a.test,https://b.test"})

    async def run() -> None:
        for origin in ("https://a.test", "https://B.test"):
            async with WebSocketPeer.open(server.address("ws"), origin=origin) as peer:
                assert peer.connection.subprotocol == "sip"
        for other in ("https://evil.test", None):
            with pytest.raises(InvalidStatus) as refused:
                async with WebSocketPeer.open(server.address("ws"), origin=other):
                    pass
            assert refused.value.response.status_code == 403

    asyncio.run(run())


def test_control_methods(start: Start) -> None:
    server = start("answer.py", "ws", "tcp")
    data_dir = server.directory / "data"

    async def run() -> None:
        async with WebSocketPeer.open(server.address("ws")) as peer, Http.open(server.address("tcp")):
            await eventually(lambda: bool(call(data_dir, "ws.dump")))
            [row] = call(data_dir, "ws.dump")
            assert (row["proto"], row["remote"]) == ("ws", f"127.0.0.1:{peer.address[1]}")
            with pytest.raises(ControlError, match="there is no WebSocket connection"):
                call(data_dir, "ws.close", [row["id"] + 1])
            assert call(data_dir, "ws.close", [row["id"]]) == "closed"
            with pytest.raises(ConnectionClosed) as closed:
                await peer.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001

    asyncio.run(run())


def test_it_can_be_off(start: Start) -> None:
    server = start("answer.py", "tcp", settings={"websocket.enabled": False})

    async def run() -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with WebSocketPeer.open(server.address("tcp")):
                pass
        assert refused.value.response.status_code == 404

    asyncio.run(run())


@pytest.mark.parametrize(("mechanism", "opcode"), [(1, 0x89), (2, 0x8A)])
def test_silence_is_kept_alive(start: Start, mechanism: int, opcode: int) -> None:
    settings = {
        "websocket.keepalive_mechanism": mechanism,
        "websocket.keepalive_timeout_s": 1,
        "websocket.ping_application_data": "anyone?",
        "timeouts.idle_ms": 300,
    }
    server = start("answer.py", "ws", settings=settings)

    async def run() -> None:
        async with Http.open(server.address("ws")) as http:
            await shaken(http)
            assert (await http.receive()).status == 101
            async with asyncio.timeout(5):
                assert await http.reader.readexactly(9) == bytes([opcode, 7]) + b"anyone?"
            if mechanism == 1:
                # Nobody answers it.
                end = await http.rest()
                assert end[:2] == b"\x88\x02"
            else:
                async with asyncio.timeout(5):
                    assert await http.reader.readexactly(9) == bytes([opcode, 7]) + b"anyone?"

    asyncio.run(run())


def test_silence_without_keep_alive(start: Start) -> None:
    server = start("answer.py", "ws", settings={"websocket.keepalive_mechanism": 0, "timeouts.idle_ms": 300})

    async def run() -> None:
        async with WebSocketPeer.open(server.address("ws")) as peer:
            with pytest.raises(ConnectionClosed) as closed:
                await peer.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001

    asyncio.run(run())


def test_an_unfinished_message_is_given_up(start: Start) -> None:
    server = start("answer.py", "ws", settings={"timeouts.message_ms": 300})

    async def run() -> None:
        async with Http.open(server.address("ws")) as http:
            await shaken(http)
            assert (await http.receive()).status == 101
            http.send(frame(0x01, b"OPTIONS"))
            assert (await http.rest())[:1] == b"\x88"

    asyncio.run(run())


def test_a_stop_says_goodbye(start: Start) -> None:
    server = start("answer.py", "ws")

    async def run() -> None:
        async with WebSocketPeer.open(server.address("ws")) as peer:
            stopping = asyncio.create_task(asyncio.to_thread(server.assert_clean_stop))
            with pytest.raises(ConnectionClosed) as closed:
                await peer.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            await stopping

    asyncio.run(run())
