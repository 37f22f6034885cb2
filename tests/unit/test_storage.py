"""Databases of every kind: tables and versions, queries, writes behind, and a database that goes away."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.engine import URL

from sipwright.host import Host
from sipwright.settings import Settings
from sipwright.settings.database import DatabaseSettings
from sipwright.storage import tables
from sipwright.storage.connect import make_engine
from sipwright.storage.database import Database
from sipwright.storage.errors import DatabaseAway, DatabaseUrlError, StatementError, TableVersionError
from sipwright.storage.spool import Spool
from sipwright.storage.urls import masked, read_url
from sipwright.storage.writes import Write
from support.databases import DatabaseServer, kamailio_sqlite
from support.process import wait_until

KINDS = ("sqlite", "postgresql", "mariadb")
Open = Callable[..., Database]


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Open]:
    opened: list[Database] = []

    def one(url: str, **settings: Any) -> Database:
        values = {"flush_ms": 10, "statement_ms": 2_000, "retry_ms": 50, **settings}
        database = Database(read_url(url), tmp_path, DatabaseSettings(**values))
        opened.append(database)
        return database

    yield one
    for database in opened:
        database.close()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'sip.db'}"
    server = request.getfixturevalue(request.param)
    assert isinstance(server, DatabaseServer)
    return server.new_url()


# ---- URLs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite:///var/db/sip.db", "sqlite+pysqlite:////var/db/sip.db"),
        ("sqlite:////var/db/sip.db", "sqlite+pysqlite:////var/db/sip.db"),
        ("mysql://u:p@h/n", "mysql+pymysql://u:p@h/n"),
        ("mysql://u:p@h:3307/n", "mysql+pymysql://u:p@h:3307/n"),
        ("mysql://u:p@[2001:db8::1]:3307/n", "mysql+pymysql://u:p@[2001:db8::1]:3307/n"),
        ("mysql://u:a:b@c%20@h/n", "mysql+pymysql://u:a%3Ab%40c%2520@h/n"),
        ("postgres://u:p@h:5432/n", "postgresql+psycopg://u:p@h:5432/n"),
        ("postgres://h/n", "postgresql+psycopg://h/n"),
        ("postgresql://u:a%40b@h/n", "postgresql+psycopg://u:a%40b@h/n"),
        ("mariadb+pymysql://u:p@h/n", "mariadb+pymysql://u:p@h/n"),
        ("sqlite+pysqlite:////x.db", "sqlite+pysqlite:////x.db"),
    ],
)
def test_urls(text: str, expected: str) -> None:
    assert read_url(text).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("text:///etc/kamailio/dbtext", "no transactions"),
        ("unixodbc://u:p@h/n", "ODBC"),
        ("redis://h/n", "Redis"),
        ("sqlite://relative.db", "absolute"),
        ("sqlite:///", "absolute"),
        ("mysql://u:secret@h", "not understood"),
        ("mysql://u:secret@h/", "not understood"),
        ("postgresql+asyncpg://u:secret@h/n", "driver is not supported"),
        ("mssql://u:secret@h/n", "no database of that kind"),
        ("postgresql://u:secret@h", "names no database"),
        ("nothing", "a database URL is"),
        ("nonsense://x", "no database of that kind"),
    ],
)
def test_urls_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(DatabaseUrlError, match=reason) as raised:
        read_url(text)
    assert "secret" not in str(raised.value)


def test_passwords_are_not_shown() -> None:
    assert masked(read_url("mysql://u:secret@h/n")) == "mysql+pymysql://u:***@h/n"


# ---- tables --------------------------------------------------------------------------------------------------------


def test_tables_are_made_and_have_their_versions(url: str, open_database: Open) -> None:
    database = open_database(url)
    assert sorted(database.create_tables()) == sorted(tables.VERSIONS)
    for name, version in tables.VERSIONS.items():
        database.check_table(name, version)
    assert database.create_tables() == []
    assert set(database.table_columns()["subscriber"]) == {"id", "username", "domain", "password", "ha1", "ha1b"}


def test_the_same_tables_as_those_of_kamailio(tmp_path: Path) -> None:
    """Names, types, keys and versions, column by column, of the files that Debian's scripts and we make."""
    kamailio = kamailio_sqlite(tmp_path / "kamailio.db").removeprefix("sqlite://")
    ours = tmp_path / "ours.db"
    database = Database(read_url(f"sqlite://{ours}"), tmp_path, DatabaseSettings())
    database.create_tables()
    database.close()
    for name in tables.VERSIONS:
        assert layout(ours, name) == layout(Path(kamailio), name), name
    assert versions(ours).items() <= versions(Path(kamailio)).items()


