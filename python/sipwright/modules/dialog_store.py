"""Dialogs that live in a database too, so that calls outlive the server.

Modes, as Kamailio's `db_mode`: 1 hands a change over at once, 2 every `dialog.db_update_period_s`, 3 at the stop. What is
handed over the queue of the database writes, or keeps while the database does not answer. Workers only note what has
changed. That a dialog has ended is handed over at once in mode 2, too: else a crash would bring it back.

The dialogs are read before the server accepts anything, so that profiles count right from the first call on. When the
database does not answer then they are read once it does; a request of a dialog asks for its own meanwhile.
"""

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.modules.dialog import CONFIRMED, CONFIRMED_NO_ACK, DELETED, LOADED, Dialog, hash_entry
from sipwright.storage.errors import DatabaseAway, DatabaseError

if TYPE_CHECKING:
    from sipwright.host import Host
    from sipwright.modules.dialog_rows import Rows
    from sipwright.modules.dialog_track import Tracker
    from sipwright.storage.database import Database
    from sipwright.storage.writes import Write

REALTIME: Final = 1
DELAYED: Final = 2
SHUTDOWN: Final = 3
# How often mode 1 hands over, and all modes the ends of dialogs.
HAND_OVER_S: Final = 0.1
SPOOL_WAIT_S: Final = 5.0
RETRY_S: Final = 5.0
_KEPT: Final = (CONFIRMED_NO_ACK, CONFIRMED)


