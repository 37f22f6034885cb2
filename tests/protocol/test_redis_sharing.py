"""Three servers that share locations and a hash table through a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from conftest import SCRIPTS, Start
from sipwright.control.client import ControlError, call
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer
from support.process import wait_until
from support.redis_server import RedisServer
from support.servers import ROOT, Listen, Server, Sipwright

SCRIPT = "shared.py"
# How soon others know; generous, because machines that run tests are busy.
SOON_S = 8.0


class Nodes:
    """The servers, by name, and their Redis."""

    def __init__(self, start: Start, redis: RedisServer) -> None:
        self.redis = redis
        self._start = start
        self.servers: dict[str, Server] = {}

    def start(self, names: str = "ABC", url: str | None = None, **settings: object) -> Nodes:
        """Starts servers with the numbers 1, 2 and 3, and waits until each knows the others."""
        for name in names:
            self.servers[name] = self._start(
                SCRIPT,
                "udp",
                "tcp",
                settings={
                    "server_id": "ABC".index(name) + 1,
                    "usrloc.share_url": url or self.redis.url,
                    "usrloc.db_mode": 0,
                    "usrloc.timer_interval_s": 1,
                    "registrar.event_callback": "ended",
                    "registrar.min_expires_s": 1,
                    "htable.share_url": url or self.redis.url,
                    "htable.timer_interval_s": 1,
                    "htable.event_callback": "table_event",
                    "htable.tables.shared.dmqreplicate": True,
                    **settings,
                },
            )
        if url is None:
            self.wait_synced(names, len(self.servers) - 1)
        return self

    def wait_synced(self, names: str, others: int) -> None:
        for name in names:
            wait_until(partial(self._is_synced, name, others), 15.0, f"{name} is linked")

    def _is_synced(self, name: str, others: int) -> bool:
        states = [self.rpc(name, f"{module}.share") for module in ("usrloc", "htable")]
        return all(state and state["synced"] and self._alive(state) >= others for state in states)

    @staticmethod
    def _alive(state: dict[str, Any]) -> int:
        return sum(node["alive"] for node in state["nodes"])

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    def rpc(self, name: str, method: str, *parameters: object) -> Any:
        """A control method's result; None where it answers with an error."""
        try:
            return call(self.servers[name].directory / "data", method, list(parameters))
        except ControlError:
            return None

    def contacts(self, name: str, user: str) -> list[dict[str, Any]]:
        """The bindings that a server has of a user."""
        found = self.rpc(name, "ul.lookup", "location", user)
        return [row["Contact"] for row in found["Contacts"]] if found else []

    def wait(self, what: Callable[[], object], text: str) -> None:
        try:
            wait_until(lambda: bool(what()), SOON_S, text)
        except TimeoutError as error:
            states = {name: self.rpc(name, "usrloc.share") for name in self.servers}
            raise AssertionError(f"{error}: {json.dumps(states, indent=1)}") from None

    def wait_all(self, what: Callable[[str], object], text: str, names: str = "ABC") -> None:
        """Waits until it is so at each of these servers."""
        for name in names:
            self.wait(partial(what, name), f"{text} at {name}")

    def wait_registered(self, user: str, names: str = "ABC") -> None:
        self.wait_all(lambda name: self.contacts(name, user), f"{user} is known", names)

    def wait_gone(self, user: str, names: str = "ABC") -> None:
        self.wait_all(lambda name: not self.contacts(name, user), f"{user} is gone", names)

    def kill(self, name: str) -> None:
        os.kill(self.servers[name].process.pid, signal.SIGKILL)
        self.servers[name].process.popen.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def nodes(start: Start, redis: RedisServer) -> Nodes:
    """Servers of the test's own, which it starts."""
    return Nodes(start, redis)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three servers for tests that leave them as they are."""
    directory = tmp_path_factory.mktemp("three")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer(directory / "redis"))

        def start_one(script: object, *listen: str, settings: Mapping[str, object]) -> Server:
            path, number = SCRIPTS / str(script), settings["server_id"]
            addresses = [Listen(proto) for proto in listen]
            server = Sipwright(path, directory / f"sipwright{number}", addresses, 2, True, settings=settings)
            return stack.enter_context(server)

        yield Nodes(cast("Start", start_one), redis).start()


def registration(user: str, peer: UdpPeer | StreamPeer, server: Server, *, cseq: int = 1, expires: int = 600) -> Sip:
    proto = "UDP" if isinstance(peer, UdpPeer) else "TCP"
    contact = f"sip:{user}@127.0.0.1:{peer.address[1]}" + ("" if proto == "UDP" else ";transport=tcp")
    aor = f"sip:{user}@127.0.0.1:{server.port(proto.lower())}"
    extra = (("Expires", str(expires)),)
    kept = {"from_uri": aor, "to_uri": aor, "call_id": f"of-{user}", "contact": contact, "extra": extra}
    return request("REGISTER", aor.replace(f"{user}@", ""), peer.address, proto=proto, cseq=cseq, **kept)  # type: ignore[arg-type]


async def registered(user: str, peer: UdpPeer | StreamPeer, server: Server, **more: int) -> None:
    sent = registration(user, peer, server, **more)
    answer = await (peer.ask(sent, server.address("udp")) if isinstance(peer, UdpPeer) else peer.ask(sent))
    assert answer.status == 200, answer


async def called(user: str, by: Server, phone: UdpPeer | StreamPeer) -> tuple[Sip, Sip]:
    """An INVITE to the user at a server: as the phone gets it, and the answer that the caller gets."""
    async with UdpPeer.open() as caller:
        sent = request("INVITE", f"sip:{user}@127.0.0.1:{by.port('udp')}", caller.address)

        async def answer() -> Sip:
            while True:
                if isinstance(phone, UdpPeer):
                    message, source = await phone.receive()
                    if message.method == "INVITE" and message["Call-ID"] == sent["Call-ID"]:
                        phone.send(message.reply(200, "OK", "phone"), source)
                        return message
                else:
                    message = await phone.receive()
                    if message.method == "INVITE" and message["Call-ID"] == sent["Call-ID"]:
                        answer = message.reply(200, "OK", "phone")
                        contact = (("Contact", f"<sip:{user}@127.0.0.1:{phone.address[1]};transport=tcp>"),)
                        await phone.send(Sip(answer.first_line, (*answer.headers, *contact)))
                        return message

        got, final = await asyncio.gather(answer(), caller.ask(sent, by.address("udp")))
        assert final.status == 200, final
        assert by.route_calls("INVITE", sent["Call-ID"]) == 1
        return got, final


async def hung_up(by: Server, final: Sip, phone: StreamPeer) -> None:
    """ACK and BYE of the caller, along the route of the call; the phone sees both."""
    route = ", ".join(reversed([value for name, value in final.headers if name.lower() == "record-route"]))
    contact = final["Contact"].strip("<>")
    async with UdpPeer.open() as caller:
        for cseq, method in ((1, "ACK"), (2, "BYE")):
            sent = request(method, contact, caller.address, call_id=final["Call-ID"], cseq=cseq)
            same = {"From": final["From"], "To": final["To"]}
            headers = [(name, same.get(name, value)) for name, value in sent.headers]
            sent = Sip(sent.first_line, (*headers, ("Route", route)))
            caller.send(sent, by.address("udp"))
            got = await phone.receive()
            assert (got.method, got["Call-ID"]) == (method, final["Call-ID"])
        await phone.send(got.reply(200, "OK", "phone"))
        assert (await caller.final(final["Call-ID"])).status == 200


async def table(server: Server, text: str) -> str | None:
    """What the hash table has after an operation of the script (`scripts/shared.py`)."""
    async with UdpPeer.open() as peer:
        uri = f"sip:127.0.0.1:{server.port('udp')}"
        answer = await peer.ask(
            request("MESSAGE", uri, peer.address, extra=(("X-Table", text),)), server.address("udp")
        )
        assert answer.status == 200
        return answer.get("X-Value")


def value(nodes: Nodes, name: str, key: str) -> object:
    found = nodes.rpc(name, "htable.get", "shared", key)
    return found["item"]["value"] if found else None


def vias(message: Sip) -> list[str]:
    """The servers that a request came by, the last one first."""
    return [text.split()[1].partition(";")[0] for name, text in message.headers if name.lower() == "via"]


def test_registered_at_one_called_through_all(three: Nodes) -> None:
    async def run() -> None:
        async with UdpPeer.open() as phone:
            await registered("udp", phone, three["A"])
            three.wait_registered("udp")
            for name in "ABC":
                got, _ = await called("udp", three[name], phone)
                assert len(vias(got)) == 2, "a UDP contact that is not behind NAT is called directly"
            # A refresh that only prolongs is made by the engine, and is known everywhere too.
            await registered("udp", phone, three["A"], cseq=2)
            three.wait_all(lambda name: three.contacts(name, "udp")[0]["CSeq"] == 2, "the refresh is known", "BC")

    asyncio.run(run())


def test_a_phone_on_tcp_is_called_over_its_connection_through_all(three: Nodes) -> None:
    async def run() -> None:
        async with StreamPeer.open(three["A"].address("tcp")) as phone:
            await registered("tcp", phone, three["A"])
            three.wait_registered("tcp")
            for name in "BC":
                got, final = await called("tcp", three[name], phone)
                await hung_up(three[name], final, phone)
                # By the server with the connection, whose script found the contact that is asked for.
                assert len(vias(got)) == 3
                assert vias(got)[0] == f"127.0.0.1:{three['A'].port('tcp')}"
                assert got.uri == f"sip:tcp@127.0.0.1:{phone.address[1]};transport=tcp"
                assert three["A"].route_calls("INVITE", got["Call-ID"]) == 1
            got, _ = await called("tcp", three["A"], phone)
            assert len(vias(got)) == 2

    asyncio.run(run())


def test_a_phone_behind_nat_is_called_from_the_socket_that_it_knows(three: Nodes) -> None:
    async def run() -> None:
        async with UdpPeer.open() as phone:
            sent = registration("natted", phone, three["A"])
            sent = Sip(sent.first_line, (*sent.headers, ("X-NAT", "yes")))
            assert (await phone.ask(sent, three["A"].address("udp"))).status == 200
            three.wait_registered("natted")
            got, _ = await called("natted", three["B"], phone)
            assert vias(got)[0] == f"127.0.0.1:{three['A'].port('udp')}"

    asyncio.run(run())


def test_a_flow_that_is_asked_for_is_the_one_or_none(three: Nodes) -> None:
    async def run() -> None:
        async with UdpPeer.open() as phone, UdpPeer.open() as caller:
            await registered("flow", phone, three["A"])
            three.wait_registered("flow")
            [binding] = three.contacts("A", "flow")

            async def asked(name: str, ruid: str) -> int | None:
                uri = f"sip:flow@127.0.0.1:{three[name].port('udp')};share-flow={ruid}"
                return (await caller.ask(request("OPTIONS", uri, caller.address), three[name].address("udp"))).status

            async def answer() -> None:
                message, source = await phone.receive()
                phone.send(message.reply(200, "OK", "phone"), source)

            status, _ = await asyncio.gather(asked("A", binding["Ruid"]), answer())
            assert status == 200
            assert await asked("A", "uloc-1-2-3") == 404
            # B would have to ask A again; nothing goes in circles.
            assert await asked("B", binding["Ruid"]) == 404

    asyncio.run(run())


def test_a_registration_outlives_its_server(nodes: Nodes) -> None:
    nodes.start()

    async def run() -> None:
        async with UdpPeer.open() as phone:
            await registered("kept", phone, nodes["A"])
            nodes.wait_registered("kept")
            nodes.kill("A")
            await called("kept", nodes["B"], phone)
            # Started anew it has it again, from Redis.
            nodes["A"].start()
            nodes.wait_registered("kept")
            await called("kept", nodes["A"], phone)

    asyncio.run(run())


def test_removed_at_another_server(three: Nodes) -> None:
    async def run() -> None:
        async with UdpPeer.open() as phone, UdpPeer.open() as caller:
            await registered("moving", phone, three["A"])
            three.wait_registered("moving")
            await registered("moving", phone, three["B"], cseq=2, expires=0)
            three.wait_gone("moving")
            sent = request("INVITE", f"sip:moving@127.0.0.1:{three['A'].port('udp')}", caller.address)
            assert (await caller.ask(sent, three["A"].address("udp"))).status == 404
            # Registered at one server and then at another it is one contact.
            await registered("moving", phone, three["C"], cseq=3)
            three.wait_registered("moving")
            await registered("moving", phone, three["B"], cseq=4)
            three.wait_all(lambda name: [one["Server-Id"] for one in three.contacts(name, "moving")] == [2], "moved")

    asyncio.run(run())


def test_one_server_tells_of_the_end_of_a_binding(three: Nodes) -> None:
    async def run() -> None:
        async with UdpPeer.open() as phone:
            await registered("short", phone, three["A"], expires=2)
            three.wait_registered("short")

    asyncio.run(run())
    three.wait_gone("short")
    text = "ended usrloc:contact-expired short"
    three.wait(lambda: any(text in three[name].log() for name in "ABC"), "the event")
    three.wait_all(lambda name: "short" not in json.dumps(three.rpc(name, "ul.dump", "brief")), "it is swept")
    assert [text in three[name].log() for name in "ABC"] == [True, False, False]


def test_two_phones_on_tcp_ring_by_one_call_at_another_server(three: Nodes) -> None:
    async def run() -> None:
        async with (
            StreamPeer.open(three["A"].address("tcp")) as one,
            StreamPeer.open(three["A"].address("tcp")) as other,
            UdpPeer.open() as caller,
        ):
            for number, phone in enumerate((one, other)):
                sent = registration("twice", phone, three["A"])
                headers = tuple((k, f"of-twice-{number}" if k == "Call-ID" else v) for k, v in sent.headers)
                assert (await phone.ask(Sip(sent.first_line, headers))).status == 200
            three.wait(lambda: len(three.contacts("B", "twice")) == 2, "both are known")
            sent = request("INVITE", f"sip:twice@127.0.0.1:{three['B'].port('udp')}", caller.address)

            async def refuse(phone: StreamPeer) -> str:
                message = await phone.receive()
                assert message.method == "INVITE"
                await phone.send(message.reply(486, "Busy Here", "phone"))
                return message.uri

            uris = await asyncio.gather(refuse(one), refuse(other), caller.ask(sent, three["B"].address("udp")))
            assert uris[2].status == 486
            assert uris[0] != uris[1]
            assert three["A"].route_calls("INVITE", sent["Call-ID"]) == 2

    asyncio.run(run())


def test_the_state_is_as_the_reference_says(three: Nodes) -> None:
    page = (ROOT / "docs" / "reference" / "rpc.md").read_text(encoding="utf-8")
    for method in ("usrloc.share", "htable.share"):
        shown = json.loads(page.partition(f"### `{method}`")[2].partition("```json\n")[2].partition("```")[0])
        state = three.rpc("A", method)
        assert {name: type(value) for name, value in state.items()} == {
            name: type(value) for name, value in shown.items()
        }
        assert state["nodes"][0].keys() == shown["nodes"][0].keys()
        assert [node["server_id"] for node in state["nodes"]] == [2, 3]


def test_a_hash_table_is_one_for_all(three: Nodes) -> None:
    async def run() -> None:
        assert await table(three["A"], "set k v 600") == "v"
        three.wait_all(lambda name: value(three, name, "k") == "v", "the value is known", "BC")
        for name in "BC":
            assert await table(three[name], "get k") == "v"
        assert await table(three["A"], "seti n 5") == "5"
        three.wait(lambda: value(three, "B", "n") == 5, "the number is known")
        assert await table(three["B"], "inc n") == "6"
        three.wait(lambda: value(three, "A", "n") == value(three, "C", "n") == 6, "the sum is known")
        assert await table(three["C"], "rm k") == "<null>"
        three.wait(lambda: value(three, "A", "k") is None and value(three, "B", "k") is None, "it is removed")
        assert await table(three["B"], "set short v 2") == "v"
        three.wait(lambda: value(three, "A", "short") == "v", "the short one is known")
        left = three.rpc("A", "htable.get", "shared", "short")
        assert left is None or left["item"]["expire"] <= 2
        three.wait(lambda: all(value(three, name, "short") is None for name in "ABC"), "it has ended")

    asyncio.run(run())
    text = "item htable:expired:shared short"
    three.wait(lambda: text in three["B"].log(), "the event")
    three.wait_all(lambda name: three.rpc(name, "core.stats")["htable_items"] == 1, "it is swept")
    assert [text in three[name].log() for name in "ABC"] == [False, True, False]


def test_without_redis_each_goes_on_and_they_merge_after(nodes: Nodes, redis: RedisServer) -> None:
    nodes.start()

    async def run() -> None:
        async with UdpPeer.open() as one, UdpPeer.open() as other:
            await registered("before", one, nodes["A"])
            nodes.wait_registered("before")
            redis.kill()
            nodes.wait_all(lambda name: not nodes.rpc(name, "usrloc.share")["connected"], "the loss is noticed")
            await registered("at-a", one, nodes["A"])
            await registered("at-b", other, nodes["B"])
            assert await table(nodes["A"], "set of-a v 600") == "v"
            assert await table(nodes["B"], "set of-b v 600") == "v"
            # Removed here while nobody hears of it.
            await registered("before", one, nodes["B"], cseq=2, expires=0)
            for name in "AB":
                await called(f"at-{name.lower()}", nodes[name], one if name == "A" else other)
            # It comes back empty.
            redis.start()
            nodes.wait_registered("at-a")
            nodes.wait_registered("at-b")
            nodes.wait_gone("before")
            nodes.wait_all(lambda name: value(nodes, name, "of-a") == value(nodes, name, "of-b") == "v", "merged")
            await called("at-a", nodes["C"], one)
            for name in "ABC":
                log = nodes[name].log()
                assert log.count(f"usrloc: 127.0.0.1:{redis.port}/0 does not answer") == 1, "said once"
                assert log.count(f"usrloc: 127.0.0.1:{redis.port}/0 answers again") == 1

    asyncio.run(run())


def test_emptied_it_is_filled_again(nodes: Nodes, redis: RedisServer) -> None:
    nodes.start("AB")

    async def run() -> None:
        async with UdpPeer.open() as phone:
            await registered("filled", phone, nodes["A"])
            nodes.wait_registered("filled", "AB")

    asyncio.run(run())
    with redis.client() as client:
        client.flushall()
        nodes.wait(lambda: list(client.scan_iter("{sipwright}:usrloc:r:*filled*")), "the record is there again")
        [key] = client.scan_iter("{sipwright}:usrloc:r:*filled*")
        # It ends with the registration, so that what a dead server had neither goes early nor stays.
        assert 0 < client.ttl(key) <= 600
        nodes.start("C")
        nodes.wait_registered("filled", "C")


def test_all_of_them_restart_and_know_it_from_their_own_files(nodes: Nodes, redis: RedisServer) -> None:
    """Redis and all servers go: what one of them had written into its own database is known to all again."""
    settings: dict[str, object] = {"usrloc.db_mode": 1}
    nodes.start("AB", None, **settings)

    async def run() -> None:
        async with UdpPeer.open() as phone:
            await registered("kept", phone, nodes["A"])
            nodes.wait_registered("kept", "AB")
            nodes.kill("A")
            nodes.kill("B")
            redis.kill()
            redis.start()
            nodes["A"].start()
            nodes.wait_registered("kept", "A")
            nodes["B"].start()
            nodes.wait_registered("kept", "B")
            await called("kept", nodes["B"], phone)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that accepts and never answers."""
    held: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.transport.abort()


