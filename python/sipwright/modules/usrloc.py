"""Where users are: location tables in memory, and what becomes of their bindings (RFC 3261 section 10).

The bindings themselves lie in the engine (`LocationTable`), compactly and out of the reach of Python's garbage
collector. Times are whole seconds since 1970, given by the caller. A table may be used by all threads; who changes one
address-of-record in several steps holds the lock that `Location.changing` gives meanwhile.
"""

import itertools
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from sipwright import _engine
from sipwright._engine import Binding, LocationTable
from sipwright.settings.usrloc import UsrlocSettings

if TYPE_CHECKING:
    from sipwright.sharing.locations import SharedLocations

NO_Q: Final = -1
ALL_METHODS: Final = 0xFFFF_FFFF
MEMORY_ONLY: Final = 2
NO_USER_AGENT: Final = "n/a"
# What one step of a walk takes: some milliseconds, in which nobody else can use the table or run Python.
STEP: Final = 2_000
# Parameter of a request-URI that names one binding, by its record id, to the server that has the flow to it.
FLOW_PARAMETER: Final = "share-flow"
_LOCKS: Final = 64
_ruids = itertools.count(1)


def new_ruid(prefix: str = "uloc") -> str:
    """A record id that no other binding has, in the form of Kamailio's `ruid` column."""
    return f"{prefix}-{_STARTED:x}-{os.getpid():x}-{next(_ruids):x}"


_STARTED: Final = int(time.time())


class Location:
    """The bindings of one location table. `DatabaseLocation` keeps them in a database too."""

    def __init__(
        self,
        name: str,
        settings: UsrlocSettings,
        *,
        tracked: bool = False,
        sharing: "SharedLocations | None" = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.table = LocationTable(newest_first=settings.desc_time_order, tracked=tracked)
        self.expired_total = 0
        # The other servers that have the table too, if there are any.
        self.sharing = sharing
        self._locks = [threading.RLock() for _ in range(_LOCKS)]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def is_in_memory(self) -> bool:
        """Whether the engine may look bindings up and prolong them by itself; nothing else need know of it at once."""
        return not self._has_twin

    @property
    def _has_twin(self) -> bool:
        """Whether another server has a socket of the same name: the engine knows the bindings of ours by it."""
        return self.sharing is not None and self.sharing.nodes.has_twin

    @property
    def is_full(self) -> bool:
        """Whether no further binding may be kept."""
        return len(self.table) >= self.settings.max_bindings

    def users(self) -> int:
        """Number of addresses-of-record."""
        return self.table.users()

    def changing(self, aor: str) -> threading.RLock:
        """The lock for changes of an address-of-record in several steps."""
        return self._locks[zlib.crc32(aor.encode()) % _LOCKS]

    def bindings(self, aor: str) -> list[Binding]:
        """All bindings, ended ones that no sweep has met included, in the order in which they are tried."""
        return self.table.get(aor)

    def live(self, aor: str, now: float) -> list[Binding]:
        """The bindings that have not ended, in the order in which they are tried."""
        return [one for one in self.bindings(aor) if is_live(one, now)]

    def aor_of(self, ruid: str) -> str | None:
        """The address-of-record of the binding with an instance that has that record id, for temporary GRUUs."""
        return self.table.aor_of(ruid)

    def put(self, binding: Binding) -> None:
        """Adds a binding, or replaces the one with its record id."""
        if self.sharing is not None:
            self.sharing.before_put(self, binding)
        self.table.put(binding)
        self.refreshed(binding.aor)

    def restore(self, binding: Binding) -> None:
        """Adds a binding that was here before a restart, unless something newer is known."""
        if self.sharing is not None:
            self.sharing.restore(self, binding)
        else:
            self.table.put(binding)

    def remove(self, binding: Binding) -> bool:
        """Removes one binding; whether it was there."""
        is_gone = self.table.remove(binding.aor, binding.ruid)
        if is_gone and self.sharing is not None:
            self.sharing.removed(self, binding)
        return is_gone

    def remove_all(self, aor: str) -> int:
        """Removes all bindings of an address-of-record; their number."""
        if self.sharing is None:
            return self.table.remove_all(aor)
        return sum(self.remove(binding) for binding in self.table.get(aor))

    def refreshed(self, aor: str) -> None:
        """A binding of an address-of-record has changed, perhaps by the engine."""
        if self.sharing is not None:
            self.sharing.changed(self, aor)

    def is_elsewhere(self, binding: Binding) -> bool:
        """Whether another server looks after a binding."""
        return self.sharing is not None and self.sharing.is_elsewhere(binding)

    def saved(self, aor: str) -> None:
        """A REGISTER has changed the bindings of an address-of-record, all of it is done."""

    def pages(self, *, connected: bool = False) -> Iterator[list[Binding]]:
        """All bindings, page by page, as they are when their page is made; only those that came by a connection."""
        page = self.table.connected if connected else self.table.page
        start, found = page(0, STEP)
        while True:
            yield found
            if not start:
                return
            start, found = page(start, STEP)

    def sweep(self, now: int, ended: Callable[[Binding], object], pause_s: float = 0.0) -> int:
        """Removes what has ended, in steps with pauses for others; tells `ended` of each; their number."""
        start, count = 0, 0
        while True:
            start, gone = self.table.sweep(start, STEP, now - self.settings.rm_expired_delay_s)
            count += len(gone)
            self.expired_total += len(gone)
            for binding in gone:
                ended(binding)
            if not start:
                return count
            time.sleep(pause_s)


class Tables:
    """The location tables by name; `make` makes one when it is first used."""

    MAX_TABLES: Final = 64

    def __init__(self, make: Callable[[str], Location]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._tables: dict[str, Location] = {}

    def get(self, name: str) -> Location | None:
        """The table of that name; None when there are too many already, or the name is empty."""
        table = self._tables.get(name)
        if table is None and name:
            with self._lock:
                if name not in self._tables and len(self._tables) < self.MAX_TABLES:
                    self._tables[name] = self._make(name)
                table = self._tables.get(name)
        return table

    def known(self, name: str) -> Location | None:
        """The table of that name, if it has been used."""
        return self._tables.get(name)

    def all(self) -> list[Location]:
        """All tables."""
        return list(self._tables.values())


def is_live(binding: Binding, now: float) -> bool:
    """Whether a binding has not ended."""
    return binding.expires_at == 0 or binding.expires_at > now


def match(new: Binding, existing: list[Binding], matching_mode: int) -> Binding | None:
    """The binding that a new one is about: of the same flow (RFC 5626), or by Kamailio's `matching_mode`.

    Modes: 0 contact, 1 contact and Call-ID, 2 contact and path, 3 Call-ID.
    """
    if new.instance:
        for one in existing:
            if one.instance == new.instance and one.reg_id == new.reg_id:
                return one
        return None

    def same(one: Binding) -> bool:
        if matching_mode == 3:
            return one.call_id == new.call_id
        if one.uri != new.uri:
            return False
        if matching_mode == 1:
            return one.call_id == new.call_id
        return matching_mode != 2 or one.path == new.path

    return next((one for one in existing if same(one)), None)


def methods_mask(allow: str | None) -> int:
    """The methods of Allow as bits, all of them when there is no Allow."""
    return ALL_METHODS if allow is None else _engine.methods_mask(allow)
