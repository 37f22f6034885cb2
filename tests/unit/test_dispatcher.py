"""The load balancer's sets, algorithms and states, and the functions that read and set the message."""

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipwright import _engine
from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.kemi import dispatcher as ksr
from sipwright.modules.dispatcher import (
    INACTIVE,
    PROBING,
    TRYING,
    Attributes,
    Destination,
    Group,
    ListError,
    list_rows,
    make_groups,
    parse_state,
    set_state,
    update_state,
)
from sipwright.modules.dispatcher_load import CallLoads
from sipwright.modules.dispatcher_pool import Pool, Source, is_alive
from sipwright.modules.dispatcher_rpc import DispatcherRpc
from sipwright.modules.dispatcher_select import (
    CALL_ID,
    CALL_LOAD,
    LATENCY,
    PRIORITY,
    RANDOM,
    RELATIVE_WEIGHT,
    ROUND_ROBIN,
    WEIGHT,
    Selection,
    adjusted_priority,
    hash_of,
)
from sipwright.modules.latency import Latency
from sipwright.settings import Settings
from sipwright.settings.dispatcher import DispatcherSettings

LIST = """
# gateways
1 sip:192.0.2.1:5060
1 sip:192.0.2.2:5060;transport=tcp 0 0 socket=udp:127.0.0.1:5060;class=4
1 sip:192.0.2.3 0 5 duid=c;weight=50
2 sip:192.0.2.11:5060 0 0 duid=a;maxload=1
2 sip:192.0.2.12:5060 0 0 duid=b;maxload=2
3 sip:192.0.2.21:5060 9 0
"""


def groups(text: str = LIST, strict: bool = False) -> tuple[dict[int, Group], list[str]]:
    warnings: list[str] = []
    return make_groups(list_rows(text, "ds.list"), strict=strict, warn=warnings.append), warnings


def uris(found: list[Destination]) -> list[str]:
    return [one.uri.removeprefix("sip:192.0.2.").partition(":")[0] for one in found]


def group(*lines: str) -> Group:
    return groups("\n".join(f"1 {line}" for line in lines))[0][1]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    path = tmp_path / "ds.list"
    path.write_text(LIST)
    ksr.configure(Host(Settings(dispatcher=DispatcherSettings(list_file=str(path), flags=2, ds_hash_size=4))))
    yield ksr._pool
    ksr.configure(Host(Settings()))


# The list


def test_a_set_is_sorted_by_priority_and_backwards() -> None:
    made, warnings = groups()
    assert {number: uris(one.destinations) for number, one in made.items()} == {
        1: ["3", "2", "1"],
        2: ["12", "11"],
        3: ["21"],
    }
    assert warnings == []
    second = made[1].destinations[1]
    assert (second.host, second.port, second.proto) == ("192.0.2.2", 5060, "tcp")
    assert second.attributes == Attributes("socket=udp:127.0.0.1:5060;class=4", socket="udp:127.0.0.1:5060")
    assert made[3].destinations[0].state == "IP"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("x sip:192.0.2.1", "ds.list:1: a destination is `SET URI"),
        ("1", "ds.list:1: a destination is `SET URI"),
        ("1 sip:192.0.2.1 x", "ds.list:1: flags and priority are numbers"),
    ],
)
def test_a_line_that_cannot_be_read(line: str, error: str) -> None:
    with pytest.raises(ListError, match=error.replace("[", r"\[")):
        groups(line)


@pytest.mark.parametrize("uri", ["http://x", "sip:", "sip:h:99999", "sip:h 0 0 maxload=x"])
def test_a_destination_that_is_not_valid(uri: str) -> None:
    made, warnings = groups(f"1 {uri}\n1 sip:192.0.2.1")
    assert uris(made[1].destinations) == ["1"]
    assert [warning.partition(" ")[0] for warning in warnings] == ["ds.list:1:"]
    with pytest.raises(ListError, match=r"ds\.list:1: "):
        groups(f"1 {uri}", strict=True)


# Algorithms


def test_the_hash_is_kamailios() -> None:
    """Figures of Kamailio's dispatcher.hash."""
    assert hash_of("bob", "example.com") == 3_912_952_109
    assert hash_of("bob") == 7_222_211
    assert hash_of("alice", "x.com:5070") == 1_159_070_576
    assert hash_of("") == 1


