"""Location tables that live in a database too.

Modes, as Kamailio's `db_mode`: 1 writes each change before the REGISTER is answered, 2 hands changes over every
`usrloc.db_flush_s`, 3 keeps nothing in memory, 4 only reads at the start. A database that does not answer costs no
registration in the modes 1, 2 and 4: what it has to learn waits, in memory and then in the spool file of the database.

The tables are read beside the start, so that the start does not wait for them. An address-of-record that is asked for
before it has been read is read at once.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright._engine import Binding
from sipwright.modules.location_events import Sockets
from sipwright.modules.usrloc import Location
from sipwright.storage.errors import DatabaseAway, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sipwright.host import Host
    from sipwright.modules.location_rows import Rows
    from sipwright.sharing.locations import SharedLocations
    from sipwright.storage.database import Database
    from sipwright.storage.writes import Write

WRITE_THROUGH: Final = 1
WRITE_BACK: Final = 2
DB_ONLY: Final = 3
READ_ONLY: Final = 4
# Users whose changes are handed over at a time, and writes that may wait in the queue before no more are.
HANDED_OVER: Final = 500
MAX_WAITING: Final = 5_000
RETRY_S: Final = 5.0
CLEAN_EVERY_S: Final = 60.0


class Store:
    """The database of the location tables of one server."""

    def __init__(self, host: "Host", sockets: Sockets, sharing: "SharedLocations | None" = None) -> None:
        self.settings = host.settings.usrloc
        self.sharing = sharing
        self.server_id = host.settings.server_id
        self.sockets = sockets
        self._host = host
        if self.settings.db_url or host.settings.database.url:
            # What is wrong with a URL is said at the start; our own file is opened when there is something in it or for it.
            _ = self.database
        self.stopping = threading.Event()
        self._cached: list[CachedLocation] = []
        if self.settings.db_mode == WRITE_BACK:
            host.every(self.settings.db_flush_s, self.flush, blocking=True)
        if self.settings.db_timer_clean and self.settings.db_mode != DB_ONLY:
            host.every(CLEAN_EVERY_S, self._clean, blocking=True)
        host.at_stop(self._stop)

    @cached_property
    def database(self) -> "Database":
        """The database, which is made when it is first used."""
        return self._host.database(self.settings.db_url)

    def has_nothing(self) -> bool:
        """Whether it is our own file, and there is none yet, nor anything that waits to be written into one."""
        if "database" in self.__dict__:
            return False
        from sipwright.host import DATABASE_FILE

        data_dir = self._host.settings.data_dir
        return data_dir is not None and not (data_dir / DATABASE_FILE).exists() and not any(data_dir.glob("*.spool"))

    def table(self, name: str) -> Location:
        """A table of that name; reading it begins."""
        if self.settings.db_mode == DB_ONLY:
            return DatabaseLocation(name, self)
        table = CachedLocation(name, self)
        self._cached.append(table)
        if self.settings.db_load or self.settings.db_mode == READ_ONLY:
            table.begin_loading()
        return table

    def rows(self, name: str) -> "Rows":
        """The rows of a table."""
        from sipwright.modules.location_rows import Rows

        return Rows(name, self.database, self.settings, self.server_id)

    def flush(self) -> None:
        """Hands over what has changed, as far as the database keeps up."""
        for table in self._cached:
            table.hand_over(MAX_WAITING)

    def users(self, name: str) -> int:
        """Addresses-of-record with a live binding in the database."""
        from sqlalchemy import distinct, func

        rows = self.rows(name)
        columns = rows.table.c
        return self._count(rows, func.count(distinct(columns.username)), rows.live(int(time.time())))

    def contacts(self, name: str) -> int:
        """Live bindings in the database."""
        from sqlalchemy import func

        rows = self.rows(name)
        return self._count(rows, func.count(), rows.live(int(time.time())))

    def expired_contacts(self, name: str) -> int:
        """Bindings in the database that have ended."""
        from sqlalchemy import func

        rows = self.rows(name)
        return self._count(rows, func.count(), rows.ended(int(time.time())))

    def _count(self, rows: "Rows", what: Any, condition: "ColumnElement[bool]") -> int:
        from sqlalchemy import select

        row = self.database.first(select(what).select_from(rows.table).where(condition))
        return int(row[0]) if row else 0

    def _clean(self) -> None:
        if self.has_nothing():
            return
        from sqlalchemy import delete

        for table in self._cached:
            rows = self.rows(table.name)
            self.database.execute(delete(rows.table).where(rows.ended(int(time.time()))))

    def _stop(self) -> None:
        self.stopping.set()
        for table in self._cached:
            table.join_loading()
            # At the end the queue takes all: what it cannot write it keeps in its file.
            table.hand_over(None)


class CachedLocation(Location):
    """A table in memory whose changes are written."""

    def __init__(self, name: str, store: Store) -> None:
        tracked = store.settings.db_mode != READ_ONLY
        super().__init__(name, store.settings, tracked=tracked, sharing=store.sharing)
        self._store = store
        self._loader: _Loader | None = None
        self._handing = threading.Lock()

    @cached_property
    def _rows(self) -> "Rows":
        return self._store.rows(self.name)

    @property
    def is_in_memory(self) -> bool:
        """Not while it is being read, nor if each change is to be written at once."""
        return self._loader is None and self.settings.db_mode != WRITE_THROUGH and super().is_in_memory

    def bindings(self, aor: str) -> list[Binding]:
        """As `Location.bindings`; read now if it has not been yet."""
        loader = self._loader
        if loader is not None:
            loader.need(aor)
        return self.table.get(aor)

    def remove_all(self, aor: str) -> int:
        """As `Location.remove_all`."""
        loader = self._loader
        if loader is not None:
            loader.need(aor)
        return super().remove_all(aor)

    def saved(self, aor: str) -> None:
        """With write-through: writes the changes before the REGISTER is answered, or leaves them to the queue."""
        if self.settings.db_mode == WRITE_THROUGH:
            self.hand_over(None, now=True)

    def hand_over(self, max_waiting: int | None, *, now: bool = False) -> None:
        """Gives the changes to the queue of the database, or with `now` to the database itself while it answers."""
        with self._handing:
            while self.table.pending():
                database = self._store.database
                if max_waiting is not None and database.counters()["db_waiting"] > max_waiting:
                    return
                written, removed = self.table.take_changes(HANDED_OVER)
                writes = [write for one in removed for write in self._rows.removals(one)]
                writes += [write for one in written for write in self._rows.writes(one)]
                if not (now and self._write_now(writes)):
                    for write in writes:
                        self._queue(write)

    def begin_loading(self) -> None:
        """Reads the table in a thread of its own, if there is anything to read."""
        if self._store.has_nothing():
            return
        self._loader = _Loader(self, self._store)
        self._loader.start()

    def join_loading(self) -> None:
        """Waits until a reading that is to stop has stopped."""
        loader = self._loader
        if loader is not None:
            loader.join()

    def loaded(self) -> None:
        """The whole table is here."""
        self._loader = None

    @property
    def is_loaded(self) -> bool:
        """Whether the whole table is here."""
        return self._loader is None

    def _write_now(self, writes: "Sequence[Write]") -> bool:
        try:
            self._store.database.apply(writes)
        except DatabaseError:
            # It has been logged; or the queue finds out which of the writes is refused.
            return False
        return True

    def _queue(self, write: "Write") -> None:
        # What a binding's row is to be replaces what it was to be; the rows of attributes keep their order.
        key = (self.name, write.where["ruid"]) if write.table == self.name else None
        database = self._store.database
        database.write(write.kind, write.table, write.values, where=write.where, key=key, layout=write.layout)


class DatabaseLocation(Location):
    """A table that is kept in the database alone (mode 3). Its methods raise DatabaseError."""

    def __init__(self, name: str, store: Store) -> None:
        super().__init__(name, store.settings)
        self._store = store
        self._rows = store.rows(name)
        self._is_checked = False

    def __len__(self) -> int:
        return 0

    @property
    def is_in_memory(self) -> bool:
        """It is not."""
        return False

    def users(self) -> int:
        """Not known without asking the database, which counters must not do (`ul.db_users` does)."""
        return 0

    def bindings(self, aor: str) -> list[Binding]:
        """As `Location.bindings`, from the database."""
        if not self._is_checked:
            self._rows.check()
            self._is_checked = True
        found = self._rows.read(self._rows.of_aor(aor))
        found.sort(key=lambda one: -one.modified_at if self.settings.desc_time_order else -one.q)
        return found

    def aor_of(self, ruid: str) -> str | None:
        """As `Location.aor_of`."""
        found = self._rows.read(self._rows.table.c.ruid == ruid)
        return found[0].aor if found else None

    def put(self, binding: Binding) -> None:
        """As `Location.put`."""
        self._store.database.apply(self._rows.writes(binding))

    def remove(self, binding: Binding) -> bool:
        """As `Location.remove`."""
        return self._store.database.apply(self._rows.removals(binding)) > 0

    def remove_all(self, aor: str) -> int:
        """As `Location.remove_all`."""
        from sqlalchemy import delete

        return self._store.database.execute(delete(self._rows.table).where(self._rows.of_aor(aor)))

    def pages(self, *, connected: bool = False) -> Iterator[list[Binding]]:
        """As `Location.pages`."""
        condition = self._rows.table.c.connection_id > 0 if connected else None
        page, last = self._rows.page(0, condition)
        while page:
            yield page
            page, last = self._rows.page(last, condition)

    def sweep(self, now: int, ended: Callable[[Binding], object], pause_s: float = 0.0) -> int:
        """As `Location.sweep`; nothing while the database does not answer."""
        from sqlalchemy import delete

        try:
            condition = self._rows.ended(now - self.settings.rm_expired_delay_s)
            gone = self._rows.read(condition)
            count = self._store.database.execute(delete(self._rows.table).where(condition)) if gone else 0
        except DatabaseAway:
            return 0
        for binding in gone:
            ended(binding)
        self.expired_total += count
        return count


class _Loader(threading.Thread):
    """Reads a table from its database, from front to back, and what is needed before at once."""

    def __init__(self, location: CachedLocation, store: Store) -> None:
        super().__init__(name=f"usrloc-{location.name}", daemon=True)
        self._location = location
        self._store = store
        self._lock = threading.Lock()
        # Addresses-of-record that are here as they are now; what the database says of them is older.
        self._known: set[str] = set()

    @cached_property
    def _rows(self) -> "Rows":
        return self._store.rows(self._location.name)

    def need(self, aor: str) -> None:
        """Reads one address-of-record now. When the database does not answer it is as if it had none."""
        if aor in self._known:
            return
        try:
            found = self._rows.read(self._rows.of_aor(aor))
        except DatabaseError as error:
            log.debug(f"usrloc: {aor} cannot be read yet: {error}")
            return
        with self._lock:
            if aor not in self._known:
                self._known.add(aor)
                self._keep(found)

    def run(self) -> None:
        """Reads until all is here; waits for a database that does not answer."""
        store, database = self._store, self._store.database
        # What an earlier run has left in the spool file is newer than the rows.
        while not store.stopping.is_set() and database.counters()["db_spool_bytes"]:
            database.flush(0.5)
            store.stopping.wait(0.1)
        last, count = 0, 0
        while not store.stopping.is_set():
            try:
                if last == 0:
                    self._rows.check()
                    self._clean()
                page, last_read = self._rows.page(last, self._condition())
            except DatabaseError as error:
                if not isinstance(error, DatabaseAway):
                    log.error(f"usrloc: table {self._location.name} cannot be read: {error}")
                store.stopping.wait(RETRY_S)
                continue
            if not page:
                break
            last = last_read
            count += self._take(page)
        self._location.loaded()
        log.info(f"usrloc: {count} bindings of {self._location.name} are read from {database.name}")

    def _condition(self) -> "ColumnElement[bool]":
        return self._rows.of_this_server(self._rows.live(int(time.time())))

    def _clean(self) -> None:
        """With `db_clean_tcp`: connections do not outlive their server."""
        if self._store.settings.db_clean_tcp:
            from sqlalchemy import and_, delete

            columns = self._rows.table.c
            ours = and_(columns.connection_id > 0, columns.server_id == self._store.server_id)
            self._store.database.execute(delete(self._rows.table).where(ours))

    def _take(self, page: list[Binding]) -> int:
        by_aor: dict[str, list[Binding]] = {}
        for binding in page:
            by_aor.setdefault(binding.aor, []).append(binding)
        with self._lock:
            return sum(self._keep(found) for aor, found in by_aor.items() if aor not in self._known)

    def _keep(self, found: list[Binding]) -> int:
        kept = [one for one in found if one.ruid and self._is_wanted(one)]
        for binding in kept:
            # Of another process: its connections are not ours.
            binding.connection = 0
            self._location.restore(binding)
        return len(kept)

    def _is_wanted(self, binding: Binding) -> bool:
        return not self._store.settings.skip_remote_socket or self._store.sockets.index(binding.socket) is not None
