"""Writing behind: writes wait in memory for a thread that does them in batches, and in a file while that cannot be.

What holds:
- Writes without a key are done in order, each once. Of those with the same key only the last is done.
- What waits in the spool file is done before what waits in memory, so a key never goes back to an older value.
- While the database is away, writes without a key go to the file at once; those with a key (they say how something is
  now) stay in memory until the queue is full or the server stops, then they go to the file too.
- A write that the database refuses (no such column, a duplicate) goes to the file `*.refused`, and does not hold up others.
"""

import itertools
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from sipwright import log
from sipwright.settings.database import DatabaseSettings
from sipwright.storage.errors import DatabaseAway, StatementError
from sipwright.storage.spool import Spool, SpoolFull
from sipwright.storage.writes import Write

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
BATCH: Final = 500
# A refusal is logged with its text so often a minute; all are counted.
_REFUSALS_LOGGED: Final = 20


class WriteQueue:
    """The writes that wait for one database. `apply` does a list of them in one transaction.

    `apply` raises DatabaseAway, or StatementError when one of them is refused.
    """

    def __init__(
        self, name: str, settings: DatabaseSettings, spool: Spool, apply: Callable[[list[Write]], object]
    ) -> None:
        self._name, self._settings, self._spool, self._apply = name, settings, spool, apply
        self._waiting: dict[Hashable, Write] = {}
        self._numbers = itertools.count()
        # Lock order: `_order`, which is held while a batch is being written or spooled, then `_changed`.
        self._order = threading.Lock()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._is_pausing = False
        self._flushing = 0
        self._in_work = 0
        self._refusals: list[float] = []
        self.written = self.coalesced = self.spooled = self.refused = self.lost = 0

    def add(self, write: Write, key: Hashable = None) -> None:
        """Queues a write; one with a `key` replaces that which waits under the same key."""
        with self._changed:
            place: Hashable = ("key", key) if key is not None else next(self._numbers)
            if self._waiting.pop(place, None) is not None:
                self.coalesced += 1
            self._waiting[place] = write
            waiting = len(self._waiting)
            must_spool = waiting > self._settings.queue_limit or self._is_closed
            if self._thread is None and not self._is_closed:
                self._start()
            if waiting == 1 or waiting == BATCH:
                self._changed.notify_all()
        if must_spool:
            self._spool_all()

    def start(self) -> None:
        """Starts to write what the last run has left in the spool file, if it has left anything."""
        with self._changed:
            if self._thread is None and self._spool.size_bytes():
                log.notice(f"database {self._name}: {self._spool.path} has writes of an earlier run; they are done now")
                self._start()

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything that was queued is in the database; False when that takes longer."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                while self._waiting or self._in_work or self._spool.size_bytes():
                    left_s = deadline - time.monotonic()
                    if left_s <= 0 or self._thread is None:
                        return False
                    self._changed.wait(left_s)
                return True
            finally:
                self._flushing -= 1

    def close(self) -> None:
        """Writes what waits for at most `database.stop_ms`; the rest goes to the spool file."""
        if not self._is_pausing:
            self.flush(self._settings.stop_ms / 1000)
        with self._changed:
            self._is_closed = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            # It ends after the statement that it is at.
            thread.join(2 * self._settings.statement_ms / 1000)
        self._spool_all()
        if left := self._spool.size_bytes():
            log.warning(f"database {self._name}: {left} bytes of writes wait in {self._spool.path} for the next start")

    def size(self) -> int:
        """Writes that wait in memory."""
        return len(self._waiting) + self._in_work

    def spool_bytes(self) -> int:
        """Bytes of writes that wait in the file."""
        return self._spool.size_bytes()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pause_s = 0.0
        while self._wait(pause_s):
            try:
                self._write_spooled()
                self._write_waiting()
                pause_s = 0.0
            except DatabaseAway:
                self._spool_all(keyed=False)
                pause_s = min(max(FIRST_PAUSE_S, 2 * pause_s), LONGEST_PAUSE_S)
            except Exception as error:
                log.error(f"database {self._name}: writing failed: {type(error).__name__}: {error}")
                pause_s = LONGEST_PAUSE_S
            with self._changed:
                self._is_pausing = pause_s > 0
                self._changed.notify_all()

    def _wait(self, pause_s: float) -> bool:
        """Until there is something to do and its time has come; False at the end."""
        wait_s = pause_s or self._settings.flush_ms / 1000
        with self._changed:
            deadline = time.monotonic() + wait_s
            while not self._is_closed:
                if not self._waiting and not self._spool.size_bytes():
                    self._changed.wait()
                    deadline = time.monotonic() + wait_s
                    continue
                left_s = deadline - time.monotonic()
                is_urgent = not pause_s and (self._flushing or len(self._waiting) >= BATCH)
                if left_s <= 0 or is_urgent:
                    return True
                self._changed.wait(left_s)
            return False

    def _write_spooled(self) -> None:
        while not self._is_closed:
            with self._order:
                lines = self._spool.front(BATCH)
                if not lines:
                    return
                writes = [line for line in lines if line.write is not None]
                if len(writes) < len(lines):
                    what = f"{len(lines) - len(writes)} lines of {self._spool.path}"
                    log.error(f"database {self._name}: {what} are damaged and left out")
                done = self._write([line.write for line in writes if line.write is not None]) if writes else 0
                if done == len(writes):
                    self._spool.done(lines[-1].end)
                else:
                    if done:
                        self._spool.done(writes[done - 1].end)
                    raise DatabaseAway(self._name)

    def _write_waiting(self) -> None:
        while not self._is_closed:
            with self._order:
                with self._changed:
                    batch = {key: self._waiting.pop(key) for key in list(itertools.islice(self._waiting, BATCH))}
                    self._in_work = len(batch)
                if not batch:
                    return
                done = 0
                try:
                    done = self._write(list(batch.values()))
                finally:
                    with self._changed:
                        # What has come under the same key since is newer.
                        self._waiting = {**dict(itertools.islice(batch.items(), done, None)), **self._waiting}
                        self._in_work = 0
                if done < len(batch):
                    raise DatabaseAway(self._name)

    def _write(self, writes: list[Write]) -> int:
        """In one transaction; if one is refused, one by one. How many need no more attention: all, or the database is away."""
        try:
            self._apply(writes)
            self.written += len(writes)
            return len(writes)
        except DatabaseAway:
            return 0
        except StatementError as error:
            if len(writes) == 1:
                self._refuse(writes[0], error)
                return 1
        for number, write in enumerate(writes):
            if self._write([write]) == 0:
                return number
        return len(writes)

    def _refuse(self, write: Write, error: Exception) -> None:
        self.refused += 1
        kept = self._spool.keep_refused(write)
        now = time.monotonic()
        self._refusals = [moment for moment in self._refusals if now - moment < 60]
        if len(self._refusals) < _REFUSALS_LOGGED:
            self._refusals.append(now)
            where = f"kept in {self._spool.refused_path}" if kept else "lost"
            log.error(f"database {self._name}: {write.kind} of {write.table} refused, {where}: {error}")

    def _spool_all(self, *, keyed: bool = True) -> None:
        """Moves what waits in memory to the file: all, or only what has no key."""
        with self._order:
            with self._changed:
                moved = {key: write for key, write in self._waiting.items() if keyed or isinstance(key, int)}
                for key in moved:
                    del self._waiting[key]
            if not moved:
                return
            try:
                self._spool.append(moved.values())
                self.spooled += len(moved)
            except (OSError, SpoolFull) as error:
                self._keep_or_lose(moved, error)

    def _keep_or_lose(self, moved: dict[Hashable, Write], error: Exception) -> None:
        with self._changed:
            if len(moved) + len(self._waiting) <= self._settings.queue_limit and not self._is_closed:
                self._waiting = {**moved, **self._waiting}
                return
        self.lost += len(moved)
        log.error(f"database {self._name}: {len(moved)} writes are lost: {error}")


def describe(error: SQLAlchemyError) -> str:
    """The database's own words in one line, without the statement and its values, which may be secrets."""
    cause = getattr(error, "orig", None) or error
    parts = [str(part) for part in cause.args] or [type(cause).__name__]
    return " ".join(" ".join(parts).split())[:300]