def test_a_hash_that_meets_an_inactive_destination_goes_on_to_the_next() -> None:
    one = groups()[0][1]
    assert uris(Selection(False).select(one, CALL_ID, 4)) == ["2", "1", "3"]
    set_state(one.destinations[1], INACTIVE)
    assert uris(Selection(False).select(one, CALL_ID, 4)) == ["1", "3"]


def test_round_robin_skips_inactive_ones() -> None:
    one, selection = groups()[0][1], Selection(False)
    assert [uris(selection.select(one, ROUND_ROBIN, None))[0] for _ in range(4)] == ["3", "2", "1", "3"]
    set_state(one.destinations[1], INACTIVE)
    assert [uris(selection.select(one, ROUND_ROBIN, None))[0] for _ in range(3)] == ["1", "3", "1"]
    for destination in one.destinations:
        set_state(destination, INACTIVE)
    assert selection.select(one, ROUND_ROBIN, None) == []


def test_the_default_destination_comes_last_or_alone() -> None:
    one, selection = groups()[0][1], Selection(True)
    assert [uris(selection.select(one, ROUND_ROBIN, None)) for _ in range(2)] == [["3", "2", "1"], ["2", "3", "1"]]
    for destination in one.destinations[:2]:
        set_state(destination, INACTIVE)
    assert uris(selection.select(one, ROUND_ROBIN, None)) == ["1"]


def test_the_limit_bounds_the_list() -> None:
    one = groups()[0][1]
    assert uris(Selection(False, 2).select(one, PRIORITY, None)) == ["3", "2"]
    assert uris(Selection(True, 2).select(one, PRIORITY, None)) == ["3", "2"]
    assert uris(Selection(True, 1).select(one, PRIORITY, None)) == ["3"]


def test_random_reaches_all() -> None:
    one, selection = groups()[0][1], Selection(False, 0, random.Random(1))
    assert {uris(selection.select(one, RANDOM, None))[0] for _ in range(50)} == {"1", "2", "3"}


def shares(one: Group, algorithm: int) -> Counter[str]:
    selection = Selection(False, 0, random.Random(1))
    return Counter(uris(selection.select(one, algorithm, None))[0] for _ in range(100))


def test_weights_are_per_cent_and_the_last_fills_up() -> None:
    made = group("sip:192.0.2.1 0 1 weight=30", "sip:192.0.2.2 0 2 weight=50")
    assert shares(made, WEIGHT) == {"2": 50, "1": 50}
    assert shares(group("sip:192.0.2.1", "sip:192.0.2.2"), WEIGHT) == {"2": 100}
    assert shares(group("sip:192.0.2.1 0 0 weight=100", "sip:192.0.2.2"), WEIGHT) == {"1": 100}


def test_relative_weights_are_shares_of_the_usable_ones() -> None:
    made = group("sip:192.0.2.1 0 3 rweight=1", "sip:192.0.2.2 0 2 rweight=2", "sip:192.0.2.3 0 1 rweight=1")
    assert shares(made, RELATIVE_WEIGHT) == {"1": 25, "2": 50, "3": 25}
    set_state(made.destinations[2], INACTIVE)
    made.forget_wheels()
    assert shares(made, RELATIVE_WEIGHT) == {"1": 33, "2": 67}


def test_congestion_takes_weight_away() -> None:
    made = group(*(f"sip:192.0.2.{n} 0 {3 - n} rweight=50;weight=50;cc=1" for n in (1, 2)))
    first, second = made.destinations
    first.latency = Latency(average=20, estimate=45, samples=9)
    assert shares(made, RELATIVE_WEIGHT) == {"1": 33, "2": 67}
    first.latency = Latency(average=20, estimate=90, samples=9)
    made.forget_wheels()
    assert shares(made, RELATIVE_WEIGHT) == {"2": 100}
    second.latency = Latency(average=20, estimate=160, samples=9)
    made.forget_wheels()
    assert shares(made, RELATIVE_WEIGHT) == {"1": 66, "2": 34}


def test_latency_lowers_priority() -> None:
    """The table of Kamailio's documentation."""
    made = group(*(f"sip:192.0.2.{n} 0 30" for n in range(7, 0, -1)))
    for one, estimate in zip(made.destinations, (21, 91, 61, 19, 32, 0, 201), strict=True):
        one.latency.estimate = estimate
    assert [adjusted_priority(one) for one in made.destinations] == [30, 27, 28, 30, 29, 30, 24]
    chosen = [uris(Selection(False).select(made, LATENCY, None))[0] for _ in range(6)]
    assert chosen == ["1", "4", "6", "1", "4", "6"]


