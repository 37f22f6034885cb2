"""A name server that lies, says nothing or is gone: what asks for its names is refused in time, all else goes on, and all is well after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset

from conftest import Start
from sipwright.control.client import call
from support.agents import Agent, Line
from support.control import data_of
from support.messages import request
from support.names import Lie, NameServer, name_server, truncated
from support.peers import UdpPeer, eventually
from support.ports import free_port
from support.process import rss_bytes
from support.servers import Server

DOMAIN = "example.com"
# Long enough for a reply of a name server on a busy machine; each is asked twice.
TIMEOUT_MS, TOTAL_MS = 2000, 6000
HANGS_S = 2 * TIMEOUT_MS / 1000
# What a busy machine may add.
SLACK_S = 6.0
GOOD_CALLS = 8
MOST_KEPT = 64
FLOOD = 150
FLOOD_BYTES = 8_000_000


def reply(query: bytes, rcode: int = dns.rcode.NOERROR, *records: tuple[str, str]) -> list[bytes]:
    """A reply with records that are there whatever was asked for: type and data."""
    asked = dns.message.from_wire(query)
    made = dns.message.make_response(asked)
    made.set_rcode(dns.rcode.Rcode(rcode))
    for kind, data in records:
        made.answer.append(dns.rrset.from_text(asked.question[0].name, 0, "IN", kind, data))
    return [made.to_wire()]


# Refused as soon as the lie is heard.
ENDING: dict[str, Lie] = {
    "type": lambda query, _: reply(query, 0, ("TXT", '"127.0.0.1"')),
    "loop": lambda query, _: reply(query, 0, ("CNAME", f"pool.{DOMAIN}.")),
    "pool": lambda query, _: reply(query, 0, ("CNAME", f"loop.{DOMAIN}.")),
    "self": lambda query, _: reply(query, 0, ("CNAME", f"self.{DOMAIN}.")),
    "none": lambda query, _: reply(query, dns.rcode.NXDOMAIN),
    "servfail": lambda query, _: reply(query, dns.rcode.SERVFAIL),
    "refused": lambda query, _: reply(query, dns.rcode.REFUSED),
}
# Dropped; the right reply is waited for, and does not come.
HANGING: dict[str, Lie] = {
    "silent": lambda *_: [],
    "id": lambda _, good: [bytes([good[0] ^ 1]) + good[1:]] * 20,
    "question": lambda _, good: [good.replace(b"\x08question", b"\x08noitseuq")],
    "cut": lambda _, good: [good[:-3]],
    "garbage": lambda _, good: [b"\xff" * 512, b"", good[:11], good[:12]],
    "echo": lambda query, _: [query],
}
# Other ways not to answer, which the name server itself has.
ELSEWHERE, BY_TCP = "elsewhere", "tcp"
WAITED_FOR = (*HANGING, ELSEWHERE, BY_TCP)
BAD = (*ENDING, *WAITED_FOR)


def started(start: Start, *nameservers: str, workers: int = 4, **settings: object) -> Server:
    asked = {"dns.nameservers": list(nameservers), "dns.hosts_file": "/dev/null"}
    times = {"dns.timeout_ms": TIMEOUT_MS, "dns.total_ms": TOTAL_MS, "dns.retries": 1}
    kept = {"dns.cache_negative_ttl_s": 1, "dns.cache_failure_ttl_s": 1, "dns.cache_entries": MOST_KEPT}
    return start("troubled.py", workers=workers, settings={**asked, **times, **kept, **settings})


def publish(names: NameServer, *hosts: str, ttl: int = 0) -> None:
    for host in hosts:
        names.set(f"{host}.{DOMAIN}", ttl, "A", "127.0.0.1")


def lie(names: NameServer) -> None:
    publish(names, *BAD, "good")
    names.lies.update({f"{name}.{DOMAIN}": one for name, one in (ENDING | HANGING).items()})
    names.lies[f"{BY_TCP}.{DOMAIN}"] = truncated
    names.hanging.add(f"{BY_TCP}.{DOMAIN}")
    names.elsewhere.add(f"{ELSEWHERE}.{DOMAIN}")


def tell_the_truth(names: NameServer) -> None:
    for lies in (names.lies, names.hanging, names.elsewhere):
        lies.clear()


class Story:
    """Calls to names, all to one callee."""

    def __init__(self, server: Server, caller: Agent, callee: Agent) -> None:
        self.server, self.address = server, server.address("udp")
        self.caller, self.callee = caller, callee

    async def call(self, host: str) -> list[int]:
        return (await self.caller.call(self.address, f"sip:bob@{host}:{self.callee.address[1]}"))[1]

    async def named(self, name: str) -> list[int]:
        return await self.call(f"{name}.{DOMAIN}")

    async def registered(self) -> list[int]:
        return (await self.caller.call(self.address, f"sip:bob@{self.address[0]}:{self.address[1]}"))[1]

    async def timed(self, name: str) -> tuple[list[int], float]:
        began = time.monotonic()
        return await self.named(name), time.monotonic() - began

    async def failures_until_well(self, name: str) -> int:
        """What was kept of the trouble is forgotten soon, and the name is reached; how many calls came to nothing before."""
        async with asyncio.timeout(20):
            for failures in itertools.count():
                if await self.named(name) == [200, 200]:
                    return failures
                await asyncio.sleep(0.1)
        raise AssertionError


def sockets(pid: int) -> int:
    """How many sockets a process has; files of databases come and go by themselves."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # Whatever has been closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(link).startswith("socket:")
    return count


