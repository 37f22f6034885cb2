"""The one query that modules make for a message: some columns of the rows in which other columns have certain values."""

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
    return database.lookup(name, columns, where or {}, limit)
