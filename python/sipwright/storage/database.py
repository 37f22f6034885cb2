"""One database as modules use it: queries now, in the calling thread, and writes behind it.

A query holds only its caller, for at most `database.statement_ms`; the interpreter is free meanwhile. When the database
does not answer, queries raise DatabaseAway at once for `database.retry_ms`, then one of them asks again: workers are not
held one after the other. That it goes and that it is back is logged once.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.expression import Executable

from sipwright import log
from sipwright.settings.database import DatabaseSettings
from sipwright.storage import tables
from sipwright.storage.connect import make_engine, make_reading_engine
from sipwright.storage.errors import (
    DatabaseAway,
    StatementError,
    StatementTimeout,
    TableVersionError,
    is_refusal,
    is_timeout,
)
from sipwright.storage.queue import WriteQueue, describe
from sipwright.storage.reading import Lookups
from sipwright.storage.spool import Spool
from sipwright.storage.urls import masked
from sipwright.storage.writes import Kind, Value, Write

Result = TypeVar("Result")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Database:
    """A database; any thread may use it. `host.database(url)` makes one for each URL and closes it at the end."""

    def __init__(self, url: URL, data_dir: Path, settings: DatabaseSettings, *, make_tables: bool = False) -> None:
        self.url = url
        self.name = masked(url)
        self._settings = settings
        self._engine: Engine = make_engine(url, settings)
        self._reading: Engine = make_reading_engine(self._engine, settings)
        self._lookups = Lookups(self._reading, settings)
        self._make_tables = make_tables
        self._making = threading.Lock()
        self._away_lock = threading.Lock()
        self._is_away = False
        self._closed_until = 0.0
        self._queries = self._failures = 0
        self._queue = WriteQueue(self.name, settings, Spool(data_dir, url, settings.spool_max_bytes), self._apply)

    @property
    def is_away(self) -> bool:
        """Whether it did not answer when it was last asked."""
        return self._is_away

    @property
    def is_spool_full(self) -> bool:
        """Whether the file that keeps writes meanwhile has no room for many more."""
        return self._queue.spool_bytes() >= 0.9 * self._settings.spool_max_bytes

    def query(self, statement: Executable, parameters: Parameters = None) -> Sequence[Row[Any]]:
        """The rows of a SELECT. Raises DatabaseAway or StatementError."""
        return self._in_reach(lambda: self._read(statement, parameters))

    def first(self, statement: Executable, parameters: Parameters = None) -> Row[Any] | None:
        """The first row of a SELECT, or None. Raises DatabaseAway or StatementError."""
        rows = self.query(statement, parameters)
        return rows[0] if rows else None

    def lookup(
        self, table: str, columns: Sequence[str], where: Mapping[str, Any], limit: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Some columns of the rows in which the columns of `where` have these values: what is asked for each message.

        Raises DatabaseAway or StatementError.
        """
        return self._in_reach(lambda: self._lookups.rows(table, columns, where, limit))

    def execute(self, statement: Executable, parameters: Parameters = None) -> int:
        """Does an INSERT, UPDATE or DELETE now; the number of rows. Raises DatabaseAway or StatementError."""
        with self.transaction() as connection:
            return connection.execute(statement, parameters).rowcount

    def sql(self, text: str) -> tuple[list[str], list[tuple[Any, ...]], int]:
        """Any SQL text: the names of its columns, its rows, and the number of rows that it changed.

        Raises DatabaseAway or StatementError.
        """

        def run() -> tuple[list[str], list[tuple[Any, ...]], int]:
            with self._engine.begin() as connection:
                result = connection.exec_driver_sql(_literal(text, self._engine.dialect.paramstyle))
                if not result.returns_rows:
                    return [], [], result.rowcount
                return list(result.keys()), [tuple(row) for row in result.fetchall()], result.rowcount

        return self._in_reach(run)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end and rolled back by an exception. Raises as `execute` does."""
        self._refuse_while_away()
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        self._answered()

    def apply(self, writes: Sequence[Write]) -> int:
        """Does writes now, in one transaction; the number of rows. Raises DatabaseAway or StatementError."""
        with self.transaction() as connection:
            return sum(write.apply(connection) for write in writes)

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
        """Queues a change of a table, as `Write` describes it, and returns at once.

        Of writes with the same `key` that still wait only the last is done, at no particular place among the others;
        those without are done in order. Nothing that was queued is lost by a stop or while the database is away.
        """
        self._queue.add(Write(kind, table, values or {}, where or {}, layout, times), key)

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything that was queued is in the database; False when that takes longer."""
        return self._queue.flush(timeout_s)

    def check_table(self, name: str, version: int, *, layout: str = "") -> None:
        """That a table is there with this version. Raises TableVersionError or DatabaseAway.

        `layout` names Kamailio's table if `name` is another; both may have a row in the table `version`.
        """
        have = self.table_version(name)
        if have is None and layout and layout != name:
            have = self.table_version(layout)
        if have is None:
            raise TableVersionError(
                f"database {self.name}: the table version has no row for {name!r}: make the tables with "
                f"`sipwright db create --url URL`, or let kamdbctl or kamcli make them"
            )
        if have != version:
            raise TableVersionError(
                f"database {self.name}: table {name!r} has version {have}, this needs {version}: "
                f"`sipwright db upgrade-check --url URL` shows what differs"
            )

    def table_version(self, name: str) -> int | None:
        """The version of a table in the table `version`, or None. Raises DatabaseAway."""
        statement = select(tables.version.c.table_version).where(tables.version.c.table_name == name)
        try:
            row = self.first(statement)
        except StatementError:
            # There is no table of versions.
            return None
        return None if row is None else int(row[0])

    def create_tables(self, names: Iterable[str] | None = None) -> list[str]:
        """Makes those of Kamailio's tables that are not there, with their versions; the names of those it made.

        Raises DatabaseAway or StatementError.
        """
        wanted = list(tables.VERSIONS) if names is None else ["version", *(name for name in names if name != "version")]
        with self.transaction() as connection:
            have = set(inspect(connection).get_table_names())
            made = [name for name in wanted if name not in have]
            tables.METADATA.create_all(connection, [tables.METADATA.tables[name] for name in made])
            for name in wanted if "version" in made else made:
                row = {"table_name": name}
                Write("replace", "version", {"table_version": tables.VERSIONS[name]}, row).apply(connection)
        return made

    def table_columns(self) -> dict[str, list[str]]:
        """The columns of every table that is there. Raises DatabaseAway or StatementError."""

        def run() -> dict[str, list[str]]:
            with self._reading.connect() as connection:
                view = inspect(connection)
                return {name: [str(one["name"]) for one in view.get_columns(name)] for name in view.get_table_names()}

        return self._in_reach(run)

    def start(self) -> None:
        """Begins to do what an earlier run has left in the spool file."""
        self._queue.start()

    def counters(self) -> dict[str, int]:
        """What was done and what waits."""
        queue = self._queue
        return {
            "db_queries": self._queries,
            "db_failures": self._failures,
            "db_away": int(self._is_away),
            "db_written": queue.written,
            "db_coalesced": queue.coalesced,
            "db_waiting": queue.size(),
            "db_spooled": queue.spooled,
            "db_spool_bytes": queue.spool_bytes(),
            "db_refused": queue.refused,
            "db_lost": queue.lost,
        }

    def close(self) -> None:
        """Writes or spools what waits and closes the connections."""
        self._queue.close()
        self._engine.dispose()
        self._reading.dispose()

    def _read(self, statement: Executable, parameters: Parameters) -> Sequence[Row[Any]]:
        with self._reading.connect() as connection:
            return connection.execute(statement, parameters).all()

    def _apply(self, writes: list[Write]) -> None:
        # The queue has its own pauses: it asks even where a query would not.
        self._closed_until = 0.0
        self.apply(writes)

    def _in_reach(self, action: Callable[[], Result]) -> Result:
        self._refuse_while_away()
        try:
            result = action()
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        self._answered()
        return result

    def _refuse_while_away(self) -> None:
        self._queries += 1
        if self._is_away:
            with self._away_lock:
                now = time.monotonic()
                if now < self._closed_until:
                    self._failures += 1
                    raise DatabaseAway(f"database {self.name} does not answer")
                # This one asks; others fail meanwhile.
                self._closed_until = now + self._settings.retry_ms / 1000
        if self._make_tables:
            self._make_all()

    def _make_all(self) -> None:
        """The tables of the file that is ours alone."""
        with self._making:
            if not self._make_tables:
                return
            self._make_tables = False
            # It is this one's turn to ask, for the tables too.
            self._closed_until = 0.0
            try:
                made = self.create_tables()
            except BaseException:
                self._make_tables = True
                raise
            if made:
                log.info(f"database {self.name}: made with {len(made)} tables")

    def _failed(self, error: SQLAlchemyError) -> DatabaseAway | StatementError:
        self._failures += 1
        text = describe(error)
        if is_refusal(error):
            return StatementError(text)
        if is_timeout(error):
            return StatementTimeout(
                f"database {self.name}: a statement took longer than {self._settings.statement_ms} ms"
            )
        with self._away_lock:
            if not self._is_away:
                log.error(f"database {self.name} does not answer: {text}")
            self._is_away = True
            self._closed_until = time.monotonic() + self._settings.retry_ms / 1000
        return DatabaseAway(f"database {self.name} does not answer: {text}")

    def _answered(self) -> None:
        if not self._is_away:
            return
        with self._away_lock:
            if self._is_away:
                log.notice(f"database {self.name} is back")
            self._is_away = False


def _literal(text: str, paramstyle: str) -> str:
    """SQL text in which % means itself."""
    return text.replace("%", "%%") if paramstyle in ("format", "pyformat") else text