def play(server: Server, act: Callable[[Story], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with Agent.on(Line()) as caller, Agent.on(Line()) as callee:
            assert (await callee.register(server.address("udp"), "bob")).status == 200
            await act(Story(server, caller, callee))

    asyncio.run(run())


def test_lies_and_silence(start: Start) -> None:
    with name_server() as names:
        lie(names)
        server = started(start, names.address, workers=len(BAD) + 2)
        refused: Counter[str] = Counter()

        async def act(story: Story) -> None:
            assert await story.named("good") == await story.registered() == [200, 200]
            before = sockets(server.process.pid)
            bad = {name: asyncio.create_task(story.timed(name)) for name in BAD}
            for _ in range(GOOD_CALLS):
                assert await story.named("good") == await story.registered() == [200, 200]
                assert sockets(server.process.pid) <= before + len(BAD)
            assert not any(bad[name].done() for name in (*HANGING, ELSEWHERE)), (
                "calls to other places waited for the name server"
            )
            for name, task in bad.items():
                codes, seconds = await task
                assert codes == [478], name
                least = (HANGS_S if name != BY_TCP else TIMEOUT_MS / 1000) if name in WAITED_FOR else 0
                assert least - 0.1 < seconds < TOTAL_MS / 1000 + SLACK_S, (name, seconds)
                refused[name] += 1
            await eventually(lambda: sockets(server.process.pid) <= before, 10)
            tell_the_truth(names)
            for name in BAD:
                refused[name] += await story.failures_until_well(name)

        play(server, act)
    log = server.log()
    for name in BAD:
        # Once a minute, which a busy machine may take.
        assert 1 <= log.count(f"cannot resolve {name}.{DOMAIN}") <= min(refused[name], 2), name
    assert call(data_of(server), "core.stats")["dns_bad_replies"] >= len(HANGING) - 1
    server.assert_clean_stop(5.0)


def test_more_names_hang_than_there_are_workers(start: Start) -> None:
    """Then all else waits for them, too, for as long as `dns.total_ms` each, but nothing is lost."""
    with name_server() as names:
        hosts = [f"hang{number}" for number in range(4)]
        publish(names, *hosts)
        names.hanging.update(f"{host}.{DOMAIN}" for host in hosts)
        server = started(start, names.address, workers=2, **{"dns.timeout_ms": 500, "dns.total_ms": 1000})

        async def act(story: Story) -> None:
            bad = [asyncio.create_task(story.timed(host)) for host in hosts]
            await eventually(lambda: len(names.asked) >= 2, 10)
            assert await asyncio.gather(*(story.registered() for _ in range(GOOD_CALLS))) == [[200, 200]] * GOOD_CALLS
            for codes, seconds in await asyncio.gather(*bad):
                assert codes == [478]
                assert seconds < len(hosts) / 2 + SLACK_S
            names.hanging.clear()
            for host in hosts:
                await story.failures_until_well(host)

        play(server, act)
    server.assert_clean_stop(5.0)


def test_a_server_that_is_gone_and_comes_back(start: Start) -> None:
    """Nobody listens at its port, which the system says: nobody waits."""
    port = free_port()
    server = started(start, f"127.0.0.1:{port}")

    async def act(story: Story) -> None:
        codes, seconds = await story.timed("good")
        assert codes == [478]
        assert seconds < HANGS_S - 0.5
        assert await story.registered() == [200, 200]
        with name_server(port) as names:
            publish(names, "good")
            await story.failures_until_well("good")

    play(server, act)
    server.assert_clean_stop(5.0)


def test_the_first_of_two_servers_hangs(start: Start) -> None:
    """One call waits for it, later ones do not, whatever their names; when it is the other one that hangs, it is asked again."""
    with name_server() as dead, name_server() as names:
        hosts = [f"host{number}" for number in range(8)]
        publish(names, *hosts, "last")
        publish(dead, "last")
        dead.hanging.update(f"{host}.{DOMAIN}" for host in hosts)
        server = started(start, dead.address, names.address)

        async def act(story: Story) -> None:
            codes, seconds = await story.timed(hosts[0])
            assert codes == [200, 200]
            assert TIMEOUT_MS / 1000 - 0.1 < seconds < TIMEOUT_MS / 1000 + SLACK_S
            for host in hosts[1:]:
                assert await story.named(host) == [200, 200]
            assert {name for name, *_ in dead.asked} == {f"{hosts[0]}.{DOMAIN}"}
            names.hanging.add(f"last.{DOMAIN}")
            assert await story.named("last") == [200, 200]

        play(server, act)
    server.assert_clean_stop(5.0)


def test_a_ttl_of_a_lifetime(start: Start) -> None:
    """It is kept no longer than the settings say."""
    ttls = {"most": 0x7FFF_FFFF, "more": 0xFFFF_FFFF}
    with name_server() as names:
        publish(names, *ttls, ttl=60)
        for host, ttl_s in ttls.items():
            names.lies[f"{host}.{DOMAIN}"] = with_ttl(ttl_s)
        server = started(start, names.address, **{"dns.cache_max_ttl_s": 600})

        async def act(story: Story) -> None:
            for host in ttls:
                assert await story.named(host) == await story.named(host) == [200, 200]

        play(server, act)
        kept = {row["name"]: row["expires_s"] for row in call(data_of(server), "dns.view") if row["type"] == "A"}
        for host in ttls:
            assert 500 < kept[f"{host}.{DOMAIN}"] <= 600
            assert names.count(f"{host}.{DOMAIN}", "A") == 1
    server.assert_clean_stop(5.0)


def with_ttl(ttl_s: int) -> Lie:
    """The right answer, with another TTL than 60 seconds."""
    return lambda _, good: [good.replace((60).to_bytes(4, "big"), ttl_s.to_bytes(4, "big"))]


def test_a_flood_of_names_is_not_kept(start: Start) -> None:
    """Somebody calls ever new names that do not exist: neither memory nor descriptors grow."""
    with name_server() as names:
        server = started(start, names.address, **{"dns.cache_negative_ttl_s": 600})
        pid = server.process.pid

        async def ask(peer: UdpPeer, numbers: range) -> None:
            for number in numbers:
                sent = request("MESSAGE", f"sip:x@n{number}.lost.{DOMAIN}:5060", peer.address)
                assert (await peer.ask(sent, server.address("udp"), 15)).status == 478

        async def act(_: Story) -> None:
            async with UdpPeer.open() as peer:
                await ask(peer, range(FLOOD))
                before, memory = sockets(pid), rss_bytes(pid)
                await ask(peer, range(FLOOD, 3 * FLOOD))
                await eventually(lambda: sockets(pid) <= before, 10)
                assert rss_bytes(pid) - memory < FLOOD_BYTES

        play(server, act)
        assert len(names.asked) >= 3 * FLOOD
        assert 0 < len(call(data_of(server), "dns.view")) <= MOST_KEPT
    server.assert_clean_stop(5.0)
