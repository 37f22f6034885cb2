"""What the server's modules do after a while (`Host.every`, `Host.alarm`, `Host.crew`), in virtual time."""

import heapq
import itertools
from collections.abc import Callable, Iterable
from functools import partial

from sipwright import log
from sipwright.host import Timer
from sipwright.modules.background import Action, Alarm, Crew


class Timers:
    """What waits, by the monotonic time of `now_us`."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, Action]] = []

    def begin(self, timers: Iterable[Timer]) -> None:
        """Has these run from now on, again and again."""
        for timer in timers:
            self.after(timer.seconds, partial(self._again, timer))

    def after(self, seconds: float, action: Action) -> None:
        """Has it called once, in so many seconds."""
        due = self._now_us() + max(1, round(seconds * 1e6))
        heapq.heappush(self._waiting, (due, next(self._numbers), action))

    def next_us(self) -> int | None:
        """When the next one is due; None if there is none."""
        return self._waiting[0][0] if self._waiting else None

    def run(self) -> None:
        """Calls what is due; an error of it is logged."""
        now = self._now_us()
        while self._waiting and self._waiting[0][0] <= now:
            action = heapq.heappop(self._waiting)[2]
            try:
                action()
            except Exception as error:
                log.error(f"{getattr(action, '__name__', action)}: {type(error).__name__}: {error}")

    def _again(self, timer: Timer) -> None:
        self.after(timer.seconds, partial(self._again, timer))
        timer.action()


class VirtualAlarm(Alarm):
    """Calls things later by the timers of a test."""

    def __init__(self, name: str, most: int, timers: Timers) -> None:
        super().__init__(name, most)
        self._timers = timers
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def after(self, seconds: float, action: Action) -> bool:
        """Has it called in so many seconds; False when too much waits."""
        if self._count >= self._most or self._stopped:
            return False
        self._count += 1
        self._timers.after(seconds, partial(self._call, action))
        return True

    def stop(self) -> None:
        """What waits is not called any more."""
        self._stopped = True

    def _call(self, action: Action) -> None:
        self._count -= 1
        if not self._stopped:
            action()


class InlineCrew(Crew):
    """Does its work at once, in the thread that asks for it."""

    def do(self, action: Action) -> bool:
        """Does it."""
        action()
        return True

    def stop(self) -> None:
        """Nothing waits."""
