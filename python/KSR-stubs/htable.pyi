# Written by `python -m sipwright.kemi.stubs`.
"""KSR.htable: functions of Kamailio's module."""


def sht_cn(table: str, op: str, pattern: str, /) -> int:
    """How many items have a name that matches (op: eq, ne, sw, re); -1 without the table or for a bad condition."""

def sht_dec(table: str, key: str, /) -> int:
    """Takes 1 off a number and returns it; -255 when there is no number."""

def sht_get(table: str, key: str, /) -> int | str | None:
    """The value of an item, or None."""

def sht_gete(table: str, key: str, /) -> int | str:
    """The value of an item, or an empty text."""

def sht_getw(table: str, key: str, /) -> int | str:
    """The value of an item, or `<null>`."""

def sht_inc(table: str, key: str, /) -> int:
    """Adds 1 to a number and returns it; -255 when there is no number."""

def sht_is_null(table: str, key: str, /) -> int:
    """1 when there is no item, -1 when there is, -2 when the table's initial value stands in, 2 without the table."""

def sht_iterator_end(name: str, /) -> int:
    """Ends an iterator: 1, or -1 when there is none."""

def sht_iterator_next(name: str, /) -> int:
    """Goes to the next item: 1, or -1 after the last."""

def sht_iterator_rm(name: str, /) -> int:
    """Removes the item that the iterator is at."""

def sht_iterator_setex(name: str, expires: int, /) -> int:
    """Sets the seconds that the item which the iterator is at has left."""

def sht_iterator_seti(name: str, value: int, /) -> int:
    """Writes a number to the item that the iterator is at."""

def sht_iterator_sets(name: str, value: str, /) -> int:
    """Writes a text to the item that the iterator is at."""

def sht_iterator_start(name: str, table: str, /) -> int:
    """Begins to go through the items of a table: 1, or -1."""

def sht_lock(table: str, key: str, /) -> int:
    """Locks a key for this worker: 1; -1 without the table, or when another worker keeps it for 5 s."""

def sht_match_name(table: str, op: str, pattern: str, /) -> int:
    """1 when the name of an item matches (op: eq, ne, sw, re), else -1."""

def sht_match_str_value(table: str, op: str, pattern: str, /) -> int:
    """1 when the text of an item matches (op: eq, ne, sw, re), else -1."""

def sht_reset(table: str, /) -> int:
    """Removes all items: 0, as in Kamailio, or -1."""

def sht_rm(table: str, key: str, /) -> int:
    """Removes an item: 1, even if there is none; -1 without the table."""

def sht_rm_name(table: str, op: str, pattern: str, /) -> int:
    """Removes the items whose name matches: 1, or -1."""

def sht_rm_name_re(table: str, pattern: str, /) -> int:
    """Removes the items whose name matches a regular expression: 1, or -1."""

def sht_rm_value(table: str, op: str, pattern: str, /) -> int:
    """Removes the items whose value matches: 1, or -1."""

def sht_rm_value_re(table: str, pattern: str, /) -> int:
    """Removes the items whose value matches a regular expression: 1, or -1."""

def sht_setex(table: str, key: str, expires: int, /) -> int:
    """Sets the seconds that an item has left: 1, even if there is none; -1 without the table."""

def sht_seti(table: str, key: str, value: int, /) -> int:
    """Writes a number: 1, or -1."""

def sht_sets(table: str, key: str, value: str, /) -> int:
    """Writes a text: 1, or -1."""

def sht_setxi(table: str, key: str, value: int, expires: int, /) -> int:
    """Writes a number that lives for `expires` seconds: 0, as in Kamailio, or -1."""

def sht_setxs(table: str, key: str, value: str, expires: int, /) -> int:
    """Writes a text that lives for `expires` seconds: 1, or -1."""

def sht_unlock(table: str, key: str, /) -> int:
    """Gives a key free: 1; -1 without the table, or when this worker does not hold it."""
