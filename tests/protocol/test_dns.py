"""Next hops by name (RFC 3263): the real server against a name server of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from conftest import Start
from sipwright.control.client import call
from sipwright.control.server import SOCKET_NAME
from support.certificates import Certificates
from support.messages import Sip, request
from support.names import NameServer, name_server, truncated
from support.peers import UdpPeer, eventually
from support.process import wait_until
from support.servers import Server, Sipwright
from support.streams import stream_callee

DOMAIN = "example.com"


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


def relay(start: Start, names: NameServer, *listen: str, **settings: object) -> Server:
    """A server that relays everything and asks that name server."""
    nameservers = {"dns.nameservers": [names.address], "dns.hosts_file": "/dev/null"}
    return start("relay.py", *(listen or ("udp",)), counted=False, settings={**nameservers, **settings})


def control(server: Server, method: str, *params: str) -> Any:
    assert isinstance(server, Sipwright)
    wait_until((server.data_dir / SOCKET_NAME).exists, 5, "the control socket")
    return call(server.data_dir, method, list(params))


def stats(server: Server) -> Any:
    return control(server, "core.stats")


async def answering(peer: UdpPeer, seen: Counter[int], index: int) -> None:
    """Answers every request with 200 and counts it."""
    while True:
        message, source = await peer.receive(60)
        if message.status is None:
            seen[index] += 1
            peer.send(message.reply(200, "OK", "callee"), source)


@asynccontextmanager
async def callees(count: int) -> AsyncIterator[tuple[list[int], Counter[int]]]:
    """Ports of that many UDP peers that answer everything, and how many requests each has got."""
    seen: Counter[int] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(UdpPeer.open()) for _ in range(count)]
        tasks = [asyncio.create_task(answering(peer, seen, index)) for index, peer in enumerate(peers)]
        try:
            yield [peer.address[1] for peer in peers], seen
        finally:
            for task in tasks:
                task.cancel()


async def ask(peer: UdpPeer, server: Server, uri: str, timeout_s: float = 5.0, method: str = "MESSAGE") -> Sip:
    return await peer.ask(request(method, uri, peer.address), server.address("udp"), timeout_s)


def publish(names: NameServer, ttl: int, *targets: tuple[int, int, int]) -> None:
    """SRV records of UDP on 127.0.0.1: priority, weight and port of each target."""
    hosts = [f"h{index}.{DOMAIN}" for index in range(len(targets))]
    lines = [f"{p} {w} {port} {host}." for host, (p, w, port) in zip(hosts, targets, strict=True)]
    names.set(f"_sip._udp.{DOMAIN}", ttl, "SRV", *lines)
    for host in hosts:
        names.set(host, ttl, "A", "127.0.0.1")


def test_weights_share_the_calls(start: Start, names: NameServer) -> None:
    """RFC 2782: of 1,000 requests each target gets its share; each name is asked for once."""
    server = relay(start, names)
    weights = (10, 30, 60)

    async def run() -> Counter[int]:
        async with UdpPeer.open() as caller, callees(4) as (ports, seen):
            publish(names, 300, *((1, w, port) for w, port in zip(weights, ports, strict=False)), (2, 60, ports[3]))
            for _ in range(1_000):
                assert (await ask(caller, server, f"sip:bob@{DOMAIN}")).status == 200
            return seen

    seen = asyncio.run(run())
    assert seen[3] == 0, "a lower priority"
    for index, weight in enumerate(weights):
        # Four standard deviations of the widest share.
        assert abs(seen[index] - weight * 10) < 65, seen
    assert names.count(f"_sip._udp.{DOMAIN}") == 1
    assert stats(server)["dns_cache_hits"] >= 999


def test_naptr_chooses_tls(start: Start, names: NameServer, certs: Certificates) -> None:
    """RFC 3263 section 4.1: the record of lowest order, over TLS, with a certificate for the domain (RFC 5922)."""
    settings = {**certs.settings(), "tls.ca_list": certs.ca}
    server = relay(start, names, "udp", "tls", **settings)

    async def run() -> None:
        async with UdpPeer.open() as caller, stream_callee(certs) as callee:
            publish(names, 300, (1, 1, 9))
            names.set(f"_sips._tcp.{DOMAIN}", 300, "SRV", f"1 1 {callee.port} h0.{DOMAIN}.")
            names.set(
                DOMAIN,
                300,
                "NAPTR",
                f'20 10 "s" "SIP+D2U" "" _sip._udp.{DOMAIN}.',
                f'10 10 "s" "SIPS+D2T" "" _sips._tcp.{DOMAIN}.',
            )
            assert (await ask(caller, server, f"sip:bob@{DOMAIN}")).status == 200
            assert callee.names == [DOMAIN]
            assert [message.method for message in callee.seen] == ["MESSAGE"]

    asyncio.run(run())


def test_an_answer_is_kept_for_its_ttl(start: Start, names: NameServer) -> None:
    server = relay(start, names, **{"dns.naptr": "false"})

    async def run() -> None:
        async with UdpPeer.open() as caller, callees(2) as (ports, seen):
            publish(names, 2, (1, 1, ports[0]))
            await ask(caller, server, f"sip:bob@{DOMAIN}")
            begin = time.monotonic()
            publish(names, 2, (1, 1, ports[1]))
            await ask(caller, server, f"sip:bob@{DOMAIN}")
            assert time.monotonic() - begin < 2, "the machine is too slow for this test"
            assert seen == {0: 2}, "the old answer still holds"
            while not seen[1]:
                assert time.monotonic() - begin < 10
                await ask(caller, server, f"sip:bob@{DOMAIN}")
            assert time.monotonic() - begin >= 1.9, "it was kept for its TTL"

    asyncio.run(run())


def test_the_cache_can_be_seen_and_emptied(start: Start, names: NameServer) -> None:
    server = relay(start, names)
    publish(names, 300, (1, 1, 5099))
    place = {"proto": "udp", "address": "127.0.0.1", "port": 5099}
    assert control(server, "dns.locate", f"sip:{DOMAIN}") == [place]
    found = control(server, "dns.lookup", "srv", f"_SIP._udp.{DOMAIN}.")
    assert found["records"] == [f"1 1 5099 h0.{DOMAIN}."]
    kept = {(row["name"], row["type"]): row for row in control(server, "dns.view")}
    row = kept[f"_sip._udp.{DOMAIN}", "SRV"]
    assert row["records"] == found["records"]
    assert 290 <= row["expires_s"] <= 300
    assert kept[DOMAIN, "NAPTR"]["records"] == ["no such name"]
    asked = len(names.asked)
    control(server, "dns.locate", f"sip:{DOMAIN}")
    assert len(names.asked) == asked
    assert control(server, "dns.delete", "A", f"h0.{DOMAIN}") == {"deleted": True}
    control(server, "dns.locate", f"sip:{DOMAIN}")
    assert names.asked[asked:] == [(f"h0.{DOMAIN}", "A", "udp")]
    assert control(server, "dns.delete_all")["deleted"] >= 3
    assert control(server, "dns.view") == []


def test_a_name_that_hangs_delays_nobody_else(start: Start, names: NameServer) -> None:
    """Two requests for a name that is never answered; others go on, and the two end in time."""
    server = relay(start, names, **{"dns.timeout_ms": 20_000, "dns.total_ms": 5000, "script.workers": 3})
    names.hanging.add(f"slow.{DOMAIN}")

    async def run() -> None:
        async with UdpPeer.open() as caller, UdpPeer.open() as stuck, callees(1) as (ports, _):
            publish(names, 300, (1, 1, ports[0]))
            sent = [request("MESSAGE", f"sip:a@slow.{DOMAIN}:5060", stuck.address) for _ in range(2)]
            expected = [(478, each["Call-ID"]) for each in sorted(sent, key=calls)]
            begin = time.monotonic()
            for each in sent:
                stuck.send(each, server.address("udp"))
            await eventually(lambda: names.count(f"slow.{DOMAIN}") > 0)
            for _ in range(20):
                assert (await ask(caller, server, f"sip:bob@{DOMAIN}")).status == 200
            assert time.monotonic() - begin < 4.9, "the others waited"
            answers: list[Sip] = []
            while len(answers) < len(sent):
                answer, _ = await stuck.receive(15)
                answers += [answer] if answer.status != 100 else []
            assert [(answer.status, answer["Call-ID"]) for answer in sorted(answers, key=calls)] == expected
            assert 4.9 < time.monotonic() - begin < 15
        assert names.count(f"slow.{DOMAIN}", "A") == 1, "asked once for both"

    asyncio.run(run())


def calls(message: Sip) -> str:
    return message["Call-ID"]


@pytest.mark.parametrize("kind", ["garbage", "wrong id", "wrong name", "cut", "truncated"])
def test_lies_are_not_believed(start: Start, names: NameServer, kind: str) -> None:
    """Replies that do not fit are dropped, and the one that does is waited for; a truncated one leads to TCP."""

    def lie(query: bytes, good: bytes) -> list[bytes]:
        other = bytes([good[0] ^ 1]) + good[1:]
        lies = {
            "garbage": [b"\xff" * 40, b"", good],
            "wrong id": [other, good],
            "wrong name": [good.replace(b"\x02h0", b"\x02h1"), good],
            "cut": [good[:-3], good],
            "truncated": truncated(query, good),
        }
        return lies[kind]

    server = relay(start, names)

    async def run() -> None:
        async with UdpPeer.open() as caller, callees(1) as (ports, _):
            publish(names, 300, (1, 1, ports[0]))
            names.lies[f"h0.{DOMAIN}"] = lie
            assert (await ask(caller, server, f"sip:bob@{DOMAIN}")).status == 200

    asyncio.run(run())
    counted = stats(server)
    assert counted["dns_truncated" if kind == "truncated" else "dns_bad_replies"] >= 1
    assert ((f"h0.{DOMAIN}", "A", "tcp") in names.asked) == (kind == "truncated")


def test_without_any_record_it_is_478(start: Start, names: NameServer) -> None:
    server = relay(start, names)

    async def run() -> None:
        async with UdpPeer.open() as caller:
            for _ in range(2):
                assert (await ask(caller, server, f"sip:bob@{DOMAIN}")).status == 478

    asyncio.run(run())
    assert names.count(DOMAIN, "A") == 1, "that there is none is kept too"


def test_a_response_without_a_transaction_goes_by_its_via(start: Start, names: NameServer) -> None:
    """RFC 3263 section 5: no received, no port: SRV of the host in the Via; nobody waits for it."""
    server = relay(start, names, **{"forward.stray_responses": "any"})
    host, port = server.address("udp")

    async def run() -> None:
        async with UdpPeer.open() as callee, UdpPeer.open() as caller:
            publish(names, 300, (1, 1, caller.address[1]))
            made = request("OPTIONS", "sip:x@y", (host, port)).reply(200, "OK", "t")
            via = ("Via", f"SIP/2.0/UDP {DOMAIN};branch=z9hG4bKaway")
            callee.send(Sip(made.first_line, (made.headers[0], via, *made.headers[1:])), (host, port))
            got, source = await caller.receive()
            assert got.all("Via") == [via[1]]
            assert source == (host, port)

    asyncio.run(run())