def test_call_load_goes_to_the_least_loaded_that_has_room() -> None:
    one, loads = groups()[0][2], CallLoads(10)

    def choose(call: str) -> list[str]:
        found = Selection(False).select(one, CALL_LOAD, None, lambda d: loads.load(2, d.attributes.duid))
        if found:
            loads.add(call, 2, found[0].attributes.duid, 100.0)
        return uris(found)

    assert [choose(f"call {n}") for n in range(4)] == [["12", "11"], ["11", "12"], ["12"], []]
    assert loads.remove("call 1")
    assert not loads.remove("call 1")
    assert choose("call 5") == ["11"]


def test_calls_end_by_time_and_are_bounded() -> None:
    loads = CallLoads(2)
    assert loads.add("a", 1, "x", 10.0)
    assert loads.add("b", 1, "x", 10.0)
    assert not loads.add("c", 1, "x", 10.0)
    assert loads.add("b", 1, "y", 10.0)
    loads.confirm("b", 99.0)
    assert (loads.load(1, "x"), loads.load(1, "y")) == (1, 1)
    assert loads.expire(50.0) == 1
    assert (loads.load(1, "x"), loads.load(1, "y"), len(loads)) == (0, 1, 1)


def test_the_latency_is_averaged() -> None:
    latency = Latency()
    for sample in (10, 20, 30):
        latency.add(sample, 0.5)
    assert (latency.average, latency.deviation, latency.longest) == (20.0, 10.0, 30)
    assert latency.estimate == 22.5
    assert latency.congestion_ms == 2.5


# States


@pytest.mark.parametrize(("text", "flags"), [("a", 0), ("ip", 9), ("TP", 10), ("d", 4), ("zz", None), ("", 0)])
def test_states_in_letters(text: str, flags: int | None) -> None:
    assert parse_state(text) == flags


def test_failures_count_to_the_threshold_and_successes_back() -> None:
    one = Destination.make("sip:192.0.2.1", 0, 0, "")
    changes = [update_state(one, TRYING | PROBING, 3, 2) for _ in range(3)]
    assert (changes, one.state) == ([None, None, "down"], "IP")
    assert update_state(one, TRYING | PROBING, 3, 2) is None
    assert one.state == "IP"
    assert [update_state(one, PROBING, 3, 2) for _ in range(2)] == [None, "up"]
    assert one.state == "AP"


def test_marking_an_inactive_one_again_leaves_it_so() -> None:
    one = Destination.make("sip:192.0.2.1", 0, 0, "")
    assert [update_state(one, INACTIVE, 1, 1) for _ in range(2)] == ["down", None]
    assert one.state == "IX"


@pytest.mark.parametrize(
    ("code", "accepted", "alive"),
    [(200, "", True), (404, "", False), (404, "class=4", True), (404, "class=400", True), (403, "code=403", True)],
)
def test_which_responses_show_life(code: int, accepted: str, alive: bool) -> None:
    assert is_alive(code, accepted) is alive


@pytest.mark.parametrize(
    ("mode", "probed"), [(0, ["21"]), (1, ["3", "2", "1", "12", "11", "21"]), (2, ["21"]), (3, ["21"])]
)
def test_who_is_probed(pool: Pool, mode: int, probed: list[str]) -> None:
    pool.settings = pool.settings.model_copy(update={"ds_probing_mode": mode})
    assert uris([one for _, one in pool.to_ping()]) == probed
    pool.pings = False
    assert pool.to_ping() == []


def test_changes_are_told(pool: Pool) -> None:
    told: list[tuple[str, str]] = []
    pool._on_change = lambda event, one: told.append((event, one.uri))
    one = pool.groups[1].destinations[0]
    pool.ponged(1, one, 408, 0)
    pool.ponged(1, one, 408, 0)
    pool.ponged(1, one, 200, 3)
    assert told == [("dispatcher:dst-down", one.uri), ("dispatcher:dst-up", one.uri)]
    assert not pool.mark(1, "sip:nobody", INACTIVE)
    assert not pool.mark(9, one.uri, INACTIVE)


# Sources


