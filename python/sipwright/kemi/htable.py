"""KSR.htable and the variables `$sht(table=>key)` and its kin, with Kamailio's return codes."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sipwright import log
from sipwright.kemi.calls import ksr
from sipwright.modules.htable import HashTable, Value, condition
from sipwright.modules.htable_rpc import HtableRpc
from sipwright.sharing import setup

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "sht_cn",
    "sht_dec",
    "sht_get",
    "sht_gete",
    "sht_getw",
    "sht_inc",
    "sht_is_null",
    "sht_iterator_end",
    "sht_iterator_next",
    "sht_iterator_rm",
    "sht_iterator_setex",
    "sht_iterator_seti",
    "sht_iterator_sets",
    "sht_iterator_start",
    "sht_lock",
    "sht_match_name",
    "sht_match_str_value",
    "sht_reset",
    "sht_rm",
    "sht_rm_name",
    "sht_rm_name_re",
    "sht_rm_value",
    "sht_rm_value_re",
    "sht_setex",
    "sht_seti",
    "sht_sets",
    "sht_setxi",
    "sht_setxs",
    "sht_unlock",
]

NOT_A_NUMBER = -255

_tables: dict[str, HashTable] = {}
_iterators = threading.local()


def configure(host: "Host") -> None:
    """Makes the tables of the host's settings, loads those of a database, and registers `$sht(table=>key)` and its kin.

    Raises SettingsError when the database cannot be read, or what the tables are shared by is not set up.
    """
    settings = host.settings.htable
    _tables.clear()
    for name, table in settings.tables.items():
        _tables[name] = HashTable(name, table)
    if any(table.settings.dbtable for table in tables()):
        from sipwright.modules.htable_store import StoredTables

        stored = StoredTables(host.database(settings.db_url), settings)
        stored.load_all(tables())
        host.at_stop(lambda: stored.store_all(tables()))
    else:
        stored = None
    _share(host)
    register_variables(host.variable)
    host.every(settings.timer_interval_s, lambda: sweep(host))
    host.count(lambda: {"htable_items": sum(len(table) for table in tables())})
    HtableRpc(_tables, stored).register(host.rpc)
    host.event(settings.event_callback, "htable:mod-init")


def _share(host: "Host") -> None:
    """Shares the tables that are to be shared. What they have now counts less than whatever other servers have."""
    settings = host.settings.htable
    shared = {name: table for name, table in _tables.items() if table.settings.dmqreplicate}
    if not settings.share_url:
        setup.show(host, "htable", None)
        return
    from sipwright.sharing.hashes import SharedTables

    if not shared:
        log.warning("htable.share_url: no table has dmqreplicate, so none is shared")
    nodes = setup.nodes_of(host, "htable", "")
    sharing = SharedTables(shared, nodes, settings.share_tombstone_s)
    for table in shared.values():
        table.sharing = sharing
    setup.show(host, "htable", setup.connect(host, settings.share_url, sharing, nodes))


def tables() -> list[HashTable]:
    """All tables, for the sweep and the control socket."""
    return list(_tables.values())


def sweep(host: "Host") -> int:
    """Removes ended items from all tables; their number. The event route of the settings sees each of them."""
    callback, count = host.settings.htable.event_callback, 0
    for table in tables():
        for key, value in table.sweep(time.monotonic()):
            count += 1
            if callback:
                host.call(partial(_tell, host, callback, table.name, key, value))
    return count


def _tell(host: "Host", callback: str, table: str, key: str, value: Value) -> None:
    _iterators.record = (key, value)
    try:
        host.run_route(callback, f"htable:expired:{table}")
    finally:
        _iterators.record = None


@ksr("htable.sht_get")
def sht_get(table: str, key: str) -> Value | None:
    """The value of an item, or None."""
    found = _table(table)
    return None if found is None else found.get(key, time.monotonic())


@ksr("htable.sht_gete")
def sht_gete(table: str, key: str) -> Value:
    """The value of an item, or an empty text."""
    value = sht_get(table, key)
    return "" if value is None else value


@ksr("htable.sht_getw")
def sht_getw(table: str, key: str) -> Value:
    """The value of an item, or `<null>`."""
    value = sht_get(table, key)
    return "<null>" if value is None else value


@ksr("htable.sht_sets")
def sht_sets(table: str, key: str, value: str) -> int:
    """Writes a text: 1, or -1."""
    return _set(table, key, value)


@ksr("htable.sht_seti")
def sht_seti(table: str, key: str, value: int) -> int:
    """Writes a number: 1, or -1."""
    return _set(table, key, value)


@ksr("htable.sht_setxs")
def sht_setxs(table: str, key: str, value: str, expires: int) -> int:
    """Writes a text that lives for `expires` seconds: 1, or -1."""
    return _set(table, key, value, expires)


@ksr("htable.sht_setxi")
def sht_setxi(table: str, key: str, value: int, expires: int) -> int:
    """Writes a number that lives for `expires` seconds: 0, as in Kamailio, or -1."""
    return 0 if _set(table, key, value, expires) == 1 else -1


@ksr("htable.sht_setex")
def sht_setex(table: str, key: str, expires: int) -> int:
    """Sets the seconds that an item has left: 1, even if there is none; -1 without the table."""
    found = _table(table)
    if found is None:
        return -1
    found.set_expires(key, expires, time.monotonic())
    return 1


@ksr("htable.sht_inc")
def sht_inc(table: str, key: str) -> int:
    """Adds 1 to a number and returns it; -255 when there is no number."""
    return _add(table, key, 1)


@ksr("htable.sht_dec")
def sht_dec(table: str, key: str) -> int:
    """Takes 1 off a number and returns it; -255 when there is no number."""
    return _add(table, key, -1)


@ksr("htable.sht_rm")
def sht_rm(table: str, key: str) -> int:
    """Removes an item: 1, even if there is none; -1 without the table."""
    found = _table(table)
    if found is None:
        return -1
    found.remove(key)
    return 1


@ksr("htable.sht_is_null")
def sht_is_null(table: str, key: str) -> int:
    """1 when there is no item, -1 when there is, -2 when the table's initial value stands in, 2 without the table."""
    found = _table(table)
    if found is None:
        return 2
    if found.has(key, time.monotonic()):
        return -1
    return 1 if found.settings.initval is None else -2


