"""Routes without effect are told from those with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from sipwright.script.idle import does_nothing

seen: list[object] = []


class Handler:
    def returns_one(self, msg: object) -> int:
        return 1

    def returns_minus_two(self, msg: object) -> int:
        """With a docstring."""
        return -2

    def passes(self, msg: object) -> None:
        pass

    def notes(self, msg: object) -> int:
        seen.append(msg)
        return 1

    def raises(self, msg: object) -> int:
        raise ValueError

    def asks(self, msg: Any) -> int:
        if msg.ok:
            return 1
        return 2

    def yields(self, msg: object) -> Iterator[int]:
        yield 1

    async def waits(self, msg: object) -> int:
        return 1

    @cache  # noqa: B019
    def decorated(self, msg: object) -> int:
        return 1

    @staticmethod
    def static(msg: object) -> int:
        return 1


def function(msg: object) -> int:
    return 1


class Callee:
    def __call__(self, msg: object) -> int:
        return 1


handler = Handler()


@pytest.mark.parametrize(
    "route", [handler.returns_one, handler.returns_minus_two, handler.passes, handler.static, function, lambda msg: 1]
)
def test_nothing(route: Callable[..., Any]) -> None:
    assert does_nothing(route)


@pytest.mark.parametrize(
    "route",
    [handler.notes, handler.raises, handler.asks, handler.yields, handler.waits, handler.decorated, Callee(), print],
)
def test_something(route: Callable[..., Any]) -> None:
    assert not does_nothing(route)
