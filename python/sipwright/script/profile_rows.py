"""A profile as rows: routes, functions, lines of the script with what they call, and stacks. Times are in microseconds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from types import CodeType
from typing import Any

from sipwright.script.profiler import Profiler
from sipwright.script.tracer import Key, Node, stacks


@dataclass(slots=True)
class _Sum:
    """What several nodes have together; `is_ksr` of a KSR function."""

    calls: int = 0
    total_ns: int = 0
    self_ns: int = 0
    longest_ns: int = 0

    def row(self) -> dict[str, int | float]:
        mean = self.total_ns / self.calls / 1000 if self.calls else 0.0
        return {
            "calls": self.calls,
            "total_us": self.total_ns // 1000,
            "self_us": self.self_ns // 1000,
            "mean_us": round(mean, 1),
            "longest_us": self.longest_ns // 1000,
        }


def rows(profiler: Profiler, most_stacks: int) -> dict[str, Any]:
    """All that is known, what took longest first. Calls and totals are estimates for all messages."""
    profiles = profiler.profiles
    roots = [root for profile in profiles for root in list(profile.tracer.roots.values())]
    messages, followed = (sum(getattr(profile, name) for profile in profiles) for name in ("messages", "followed"))
    spent_ns = sum(profile.tracer.spent_ns for profile in profiles)
    seconds = profiler.seconds
    found = _Gathered()
    for root in roots:
        for path, self_ns in stacks(root):
            found.add(path, self_ns)
    kept = dict(islice(_longest(found.stacks, "self_ns"), most_stacks))
    return {
        "on": profiler.is_on,
        "seconds": round(seconds, 3),
        "messages": messages,
        "followed": followed,
        "cost_percent": round(spent_ns / 1e7 / seconds, 2) if seconds else 0.0,
        "routes": _routes(roots),
        "functions": [{"function": name, **one.row()} for name, one in _longest(found.functions, "self_ns")],
        "lines": [
            {"file": file, "line": line, "calls_function": name, **one.row()}
            for (file, line, name), one in _longest(found.lines, "total_ns")
        ],
        "stacks": [{"stack": list(stack), **one.row()} for stack, one in kept.items()],
        "stacks_left_out": len(found.stacks) - len(kept),
    }


class _Gathered:
    """Sums of nodes by function, by line, and by stack."""

    def __init__(self) -> None:
        self.functions: dict[str, _Sum] = {}
        self.lines: dict[tuple[str, int, str], _Sum] = {}
        self.stacks: dict[tuple[str, ...], _Sum] = {}
        self._places = _Places()

    def add(self, path: tuple[Node, ...], self_ns: int) -> None:
        """Adds what a stack says of its last call."""
        node, shown = path[-1], tuple(self._frame(path, index) for index in range(len(path)))
        _put(self.stacks, shown, node, self_ns, 1)
        if len(path) == 1:
            return
        name = _function(node.key)
        # A function that calls itself is in the total of its outermost call already.
        is_outermost = not any(one.key == node.key for one in path[:-1])
        _put(self.functions, name, node, self_ns, is_outermost)
        place = self._places.of(path, len(path) - 1)
        if place is not None:
            _put(self.lines, (*place, name), node, self_ns, is_outermost)

    def _frame(self, path: tuple[Node, ...], index: int) -> str:
        place = self._places.of(path, index)
        name = _function(path[index].key)
        return name if place is None else f"{name} ({PurePath(place[0]).name}:{place[1]})"


class _Places:
    """The file and line that a builtin or KSR function is called from."""

    def __init__(self) -> None:
        self._lines: dict[CodeType, list[int | None]] = {}

    def of(self, path: tuple[Node, ...], index: int) -> tuple[str, int] | None:
        """That of a node of a path; None where its caller is not known, and for functions of Python."""
        key = path[index].key
        if not isinstance(key, tuple) or index == 0:
            return None
        caller = path[index - 1].key
        if not isinstance(caller, CodeType):
            return None
        lines = self._lines.get(caller)
        if lines is None:
            lines = self._lines[caller] = [place[0] for place in caller.co_positions()]
        at = key[1] // 2
        line = lines[at] if 0 <= at < len(lines) else None
        return None if line is None else (caller.co_filename, line)


def _function(key: Key) -> str:
    if isinstance(key, CodeType):
        return f"{key.co_qualname} ({PurePath(key.co_filename).name}:{key.co_firstlineno})"
    return key if isinstance(key, str) else key[0]


def _put(sums: dict[Any, _Sum], key: Any, node: Node, self_ns: int, share: int) -> None:
    one = sums.setdefault(key, _Sum())
    one.calls += node.calls
    one.total_ns += share * node.total_ns
    one.self_ns += self_ns
    one.longest_ns = max(one.longest_ns, node.longest_ns)


def _longest(sums: dict[Any, _Sum], by: str) -> Iterator[tuple[Any, _Sum]]:
    yield from sorted(sums.items(), key=lambda item: -getattr(item[1], by))


def _routes(roots: Iterable[Node]) -> list[dict[str, Any]]:
    sums: dict[str, _Sum] = {}
    cpu_ns: dict[str, int] = {}
    for root in roots:
        name = _function(root.key)
        _put(sums, name, root, 0, 1)
        cpu_ns[name] = cpu_ns.get(name, 0) + root.cpu_ns
    found = []
    for name, one in _longest(sums, "total_ns"):
        row = one.row()
        del row["self_us"]
        found.append({"route": name, **row, "cpu_us": cpu_ns[name] // 1000})
    return found
