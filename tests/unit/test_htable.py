"""Hash tables, with the return codes that Kamailio gives."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.kemi import htable as ksr
from sipwright.modules.htable import HashTable, condition
from sipwright.modules.htable_rpc import HtableRpc
from sipwright.modules.htable_store import StoredTables
from sipwright.settings import Settings
from sipwright.settings.errors import SettingsError
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
    assert table.sweep(10.0) == [("a", 1)]
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


# Databases, control methods, events


def a_database(path: Path) -> str:
    with sqlite3.connect(path) as made:
        made.execute(
            "create table h (id integer primary key, key_name text, key_type int default 0, value_type int default 0, "
            "key_value text, expires int default 0)"
        )
        made.executemany(
            "insert into h (key_name, key_type, value_type, key_value, expires) values (?, ?, ?, ?, ?)",
            [
                ("t", 0, 0, "text", 0),
                ("n", 0, 1, "7", 0),
                ("a", 1, 0, "x", 0),
                ("a", 1, 1, "8", 0),
                ("old", 0, 0, "x", 9),
            ],
        )
        made.execute("create table own (k text, v1 text, v2 int)")
        made.execute("insert into own values ('k', 'a', 5)")
    return f"sqlite://{path}"


def test_tables_are_loaded_and_written_back(tmp_path: Path) -> None:
    tables = {
        "h": TableSettings(dbtable="h", dbmode=1),
        "own": TableSettings(dbtable="own", cols="'k,v1,v2'"),
        "one": TableSettings(dbtable="own", cols="k,v2"),
    }
    settings = HtableSettings(tables=tables, db_url=a_database(tmp_path / "k.db"), db_expires=True)
    host = Host(Settings(htable=settings, data_dir=tmp_path))
    ksr.configure(host)
    assert [ksr.sht_get("h", key) for key in ("t", "n", "a[0]", "a[1]", "a::size", "old")] == [
        "text",
        7,
        "x",
        8,
        2,
        None,
    ]
    assert (ksr.sht_get("own", "k"), ksr.sht_get("one", "k")) == ("a,5", 5)
    ksr.sht_rm_name_re("h", "^a")
    ksr.sht_setxs("h", "new", "v", 1000)
    host.close()
    with sqlite3.connect(tmp_path / "k.db") as made:
        rows = made.execute(
            "select key_name, value_type, key_value, expires > 1000000 from h order by key_name"
        ).fetchall()
    assert rows == [("n", 1, "7", 0), ("new", 0, "v", 1), ("t", 0, "text", 0)]


def test_a_database_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    settings = HtableSettings(tables={"h": TableSettings(dbtable="none")}, db_url=f"sqlite://{tmp_path / 'e.db'}")
    host = Host(Settings(htable=settings, data_dir=tmp_path))
    with pytest.raises(SettingsError, match="htable h: "):
        ksr.configure(host)
    host.close()


def test_reload_and_store(tmp_path: Path) -> None:
    settings = HtableSettings(tables={"h": TableSettings(dbtable="h")}, db_url=a_database(tmp_path / "k.db"))
    host = Host(Settings(htable=settings, data_dir=tmp_path))
    ksr.configure(host)
    methods = HtableRpc(ksr._tables, StoredTables(host.database(settings.db_url), settings))
    ksr.sht_sets("h", "t", "changed")
    assert methods.store("h") == "Ok. Htable stored."
    ksr.sht_reset("h")
    assert methods.reload("h") == "Ok. Htable reloaded."
    assert ksr.sht_get("h", "t") == "changed"
    host.close()


def test_control_methods_have_kamailios_shapes() -> None:
    methods = HtableRpc(ksr._tables, None)
    assert methods.seti("a", "k", 5) == "Ok. Key set to new value."
    assert methods.sets("a", "s", "foo") == "Ok. Key set to new value."
    assert methods.get("a", "k") == {"item": {"name": "k", "value": 5, "flags": 0, "expire": "NEVER"}}
    assert methods.setex("a", "s", 100) == "Ok"
    assert methods.get("a", "s") == {"item": {"name": "s", "value": "foo", "flags": 2, "expire": 100}}
    rows = [row for slot in methods.dump("a") for row in slot["slot"]]
    assert {"name": "k", "value": 5, "type": "int"} in rows
    assert methods.stats()[0]["all"] == 2
    assert methods.listTables()[0] == {
        "name": "a",
        "dbtable": "",
        "dbmode": 0,
        "expire": 0,
        "updateexpire": 1,
        "size": 256,
        "dmqreplicate": 0,
    }
    assert methods.delete("a", "s") == "Ok. Key deleted."
    assert methods.flush("a") == "Ok. Htable flushed."


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda methods: methods.dump("no"), "No such htable"),
        (lambda methods: methods.get("a", "no"), "Key name doesn't exist"),
        (lambda methods: methods.delete("a", "no"), "Key not found"),
        (lambda methods: methods.setxi("no", "k", 5, 1), "Failed to set the item"),
        (lambda methods: methods.setxs("no", "k", "x", 1), "Failed to set the item"),
        (lambda methods: methods.setex("a", "no", 1), "Key not found"),
        (lambda methods: methods.reload("a"), "No htable db_url"),
    ],
)
def test_control_methods_say_what_is_wrong(call: Callable[[HtableRpc], object], text: str) -> None:
    with pytest.raises(RpcError, match=text):
        call(HtableRpc(ksr._tables, None))


def test_control_methods_write_with_an_end() -> None:
    methods = HtableRpc(ksr._tables, None)
    methods.setxi("a", "k", 5, 60)
    methods.setxs("a", "s", "text", 60)
    methods.setxs("a", "never", "text", 0)
    ends = {key: methods.get("a", key)["item"]["expire"] for key in ("k", "s", "never")}
    assert ends == {"k": 60, "s": 60, "never": "NEVER"}


def test_counting_by_name() -> None:
    ksr.sht_sets("a", "foo1", "x")
    ksr.sht_sets("a", "foo2", "x")
    assert [ksr.sht_cn("a", "sw", "foo"), ksr.sht_cn("a", "eq", "foo1"), ksr.sht_cn("no", "eq", "x")] == [2, 1, -1]


def test_ended_items_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = HtableSettings(tables={"a": TableSettings()}, event_callback="ended")
    host = Host(Settings(htable=settings))
    ksr.configure(host)
    told: list[object] = []
    monkeypatch.setattr(host, "call", lambda function: function())
    monkeypatch.setattr(
        host,
        "run_route",
        lambda callback, event: told.append((callback, event, ksr._record("key"), ksr._record("value"))),
    )
    ksr._tables["a"].set("k", 5, 0.0, 1)
    assert ksr.sweep(host) == 1
    assert told == [("ended", "htable:expired:a", "k", 5)]
    assert ksr._record("key") is None
