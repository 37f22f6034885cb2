"""Work beside the script workers: threads that take it from a bounded queue, and calls after a while."""

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable

from sipwright import log

Action = Callable[[], object]


class Crew:
    """So many threads, which start with the first piece of work; at most `most` pieces wait."""

    def __init__(self, name: str, threads: int, most: int) -> None:
        self._name = name
        self._threads = threads
        self._waiting: queue.Queue[Action | None] = queue.Queue(most)
        self._started = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._waiting.qsize()

    def do(self, action: Action) -> bool:
        """Has a thread do it; False when too much waits."""
        with self._lock:
            if not self._started:
                self._started = True
                for number in range(self._threads):
                    threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True).start()
        try:
            self._waiting.put_nowait(action)
        except queue.Full:
            return False
        return True

    def stop(self) -> None:
        """Ends the threads after what they do now; what waits is dropped."""
        with self._lock:
            while not self._waiting.empty():
                try:
                    self._waiting.get_nowait()
                except queue.Empty:
                    break
            if self._started:
                for _ in range(self._threads):
                    self._waiting.put(None)
            self._started = False

    def _run(self) -> None:
        while (action := self._waiting.get()) is not None:
            _call(action)


class Alarm:
    """Calls things later, in one thread, which starts with the first; at most `most` wait."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._heap: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, seconds: float, action: Action) -> bool:
        """Has it called in so many seconds; False when too much waits."""
        with self._changed:
            if len(self._heap) >= self._most or self._stopped:
                return False
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._numbers), action))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return True

    def stop(self) -> None:
        """Ends the thread; what waits is dropped."""
        with self._changed:
            self._stopped = True
            self._heap.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (not self._heap or self._heap[0][0] > time.monotonic()):
                    self._changed.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                if self._stopped:
                    return
                action = heapq.heappop(self._heap)[2]
            _call(action)


def _call(action: Action) -> None:
    try:
        action()
    except Exception as error:
        log.error(f"{getattr(action, '__qualname__', action)}: {type(error).__name__}: {error}")