@ksr("htable.sht_match_name")
def sht_match_name(table: str, op: str, pattern: str) -> int:
    """1 when the name of an item matches (op: eq, ne, sw, re), else -1."""
    return _match(table, op, pattern, lambda key, _: key)


@ksr("htable.sht_match_str_value")
def sht_match_str_value(table: str, op: str, pattern: str) -> int:
    """1 when the text of an item matches (op: eq, ne, sw, re), else -1."""
    return _match(table, op, pattern, lambda _, value: value if isinstance(value, str) else None)


@ksr("htable.sht_rm_name")
def sht_rm_name(table: str, op: str, pattern: str) -> int:
    """Removes the items whose name matches: 1, or -1."""
    return _remove(table, op, pattern, lambda key, _: key)


@ksr("htable.sht_rm_name_re")
def sht_rm_name_re(table: str, pattern: str) -> int:
    """Removes the items whose name matches a regular expression: 1, or -1."""
    return _remove(table, "re", pattern, lambda key, _: key)


@ksr("htable.sht_rm_value")
def sht_rm_value(table: str, op: str, pattern: str) -> int:
    """Removes the items whose value matches: 1, or -1."""
    return _remove(table, op, pattern, lambda _, value: str(value))


@ksr("htable.sht_rm_value_re")
def sht_rm_value_re(table: str, pattern: str) -> int:
    """Removes the items whose value matches a regular expression: 1, or -1."""
    return _remove(table, "re", pattern, lambda _, value: str(value))


