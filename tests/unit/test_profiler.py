"""The profiler follows what a script calls, chooses messages without regard to what they are, and bounds what it costs."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sipwright import log
from sipwright.kemi.calls import called, ksr
from sipwright.script import profiler as module
from sipwright.script.profile_rows import rows
from sipwright.script.profiler import Profiler, WorkerProfile, every_for
from sipwright.script.tracer import MOST_NODES, Node, Tracer, measure_call_cost_ns, stacks
from sipwright.views.profile import folded, tree

HERE = "test_profiler.py"


def written_in_python(table: str) -> int:
    time.sleep(0.002)
    return len(table)


# As if it were in a file of Sipwright: what it calls itself is not shown.
written_in_python.__code__ = written_in_python.__code__.replace(co_filename=log.__file__)
lookup = ksr("registrar.lookup")(written_in_python)


def helper() -> None:
    time.sleep(0.001)


def route() -> None:
    helper()
    helper()
    lookup("location")


def raising() -> None:
    try:
        int("no number")
    except ValueError:
        helper()
    raise KeyError


def names(tracer: Tracer) -> dict[str, Node]:
    """Stacks by the names in them, without lines."""
    found = {}
    for root in tracer.roots.values():
        for path, _ in stacks(root):
            keys = [one.key for one in path]
            found[
                " ".join(
                    k.co_name if not isinstance(k, tuple | str) else k if isinstance(k, str) else k[0] for k in keys
                )
            ] = path[-1]
    return found


def followed(function: Callable[[], object], **kinds: Any) -> dict[str, Node]:
    tracer = Tracer(kinds.get("builtins", {}), called)
    tracer.follow("route", kinds.get("weight", 1), function)
    return names(tracer)


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Callbacks of the garbage collector, which other packages of the tests have, would be followed too."""
    gc.disable()
    yield
    gc.enable()


def test_functions_builtins_and_ksr_functions_are_followed() -> None:
    found = followed(route, weight=3, builtins={time.sleep: "KSR.sleep"})
    assert set(found) == {
        *("route", "route route", "route route helper", "route route helper KSR.sleep"),
        "route route KSR.registrar.lookup",
    }
    assert found["route route helper"].calls == 6
    assert found["route route KSR.registrar.lookup"].longest_ns >= 2_000_000
    assert found["route route"].total_ns >= 3 * 4_000_000
    assert found["route route helper"].total_ns >= 6 * found["route route helper"].longest_ns / 2
    assert sys.getprofile() is None


def test_exceptions_end_calls_and_go_on() -> None:
    tracer = Tracer({}, called)
    with pytest.raises(KeyError):
        tracer.follow("route", 1, raising)
    tracer.follow("route", 1, helper)
    assert sys.getprofile() is None
    assert set(names(tracer)) == {
        *("route", "route raising", "route raising helper", "route raising helper time.sleep"),
        *("route helper", "route helper time.sleep"),
    }
    assert tracer.roots["route"].calls == 2


def test_a_profiler_of_the_script_is_left_alone() -> None:
    own = lambda *_: None  # noqa: E731
    sys.setprofile(own)
    try:
        tracer = Tracer({}, called)
        tracer.follow("route", 1, helper)
        assert sys.getprofile() is own
    finally:
        sys.setprofile(None)
    assert tracer.roots == {}


def test_memory_is_bounded() -> None:
    source = "".join(f"def f{n}(): pass\n" for n in range(MOST_NODES + 100))
    space: dict[str, Any] = {}
    exec(compile(source, "many.py", "exec"), space)

    def all_of_them() -> None:
        for n in range(MOST_NODES + 100):
            space[f"f{n}"]()

    assert len(followed(all_of_them)) == MOST_NODES + 1


def test_its_own_time_is_left_out() -> None:
    def many() -> None:
        for _ in range(20_000):
            abs(1)

    def is_left_out() -> bool:
        began = time.perf_counter_ns()
        many()
        plain = time.perf_counter_ns() - began
        tracer = Tracer({}, called, measure_call_cost_ns())
        began = time.perf_counter_ns()
        shown = tracer.follow("route", 1, many)
        took = time.perf_counter_ns() - began
        assert tracer.roots["route"].total_ns == shown
        # With the tracer's own time it would be ten times as long.
        return shown < plain + (took - plain) / 3

    # A thread that has to wait for a core is not slower in all of its parts.
    assert any(is_left_out() for _ in range(20))


class Worker:
    profile: WorkerProfile | None = None


@dataclass
class Message:
    callback: str = "ksr_request_route"
    event: str | None = None
    Method: str = "INVITE"


