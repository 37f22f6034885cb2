"""Event routes and calls that the server's modules ask for, on an engine with sockets, workers and a script."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from sipwright import _engine, log
from sipwright.host import Host
from sipwright.script import calls as waiting
from sipwright.script.calls import Calls
from support.process import wait_until
from support.stage import Stage

SCRIPT = """
import threading
import KSR

seen = []

def mod_init():
    return Handler()

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        return 1

    def on_event(self, msg, event):
        seen.append((event, msg.Method, KSR.pv.get("$avp(told)"), threading.current_thread().name))
        KSR.pv.sets("$avp(told)", "by the route")

    def breaks(self, msg, event):
        raise ValueError(f"no use for {event}")

    def ends(self, msg, event):
        seen.append((event,))
        exit()
"""


def until(stage: Stage, number: int) -> list[tuple[str | None, ...]]:
    """What the routes saw once there are so many of them."""
    seen: list[tuple[str | None, ...]] = stage.value("seen")
    wait_until(lambda: len(seen) >= number, 5, f"{number} events")
    return seen


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path, SCRIPT)
    yield found
    found.stop()


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(log, "error", lines.append)
    return lines


def run(stage: Stage, function: Callable[[], object]) -> None:
    """Has a worker run the function and waits until it has."""
    done = threading.Event()

    def call() -> None:
        try:
            function()
        finally:
            done.set()

    assert stage.host.call(call)
    assert done.wait(5)


def test_an_event_route_runs_in_a_worker_with_a_made_up_message(stage: Stage) -> None:
    assert stage.host.event("on_event", "htable:expired:a")
    event, method, told, thread = until(stage, 1)[0]
    assert (event, method, told) == ("htable:expired:a", "OPTIONS", None)
    assert thread is not None
    assert thread.startswith("script-")


def test_a_call_sets_what_its_route_sees(stage: Stage) -> None:
    """Each call has a message of its own: nothing of an earlier one is left in it."""
    import KSR

    after: list[object] = []

    def call() -> None:
        before = KSR.pv.get("$avp(told)")
        KSR.pv.sets("$avp(told)", "by the module")
        result = stage.host.run_route("on_event", "usrloc:contact-expired")
        after.append((before, result, KSR.pv.get("$avp(told)"), KSR.pv.get("$rm")))

    run(stage, call)
    run(stage, call)
    assert [seen[2] for seen in until(stage, 2)] == ["by the module"] * 2
    # AVPs are lists, the newest value first.
    assert after == [(None, True, "by the route", "OPTIONS")] * 2


def test_what_goes_wrong_in_an_event_route_is_told_with_its_line(stage: Stage, errors: list[str]) -> None:
    results: list[bool] = []
    run(stage, lambda: results.append(stage.host.run_route("breaks", "some:event")))
    run(stage, lambda: results.append(stage.host.run_route("missing", "other:event")))
    run(stage, lambda: results.append(stage.host.run_route("ends", "last:event")))
    assert results == [False, False, True]
    line = SCRIPT.splitlines().index('        raise ValueError(f"no use for {event}")') + 1
    assert f'File "{stage.script}", line {line}, in breaks' in errors[0]
    assert "ValueError: no use for some:event" in errors[0]
    assert errors[1] == f"{stage.script}: the handler Handler has no method missing (event other:event)"
    assert stage.engine.stats()["script_errors"] == 2


def test_an_exception_of_a_call_does_not_end_the_worker(stage: Stage, errors: list[str]) -> None:
    def breaks() -> None:
        raise KeyError("nobody")

    for _ in range(4):
        run(stage, breaks)
    assert stage.host.event("on_event", "after")
    until(stage, 1)
    assert len(errors) == 4
    assert "KeyError: 'nobody'" in errors[0]
    assert stage.engine.stats()["script_errors"] == 4


def test_nothing_is_run_where_nobody_is_named(stage: Stage) -> None:
    assert not stage.host.event("", "some:event")
    assert not Host(stage.host.settings).event("on_event", "some:event")
    assert not Host(stage.host.settings).call(lambda: None)
    assert not stage.host.run_route("on_event", "in the main thread")
    assert stage.host.event("on_event", "last")
    assert [seen[0] for seen in until(stage, 1)] == ["last"]


def test_a_flood_of_calls_is_bounded_and_leaves_room_for_requests(
    stage: Stage, errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_WAITING", 100)
    gate, ran = threading.Event(), []
    for _ in range(2):
        stage.host.call(lambda: gate.wait(5))
    wait_until(lambda: len(stage.engine.busy()) == 2, 5, "both workers busy")
    results = [stage.host.call(lambda number=number: ran.append(number)) for number in range(130)]  # type: ignore[misc]
    assert results == [True] * 100 + [False] * 30
    assert stage.engine.stats()["queue_length"] == waiting.MOST_QUEUED
    assert stage.host.counters()["calls_waiting"] == 100
    assert stage.host.counters()["calls_dropped"] == 30
    assert [line.rpartition("; ")[2] for line in errors] == [f"{n} dropped so far" for n in (1, 2, 4, 8, 16)]
    gate.set()
    wait_until(lambda: len(ran) == 100, 5, "all calls that were taken")
    assert sorted(ran) == list(range(100))
    assert stage.host.counters()["calls_waiting"] == 0


def test_the_oldest_call_is_run_first() -> None:
    asked: list[tuple[str, str]] = []

    class Engine:
        def run_event(self, callback: str, event: str) -> None:
            asked.append((callback, event))

    calls = Calls(cast(_engine.Engine, Engine()))
    order: list[int] = []
    for number in range(40):
        calls.add(lambda number=number: order.append(number))  # type: ignore[misc]
    assert len(asked) == waiting.MOST_QUEUED
    while asked:
        assert asked.pop() == (waiting.CALL, waiting.CALL)
        calls.run_next(cast(_engine.Message, None), waiting.CALL)
    assert order == list(range(40))
