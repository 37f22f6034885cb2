"""Writes as data: they can wait in memory, lie in a file and still be done."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import Dialect, bindparam, column, delete, insert, table, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import BindParameter, TableClause
from sqlalchemy.types import NullType

from sipwright.storage.errors import is_foreign_text
from sipwright.storage.prepared import MAX_SHAPES, Prepared
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
        if self.kind == "insert":
            return self._do(connection, "insert", self.values, {})
        if self.kind == "delete":
            return self._do(connection, "delete", {}, self.where)
        changed = self._do(connection, "update", self.values, self.where)
        if self.kind == "update" or changed or self._exists(connection):
            return changed
        return self._do(connection, "insert", {**self.where, **self.values}, {})

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

    def _do(self, connection: Connection, kind: Kind, values: Mapping[str, Value], where: Mapping[str, Value]) -> int:
        shapes = [tuple([(name, type(value)) for name, value in part.items()]) for part in (values, where)]
        prepared = _prepared(connection.dialect, kind, self.table, self.layout, self.times, *shapes)
        given = {f"to_{name}": value for name, value in values.items()}
        given |= {f"is_{name}": value for name, value in where.items()}
        return connection.exec_driver_sql(prepared.sql, prepared.parameters(given)).rowcount

    def _exists(self, connection: Connection) -> bool:
        """MySQL counts the rows that an update changed, not those that it found."""
        if connection.dialect.name not in ("mysql", "mariadb") or not self.where:
            return False
        target = _target(self.table, self.layout, self.times, self.where)
        conditions = [target.c[name] == value for name, value in self.where.items()]
        return connection.execute(target.select().where(*conditions).limit(1)).first() is not None


_Shape = tuple[tuple[str, type], ...]


@lru_cache(MAX_SHAPES)
def _prepared(
    dialect: Dialect, kind: Kind, name: str, layout: str, times: tuple[str, ...], values: _Shape, where: _Shape
) -> Prepared:
    target = _target(name, layout, times, dict(values) | dict(where))
    statement: Any = {"insert": insert, "update": update, "delete": delete}[kind](target)
    if values:
        statement = statement.values({one: _parameter(f"to_{one}", target, one, of) for one, of in values})
    for one, of in where:
        if of is type(None):
            statement = statement.where(target.c[one].is_(None))
        else:
            statement = statement.where(target.c[one] == _parameter(f"is_{one}", target, one, of))
    return Prepared(statement, dialect)


def _parameter(key: str, target: TableClause, name: str, of: type) -> BindParameter[Any]:
    """A parameter of the column's type, or of the value's own type where that is not known."""
    known = target.c[name].type
    if isinstance(known, NullType) and of is not type(None):
        return bindparam(key, of())
    return bindparam(key, None, type_=known)


def _target(name: str, layout: str, times: tuple[str, ...], columns: Iterable[str]) -> TableClause:
    known = METADATA.tables.get(layout or name)
    found = []
    for one in columns:
        if one in times:
            found.append(column(one, UnixTime()))
        elif known is not None and one in known.columns:
            found.append(column(one, known.columns[one].type))
        else:
            found.append(column(one))
    return table(name, *found)


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