def layout(path: Path, table: str) -> Any:
    with sqlite3.connect(path) as connection:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        indexes = connection.execute(f"PRAGMA index_list({table})").fetchall()
        parts = {
            (bool(unique), tuple(row[2] for row in connection.execute(f"PRAGMA index_info({index})")))
            for _, index, unique, *_ in indexes
        }
    connection.close()
    return [(name, affinity(kind), notnull, plain(default)) for _, name, kind, notnull, default, _ in columns], parts


def affinity(kind: str) -> str:
    return {"FLOAT": "REAL", "SMALLINT": "SMALLINT"}.get(kind.partition("(")[0], kind)


def plain(default: str | None) -> str | None:
    if default is None or default == "NULL":
        return None
    text = default.strip("'")
    return str(float(text)) if text.replace(".", "").lstrip("-").isdigit() else text


def versions(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as connection:
        found = dict(connection.execute("SELECT table_name, table_version FROM version").fetchall())
    connection.close()
    return found


def test_versions_that_do_not_fit(url: str, open_database: Open) -> None:
    database = open_database(url)
    with pytest.raises(TableVersionError, match=r"no row for 'subscriber'.*sipwright db create"):
        database.check_table("subscriber", 7)
    database.create_tables(["subscriber"])
    with pytest.raises(TableVersionError, match=r"has version 7, this needs 8.*upgrade-check"):
        database.check_table("subscriber", 8)
    with pytest.raises(TableVersionError, match="'location'"):
        database.check_table("location", 9)
    database.check_table("users", 7, layout="subscriber")


def test_times_are_those_of_kamailio(url: str, open_database: Open) -> None:
    database = open_database(url)
    database.create_tables(["acc", "missed_calls"])
    moment = 1_795_797_046.0
    database.apply([Write("insert", "acc", {"method": "INVITE", "time": moment})])
    row = database.first(select(tables.acc))
    assert row is not None
    assert (row.method, row.time, row.callid) == ("INVITE", moment, "")
    if url.startswith("sqlite"):
        _, rows, _ = database.sql("SELECT typeof(time), round(time, 6) FROM acc")
        assert rows == [("real", round(moment / 86400 + 2440587.5, 6))]


# ---- queries -------------------------------------------------------------------------------------------------------


def test_a_mistake_is_told_apart_from_a_database_that_is_away(url: str, open_database: Open) -> None:
    database = open_database(url)
    with pytest.raises(StatementError):
        database.sql("SELECT nothing FROM nowhere")
    with pytest.raises(StatementError):
        database.sql("SELEC 1")
    assert database.sql("SELECT 1")[1] == [(1,)]
    assert database.counters()["db_away"] == 0


def test_percent_signs_are_literal(url: str, open_database: Open) -> None:
    assert open_database(url).sql("SELECT 'a%b%s'")[1] == [("a%b%s",)]


SLOW = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000000) SELECT count(*) FROM c",
    "postgres": "SELECT pg_sleep(20)",
    "mysql": "SELECT sleep(20)",
}