def messages(profile: WorkerProfile, count: int, handle: Callable[[Any, Any], object]) -> None:
    for number in range(count):
        message = Message(Method="INVITE" if number % 2 else "REGISTER")
        profile.left -= 1
        if profile.left <= 0:
            profile.follow(handle, None, cast(Any, message))
        else:
            handle(None, message)


def test_estimates_stand_for_all_messages() -> None:
    profile = WorkerProfile(Tracer({}, called))
    profile.choose(10)
    messages(profile, 4_000, lambda _port, _message: None)
    assert profile.messages == 4_000
    assert 250 < profile.followed < 600
    roots = profile.tracer.roots
    assert sum(root.calls for root in roots.values()) == pytest.approx(4_000, abs=20)
    assert roots["ksr_request_route INVITE"].calls == pytest.approx(2_000, rel=0.25)


def test_as_many_are_followed_as_the_share_allows() -> None:
    # A core in full use, 10,000 messages a second of which each costs 150 us: 100 of them in a second.
    assert every_for(150e-6, 10_000, 1.0) == pytest.approx(10_000 * 150e-6 / module.SHARE, abs=1)
    # Hardly anything to do: all of them.
    assert every_for(150e-6, 5, 0.002) == 1
    assert every_for(1.0, 1e9, 1.0) == module.MOST_EVERY


def test_start_tick_and_the_end_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    workers = [Worker(), Worker()]
    profiler = Profiler(workers, lambda: now[0])
    profiler.tick()
    profiler.start(5.0, {}, called)
    assert all(worker.profile is not None for worker in workers)
    first = workers[0].profile
    assert first is not None
    monkeypatch.setattr(module, "IDLE_SHARE", 1e-9)
    monkeypatch.setattr(module, "SHARE", 1e-9)
    messages(first, 100, lambda *_: None)
    now[0] += 0.1
    profiler.tick()
    assert first.every > module.FIRST_EVERY
    now[0] += 5
    profiler.tick()
    assert [worker.profile for worker in workers] == [None, None]
    assert not profiler.is_on
    assert profiler.seconds == pytest.approx(5.1)


def profile_of(function: Callable[[], object]) -> dict[str, Any]:
    profile = WorkerProfile(Tracer({}, called))
    profile.choose(1)
    messages(profile, 4, lambda *_: function())
    return rows(cast(Profiler, SimpleNamespace(profiles=[profile], is_on=False, seconds=2.0)), 100)


def test_rows_name_lines_and_functions() -> None:
    found = profile_of(route)
    assert {row["route"] for row in found["routes"]} == {"ksr_request_route INVITE", "ksr_request_route REGISTER"}
    functions = {row["function"]: row for row in found["functions"]}
    assert functions["KSR.registrar.lookup"]["calls"] == 4
    assert functions["KSR.registrar.lookup"]["self_us"] >= 8_000
    line = next(row for row in found["lines"] if row["calls_function"] == "KSR.registrar.lookup")
    assert line["file"] == __file__
    assert line["line"] == route.__code__.co_firstlineno + 3
    assert found["messages"] == found["followed"] == 4
    stack = [
        "ksr_request_route INVITE",
        f"profile_of.<locals>.<lambda> ({HERE}:",
        f"route ({HERE}:",
        f"KSR.registrar.lookup ({HERE}:{line['line']})",
    ]
    assert any(
        len(row["stack"]) == 4 and all(name.startswith(start) for name, start in zip(row["stack"], stack, strict=True))
        for row in found["stacks"]
    ), found["stacks"]


def test_a_function_that_calls_itself_is_counted_once() -> None:
    def again(depth: int) -> None:
        time.sleep(0.001)
        if depth:
            again(depth - 1)

    found = profile_of(lambda: again(3))
    row = next(r for r in found["functions"] if "again" in r["function"])
    assert row["calls"] == 16
    # Counted at each depth it would be two and a half times what the routes took, which do nothing else.
    assert 16_000 <= row["total_us"] <= sum(r["total_us"] for r in found["routes"])


def test_folded_stacks_and_the_tree() -> None:
    found = profile_of(route)
    lines = folded(found).splitlines()
    split = [line.rpartition(" ") for line in lines]
    assert sum(int(us) for _, _, us in split) == pytest.approx(sum(r["total_us"] for r in found["routes"]), rel=0.01)
    assert any(
        names.startswith("ksr_request_route INVITE;") and "KSR.registrar.lookup" in names for names, _, _ in split
    )
    shown = [line.plain for line in tree(found["stacks"], 2.0)]
    assert "ksr_request_route" in shown[0]
    assert any("KSR.registrar.lookup" in line and "%" in line for line in shown)
