"""Answers of DNS that scripts keep under a name: `$dns(name=>addr[0])` and its kin. Kamailio's module ipops."""

import random
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

Value = int | str
_FIELD: Final = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<index>-?\d+)\])?")


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns by name, each with a value for each record, and further values that are there once."""

    columns: dict[str, Sequence[Value]] = field(default_factory=dict)
    single: dict[str, Value] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many records there are."""
        return max((len(column) for column in self.columns.values()), default=0)

    def get(self, name: str) -> Value | None:
        """The value of `count`, of a single name, or of `column[index]`; indexes below 0 count from the end."""
        found = _FIELD.fullmatch(name.strip())
        if found is None:
            return None
        if found["name"] == "count":
            return self.count
        if found["name"] in self.single:
            return self.single[found["name"]]
        column = self.columns.get(found["name"], ())
        index = int(found["index"] or 0)
        return column[index] if -len(column) <= index < len(column) else None


class Answers:
    """Answers by the names that a script gives them."""

    def __init__(self, empty: Answer | None) -> None:
        self.by_name: dict[str, Answer] = {}
        self._empty = empty

    def get(self, inner: str) -> Value | None:
        """The value of `name=>field`."""
        name, arrow, wanted = inner.partition("=>")
        answer = self.by_name.get(name.strip(), self._empty)
        return answer.get(wanted) if arrow and answer is not None else None


def of_addresses(v4: Sequence[str], v6: Sequence[str]) -> Answer:
    """For `$dns`: `addr`, `type` (4 or 6), and whether there are any of `ipv4` and `ipv6`."""
    columns: dict[str, Sequence[Value]] = {"addr": [*v4, *v6], "type": [4] * len(v4) + [6] * len(v6)}
    return Answer(columns, {"ipv4": int(bool(v4)), "ipv6": int(bool(v6))})


def of_srv(records: Sequence[str], draw: Callable[[], float] = random.random) -> Answer:
    """For `$srvquery`: by priority, and within one drawn by weight (RFC 2782)."""
    rows = [(int(words[0]), int(words[1]), int(words[2]), words[3].rstrip(".")) for words in map(str.split, records)]
    # A draw by weight without replacement is a sort by exponential times.
    keyed = sorted(rows, key=lambda row: (row[0], -(draw() ** (1 / max(row[1], 0.001)))))
    return _table(("priority", "weight", "port", "target"), keyed)


def of_naptr(records: Sequence[str]) -> Answer:
    """For `$naptrquery`: by order and preference (RFC 3403)."""
    rows = []
    for words in map(shlex.split, records):
        order, pref, flags, services, regex, replace = words
        rows.append((int(order), int(pref), flags, services, regex, replace.rstrip(".")))
    return _table(("order", "pref", "flags", "services", "regex", "replace"), sorted(rows, key=lambda row: row[:2]))


def _table(names: Sequence[str], rows: Sequence[tuple[Value, ...]]) -> Answer:
    return Answer({name: [row[position] for row in rows] for position, name in enumerate(names)})
