"""`sipwright db` and `sipwright user`: in all three kinds of databases, and in one that Kamailio's scripts made."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipwright.cli import main
from sipwright.modules.digest import ha1
from support.databases import DatabaseServer, kamailio_sqlite


def run(*arguments: str, input: str = "") -> Result:
    return CliRunner().invoke(main, list(arguments), input=input, catch_exceptions=False)


def ok(*arguments: str, input: str = "") -> str:
    result = run(*arguments, input=input)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(params=["sqlite", "kamailio", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "kamailio":
        return kamailio_sqlite(tmp_path / "kamailio.db")
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'sip.db'}"
    server = request.getfixturevalue(request.param)
    assert isinstance(server, DatabaseServer)
    return server.new_url()


def rows(url: str, *arguments: str) -> Any:
    return json.loads(ok(*arguments, "--url", url, "--output", "json"))


def test_users_come_and_go(url: str) -> None:
    ok("db", "create", "--url", url)
    assert rows(url, "user", "list") == []
    ok("user", "add", "alice@example.com", "--url", url, "--password-stdin", input="secret\n")
    ok("user", "add", "bob@example.org", "--url", url, "--plain", input="pass word\npass word\n")
    assert rows(url, "user", "list") == [
        {"username": "alice", "domain": "example.com", "ha1": "MD5", "plain": "no"},
        {"username": "bob", "domain": "example.org", "ha1": "MD5", "plain": "yes"},
    ]
    assert [row["username"] for row in rows(url, "user", "list", "--domain", "example.org")] == ["bob"]
    assert rows(url, "user", "show", "bob@example.org")[0]["plain"] == "yes"
    ok("user", "passwd", "bob@example.org", "--url", url, "--password-stdin", "--algorithm", "SHA-256", input="new\n")
    assert rows(url, "user", "show", "bob@example.org") == [
        {"username": "bob", "domain": "example.org", "ha1": "SHA-256 or SHA-512-256", "plain": "no"}
    ]
    ok("user", "rm", "alice@example.com", "--url", url)
    assert [row["username"] for row in rows(url, "user", "list")] == ["bob"]
    assert "bob" in ok("user", "list", "--url", url)


def test_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "sip.db"
    url = f"sqlite://{path}"
    ok("db", "create", "subscriber", "--url", url)
    ok("user", "add", "alice@example.com", "--url", url, "--password-stdin", input="secret\nsecond line")
    ok("user", "add", "bob@example.com", "--url", url, "--password-stdin", "--realm", "sip", "--plain", input="x\n")
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT username, domain, password, ha1, ha1b FROM subscriber").fetchall()
    connection.close()
    assert found == [
        (
            "alice",
            "example.com",
            "",
            ha1("MD5", "alice", "example.com", "secret"),
            ha1("MD5", "alice@example.com", "example.com", "secret"),
        ),
        ("bob", "example.com", "x", ha1("MD5", "bob", "sip", "x"), ha1("MD5", "bob@example.com", "sip", "x")),
    ]


@pytest.mark.parametrize(
    ("arguments", "text", "status", "message"),
    [
        (("add", "alice@example.com", "--password-stdin"), "x\n", 1, "is there already"),
        (("add", "bob@example.com", "--password-stdin"), "\n", 1, "the password is empty"),
        (("add", "bob@example.com", "--password-stdin", "--plain"), "x" * 65, 1, "64 characters"),
        (("add", "bob", "--password-stdin"), "x\n", 2, "alice@example.com"),
        (("add", "b ob@x", "--password-stdin"), "x\n", 2, "alice@example.com"),
        (("add", "b" * 65 + "@x", "--password-stdin"), "x\n", 2, "64 characters"),
        (("passwd", "bob@example.com", "--password-stdin"), "x\n", 1, "there is no user"),
        (("rm", "bob@example.com"), "", 1, "there is no user"),
        (("show", "bob@example.com"), "", 1, "there is no user"),
        (("list", "--table", "nowhere"), "", 1, "'subscriber'|no such table|nowhere"),
    ],
)
def test_mistakes(tmp_path: Path, arguments: tuple[str, ...], text: str, status: int, message: str) -> None:
    url = f"sqlite://{tmp_path / 'sip.db'}"
    ok("db", "create", "--url", url)
    ok("user", "add", "alice@example.com", "--url", url, "--password-stdin", input="secret\n")
    result = run("user", *arguments, "--url", url, input=text)
    assert result.exit_code == status
    assert any(part in result.stderr for part in message.split("|")), result.stderr
    assert [row["username"] for row in rows(url, "user", "list")] == ["alice"]


def test_the_database_of_the_settings(tmp_path: Path) -> None:
    """By default our own file, which gets its tables by itself."""
    data_dir = ("--set", f"data_dir={tmp_path / 'data'}")
    ok("user", "add", "alice@example.com", *data_dir, "--password-stdin", input="x\n")
    assert "alice" in ok("user", "list", *data_dir)
    assert (tmp_path / "data" / "sipwright.db").exists()
    other = f"sqlite://{tmp_path / 'other.db'}"
    result = run("user", "list", *data_dir, "--set", f"auth_db.db_url={other}")
    assert result.exit_code == 1
    assert "sipwright db create" in result.stderr


def test_versions(url: str) -> None:
    assert ok("db", "create", "--url", url)
    assert "all tables are there" in ok("db", "create", "--url", url)
    found = {row["table"]: row for row in rows(url, "db", "version")}
    assert found["location"] == {"table": "location", "version": 9, "needed": 9}
    assert rows(url, "db", "upgrade-check") == []


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'old.db'}"
    ok("db", "create", "subscriber", "location", "--url", url)
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("UPDATE version SET table_version = 8 WHERE table_name = 'location'")
        connection.execute("ALTER TABLE subscriber DROP COLUMN ha1b")
        connection.execute("DELETE FROM version WHERE table_name = 'subscriber'")
    connection.close()
    result = run("db", "upgrade-check", "--url", url, "--output", "json")
    assert result.exit_code == 1
    problems = [(row["table"], row["problem"]) for row in json.loads(result.stdout)]
    assert problems == [
        ("location", "has version 8; 9 is needed"),
        ("subscriber", "no column ha1b"),
        ("subscriber", "is not in the table version; 7 is needed"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("db", "create", "nowhere", "--url", "sqlite:////tmp/x.db"), "there is no table nowhere"),
        (("db", "version", "--url", "text:///x"), "no transactions"),
        (("db", "version", "--url", "sqlite:////no/such/place/x.db"), "does not answer"),
    ],
)
def test_databases_that_cannot_be_used(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