@pytest.mark.parametrize(
    ("source", "mode", "found"),
    [
        (Source(("192.0.2.1",), 5060, "udp"), 2, 1),
        (Source(("192.0.2.1",), 5060, "udp"), 0, None),
        (Source(("192.0.2.1",), 5061, "udp"), 2, None),
        (Source(("192.0.2.1",), 5061, "udp"), 3, 1),
        (Source(("192.0.2.3",), 5099, "udp"), 2, 1),
        (Source(("192.0.2.2",), 5060, "tcp"), 0, 1),
        (Source(("192.0.2.21",), 5060, "udp"), 2, 3),
        (Source(("192.0.2.21",), 5060, "udp"), 6, None),
    ],
)
def test_sources_are_found(pool: Pool, source: Source, mode: int, found: int | None) -> None:
    matched = pool.match(-1, source, mode)
    assert (matched[0] if matched else None) == found


def test_names_are_looked_up_by_timer(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("1 sip:gw.example.com\n1 sip:srv.example.com 16\n")
    answers = {"gw.example.com": ("192.0.2.7",)}
    settings = DispatcherSettings(list_file=str(tmp_path / "l"), ds_dns_mode=4, ds_dns_interval_s=10)
    made = Pool(settings, lambda one: answers.get(one.host, ()), lambda event, one: None)
    made.load(0.0)
    source = Source(("192.0.2.7",), 5060, "udp")
    assert made.match(1, source, 2) is None
    made.look_up(1.0)
    assert made.match(1, source, 2) is not None
    answers["gw.example.com"] = ("192.0.2.8",)
    made.look_up(5.0)
    assert made.match(1, source, 2) is not None
    made.look_up(11.0)
    assert made.match(1, source, 2) is None


# Functions


@pytest.fixture
def message() -> Iterator[None]:
    _engine.begin_fake()
    yield
    _engine.end_fake()


@pytest.mark.usefixtures("message")
def test_failover_goes_through_the_set(pool: Pool) -> None:
    assert ksr.ds_select_dst(1, 8) == 1
    assert (_engine.pv_get("$du"), _engine.pv_get("$xavp(_dsctx_=>cnt)")) == ("sip:192.0.2.3", 3)
    assert _engine.pv_get("$xavp(_dsdst_[1]=>attrs)") == "socket=udp:127.0.0.1:5060;class=4"
    assert ksr.ds_mark_dst_state("ip") == 1
    assert pool.groups[1].destinations[0].state == "IP"
    assert ksr.ds_next_dst() == 1
    assert ksr.ds_next_domain() == 1
    assert _engine.pv_get("$du") == "sip:192.0.2.2:5060;transport=tcp"
    assert str(_engine.pv_get("$ru")).endswith("192.0.2.1:5060")
    assert ksr.ds_next_dst() == -1
    assert ksr.ds_next_dst() == -1
    assert ksr.ds_mark_dst() == -1


@pytest.mark.usefixtures("message", "pool")
@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda: ksr.ds_select_dst(99, 4), -1),
        (lambda: ksr.ds_select_dst(3, 4), -1),
        (lambda: ksr.ds_select_routes("3=4;1=8", "d"), 1),
        (lambda: ksr.ds_select_routes("1=8", "z"), -1),
        (lambda: ksr.ds_select_routes("x", "d"), -1),
        (lambda: ksr.ds_mark_dst_state("zz"), -1),
        (lambda: ksr.ds_mark_addr("i", 1, "SIP:192.0.2.3"), 1),
        (lambda: ksr.ds_mark_addr("i", 1, "sip:no"), -1),
        (lambda: ksr.ds_list_exists(1), 1),
        (lambda: ksr.ds_list_exists(9), -1),
        (lambda: ksr.ds_is_active(3), -1),
        (lambda: ksr.ds_is_active(1), 1),
        (lambda: ksr.ds_is_active_uri(1, "sip:192.0.2.3"), 1),
        (lambda: ksr.ds_is_from_lists(), -1),
        (lambda: ksr.ds_is_from_list_uri(1, 2, "sip:192.0.2.1:5060"), 1),
        (lambda: ksr.ds_is_from_list_uri(1, 2, "bad"), -1),
        (lambda: ksr.ds_set_dst(), -1),
        (lambda: ksr.ds_reload(), -1),
    ],
)
def test_results(call: Callable[[], int], result: int) -> None:
    assert call() == result


def test_a_reload_keeps_what_was_when_the_list_is_bad(pool: Pool) -> None:
    path = Path(pool.settings.list_file)
    path.write_text("1 sip:192.0.2.9\n")
    pool.reload(1e9)
    assert list(pool.groups) == [1]
    path.write_text("oops\n")
    with pytest.raises(ListError):
        pool.reload(2e9)
    assert uris(pool.groups[1].destinations) == ["9"]
    with pytest.raises(ListError, match="ongoing"):
        pool.reload(2e9 + 1)


