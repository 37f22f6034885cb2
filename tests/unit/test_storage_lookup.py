"""Look-ups and writes that are compiled once: in every kind of database, with every kind of value, and what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sipwright.settings.database import DatabaseSettings
from sipwright.storage import prepared, reading
from sipwright.storage.database import Database
from sipwright.storage.errors import DatabaseAway, StatementError, StatementTimeout
from sipwright.storage.lookup import rows_of
from sipwright.storage.urls import read_url
from sipwright.storage.writes import Write
from support.databases import DatabaseServer
from support.process import wait_until

Open = Callable[..., Database]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, open_url: Open, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return open_url(f"sqlite://{tmp_path / 'sip.db'}")
    server = request.getfixturevalue(request.param)
    assert isinstance(server, DatabaseServer)
    return open_url(server.new_url())


@pytest.fixture
def open_url(tmp_path: Path) -> Iterator[Open]:
    opened: list[Database] = []

    def one(url: str, **settings: Any) -> Database:
        values = {"flush_ms": 10, "statement_ms": 2_000, "retry_ms": 50, **settings}
        opened.append(Database(read_url(url), tmp_path, DatabaseSettings(**values)))
        return opened[-1]

    yield one
    for database in opened:
        database.close()


def test_lookups(database: Database) -> None:
    database.create_tables(["trusted"])
    values: list[dict[str, Any]] = [
        {"src_ip": "192.0.2.1", "proto": "udp", "from_pattern": "100%", "tag": "a'b", "priority": 1},
        {"src_ip": "192.0.2.2", "proto": "udp", "from_pattern": None, "tag": None, "priority": 2},
        {"src_ip": "192.0.2.3", "proto": "tcp", "from_pattern": "é", "tag": "c", "priority": 2},
    ]
    database.apply([Write("insert", "trusted", row) for row in values])

    def found(columns: tuple[str, ...], where: dict[str, Any], limit: int | None = None) -> list[tuple[Any, ...]]:
        return sorted(rows_of(database, "trusted", columns, where, limit))

    assert found(("src_ip", "priority"), {"proto": "udp"}) == [("192.0.2.1", 1), ("192.0.2.2", 2)]
    assert found(("src_ip",), {"proto": "udp", "priority": 2}) == [("192.0.2.2",)]
    assert found(("src_ip",), {"tag": None}) == [("192.0.2.2",)]
    assert found(("tag",), {"from_pattern": "100%"}) == [("a'b",)]
    assert found(("src_ip",), {"from_pattern": "é"}) == [("192.0.2.3",)]
    assert found(("src_ip",), {"tag": "' OR 1=1 --"}) == []
    assert len(found(("src_ip",), {"proto": "udp"}, 1)) == 1
    assert len(found(("src_ip",), {})) == 3
    # The shape is known by now, the value is another.
    assert found(("src_ip", "priority"), {"proto": "tcp"}) == [("192.0.2.3", 2)]
    assert all(type(row) is tuple for row in rows_of(database, "trusted", ("tag", "tag"), {"proto": "tcp"}))


def test_a_lookup_sees_what_was_written_before_it(database: Database) -> None:
    """Connections that only read keep no snapshot."""
    database.create_tables(["grp"])
    for number in range(3):
        database.apply([Write("insert", "grp", {"username": "u", "domain": "d", "grp": f"g{number}"})])
        assert len(database.lookup("grp", ["grp"], {"username": "u"})) == number + 1


def test_the_same_shape_with_other_values(database: Database) -> None:
    """Of writes, too: their text is that of the first, their values are their own."""
    database.create_tables(["dispatcher"])
    for number in range(2):
        row: dict[str, Any] = {"setid": number, "destination": f"sip:{number}", "attrs": "100%" if number else ""}
        database.apply([Write("replace", "dispatcher", row, {"description": f"d{number}"})])
    database.apply([Write("replace", "dispatcher", {"setid": 7}, {"description": "d1"})])
    assert database.lookup("dispatcher", ["setid", "destination", "attrs"], {"description": "d1"}) == [
        (7, "sip:1", "100%")
    ]
    database.apply([Write("delete", "dispatcher", where={"description": "d0"})])
    assert database.lookup("dispatcher", ["setid"], {}) == [(7,)]


def test_mistakes(database: Database) -> None:
    with pytest.raises(StatementError):
        database.lookup("nowhere", ["x"], {"y": "z"})
    database.create_tables(["grp"])
    with pytest.raises(StatementError):
        database.lookup("grp", ["nothing"], {})
    assert database.lookup("grp", ["grp"], {}) == []
    assert database.counters()["db_away"] == 0


def test_a_slow_lookup_is_ended(open_url: Open, tmp_path: Path) -> None:
    database = open_url(f"sqlite://{tmp_path / 'sip.db'}", statement_ms=100)
    numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000000) SELECT x FROM c"
    database.sql(f"CREATE VIEW endless AS {numbers}")
    with pytest.raises(StatementTimeout):
        database.lookup("endless", ["x"], {"x": -1})


def test_a_server_that_went_away_is_found_again(mariadb: DatabaseServer, open_url: Open) -> None:
    database = open_url(mariadb.new_url())
    database.create_tables(["grp"])
    assert database.lookup("grp", ["grp"], {}) == []
    mariadb.stop()
    try:
        with pytest.raises(DatabaseAway):
            database.lookup("grp", ["grp"], {})
        assert database.counters()["db_away"] == 1
    finally:
        mariadb.start()
    wait_until(lambda: answers(database), 10, "the look-up answered again")


def answers(database: Database) -> bool:
    try:
        return database.lookup("grp", ["grp"], {}) == []
    except DatabaseAway:
        return False


def test_threads_look_up_at_once(database: Database) -> None:
    database.create_tables(["grp"])
    database.apply([Write("insert", "grp", {"username": f"u{n}", "domain": "d", "grp": f"g{n}"}) for n in range(8)])
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(20):
            found = database.lookup("grp", ["grp"], {"username": f"u{number}"}, 1)
            if found != [(f"g{number}",)]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_shapes_are_bounded(open_url: Open, tmp_path: Path) -> None:
    database = open_url(f"sqlite://{tmp_path / 'sip.db'}")
    for number in range(prepared.MAX_SHAPES + 5):
        with pytest.raises(StatementError):
            database.lookup(f"table{number}", ["x"], {})
    assert reading._prepared.cache_info().currsize == prepared.MAX_SHAPES
