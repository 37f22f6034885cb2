"""Users with passwords: over UDP they register, over TLS and WebSocket (RFC 7118) they register and call each other."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from support.agents import Agent
from support.callers import ack_of, answering, within
from support.messages import Sip, request, unique
from support.peers import StreamPeer
from support.servers import Server
from support.users import PASSWORD, users_database
from support.web import WebSocketPeer

DOMAIN: Final = "phones.test"
MEMBERS: Final = [f"member{number}" for number in range(400)]
# Each is on one kind of transport: who is called on two would answer twice.
ON_UDP: Final = MEMBERS[:20]
ON_TLS: Final = MEMBERS[20:210]
ON_WEB: Final = MEMBERS[210:]
ORIGIN: Final = "https://phones.test"
# Of the server's sockets, which one a phone connects to.
CARRIER: Final = {"tls": "tls", "ws": "tcp", "wss": "tls"}
EXPIRES_S: Final = 60
TIMEOUT_S: Final = 15.0
SDP: Final = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
Proto = Literal["tls", "ws", "wss"]


def settings(directory: Path) -> dict[str, object]:
    """What a server needs to know these users."""
    url = users_database(directory, names=MEMBERS, realm=DOMAIN)
    return {"auth_db.db_url": url, "aliases": DOMAIN, "xhttp.event_callback": "ksr_xhttp_event"}


async def registration(server: Server, agent: Agent, source: random.Random) -> bool:
    """One over UDP; one in ten with a wrong password, which must be refused."""
    user, is_right = source.choice(ON_UDP), source.random() < 0.9
    aor = f"sip:{user}@{DOMAIN}"
    extra = (agent.contact, ("Expires", str(EXPIRES_S)))
    plain = request("REGISTER", f"sip:{DOMAIN}", agent.address, from_uri=aor, to_uri=aor, extra=extra)
    address = server.address("udp")
    refusal = await agent.final_of(plain, address, TIMEOUT_S)
    if refusal.status != 401:
        return False
    sent = answering(plain, refusal, user, PASSWORD if is_right else "wrong")
    return (await agent.final_of(sent, address, TIMEOUT_S)).status == (200 if is_right else 401)


async def call(
    server: Server,
    client: ssl.SSLContext,
    source: random.Random,
    users: Sequence[str],
    callers: Sequence[Proto],
    callees: Sequence[Proto],
) -> bool:
    """Two of the members connect and register, one calls the other, either hangs up; the caller is gone without a word.

    So callers leave bindings to connections that are no more, and therefore are not called themselves. They are so many that none
    has as many contacts as a registrar allows.
    """
    one, other = source.choice(users[::2]), source.choice(users[1::2])
    async with (
        asyncio.timeout(TIMEOUT_S),
        connected(server, client, one, source.choice(callers)) as caller,
        connected(server, client, other, source.choice(callees)) as callee,
    ):
        for phone in (caller, callee):
            if (await phone.register(EXPIRES_S)).status != 200:
                return False
        answering_it = asyncio.create_task(callee.answer())
        try:
            ok = await caller.ask("INVITE", f"sip:{other}@{DOMAIN}", SDP)
            if ok.status != 200:
                return False
            await caller.peer.send(caller.within("ACK", ok))
            invite = await answering_it
        finally:
            answering_it.cancel()
        if source.random() < 0.5:
            ended = await hung_up(caller, callee, ok)
        else:
            ended = await hung_up(callee, caller, invite)
        return ended and (await callee.register(0)).status == 200


async def hung_up(one: Phone, other: Phone, message: Sip) -> bool:
    """One hangs up, by what it has of the dialog, and the other answers; whether it got that."""
    await one.peer.send(one.within("BYE", message))
    await other.peer.send((await other.next("BYE")).reply(200, "OK"))
    return (await one.final("BYE")).status == 200


@asynccontextmanager
async def connected(server: Server, client: ssl.SSLContext, user: str, proto: Proto) -> AsyncIterator[Phone]:
    """A phone on a new connection."""
    address, tls = server.address(CARRIER[proto]), client if proto != "ws" else None
    if proto == "tls":
        async with StreamPeer.open(address, tls) as stream:
            yield Phone(user, proto, stream, stream.address)
    else:
        async with WebSocketPeer.open(address, tls, origin=ORIGIN) as web:
            # Where a browser is it does not know (RFC 7118 section 5).
            yield Phone(user, proto, web, (f"{unique('h')}.invalid", 5060))


@dataclass
class Phone:
    """A member on a connection; `local` is where it says that it is."""

    user: str
    proto: Proto
    peer: StreamPeer | WebSocketPeer
    local: tuple[str, int]

    @property
    def contact(self) -> str:
        transport = "tls" if self.proto == "tls" else "ws"
        return f"sip:{self.user}@{self.local[0]}:{self.local[1]};transport={transport}"

    async def register(self, expires_s: int) -> Sip:
        """Registers, or is gone with 0; the final response."""
        return await self.ask("REGISTER", f"sip:{DOMAIN}", expires_s=expires_s)

    async def ask(self, method: str, uri: str, body: bytes = b"", expires_s: int = EXPIRES_S) -> Sip:
        """The final response to a request with the credentials that the server asks for; without them that is an error."""
        aor = f"sip:{self.user}@{DOMAIN}"
        kind = (("Content-Type", "application/sdp"),) if body else ()
        plain = request(
            method,
            uri,
            self.local,
            proto=self.proto,
            from_uri=aor,
            to_uri=aor if method == "REGISTER" else uri,
            contact=self.contact,
            extra=(("Expires", str(expires_s)), *kind),
            body=body,
        )
        await self.peer.send(plain)
        refusal = await self.final(method)
        assert refusal.status in (401, 407), refusal.first_line
        if method == "INVITE":
            await self.peer.send(ack_of(plain, refusal))
        await self.peer.send(answering(plain, refusal, self.user, PASSWORD))
        return await self.final(method)

    async def answer(self) -> Sip:
        """Takes a call, up to its ACK; the INVITE."""
        invite = await self.next("INVITE")
        contact = (("Contact", f"<{self.contact}>"),)
        await self.peer.send(invite.reply(180, "Ringing", "bob", contact))
        ok = invite.reply(200, "OK", "bob", (*contact, ("Content-Type", "application/sdp")))
        await self.peer.send(Sip(ok.first_line, ok.headers, SDP))
        await self.next("ACK")
        return invite

    def within(self, method: str, message: Sip) -> Sip:
        """A request of the dialog that a 200 or an INVITE of the other side began."""
        return within(method, message, self.peer, proto=self.proto, via=self.local)

    async def next(self, method: str) -> Sip:
        """The next request, which has this method."""
        message = await self.peer.receive(TIMEOUT_S)
        assert (message.status, message.method) == (None, method), message.first_line
        return message

    async def final(self, method: str) -> Sip:
        """The final response to the last request."""
        while True:
            message = await self.peer.receive(TIMEOUT_S)
            if message.method == method and (message.status or 0) >= 200:
                return message