async def slowest_answer_s(server: Server, phone: UdpPeer, count: int) -> float:
    """Of so many registrations, each of them a change that has to be told."""
    slowest = 0.0
    for number in range(count):
        began = time.monotonic()
        await registered(f"user{number}", phone, server)
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def test_a_redis_that_never_answers_delays_no_response(nodes: Nodes) -> None:
    async def run() -> None:
        async with black_hole() as port, UdpPeer.open() as phone:
            server = await asyncio.to_thread(lambda: nodes.start("A", f"redis://127.0.0.1:{port}/0")["A"])
            # Well below the time after which the link gives up.
            assert await slowest_answer_s(server, phone, 100) < 1.0
            assert await table(server, "set k v 600") == "v"
            await asyncio.to_thread(server.assert_clean_stop)

    asyncio.run(run())


def test_a_redis_that_hangs_delays_no_response_and_loses_none(nodes: Nodes, redis: RedisServer) -> None:
    nodes.start("AB")

    async def run() -> None:
        async with UdpPeer.open() as phone:
            redis.hang()
            try:
                assert await slowest_answer_s(nodes["A"], phone, 100) < 1.0
            finally:
                redis.go_on()
            for number in range(100):
                nodes.wait(partial(nodes.contacts, "B", f"user{number}"), f"user{number} is known")

    asyncio.run(run())


def test_a_server_without_a_number_does_not_start(start: Start, redis: RedisServer) -> None:
    with pytest.raises(RuntimeError, match="needs a server_id"):
        start(SCRIPT, settings={"usrloc.share_url": redis.url})


def test_nothing_listens_there(nodes: Nodes) -> None:
    """Neither start nor stop wait for Redis."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = nodes.start("A", f"redis://127.0.0.1:{port}/0")["A"]
    wait_until(lambda: "does not answer, this server goes on alone" in server.log(), 5.0, "it is said")
    server.assert_clean_stop()
