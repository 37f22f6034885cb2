"""Hash tables, with the return codes that Kamailio gives."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sipwright.host import Host
from sipwright.kemi import htable as ksr
from sipwright.modules.htable import HashTable, condition
from sipwright.settings import Settings
from sipwright.settings.model import HtableSettings, TableSettings


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    settings = HtableSettings(tables={"a": TableSettings(), "b": TableSettings(initval=7)})
    ksr.configure(Host(Settings(htable=settings)))
    yield
    ksr.configure(Host(Settings()))


def test_text_and_numbers() -> None:
    assert ksr.sht_get("a", "k") is None
    assert ksr.sht_gete("a", "k") == ""
    assert ksr.sht_getw("a", "k") == "<null>"
    assert ksr.sht_sets("a", "k", "v") == 1
    assert ksr.sht_seti("a", "n", 5) == 1
    assert (ksr.sht_get("a", "k"), ksr.sht_get("a", "n")) == ("v", 5)
    assert ksr.sht_rm("a", "k") == 1
    assert ksr.sht_rm("a", "k") == 1
    assert ksr.sht_get("a", "k") is None


def test_counting() -> None:
    ksr.sht_seti("a", "n", 5)
    assert (ksr.sht_inc("a", "n"), ksr.sht_dec("a", "n"), ksr.sht_get("a", "n")) == (6, 5, 5)
    assert ksr.sht_inc("a", "new") == -255
    ksr.sht_sets("a", "text", "x")
    assert ksr.sht_inc("a", "text") == -255
    assert ksr.sht_inc("b", "x") == 8


def test_is_null_tells_apart_item_initial_value_and_table() -> None:
    ksr.sht_sets("a", "k", "v")
    assert [ksr.sht_is_null(*place) for place in (("a", "k"), ("a", "x"), ("b", "x"), ("no", "x"))] == [-1, 1, -2, 2]


def test_a_table_that_is_not_there() -> None:
    assert ksr.sht_get("no", "k") is None
    assert ksr.sht_sets("no", "k", "v") == -1
    assert ksr.sht_inc("no", "k") == -255
    assert ksr.sht_rm("no", "k") == -1
    assert ksr.sht_lock("no", "k") == -1
    assert ksr.sht_reset("no") == -1
    assert ksr.sht_iterator_start("i", "no") == -1


def test_matching_and_removing_by_name_and_value() -> None:
    ksr.sht_sets("a", "foo1", "bar1")
    ksr.sht_sets("a", "foo2", "bar2")
    ksr.sht_seti("a", "number", 1)
    assert ksr.sht_match_name("a", "sw", "foo") == 1
    assert ksr.sht_match_name("a", "eq", "foo") == -1
    assert ksr.sht_match_name("a", "re", "^f.*1$") == 1
    assert ksr.sht_match_name("a", "zz", "foo") == -1
    assert ksr.sht_match_str_value("a", "sw", "bar") == 1
    assert ksr.sht_match_str_value("a", "eq", "1") == -1
    assert ksr.sht_rm_name("a", "eq", "foo1") == 1
    assert (ksr.sht_get("a", "foo1"), ksr.sht_get("a", "foo2")) == (None, "bar2")
    assert ksr.sht_rm_value_re("a", "bar.") == 1
    assert ksr.sht_get("a", "foo2") is None
    assert ksr.sht_get("a", "number") == 1
    assert ksr.sht_reset("a") == 0
    assert ksr.sht_get("a", "number") is None


def test_iterators_go_through_a_snapshot() -> None:
    for number in range(3):
        ksr.sht_seti("a", f"k{number}", number)
    assert ksr.sht_iterator_start("i", "a") == 1
    seen = []
    while ksr.sht_iterator_next("i") == 1:
        seen.append(ksr._iterator_place("i"))
        ksr.sht_iterator_rm("i")
    assert [place[1] for place in seen if place] == ["k0", "k1", "k2"]
    assert ksr.sht_iterator_next("i") == -1
    assert ksr.sht_iterator_end("i") == 1
    assert ksr.sht_iterator_next("i") == -1
    assert ksr.tables()[0].names(0.0) == []


def test_variables() -> None:
    registered: dict[str, tuple[Any, Any]] = {}
    ksr.register_variables(lambda name, get, set_value: registered.update({name: (get, set_value)}))
    get, put = registered["sht"]
    assert put("a=>w", "1")
    assert get("a=>w", None) == "1"
    assert put("a => n", 3)
    assert get("a=>n", None) == 3
    assert registered["shtinc"][0]("a=>n", None) == 4
    assert registered["shtcn"][0]("a=>~~^[wn]$", None) == 2
    assert registered["shtex"][0]("a=>n", None) == 0
    assert put("a=>w", None)
    assert get("a=>w", None) is None


def test_items_end_with_their_time() -> None:
    table = HashTable("t", TableSettings(autoexpire_s=10))
    table.set("a", 1, now=0.0)
    table.set("b", 1, now=0.0, expires_s=100)
    assert table.expires_in("a", 4.0) == 6
    assert table.get("a", 9.9) == 1
    assert table.get("a", 10.0) is None
    assert table.sweep(10.0) == 1
    assert table.names(10.0) == ["b"]


def test_a_write_renews_an_item_unless_told_not_to() -> None:
    renewing, fixed = (HashTable("t", TableSettings(autoexpire_s=10, updateexpire=on)) for on in (True, False))
    for table in (renewing, fixed):
        table.set("a", 1, now=0.0)
        table.set("a", 2, now=8.0)
    assert renewing.get("a", 12.0) == 2
    assert fixed.get("a", 12.0) is None


def test_a_full_table_takes_no_new_item() -> None:
    table = HashTable("t", TableSettings(max_items=1))
    assert table.set("a", 1, 0.0)
    assert not table.set("b", 1, 0.0)
    assert table.set("a", 2, 0.0)


def test_counting_is_atomic() -> None:
    table = HashTable("t", TableSettings(initval=0))
    threads = [threading.Thread(target=lambda: [table.add("n", 1, 0.0) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.get("n", 0.0) == 8000


def test_a_locked_key_keeps_other_threads_out() -> None:
    table = HashTable("t", TableSettings())
    assert table.lock_key("k")
    assert table.lock_key("k"), "the same thread may lock again"
    freed: list[bool] = []
    thread = threading.Thread(target=lambda: freed.append(table.unlock_key("k")))
    thread.start()
    thread.join()
    assert freed == [False]
    assert table.unlock_key("k")
    assert table.unlock_key("k")
    assert not table.unlock_key("k")


def test_conditions() -> None:
    assert condition("re", "(") is None
    assert condition("xx", "a") is None
    ne = condition("ne", "a")
    assert ne is not None
    assert ne("b")
