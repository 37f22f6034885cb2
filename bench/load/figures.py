"""One measurement, medians over rounds, and the table that compares two servers."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Server CPU over one stretch of load, and what the load tool counted."""

    cpu_ns: int
    done: int
    failed: int
    retransmissions: int
    seconds: float
    steal: float = 0.0
    """Share of the machine's time that its host took away meanwhile; Linux counts it as CPU time of the threads."""

    @property
    def cpu_us_each(self) -> float:
        return self.cpu_ns / 1000 / max(self.done, 1)

    @property
    def rate(self) -> float:
        return self.done / self.seconds


@dataclass
class Comparison:
    """One kind of load: its name, the unit counted, and each server's figures, one a round."""

    name: str
    unit: str
    figures: Mapping[str, list[Figure]]

    def quiet(self, server: str) -> list[Figure]:
        """The half of the rounds in which the host took the least time away."""
        figures = sorted(self.figures[server], key=lambda figure: figure.steal)
        return figures[: (len(figures) + 1) // 2]

    def median_us(self, server: str) -> float:
        return statistics.median(figure.cpu_us_each for figure in self.quiet(server))

    def ratio(self, server: str, to: str) -> float:
        return self.median_us(server) / self.median_us(to)


HEADINGS = ("load", "server", "CPU us each", "ratio", "steal", "rate/s", "done", "failed", "retransmitted")


def rows(comparisons: Iterable[Comparison], base: str) -> list[tuple[str, ...]]:
    """The table's cells; ratios are to the server named `base` in the same run."""
    table: list[tuple[str, ...]] = []
    for comparison in comparisons:
        for server, figures in comparison.figures.items():
            if not figures:
                continue
            compared = server == base or bool(comparison.figures.get(base))
            table.append(
                (
                    comparison.name,
                    server,
                    f"{comparison.median_us(server):.1f}",
                    f"{comparison.ratio(server, base):.2f}" if compared else "-",
                    f"{100 * statistics.median(figure.steal for figure in comparison.quiet(server)):.1f} %",
                    f"{statistics.median(figure.rate for figure in figures):.0f}",
                    str(sum(figure.done for figure in figures)),
                    str(sum(figure.failed for figure in figures)),
                    share(sum(figure.retransmissions for figure in figures), sum(figure.done for figure in figures)),
                )
            )
    return table


def share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / max(whole, 1):.2f} %)"


def markdown(headings: Sequence[str], table: Iterable[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, readable in a terminal too."""
    cells = [tuple(headings), *(tuple(row) for row in table)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])
