"""Records of calls: what is written when, and in which form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipwright import log
from sipwright.modules.cdr import Cdrs, line
from sipwright.modules.dialog import (
    ACKNOWLEDGED,
    CLOSED,
    CREATED,
    ENDED,
    EXPIRED,
    FAILED,
    LOADED,
    TERMINATED,
    Dialog,
    Leg,
)
from sipwright.settings.acc import AccSettings
from sipwright.settings.database import DatabaseSettings
from sipwright.storage.database import Database
from sipwright.storage.urls import read_url

START = 1_795_799_695.25


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(read_url(f"sqlite://{tmp_path}/cdr.db"), tmp_path, DatabaseSettings())
    found.create_tables()
    found.sql("ALTER TABLE acc_cdrs ADD COLUMN caller VARCHAR(64)")
    yield found
    found.close()


class Call:
    """A dialog whose events come at given times."""

    def __init__(
        self, database: Database, written: list[str], monkeypatch: pytest.MonkeyPatch, **settings: Any
    ) -> None:
        self.at, self.set_by = START, 0.0
        self.dialog = Dialog(1, 1, 1, "call", "sip:a@x", "sip:b@x", "sip:b@x", Leg("a"), 0, 0)
        acc = AccSettings(cdr_enable=True, **settings)
        self.cdrs = Cdrs(acc, lambda: database, lambda variable: f"value of {variable}", self.wall, lambda: self.at)
        monkeypatch.setattr(log, "write", lambda _level, text: written.append(text))

    def wall(self) -> float:
        return self.at + self.set_by

    def tell(self, *events: str, after_s: float = 0.0) -> None:
        self.at += after_s
        for event in events:
            self.cdrs(event, self.dialog)


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.fixture
def make(database: Database, written: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **settings: Call(database, written, monkeypatch, **settings)


def rows(database: Database, columns: str = "start_time, end_time, duration, caller") -> list[tuple[Any, ...]]:
    assert database.flush(5)
    return database.sql(f"SELECT {columns} FROM acc_cdrs ORDER BY id")[1]


def test_a_call_leaves_one_record(make: Any, database: Database, written: list[str]) -> None:
    call = make(cdrs_table="acc_cdrs", cdr_extra="caller=$dlg_var(caller)")
    call.tell(CREATED)
    call.tell(ACKNOWLEDGED, after_s=5)
    call.tell(TERMINATED, after_s=30.5)
    call.tell(CLOSED, after_s=1)
    assert written == [
        "start_time=1795799695.250000; end_time=1795799730.750000; duration=35.500000; caller=value of $dlg_var(caller)"
    ]
    ((start, end, duration, caller),) = rows(database)
    days = [round((one - 2440587.5) * 86400) for one in (start, end)]
    assert (days, duration, caller) == ([1795799695, 1795799730], 35.5, "value of $dlg_var(caller)")
    assert call.cdrs.records == 1


def test_a_call_may_start_with_its_ack(make: Any, written: list[str]) -> None:
    call = make(cdr_start_on_confirmed=True)
    call.tell(CREATED)
    call.tell(ACKNOWLEDGED, after_s=5)
    call.tell(TERMINATED, CLOSED, after_s=2)
    assert written == ["start_time=1795799700.250000; end_time=1795799702.250000; duration=2.000000"]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_call_that_is_not_answered(make: Any, written: list[str], wanted: bool) -> None:
    call = make(cdr_on_failed=wanted)
    call.tell(CREATED)
    call.tell(FAILED, after_s=5)
    expected = ["start_time=1795799695.250000; end_time=1795799695.250000; duration=0"]
    assert written == (expected if wanted else [])


def test_a_call_that_is_ended_from_here_has_no_message(make: Any, written: list[str]) -> None:
    call = make(cdr_extra="caller=$(dlg_var(caller));code=$rs")
    call.tell(CREATED)
    call.dialog.variables["caller"] = "alice"
    call.tell(ENDED, after_s=2)
    assert written == [
        "start_time=1795799695.250000; end_time=1795799697.250000; duration=2.000000; caller=alice; code="
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_timeout_has_no_message(make: Any, written: list[str], wanted: bool) -> None:
    call = make(cdr_expired_dlg_enable=wanted, cdr_extra="caller=$dlg_var(caller);code=$rs")
    call.tell(CREATED)
    call.dialog.variables["caller"] = "alice"
    call.tell(EXPIRED, after_s=60)
    expected = ["start_time=1795799695.250000; end_time=1795799755.250000; duration=60.000000; caller=alice; code="]
    assert written == (expected if wanted else [])


def test_the_start_outlives_a_restart(make: Any, written: list[str]) -> None:
    call = make()
    call.tell(CREATED)
    again = make()
    again.dialog.variables = dict(call.dialog.variables)
    again.tell(LOADED, TERMINATED, CLOSED, after_s=10)
    assert written == ["start_time=1795799695.250000; end_time=1795799705.250000; duration=10.000000"]


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_setting_the_clock_makes_no_call_longer(make: Any, written: list[str], jump_s: int) -> None:
    call = make()
    call.tell(CREATED)
    call.set_by = jump_s
    call.tell(TERMINATED, CLOSED, after_s=10)
    end = START + jump_s + 10
    assert written == [f"start_time=1795799695.250000; end_time={end:.6f}; duration=10.000000"]


def test_a_dialog_that_was_not_made_here_with_records_leaves_none(make: Any, written: list[str]) -> None:
    call = make()
    call.tell(LOADED, CLOSED)
    assert written == []


def test_records_that_are_not_wanted(make: Any, database: Database, written: list[str]) -> None:
    call = make(cdr_skip="nocdr", cdrs_table="acc_cdrs")
    call.tell(CREATED)
    call.dialog.variables["nocdr"] = "1"
    call.tell(TERMINATED, CLOSED)
    quiet = make(cdr_log_enable=False, cdrs_table="acc_cdrs")
    quiet.tell(CREATED, TERMINATED, CLOSED)
    assert written == []
    assert len(rows(database)) == 1


def test_other_names(make: Any, database: Database, written: list[str]) -> None:
    database.sql("CREATE TABLE mine (begun TIMESTAMP, done TIMESTAMP, lasted REAL)")
    names = {"cdr_start_id": "begun", "cdr_end_id": "done", "cdr_duration_id": "lasted"}
    call = make(cdrs_table="mine", **names)
    call.tell(CREATED, TERMINATED, CLOSED)
    assert written == ["begun=1795799695.250000; done=1795799695.250000; lasted=0.000000"]
    assert database.flush(5)
    ((begun, lasted),) = database.sql("SELECT begun, lasted FROM mine")[1]
    assert abs((begun - 2440587.5) * 86400 - int(START)) < 0.01
    assert lasted == 0.0


def test_no_value_makes_a_second_line() -> None:
    assert "\n" not in line([("a", "x\r\nforged"), ("b", None), ("c", 3)])


def test_the_default_clock_is_that_of_the_machine(database: Database) -> None:
    dialog = Dialog(1, 1, 1, "call", "", "", "", Leg("a"), 0, 0)
    Cdrs(AccSettings(cdr_enable=True), lambda: database, lambda _: None)(CREATED, dialog)
    assert abs(float(dialog.variables["start_time"]) - time.time()) < 5
