"""Callers on raw sockets that have passwords: they answer the challenges of a deployment, and go on with their dialogs."""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from support.deployments import DOMAIN
from support.digest import challenge_of, credentials
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer
from support.servers import Server

Peer = UdpPeer | StreamPeer


class HasAddress(Protocol):
    """Whatever is on a socket."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it is."""
        ...


PASSWORDS = {"alice": "secret of alice", "bob": "secret of bob", "carol": "x"}


async def authenticated(
    peer: Peer,
    server: Server,
    method: str,
    uri: str,
    user: str,
    *extra: tuple[str, str],
    password: str = "",
    claimed: str = "",
    local: tuple[str, int] | None = None,
    timeout_s: float = 5.0,
) -> Sip:
    """The final response to a request that answers the challenge; it says to be from `claimed`, or the user itself."""
    sent = await challenged(peer, server, method, uri, user, *extra, password=password, claimed=claimed, local=local)
    await put(peer, sent, server)
    return await final(peer, sent["Call-ID"], timeout_s)


async def calls(peer: Peer, server: Server, uri: str, user: str) -> Sip:
    """Sends an INVITE that answers the challenge; the INVITE."""
    proto = "udp" if isinstance(peer, UdpPeer) else "tls"
    contact = ("Contact", f"<sip:{user}@{peer.address[0]}:{peer.address[1]};transport={proto}>")
    sent = await challenged(peer, server, "INVITE", uri, user, contact)
    await put(peer, sent, server)
    return sent


async def challenged(
    peer: Peer,
    server: Server,
    method: str,
    uri: str,
    user: str,
    *extra: tuple[str, str],
    password: str = "",
    claimed: str = "",
    local: tuple[str, int] | None = None,
) -> Sip:
    """Sends a request, and gives the one that answers the challenge."""
    aor = f"sip:{claimed or user}@{DOMAIN}"
    to = aor if method == "REGISTER" else None
    proto = "UDP" if isinstance(peer, UdpPeer) else "TLS"
    via = local or peer.address
    plain = request(method, uri, via, proto=proto, from_uri=aor, to_uri=to, extra=(("Expires", "600"), *extra))
    plain = Sip(plain.first_line, tuple((n, v + ";rport" if n == "Via" else v) for n, v in plain.headers))
    await put(peer, plain, server)
    refusal = await final(peer, plain["Call-ID"])
    assert refusal.status == (401 if method == "REGISTER" else 407), refusal.first_line
    if method == "INVITE":
        await put(peer, ack_of(plain, refusal), server)
    return answering(plain, refusal, user, password or PASSWORDS[user])


def answering(plain: Sip, refusal: Sip, user: str, password: str) -> Sip:
    """The request again, with the credentials that a refusal asks for."""
    digest = credentials(challenge_of(refusal), plain.method, plain.uri, user, password)
    name = "Authorization" if refusal.status == 401 else "Proxy-Authorization"
    again = {"Via": re.sub(r"(branch=[^;]+)", r"\1-2", plain["Via"]), "CSeq": f"2 {plain.method}"}
    headers = [(key, again.get(key, value)) for key, value in plain.headers]
    return Sip(plain.first_line, (*headers, (name, digest)), plain.body)


def ack_of(invite: Sip, refusal: Sip) -> Sip:
    """The ACK of a failure (RFC 3261 section 17.1.1.3)."""
    headers = [(name, invite[name]) for name in ("Via", "Max-Forwards", "From", "Call-ID")]
    cseq = invite["CSeq"].replace("INVITE", "ACK")
    return Sip(f"ACK {invite.uri} SIP/2.0", (*headers, ("To", refusal["To"]), ("CSeq", cseq)))


def within(method: str, message: Sip, peer: HasAddress, *, proto: str = "", via: tuple[str, int] | None = None) -> Sip:
    """A request of the dialog that the 200 (for a caller) or the INVITE (for a callee who is called bob) began.

    `proto` and `via` are what its Via says, for who is not on UDP or TLS, or not where the socket is.
    """
    is_caller = message.status is not None
    ours, theirs = ("From", "To") if is_caller else ("To", "From")
    tag = "" if is_caller else ";tag=bob"
    routes = [route.strip() for header in message.all("Record-Route") for route in header.split(",")]
    number = {"ACK": int(message["CSeq"].split()[0]), "BYE": 3}[method]
    proto = proto or ("UDP" if isinstance(peer, UdpPeer) else "TLS")
    uri = message["Contact"].partition("<")[2].partition(">")[0]
    made = request(method, uri, via or peer.address, proto=proto, call_id=message["Call-ID"], cseq=number)
    kept = [(name, value) for name, value in made.headers if name not in ("From", "To")]
    route = [("Route", one) for one in (reversed(routes) if is_caller else routes)]
    return Sip(made.first_line, (*kept, *route, ("From", message[ours] + tag), ("To", message[theirs])))


async def put(peer: Peer, message: Sip, server: Server) -> None:
    if isinstance(peer, UdpPeer):
        peer.send(message, server.address("udp"))
    else:
        await peer.send(message)


async def final(peer: Peer, call_id: str, timeout_s: float = 5.0) -> Sip:
    """The final response of a call; other messages are dropped."""
    if isinstance(peer, UdpPeer):
        return await peer.final(call_id, timeout_s)
    while True:
        message = await peer.receive(timeout_s)
        if message.get("Call-ID") == call_id and (message.status or 0) >= 200:
            return message


async def first(peer: UdpPeer, method: str, call_id: str, timeout_s: float = 5.0) -> Sip:
    """The next request of that call and method; copies of others are dropped."""
    async with asyncio.timeout(timeout_s):
        while True:
            message, _ = await peer.receive(timeout_s)
            if message.status is None and message.method == method and message["Call-ID"] == call_id:
                return message
