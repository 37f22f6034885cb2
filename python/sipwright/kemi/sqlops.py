"""KSR.sqlops and `$dbr(result=>key)`: SQL of scripts, with Kamailio's return codes.

A query holds the worker that makes it and no other. Its result has a name, and belongs to the worker.
"""

import queue
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.settings.lookups import SqlopsSettings
from sipwright.storage.errors import DatabaseError

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "sql_is_null",
    "sql_num_columns",
    "sql_num_rows",
    "sql_pvquery",
    "sql_query",
    "sql_query_async",
    "sql_result_free",
    "sql_result_get",
    "sql_result_gete",
    "sql_result_getz",
    "sql_xquery",
]

Value = str | int | None
MAX_ROWS: Final = 100_000
# Queries of sql_query_async that wait; more are refused.
MAX_WAITING: Final = 10_000
STOP_S: Final = 5.0
_PLACE: Final = re.compile(r"\[(\d+),\s*(\d+)\]")
_COLUMN: Final = re.compile(r"colname\[(\d+)\]")


@dataclass
class _Result:
    columns: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass
class _State:
    settings: SqlopsSettings = field(default_factory=SqlopsSettings)
    host: "Host | None" = None
    connections: dict[str, str] = field(default_factory=dict)


_state = _State()
_results = threading.local()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on and registers `$dbr(result=>key)` and `$sqlrows(connection)`."""
    _state.settings, _state.host = host.settings.sqlops, host
    _state.connections = _state.settings.connections()
    host.variable("dbr", lambda inner, _: _variable(inner))
    host.variable("sqlrows", lambda inner, _: _changed().get(inner))
    host.at_stop(_background.close)


@ksr("sqlops.sql_query")
def sql_query(connection: str, query: str, result: str) -> int:
    """Makes a query, whose rows are kept as `result` ("" to keep nothing): 0; -1 for an error."""
    found = _query(connection, query)
    if found is None:
        return -1
    if not result:
        return 0
    if result not in _kept() and len(_kept()) >= _state.settings.results_maxsize:
        log.error(f"KSR.sqlops: {len(_kept())} results are kept already (sqlops.results_maxsize)")
        return -1
    _kept()[result] = found
    return 0


@ksr("sqlops.sql_xquery")
def sql_xquery(connection: str, query: str, xavp: str) -> int:
    """Makes a query and leaves each row as an XAVP with an item for each column: 1; -1 for an error."""
    found = _query(connection, query)
    if found is None:
        return -1
    # Each new XAVP goes before those that are there: the first row is to be the first.
    for row in reversed(found.rows):
        for number, (name, value) in enumerate(zip(found.columns, map(_plain, row), strict=True)):
            place = xavp if number == 0 else f"{xavp}[0]"
            inwork.put(f"$xavp({place}=>{name})", "" if value is None else value)
    return 1


@ksr("sqlops.sql_pvquery")
def sql_pvquery(connection: str, query: str, variables: str) -> int:
    """Makes a query and leaves the columns of its rows in variables, `$var(a);$avp(b)`: 1; 2 for no rows, -1 for an error."""
    found = _query(connection, query)
    if found is None:
        return -1
    names = [name.strip() for name in variables.split(";") if name.strip()]
    if found.rows and len(names) != len(found.columns):
        log.error(f"KSR.sqlops.sql_pvquery: {len(names)} variables for {len(found.columns)} columns")
        return -1
    for row in reversed(found.rows):
        for name, value in zip(names, map(_plain, row), strict=True):
            inwork.put(name, value)
    return 1 if found.rows else 2


@ksr("sqlops.sql_query_async")
def sql_query_async(connection: str, query: str) -> int:
    """Has a query made in another thread, and does not wait for it: 1; -1 when there is no such connection."""
    if connection not in _state.connections:
        return _no_connection(connection)
    if not _background.add(lambda: _query(connection, query)):
        log.error(f"KSR.sqlops: {MAX_WAITING} queries wait already")
        return -1
    return 1


@ksr("sqlops.sql_num_rows")
def sql_num_rows(result: str) -> int:
    """The number of rows of a result; 0 for one that is not there."""
    return len(_of(result).rows)


@ksr("sqlops.sql_num_columns")
def sql_num_columns(result: str) -> int:
    """The number of columns of a result; 0 for one that is not there, or without rows."""
    found = _of(result)
    return len(found.columns) if found.rows else 0


@ksr("sqlops.sql_is_null")
def sql_is_null(result: str, row: int, column: int) -> int:
    """1 when a value is NULL, 0 when not; -1 when there is no such place."""
    place = _place(result, row, column)
    return -1 if place is None else int(place[0] is None)


@ksr("sqlops.sql_result_get")
def sql_result_get(result: str, row: int, column: int) -> Value:
    """A value of a result; None for NULL, or when there is no such place."""
    place = _place(result, row, column)
    return None if place is None else _plain(place[0])


@ksr("sqlops.sql_result_gete")
def sql_result_gete(result: str, row: int, column: int) -> Value:
    """As `sql_result_get`, with "" for None."""
    value = sql_result_get(result, row, column)
    return "" if value is None else value


@ksr("sqlops.sql_result_getz")
def sql_result_getz(result: str, row: int, column: int) -> Value:
    """As `sql_result_get`, with 0 for None."""
    value = sql_result_get(result, row, column)
    return 0 if value is None else value


@ksr("sqlops.sql_result_free")
def sql_result_free(result: str) -> int:
    """Forgets a result: 1."""
    _kept().pop(result, None)
    return 1


# ---- helpers -------------------------------------------------------------------------------------------------------


class _Background:
    """A thread that makes the queries nobody waits for, one after the other; it is there once there is one."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Callable[[], object] | None] = queue.Queue(MAX_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, action: Callable[[], object]) -> bool:
        """Queues an action; False when too many wait."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sqlops", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(action)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Does what waits, and ends."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(STOP_S)

    def _run(self) -> None:
        while (action := self._waiting.get()) is not None:
            action()


_background = _Background()


def _query(connection: str, query: str) -> _Result | None:
    """The result of a query, whose variables are resolved already; None after an error, which is logged."""
    url = _state.connections.get(connection)
    if url is None or _state.host is None:
        _no_connection(connection)
        return None
    try:
        columns, rows, changed = _state.host.database(url).sql(query)
    except DatabaseError as error:
        log.error(f"KSR.sqlops: {connection}: {error}")
        return None
    _changed()[connection] = changed
    if len(rows) > MAX_ROWS:
        log.error(f"KSR.sqlops: {connection}: {len(rows)} rows; the first {MAX_ROWS} are kept")
    return _Result(columns, rows[:MAX_ROWS])


def _no_connection(connection: str) -> int:
    log.error(f"KSR.sqlops: there is no connection {connection!r}; setting sqlops.sqlcon names them")
    return -1


def _changed() -> dict[str, int]:
    """How many rows the last query of this worker on each connection has changed."""
    changed: dict[str, int] | None = getattr(_results, "changed", None)
    if changed is None:
        changed = _results.changed = {}
    return changed


def _kept() -> dict[str, _Result]:
    kept: dict[str, _Result] | None = getattr(_results, "kept", None)
    if kept is None:
        kept = _results.kept = {}
    return kept


def _of(result: str) -> _Result:
    return _kept().get(result) or _Result()


def _place(result: str, row: int, column: int) -> tuple[Any] | None:
    rows = _of(result).rows
    if not 0 <= row < len(rows) or not 0 <= column < len(rows[row]):
        return None
    return (rows[row][column],)


def _plain(value: Any) -> Value:
    """A value of a database as scripts have it."""
    if value is None or isinstance(value, int | str):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return str(value)


def _variable(inner: str) -> Value:
    """`$dbr(result=>rows)`, `cols`, `[row,column]` or `colname[n]`."""
    name, _, key = (part.strip() for part in inner.partition("=>"))
    found = _of(name)
    if key == "rows":
        return len(found.rows)
    if key == "cols":
        return len(found.columns)
    if place := _PLACE.fullmatch(key):
        value = _place(name, int(place[1]), int(place[2]))
        return None if value is None else _plain(value[0])
    if (column := _COLUMN.fullmatch(key)) and int(column[1]) < len(found.columns):
        return found.columns[int(column[1])]
    return None
