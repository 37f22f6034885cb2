"""Look-ups: compiled once for each shape, on connections that only read."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Engine, bindparam, column, select, table
from sqlalchemy.exc import DBAPIError

from sipwright.settings.database import DatabaseSettings
from sipwright.storage.connect import set_deadline
from sipwright.storage.prepared import MAX_SHAPES, Prepared


class Lookups:
    """Look-ups over connections that only read; any thread may use it."""

    def __init__(self, engine: Engine, settings: DatabaseSettings) -> None:
        self._engine, self._settings = engine, settings

    def rows(
        self, name: str, columns: Sequence[str], where: Mapping[str, Any], limit: int | None
    ) -> list[tuple[Any, ...]]:
        """The rows, each a tuple of `columns`. Raises SQLAlchemyError."""
        kinds = tuple([(one, type(value)) for one, value in where.items()])
        prepared = _prepared(self._engine.dialect, name, tuple(columns), kinds, limit)
        return self._run(prepared.sql, prepared.parameters({f"is_{one}": value for one, value in where.items()}))

    def _run(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:
        dialect, connection, cursor = self._engine.dialect, None, None
        try:
            connection = self._engine.raw_connection()
            set_deadline(connection.info, self._settings)
            cursor = connection.cursor()
            cursor.execute(sql, parameters)
            return [tuple(row) for row in cursor.fetchall()]
        except dialect.loaded_dbapi.Error as error:
            # As SQLAlchemy itself does.
            raw = None if connection is None else connection.dbapi_connection
            is_lost = isinstance(error, Exception) and dialect.is_disconnect(error, raw, cursor)
            if is_lost and connection is not None:
                connection.invalidate(error)
            raise DBAPIError.instance(
                sql,
                None,
                error,
                dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=is_lost,
                dialect=dialect,
            ) from error
        finally:
            if cursor is not None:
                cursor.close()
            if connection is not None:
                connection.close()


@lru_cache(MAX_SHAPES)
def _prepared(
    dialect: Dialect, name: str, columns: tuple[str, ...], kinds: tuple[tuple[str, type], ...], limit: int | None
) -> Prepared:
    """The look-up with the types of the values, which PostgreSQL wants to know; a column equals a value, but is NULL."""
    wanted = table(name, *map(column, dict.fromkeys([*columns, *(one for one, _ in kinds)])))
    statement = select(*(wanted.c[one] for one in columns)).limit(limit)
    for one, kind in kinds:
        if kind is type(None):
            statement = statement.where(wanted.c[one].is_(None))
        else:
            # What is of this type stands for the value, and gives the parameter its type.
            statement = statement.where(wanted.c[one] == bindparam(f"is_{one}", kind()))
    return Prepared(statement, dialect)
