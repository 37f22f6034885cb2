"""TLS and UDP load together, with garbage among it, in each mode: no crash, no growth, a clean stop.

SOAK_SECONDS sets how long (each mode gets a third); `make soak` sets ten minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import time

import pytest

from conftest import Start
from support.certificates import Certificates
from support.flood import options_flood
from support.peers import StreamPeer, UdpPeer, options
from support.process import rss_bytes
from support.servers import Server

SECONDS = float(os.environ.get("SOAK_SECONDS", "9")) / 3
CLIENTS = 8
UDP_RATE = 2000
GROWTH_LIMIT_BYTES = 40_000_000


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_mixed_load(start: Start, certs: Certificates, client_tls: ssl.SSLContext, mode: int) -> None:
    settings = {**certs.settings(), "tls.threads_mode": mode, "log.level": "warning"}
    server = start("answer.py", "udp", "tcp", "tls", counted=False, settings=settings)
    asyncio.run(load(server, client_tls, 1.0))
    before = rss_bytes(server.process.pid)
    with options_flood(server.address("udp"), SECONDS, UDP_RATE):
        handshakes = asyncio.run(load(server, client_tls, SECONDS))
    growth = rss_bytes(server.process.pid) - before
    assert handshakes > 10 * SECONDS
    assert growth < GROWTH_LIMIT_BYTES, growth
    assert "panicked" not in server.log()
    server.assert_clean_stop()


async def load(server: Server, tls: ssl.SSLContext, seconds: float) -> int:
    """Clients that connect, ask and leave, well or badly behaved; returns the handshakes done."""
    deadline = time.monotonic() + seconds
    done = await asyncio.gather(*(client(server, tls, random.Random(number), deadline) for number in range(CLIENTS)))
    async with UdpPeer.open() as peer:
        address = server.address("udp")
        assert (await peer.ask(options(peer, address), address, 15)).status == 200
    return sum(done)


async def client(server: Server, tls: ssl.SSLContext, source: random.Random, deadline: float) -> int:
    done = 0
    while time.monotonic() < deadline:
        proto = source.choice(["tls", "tls", "tls", "tcp"])
        bad = source.random() < 0.1
        context = tls if proto == "tls" and not bad else None
        async with StreamPeer.open(server.address(proto), context) as peer:
            if bad:
                await peer.send(source.randbytes(source.randrange(1, 3000)))
                continue
            for _ in range(source.randrange(1, 5)):
                assert (await peer.ask(options(peer, server.address(proto), proto), 15)).status == 200
                await peer.ping(15)
            done += proto == "tls"
    return done
