"""The one query that modules make: some columns of the rows in which other columns have certain values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipwright.storage.database import Database


def rows_of(
    database: "Database",
    name: str,
    columns: Sequence[str],
    where: Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> list[tuple[Any, ...]]:
    """The rows, each a tuple of `columns`. Raises DatabaseError."""
    from sqlalchemy import column, select, table

    conditions = where or {}
    wanted = table(name, *map(column, dict.fromkeys([*columns, *conditions])))
    statement = select(*(wanted.c[one] for one in columns))
    for one, value in conditions.items():
        statement = statement.where(wanted.c[one] == value)
    if limit is not None:
        statement = statement.limit(limit)
    return [tuple(row) for row in database.query(statement)]