class Store:
    """The database of the dialogs of one server."""

    def __init__(self, tracker: "Tracker", host: "Host") -> None:
        self.settings = host.settings.dialog
        self._tracker = tracker
        self._host = host
        self._changed: dict[int, Dialog] = {}
        self._gone: dict[int, Dialog] = {}
        self._lock = threading.Lock()
        self._handing = threading.Lock()
        self._stopping = threading.Event()
        self._loader: threading.Thread | None = None
        # While dialogs are being read: Call-IDs that were asked for, and dialogs that have ended since.
        self._asked: set[str] = set()
        self._ended: set[tuple[int, int]] = set()
        if self.settings.db_mode == REALTIME:
            host.every(HAND_OVER_S, self.hand_over, blocking=True)
        elif self.settings.db_mode == DELAYED:
            host.every(self.settings.db_update_period_s, self.hand_over, blocking=True)
            host.every(HAND_OVER_S, self.hand_over_ends, blocking=True)
        host.at_stop(self._stop)

    @property
    def is_loading(self) -> bool:
        """Whether dialogs of the database may not be here yet."""
        return self._loader is not None

    @cached_property
    def _rows(self) -> "Rows":
        from sipwright.modules.dialog_rows import Rows

        return Rows(self._database, self.settings, self._tracker.clock)

    @cached_property
    def _database(self) -> "Database":
        return self._host.database(self.settings.db_url)

    # ---- writing ---------------------------------------------------------------------------------------------------

    def changed(self, dialog: Dialog) -> None:
        """A dialog has changed."""
        if dialog.state == DELETED:
            self.gone(dialog)
        elif dialog.state in _KEPT and self.settings.db_mode != SHUTDOWN:
            with self._lock:
                self._changed[dialog.number] = dialog

    def gone(self, dialog: Dialog) -> None:
        """A dialog has ended: what the database has of it is to go."""
        with self._lock:
            self._changed.pop(dialog.number, None)
            if self._loader is not None:
                self._ended.add((dialog.h_entry, dialog.h_id))
            if dialog.is_stored:
                self._gone[dialog.number] = dialog

    def hand_over(self) -> None:
        """Gives what has changed to the queue of the database."""
        with self._handing:
            with self._lock:
                changed, self._changed = self._changed, {}
            for dialog in changed.values():
                self._hand_over(dialog)
        self.hand_over_ends()

    def hand_over_ends(self) -> None:
        """The same for dialogs that have ended."""
        with self._handing:
            with self._lock:
                gone, self._gone = self._gone, {}
            for dialog in gone.values():
                self._remove(dialog)

    def _hand_over(self, dialog: Dialog) -> None:
        # Marked first: an end that comes meanwhile finds it so, and is handed over after this.
        dialog.is_stored = True
        if dialog.state not in _KEPT:
            self.gone(dialog)
            return
        self._write(dialog, "", self._rows.row(dialog))
        wanted, stored = dict(dialog.variables), dialog.stored_variables
        for name, value in wanted.items():
            if stored.get(name) != value:
                self._write(dialog, name, self._rows.variable(dialog, name, value))
        for name in stored.keys() - wanted.keys():
            self._write(dialog, name, self._rows.no_variable(dialog, name))
        dialog.stored_variables = wanted

    def _remove(self, dialog: Dialog) -> None:
        if not dialog.is_stored:
            return
        dialog.is_stored = False
        self._write(dialog, "", self._rows.no_row(dialog))
        for name in dialog.stored_variables:
            self._write(dialog, name, self._rows.no_variable(dialog, name))
        dialog.stored_variables = {}

    def _write(self, dialog: Dialog, name: str, write: "Write") -> None:
        # The row, and each variable, is something of its own, of which only the last state matters.
        key = (self.settings.table_name, dialog.h_entry, dialog.h_id, name)
        self._database.write(write.kind, write.table, write.values, where=write.where, key=key, layout=write.layout)

    def _stop(self) -> None:
        self._stopping.set()
        loader = self._loader
        if loader is not None:
            loader.join()
        if self.settings.db_mode == SHUTDOWN:
            with self._lock:
                self._changed = {one.number: one for one in self._tracker.dialogs if one.state in _KEPT}
        self.hand_over()

    # ---- reading ---------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Reads the dialogs; goes on later, beside the server, when the database does not answer. Raises TableVersionError."""
        database = self._database
        if database.counters()["db_spool_bytes"]:
            # What an earlier run has left in the spool file is newer than the rows.
            database.flush(SPOOL_WAIT_S)
        try:
            self._rows.check()
            if not self.settings.db_skip_load and not database.counters()["db_spool_bytes"]:
                self._load_all()
                return
        except DatabaseAway as error:
            log.error(f"dialog: the dialogs are not read yet: {error}")
        if not self.settings.db_skip_load:
            self._loader = threading.Thread(target=self._load_later, name="dialog-loading", daemon=True)
            self._loader.start()

    def load_call(self, call_id: str) -> int:
        """Reads the dialogs of a Call-ID that are not here; how many they were. Raises DatabaseError."""
        entry = hash_entry(call_id, self._tracker.dialogs.entries)
        return sum(map(self._take, self._rows.of_call(call_id, entry)))

    def load_extra(self) -> int:
        """Reads all dialogs that are not here; how many they were. Raises DatabaseError."""
        return self._read_all()

    def need(self, call_id: str, *, is_within: bool) -> None:
        """While dialogs are being read: reads those of a Call-ID now, if the database answers."""
        if self._loader is None or not is_within or call_id in self._asked:
            return
        try:
            self.load_call(call_id)
            self._asked.add(call_id)
        except DatabaseError as error:
            log.debug(f"dialog: the dialogs of {call_id} cannot be read yet: {error}")

    def _load_all(self) -> None:
        began = time.monotonic()
        count = self._read_all()
        if self.settings.db_mode == SHUTDOWN:
            # They are of this run now, and written again at its end.
            self._rows.clear()
            for dialog in self._tracker.dialogs:
                dialog.is_stored, dialog.stored_variables = False, {}
        if count:
            log.info(f"dialog: {count} dialogs are read from {self._database.name} in {time.monotonic() - began:.1f} s")

    def _read_all(self) -> int:
        from sipwright.modules.dialog_rows import set_variables

        variables = self._rows.variables()
        last, count = 0, 0
        while not self._stopping.is_set():
            page, last = self._rows.page(last)
            for dialog in page:
                set_variables(dialog, variables.get((dialog.h_entry, dialog.h_id), {}))
                count += self._take(dialog)
            if not last:
                break
        return count

    def _load_later(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._database.counters()["db_spool_bytes"]:
                    self._rows.check()
                    self._load_all()
                    self._loader = None
                    self._asked, self._ended = set(), set()
                    return
            except DatabaseAway:
                pass
            except DatabaseError as error:
                log.error(f"dialog: the dialogs cannot be read: {error}")
            self._stopping.wait(RETRY_S)

    def _take(self, dialog: Dialog) -> bool:
        tracker = self._tracker
        dialog.profiles = [(name, value) for name, value in dialog.profiles if name in tracker.dialogs.profiles]
        is_over = dialog.state == DELETED or (dialog.h_entry, dialog.h_id) in self._ended
        if is_over or not tracker.dialogs.restore(dialog):
            return False
        tracker.timers.plan(dialog)
        tracker.tell(LOADED, dialog)
        return True
