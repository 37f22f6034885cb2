"""The profile of a script on the terminal, and as folded stacks for speedscope and flamegraph.pl."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sipwright.views.ladder import printable

MOST_ROWS: Final = 20
# Branches of the tree that are shorter than this part of all are left out.
LEAST_SHARE: Final = 0.005
_BAR: Final = 20
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"


def folded(profile: Mapping[str, Any]) -> str:
    """One line for each stack: its functions from the route on, separated by semicolons, and its own microseconds."""
    lines = []
    for row in profile["stacks"]:
        if row["self_us"]:
            names = ";".join(name.replace(";", ",").replace("\n", " ") for name in row["stack"])
            lines.append(f"{names} {row['self_us']}\n")
    return "".join(sorted(lines))


def shown(profile: Mapping[str, Any], rows: int = MOST_ROWS) -> Group:
    """Routes, functions and the tree of stacks."""
    head = Text(
        f"{profile['seconds']:.1f} s, {profile['messages']:,} messages, of which {profile['followed']:,} were followed; "
        f"cost {profile['cost_percent']:.2f} % of a core",
        style="bold",
    )
    if not profile["followed"]:
        return Group(head, Text("No message was followed."))
    seconds = max(profile["seconds"], 1e-3)
    return Group(
        head,
        Text(),
        _routes(profile["routes"][:rows], seconds),
        Text(),
        _functions(profile["functions"], rows),
        Text(),
        Text("What calls what: share of all time in the script, mean, calls a second", style="bold"),
        *tree(profile["stacks"], seconds),
    )


def _routes(routes: Sequence[Mapping[str, Any]], seconds: float) -> Table:
    table = _table("route", "calls/s", "total", "share", "mean", "longest", "CPU")
    whole = sum(row["total_us"] for row in routes) or 1
    for row in routes:
        table.add_row(
            Text(printable(row["route"])),
            f"{row['calls'] / seconds:,.1f}",
            duration(row["total_us"]),
            f"{100 * row['total_us'] / whole:.1f} %",
            duration(row["mean_us"]),
            duration(row["longest_us"]),
            f"{100 * row['cpu_us'] / max(row['total_us'], 1):.0f} %",
        )
    return table


def _functions(functions: Sequence[Mapping[str, Any]], most: int) -> Table:
    table = _table("function", "calls", "self", "total", "mean", "longest")
    for row in functions[:most]:
        name = Text(printable(row["function"]), style="cyan" if row["function"].startswith("KSR.") else "")
        times = (duration(row[key]) for key in ("self_us", "total_us", "mean_us", "longest_us"))
        table.add_row(name, f"{row['calls']:,}", *times)
    if len(functions) > most:
        table.add_row(Text(f"and {len(functions) - most} more", style="dim"))
    return table


@dataclass(slots=True)
class _Branch:
    """A function in the tree with all that it calls."""

    total_us: int = 0
    calls: int = 0
    children: "dict[str, _Branch]" = field(default_factory=dict)


def tree(stacks: Sequence[Mapping[str, Any]], seconds: float) -> Iterator[Text]:
    """A line for each function that takes a visible part of the time, under the one that calls it."""
    top = _Branch()
    for row in stacks:
        at = top
        for name in row["stack"]:
            at = at.children.setdefault(name, _Branch())
        at.total_us, at.calls = row["total_us"], row["calls"]
    top.total_us = sum(branch.total_us for branch in top.children.values())
    yield from _lines(top, "", max(top.total_us, 1), seconds)


def _lines(branch: _Branch, indent: str, whole: int, seconds: float) -> Iterator[Text]:
    seen = [item for item in branch.children.items() if item[1].total_us >= LEAST_SHARE * whole]
    seen.sort(key=lambda item: -item[1].total_us)
    for index, (name, child) in enumerate(seen):
        is_last = index == len(seen) - 1
        share = child.total_us / whole
        line = Text(f"{bar(share)} {100 * share:5.1f} % ", style="yellow", end="")
        line.append(
            f"{duration(child.total_us / max(child.calls, 1)):>9} {child.calls / seconds:>9,.1f}/s ", style="dim"
        )
        line.append(f"{indent}{'└ ' if is_last else '├ '}" if indent or branch.calls else "", style="dim")
        line.append(printable(name), style="cyan" if name.startswith("KSR.") else "default")
        line.end = "\n"
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line
        deeper = indent + ("  " if is_last else "│ ") if indent or branch.calls else " "
        yield from _lines(child, deeper, whole, seconds)


def bar(share: float) -> str:
    """A bar whose full width is all of the time."""
    eighths = round(share * _BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(_BAR)


def duration(us: float) -> str:
    """`12.3 us`, `4.56 ms`, `7.89 s`."""
    if us < 1_000:
        return f"{us:.1f} us"
    return f"{us / 1e3:.2f} ms" if us < 1e6 else f"{us / 1e6:,.2f} s"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(names):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="ellipsis", no_wrap=True)
    return table
