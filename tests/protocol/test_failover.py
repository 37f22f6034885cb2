"""The next target of a domain when one fails (RFC 3263 section 4.3), with the real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from sipwright.control.client import call
from sipwright.control.server import SOCKET_NAME
from support.certificates import Certificates, make
from support.messages import Sip, request
from support.names import NameServer, name_server
from support.peers import UdpPeer
from support.ports import free_port
from support.process import wait_until
from support.servers import Server, Sipwright
from support.streams import stream_callee

DOMAIN = "example.com"


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


def serve(start: Start, names: NameServer, *listen: str, **settings: object) -> Server:
    nameservers = {"dns.nameservers": [names.address], "dns.hosts_file": "/dev/null", "dns.naptr": "false"}
    return start("failover.py", *(listen or ("udp",)), counted=False, settings={**nameservers, **settings})


def publish(names: NameServer, service: str, *ports: int) -> None:
    """Targets on 127.0.0.1 in this order."""
    lines = [f"{priority} 1 {port} h.{DOMAIN}." for priority, port in enumerate(ports)]
    names.set(f"{service}.{DOMAIN}", 300, "SRV", *lines)
    names.set(f"h.{DOMAIN}", 300, "A", "127.0.0.1")


def failovers(server: Server) -> Any:
    assert isinstance(server, Sipwright)
    wait_until((server.data_dir / SOCKET_NAME).exists, 5, "the control socket")
    return call(server.data_dir, "core.stats")["failovers"]


@asynccontextmanager
async def caller_and_callees(count: int) -> AsyncIterator[tuple[UdpPeer, list[UdpPeer]]]:
    async with UdpPeer.open() as caller, UdpPeer.open() as first, UdpPeer.open() as second:
        yield caller, [first, second][:count]


def to_domain(method: str, caller: UdpPeer, *extra: tuple[str, str], params: str = "") -> Sip:
    return request(method, f"sip:bob@{DOMAIN}{params}", caller.address, extra=extra)


def test_silence(start: Start, names: NameServer) -> None:
    """No response at all within fr_timer: a new client transaction, with a branch of its own, to the next target."""
    server = serve(start, names, **{"timers.fr_ms": 300})

    async def run() -> None:
        async with caller_and_callees(2) as (caller, (silent, good)):
            publish(names, "_sip._udp", silent.address[1], good.address[1])
            begin = time.monotonic()
            caller.send(to_domain("INVITE", caller), server.address("udp"))
            tried, _ = await silent.receive()
            seen, source = await good.receive()
            assert 0.25 < time.monotonic() - begin < 2
            assert seen.first_line == tried.first_line
            mine, theirs = seen.all("Via")
            assert mine != tried.all("Via")[0]
            assert theirs == tried.all("Via")[1]
            assert [h for h in seen.headers if h[0] != "Via"] == [h for h in tried.headers if h[0] != "Via"]
            good.send(seen.reply(200, "OK", "good"), source)
            assert (await caller.final(seen["Call-ID"])).status == 200

    asyncio.run(run())
    assert failovers(server) == 1


def test_port_unreachable(start: Start, names: NameServer) -> None:
    """ICMP says at once that nobody listens; fr_timer is 30 s here."""
    server = serve(start, names)

    async def run() -> None:
        async with caller_and_callees(1) as (caller, (good,)):
            publish(names, "_sip._udp", free_port(), good.address[1])
            caller.send(to_domain("INVITE", caller), server.address("udp"))
            seen, source = await good.receive()
            good.send(seen.reply(200, "OK", "good"), source)
            assert (await caller.final(seen["Call-ID"])).status == 200

    asyncio.run(run())
    assert failovers(server) == 1


def test_port_unreachable_without_another_target(start: Start, names: NameServer) -> None:
    """Such an error alone ends nothing, and does not disturb what is sent to others."""
    server = serve(start, names, **{"timers.fr_ms": 700})

    async def run() -> None:
        async with caller_and_callees(1) as (caller, (good,)):
            publish(names, "_sip._udp", free_port())
            lost = to_domain("INVITE", caller)
            caller.send(lost, server.address("udp"))
            answered = 0
            for _ in range(20):
                sent = request("MESSAGE", f"sip:bob@127.0.0.1:{good.address[1]}", caller.address)
                caller.send(sent, server.address("udp"))
                seen, source = await good.receive()
                good.send(seen.reply(200, "OK", "good"), source)
                while True:
                    answer, _ = await caller.receive()
                    if answer["Call-ID"] == sent["Call-ID"]:
                        break
                answered += answer.status == 200
            assert answered == 20
            assert (await caller.final(lost["Call-ID"])).status == 408

    asyncio.run(run())
    assert failovers(server) == 0


def test_503(start: Start, names: NameServer) -> None:
    server = serve(start, names)

    async def run() -> None:
        async with caller_and_callees(2) as (caller, (busy, good)):
            publish(names, "_sip._udp", busy.address[1], good.address[1])
            caller.send(to_domain("INVITE", caller), server.address("udp"))
            tried, source = await busy.receive()
            busy.send(tried.reply(503, "Service Unavailable", "busy"), source)
            assert (await busy.receive())[0].method == "ACK"
            seen, source = await good.receive()
            good.send(seen.reply(486, "Busy Here", "good"), source)
            assert (await caller.final(seen["Call-ID"])).status == 486

    asyncio.run(run())


def test_switched_off(start: Start, names: NameServer) -> None:
    """`t_set_disable_failover(1)` for one request, `dns.failover` for all."""
    server = serve(start, names)

    async def run() -> None:
        async with caller_and_callees(2) as (caller, (busy, good)):
            publish(names, "_sip._udp", busy.address[1], good.address[1])
            caller.send(to_domain("MESSAGE", caller, ("X-No-Failover", "1")), server.address("udp"))
            tried, source = await busy.receive()
            busy.send(tried.reply(503, "Service Unavailable", "busy"), source)
            assert (await caller.final(tried["Call-ID"])).status == 500
            with pytest.raises(TimeoutError):
                await good.receive(0.1)

    asyncio.run(run())
    assert failovers(server) == 0


def test_refused_connection(start: Start, names: NameServer) -> None:
    server = serve(start, names, "udp", "tcp")

    async def run() -> None:
        async with UdpPeer.open() as caller, stream_callee() as callee:
            publish(names, "_sip._tcp", free_port(), callee.port)
            sent = to_domain("MESSAGE", caller, params=";transport=tcp")
            assert (await caller.ask(sent, server.address("udp"))).status == 200
            assert [message.method for message in callee.seen] == ["MESSAGE"]

    asyncio.run(run())
    assert failovers(server) == 1


def test_failed_handshake(start: Start, names: NameServer, certs: Certificates, tmp_path: Path) -> None:
    """A server whose certificate nobody vouches for gets nothing; the next one does."""
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other")
    server = serve(start, names, "udp", "tls", **certs.settings(), **{"tls.ca_list": certs.ca})

    async def run() -> None:
        async with (
            UdpPeer.open() as caller,
            stream_callee(other) as false,
            stream_callee(certs) as callee,
        ):
            publish(names, "_sips._tcp", false.port, callee.port)
            sent = to_domain("MESSAGE", caller, params=";transport=tls")
            assert (await caller.ask(sent, server.address("udp"))).status == 200
            assert [message.method for message in callee.seen] == ["MESSAGE"]
            assert false.seen == []

    asyncio.run(run())
    assert failovers(server) == 1


def test_from_udp_to_tls(start: Start, names: NameServer, certs: Certificates) -> None:
    """Another transport: Via and Record-Route name the other socket, and the certificate is asked for by name."""
    server = serve(start, names, "udp", "tls", **certs.settings(), **{"tls.ca_list": certs.ca, "timers.fr_ms": 300})

    async def run() -> None:
        async with UdpPeer.open() as caller, UdpPeer.open() as silent, stream_callee(certs) as callee:
            publish(names, "_sip._udp", silent.address[1])
            publish(names, "_sips._tcp", callee.port)
            answer = await caller.ask(to_domain("MESSAGE", caller), server.address("udp"))
            assert answer.status == 200
            tried, _ = await silent.receive()
            (seen,) = callee.seen
            assert callee.names == [DOMAIN]
            ports = server.port("udp"), server.port("tls")
            assert tried.all("Via")[0].startswith(f"SIP/2.0/UDP 127.0.0.1:{ports[0]};")
            assert seen.all("Via")[0].startswith(f"SIP/2.0/TLS 127.0.0.1:{ports[1]};")
            assert len(seen.all("Via")) == 2
            assert "transport=tls" in seen.all("Record-Route")[0]
            assert "transport=tls" not in "".join(tried.all("Record-Route"))
            assert seen.first_line == tried.first_line

    asyncio.run(run())
