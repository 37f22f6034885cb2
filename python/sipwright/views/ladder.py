"""A call as a ladder diagram: who takes part, and what passes between them, in order.

The server is one column whatever its addresses are; whoever sent it the first message stands on its left, everybody
else on its right, in the order of their first message. What the script decided stands in the server's column.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sipwright.record.entry import Endpoint, Entry
from sipwright.settings.listen import join_host_port

SERVER: Final = "server"
# Digits of a code, and what a reason phrase may add to it.
_LONGEST_LABEL: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the ladder: an arrow from column `source` to column `target`, or with the same in both a decision.

    `seconds` counts from the first message. `tone` is `request`, `provisional`, `success`, `failure`, `route`,
    `function` or `error`. `again` is whether the same message passed there before.
    """

    entry: Entry
    source: int
    target: int
    seconds: float
    label: str
    tone: str
    again: bool


@dataclass(slots=True)
class Ladder:
    """Columns and rows of one call; `feed` adds to them."""

    columns: list[str] = field(default_factory=lambda: [SERVER])
    rows: list[Row] = field(default_factory=list)
    server: int = 0
    _places: dict[tuple[str, Endpoint], int] = field(default_factory=dict)
    _seen: set[tuple[str, Endpoint, bytes]] = field(default_factory=set)
    _began_ns: int | None = None

    def feed(self, entry: Entry) -> bool:
        """Adds what was recorded; whether a column came with it, which may have moved the others."""
        if self._began_ns is None:
            self._began_ns = entry.mono_ns
        before = len(self.columns)
        here = self.server
        if entry.is_message:
            there = self._column(entry)
            here = self.server
            source, target = (there, here) if entry.kind == "received" else (here, there)
        else:
            source = target = here
        key = (entry.kind, entry.remote, entry.data)
        again = entry.is_message and key in self._seen
        self._seen.add(key)
        seconds = (entry.mono_ns - self._began_ns) / 1e9
        self.rows.append(Row(entry, source, target, seconds, label(entry), tone(entry), again))
        return len(self.columns) > before

    def _column(self, entry: Entry) -> int:
        key = (entry.proto, entry.remote)
        found = self._places.get(key)
        if found is None:
            name = f"{entry.proto}:{join_host_port(*entry.remote)}"
            if len(self.columns) == 1 and entry.kind == "received":
                self.columns.insert(0, name)
                self.server = 1
                found = 0
                self.rows = [_moved(row) for row in self.rows]
            else:
                self.columns.append(name)
                found = len(self.columns) - 1
            self._places[key] = found
        return found

    def to_json(self) -> dict[str, Any]:
        """For the page that draws it."""
        rows = [
            {
                "source": row.source,
                "target": row.target,
                "seconds": round(row.seconds, 6),
                "label": row.label,
                "tone": row.tone,
                "again": row.again,
                "entry": row.entry.to_json(),
            }
            for row in self.rows
        ]
        return {"columns": self.columns, "server": self.server, "rows": rows}


def ladder_of(entries: Iterable[Entry]) -> Ladder:
    """The ladder of a call, what began first first: a route stands before what it did."""
    ladder = Ladder()
    for entry in sorted(entries, key=lambda entry: (entry.mono_ns, entry.number)):
        ladder.feed(entry)
    return ladder


def label(entry: Entry) -> str:
    """What stands on the arrow, or in the server's column."""
    if entry.kind == "route":
        event = f" ({entry.arguments})" if entry.arguments else ""
        end = f" {entry.result}" if entry.result else ""
        return printable(f"{entry.name}{event}{end} {duration(entry.spent_us)}")
    if entry.kind == "function":
        result = f" = {entry.result}" if entry.result else ""
        return printable(f"{entry.name}({entry.arguments}){result}")
    if entry.kind == "error":
        return printable(f"{entry.name}: {last_line(entry.result)}")
    sdp = " SDP" if b"application/sdp" in entry.data[:8_192].lower() else ""
    if not entry.status:
        return printable(f"{entry.method or 'malformed'}{sdp}")
    method = "" if entry.method == "INVITE" else f" ({entry.method})"
    reason = entry.data[12 : entry.data.find(b"\r\n")].decode("utf-8", "replace")
    return printable(f"{entry.status} {reason}"[:_LONGEST_LABEL] + method + sdp)


def tone(entry: Entry) -> str:
    """How the row is coloured."""
    if not entry.is_message:
        return entry.kind
    if entry.status == 0:
        return "request"
    return {1: "provisional", 2: "success"}.get(entry.status // 100, "failure")


def duration(microseconds: int) -> str:
    """A time for people: `850 us`, `3.2 ms`, `1.50 s`."""
    if microseconds < 1_000:
        return f"{microseconds} us"
    return f"{microseconds / 1e3:.1f} ms" if microseconds < 1_000_000 else f"{microseconds / 1e6:.2f} s"


def printable(text: str) -> str:
    """Text from the network for a terminal: no control characters, nor any that change the direction of writing."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def last_line(text: str) -> str:
    """Of a traceback: the exception."""
    return text.rstrip().rpartition("\n")[2]


def _moved(row: Row) -> Row:
    """A row of the time when the server was alone."""
    return Row(row.entry, row.source + 1, row.target + 1, row.seconds, row.label, row.tone, row.again)
