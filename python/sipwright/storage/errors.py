"""What can go wrong with a database, and whose fault it is."""

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import exc

# Server errors of MySQL and MariaDB (below 2000) that say nothing about the statement: too many connections, access,
# shutdown, lock wait, deadlock, read-only.
_MYSQL_PASSING: Final = frozenset({1037, 1038, 1040, 1041, 1042, 1043, 1044, 1045, 1047, 1049, 1053, 1129, 1130})
_MYSQL_BUSY: Final = frozenset({1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 1969})
_FIRST_CLIENT_ERROR: Final = 2000
_MYSQL_FOREIGN_TEXT: Final = 1366
_QUERY_CANCELED: Final = "57014"
# SQLite has one code for most mistakes in a statement; what else it reports is the file's or the moment's fault.
_SQLITE_MISTAKES: Final = ("no such", "has no column", "syntax error", "no column named", "values for")


class DatabaseError(Exception):
    """A database cannot be used; the text says which and why."""


class DatabaseUrlError(DatabaseError):
    """A database URL that is not understood, or names a kind that is not supported."""


class TableVersionError(DatabaseError):
    """A table is missing or has another version than the module needs."""


class DatabaseAway(DatabaseError):
    """The database does not answer now; later it may."""


class StatementTimeout(DatabaseAway):
    """A statement took longer than `database.statement_ms`, in a database that answers."""


class StatementError(DatabaseError):
    """The database refused the statement, and would again."""


def is_refusal(error: "exc.SQLAlchemyError") -> bool:
    """Whether the database refused the statement itself, so that trying again is of no use."""
    from sqlalchemy import exc

    if isinstance(error, exc.IntegrityError | exc.DataError | exc.ProgrammingError | exc.NotSupportedError):
        return not _connection_is_lost(error)
    if isinstance(error, exc.DBAPIError):
        return not _connection_is_lost(error) and _is_mistake(error.orig)
    # A value or a name that SQLAlchemy itself refuses; a pool that has no connection left is no mistake.
    return not isinstance(error, exc.TimeoutError)


def is_timeout(error: "exc.SQLAlchemyError") -> bool:
    """Whether the statement was ended because it took too long."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.OperationalError):
        return "interrupted" in str(cause)
    return getattr(cause, "sqlstate", None) == _QUERY_CANCELED


def is_foreign_text(error: "exc.DBAPIError") -> bool:
    """Whether MySQL or MariaDB refused a text because the column's character set lacks one of its characters."""
    cause: BaseException | None = error.orig
    return cause is not None and cause.args[:1] == (_MYSQL_FOREIGN_TEXT,)


def _connection_is_lost(error: "exc.DBAPIError") -> bool:
    return bool(error.connection_invalidated)


def _is_mistake(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.Error):
        return any(words in str(cause) for words in _SQLITE_MISTAKES)
    code = cause.args[0] if cause is not None and cause.args else None
    if isinstance(code, int):
        return 0 < code < _FIRST_CLIENT_ERROR and code not in _MYSQL_PASSING and code not in _MYSQL_BUSY
    return False
