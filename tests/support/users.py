"""Users with passwords, in a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sipwright.modules.digest import ha1
from sipwright.settings.database import DatabaseSettings
from sipwright.storage.database import Database
from sipwright.storage.urls import read_url

REALM = "127.0.0.1"
PASSWORD = "secret"


def users_database(
    directory: Path, algorithm: str = "MD5", names: Iterable[str] = ("alice", "bob"), realm: str = REALM
) -> str:
    """URL of a database with these users, whose passwords are `PASSWORD`."""
    url = f"sqlite://{directory / 'users.db'}"
    database = Database(read_url(url), directory, DatabaseSettings())
    database.create_tables()
    for name in names:
        row = {"username": name, "domain": realm, "ha1": ha1(algorithm, name, realm, PASSWORD)}
        database.write("insert", "subscriber", row)
    assert database.flush(5)
    database.close()
    return url
