"""Functions that the server's modules want run by a script worker: where the script runs, with a message in work."""

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sipwright import log

if TYPE_CHECKING:
    from sipwright._engine import Engine, Message

# Name of the route that workers run for it.
CALL: Final = "sipwright:call"
# Calls that may wait; each is a Python object with what it refers to.
MOST_WAITING: Final = 65536
# Of them so many stand among the requests in the engine's queue: a flood of calls must not make it refuse requests.
MOST_QUEUED: Final = 16


class Calls:
    """Functions that wait for a script worker, the oldest first; `dropped` counts those that found no room.

    The engine's queue holds a job for each of the next few; a worker that takes one up runs the oldest function.
    """

    def __init__(self, engine: "Engine") -> None:
        self.dropped = 0
        self._engine = engine
        self._waiting: deque[Callable[[], object]] = deque()
        self._queued = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, function: Callable[[], object]) -> bool:
        """Has a worker run the function; False, with a log line, when too many wait."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                # Not a line for each: at 1, 2, 4, 8 and so on.
                if self.dropped.bit_count() == 1:
                    log.error(f"{MOST_WAITING} calls wait for a script worker; {self.dropped} dropped so far")
                return False
            self._waiting.append(function)
        self._ask()
        return True

    def run_next(self, _message: "Message", _event: str) -> None:
        """The route of a worker that has taken up a job: runs the oldest function."""
        with self._lock:
            self._queued -= 1
            function = self._waiting.popleft()
        # Another worker may take the next one up meanwhile.
        self._ask()
        function()

    def _ask(self) -> None:
        """Puts one more job into the engine's queue if calls wait that have none."""
        with self._lock:
            if self._queued >= min(MOST_QUEUED, len(self._waiting)):
                return
            self._queued += 1
        self._engine.run_event(CALL, CALL)
