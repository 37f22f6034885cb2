"""Flows of clients (RFC 5626): an edge proxy sends what comes back over the connection that the client opened."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from conftest import Start
from support.certificates import Certificates
from support.messages import Sip, bracketed, request
from support.peers import StreamPeer, UdpPeer
from support.process import wait_until
from support.servers import Server

PROTOS = ["udp", "tcp", "tls"]
# Where nobody listens: the client says that it can be reached there, as behind NAT.
UNREACHABLE = "192.0.2.99:9"
INSTANCE = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1'
SECRET = {"outbound.enabled": "true", "outbound.flow_token_secret": "a secret for tests"}


@dataclass
class Client:
    """A phone with one flow to the server."""

    peer: UdpPeer | StreamPeer
    proto: str
    server: tuple[str, int]

    async def send(self, message: Sip) -> None:
        if isinstance(self.peer, StreamPeer):
            await self.peer.send(message)
        else:
            self.peer.send(message, self.server)

    async def receive(self) -> Sip:
        """The next message that is no 100."""
        while True:
            got = await self.peer.receive()
            message = got if isinstance(got, Sip) else got[0]
            if message.status != 100:
                return message

    def request(self, method: str, uri: str, *extra: tuple[str, str], contact: str = "") -> Sip:
        return request(
            method, uri, self.peer.address, proto=self.proto.upper(), extra=extra, contact=contact or self.contact
        )

    @property
    def contact(self) -> str:
        return f"sip:alice@{UNREACHABLE};transport={self.proto};ob"


@asynccontextmanager
async def client(server: Server, proto: str, tls: ssl.SSLContext) -> AsyncIterator[Client]:
    address = server.address(proto)
    if proto == "udp":
        async with UdpPeer.open() as peer:
            yield Client(peer, proto, address)
    else:
        async with StreamPeer.open(address, tls if proto == "tls" else None) as stream:
            yield Client(stream, proto, address)


@dataclass
class Stage:
    server: Server
    phone: Client
    other: UdpPeer

    async def other_gets(self) -> Sip:
        while True:
            message, _ = await self.other.receive()
            if message.status != 100:
                return message

    def answer(self, to: Sip, code: int = 200) -> None:
        reply = to.reply(code, "OK", "bob", (("Contact", f"<sip:bob@{at(self.other)}>"),))
        self.other.send(reply, self.server.address("udp"))

    async def registered(self, contact: str = "") -> Sip:
        """What the registrar gets of a REGISTER of the phone."""
        wanted = self.phone.request(
            "REGISTER", "sip:oracle.test", ("X-To", f"sip:{at(self.other)}"), contact=contact or self.phone.contact
        )
        headers = tuple((n, v + INSTANCE if n == "Contact" and not contact else v) for n, v in wanted.headers)
        await self.phone.send(Sip(wanted.first_line, headers))
        got = await self.other_gets()
        self.answer(got)
        assert (await self.phone.receive()).status == 200
        return got

    async def call(self) -> tuple[Sip, Sip]:
        """A call of the phone: the INVITE as the callee got it, and the 200 as the phone did."""
        await self.phone.send(self.phone.request("INVITE", "sip:bob@oracle.test", ("X-To", f"sip:{at(self.other)}")))
        invite = await self.other_gets()
        self.answer(invite)
        return invite, await self.phone.receive()

    def within(self, method: str, invite: Sip, *extra: tuple[str, str], routes: list[str] | None = None) -> Sip:
        """A request of the callee in the dialog of that INVITE."""
        target = invite["Contact"].partition("<")[2].partition(">")[0] or invite["Contact"]
        sent = request(method, target, self.other.address, call_id=invite["Call-ID"], cseq=77)
        kept = tuple(h for h in sent.headers if h[0] not in ("From", "To"))
        ours = ("From", f"{invite['To']};tag=bob"), ("To", invite["From"])
        route = tuple(("Route", one) for one in (invite.all("Record-Route") if routes is None else routes))
        message = Sip(sent.first_line, (*kept, *ours, *route, *extra))
        self.other.send(message, self.server.address("udp"))
        return message


def at(peer: UdpPeer) -> str:
    return f"{bracketed(peer.address[0])}:{peer.address[1]}"


def play(
    start: Start,
    certs: Certificates,
    tls: ssl.SSLContext,
    proto: str,
    story: Callable[[Stage], Awaitable[None]],
    **settings: object,
) -> Server:
    server = start("edge.py", "udp", "tcp", "tls", settings={**certs.settings(), **SECRET, **settings})

    async def run() -> None:
        async with client(server, proto, tls) as phone, UdpPeer.open() as other:
            await story(Stage(server, phone, other))

    asyncio.run(run())
    return server


@pytest.mark.parametrize("proto", PROTOS)
def test_a_call_comes_back_over_the_flow(
    start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str
) -> None:
    """The contact leads nowhere; in-dialog requests arrive over the connection of the INVITE."""

    async def story(stage: Stage) -> None:
        invite, _ = await stage.call()
        assert all("@" in route for route in invite.all("Record-Route"))
        stage.within("INFO", invite)
        info = await stage.phone.receive()
        assert (info.method, info.uri) == ("INFO", stage.phone.contact)
        await stage.phone.send(info.reply(200, "OK"))
        assert (await stage.other_gets()).status == 200

    server = play(start, certs, client_tls, proto, story)
    wait_until(lambda: "loose_route INFO 2 sip:127.0.0.1:" in server.log(), 5, "the log of the route")
    assert server.route_calls("INFO") == 1


@pytest.mark.parametrize("proto", PROTOS)
def test_a_call_to_a_registered_client(
    start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str
) -> None:
    """The registrar sends the Path back as Route; the dialog stays on the flow."""

    async def story(stage: Stage) -> None:
        path = (await stage.registered())["Path"]
        assert ";lr;ob>" in path
        wanted = request("INVITE", stage.phone.contact, stage.other.address, extra=(("Route", path),))
        stage.other.send(wanted, stage.server.address("udp"))
        invite = await stage.phone.receive()
        token = path.partition("sip:")[2].partition("@")[0]
        recorded = invite.all("Record-Route")
        assert recorded
        assert all(f"sip:{token}@" in route for route in recorded)
        await stage.phone.send(invite.reply(200, "OK", "alice", (("Contact", f"<{stage.phone.contact}>"),)))
        ok = await stage.other_gets()
        ack = request("ACK", stage.phone.contact, stage.other.address, call_id=ok["Call-ID"])
        kept = tuple(h for h in ack.headers if h[0] not in ("From", "To"))
        routes = tuple(("Route", route) for route in reversed(ok.all("Record-Route")))
        stage.other.send(
            Sip(ack.first_line, (*kept, ("From", ok["From"]), ("To", ok["To"]), *routes)),
            stage.server.address("udp"),
        )
        assert (await stage.phone.receive()).method == "ACK"

    play(start, certs, client_tls, proto, story)


def test_a_client_that_wants_no_flow(start: Start, certs: Certificates, client_tls: ssl.SSLContext) -> None:
    async def story(stage: Stage) -> None:
        assert "@" not in (await stage.registered("sip:alice@192.0.2.1"))["Path"]

    play(start, certs, client_tls, "udp", story)


@pytest.mark.parametrize("proto", ["udp", "tls"])
def test_a_token_that_was_changed(start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str) -> None:
    """Whichever character it is: 403, and the client hears nothing."""

    async def story(stage: Stage) -> None:
        invite, _ = await stage.call()
        route = invite.all("Record-Route")[0]
        begin, end = route.index("sip:") + 4, route.index("@")
        for place in (begin, (begin + end) // 2, end - 2):
            other = "A" if route[place] != "A" else "B"
            stage.within("INFO", invite, routes=[route[:place] + other + route[place + 1 :]])
            assert (await stage.other_gets()).status == 403
        stage.within("INFO", invite)
        assert (await stage.phone.receive()).method == "INFO"

    play(start, certs, client_tls, proto, story)


def test_tokens_of_another_key(start: Start, certs: Certificates, client_tls: ssl.SSLContext) -> None:
    routes: list[str] = []

    async def first(stage: Stage) -> None:
        routes.extend((await stage.call())[0].all("Record-Route"))

    async def second(stage: Stage) -> None:
        invite, _ = await stage.call()
        host = stage.server.address("udp")
        token = routes[0].partition("sip:")[2].partition("@")[0]
        stage.within("INFO", invite, routes=[f"<sip:{token}@{host[0]}:{host[1]};lr>"])
        assert (await stage.other_gets()).status == 403

    play(start, certs, client_tls, "udp", first, **{"outbound.flow_token_secret": ""})
    play(start, certs, client_tls, "udp", second, **{"outbound.flow_token_secret": ""})


@pytest.mark.parametrize("proto", ["tcp", "tls"])
@pytest.mark.parametrize("in_failure_route", [False, True])
def test_a_flow_that_is_gone(
    start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str, in_failure_route: bool
) -> None:
    """430 (section 5.3.1), even though the client has another connection by then."""

    async def story(stage: Stage) -> None:
        invite, _ = await stage.call()
        peer = stage.phone.peer
        assert isinstance(peer, StreamPeer)
        peer.writer.transport.abort()
        async with client(stage.server, proto, client_tls) as again:
            await again.send(again.request("OPTIONS", "sip:x@oracle.test", ("X-To", f"sip:{at(stage.other)}")))
            stage.answer(await stage.other_gets())
            assert (await again.receive()).status == 200
            stage.within("INFO", invite, *([("X-Fail", "yes")] if in_failure_route else []))
            assert (await stage.other_gets()).first_line == "SIP/2.0 430 Flow Failed"

    server = play(start, certs, client_tls, proto, story)
    if in_failure_route:
        wait_until(lambda: "failed 430 1 -1" in server.log(), 5, "the failure route")
