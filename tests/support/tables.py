"""Tables of what tests measured, printed at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Row(Protocol):
    """Adds a line to the table of that title."""

    def __call__(self, title: str, **cells: object) -> None: ...


class Tables:
    """Lines by title; the columns of a table are the names of the cells of its first line."""

    def __init__(self) -> None:
        self._tables: dict[str, list[dict[str, object]]] = {}

    def add(self, title: str, **cells: object) -> None:
        self._tables.setdefault(title, []).append(cells)

    def items(self) -> Iterator[tuple[str, str]]:
        """Each title with its table as text."""
        for title, lines in self._tables.items():
            yield title, _text(lines)


def _text(lines: list[dict[str, object]]) -> str:
    names = list(lines[0])
    rows = [[name.replace("_", " ") for name in names]]
    rows += [[_cell(line.get(name, "")) for name in names] for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(padded)


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
