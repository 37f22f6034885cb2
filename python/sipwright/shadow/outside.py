"""Keeps a candidate script from everything outside of its process: other servers, programs, files, databases.

SIP cannot leave: the candidate's server has no sockets. KSR functions that ask others, over HTTP, media relays or programs,
are not run; they return what they returned to the running server, as far as its recording says so. Databases are copies in
memory. And the script's own code is refused connections, programs and files for writing (`sys.addaudithook`); it gets
a PermissionError.
"""

import os
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from sipwright.record.entry import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from sipwright.testing.database import MemoryDatabase
    from sipwright.testing.server import VirtualServer

# Parts of KSR whose functions ask somebody else, and what they return where the recording does not say it.
ASKING: Final = {
    "http_client": -1,
    "http_async_client": -1,
    "rtpengine": 1,
    "rtpproxy": 1,
    "exec": -1,
    "siptrace": 1,
}
_CONNECTING: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"})
_RUNNING: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.kill"}
)
_CHANGING: Final = frozenset({"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.link"})
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MOST_RESULTS: Final = 10_000
MOST_ROWS: Final = 100_000


class Guard:
    """Refuses what would be seen outside, while `watching` is entered and in every thread but where `trusting` is."""

    def __init__(self, data_dir: "Path", allows_connections: bool = False) -> None:
        self.refused: deque[str] = deque(maxlen=1_000)
        self._data_dir = str(data_dir)
        self._allows_connections = allows_connections
        self._is_watching = False
        self._trusted = threading.local()
        sys.addaudithook(self._look)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts things are refused. An audit hook stays for as long as the process; it does nothing outside."""
        self._is_watching = True
        try:
            yield
        finally:
            self._is_watching = False

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """While it lasts the calling thread may do what it wants: it is ours, not the script's."""
        before = getattr(self._trusted, "is_on", False)
        self._trusted.is_on = True
        try:
            yield
        finally:
            self._trusted.is_on = before

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_watching or getattr(self._trusted, "is_on", False):
            return
        if self._is_refused(event, arguments):
            what = f"{event}({', '.join(map(repr, arguments))[:200]})"
            self.refused.append(what)
            raise PermissionError(f"sipwright shadow: {what} would be seen outside")

    def _is_refused(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in _CONNECTING:
            return not self._allows_connections
        if event == "open":
            path, _, flags = arguments
            return isinstance(flags, int) and bool(flags & _WRITING) and not self._is_own(path)
        if event in _CHANGING:
            return not self._is_own(arguments[0])
        return event in _RUNNING

    def _is_own(self, path: object) -> bool:
        shown = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        return shown == os.devnull or os.path.abspath(shown).startswith(self._data_dir + os.sep)


class Results:
    """What KSR functions that ask others returned to the running server, by call and function, in order."""

    def __init__(self) -> None:
        self._known: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        # Call-IDs of the messages in work.
        self.call_id: Callable[[], str] = str

    def note(self, entry: Entry) -> None:
        """Takes a call of a function out of the recording."""
        part = entry.name.removeprefix("KSR.").partition(".")[0]
        if entry.kind == "function" and part in ASKING and entry.result.lstrip("-").isdigit():
            if len(self._known) >= MOST_RESULTS:
                self._known.pop(next(iter(self._known)))
            self._known[entry.call_id, entry.name].append(int(entry.result))

    def take(self, name: str, otherwise: int) -> int:
        """What a function returned to the running server the next time for this call."""
        results = self._known.get((self.call_id(), name))
        return results.popleft() if results else otherwise

    def stub(self, server: "VirtualServer") -> None:
        """Puts them in the place of the functions."""
        from sipwright import _engine

        self.call_id = lambda: _engine.current().call_id
        for part, otherwise in ASKING.items():
            module = sys.modules.get(f"KSR.{part}")
            for name in _functions(module):
                full = f"KSR.{part}.{name}"
                server.stub(f"{part}.{name}", lambda *_, full=full, otherwise=otherwise: self.take(full, otherwise))


def _functions(module: ModuleType | None) -> list[str]:
    return [] if module is None else [name for name in dir(module) if not name.startswith("__")]


def accept_nonces(closing: ExitStack) -> None:
    """Has nonces taken for good ones that the running server made, whose secret nobody knows; passwords count as ever."""
    from unittest.mock import patch

    from sipwright.modules.nonces import Nonce, Nonces, NonceState

    closing.enter_context(patch.object(Nonces, "check", lambda *_: Nonce(NonceState.VALID)))
    closing.enter_context(patch.object(Nonces, "use", lambda *_: True))


class Copies:
    """Fills the databases of the candidate's server with copies of Kamailio's tables in those of the running one.

    These are only read, each table once; an SQLite file is opened so that it cannot be written. `problems` says what
    could not be copied, a line each.
    """

    def __init__(self, default: str, guard: Guard, most_rows: int = MOST_ROWS) -> None:
        self.problems: list[str] = []
        self._default = default
        self._guard = guard
        self._most_rows = most_rows

    def fill(self, url: str, copy: "MemoryDatabase") -> None:
        """Copies the tables of a database, of that which modules use without a URL where it is empty."""
        from sqlalchemy.exc import SQLAlchemyError

        from sipwright.storage.errors import DatabaseError

        with self._guard.trusting():
            try:
                self._copy(url or self._default, copy)
            except (DatabaseError, SQLAlchemyError, ModuleNotFoundError) as error:
                self.problems.append(f"a database was not copied: {str(error).splitlines()[0]}")

    def _copy(self, url: str, copy: "MemoryDatabase") -> None:
        from sqlalchemy import inspect, select

        from sipwright.storage import tables

        engine = _reader(url)
        with engine.connect() as connection:
            found = inspect(connection)
            # Its own table of versions is there already.
            for name in sorted(set(found.get_table_names()) & set(tables.METADATA.tables) - {"version"}):
                table = tables.METADATA.tables[name]
                there = {column["name"] for column in found.get_columns(name)}
                wanted = select(*(one for one in table.columns if one.name in there)).limit(self._most_rows + 1)
                rows = [dict(row) for row in connection.execute(wanted).mappings()]
                if len(rows) > self._most_rows:
                    self.problems.append(f"of the table {name} only the first {self._most_rows:,} rows were copied")
                for row in rows[: self._most_rows]:
                    copy.insert(name, **row)
        engine.dispose()


def _reader(url: str) -> "Engine":
    import sqlite3
    from urllib.parse import quote

    from sqlalchemy import create_engine

    from sipwright.storage.urls import SQLITE, kind_of, read_url

    target = read_url(url)
    if kind_of(target) != SQLITE:
        return create_engine(target)
    place = f"file:{quote(target.database or '')}?mode=ro"
    return create_engine(target, creator=lambda: sqlite3.connect(place, uri=True))
