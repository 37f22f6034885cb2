"""Hash tables that all workers share: named items with an optional lifetime, as Kamailio's module htable has them.

Times are seconds of a monotonic clock, given by the caller. Every operation is atomic. `lock_key` and `unlock_key`
are for scripts that do several operations on one key; they are held by a thread and never wait for ever.

A table that other servers have too tells its `sharing` of each change, and takes theirs by `merging`.
"""

import re
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sipwright.settings.model import TableSettings

if TYPE_CHECKING:
    from sipwright.sharing.hashes import SharedTables

Value = int | str
LOCK_WAIT_S: Final = 5.0
_KEY_LOCKS: Final = 64
_CONDITIONS: Final = ("eq", "ne", "sw", "re")


@dataclass(slots=True)
class Item:
    """A value and when it ends, in seconds; 0 for never.

    In a table that is shared also when it was last changed (`stamp`, in microseconds since 1970), by which server, and its
    end on the clock of all servers (`ends_ms`, in milliseconds since 1970).
    """

    value: Value
    expires_at: float = 0.0
    stamp: int = 0
    server_id: int = 0
    ends_ms: int = 0


class HashTable:
    """One table."""

    def __init__(self, name: str, settings: TableSettings) -> None:
        self.name = name
        self.settings = settings
        # The other servers that have the table too, if there are any.
        self.sharing: SharedTables | None = None
        self._items: dict[str, Item] = {}
        self._lock = threading.Lock()
        self._key_locks = [threading.RLock() for _ in range(_KEY_LOCKS)]

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: str, now: float) -> Value | None:
        """The value of an item, else the table's initial value, if it has one."""
        item = self._live(key, now)
        return self.settings.initval if item is None else item.value

    def has(self, key: str, now: float) -> bool:
        """Whether there is an item of that name."""
        return self._live(key, now) is not None

    def set(self, key: str, value: Value, now: float, expires_s: int | None = None) -> bool:
        """Writes an item; False when the table is full. `expires_s` replaces the table's own lifetime."""
        with self._lock:
            item = self._live(key, now)
            if item is None:
                if len(self._items) >= self.settings.max_items and key not in self._items:
                    return False
                item = self._items[key] = Item(value, self._end(now, None))
            elif self.settings.updateexpire:
                item.expires_at = self._end(now, None)
            item.value = value
            if expires_s is not None:
                item.expires_at = self._end(now, expires_s)
            self._changed(key, item)
            return True

    def add(self, key: str, delta: int, now: float) -> int | None:
        """Adds to a number and returns it; None when there is neither a number nor a numeric initial value."""
        with self._lock:
            item = self._live(key, now)
            old = self.settings.initval if item is None else item.value
            if not isinstance(old, int):
                return None
            if item is None:
                item = self._items[key] = Item(old, self._end(now, None))
            elif self.settings.updateexpire:
                item.expires_at = self._end(now, None)
            item.value = old + delta
            self._changed(key, item)
            return item.value

    def remove(self, key: str) -> None:
        """Removes an item, if it is there."""
        with self._lock:
            self._removed(key, self._items.pop(key, None))

    def set_expires(self, key: str, expires_s: int, now: float) -> bool:
        """Sets the seconds that an item has left; whether it is there."""
        with self._lock:
            item = self._live(key, now)
            if item is not None:
                item.expires_at = self._end(now, expires_s)
                self._changed(key, item)
            return item is not None

    def expires_in(self, key: str, now: float) -> int | None:
        """Seconds that an item has left, 0 when it has no end; None when it is not there."""
        item = self._live(key, now)
        if item is None:
            return None
        return max(1, round(item.expires_at - now)) if item.expires_at else 0

    def clear(self) -> None:
        """Removes all items."""
        self.replace([], 0.0)

    def names(self, now: float) -> list[str]:
        """The names of all live items."""
        with self._lock:
            return [key for key, item in self._items.items() if not item.expires_at or item.expires_at > now]

    def remove_where(self, test: Callable[[str, Value], bool], now: float) -> int:
        """Removes the items that `test(key, value)` is true for; their number."""
        found = self.where(test, now)
        for key in found:
            self.remove(key)
        return len(found)

    def where(self, test: Callable[[str, Value], bool], now: float) -> list[str]:
        """The names of the items that `test(key, value)` is true for."""
        with self._lock:
            items = [(key, item.value) for key, item in self._items.items() if self._is_live(item, now)]
        return [key for key, value in items if test(key, value)]

    def sweep(self, now: float) -> list[tuple[str, Value]]:
        """Removes what has ended; keys and values. Of the servers that share a table each removes them, and one returns them."""
        with self._lock:
            ended = [(key, item) for key, item in self._items.items() if not self._is_live(item, now)]
            for key, _ in ended:
                del self._items[key]
        nodes = None if self.sharing is None else self.sharing.nodes
        return [(key, item.value) for key, item in ended if nodes is None or nodes.is_responsible(item.server_id)]

    def items(self, now: float) -> list[tuple[str, Value, float]]:
        """Keys, values and seconds that are left (0 for no end) of all live items."""
        with self._lock:
            return [
                (key, item.value, item.expires_at - now if item.expires_at else 0.0)
                for key, item in self._items.items()
                if self._is_live(item, now)
            ]

    def replace(self, items: list[tuple[str, Value, float]], now: float) -> None:
        """Has these items, with the seconds that are left (0 for the table's own lifetime), instead of the ones there."""
        made = {key: Item(value, now + left_s if left_s > 0 else self._end(now, None)) for key, value, left_s in items}
        with self._lock:
            gone, self._items = self._items, made
            if self.sharing is not None:
                for key in gone.keys() - made.keys():
                    self._removed(key, gone[key])
                for key, item in made.items():
                    item.stamp = gone[key].stamp if key in gone else 0
                    self._changed(key, item)

    @contextmanager
    def merging(self) -> Iterator[dict[str, Item]]:
        """The items themselves, for what other servers have changed; nobody else uses them meanwhile."""
        with self._lock:
            yield self._items

    def lock_key(self, key: str) -> bool:
        """Locks a key for this thread; False when another one holds it for too long."""
        return bool(self._key_lock(key).acquire(timeout=LOCK_WAIT_S))

    def unlock_key(self, key: str) -> bool:
        """Gives a key free; False when this thread does not hold it."""
        try:
            self._key_lock(key).release()
        except RuntimeError:
            return False
        return True

    def _changed(self, key: str, item: Item) -> None:
        if self.sharing is not None:
            self.sharing.changed(self.name, key, item)

    def _removed(self, key: str, item: Item | None) -> None:
        if self.sharing is not None and item is not None:
            self.sharing.removed(self.name, key, item)

    def _key_lock(self, key: str) -> Any:
        return self._key_locks[zlib.crc32(key.encode("utf-8", "surrogatepass")) % _KEY_LOCKS]

    def _live(self, key: str, now: float) -> Item | None:
        item = self._items.get(key)
        return item if item is not None and self._is_live(item, now) else None

    @staticmethod
    def _is_live(item: Item, now: float) -> bool:
        return not item.expires_at or item.expires_at > now

    def _end(self, now: float, expires_s: int | None) -> float:
        seconds = self.settings.autoexpire_s if expires_s is None else expires_s
        return now + seconds if seconds > 0 else 0.0


def condition(operator: str, pattern: str) -> Callable[[str], bool] | None:
    """The test of `sht_match_*` and `sht_rm_*`: eq, ne, sw (starts with) or re; None for others or a bad regex."""
    if operator not in _CONDITIONS:
        return None
    if operator == "re":
        try:
            regex = re.compile(pattern)
        except re.error:
            return None
        return lambda text: regex.search(text) is not None
    tests: dict[str, Callable[[str], bool]] = {
        "eq": lambda text: text == pattern,
        "ne": lambda text: text != pattern,
        "sw": lambda text: text.startswith(pattern),
    }
    return tests[operator]
