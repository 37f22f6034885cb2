"""`stats.*` and `cnt.*`: how statistics are named, shown and reset."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipwright.control.rpc import RpcError
from sipwright.control.statistics import Groups, Statistics
from sipwright.host import Host
from sipwright.kemi import counters
from sipwright.settings import Settings
from sipwright.settings.small import CountersSettings


def statistics() -> tuple[Statistics, Groups]:
    groups: Groups = {
        "core": {"rcv_requests": 7, "rcv_replies": 1},
        "sl": {"sent_replies": 3},
        "shmem": {"used_size": 100},
        "dialog": {"active_dialogs": 2, "processed_dialogs": 9},
        "usrloc": {"location_contacts": 5, "location_expires": 4},
    }
    return Statistics(lambda: {group: dict(values) for group, values in groups.items()}), groups


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (("rcv_requests",), ["core:rcv_requests = 7"]),
        (("core:",), ["core:rcv_replies = 1", "core:rcv_requests = 7"]),
        (("core:rcv_replies", "sl.sent_replies"), ["core:rcv_replies = 1", "sl:sent_replies = 3"]),
        (("nothing", "nothing:", "core:nothing"), []),
    ],
)
def test_names(names: tuple[str, ...], lines: list[str]) -> None:
    assert statistics()[0].get_statistics(*names) == lines


def test_all_and_none() -> None:
    made, groups = statistics()
    assert len(made.get_statistics("all")) == sum(map(len, groups.values()))
    assert made.fetch("sl:") == {"sl.sent_replies": "3"}
    assert made.fetchn("sl:") == {"sl.sent_replies": 3}
    with pytest.raises(RpcError, match="Please provide which stats to retrieve") as error:
        made.fetch()
    assert error.value.code == 400


def test_a_reset_counts_from_then_on() -> None:
    made, groups = statistics()
    assert made.clear_statistics("core:rcv_requests") == ["core:rcv_requests = 0 (7)"]
    groups["core"]["rcv_requests"] += 2
    assert made.fetchn("rcv_requests") == {"core.rcv_requests": 2}
    made.reset_statistics("rcv_requests")
    assert made.fetchn("rcv_requests") == {"core.rcv_requests": 0}


def test_what_is_now_is_not_reset() -> None:
    made, _ = statistics()
    made.reset_statistics("all")
    now = {"dialog.active_dialogs": 2, "shmem.used_size": 100, "usrloc.location_contacts": 5}
    assert {name: value for name, value in made.fetchn("all").items() if value} == now


def test_groups() -> None:
    made, groups = statistics()
    assert made.group_names() == sorted(groups)
    assert made.of_group("core") == {"rcv_replies": 1, "rcv_requests": 7}
    assert made.names_of("sl") == ["sent_replies"]
    assert made.get("sl", "sent_replies") == 3
    with pytest.raises(RpcError, match=r"non-existent counter sl\.nothing"):
        made.get("sl", "nothing")


def test_one_is_reset() -> None:
    made, groups = statistics()
    made.reset("core", "rcv_requests")
    groups["core"]["rcv_requests"] += 1
    assert made.get("core", "rcv_requests") == 1
    made.reset("usrloc", "location_contacts")
    assert made.get("usrloc", "location_contacts") == 5
    with pytest.raises(RpcError, match=r"non-existent counter core\.nothing"):
        made.reset("core", "nothing")


@pytest.fixture
def script_counters() -> Iterator[None]:
    counters.configure(Host(Settings(counters=CountersSettings(script_counter=["calls: calls so far", "plain"]))))
    yield
    counters.configure(Host(Settings()))


@pytest.mark.usefixtures("script_counters")
def test_a_counter_of_the_script_is_reset_for_the_script_too() -> None:
    made = Statistics(lambda: {"script": {n.partition(".")[2]: v for n, v in counters.counters.all().items()}})
    for everything in (False, True):
        counters.add("calls", 5)
        if everything:
            made.reset_statistics("script:")
        else:
            made.reset("script", "calls")
        assert counters.counters.get("script.calls") == made.get("script", "calls") == 0
        counters.inc("calls")
        counters.reset("calls")
        assert made.get("script", "calls") == 0


@pytest.mark.usefixtures("script_counters")
def test_help() -> None:
    read = {"script": {"calls": 0, "plain": 0}, "sl": {"200_replies": 1}, "core": {"rcv_replies_2xx_invite": 1}}
    made = Statistics(lambda: read)
    assert made.help("script", "calls") == "calls so far"
    assert made.help("script", "plain") == "custom script counter."
    assert made.help("sl", "200_replies") == "responses 200 sent without a transaction"
    assert made.help("core", "rcv_replies_2xx_invite") == "responses of class 2 to INVITE received"
    with pytest.raises(RpcError, match="non-existent counter"):
        made.help("sl", "nothing")
