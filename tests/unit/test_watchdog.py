"""Script calls that take too long are reported once, with the place they are at."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sipwright import log
from sipwright.script.watchdog import Busy, Watchdog, place_of, stack_of


@dataclass
class Lines:
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    found = Lines()
    monkeypatch.setattr(log, "warning", lambda text, _call_id: found.warnings.append(text))
    monkeypatch.setattr(log, "error", lambda text, _call_id: found.errors.append(text))
    return found


@dataclass
class Worker:
    rank: int
    ident: int | None


class Blocked:
    """A thread that waits inside a function of this file."""

    def __init__(self) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.block_in_script)
        self.thread.start()
        self.entered.wait()

    def block_in_script(self) -> None:
        self.entered.set()
        self.release.wait()


@pytest.fixture
def blocked() -> Iterator[Blocked]:
    found = Blocked()
    yield found
    found.release.set()
    found.thread.join()


def watchdog(calls: list[Busy], *workers: Worker) -> Watchdog:
    return Watchdog(lambda: calls, workers, slow_call_ms=500, stall_after_ms=2000)


def test_a_slow_call_is_reported_once_with_its_place(lines: Lines, blocked: Blocked) -> None:
    calls: list[Busy] = [(1, 400, "ksr_request_route", "call-1")]
    dog = watchdog(calls, Worker(1, blocked.thread.ident))
    for since_ms in (400, 600, 700):
        calls[0] = (1, since_ms, "ksr_request_route", "call-1")
        dog.tick()
    assert len(lines.warnings) == 1
    assert "ksr_request_route of worker 1 takes 600 ms" in lines.warnings[0]
    assert f"{__file__}:" in lines.warnings[0]
    assert "in block_in_script" in lines.warnings[0]
    assert "call-1" in lines.warnings[0]
    assert dog.slow_calls == 1


def test_the_next_slow_call_is_reported_again(lines: Lines) -> None:
    calls: list[Busy] = [(1, 600, "a", "call-1")]
    dog = watchdog(calls)
    dog.tick()
    calls[0] = (1, 550, "b", "call-2")
    dog.tick()
    assert [line.split()[0] for line in lines.warnings] == ["a", "b"]


def test_a_stall_has_the_stacks_of_all_workers_and_ends(lines: Lines, blocked: Blocked) -> None:
    calls: list[Busy] = [(1, 2500, "a", "call-1")]
    dog = watchdog(calls, Worker(1, blocked.thread.ident), Worker(2, None))
    dog.tick()
    dog.tick()
    assert len(lines.errors) == 1
    assert "block_in_script" in lines.errors[0]
    assert "worker 2:" in lines.errors[0]
    assert (dog.is_stalled, dog.stalls) == (True, 1)
    calls.clear()
    dog.tick()
    assert (dog.is_stalled, dog.stalls) == (False, 1)


def test_places_of_threads(blocked: Blocked) -> None:
    place = place_of(blocked.thread.ident)
    assert place is not None
    assert place.endswith("in block_in_script")
    assert place_of(None) is None
    assert "no Python frame" in stack_of(None)
