"""A peer that is gone without a word: its address leaves, packets to it go nowhere, and no RST or ICMP says so."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from conftest import Start
from sipwright.control.client import call
from support.agents import Agent, Line
from support.callers import within
from support.certificates import Certificates
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer
from support.process import wait_until
from support.servers import Server

SERVER, PEER, HOLE = "10.8.0.1", "10.8.0.2", "hole0"
FR_MS, IDLE_MS = 600, 1500
# What a busy machine may add to them.
SLACK_S = 4.0


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


@pytest.fixture(autouse=True, scope="module")
def _network() -> Iterator[None]:
    """Two addresses on this machine; what is not here goes into a cable whose other end nobody holds."""
    ip("link", "add", HOLE, "type", "veth", "peer", "name", "hole1")
    for name in (HOLE, "hole1"):
        ip("link", "set", name, "arp", "off", "up")
    ip("addr", "add", f"{SERVER}/32", "dev", "lo")
    ip("addr", "add", f"{PEER}/32", "dev", "lo")
    ip("route", "add", "10.8.0.0/24", "dev", HOLE, "src", SERVER)
    yield
    ip("link", "del", HOLE)


@pytest.fixture(autouse=True)
def _back() -> Iterator[None]:
    yield
    ip("addr", "replace", f"{PEER}/32", "dev", "lo")


def vanish() -> None:
    ip("addr", "del", f"{PEER}/32", "dev", "lo")


def come_back() -> None:
    ip("addr", "add", f"{PEER}/32", "dev", "lo")


def started(start: Start, certs: Certificates) -> Server:
    timeouts = {"timers.fr_ms": FR_MS, "timeouts.idle_ms": IDLE_MS, "timeouts.connect_ms": FR_MS}
    settings = {**certs.settings(), **timeouts, "acc.db_flag": 1}
    return start("troubled.py", *(f"{proto}:{SERVER}" for proto in ("udp", "tcp", "tls")), settings=settings)


def uri(server: Server, user: str) -> str:
    return f"sip:{user}@{SERVER}:{server.port('udp')}"


def test_a_udp_peer_that_vanishes_in_a_call(start: Start, certs: Certificates) -> None:
    server = started(start, certs)
    address = server.address("udp")

    async def run() -> None:
        async with (
            Agent.on(Line(), SERVER) as caller,
            Agent.on(Line(), SERVER) as good,
            Agent.on(Line(), PEER) as lost,
        ):
            assert (await good.register(address, "good")).status == 200
            assert (await lost.register(address, "lost")).status == 200
            answer = await caller.final_of(invite(server, caller, "lost"), address)
            assert answer.status == 200
            vanish()
            began = time.monotonic()
            # RFC 4320 section 4.2: no 408 for what is no INVITE, its client has timed out by itself.
            hung_up = asyncio.create_task(caller.final_of(within("BYE", answer, caller), address, 2.0))
            calls = [asyncio.create_task(caller.call(address, uri(server, "good"))) for _ in range(10)]
            assert (await caller.final_of(invite(server, caller, "lost"), address)).status == 408
            assert FR_MS / 1000 - 0.1 < time.monotonic() - began < FR_MS / 1000 + SLACK_S
            assert [codes for _, codes in await asyncio.gather(*calls)] == [[200, 200]] * 10
            with pytest.raises(TimeoutError):
                await hung_up
            come_back()
            assert (await caller.call(address, uri(server, "lost")))[1] == [200, 200]

    asyncio.run(run())
    server.assert_clean_stop(5.0)


@pytest.mark.parametrize("proto", ["tcp", "tls"])
def test_a_connected_peer_that_vanishes(
    start: Start, certs: Certificates, client_tls: ssl.SSLContext, proto: str
) -> None:
    """Its calls end in time, its connection when it is idle for too long; it comes back with another connection."""
    server = started(start, certs)
    udp = server.address("udp")
    context = client_tls if proto == "tls" else None

    async def run() -> None:
        async with Agent.on(Line(), SERVER) as caller:
            async with connected(server, proto, context) as lost:
                assert (await registered(lost, server, proto)).status == 200
                assert await answered(lost, caller, server) == 200
                vanish()
                began = time.monotonic()
                answer = await caller.final_of(invite(server, caller, "lost"), udp)
                assert answer.status == 408
                assert time.monotonic() - began < FR_MS / 1000 + SLACK_S
                await asyncio.to_thread(
                    wait_until, lambda: connections(server) == 0, IDLE_MS / 1000 + 15, "it is closed"
                )
                # A new connection to it is not to be had; 500 is what a 503 of ours becomes (RFC 3261 section 16.7).
                answer = await caller.final_of(invite(server, caller, "lost"), udp)
                assert answer.status in (408, 500), answer.first_line
            come_back()
            async with connected(server, proto, context) as again:
                assert (await registered(again, server, proto)).status == 200
                assert await answered(again, caller, server) == 200

    asyncio.run(run())
    server.assert_clean_stop(5.0)


def connections(server: Server) -> int:
    return int(call(server.directory / "data", "core.stats")["connections_open"])


def connected(server: Server, proto: str, tls: ssl.SSLContext | None) -> AbstractAsyncContextManager[StreamPeer]:
    """A connection of the peer that will vanish."""
    return StreamPeer.open(server.address(proto), tls, "127.0.0.1", (PEER, 0))


async def registered(peer: StreamPeer, server: Server, proto: str) -> Sip:
    """The answer to a registration of the connection as the user lost."""
    contact = f"sip:lost@{peer.address[0]}:{peer.address[1]};transport={proto}"
    aor = uri(server, "lost")
    registrar = f"sip:{SERVER}:{server.port('udp')}"
    sent = request("REGISTER", registrar, peer.address, proto=proto, from_uri=aor, to_uri=aor, contact=contact)
    return await peer.ask(sent)


async def answered(peer: StreamPeer, caller: Agent, server: Server) -> int | None:
    """Calls the user lost, who answers; the final response."""
    asked = asyncio.create_task(caller.final_of(invite(server, caller, "lost"), server.address("udp")))
    got = await peer.receive()
    await peer.send(got.reply(200, "OK", "lost", (("Contact", f"<{got.uri}>"),)))
    return (await asked).status


def invite(server: Server, caller: UdpPeer, user: str) -> Sip:
    contact = "sip:caller@{}:{}".format(*caller.address)
    return request("INVITE", uri(server, user), caller.address, contact=contact)
