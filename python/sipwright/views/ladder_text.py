"""Ladder diagrams and lists of calls in a terminal."""

import time
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from sipwright.record.entry import Call, Entry
from sipwright.settings.listen import join_host_port
from sipwright.views.ladder import Ladder, Row, label, printable, tone

STYLES: Final = {
    "request": "bold cyan",
    "provisional": "yellow",
    "success": "bold green",
    "failure": "bold red",
    "route": "magenta",
    "function": "blue",
    "error": "bold white on red",
}
STATES: Final = {
    "answered": "bold green",
    "failed": "red",
    "cancelled": "yellow",
    "ringing": "yellow",
    "trying": "cyan",
}
TIME_WIDTH: Final = 10
# Narrower than that an arrow has no room for its label.
NARROWEST: Final = 14
WIDEST: Final = 34


class Drawing:
    """Draws the rows of a ladder, one line each, so that a call can be followed; `fits` is whether there is room."""

    def __init__(self, ladder: Ladder, width: int, ascii_only: bool = False) -> None:
        self._ladder = ladder
        count = len(ladder.columns)
        names = max(cell_len(name) for name in ladder.columns)
        room = (width - TIME_WIDTH) // max(count, 2)
        self.fits = room >= NARROWEST
        self._gap = max(NARROWEST, min(room, max(WIDEST, names + 2)))
        self._width = max(width, TIME_WIDTH + self._gap * count)
        self._marks = "|-<>.*~" if ascii_only else "│─◀▶╌●…"

    def header(self) -> list[Text]:
        """Names of the columns, and the lines below them."""
        line = Text(" " * TIME_WIDTH)
        for name in self._ladder.columns:
            shown = self._cut(printable(name), self._gap - 1)
            line.append(shown.center(self._gap), style="bold")
        return [line, self._lines(Text(" " * TIME_WIDTH), [])]

    def rows(self, first: int = 0) -> Iterator[Text]:
        """The lines of the rows from number `first` on."""
        for row in self._ladder.rows[first:]:
            yield self._row(row)

    def _row(self, row: Row) -> Text:
        line = Text(f"{row.seconds:9.3f} ", style="dim")
        style = STYLES[row.tone]
        if row.source == row.target:
            start = self._x(row.source)
            mark = f"{self._marks[5]} "
            room = self._width - TIME_WIDTH - start
            return self._lines(line, [(start, self._cut(mark + row.label, room), style)])
        left, right = sorted((self._x(row.source), self._x(row.target)))
        text = self._cut(row.label + (" (again)" if row.again else ""), right - left - 5)
        inner = right - left - 1
        shaft = self._marks[4] if row.again else self._marks[1]
        before = (inner - cell_len(text) - 2) // 2
        arrow = shaft * before + f" {text} " + shaft * (inner - before - cell_len(text) - 2)
        arrow = arrow[:-1] + self._marks[3] if row.target > row.source else self._marks[2] + arrow[1:]
        return self._lines(line, [(left + 1, arrow, f"dim {style}" if row.again else style)])

    def _cut(self, text: str, width: int) -> str:
        return cut(text, width, self._marks[6])

    def _x(self, column: int) -> int:
        return column * self._gap + self._gap // 2

    def _lines(self, line: Text, pieces: list[tuple[int, str, str]]) -> Text:
        """The columns' lines with pieces over them."""
        at = 0
        stops = [(self._x(column), self._marks[0], "dim") for column in range(len(self._ladder.columns))]
        for start, text, style in sorted(pieces + [s for s in stops if not _covered(s[0], pieces)]):
            line.append(" " * (start - at))
            line.append(text, style=style)
            at = start + cell_len(text)
        return line


def _covered(place: int, pieces: list[tuple[int, str, str]]) -> bool:
    return any(start <= place < start + cell_len(text) for start, text, _ in pieces)


def cut(text: str, width: int, mark: str = "…") -> str:
    """Text in no more than `width` cells; the mark says that there was more."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + mark if width > 0 else ""


def entry_line(entry: Entry, seconds: float, call: bool = True) -> Text:
    """One message or decision as a line, where a ladder has no room or there are many calls."""
    line = Text(f"{seconds:9.3f} ", style="dim")
    arrow = {"received": "<-", "sent": "->"}.get(entry.kind, "")
    line.append(f"{arrow:<3}{label(entry):<24}", style=STYLES[tone(entry)])
    if entry.is_message:
        line.append(f" {entry.proto}:{join_host_port(*entry.remote)}")
    if call and entry.call_id:
        line.append(f"  {cut(printable(entry.call_id), 24)}", style="dim")
    return line


def drawn(ladder: Ladder, width: int, ascii_only: bool = False) -> Iterator[Text]:
    """The whole ladder, or a list where its columns have no room."""
    drawing = Drawing(ladder, width, ascii_only)
    if drawing.fits:
        yield from drawing.header()
        yield from drawing.rows()
        return
    for row in ladder.rows:
        line = entry_line(row.entry, row.seconds, call=False)
        line.truncate(width)
        yield line


def call_table(calls: list[Call]) -> Table:
    """The calls, numbered from 1."""
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("began", no_wrap=True)
    table.add_column("method", no_wrap=True)
    table.add_column("from", overflow="ellipsis", no_wrap=True, ratio=2)
    table.add_column("to", overflow="ellipsis", no_wrap=True, ratio=2)
    table.add_column("state", no_wrap=True)
    table.add_column("code", no_wrap=True)
    table.add_column("lasted", justify="right", no_wrap=True)
    table.add_column("Call-ID", overflow="ellipsis", no_wrap=True, ratio=1, style="dim")
    for number, call in enumerate(calls, 1):
        state = Text(call.state, style=STATES.get(call.state, ""))
        if call.errors:
            state.append(" !", style="bold red")
        table.add_row(
            str(number),
            time.strftime("%H:%M:%S", time.localtime(call.began_us // 1_000_000)),
            Text(printable(call.method)),
            Text(printable(short_uri(call.from_uri))),
            Text(printable(short_uri(call.to_uri))),
            state,
            str(call.status or ""),
            lasted(call),
            Text(printable(call.call_id)),
        )
    return table


def lasted(call: Call) -> str:
    """How long the call took, from the answer where there was one: `1:05`, or with milliseconds below a minute."""
    seconds = (call.lasted_us if call.talked_us is None else call.talked_us) / 1e6
    return f"{seconds:.3f}" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def short_uri(uri: str) -> str:
    """A URI without scheme and parameters."""
    return uri.partition(":")[2].partition(";")[0] or uri


def details(entry: Entry) -> Iterator[Text]:
    """The whole message, or the text of an error, indented."""
    text = entry.data.decode("utf-8", "replace") if entry.is_message else entry.result
    for part in text.rstrip().splitlines():
        yield Text(f"{'':{TIME_WIDTH + 2}}{printable(part)}", style="dim")
