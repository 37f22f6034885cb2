"""Hash tables that a database keeps: Kamailio's layout, or columns of one's own."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnClause, TableClause, column, delete, insert, select, table

from sipwright import log
from sipwright.modules.htable import HashTable, Value
from sipwright.settings.errors import SettingsError
from sipwright.settings.model import HtableSettings
from sipwright.storage.errors import DatabaseError

if TYPE_CHECKING:
    from sipwright.storage.database import Database

_ARRAY = 1
_NUMBER = 1
_Items = list[tuple[str, Value, float]]


class StoredTables:
    """The tables with a `dbtable`."""

    def __init__(self, database: "Database", settings: HtableSettings) -> None:
        self._database = database
        self._settings = settings

    def load_all(self, tables: Iterable[HashTable]) -> None:
        """Loads each of them. Raises SettingsError when the database cannot be read."""
        for one in tables:
            if one.settings.dbtable:
                try:
                    self.load(one)
                except DatabaseError as error:
                    raise SettingsError(f"htable {one.name}: {error}") from error

    def store_all(self, tables: Iterable[HashTable]) -> None:
        """Writes back those that are to be; an error of one is logged and does not keep the others from it."""
        for one in tables:
            if one.settings.dbtable and one.settings.dbmode == 1 and not one.settings.cols:
                try:
                    self.store(one)
                except DatabaseError as error:
                    log.error(f"htable {one.name}: its {len(one)} items are not written: {error}")

    def load(self, one: HashTable) -> None:
        """Replaces its items by those of the database. Raises DatabaseError, and nothing changes then."""
        items = self._own_columns(one) if one.settings.cols else self._standard(one)
        most = one.settings.max_items
        if len(items) > most:
            log.error(f"htable {one.name}: {one.settings.dbtable} has {len(items)} items; only {most} are kept")
        one.replace(items[:most], time.monotonic())

    def store(self, one: HashTable) -> None:
        """Replaces the rows of the database by its items, in one transaction. Raises DatabaseError."""
        target, now = self._table(one), time.time()
        settings = self._settings
        rows = [
            {
                settings.key_name_column: key,
                settings.key_type_column: 0,
                settings.value_type_column: _NUMBER if isinstance(value, int) else 0,
                settings.key_value_column: str(value),
                settings.expires_column: int(now + left_s) if settings.db_expires and left_s else 0,
            }
            for key, value, left_s in one.items(time.monotonic())
        ]
        with self._database.transaction() as connection:
            connection.execute(delete(target))
            if rows:
                connection.execute(insert(target), rows)

    def _own_columns(self, one: HashTable) -> _Items:
        names = [name.strip() for name in one.settings.cols.strip().strip("'\"").split(",")]
        columns: list[ColumnClause[Any]] = [column(name) for name in names]
        found = self._database.query(select(*columns).select_from(table(one.settings.dbtable, *columns)))
        items: _Items = []
        for row in found:
            key, *values = tuple(row)
            single = values[0] if len(values) == 1 else None
            text = ",".join("" if value is None else str(value) for value in values)
            items.append((str(key), single if isinstance(single, int) else text, 0.0))
        return items

    def _standard(self, one: HashTable) -> _Items:
        target, now, settings = self._table(one), time.time(), self._settings
        items: _Items = []
        lengths: dict[str, int] = {}
        for name, kind, value_kind, text, expires in map(tuple, self._database.query(select(*target.c))):
            left_s = float(expires or 0) - now if settings.db_expires and expires else 0.0
            if settings.db_expires and expires and left_s <= 0:
                continue
            key = str(name)
            if kind == _ARRAY:
                lengths[key] = lengths.get(key, 0) + 1
                key = f"{name}[{lengths[key] - 1}]"
            items.append((key, _value(one, key, value_kind, text), left_s))
        return items + [(f"{name}{settings.array_size_suffix}", count, 0.0) for name, count in lengths.items()]

    def _table(self, one: HashTable) -> TableClause:
        settings = self._settings
        names = (
            settings.key_name_column,
            settings.key_type_column,
            settings.value_type_column,
            settings.key_value_column,
            settings.expires_column,
        )
        columns: list[ColumnClause[Any]] = [column(name) for name in names]
        return table(one.settings.dbtable, *columns)


def _value(one: HashTable, key: str, kind: int, text: Any) -> Value:
    if kind != _NUMBER:
        return str(text)
    try:
        return int(text)
    except (TypeError, ValueError):
        log.warning(f"htable {one.name}: {key!r} is said to be a number and is {text!r}; it is kept as text")
        return str(text)
