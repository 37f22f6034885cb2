"""What several servers share: whatever they do, and in whatever order they hear of it, they come to the same state."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipwright._engine import Binding
from sipwright.host import Host
from sipwright.kemi import htable as ksr_htable
from sipwright.kemi import usrloc as ksr_usrloc
from sipwright.modules import usrloc
from sipwright.modules.htable import HashTable
from sipwright.modules.natping import Pinger
from sipwright.modules.usrloc import Location, Tables, match, new_ruid
from sipwright.settings import Settings
from sipwright.settings.errors import SettingsError
from sipwright.settings.model import HtableSettings, TableSettings
from sipwright.settings.nathelper import NathelperSettings
from sipwright.settings.usrloc import UsrlocSettings
from sipwright.sharing import nodes as nodes_module
from sipwright.sharing import records
from sipwright.sharing.hashes import SharedTables
from sipwright.sharing.locations import SHARED, SharedLocations, match_key
from sipwright.sharing.nodes import Nodes
from sipwright.sharing.outbox import Outbox, Tombstones

NOW = 1_800_000_000


@dataclass
class Server:
    """One server with its location table, without a link: `said` is what it would send."""

    number: int
    settings: UsrlocSettings = field(default_factory=UsrlocSettings)
    now: float = NOW

    def __post_init__(self) -> None:
        self.tables = Tables(lambda name: Location(name, self.settings, sharing=self.shared))
        self.shared = SharedLocations(lambda: self.tables, self.settings, Nodes("usrloc", self.number), self.clock)
        table = self.tables.get("location")
        assert table is not None
        self.table: Location = table

    def clock(self) -> float:
        return self.now

    def register(self, uri: str = "sip:a@192.0.2.1", cseq: int = 1, **attributes: Any) -> Binding:
        """As the registrar does it: a contact renews the binding that it matches."""
        values = {"call_id": "one", "cseq": cseq, "modified_at": int(self.now), "server_id": self.number}
        new = Binding("alice", uri, int(self.now) + 3_600, **{**values, **attributes})
        with self.table.changing("alice"):
            old = match(new, self.table.bindings("alice"), self.settings.matching_mode)
            new.ruid = old.ruid if old else new_ruid()
            self.table.put(new)
        return new

    def unregister(self, uri: str = "sip:a@192.0.2.1") -> None:
        for binding in self.table.bindings("alice"):
            if binding.uri == uri:
                self.table.remove(binding)

    def said(self) -> list[str]:
        sent = self.shared.records(self.shared.outbox.take(1_000))
        return [record.text.decode() for record in sent]

    def all(self) -> list[str]:
        return [record.text.decode() for page in self.shared.everything() for record in page]

    def hear(self, texts: list[str]) -> int:
        return sum(self.shared.apply(text) for text in texts)

    def state(self) -> list[tuple[Any, ...]]:
        """What is the same on all servers, in any order."""
        names = [*SHARED, "cseq", "modified_at"]
        return sorted(tuple(getattr(one, name) for name in names) for one in self.table.bindings("alice"))


def test_a_registration_is_known_everywhere() -> None:
    a, b = Server(1), Server(2)
    made = a.register(user_agent='phone "x" ü', path="<sip:edge;lr>", methods=7, q=500, socket="udp:192.0.2.9:5060")
    assert b.hear(a.said()) == 1
    assert b.state() == a.state()
    [copy] = b.table.bindings("alice")
    assert (copy.ruid, copy.user_agent, copy.server_id, copy.connection) == (made.ruid, 'phone "x" ü', 1, 0)
    assert b.said() == [], "what was heard is not told again"


def test_an_older_state_changes_nothing() -> None:
    a, b = Server(1), Server(2)
    a.register(cseq=1)
    old = a.said()
    a.now += 60
    a.register(cseq=2)
    assert b.hear(a.said()) == 1
    assert b.hear(old) == 0
    assert b.table.bindings("alice")[0].cseq == 2


def test_in_one_second_the_sequence_number_decides() -> None:
    a, b = Server(1), Server(2)
    a.register(cseq=7)
    b.register(cseq=6)
    one, other = a.said(), b.said()
    a.hear(other)
    b.hear(one)
    assert a.state() == b.state()
    assert a.table.bindings("alice")[0].cseq == 7


def test_a_phone_that_registers_at_two_servers_is_called_once() -> None:
    a, b = Server(1), Server(2)
    a.register(cseq=1)
    b.now += 5
    b.register(cseq=1, call_id="another")
    one, other = a.said(), b.said()
    a.hear(other)
    b.hear(one)
    assert len(a.table.bindings("alice")) == 1
    assert a.state() == b.state()
    assert a.table.bindings("alice")[0].server_id == 2


def test_what_was_removed_does_not_come_back() -> None:
    a, b, c = Server(1), Server(2), Server(3)
    a.register()
    made = a.said()
    b.hear(made)
    b.now += 10
    b.unregister()
    gone = b.said()
    assert b.hear(made) == 0
    assert a.hear(gone) == 1
    assert a.state() == []
    # The news of the removal overtake those of the registration.
    c.hear(gone)
    c.hear(made)
    assert c.state() == []
    # Who was cut off all the time hears of it by what is still remembered, not by what changes.
    late = Server(4)
    late.hear(made)
    late.hear(b.all())
    assert late.state() == []


def test_registered_again_in_the_same_second() -> None:
    """A phone that starts anew removes its binding and registers with a new Call-ID and a lower number, all at once."""
    a, b = Server(1), Server(2)
    a.register(cseq=8)
    a.unregister()
    a.register(cseq=1, call_id="new")
    texts = a.said()
    b.hear(texts)
    assert [one.call_id for one in b.table.bindings("alice")] == ["new"]
    assert b.state() == a.state()


def test_a_clock_that_is_behind_loses_no_change() -> None:
    a, b = Server(1, now=NOW + 30), Server(2)
    a.register(cseq=1)
    b.hear(a.said())
    b.register(cseq=2)
    a.hear(b.said())
    assert a.table.bindings("alice")[0].cseq == 2
    b.unregister()
    a.hear(b.said())
    assert a.state() == b.state() == []


def test_a_contact_that_loses_its_instance_keeps_one_record() -> None:
    a, b = Server(1), Server(2)
    a.register(instance="<urn:uuid:1>")
    b.hear(a.said())
    a.now += 1
    a.register(cseq=2)
    texts = a.said()
    for order in (texts, texts[::-1]):
        other = Server(3)
        other.hear(order)
        assert other.state() == a.state()
    b.hear(texts)
    assert b.state() == a.state()
    assert len(b.state()) == 1


def test_ended_bindings_are_neither_sent_nor_taken() -> None:
    a, b = Server(1), Server(2)
    a.register()
    texts = a.said()
    a.now = b.now = NOW + 4_000
    assert a.all() == []
    b.hear(texts)
    assert b.state() == []


def test_a_shorter_life_counts_too() -> None:
    """A refresh that ended meanwhile removes what an older one had left."""
    a, b = Server(1), Server(2)
    a.register()
    b.hear(a.said())
    a.now += 10
    a.register(cseq=2).expires_at = NOW + 20
    [binding] = a.table.bindings("alice")
    binding.expires_at = NOW + 20
    a.table.table.put(binding)
    a.table.refreshed("alice")
    texts = a.said()
    b.now = NOW + 30
    assert b.hear(texts) == 1
    assert b.state() == []


def test_records_live_as_long_as_what_they_say() -> None:
    a = Server(1)
    a.register()
    [(_, _, life_ms)] = a.shared.records(a.shared.outbox.take(10))
    assert life_ms == 3_600_000
    a.unregister()
    [record] = a.shared.records(a.shared.outbox.take(10))
    assert record.ttl_ms == 3_600_000
    binding = a.register(cseq=2)
    binding.expires_at = 0
    a.table.table.put(binding)
    [(_, _, life_ms)] = a.shared.records(a.shared.outbox.take(10))
    assert life_ms == 0


def test_a_full_table_takes_no_more_from_others() -> None:
    a, b = Server(1), Server(2, UsrlocSettings(max_bindings=1))
    a.register("sip:a@192.0.2.1")
    a.register("sip:a@192.0.2.2")
    assert b.hear(a.said()) == 1
    assert b.shared.refused == 1


def test_what_a_database_had_counts_unless_something_newer_is_known() -> None:
    a, b = Server(1), Server(2)
    stale = a.register(cseq=1)
    a.now += 100
    a.register(cseq=2)
    b.hear(a.said())
    b.table.restore(stale)
    assert b.table.bindings("alice")[0].cseq == 2
    fresh = Server(3)
    fresh.table.restore(stale)
    assert fresh.said() != []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 41,
        "0" * 41,
        "0" * 41 + "[]",
        "0" * 41 + "{}",
        "1" * 41 + '{"table":"location","aor":"a","q":"no"}',
        "1" * 41 + '{"table":"location","aor":"a","cflags":-1}',
    ],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, OverflowError)):
        Server(1).shared.apply(text)


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_what_matches_has_the_same_key(mode: int) -> None:
    values = ["", "x", "y"]
    bindings = [
        Binding("a", uri, 0, call_id=call, path=path, instance=instance, reg_id=flow)
        for uri in ("sip:1", "sip:2")
        for call in values
        for path in values
        for instance, flow in (("", 0), ("<i>", 1), ("<i>", 2))
    ]
    for one in bindings:
        for other in bindings:
            # A contact without an instance may renew one that has an instance; that is a change of the key.
            if bool(one.instance) == bool(other.instance):
                same = match_key(one, mode) == match_key(other, mode)
                assert same == (match(one, [other], mode) is not None)


def test_a_server_pings_only_its_own_contacts() -> None:
    class Sent:
        def __init__(self) -> None:
            self.to: list[str] = []

        def send_datagram(self, socket: int, ip: str, port: int, data: bytes, /) -> bool:
            self.to.append(ip)
            return True

    a, b, sent = Server(1, now=time.time()), Server(2, now=time.time()), Sent()
    a.register("sip:a@192.0.2.1:5060", socket="udp:127.0.0.1:5060")
    b.hear(a.said())
    b.register("sip:a@192.0.2.2:5060", socket="udp:127.0.0.1:5060")
    settings = Settings(nathelper=NathelperSettings(natping_interval_s=1))
    Pinger(settings, lambda: b.tables, sent, lambda _: 0).tick()
    assert sent.to == ["192.0.2.2"]


# A machine that is busy is no reason to fail.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


# ---- any order ---------------------------------------------------------------------------------------------------------

CONTACTS = ["sip:a@192.0.2.1", "sip:b@192.0.2.2"]
INSTANCES = ["", "<urn:uuid:1>"]
ACTIONS = st.tuples(
    st.sampled_from(["register", "register", "unregister", "hear", "wait"]),
    st.integers(0, 2),
    st.sampled_from(CONTACTS),
    st.sampled_from(INSTANCES),
    st.integers(1, 4),
)


@PATIENT
@given(st.lists(ACTIONS, max_size=25), st.randoms(use_true_random=False), st.lists(st.integers(-2, 2), min_size=3))
def test_any_order_of_locations_converges(actions: list[Any], random: Any, skews: list[int]) -> None:
    # Record ids decide between records that are equal otherwise; those of an example must be the same each time.
    usrloc._ruids = itertools.count(1)
    servers = [Server(number + 1, now=NOW + skews[number]) for number in range(3)]
    told: list[str] = []
    for what, number, uri, instance, cseq in actions:
        server = servers[number]
        if what == "register":
            server.register(uri, cseq, instance=instance, call_id=f"of {number}")
        elif what == "unregister":
            server.unregister(uri)
        elif what == "hear" and told:
            server.hear(random.sample(told, random.randint(1, len(told))))
        else:
            for one in servers:
                one.now += 1
        told += server.said()
    texts = [text for server in servers for text in [*server.all(), *server.said()]] + told
    # As it comes: some twice, each server in an order of its own, and what one has made known the others hear.
    for server in servers:
        random.shuffle(texts)
        server.hear(texts)
    assert servers[0].state() == servers[1].state() == servers[2].state()
    late = Server(4, now=servers[0].now)
    late.hear(servers[0].all())
    assert late.state() == servers[0].state()


# ---- hash tables -------------------------------------------------------------------------------------------------------


class Hashes:
    """One server with a hash table."""

    def __init__(self, number: int, clock: Callable[[], float] | None = None, **settings: Any) -> None:
        self.table = HashTable("a", TableSettings(dmqreplicate=True, **settings))
        self.shared = SharedTables({"a": self.table}, Nodes("htable", number), 3_600, clock or time.time)
        self.table.sharing = self.shared

    def said(self) -> list[str]:
        return [record.text.decode() for record in self.shared.records(self.shared.outbox.take(1_000))]

    def all(self) -> list[str]:
        return [record.text.decode() for page in self.shared.everything() for record in page]

    def hear(self, texts: list[str]) -> int:
        return sum(self.shared.apply(text) for text in texts)

    def state(self, now: float) -> dict[str, Any]:
        return {key: value for key, value, _ in self.table.items(now)}


def test_values_are_known_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    a, b = Hashes(1), Hashes(2)
    a.table.set("text", "v", clock)
    a.table.set("number", 5, clock, 60)
    a.table.set("\udcff", "any byte", clock)
    b.hear(a.said())
    assert b.state(clock) == {"text": "v", "number": 5, "\udcff": "any byte"} == a.state(clock)
    assert b.table.expires_in("number", clock) == 60
    b.table.add("number", 2, clock)
    a.hear(b.said())
    assert a.table.get("number", clock) == 7
    a.table.remove("text")
    b.hear(a.said())
    assert b.table.get("text", clock) is None
    a.table.clear()
    b.hear(a.said())
    assert b.state(clock) == {}


def test_removed_and_written_again() -> None:
    a, b = Hashes(1), Hashes(2)
    a.table.set("k", "old", 1.0)
    old = a.said()
    a.table.remove("k")
    gone = a.said()
    a.table.set("k", "new", 1.0)
    b.hear(a.said())
    b.hear(gone)
    b.hear(old)
    assert b.table.get("k", 1.0) == "new"


def test_a_reload_tells_what_is_gone() -> None:
    a, b = Hashes(1), Hashes(2)
    a.table.set("old", 1, 1.0)
    a.table.set("kept", 1, 1.0)
    b.hear(a.said())
    a.table.replace([("kept", 2, 0.0), ("new", 3, 0.0)], 1.0)
    b.hear(a.said())
    assert b.state(1.0) == {"kept": 2, "new": 3}


def test_a_full_hash_table_takes_no_more() -> None:
    a, b = Hashes(1), Hashes(2, max_items=1)
    a.table.set("x", 1, 1.0)
    a.table.set("y", 1, 1.0)
    assert b.hear(a.said()) == 1
    assert b.shared.refused == 1


def test_one_server_tells_of_an_ended_item() -> None:
    a, b = Hashes(1), Hashes(2)
    now = time.monotonic()
    a.table.set("k", "v", now, 1)
    b.hear(a.said())
    line = {"beat": "x 1"}
    b.shared.nodes.learn({b"1": json.dumps(line).encode()}, now)
    assert a.table.sweep(now + 5) == [("k", "v")]
    assert b.table.sweep(now + 5) == []
    assert len(b.table) == 0


@PATIENT
@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "add", "remove", "hear"]), st.integers(0, 2), st.sampled_from("xy")),
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_of_values_converges(actions: list[Any], random: Any) -> None:
    ticks = itertools.count(NOW)
    # Some changes are made at the same time.
    servers = [Hashes(number + 1, lambda: next(ticks) // 3 * 3) for number in range(3)]
    told: list[str] = []
    for count, (what, number, key) in enumerate(actions):
        server = servers[number]
        if what == "set":
            server.table.set(key, count, 1.0)
        elif what == "add":
            server.table.add(key, 1, 1.0)
        elif what == "remove":
            server.table.remove(key)
        elif told:
            server.hear(random.sample(told, random.randint(1, len(told))))
        told += server.said()
    texts = [text for server in servers for text in server.all()] + told
    for server in servers:
        random.shuffle(texts)
        server.hear(texts)
    assert servers[0].state(1.0) == servers[1].state(1.0) == servers[2].state(1.0)


# ---- what waits, who is there ------------------------------------------------------------------------------------------


def test_only_the_latest_state_waits_and_no_more_than_it_may() -> None:
    outbox: Outbox[int] = Outbox(3)
    for key in (1, 2, 1, 1):
        outbox.add(key)
    assert len(outbox) == 2
    assert outbox.wake.is_set()
    assert outbox.take(1) == [1]
    assert outbox.wake.is_set()
    assert outbox.take(5) == [2]
    assert not outbox.wake.is_set()
    outbox.add_all(range(5))
    assert outbox.has_overflowed()
    assert len(outbox) == 0
    outbox.everything_is_sent_from_now()
    assert not outbox.has_overflowed()
    outbox.add(1)
    assert outbox.take(5) == [1]


def test_tombstones_are_bounded_in_time_and_number() -> None:
    stones = Tombstones(10, most=2)
    for number in range(3):
        stones.put(b"%d" % number, "text", 100.0, 200.0 if number == 2 else 0.0)
    assert [stones.get(b"%d" % number) for number in range(3)] == [None, "text", "text"]
    stones.sweep(111.0)
    assert stones.keys() == [b"2"]
    assert stones.left_ms(b"2", 150.0) == 50_000
    stones.drop(b"2")
    assert len(stones) == 0


def _line(beat: str, **more: Any) -> bytes:
    return json.dumps({"beat": beat, **more}).encode()


def test_a_server_that_falls_silent_is_gone() -> None:
    nodes = Nodes("usrloc", 2)
    nodes.learn({b"1": _line("a 1", uri="sip:one"), b"3": _line("c 1"), b"junk": b"x", b"4": b"x"}, 0.0)
    assert nodes.alive(1) is not None
    assert not nodes.is_responsible(1)
    nodes.learn({b"1": _line("a 1"), b"3": _line("c 2")}, nodes_module.GONE_AFTER_S)
    assert nodes.alive(1) is None
    assert nodes.alive(3) is not None
    # Of those that are there the one with the lowest number does it.
    assert [nodes.is_responsible(number) for number in range(4)] == [True, True, True, False]
    nodes.learn({b"1": _line("a 2"), b"3": _line("c 3")}, 20.0)
    assert nodes.alive(1) is not None
    silent = {b"1": _line("a 2"), b"3": _line("c 3")}
    assert nodes.learn(silent, 20.0 + nodes_module.FORGOTTEN_AFTER_S + 1) == [b"1", b"3"]


def test_servers_with_the_same_socket_or_number(capfd: pytest.CaptureFixture[str]) -> None:
    nodes = Nodes("usrloc", 1, sockets=("udp:10.0.0.1:5060",), rules="matching_mode 0")
    nodes.learn({b"2": _line("b 1", sockets=["udp:10.0.0.2:5060"], rules="matching_mode 0")}, 0.0)
    before = nodes.has_twin
    nodes.learn({b"2": _line("b 2", sockets=["udp:10.0.0.1:5060"], rules="matching_mode 3")}, 1.0)
    assert (before, nodes.has_twin) == (False, True)
    nodes.line()
    nodes.line()
    nodes.learn({b"1": _line("somebody-else 9")}, 2.0)
    assert {"has other settings", "server_id 1 too"} <= {
        text for text in ("has other settings", "server_id 1 too") if any(text in told for told in nodes._told)
    }


# ---- settings ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def afresh() -> Iterator[None]:
    yield
    ksr_htable.configure(Host(Settings()))
    ksr_usrloc.configure(Host(Settings()))


@pytest.mark.usefixtures("afresh")
def test_settings_that_cannot_work_are_refused() -> None:
    url = "redis://:secret@127.0.0.1:1/0"
    for refused, text in [
        (UsrlocSettings(share_url=url), "server_id"),
        (UsrlocSettings(share_url=url, db_mode=3), "db_mode 3"),
        (UsrlocSettings(share_url="http://:secret@x"), "no URL of Redis"),
    ]:
        number = 0 if text == "server_id" else 1
        with pytest.raises(SettingsError, match=text) as error:
            ksr_usrloc.configure(Host(Settings(usrloc=refused, server_id=number)))
        assert "secret" not in str(error.value)
    with pytest.raises(SettingsError, match="server_id"):
        ksr_htable.configure(Host(Settings(htable=HtableSettings(share_url=url))))


@pytest.mark.usefixtures("afresh")
def test_only_tables_with_dmqreplicate_are_shared() -> None:
    tables = {"a": TableSettings(dmqreplicate=True), "b": TableSettings()}
    host = Host(Settings(htable=HtableSettings(share_url="redis://127.0.0.1:1/0", tables=tables), server_id=4))
    ksr_htable.configure(host)
    shared = {table.name: table.sharing is not None for table in ksr_htable.tables()}
    assert shared == {"a": True, "b": False}
    assert host.counters()["htable_share_connected"] == 0


def test_heads_sort_as_what_they_say() -> None:
    texts = [
        records.write(stamp, cseq, gone, {})
        for stamp in (0, 9, 10, 2**60)
        for cseq in (0, 9, 10, 2**32 - 1)
        for gone in (False, True)
    ]
    assert texts == sorted(texts)
    assert [records.read(text)[:3] for text in texts][-1] == (2**60, 2**32 - 1, True)
