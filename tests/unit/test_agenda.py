"""What is due when, and what it costs to know it."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from sipwright.modules.agenda import Agenda

MANY = 100_000


def test_what_is_due_comes_once_and_in_order() -> None:
    agenda = Agenda()
    for number, at in ((1, 30), (2, 10), (3, 20)):
        agenda.put(number, at)
    assert agenda.take(9) == []
    assert agenda.take(20) == [2, 3]
    assert agenda.take(20) == []
    assert 1 in agenda
    assert len(agenda) == 1


def test_times_are_moved_and_dropped() -> None:
    agenda = Agenda()
    agenda.put(1, 10)
    agenda.put(1, 30)
    agenda.put(2, 30)
    agenda.put(2, 10)
    agenda.put(3, 10)
    agenda.drop(3)
    agenda.drop(4)
    assert agenda.take(29) == [2]
    assert agenda.take(30) == [1]
    assert len(agenda) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20) | st.none()), max_size=60), st.integers(0, 20))
def test_it_is_as_if_all_were_looked_at(changes: list[tuple[int, int | None]], now: int) -> None:
    agenda, known = Agenda(), dict[int, int]()
    for number, at in changes:
        if at is None:
            agenda.drop(number)
            known.pop(number, None)
        else:
            agenda.put(number, at)
            known[number] = at
    assert set(agenda.take(now)) == {number for number, at in known.items() if at <= now}
    assert set(agenda.take(20)) == {number for number, at in known.items() if at > now}


def test_what_ends_early_or_is_moved_leaves_nothing_behind() -> None:
    agenda = Agenda()
    for number in range(20_000):
        agenda.put(number, 43_200)
        agenda.put(number, 43_300)
        agenda.drop(number)
    for at in range(20_000):
        agenda.put(1, 100_000 - at)
    assert len(agenda._heap) < 200


def test_a_look_at_many_costs_what_is_due() -> None:
    """100,000 calls, of which none or a few are due: a thousandth of what a look at each would cost."""
    agenda = Agenda()
    for number in range(MANY):
        agenda.put(number, 1_000 + number % 43_200)
    numbers = list(range(MANY))

    def look_at_each() -> int:
        return sum(1 for number in numbers if agenda._times[number] <= 999)

    def best_of(action: object) -> float:
        assert callable(action)
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            action()
            taken.append(time.perf_counter() - began)
        return min(taken)

    assert best_of(lambda: agenda.take(999)) * 100 < best_of(look_at_each)
    assert len(agenda.take(1_000)) == len([number for number in numbers if number % 43_200 == 0])
