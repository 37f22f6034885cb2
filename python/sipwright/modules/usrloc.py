"""Where users are: bindings of addresses-of-record to contacts, in memory (RFC 3261 section 10).

Times are seconds of a monotonic clock, given by the caller. A table may be used by all threads; who changes one
address-of-record in several steps holds `Table.lock` meanwhile.
"""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NO_Q: Final = -1
_SWEEP_SLICE: Final = 1_000
_ruids = itertools.count(1)
_ruid_prefix = f"uloc-{int(time.time()):x}-{os.getpid():x}"


@dataclass(slots=True)
class Binding:
    """One contact of an address-of-record, and how requests reach it.

    `q` is in thousandths, -1 when the contact named none. `expires_at` is in seconds. `path` is the value of a Route
    header field; `received` the URI of the NAT that the registration came through; `socket` and `connection` tell
    how it came (None and 0: any). `methods` are those of Allow, None when it named none.
    """

    aor: str
    uri: str
    expires_at: float
    q: int = NO_Q
    call_id: str = ""
    cseq: int = 0
    user_agent: str = ""
    received: str = ""
    path: str = ""
    socket: int | None = None
    connection: int = 0
    flags: int = 0
    methods: frozenset[str] | None = None
    instance: str = ""
    reg_id: int = 0
    ruid: str = ""
    modified_at: float = 0.0


def new_ruid() -> str:
    """A record id that no other binding has, in the form of Kamailio's `ruid` column."""
    return f"{_ruid_prefix}-{next(_ruids):x}"


class Table:
    """The bindings of one location table."""

    def __init__(self, name: str, max_bindings: int) -> None:
        self.name = name
        self.max_bindings = max_bindings
        self.lock = threading.RLock()
        self._aors: dict[str, dict[str, Binding]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether no further binding may be kept."""
        return self._count >= self.max_bindings

    def live(self, aor: str, now: float) -> list[Binding]:
        """The bindings that have not expired: highest q first, then in the order in which they came."""
        with self.lock:
            bindings = [b for b in self._aors.get(aor, {}).values() if b.expires_at > now]
        if len(bindings) > 1:
            bindings.sort(key=lambda binding: -binding.q)
        return bindings

    def find(self, aor: str, uri: str, now: float) -> Binding | None:
        """The live binding to that contact."""
        with self.lock:
            binding = self._aors.get(aor, {}).get(uri)
        return binding if binding is not None and binding.expires_at > now else None

    def put(self, binding: Binding) -> None:
        """Adds a binding, or replaces the one of the same address-of-record and contact."""
        with self.lock:
            contacts = self._aors.setdefault(binding.aor, {})
            self._count += binding.uri not in contacts
            contacts[binding.uri] = binding

    def remove(self, aor: str, uri: str) -> bool:
        """Removes one binding; whether it was there."""
        with self.lock:
            contacts = self._aors.get(aor, {})
            if contacts.pop(uri, None) is None:
                return False
            self._count -= 1
            if not contacts:
                del self._aors[aor]
            return True

    def remove_all(self, aor: str) -> int:
        """Removes all bindings of an address-of-record; their number."""
        with self.lock:
            removed = len(self._aors.pop(aor, {}))
            self._count -= removed
            return removed

    def sweep(self, now: float) -> int:
        """Removes what has expired, in slices, so that nobody waits long for the lock; the number removed."""
        removed = 0
        with self.lock:
            names = list(self._aors)
        for start in range(0, len(names), _SWEEP_SLICE):
            with self.lock:
                for aor in names[start : start + _SWEEP_SLICE]:
                    expired = [b.uri for b in self._aors.get(aor, {}).values() if b.expires_at <= now]
                    removed += sum(self.remove(aor, uri) for uri in expired)
        return removed

    def all(self) -> Iterator[Binding]:
        """All bindings, expired ones that no sweep has met included, as of now."""
        with self.lock:
            bindings = [binding for contacts in self._aors.values() for binding in contacts.values()]
        yield from bindings


class Tables:
    """The location tables by name; one is made when it is first used."""

    MAX_TABLES: Final = 64

    def __init__(self, max_bindings: int) -> None:
        self._max_bindings = max_bindings
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}

    def get(self, name: str) -> Table | None:
        """The table of that name; None when there are too many already, or the name is empty."""
        table = self._tables.get(name)
        if table is None and name:
            with self._lock:
                if name not in self._tables and len(self._tables) < self.MAX_TABLES:
                    self._tables[name] = Table(name, self._max_bindings)
                table = self._tables.get(name)
        return table

    def all(self) -> list[Table]:
        """All tables."""
        return list(self._tables.values())

    def sweep(self, now: float) -> int:
        """Removes expired bindings from all tables; their number."""
        return sum(table.sweep(now) for table in self.all())
