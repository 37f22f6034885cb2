"""Pipes that let only so many requests through: Kamailio's modules ratelimit and pipelimit. No clock, no I/O."""

import threading
from dataclasses import dataclass
from typing import Final

NO_LIMIT: Final = 2
PASSES: Final = 1
REFUSED: Final = -1


@dataclass(slots=True)
class Pid:
    """The controller of FEEDBACK: coefficients, and the drop rate in per cent that they lead to."""

    ki: float = -25.0
    kp: float = 0.0
    kd: float = 0.0
    setpoint: float = 0.0
    drop_rate: float = 0.0
    _error: float = 0.0
    _sum: float = 0.0

    def take(self, load: float) -> None:
        """A measured load, 0 to 1, against the setpoint."""
        error = self.setpoint - load
        # The sum does not grow while the rate cannot.
        grown = self._sum + error
        if abs(self.ki * grown) <= 100:
            self._sum = grown
        output = self.kp * error + self.ki * self._sum + self.kd * (error - self._error)
        self._error = error
        self.drop_rate = min(max(output, 0.0), 100.0)


@dataclass(slots=True)
class Pipe:
    """One pipe; `limit` is for an interval. FEEDBACK's limit is a load in per cent, NETWORK's is in bytes that wait."""

    algorithm: str
    limit: int
    counter: int = 0
    last_counter: int = 0
    load: int = 0
    unused_intervals: int = 0

    def check(self, pid: Pid, waiting_bytes: int) -> int:
        """Counts a request: PASSES, REFUSED, or NO_LIMIT."""
        self.counter += 1
        if self.algorithm == "NOP":
            return NO_LIMIT
        if self.algorithm == "TAILDROP":
            passes = self.counter <= self.limit
        elif self.algorithm == "RED":
            # Of `load` requests one passes.
            passes = self.load <= 1 or self.counter % self.load == 0
        elif self.algorithm == "NETWORK":
            passes = waiting_bytes <= self.limit
        else:
            rate = int(pid.drop_rate)
            passes = self.counter * rate // 100 == (self.counter - 1) * rate // 100
        return PASSES if passes else REFUSED

    def turn(self) -> None:
        """Begins the next interval."""
        self.load = -(-self.counter // self.limit) if self.limit > 0 else self.counter
        self.unused_intervals = 0 if self.counter else self.unused_intervals + 1
        self.last_counter, self.counter = self.counter, 0


class Pipes:
    """Named pipes, at most `most` of them, with the controller and the load that they have in common."""

    def __init__(self, most: int) -> None:
        self.by_name: dict[str, Pipe] = {}
        self.pid = Pid()
        self.waiting_bytes = 0
        self.load = 0.0
        self._most = most
        self._lock = threading.Lock()

    def check(self, name: str) -> int | None:
        """Counts a request; None when there is no such pipe."""
        with self._lock:
            pipe = self.by_name.get(name)
            return None if pipe is None else pipe.check(self.pid, self.waiting_bytes)

    def make(self, name: str, algorithm: str, limit: int) -> bool:
        """Makes a pipe, or gives one that is there another limit, if that is above 0; False when there are too many."""
        with self._lock:
            pipe = self.by_name.get(name)
            if pipe is None:
                if len(self.by_name) >= self._most:
                    return False
                self.by_name[name] = Pipe(algorithm, limit)
                self._aim(algorithm, limit)
            elif limit > 0:
                pipe.limit = limit
            return True

    def set(self, name: str, algorithm: str, limit: int) -> None:
        """Makes a pipe, or changes both of what it has."""
        with self._lock:
            pipe = self.by_name.setdefault(name, Pipe(algorithm, limit))
            pipe.algorithm, pipe.limit = algorithm, limit
            self._aim(algorithm, limit)

    def turn(self, clean_unused: int) -> None:
        """Begins the next interval; pipes that were not used for so many intervals go, 0 keeps them."""
        with self._lock:
            self.pid.take(self.load)
            for name, pipe in list(self.by_name.items()):
                pipe.turn()
                if clean_unused and pipe.unused_intervals >= clean_unused:
                    del self.by_name[name]

    def _aim(self, algorithm: str, limit: int) -> None:
        if algorithm == "FEEDBACK":
            self.pid.setpoint = limit / 100
