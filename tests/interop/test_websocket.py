"""A pjsua2 phone on UDP and a WebSocket client call each other through the server, over plain TCP and over TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from conftest import Start
from support.certificates import Certificates
from support.messages import Sip, request, unique
from support.phones import Phone
from support.servers import Server
from support.web import WebSocketPeer

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
MEDIA = ("Content-Type", "application/sdp")


class Browser:
    """A user agent as browsers have them: its host is a name that nobody can resolve."""

    def __init__(self, peer: WebSocketPeer, server: Server, proto: str) -> None:
        self.peer, self.proto = peer, proto
        self.domain = f"127.0.0.1:{server.port('udp')}"
        self.host = f"{unique('h')}.invalid"
        self.contact = f"sip:browser@{self.host};transport=ws"

    @property
    def aor(self) -> str:
        return f"sip:browser@{self.domain}"

    def request(self, method: str, uri: str, **values: object) -> Sip:
        return request(
            method,
            uri,
            (self.host, 5060),
            proto=self.proto,
            from_uri=self.aor,
            contact=self.contact,
            **values,  # type: ignore[arg-type]
        )

    async def register(self) -> None:
        answer = await self.peer.ask(self.request("REGISTER", f"sip:{self.domain}", to_uri=self.aor))
        assert answer.status == 200

    def within(self, method: str, ok: Sip, cseq: int) -> Sip:
        """A request of the caller within the dialog."""
        target = ok["Contact"].partition("<")[2].partition(">")[0]
        sent = self.request(method, target, call_id=ok["Call-ID"], cseq=cseq)
        kept = tuple(header for header in sent.headers if header[0] not in ("From", "To"))
        routes = tuple(("Route", route) for route in reversed(ok.all("Record-Route")))
        return Sip(sent.first_line, (*kept, ("From", ok["From"]), ("To", ok["To"]), *routes))


def browser_on(server: Server, proto: str, client_tls: ssl.SSLContext) -> tuple[tuple[str, int], ssl.SSLContext | None]:
    return server.address("tcp" if proto == "ws" else "tls"), client_tls if proto == "wss" else None


def started(start: Start, certs: Certificates, mode: int) -> Server:
    settings = {**certs.settings(), "tls.threads_mode": mode, "xhttp.event_callback": "on_http"}
    return start("web.py", "udp", "tcp", "tls", settings=settings)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("proto", "mode"), [("ws", 2), ("wss", 0), ("wss", 1), ("wss", 2)])
def test_a_browser_calls_a_phone(
    start: Start, tmp_path: Path, certs: Certificates, client_tls: ssl.SSLContext, proto: str, mode: int
) -> None:
    server = started(start, certs, mode)

    async def run(phone: Phone) -> None:
        async with WebSocketPeer.open(*browser_on(server, proto, client_tls)) as peer:
            browser = Browser(peer, server, proto)
            await browser.register()
            invite = browser.request("INVITE", f"sip:bob@{browser.domain}", extra=(MEDIA,), body=SDP)
            ok = await peer.ask(invite, 15)
            assert ok.status == 200
            await peer.send(browser.within("ACK", ok, 1))
            await asyncio.to_thread(phone.event, "incoming")
            assert await asyncio.to_thread(phone.event, "confirmed") == invite["Call-ID"]
            bye = browser.within("BYE", ok, 2)
            assert (await peer.ask(bye, 15)).status == 200
            assert (await asyncio.to_thread(phone.event, "ended")).split()[1] == invite["Call-ID"]
            assert server.route_calls("INVITE", invite["Call-ID"]) == 1
            assert server.route_calls("BYE", invite["Call-ID"]) == 1

    with Phone("udp", "bob", server.address("udp"), tmp_path) as phone:
        assert phone.event("registered") == "200"
        asyncio.run(run(phone))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("proto", "mode"), [("ws", 2), ("wss", 0), ("wss", 1), ("wss", 2)])
def test_a_phone_calls_a_browser(
    start: Start, tmp_path: Path, certs: Certificates, client_tls: ssl.SSLContext, proto: str, mode: int
) -> None:
    server = started(start, certs, mode)

    async def run(phone: Phone) -> None:
        async with WebSocketPeer.open(*browser_on(server, proto, client_tls)) as peer:
            browser = Browser(peer, server, proto)
            await browser.register()
            phone.tell(f"call {browser.aor}")
            invite = await peer.expect("INVITE", 15)
            extra = (("Contact", f"<{browser.contact}>"), MEDIA)
            answer = invite.reply(200, "OK", "browser", extra)
            await peer.send(Sip(answer.first_line, answer.headers, SDP))
            await peer.expect("ACK", 15)
            call_id = await asyncio.to_thread(phone.event, "confirmed")
            phone.tell("hangup")
            bye = await peer.expect("BYE", 15)
            await peer.send(bye.reply(200, "OK"))
            assert (await asyncio.to_thread(phone.event, "ended")).split()[1] == call_id
            for method in ("INVITE", "ACK", "BYE"):
                assert server.route_calls(method, call_id) >= 1

    with Phone("udp", "bob", server.address("udp"), tmp_path) as phone:
        assert phone.event("registered") == "200"
        asyncio.run(run(phone))