@ksr("htable.sht_reset")
def sht_reset(table: str) -> int:
    """Removes all items: 0, as in Kamailio, or -1."""
    found = _table(table)
    if found is None:
        return -1
    found.clear()
    return 0


@ksr("htable.sht_lock")
def sht_lock(table: str, key: str) -> int:
    """Locks a key for this worker: 1; -1 without the table, or when another worker keeps it for 5 s."""
    found = _table(table)
    if found is None:
        return -1
    if not found.lock_key(key):
        log.error(f"KSR.htable.sht_lock: another worker keeps {key!r} of {table!r} locked")
        return -1
    return 1


@ksr("htable.sht_unlock")
def sht_unlock(table: str, key: str) -> int:
    """Gives a key free: 1; -1 without the table, or when this worker does not hold it."""
    found = _table(table)
    return 1 if found is not None and found.unlock_key(key) else -1


@ksr("htable.sht_cn")
def sht_cn(table: str, op: str, pattern: str) -> int:
    """How many items have a name that matches (op: eq, ne, sw, re); -1 without the table or for a bad condition."""
    found, test = _table(table), _condition(op, pattern)
    if found is None or test is None:
        return -1
    return len(found.where(lambda key, _: test(key), time.monotonic()))


@ksr("htable.sht_iterator_start")
def sht_iterator_start(name: str, table: str) -> int:
    """Begins to go through the items of a table: 1, or -1."""
    found = _table(table)
    if found is None:
        return -1
    _running()[name] = (found, found.names(time.monotonic()), -1)
    return 1


@ksr("htable.sht_iterator_next")
def sht_iterator_next(name: str) -> int:
    """Goes to the next item: 1, or -1 after the last."""
    running = _running().get(name)
    if running is None:
        return -1
    table, keys, position = running
    position = min(position + 1, len(keys))
    _running()[name] = (table, keys, position)
    return 1 if position < len(keys) else -1


@ksr("htable.sht_iterator_end")
def sht_iterator_end(name: str) -> int:
    """Ends an iterator: 1, or -1 when there is none."""
    return 1 if _running().pop(name, None) is not None else -1


@ksr("htable.sht_iterator_rm")
def sht_iterator_rm(name: str) -> int:
    """Removes the item that the iterator is at."""
    place = _iterator_place(name)
    return -1 if place is None else int(sht_rm(place[0].name, place[1]))


@ksr("htable.sht_iterator_sets")
def sht_iterator_sets(name: str, value: str) -> int:
    """Writes a text to the item that the iterator is at."""
    place = _iterator_place(name)
    return -1 if place is None else _set(place[0].name, place[1], value)


@ksr("htable.sht_iterator_seti")
def sht_iterator_seti(name: str, value: int) -> int:
    """Writes a number to the item that the iterator is at."""
    place = _iterator_place(name)
    return -1 if place is None else _set(place[0].name, place[1], value)


@ksr("htable.sht_iterator_setex")
def sht_iterator_setex(name: str, expires: int) -> int:
    """Sets the seconds that the item which the iterator is at has left."""
    place = _iterator_place(name)
    return -1 if place is None else int(sht_setex(place[0].name, place[1], expires))


# ---- pseudo-variables ----------------------------------------------------------------------------------------------


def register_variables(register: Callable[..., None]) -> None:
    """Registers `$sht(table=>key)` and its kin with the engine's `register_pv`."""
    register("sht", lambda inner, _: _at(inner, HashTable.get), _set_variable)
    register("shtex", lambda inner, _: _at(inner, HashTable.expires_in), _set_expires_variable)
    register("shtinc", lambda inner, _: _at(inner, lambda t, key, now: t.add(key, 1, now)), None)
    register("shtdec", lambda inner, _: _at(inner, lambda t, key, now: t.add(key, -1, now)), None)
    register("shtcn", lambda inner, _: _count(inner, lambda key, _: key), None)
    register("shtcv", lambda inner, _: _count(inner, lambda _, value: str(value)), None)
    register("shtitkey", lambda inner, _: place[1] if (place := _iterator_place(inner)) else None, None)
    register("shtrecord", lambda inner, _: _record(inner), None)
    register("shtitval", lambda inner, _: _iterator_value(inner), None)