# Control methods


def test_the_list_has_kamailios_shape(pool: Pool) -> None:
    methods = DispatcherRpc(pool, lambda: 0.0)
    shown = methods.list()
    assert shown["NRSETS"] == 3
    first = shown["RECORDS"][0]["SET"]
    assert (first["ID"], first["TARGETS"][0]["DEST"]["FLAGS"]) == (1, "AX")
    assert first["TARGETS"][0]["DEST"]["ATTRS"]["DUID"] == "c"
    assert "ATTRS" not in first["TARGETS"][2]["DEST"]
    assert "ATTRS" not in methods.list("short")["RECORDS"][0]["SET"]["TARGETS"][0]["DEST"]
    assert methods.list("full")["RECORDS"][0]["SET"]["TARGETS"][1]["DEST"]["PROTOID"] == 2


def test_destinations_are_added_removed_and_set(pool: Pool) -> None:
    methods = DispatcherRpc(pool, lambda: 0.0)
    methods.add(5, "sip:192.0.2.50", 1, 2, "duid=x")
    assert pool.groups[5].destinations[0].state == "IX"
    methods.set_duid_state("ap", 5, "x")
    assert pool.groups[5].destinations[0].state == "AP"
    methods.set_state("d", 5, "all")
    assert pool.groups[5].destinations[0].state == "DX"
    methods.remove(5, "sip:192.0.2.50")
    assert 5 not in pool.groups
    assert methods.ping_active() == {"OldPingState": 1}
    assert methods.ping_active(0) == {"NewPingState": 0, "OldPingState": 1}
    assert methods.hash(4, "bob", "example.com") == {"hashid": 3_912_952_109, "slot": 1}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda methods: methods.set_state("zz", 1, "all"), "Unknown State Value"),
        (lambda methods: methods.set_state("i", 1, "sip:no"), "State Update Failed"),
        (lambda methods: methods.set_duid_state("i", 1, "no"), "State Update Failed"),
        (lambda methods: methods.add(1, "bad"), "Adding Failed"),
        (lambda methods: methods.reload(), "Reload Failed"),
    ],
)
def test_errors_are_told(pool: Pool, call: Callable[[DispatcherRpc], object], text: str) -> None:
    methods = DispatcherRpc(pool, lambda: 1.0)
    pool._loaded_at = 0.5
    with pytest.raises(RpcError, match=text):
        call(methods)


# The table


def test_destinations_from_a_table(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'k.db'}"
    with sqlite3.connect(tmp_path / "k.db") as made:
        made.execute("create table gws (grp int, uri text, flags int, priority int, attrs text, pipe text)")
        made.execute(
            "insert into gws values (4, 'sip:192.0.2.1', 1, 2, 'duid=x;', 'p'), (4, 'sip:192.0.2.2', 0, 0, '', '')"
        )
    settings = DispatcherSettings(
        db_url=url,
        table_name="gws",
        setid_col="grp",
        destination_col="uri",
        ds_db_extra_attrs="pipe=pipe",
        ds_attrs_none=True,
    )
    host = Host(Settings(dispatcher=settings, data_dir=tmp_path))
    try:
        ksr.configure(host)
        first, second = ksr._pool.groups[4].destinations
        assert (first.uri, first.state, first.priority, first.attributes.body) == (
            "sip:192.0.2.1",
            "IX",
            2,
            "duid=x;pipe=p",
        )
        assert second.attributes.body == "none=yes"
    finally:
        host.close()
        ksr.configure(Host(Settings()))


def test_what_led_to_an_event_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[object, object, object]] = []

    class Told(Host):
        def call(self, function: Callable[[], object]) -> bool:
            function()
            return True

        def run_route(self, callback: str, event: str) -> bool:
            told.append((event, ksr._told("code"), ksr._told("reason")))
            return True

    host = Told(Settings(dispatcher=DispatcherSettings(event_callback="down")))
    _engine.begin_fake()
    monkeypatch.setattr(ksr._answers, "heard", (503, "Busy"), raising=False)
    ksr._tell(host, "dispatcher:dst-down", "sip:192.0.2.1")
    monkeypatch.setattr(ksr._answers, "heard", None)
    ksr._tell(host, "dispatcher:dst-up", "sip:192.0.2.1")
    _engine.end_fake()
    assert told == [("dispatcher:dst-down", 503, "Busy"), ("dispatcher:dst-up", None, None)]
    assert ksr._told("code") is None
