"""Dialogs in a database: what is written when, and what is read, with SQLite and without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sipwright.host import Host
from sipwright.modules.dialog import CONFIRMED, CONFIRMED_NO_ACK, EARLY, LOADED, Dialog, Leg
from sipwright.modules.dialog_rows import Rows
from sipwright.modules.dialog_store import Store
from sipwright.modules.dialog_track import Tracker
from sipwright.modules.steady import SteadyClock
from sipwright.settings.model import Settings
from sipwright.storage.errors import DatabaseAway, TableVersionError

NOW = 1_795_799_695
COLUMNS = "callid, state, timeout, caller_route_set, iflags, sflags, toroute_name, xdata"


class Node:
    """A tracker with its store, and its database."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        # What the clock of the machine was set by since the start.
        self.set_by = 0
        self.host = Host(
            Settings.model_validate(
                {
                    "data_dir": directory,
                    "dialog": {"db_mode": 1, "profiles_with_value": "caller", "profiles_no_value": "plain", **settings},
                }
            )
        )
        self.tracker = Tracker(self.host, SteadyClock(lambda: NOW + self.set_by, lambda: 0.0))
        self.store = self.tracker.store = Store(self.tracker, self.host)
        self.database = self.host.database(self.host.settings.dialog.db_url)
        self.events: list[tuple[str, str]] = []
        self.host.on_dialog(lambda event, one: self.events.append((event, one.call_id)))

    def dialog(self, call_id: str = "call") -> Dialog:
        caller = Leg("a", "sip:a@192.0.2.1", 7, ("<sip:p1;lr>", '"x, y" <sip:p2;lr>'), "udp:127.0.0.1:5060")
        made = self.tracker.dialogs.create(call_id, "sip:a@x", "sip:b@x", "sip:b@y", caller, 100, NOW)
        assert made is not None
        made.callee = Leg("b", "sip:b@192.0.2.2", 0, (), "udp:127.0.0.1:5060")
        made.start_ts, made.deadline, made.sflags, made.iflags, made.toroute = NOW, NOW + 100, 1 << 31 | 1, 5, "late"
        made.variables = {"x": "1", "y": "2"}
        self.tracker.dialogs.join(made, "caller", "alice")
        self.tracker.dialogs.join(made, "plain", "")
        self.tracker.dialogs.move(made, CONFIRMED)
        self.tracker.changed(made)
        return made

    def rows(self, query: str = f"SELECT {COLUMNS} FROM dialog ORDER BY id") -> list[tuple[Any, ...]]:
        assert self.database.flush(5)
        return self.database.sql(query)[1]

    def variables(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT dialog_key, dialog_value FROM dialog_vars ORDER BY dialog_key")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(**settings: Any) -> Node:
        made.append(Node(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.host.close()


def test_what_is_written_is_read(node: Callable[..., Node]) -> None:
    first = node()
    made = first.dialog()
    assert first.rows() == []
    first.store.hand_over()
    assert first.rows() == [
        (
            "call",
            4,
            NOW + 100,
            '<sip:p1;lr>,"x, y" <sip:p2;lr>',
            5,
            -(1 << 31) + 1,
            "late",
            '{"profiles":[{"name":"caller","value":"alice"},{"name":"plain"}]}',
        )
    ]
    second = node()
    second.store.load()
    (found,) = second.tracker.dialogs
    for name in ("h_entry", "h_id", "call_id", "from_uri", "to_uri", "req_uri", "caller", "callee", "state"):
        assert getattr(found, name) == getattr(made, name), name
    for name in ("start_ts", "deadline", "lifetime", "sflags", "iflags", "toroute", "profiles", "variables"):
        assert getattr(found, name) == getattr(made, name), name
    assert second.tracker.dialogs.size("caller", "alice") == 1
    assert second.tracker.dialogs.find("call", "a", "b") is found
    assert second.events == [(LOADED, "call")]


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_rows_go_by_the_clock_as_it_is_now(node: Callable[..., Node], jump_s: int) -> None:
    """Here a dialog has as much time left as before, and so it has in a server that reads the row."""
    first = node()
    made = first.dialog()
    first.set_by = jump_s
    first.store.hand_over()
    assert made.deadline == NOW + 100
    assert first.rows("SELECT start_time, timeout FROM dialog") == [(NOW + jump_s, NOW + jump_s + 100)]
    second = node()
    second.set_by = jump_s
    second.store.load()
    (found,) = second.tracker.dialogs
    assert (found.start_ts, found.deadline, found.lifetime) == (NOW, NOW + 100, 100)
    second.tracker.timers.sweep()
    assert len(second.tracker.dialogs) == 1


def test_only_what_has_changed_is_written(node: Callable[..., Node]) -> None:
    one = node()
    made = one.dialog()
    one.store.hand_over()
    assert one.variables() == [("x", "1"), ("y", "2")]
    written = one.database.counters()["db_written"]
    one.store.hand_over()
    one.tracker.changed(made)
    del made.variables["x"]
    made.variables["y"] = "3"
    one.store.hand_over()
    assert one.variables() == [("y", "3")]
    assert one.database.counters()["db_written"] == written + 3


def test_a_dialog_that_ends_takes_its_rows_with_it(node: Callable[..., Node]) -> None:
    one = node()
    made = one.dialog()
    one.store.hand_over()
    assert one.tracker.end(made)
    one.store.hand_over_ends()
    assert one.rows() == one.variables() == []
    one.tracker.forget(made)
    one.store.hand_over()
    assert one.rows() == []


def test_one_that_ends_before_it_is_written_is_never_written(node: Callable[..., Node]) -> None:
    one = node()
    assert one.tracker.end(one.dialog())
    one.store.hand_over()
    assert one.rows() == []
    assert one.database.counters()["db_written"] == 0


def test_calls_that_are_not_answered_are_not_written(node: Callable[..., Node]) -> None:
    one = node()
    made = one.tracker.dialogs.create("call", "", "", "", Leg("a"), 100, NOW)
    assert made is not None
    one.tracker.dialogs.move(made, EARLY)
    one.tracker.changed(made)
    one.store.hand_over()
    assert one.rows() == []
    one.tracker.dialogs.move(made, CONFIRMED_NO_ACK)
    one.tracker.changed(made)
    one.store.hand_over()
    assert len(one.rows()) == 1


def test_mode_3_writes_at_the_stop_and_owns_what_it_read(node: Callable[..., Node]) -> None:
    first = node(db_mode=3)
    first.dialog()
    first.store.hand_over()
    assert first.rows() == []
    first.host.close()
    second = node(db_mode=3)
    assert len(second.rows()) == 1
    second.store.load()
    assert len(second.tracker.dialogs) == 1
    assert second.rows() == second.variables() == []


def test_other_names_of_tables_and_columns(node: Callable[..., Node], tmp_path: Path) -> None:
    names = {
        "db_url": f"sqlite://{tmp_path}/other.db",
        "table_name": "calls",
        "vars_table_name": "values_of_calls",
        "call_id_column": "cid",
        "h_entry_column": "entry",
        "vars_key_column": "name_of_it",
    }
    one = node(**names)
    one.database.create_tables()
    for old, new, changes in (
        ("dialog", "calls", (("callid", "cid"), ("hash_entry", "entry"))),
        ("dialog_vars", "values_of_calls", (("dialog_key", "name_of_it"),)),
    ):
        one.database.sql(f"ALTER TABLE {old} RENAME TO {new}")
        for before, after in changes:
            one.database.sql(f"ALTER TABLE {new} RENAME COLUMN {before} TO {after}")
    one.dialog()
    one.store.hand_over()
    assert one.rows("SELECT cid FROM calls") == [("call",)]
    other = node(**names)
    other.store.load()
    assert [found.variables for found in other.tracker.dialogs] == [{"x": "1", "y": "2"}]


def test_dialogs_of_another_node(node: Callable[..., Node]) -> None:
    first, second = node(), node()
    made = [first.dialog(call_id) for call_id in ("one", "two", "three")]
    first.store.hand_over()
    assert first.database.flush(5)
    assert second.store.load_call("two") == 1
    assert second.store.load_call("two") == second.store.load_call("four") == 0
    found = second.tracker.dialogs.find("two", "a", "b")
    assert found is not None
    assert found.variables == made[1].variables
    assert second.store.load_extra() == 2
    assert len(second.tracker.dialogs) == 3


def test_many_are_read_page_by_page(node: Callable[..., Node]) -> None:
    first = node()
    for number in range(25):
        first.dialog(f"call{number}")
    first.store.hand_over()
    assert first.database.flush(5)
    second = node(db_fetch_rows=10)
    second.store.load()
    assert len(second.tracker.dialogs) == 25
    third = node(db_fetch_rows=0)
    third.store.load()
    assert len(third.tracker.dialogs) == 25


def test_rows_that_make_no_sense_are_left_out(node: Callable[..., Node]) -> None:
    first = node()
    for call_id in ("good", "bad", "odd"):
        first.dialog(call_id)
    first.store.hand_over()
    assert len(first.rows()) == 3
    first.database.sql("UPDATE dialog SET state = 'x' WHERE callid = 'bad'")
    first.database.sql("UPDATE dialog SET xdata = '{', caller_cseq = 'x' WHERE callid = 'odd'")
    second = node()
    second.store.load()
    assert {one.call_id: one.profiles for one in second.tracker.dialogs} == {
        "good": [("caller", "alice"), ("plain", "")],
        "odd": [],
    }


def test_nothing_is_read_with_db_skip_load(node: Callable[..., Node]) -> None:
    first = node()
    first.dialog()
    first.store.hand_over()
    assert first.database.flush(5)
    second = node(db_skip_load=True)
    second.store.load()
    assert len(second.tracker.dialogs) == 0
    assert not second.store.is_loading


def test_another_version_is_refused(node: Callable[..., Node]) -> None:
    one = node()
    one.database.create_tables()
    one.database.sql("UPDATE version SET table_version = 6 WHERE table_name = 'dialog'")
    with pytest.raises(TableVersionError, match="version 6"):
        one.store.load()


def test_while_the_database_is_away_a_request_asks_for_its_own(
    node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = node()
    first.dialog("one")
    first.dialog("two")
    first.store.hand_over()
    assert first.database.flush(5)
    second = node()
    real = Rows.check

    def away(_rows: Rows) -> None:
        raise DatabaseAway("away")

    monkeypatch.setattr(Rows, "check", away)
    second.store.load()
    assert second.store.is_loading
    second.store.need("one", is_within=False)
    assert len(second.tracker.dialogs) == 0
    second.store.need("one", is_within=True)
    assert [one.call_id for one in second.tracker.dialogs] == ["one"]
    # It ends before the rest is read, and is not read again.
    (found,) = second.tracker.dialogs
    second.tracker.end(found)
    second.tracker.forget(found)
    monkeypatch.setattr(Rows, "check", real)
    second.store._load_all()
    assert [one.call_id for one in second.tracker.dialogs] == ["two"]
