"""Sockets bound to the wildcard address, and the choice among several, on a machine with several addresses.

Not collected by itself: `tests/protocol/test_sockets.py` runs it in a network namespace, where 10.1.0.1, 10.2.0.1 and
fd01::1 are this machine's, 10.9.1.0/24 is reached from 10.1.0.1 and 10.9.2.0/24 from 10.2.0.1.
"""

from __future__ import annotations

import asyncio

import pytest

from conftest import Start
from support.messages import bracketed, request
from support.peers import StreamListener, StreamPeer, UdpPeer, options

ONE, TWO, SIX = "10.1.0.1", "10.2.0.1", "fd01::1"
NEAR_ONE, NEAR_TWO = "10.9.1.5", "10.9.2.5"


def do(*steps: str) -> tuple[tuple[str, str], ...]:
    return tuple(("X-Do", step) for step in steps)


def to(host: str, port: int, transport: str = "") -> str:
    shown = bracketed(host)
    return f'KSR.pv.sets("$du", "sip:{shown}:{port}{transport}")'


@pytest.mark.parametrize(("wild", "ours", "client"), [("0.0.0.0", TWO, NEAR_ONE), ("::", SIX, "fd01::1")])
def test_replies_leave_from_the_address_that_was_asked(start: Start, wild: str, ours: str, client: str) -> None:
    """Also where the routing table would send from another one: the client expects no other."""
    server = start("answer.py", f"udp:{wild}")

    async def run() -> None:
        async with UdpPeer.open(client) as peer:
            address = (ours, server.port("udp"))
            peer.send(options(peer, address), address)
            answer, source = await peer.receive()
            assert (answer.status, source[:2]) == (200, address)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wild", "ours", "caller", "callee", "leaves"),
    [
        ("0.0.0.0", ONE, NEAR_ONE, NEAR_ONE, ONE),
        ("0.0.0.0", ONE, NEAR_ONE, NEAR_TWO, ONE),
        ("0.0.0.0", TWO, NEAR_TWO, NEAR_TWO, TWO),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1", NEAR_TWO, TWO),
        ("::", SIX, "fd01::1", "fd01::1", SIX),
    ],
)
def test_via_shows_an_address_that_can_be_answered(
    start: Start, wild: str, ours: str, caller: str, callee: str, leaves: str
) -> None:
    """Via, Record-Route and the source of the datagram are the same; $Ri is the address that the request came to."""
    server = start("steps.py", f"udp:{wild}")
    port = server.port("udp")
    shown = bracketed(leaves)

    async def run() -> None:
        async with UdpPeer.open(caller) as left, UdpPeer.open(callee) as right:
            steps = ("KSR.rr.record_route()", 'KSR.pv.get("$Ri")', f'KSR.is_myself("sip:{shown}:{port}")')
            sent = request("INVITE", "sip:bob@example.com", left.address, extra=do(*steps, to(*right.address)))
            left.send(sent, (ours, port))
            seen, source = await right.receive()
            assert source[:2] == (leaves, port)
            assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP {shown}:{port};branch=")
            assert seen.all("Record-Route")[0].startswith(f"<sip:{shown}:{port};")
            assert seen["X-Did"] == f"[1, {ours!r}, True, True]"
            right.send(seen.reply(486, "Busy Here", "x"), source)
            while (answer := (await left.receive())[0]).status != 486:
                pass
            assert len(answer.all("Via")) == 1

    asyncio.run(run())


def test_wildcard_tcp(start: Start) -> None:
    """A connection knows the address that it came to; one that we open leaves from the address that routes there."""
    server = start("steps.py", "udp:0.0.0.0", "tcp:0.0.0.0")
    port = server.port("tcp")

    async def run() -> None:
        async with StreamPeer.open((TWO, port)) as caller, StreamListener.open(NEAR_ONE) as listener:
            steps = ("KSR.rr.record_route()", 'KSR.pv.get("$Ri")', to(*listener.address, ";transport=tcp"))
            sent = request("INVITE", "sip:bob@example.com", caller.address, proto="TCP", extra=do(*steps))
            await caller.send(sent)
            callee = await listener.accept()
            seen = await callee.receive()
            assert seen["X-Did"] == f"[1, {TWO!r}, True]"
            assert seen.all("Via")[0].startswith(f"SIP/2.0/TCP {TWO}:{port};branch=")
            assert callee.writer.get_extra_info("peername")[0] == TWO
            await callee.send(seen.reply(486, "Busy Here", "x"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("settings", "leaves"),
    [({}, ONE), ({"forward.mhomed": "true"}, TWO)],
)
def test_mhomed(start: Start, settings: dict[str, str], leaves: str) -> None:
    """Two interfaces: the socket that the request came in on, or with mhomed the one that routes to the target."""
    server = start("steps.py", f"udp:{ONE}", f"udp:{TWO}", settings=settings)

    async def run() -> None:
        async with UdpPeer.open(NEAR_ONE) as left, UdpPeer.open(NEAR_TWO) as right:
            steps = ("KSR.rr.record_route()", to(*right.address))
            left.send(request("INVITE", "sip:bob@example.com", left.address, extra=do(*steps)), server.address("udp"))
            seen, source = await right.receive()
            assert source[0] == leaves
            assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP {leaves}:")
            assert len(seen.all("Record-Route")) == (1 if leaves == ONE else 2)
            right.send(seen.reply(486, "Busy Here", "x"), source)

    asyncio.run(run())


def test_other_transport_leaves_by_the_socket_that_routes_there(start: Start) -> None:
    """UDP in, TCP out: no socket is the same, so the routing table chooses."""
    server = start("steps.py", f"udp:{ONE}", f"tcp:{ONE}", f"tcp:{TWO}")

    async def run() -> None:
        async with UdpPeer.open(NEAR_ONE) as left, StreamListener.open(NEAR_TWO) as listener:
            steps = (to(*listener.address, ";transport=tcp"),)
            left.send(request("MESSAGE", "sip:bob@example.com", left.address, extra=do(*steps)), server.address("udp"))
            callee = await listener.accept()
            seen = await callee.receive()
            assert callee.writer.get_extra_info("peername")[0] == TWO
            assert seen.all("Via")[0].startswith(f"SIP/2.0/TCP {TWO}:{server.port('tcp', 1)};")
            await callee.send(seen.reply(200, "OK"))

    asyncio.run(run())
