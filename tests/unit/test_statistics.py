"""`stats.*` and `cnt.*`: how statistics are named, shown and reset."""

from __future__ import annotations

import pytest

from sipwright.control.rpc import RpcError
from sipwright.control.statistics import Groups, Statistics


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
