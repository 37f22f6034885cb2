"""Databases of a server under test: SQLite in memory with Kamailio's tables, whatever URL the settings name."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.engine import URL

from sipwright.settings.database import DatabaseSettings
from sipwright.storage import tables
from sipwright.storage.database import Database
from sipwright.storage.writes import Kind, Value, Write

if TYPE_CHECKING:
    from sqlalchemy import Table


class MemoryDatabase(Database):
    """A database in memory. Writes are done at once, so that a test sees them without waiting."""

    def __init__(self, data_dir: Path, settings: DatabaseSettings) -> None:
        super().__init__(URL.create("sqlite"), data_dir, settings, make_tables=True)

    def write(
        self,
        kind: Kind,
        table: str,
        values: Mapping[str, Value] | None = None,
        *,
        where: Mapping[str, Value] | None = None,
        key: Hashable = None,
        layout: str = "",
        times: tuple[str, ...] = (),
    ) -> None:
        """Does the write now."""
        self.apply([Write(kind, table, values or {}, where or {}, layout, times)])

    def flush(self, timeout_s: float) -> bool:
        """Nothing ever waits."""
        return True

    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of a table of Kamailio's, by column."""
        table = _table(name)
        return [dict(row._mapping) for row in self.query(select(table).order_by(*table.primary_key.columns))]

    def insert(self, name: str, **values: Any) -> None:
        """Adds a row to a table of Kamailio's; columns that are not named have their defaults."""
        self.execute(insert(_table(name)), values)


def _table(name: str) -> "Table":
    found = tables.METADATA.tables.get(name)
    if found is None:
        raise KeyError(f"there is no table {name}; there are {', '.join(sorted(tables.METADATA.tables))}")
    return found
