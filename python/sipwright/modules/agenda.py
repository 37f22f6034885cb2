"""What is due when: numbers with a time each, of which those whose time has come are taken at the cost of these alone."""

import threading
from heapq import heapify, heappop, heappush
from typing import Final

# A heap with so many entries more than twice what it needs is built anew.
_SPARE: Final = 64


class Agenda:
    """Numbers, each with a time. Safe to use from several threads.

    A time that is moved back costs no more than an entry of a dictionary: the heap keeps the earlier one and puts it right
    when it comes up. So a call whose every request moves its timeout leaves nothing behind.
    """

    def __init__(self) -> None:
        self._times: dict[int, int] = {}
        # The earliest time that stands in the heap for a number.
        self._queued: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._times)

    def __contains__(self, number: int) -> bool:
        return number in self._times

    def put(self, number: int, time: int) -> None:
        """Has a number come up at that time, and at no other."""
        with self._lock:
            self._times[number] = time
            queued = self._queued.get(number)
            if queued is None or time < queued:
                self._push(number, time)
                if len(self._heap) > 2 * len(self._times) + _SPARE:
                    self._rebuild()

    def drop(self, number: int) -> None:
        """Takes a number out, if it is there."""
        with self._lock:
            self._times.pop(number, None)
            self._queued.pop(number, None)
            if len(self._heap) > 2 * len(self._times) + _SPARE:
                self._rebuild()

    def take(self, now: int) -> list[int]:
        """The numbers whose time has come, the earliest first; they are out then."""
        found: list[int] = []
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                queued, number = heappop(self._heap)
                if self._queued.get(number) != queued:
                    continue
                time = self._times[number]
                if time > now:
                    self._push(number, time)
                else:
                    del self._times[number], self._queued[number]
                    found.append(number)
        return found

    def _push(self, number: int, time: int) -> None:
        self._queued[number] = time
        heappush(self._heap, (time, number))

    def _rebuild(self) -> None:
        self._queued = dict(self._times)
        self._heap = [(time, number) for number, time in self._times.items()]
        heapify(self._heap)
