"""REGISTER as user agents send it, where the path from the wire to the location table matters."""

from __future__ import annotations

import asyncio

from conftest import Start
from support.messages import Sip, request
from support.peers import UdpPeer, register

AOR = "sip:ann@test.invalid"


async def star(peer: UdpPeer, server: tuple[str, int], expires: str) -> Sip:
    extra = (("Contact", "*"), ("Expires", expires))
    return await peer.ask(
        request("REGISTER", "sip:test.invalid", peer.address, from_uri=AOR, to_uri=AOR, extra=extra), server
    )


def test_contact_star_removes_all(start: Start) -> None:
    """RFC 3261 section 10.2.2: all contacts go, and only with Expires: 0."""
    server = start("torture.py")

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as peer:
            for host in ("192.0.2.1", "192.0.2.2"):
                answer = await register(peer, address, "ann", f"sip:ann@{host}", "test.invalid")
                assert answer.status == 200
            assert (await star(peer, address, "30")).status == 400
            assert "192.0.2.2" in (await register(peer, address, "ann", "sip:ann@192.0.2.3", "test.invalid"))["Contact"]
            answer = await star(peer, address, "0")
            assert (answer.status, answer.get("Contact")) == (200, None)

    asyncio.run(run())


def test_malformed_contact_is_refused(start: Start) -> None:
    """RFC 4475 section 3.1.2.13: headers in a URI without angle brackets."""
    server = start("torture.py")

    async def run() -> None:
        extra = (("Contact", "sip:ann@192.0.2.1?Route=%3Csip:sip.example.com%3E"),)
        async with UdpPeer.open() as peer:
            sent = request("REGISTER", "sip:test.invalid", peer.address, from_uri=AOR, to_uri=AOR, extra=extra)
            assert (await peer.ask(sent, server.address("udp"))).status == 400

    asyncio.run(run())
