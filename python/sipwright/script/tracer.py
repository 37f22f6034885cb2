"""Follows the calls that a script makes while it works on a message, by `sys.setprofile`.

A `Tracer` belongs to one worker thread. It keeps a tree of calls in which each path from the root is a stack: the route, the
functions of the script and of the libraries that it uses, KSR functions and other builtins. What Sipwright's own Python code
calls inside of a KSR function is not followed; routes of the script that are run from there are.

Following a call costs as much as many a KSR function takes. So the tracer's clock stands still while the tracer itself
works, as far as it can know: that part which is outside of its own code, the interpreter's way there and back, is
measured once (`call_cost_ns`) and left out as well.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any, Final

from sipwright.script.errors import is_internal

# Stacks of one worker; what a script that calls without end adds is counted in those that are there.
MOST_NODES: Final = 20_000
_MEASURED_CALLS: Final = 1_000
# What a call in progress is: a function of the script or a library, which is shown with what it calls; a KSR function or
# other builtin, which is shown alone; or what is not shown.
_FUNCTION, _LEAF, _HIDDEN = 2, 1, 0

# A Python function by its code; a builtin or a KSR function by its name and the instruction that calls it.
Key = CodeType | tuple[str, int] | str
# The KSR function, such as `registrar.lookup`, that a frame of Sipwright's own code has begun; None for other frames.
Called = Callable[[FrameType], str | None]


class Node:
    """One stack: what was called last in it, and how often, for how long in all, and for how long at most.

    `calls` and `total_ns` are estimates for all messages: each call that was followed stands for several. `cpu_ns` is
    known of routes only.
    """

    __slots__ = ("calls", "children", "cpu_ns", "key", "longest_ns", "total_ns")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.calls = 0
        self.total_ns = 0
        self.longest_ns = 0
        self.cpu_ns = 0
        self.children: dict[Key, Node] = {}

    def add(self, weight: int, took_ns: int) -> None:
        """Counts a call that stands for `weight` calls."""
        self.calls += weight
        self.total_ns += weight * took_ns
        if took_ns > self.longest_ns:
            self.longest_ns = took_ns


class Tracer:
    """The calls of one worker; `spent_ns` is what whoever uses it says that it has cost so far."""

    def __init__(self, builtins: Mapping[Any, str], called: Called, call_cost_ns: int = 0) -> None:
        self.roots: dict[str, Node] = {}
        self.spent_ns = 0
        self._builtins = builtins
        self._called = called
        self._call_cost_ns = call_cost_ns
        self._nodes = 0
        self._shown: dict[CodeType, bool] = {}

    def follow(self, route: str, weight: int, function: Callable[..., object], *arguments: object) -> int:
        """Calls the function and follows it, under the name of a route; the nanoseconds that it took itself. What it raises
        goes on.

        A script that has a profiler or debugger of its own at work is left alone.
        """
        if sys.getprofile() is not None:
            began = time.perf_counter_ns()
            function(*arguments)
            return time.perf_counter_ns() - began
        root = self.roots.setdefault(route, Node(route))
        trace, finish = self._tracing(root, weight)
        cpu, began = time.thread_time_ns(), time.perf_counter_ns()
        try:
            sys.setprofile(trace)
            function(*arguments)
        finally:
            sys.setprofile(None)
            took, used = time.perf_counter_ns() - began, time.thread_time_ns() - cpu
            spent = finish()
            took = max(took - spent, 0)
            root.add(weight, took)
            root.cpu_ns += weight * max(used - spent, 0)
        return took

    def _tracing(self, root: Node, weight: int) -> tuple[Callable[[FrameType, str, Any], None], Callable[[], int]]:
        """What is called for each call and return, and what tells at the end how long that took."""
        clock, cost, called, is_shown = time.perf_counter_ns, self._call_cost_ns, self._called, self._is_shown
        names, child_of = self._builtins, self._child
        # For each call in progress what it is; for those that have a node the node, and when it began.
        frames: list[int] = []
        nodes: list[Node] = [root]
        begun: list[int] = []
        spent = 0

        def trace(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal spent
            now = clock()
            node: Node | None = None
            if event == "c_call":
                if frames and frames[-1] == _FUNCTION:
                    name = names.get(argument) or builtin_name(argument)
                    node = child_of(nodes[-1], (name, frame.f_lasti))
                frames.append(_HIDDEN if node is None else _LEAF)
            elif event == "call":
                kind = _LEAF
                if is_shown(frame.f_code):
                    kind, node = _FUNCTION, child_of(nodes[-1], frame.f_code)
                elif frames and frames[-1] == _FUNCTION and (function := called(frame)) is not None:
                    node = child_of(nodes[-1], (f"KSR.{function}", _instruction(frame.f_back)))
                frames.append(_HIDDEN if node is None else kind)
            elif frames and frames.pop():
                nodes.pop().add(weight, max(now - spent - cost - begun.pop(), 0))
            ended = clock()
            spent += ended - now + cost
            if node is not None:
                nodes.append(node)
                begun.append(ended - spent)

        return trace, lambda: spent

    def _child(self, parent: Node, key: Key) -> Node | None:
        node = parent.children.get(key)
        if node is None and self._nodes < MOST_NODES:
            self._nodes += 1
            node = parent.children[key] = Node(key)
        return node

    def _is_shown(self, code: CodeType) -> bool:
        """Whether a function is the script's or a library's."""
        known = self._shown.get(code)
        if known is None:
            known = self._shown[code] = not is_internal(code.co_filename)
        return known


def builtin_name(function: BuiltinFunctionType) -> str:
    """`time.sleep`, `str.split`, `len`."""
    module = function.__module__
    return function.__qualname__ if module in (None, "builtins") else f"{module}.{function.__qualname__}"


def measure_call_cost_ns() -> int:
    """What following a call costs outside of the tracer's own code, in nanoseconds for each of call and return."""

    def many(a: int, b: int, c: int, d: int) -> None:
        for _ in range(_MEASURED_CALLS):
            abs(a)

    tracer = Tracer({}, lambda _: None)
    began = time.perf_counter_ns()
    many(1, 2, 3, 4)
    plain = time.perf_counter_ns() - began
    # With what it could not know of its own cost yet.
    followed = tracer.follow("measure", 1, many, 1, 2, 3, 4)
    return max(0, followed - plain) // (2 * _MEASURED_CALLS)


def _instruction(frame: FrameType | None) -> int:
    return -1 if frame is None else frame.f_lasti


def stacks(root: Node) -> Iterator[tuple[tuple[Node, ...], int]]:
    """Every path from a root, with the nanoseconds that were spent in its last call itself."""
    waiting: list[tuple[Node, ...]] = [(root,)]
    while waiting:
        path = waiting.pop()
        # A copy: the worker goes on.
        children = list(path[-1].children.values())
        yield path, max(0, path[-1].total_ns - sum(child.total_ns for child in children))
        waiting += [(*path, child) for child in children]
