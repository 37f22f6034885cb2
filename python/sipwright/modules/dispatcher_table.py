"""Destinations of the load balancer from a database: Kamailio's table `dispatcher`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sipwright.modules.dispatcher import ListError
from sipwright.settings.dispatcher import DispatcherSettings
from sipwright.storage.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause

    from sipwright.storage.database import Database


def table_rows(database: "Database", settings: DispatcherSettings) -> Iterator[tuple[str, list[str]]]:
    """The rows for `make_groups`. Raises ListError when the database cannot be read."""
    from sqlalchemy import column, select, table

    names = [
        settings.setid_col,
        settings.destination_col,
        settings.flags_col,
        settings.priority_col,
        settings.attrs_col,
    ]
    extras = extra_attributes(settings.ds_db_extra_attrs)
    columns: list[ColumnClause[Any]] = [column(name) for name in [*names, *extras.values()]]
    try:
        rows = database.query(select(*columns).select_from(table(settings.table_name, *columns)))
    except DatabaseError as error:
        raise ListError(f"dispatcher.db_url: {error}") from error
    for number, row in enumerate(rows, 1):
        group, destination, flags, priority, attributes, *more = tuple(row)
        named = [f"{name}={value}" for name, value in zip(extras, more, strict=True) if value not in (None, "")]
        body = ";".join(filter(None, [(attributes or "").strip().rstrip(";"), *named]))
        words = [str(group), str(destination).strip(), str(flags or 0), str(priority or 0), *body.split()]
        yield f"{settings.table_name}, row {number}", words


def extra_attributes(text: str) -> dict[str, str]:
    """`attribute=column;attribute=column`, as columns by attribute."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, source = (word.strip() for word in part.partition("="))
        if not (name and equals and source):
            raise ListError(f"dispatcher.ds_db_extra_attrs: {part!r} is no `attribute=column`")
        found[name] = source
    return found
