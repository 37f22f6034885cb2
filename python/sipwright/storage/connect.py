"""SQLAlchemy engines with bounded waits for each kind of database."""

import sqlite3
import time
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.pool import StaticPool

from sipwright.settings.database import DatabaseSettings
from sipwright.storage.errors import DatabaseUrlError
from sipwright.storage.urls import MYSQL, POSTGRESQL, SQLITE, kind_of

# Of connections that only read: no BEGIN and COMMIT around a query, and nothing to undo after it.
_READING: Final[dict[str, Any]] = {
    "isolation_level": "AUTOCOMMIT",
    "pool_reset_on_return": None,
    "execution_options": {"sipwright_reading": True},
}
# SQLite's virtual machine asks for the time after so many instructions: some 50 us.
_STEPS: Final = 10_000
_DEADLINE: Final = "sipwright_deadline"


def make_engine(url: URL, settings: DatabaseSettings, *, reading: bool = False) -> Engine:
    """An engine for transactions, or for queries alone if `reading`; it connects when it is first used.

    Raises DatabaseUrlError when the driver is not installed.
    """
    kind = kind_of(url)
    pool: dict[str, Any] = {
        "pool_size": settings.pool_size,
        "max_overflow": settings.pool_size,
        "pool_timeout": settings.statement_ms / 1000,
    }
    if _is_in_memory(url):
        pool = {"poolclass": StaticPool}
    try:
        engine = create_engine(
            url,
            **pool,
            pool_pre_ping=kind != SQLITE,
            pool_recycle=3600,
            hide_parameters=True,
            connect_args=_connect_arguments(kind, settings),
            **(_READING if reading else {}),
        )
    except ModuleNotFoundError as error:
        extra = {POSTGRESQL: "postgresql", MYSQL: "mysql"}.get(kind, kind)
        raise DatabaseUrlError(
            f"{kind}: the driver {error.name} is not installed: pip install 'sipwright[{extra}]'"
        ) from None
    if kind == SQLITE:
        _prepare_sqlite(engine, settings)
    if kind == POSTGRESQL:
        _prepare_postgresql(engine, settings)
    return engine


def make_reading_engine(engine: Engine, settings: DatabaseSettings) -> Engine:
    """An engine for queries alone, beside the one for transactions."""
    if _is_in_memory(engine.url):
        # There is nothing else but this connection that leads to a database in memory.
        options = {"isolation_level": _READING["isolation_level"], **_READING["execution_options"]}
        return engine.execution_options(**options)
    return make_engine(engine.url, settings, reading=True)


def _is_in_memory(url: URL) -> bool:
    """Whether it is SQLite in memory, for tests, which is gone with its connection."""
    return kind_of(url) == SQLITE and url.database in (None, "", ":memory:")


def set_deadline(info: dict[Any, Any], settings: DatabaseSettings) -> None:
    """The statement that a connection, given by its `info`, does next may take `database.statement_ms`.

    Only SQLite needs to be told: others have it in their connections.
    """
    info[_DEADLINE] = time.monotonic() + settings.statement_ms / 1000


def _connect_arguments(kind: str, settings: DatabaseSettings) -> dict[str, Any]:
    statement_s, connect_s = settings.statement_ms / 1000, max(1, round(settings.connect_ms / 1000))
    if kind == POSTGRESQL:
        # The server ends the statement; if it does not answer at all, the kernel ends the connection.
        return {
            "connect_timeout": max(2, connect_s),
            "tcp_user_timeout": settings.statement_ms,
            "keepalives_idle": 30,
            "client_encoding": "utf8",
            "application_name": "sipwright",
        }
    if kind == MYSQL:
        return {
            "connect_timeout": connect_s,
            "read_timeout": statement_s,
            "write_timeout": statement_s,
            "charset": "utf8mb4",
        }
    return {"timeout": statement_s, "check_same_thread": False}


def _prepare_postgresql(engine: Engine, settings: DatabaseSettings) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        # Not an option of the connection, which poolers such as PgBouncer refuse.
        connection.execute(f"SET statement_timeout = {settings.statement_ms}")
        connection.commit()


def _prepare_sqlite(engine: Engine, settings: DatabaseSettings) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        # Transactions begin where we say so, and as writers, which need not be upgraded half-way.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA journal_mode=WAL").fetchall()
        except sqlite3.OperationalError:
            # A file or directory that is read-only can still be read.
            cursor.execute("PRAGMA query_only").fetchall()
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()
        deadlines = record.info

        def is_late() -> bool:
            return time.monotonic() > float(deadlines.get(_DEADLINE, float("inf")))

        connection.set_progress_handler(is_late, _STEPS)

    @event.listens_for(engine, "begin")
    def begins(connection: Connection) -> None:
        if not connection.get_execution_options().get("sipwright_reading"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "before_cursor_execute")
    def executes(connection: Connection, *_: Any) -> None:
        set_deadline(connection.info, settings)
