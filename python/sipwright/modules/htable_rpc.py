"""Control methods of hash tables, with Kamailio's names, shapes and texts."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sipwright.control.rpc import FAILED, Rpc, RpcError
from sipwright.modules.dispatcher_select import hash_of
from sipwright.modules.htable import HashTable, Value

if TYPE_CHECKING:
    from sipwright.modules.htable_store import StoredTables


class HtableRpc:
    """The methods, for these tables; `stored` is the database that some of them have, if any."""

    def __init__(self, tables: Mapping[str, HashTable], stored: "StoredTables | None") -> None:
        self._tables = tables
        self._stored = stored

    def register(self, rpc: Rpc) -> None:
        """Adds all of them."""
        for name in (
            "dump",
            "get",
            "seti",
            "sets",
            "setxi",
            "setxs",
            "setex",
            "delete",
            "flush",
            "listTables",
            "stats",
        ):
            rpc.add(f"htable.{name}", getattr(self, name))
        rpc.add("htable.reload", self.reload, blocking=True)
        rpc.add("htable.store", self.store, blocking=True)

    def dump(self, table: str) -> list[dict[str, Any]]:
        """htable.dump: the items, by the slots that they are in."""
        found = self._table(table)
        slots: dict[int, list[dict[str, Any]]] = {}
        for key, value, _ in found.items(time.monotonic()):
            row = {"name": key, "value": value, "type": "int" if isinstance(value, int) else "str"}
            slots.setdefault(_slot(found, key), []).append(row)
        return [{"entry": entry, "size": len(rows), "slot": rows} for entry, rows in sorted(slots.items())]

    def get(self, table: str, key: str) -> dict[str, Any]:
        """htable.get: one item."""
        found, now = self._table(table), time.monotonic()
        if not found.has(key, now):
            raise RpcError(FAILED, "Key name doesn't exist in htable.")
        value, left_s = found.get(key, now), found.expires_in(key, now)
        flags = 0 if isinstance(value, int) else 2
        return {"item": {"name": key, "value": value, "flags": flags, "expire": left_s or "NEVER"}}

    def seti(self, table: str, key: str, value: int) -> str:
        """htable.seti: writes a number."""
        return self._set(table, key, int(value))

    def sets(self, table: str, key: str, value: str) -> str:
        """htable.sets: writes a text."""
        return self._set(table, key, str(value))

    def setxi(self, table: str, key: str, value: int, expires: int) -> str:
        """htable.setxi: writes a number and the seconds that it has; 0 for no end."""
        return self._set_until(table, key, int(value), int(expires))

    def setxs(self, table: str, key: str, value: str, expires: int) -> str:
        """htable.setxs: writes a text and the seconds that it has; 0 for no end."""
        return self._set_until(table, key, str(value), int(expires))

    def setex(self, table: str, key: str, expires: int) -> str:
        """htable.setex: sets the seconds that an item has left."""
        if not self._table(table).set_expires(key, int(expires), time.monotonic()):
            raise RpcError(FAILED, "Key not found in htable.")
        return "Ok"

    def delete(self, table: str, key: str) -> str:
        """htable.delete: removes an item."""
        found = self._table(table)
        if not found.has(key, time.monotonic()):
            raise RpcError(FAILED, "Key not found in htable.")
        found.remove(key)
        return "Ok. Key deleted."

    def flush(self, table: str) -> str:
        """htable.flush: removes all items."""
        self._table(table).clear()
        return "Ok. Htable flushed."

    def listTables(self) -> list[dict[str, Any]]:
        """htable.listTables: the tables and their settings."""
        return [
            {
                "name": name,
                "dbtable": table.settings.dbtable,
                "dbmode": table.settings.dbmode,
                "expire": table.settings.autoexpire_s,
                "updateexpire": int(table.settings.updateexpire),
                "size": 1 << table.settings.size,
                "dmqreplicate": int(table.settings.dmqreplicate),
            }
            for name, table in self._tables.items()
        ]

    def stats(self) -> list[dict[str, Any]]:
        """htable.stats: how many items there are, and in the slots with most and fewest."""
        rows = []
        for name, table in self._tables.items():
            slots = Counter(_slot(table, key) for key in table.names(time.monotonic()))
            count = 1 << table.settings.size
            fewest = min(slots.values(), default=0) if len(slots) == count else 0
            row = {"name": name, "slots": count, "all": slots.total(), "min": fewest}
            rows.append({**row, "max": max(slots.values(), default=0)})
        return rows

    def reload(self, table: str) -> str:
        """htable.reload: loads the items from the database again; nothing changes if that fails."""
        stored, found = self._of_database(table)
        stored.load(found)
        return "Ok. Htable reloaded."

    def store(self, table: str) -> str:
        """htable.store: writes the items to the database."""
        stored, found = self._of_database(table)
        stored.store(found)
        return "Ok. Htable stored."

    def _table(self, name: str) -> HashTable:
        found = self._tables.get(name)
        if found is None:
            raise RpcError(FAILED, "No such htable")
        return found

    def _of_database(self, name: str) -> "tuple[StoredTables, HashTable]":
        found = self._table(name)
        if self._stored is None:
            raise RpcError(FAILED, "No htable db_url")
        if not found.settings.dbtable:
            raise RpcError(FAILED, "No database htable")
        return self._stored, found

    def _set_until(self, name: str, key: str, value: Value, expires_s: int) -> str:
        # Kamailio's text for a table that is not there is another one here.
        if name not in self._tables:
            raise RpcError(FAILED, "Failed to set the item")
        return self._set(name, key, value, expires_s)

    def _set(self, name: str, key: str, value: Value, expires_s: int | None = None) -> str:
        if not self._table(name).set(key, value, time.monotonic(), expires_s):
            raise RpcError(FAILED, "The htable is full")
        return "Ok. Key set to new value."


def _slot(table: HashTable, key: str) -> int:
    return hash_of(key) & ((1 << table.settings.size) - 1)
