"""Hash tables that several servers share: of two values of a key the one that was written last counts.

A stamp is the time of the writer's clock, but always later than that of the value it replaces: a hybrid logical clock, so
that clocks that differ do not lose a write that was made in knowledge of the other.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sipwright.modules.htable import HashTable, Item
from sipwright.sharing import records
from sipwright.sharing.nodes import Nodes
from sipwright.sharing.outbox import Outbox, Tombstones
from sipwright.sharing.records import Record

PAGE: Final = 500


class SharedTables:
    """The tables that are shared, as the other servers see them. Times in items are those of a monotonic clock."""

    def __init__(
        self,
        tables: Mapping[str, HashTable],
        nodes: Nodes,
        tombstone_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.nodes = nodes
        self.outbox: Outbox[tuple[str, str]] = Outbox()
        self.tombstones = Tombstones(tombstone_s)
        self.refused = 0
        self._tables = tables
        self._clock = clock

    # ---- what happens here, under the lock of the table -------------------------------------------------------------

    def changed(self, table: str, key: str, item: Item) -> None:
        """An item has been written."""
        buried = self.tombstones.get(_key(table, key))
        known = max(item.stamp, int(buried[:20]) if buried else 0)
        item.stamp, item.server_id = records.stamp_after(self._clock(), known), self.nodes.own
        item.ends_ms = 0
        self.tombstones.drop(_key(table, key))
        self.outbox.add((table, key))

    def removed(self, table: str, key: str, item: Item) -> None:
        """An item has been removed before its end."""
        stamp = records.stamp_after(self._clock(), item.stamp)
        text = records.write(stamp, 0, True, {"table": table, "key": key})
        self.tombstones.put(_key(table, key), text, self._clock())
        self.outbox.add((table, key))

    # ---- the link --------------------------------------------------------------------------------------------------

    def records(self, keys: list[tuple[str, str]]) -> list[Record]:
        """As `Store.records`."""
        found = []
        for name, key in keys:
            with self._tables[name].merging() as items:
                item = items.get(key)
                buried = self.tombstones.get(_key(name, key))
                if item is not None:
                    found += _record(name, key, item)
                elif buried is not None:
                    left_ms = self.tombstones.left_ms(_key(name, key), self._clock())
                    found.append(Record(_key(name, key), buried.encode(), left_ms))
        return found

    def everything(self) -> Iterator[list[Record]]:
        """As `Store.everything`."""
        for name, table in self._tables.items():
            with table.merging() as items:
                keys = list(items)
            for first in range(0, len(keys), PAGE):
                yield self.records([(name, key) for key in keys[first : first + PAGE]])
        buried = self.tombstones.keys()
        for first in range(0, len(buried), PAGE):
            now = self._clock()
            page = [(key, self.tombstones.get(key)) for key in buried[first : first + PAGE]]
            yield [
                Record(key, text.encode(), self.tombstones.left_ms(key, now)) for key, text in page if text is not None
            ]

    def apply(self, text: str) -> bool:
        """As `Store.apply`."""
        fields = records.read(text)
        name, key = str(fields.values["table"]), str(fields.values["key"])
        table = self._tables.get(name)
        if table is None:
            # Other servers share more tables than this one.
            return False
        now = time.monotonic()
        with table.merging() as items:
            old = items.get(key)
            known = self.tombstones.get(_key(name, key)) if old is None else _text(name, key, old)
            if not records.is_newer(text, known):
                return False
            if fields.is_deleted:
                items.pop(key, None)
                self.tombstones.put(_key(name, key), text, self._clock())
                return True
            new = _item(fields)
            if new.expires_at and new.expires_at <= now:
                items.pop(key, None)
                return True
            if old is None and len(items) >= table.settings.max_items:
                self.refused += 1
                return False
            self.tombstones.drop(_key(name, key))
            items[key] = new
        return True

    def applied(self) -> None:
        """As `Store.applied`."""

    def sweep(self, now: float) -> None:
        """As `Store.sweep`."""
        self.tombstones.sweep(now)


def _key(table: str, key: str) -> bytes:
    # Kamailio's names may be any bytes, which are here as lone surrogates.
    return f"{table}\n{key}".encode("utf-8", "surrogatepass")


def _text(table: str, key: str, item: Item) -> str:
    if item.expires_at and not item.ends_ms:
        # Once, so that the text stays the same.
        item.ends_ms = round((time.time() - time.monotonic() + item.expires_at) * 1000)
    values = {"table": table, "key": key, "value": item.value, "ends_ms": item.ends_ms, "server_id": item.server_id}
    return records.write(item.stamp, 0, False, values)


def _record(table: str, key: str, item: Item) -> list[Record]:
    left_ms = int((item.expires_at - time.monotonic()) * 1000) if item.expires_at else 0
    if item.expires_at and left_ms <= 0:
        return []
    return [Record(_key(table, key), _text(table, key, item).encode(), left_ms)]


def _item(fields: records.Fields) -> Item:
    values = fields.values
    value, ends_ms = values["value"], int(values.get("ends_ms", 0))
    if not isinstance(value, int | str):
        raise ValueError("a value is neither a number nor a text")
    expires_at = ends_ms / 1000 - time.time() + time.monotonic() if ends_ms else 0.0
    return Item(value, expires_at, fields.stamp, int(values.get("server_id", 0)), ends_ms)