def _at(inner: str, operation: Callable[[HashTable, str, float], Value | None]) -> Value | None:
    name, _, key = inner.partition("=>")
    table = _table(name.strip())
    return None if table is None else operation(table, key.strip(), time.monotonic())


def _set_variable(inner: str, value: Value | None) -> bool:
    name, _, key = (part.strip() for part in inner.partition("=>"))
    return (sht_rm(name, key) if value is None else _set(name, key, value)) == 1


def _set_expires_variable(inner: str, value: Value | None) -> bool:
    name, _, key = (part.strip() for part in inner.partition("=>"))
    return isinstance(value, int) and sht_setex(name, key, value) == 1


def _count(inner: str, text_of: Callable[[str, Value], str]) -> int | None:
    """`table=>~~regex`, `table=>~%prefix` or `table=>==text`: the number of items that match."""
    name, _, rest = (part.strip() for part in inner.partition("=>"))
    table = _table(name)
    test = condition({"~~": "re", "~%": "sw", "==": "eq"}.get(rest[:2], ""), rest[2:])
    if table is None or test is None:
        return None
    return len(table.where(lambda key, value: test(text_of(key, value)), time.monotonic()))


def _record(inner: str) -> Value | None:
    """`key` or `value` of the item that `htable:expired` is about."""
    record: tuple[str, Value] | None = getattr(_iterators, "record", None)
    return None if record is None or inner not in ("key", "value") else record[inner == "value"]


def _iterator_value(name: str) -> Value | None:
    place = _iterator_place(name)
    return None if place is None else place[0].get(place[1], time.monotonic())


# ---- helpers -------------------------------------------------------------------------------------------------------


def _table(name: str) -> HashTable | None:
    table = _tables.get(name)
    if table is None:
        log.error(f"KSR.htable: there is no table {name!r}; setting htable.tables names them")
    return table


def _set(name: str, key: str, value: Value, expires: int | None = None) -> int:
    table = _table(name)
    if table is None:
        return -1
    if not table.set(key, value, time.monotonic(), expires):
        log.error(f"KSR.htable: table {name!r} is full ({table.settings.max_items} items)")
        return -1
    return 1


def _add(name: str, key: str, delta: int) -> int:
    table = _table(name)
    number = None if table is None else table.add(key, delta, time.monotonic())
    return NOT_A_NUMBER if number is None else number


def _match(name: str, op: str, pattern: str, text_of: Callable[[str, Value], str | None]) -> int:
    table, test = _table(name), _condition(op, pattern)
    if table is None or test is None:
        return -1

    def matches(key: str, value: Value) -> bool:
        text = text_of(key, value)
        return text is not None and test(text)

    return 1 if table.where(matches, time.monotonic()) else -1


def _remove(name: str, op: str, pattern: str, text_of: Callable[[str, Value], str]) -> int:
    table, test = _table(name), _condition(op, pattern)
    if table is None or test is None:
        return -1
    table.remove_where(lambda key, value: test(text_of(key, value)), time.monotonic())
    return 1


def _condition(op: str, pattern: str) -> Callable[[str], bool] | None:
    test = condition(op, pattern)
    if test is None:
        log.error(f"KSR.htable: {op!r} with {pattern!r} is no condition; eq, ne, sw or re with a regular expression")
    return test


def _running() -> dict[str, tuple[HashTable, list[str], int]]:
    running: dict[str, tuple[HashTable, list[str], int]] | None = getattr(_iterators, "running", None)
    if running is None:
        running = _iterators.running = {}
    return running


def _iterator_place(name: str) -> tuple[HashTable, str] | None:
    running = _running().get(name)
    if running is None or not 0 <= running[2] < len(running[1]):
        return None
    return running[0], running[1][running[2]]