def test_a_slow_statement_is_ended(url: str, open_database: Open) -> None:
    database = open_database(url, statement_ms=300)
    begin = time.monotonic()
    with pytest.raises(DatabaseAway):
        database.sql(SLOW[url.partition(":")[0]])
    assert time.monotonic() - begin < 5
    # It says nothing about the database; MySQL's driver cannot tell a slow statement from a dead server.
    assert database.counters()["db_away"] == (1 if url.startswith("mysql") else 0)
    wait_until(lambda: answers(database), 5, "the database answering again")


def answers(database: Database) -> bool:
    try:
        return database.sql("SELECT 1")[1] == [(1,)]
    except DatabaseAway:
        return False


def test_threads_share_a_database(url: str, open_database: Open) -> None:
    database = open_database(url)
    database.create_tables(["grp"])
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                database.apply([Write("insert", "grp", {"username": f"u{number}", "domain": "d", "grp": f"g{turn}"})])
                assert database.query(select(tables.grp).where(tables.grp.c.username == f"u{number}"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert database.sql("SELECT count(*) FROM grp")[1] == [(80,)]


# ---- writing behind ------------------------------------------------------------------------------------------------


def rows(database: Database, table: str, columns: str) -> list[tuple[Any, ...]]:
    return database.sql(f"SELECT {columns} FROM {table} ORDER BY id")[1]


def test_writes_of_every_kind_arrive_in_order(url: str, open_database: Open) -> None:
    database = open_database(url)
    database.create_tables(["dispatcher", "silo"])
    for number in range(3):
        database.write("insert", "dispatcher", {"setid": number, "destination": f"sip:{number}"})
    database.write("update", "dispatcher", {"flags": 8}, where={"setid": 1})
    database.write("delete", "dispatcher", where={"setid": 2})
    database.write("replace", "dispatcher", {"flags": 4}, where={"setid": 0})
    database.write("replace", "dispatcher", {"destination": "sip:9"}, where={"setid": 9})
    # Once more: MySQL counts no row as changed.
    database.write("replace", "dispatcher", {"destination": "sip:9"}, where={"setid": 9})
    database.write("insert", "silo", {"body": b"\x00\xff", "extra_hdrs": None})
    assert database.flush(5)
    expected = [(0, "sip:0", 4), (1, "sip:1", 8), (9, "sip:9", 0)]
    assert rows(database, "dispatcher", "setid, destination, flags") == expected
    assert rows(database, "silo", "body, extra_hdrs") == [(b"\x00\xff", None)]
    assert database.counters()["db_written"] == 9


def test_of_writes_with_one_key_the_last_counts(open_database: Open, tmp_path: Path) -> None:
    database = open_database(f"sqlite://{tmp_path / 'sip.db'}", flush_ms=60_000)
    database.create_tables(["location"])
    for cseq in range(100):
        database.write("replace", "location", {"cseq": cseq}, where={"ruid": "one"}, key="one")
    database.write("replace", "location", {"cseq": 7}, where={"ruid": "two"}, key="two")
    assert database.counters()["db_waiting"] == 2
    assert database.flush(5)
    assert sorted(rows(database, "location", "ruid, cseq")) == [("one", 99), ("two", 7)]
    assert database.counters()["db_coalesced"] == 99


def test_a_write_arrives_within_the_flush_interval_without_being_asked(open_database: Open, tmp_path: Path) -> None:
    database = open_database(f"sqlite://{tmp_path / 'sip.db'}", flush_ms=50)
    database.create_tables(["htable"])
    for turn in range(2):
        database.write("insert", "htable", {"key_name": f"k{turn}"})
        wait_until(lambda: database.counters()["db_written"] == turn + 1, 5, "the write")  # noqa: B023


def test_a_refused_write_does_not_hold_up_others(url: str, open_database: Open, tmp_path: Path) -> None:
    database = open_database(url)
    database.create_tables(["domain"])
    database.write("insert", "domain", {"domain": "a"})
    database.write("insert", "domain", {"domain": "a"})
    database.write("insert", "domain", {"domain": "b", "no_such_column": 1})
    database.write("insert", "nowhere", {"x": 1})
    database.write("insert", "domain", {"domain": "c"})
    assert database.flush(5)
    assert rows(database, "domain", "domain") == [("a",), ("c",)]
    counters = database.counters()
    assert (counters["db_refused"], counters["db_written"], counters["db_lost"]) == (3, 2, 0)
    (kept,) = tmp_path.glob("*.refused")
    assert [Write.from_line(line).table for line in kept.read_bytes().splitlines()] == ["domain", "domain", "nowhere"]


def test_a_full_queue_goes_to_the_file_in_order(open_database: Open, tmp_path: Path) -> None:
    database = open_database(f"sqlite://{tmp_path / 'sip.db'}", queue_limit=10, flush_ms=60_000)
    database.create_tables(["dispatcher"])
    for number in range(35):
        database.write("insert", "dispatcher", {"setid": number})
    counters = database.counters()
    assert (counters["db_spooled"], counters["db_waiting"]) == (33, 2)
    assert database.flush(5)
    assert [row[0] for row in rows(database, "dispatcher", "setid")] == list(range(35))
    assert not list(tmp_path.glob("*.spool"))


def test_what_cannot_be_written_waits_for_the_next_start(open_database: Open, tmp_path: Path) -> None:
    """The database's directory is not there: no file can be opened."""
    place = tmp_path / "later"
    place.mkdir()
    url = f"sqlite://{place / 'sip.db'}"
    first = open_database(url)
    first.create_tables(["dispatcher", "location"])
    first.close()
    shutil.move(place, tmp_path / "gone")

    away = open_database(url)
    for number in range(3):
        away.write("insert", "dispatcher", {"setid": number})
    away.write("replace", "location", {"cseq": 1}, where={"ruid": "r"}, key="r")
    wait_until(lambda: away.counters()["db_away"] == 1, 5, "the database being away")
    # Those without a key are in the file already: a crash does not lose them.
    wait_until(lambda: away.counters()["db_spooled"] == 3, 5, "the writes in the file")
    assert away.counters()["db_waiting"] == 1
    begin = time.monotonic()
    away.close()
    assert time.monotonic() - begin < 1.0
    assert len(next(iter(tmp_path.glob("*.spool"))).read_bytes().splitlines()) == 4

    shutil.move(tmp_path / "gone", place)
    back = open_database(url)
    back.start()
    assert back.flush(5)
    assert [row[0] for row in rows(back, "dispatcher", "setid")] == [0, 1, 2]
    assert rows(back, "location", "ruid, cseq") == [("r", 1)]
    assert not list(tmp_path.glob("*.spool"))


def test_a_server_that_goes_away_and_comes_back(mariadb: DatabaseServer, open_database: Open, tmp_path: Path) -> None:
    database = open_database(mariadb.new_url())
    database.create_tables(["dispatcher"])
    mariadb.stop()
    try:
        with pytest.raises(DatabaseAway):
            database.sql("SELECT 1")
        begin = time.monotonic()
        with pytest.raises(DatabaseAway):
            database.sql("SELECT 1")
        assert time.monotonic() - begin < 0.05
        database.write("insert", "dispatcher", {"setid": 5})
        wait_until(lambda: database.counters()["db_spooled"] == 1, 5, "the write in the file")
    finally:
        mariadb.start()
    wait_until(lambda: answers(database), 10, "the database answering again")
    assert database.flush(35)
    assert rows(database, "dispatcher", "setid") == [(5,)]
    assert database.counters()["db_away"] == 0


def test_the_file_of_waiting_writes(tmp_path: Path) -> None:
    target = read_url("mysql://u:secret@h/n")
    spool = Spool(tmp_path, target, 10_000)
    assert "secret" not in spool.path.name
    writes = [Write("insert", "t", {"n": number, "b": bytes([number])}) for number in range(5)]
    spool.append(writes)
    lines = spool.front(2)
    assert [line.write for line in lines] == writes[:2]
    spool.done(lines[-1].end)
    # Another process, after a crash in the middle of a line.
    with spool.path.open("ab") as file:
        file.write(b'["insert","t",{"n":')
    again = Spool(tmp_path, target, 10_000)
    again.append(writes[:1])
    assert [line.write for line in again.front(9)] == [*writes[2:], None, writes[0]]
    again.done(again.front(9)[-1].end)
    assert again.size_bytes() == 0
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from sipwright.settings.database import DatabaseSettings
from sipwright.storage.database import Database
from sipwright.storage.urls import read_url
directory = Path(sys.argv[1])
database = Database(read_url(f"sqlite://{directory / 'sip.db'}"), directory, DatabaseSettings(flush_ms=5))
database.create_tables(["dispatcher"])
print("ready", flush=True)
for number in range(10_000_000):
    database.write("insert", "dispatcher", {"setid": number})
    if number % 100 == 0:
        database.flush(5)
        print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_flushed(open_database: Open, tmp_path: Path) -> None:
    program = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    flushed = -1
    for line in program.stdout:
        flushed = int(line) if line[0].isdigit() else flushed
        if flushed >= 500:
            break
    program.kill()
    program.wait()
    program.stdout.close()
    database = open_database(f"sqlite://{tmp_path / 'sip.db'}")
    numbers = [row[0] for row in rows(database, "dispatcher", "setid")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > flushed
    assert database.sql("PRAGMA integrity_check")[1] == [("ok",)]


# ---- host ----------------------------------------------------------------------------------------------------------


def test_the_host_has_one_database_for_each_url(tmp_path: Path) -> None:
    host = Host(Settings(data_dir=tmp_path))
    url = f"sqlite://{tmp_path / 'other.db'}"
    assert host.database(url) is host.database(url)
    assert host.database() is not host.database(url)
    # Our own file gets its tables by itself, others do not.
    host.database().check_table("subscriber", 7)
    with pytest.raises(TableVersionError):
        host.database(url).check_table("subscriber", 7)
    host.database().write("insert", "subscriber", {"username": "alice"})
    host.at_stop(lambda: host.database().write("insert", "subscriber", {"username": "bob"}))
    host.close()
    with sqlite3.connect(tmp_path / "sipwright.db") as connection:
        assert connection.execute("SELECT username FROM subscriber").fetchall() == [("alice",), ("bob",)]
    connection.close()


def test_database_of_the_settings(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'named.db'}"
    host = Host(Settings.model_validate({"data_dir": tmp_path, "database": {"url": url}}))
    assert host.database() is host.database(url)
    host.close()
    with pytest.raises(ValueError, match="no transactions"):
        Settings.model_validate({"database": {"url": "text:///x"}})


def test_workers_that_come_together_get_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two objects one would never be closed, and what waits in it would be lost."""

    def slow(url: URL, settings: DatabaseSettings) -> Engine:
        time.sleep(0.05)
        return make_engine(url, settings)

    monkeypatch.setattr("sipwright.storage.database.make_engine", slow)
    host = Host(Settings(data_dir=tmp_path))
    with ThreadPoolExecutor(8) as workers:
        found = list(workers.map(lambda _: host.database(), range(8)))
    assert len({id(database) for database in found}) == 1
    host.close()


def test_a_line_that_the_disk_has_no_room_for_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, read_url(f"sqlite://{tmp_path}/full.db"), 1_000_000)
    writes = [Write("insert", "acc", {"callid": str(number)}, {}) for number in range(3)]
    write = os.write

    def half(fd: int, data: bytes) -> int:
        monkeypatch.setattr("os.write", full)
        return write(fd, data[: len(data) // 2])

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for number, one in enumerate(writes):
        monkeypatch.setattr("os.write", half)
        with pytest.raises(OSError, match="No space"):
            spool.append([one])
        assert spool.path.exists() == bool(number)
        monkeypatch.setattr("os.write", write)
        spool.append([one])
    assert [line.write and line.write.values for line in spool.front(9)] == [{"callid": str(n)} for n in range(3)]
