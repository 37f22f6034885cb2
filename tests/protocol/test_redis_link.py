"""The link to a real Redis, of two servers in this process: what it does when connections and batches are lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sipwright._engine import Binding
from sipwright.modules.usrloc import Location, Tables, new_ruid
from sipwright.settings.usrloc import UsrlocSettings
from sipwright.sharing.link import Link
from sipwright.sharing.locations import SharedLocations
from sipwright.sharing.nodes import Nodes
from support.ports import free_port
from support.process import wait_until
from support.redis_server import RedisServer

SOON_S = 15.0
STREAM = "{sipwright}:usrloc:stream"


class Linked:
    """A location table with its link, and no server around it."""

    def __init__(self, number: int, url: str) -> None:
        settings = UsrlocSettings()
        nodes = Nodes("usrloc", number)
        self.shared = SharedLocations(lambda: self.tables, settings, nodes)
        self.tables = Tables(lambda name: Location(name, settings, sharing=self.shared))
        table = self.tables.get("location")
        assert table is not None
        self.table: Location = table
        self.link = Link(url, self.shared, nodes)

    def register(self, user: str, cseq: int = 1) -> None:
        now = int(time.time())
        contact = f"sip:{user}@192.0.2.1"
        self.table.put(Binding(user, contact, now + 600, cseq=cseq, modified_at=now, ruid=new_ruid(), server_id=1))

    def wait_for(self, *users: str) -> None:
        wait_until(lambda: all(self.table.bindings(user) for user in users), SOON_S, f"{users} are known")

    def start(self) -> None:
        self.link.start()
        wait_until(lambda: self.link.is_synced, SOON_S, "it is linked")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def pair(redis: RedisServer) -> Iterator[tuple[Linked, Linked]]:
    one, other = Linked(1, redis.url), Linked(2, redis.url)
    one.start()
    other.start()
    try:
        yield one, other
    finally:
        one.link.stop()
        other.link.stop()


def test_after_a_lost_connection_it_goes_on_where_it_was(redis: RedisServer, pair: tuple[Linked, Linked]) -> None:
    one, other = pair
    one.register("before")
    other.wait_for("before")
    with redis.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    one.register("after")
    other.wait_for("after")
    wait_until(lambda: one.link.is_synced and other.link.is_synced, SOON_S, "both are linked again")
    assert one.link.counts["failures"] >= 1
    assert other.link.counts["failures"] >= 1
    assert (one.link.counts["syncs"], other.link.counts["syncs"]) == (1, 1), "nothing had to be read anew"


def test_a_missing_batch_is_noticed(redis: RedisServer, pair: tuple[Linked, Linked]) -> None:
    _, other = pair
    third = Linked(3, redis.url)
    third.register("unseen")
    [record] = third.shared.records(third.shared.outbox.take(1))
    with redis.client() as client:
        # Stored, but its batch, number 2, never came by the stream.
        client.set(b"{sipwright}:usrloc:r:" + record.key, record.text)
        client.xadd(STREAM, {"from": "3-x 1"})
        client.xadd(STREAM, {"from": "3-x 3"})
    other.wait_for("unseen")
    wait_until(lambda: other.link.counts["syncs"] == 2, SOON_S, "everything is read again")


@pytest.mark.parametrize(("is_trimmed", "syncs"), [(False, 1), (True, 2)])
def test_who_was_away_reads_the_stream_or_all(
    redis: RedisServer, pair: tuple[Linked, Linked], is_trimmed: bool, syncs: int
) -> None:
    one, other = pair
    one.register("seen")
    other.wait_for("seen")
    other.link.stop()
    one.register("unseen")
    wait_until(lambda: one.link.counts["sent"] == 2, SOON_S, "it is sent")
    if is_trimmed:
        one.register("also")
        wait_until(lambda: one.link.counts["sent"] == 3, SOON_S, "it is sent")
        with redis.client() as client:
            client.xtrim(STREAM, maxlen=1, approximate=False)
    other.link._stopping.clear()
    other.start()
    other.wait_for("unseen")
    assert other.link.counts["syncs"] == syncs


def test_what_is_no_record_is_counted_and_passed_over(redis: RedisServer, pair: tuple[Linked, Linked]) -> None:
    one, other = pair
    with redis.client() as client:
        client.xadd(STREAM, {"from": "3-x 1", "2": "junk", "3": "0" * 41 + '{"table": "location"}', "4": b"\xff"})
    one.register("next")
    other.wait_for("next")
    assert other.link.counts["bad"] == 3
    assert other.link.is_connected


def test_more_changes_than_can_be_listed_are_all_told(redis: RedisServer, pair: tuple[Linked, Linked]) -> None:
    one, other = pair
    one.shared.outbox._most = 10
    redis.hang()
    users = [f"user{number}" for number in range(50)]
    try:
        for user in users:
            one.register(user)
        wait_until(lambda: one.shared.outbox.has_overflowed() or len(one.shared.outbox) <= 10, SOON_S, "it is bounded")
    finally:
        redis.go_on()
    other.wait_for(*users)


def test_a_removal_outlives_the_binding_in_redis_for_its_time(redis: RedisServer, pair: tuple[Linked, Linked]) -> None:
    one, other = pair
    one.register("leaving")
    other.wait_for("leaving")
    [binding] = other.table.bindings("leaving")
    other.table.remove(binding)
    wait_until(lambda: not one.table.bindings("leaving"), SOON_S, "it is removed")
    with redis.client() as client:
        [key] = client.scan_iter("{sipwright}:usrloc:r:*leaving*")
        assert 3_500 < client.ttl(key) <= 3_600
        text = client.get(key)
        assert isinstance(text, bytes)
        assert text[30:31] == b"1"


def test_a_cluster_is_asked_where_it_has_our_keys(tmp_path: Path) -> None:
    """Two nodes share the slots; whichever the URL names, the one that has ours is used."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for number in range(2):
            options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            nodes.append(stack.enter_context(RedisServer(tmp_path / f"node{number}", options=options)))
        first, second = (stack.enter_context(node.client()) for node in nodes)
        first.execute_command("CLUSTER ADDSLOTSRANGE 0 8191")
        second.execute_command("CLUSTER ADDSLOTSRANGE 8192 16383")
        bus = nodes[1].options[-1]
        first.execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port, bus)
        for client in (first, second):
            wait_until(partial(_is_whole, client), SOON_S, "the cluster is whole")
        one, other = Linked(1, nodes[0].url), Linked(2, nodes[1].url)
        one.start()
        other.start()
        stack.callback(one.link.stop)
        stack.callback(other.link.stop)
        one.register("clustered")
        other.wait_for("clustered")
        assert {one.link.counts["failures"], other.link.counts["failures"]} == {0}


def _is_whole(client: Any) -> bool:
    return bool(client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")


def test_a_stop_tells_what_waits_and_leaves(redis: RedisServer) -> None:
    one = Linked(1, redis.url)
    one.start()
    one.register("last")
    one.link.stop()
    with redis.client() as client:
        assert list(client.scan_iter("{sipwright}:usrloc:r:*last*"))
        assert not client.hexists("{sipwright}:usrloc:nodes", "1")
