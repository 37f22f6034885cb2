"""Writes as data: they can wait in memory, lie in a file and still be done."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, column, delete, insert, table, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import Executable, TableClause

from sipwright.storage.errors import is_foreign_text
from sipwright.storage.tables import METADATA
from sipwright.storage.types import UnixTime

Value = str | int | float | bytes | None
Kind = Literal["insert", "update", "delete", "replace"]
_BYTES: Final = "base64"


@dataclass(frozen=True, slots=True)
class Write:
    """One change of one table.

    `insert` adds a row of `values`; `update` sets `values` where the columns of `where` have those values; `delete`
    removes those rows; `replace` updates them, or inserts `values` and `where` together when there are none. `layout`
    is the table of Kamailio whose column types hold when the table has a name of its own. `times` are columns beyond
    those that hold times.
    """

    kind: Kind
    table: str
    values: Mapping[str, Value] = field(default_factory=dict)
    where: Mapping[str, Value] = field(default_factory=dict)
    layout: str = ""
    times: tuple[str, ...] = ()

    def apply(self, connection: Connection) -> int:
        """Does it, in the transaction of the connection; the number of rows. Characters that a column of MySQL cannot hold
        (tables of Kamailio are often latin1) become question marks, so that a phone's name costs no registration.
        """
        try:
            return self._apply(connection)
        except DBAPIError as error:
            if not is_foreign_text(error):
                raise
        # The statement alone is undone, the transaction goes on.
        plain = {name: _plain(value) for name, value in self.values.items()}
        return replace(self, values=plain)._apply(connection)

    def _apply(self, connection: Connection) -> int:
        target = self._target()
        if self.kind == "insert":
            return connection.execute(insert(target).values(dict(self.values))).rowcount
        condition = _condition(target, self.where)
        if self.kind == "delete":
            return connection.execute(_limited(delete(target), condition)).rowcount
        changed = connection.execute(_limited(update(target).values(dict(self.values)), condition)).rowcount
        if self.kind == "update" or changed or self._exists(connection, target, condition):
            return changed
        return connection.execute(insert(target).values({**self.where, **self.values})).rowcount

    def to_line(self) -> bytes:
        """One line of JSON, with its end."""
        text = json.dumps(
            [self.kind, self.table, _packed(self.values), _packed(self.where), self.layout, list(self.times)],
            ensure_ascii=True,
            separators=(",", ":"),
        )
        return text.encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Write":
        """The write of such a line. Raises ValueError for any other."""
        try:
            kind, name, values, where, layout, times = json.loads(line)
            if kind not in ("insert", "update", "delete", "replace") or not isinstance(name, str):
                raise ValueError("unknown kind")
            return cls(kind, name, _unpacked(values), _unpacked(where), str(layout), tuple(times))
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(str(error)) from None

    def _target(self) -> TableClause:
        known = METADATA.tables.get(self.layout or self.table)
        columns = []
        for name in {**self.where, **self.values}:
            if name in self.times:
                columns.append(column(name, UnixTime()))
            elif known is not None and name in known.columns:
                columns.append(column(name, known.columns[name].type))
            else:
                columns.append(column(name))
        return table(self.table, *columns)

    @staticmethod
    def _exists(connection: Connection, target: TableClause, condition: ColumnElement[bool] | None) -> bool:
        """MySQL counts the rows that an update changed, not those that it found."""
        if connection.dialect.name not in ("mysql", "mariadb") or condition is None:
            return False
        return connection.execute(target.select().where(condition).limit(1)).first() is not None


def _condition(target: TableClause, where: Mapping[str, Value]) -> ColumnElement[bool] | None:
    parts = [target.c[name].is_(None) if value is None else target.c[name] == value for name, value in where.items()]
    return and_(*parts) if parts else None


def _limited(statement: Any, condition: ColumnElement[bool] | None) -> Executable:
    limited: Executable = statement if condition is None else statement.where(condition)
    return limited


def _plain(value: Value) -> Value:
    # What MySQL calls latin1 is Windows' code page.
    return value.encode("cp1252", "replace").decode("cp1252") if isinstance(value, str) else value


def _packed(values: Mapping[str, Value]) -> dict[str, Any]:
    return {
        name: {_BYTES: base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def _unpacked(values: Mapping[str, Any]) -> dict[str, Value]:
    return {
        name: base64.b64decode(value[_BYTES]) if isinstance(value, dict) else value for name, value in values.items()
    }
