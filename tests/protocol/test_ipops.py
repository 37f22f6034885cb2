"""Questions of scripts to DNS, with a name server of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from conftest import Start
from support.messages import request
from support.names import NameServer, name_server
from support.peers import UdpPeer


@pytest.fixture
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


def test_answers_of_dns(start: Start, names: NameServer) -> None:
    names.set("h.example.com", 300, "A", "192.0.2.1")
    names.set("h.example.com", 300, "AAAA", "2001:db8::1")
    names.set("_sip._udp.example.com", 300, "SRV", "20 1 5062 b.example.com.", "10 5 5061 a.example.com.")
    names.set("example.com", 300, "NAPTR", '10 20 "s" "SIP+D2U" "" _sip._udp.example.com.')
    server = start("names.py", settings={"dns.nameservers": [names.address], "dns.hosts_file": "/dev/null"})

    async def run() -> None:
        async with UdpPeer.open() as caller:

            async def ask(kind: str, name: str) -> str:
                extra = (("X-Kind", kind), ("X-Name", name))
                sent = request("OPTIONS", "sip:names@test.invalid", caller.address, extra=extra)
                return (await caller.ask(sent, server.address("udp")))["X-Result"]

            assert await ask("A", "h.example.com") == "1 2 1 1 192.0.2.1 4 2001:db8::1 6"
            assert (
                await ask("SRV", "_sip._udp.example.com") == "1 2 10 5 5061 a.example.com b.example.com b.example.com"
            )
            assert await ask("NAPTR", "example.com") == "1 1 10 20 s SIP+D2U  _sip._udp.example.com"
            assert (await ask("SRV", "_sip._tcp.example.com")).split()[:2] == ["-3", "0"]
            assert (await ask("A", "nobody.example.com")).split()[:2] == ["-4", "<null>"]

    asyncio.run(run())
    assert server.route_calls("OPTIONS") == 5
