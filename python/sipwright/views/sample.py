"""Figures of a running server at two times, and what happened in between."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Ask = Callable[[str], Any]
# Counters that say that something went wrong.
ERRORS: Final = (
    "script_errors",
    "script_slow_calls",
    "script_stalls",
    "overload_refused",
    "overload_dropped",
    "dropped_malformed",
    "answered_malformed",
    "send_errors",
    "send_failures",
    "stray_responses",
    "connect_errors",
    "tls_errors",
    "interpreter_stalls",
    "thread_stalls",
)
_HANDSHAKE_FAILURES: Final = "handshakes_failed_"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server said at one time; `at` is monotonic, in seconds."""

    at: float
    info: Mapping[str, Any]
    stats: Mapping[str, int]
    traffic: Mapping[str, Any]
    workers: list[Mapping[str, Any]]


def sample(ask: Ask) -> Sample:
    """Asks a server by `ask(method)`."""
    return Sample(time.monotonic(), ask("core.info"), ask("core.stats"), ask("core.traffic"), ask("core.workers"))


@dataclass(frozen=True, slots=True)
class Change:
    """What happened between two samples."""

    before: Sample
    after: Sample

    @property
    def seconds(self) -> float:
        """Time between them."""
        return max(self.after.at - self.before.at, 1e-3)

    def rate(self, name: str) -> float:
        """How much a counter grew a second."""
        return (self.after.stats.get(name, 0) - self.before.stats.get(name, 0)) / self.seconds

    def messages(self, kind: str, name: str, way: str) -> float:
        """Requests of a method (`requests`) or responses of a class (`responses`), `received` or `sent`, a second."""
        now, then = (sample.traffic[kind][name][way] for sample in (self.after, self.before))
        return float(now - then) / self.seconds

    def total(self, kind: str, way: str) -> float:
        """All requests or responses of one way, a second."""
        return sum(self.messages(kind, name, way) for name in self.after.traffic[kind])

    def route(self, name: str) -> tuple[float, float]:
        """Calls of a route a second, and what one took on average, in milliseconds."""
        return self._times(self.after.traffic["routes"][name], self.before.traffic["routes"].get(name))

    def waits(self) -> tuple[float, float]:
        """Messages taken out of the queue a second, and how long one waited on average, in milliseconds."""
        return self._times(self.after.traffic["queue_waits"], self.before.traffic["queue_waits"])

    def handshake_failures(self) -> int:
        """TLS handshakes that failed since the start."""
        found = (count for name, count in self.after.stats.items() if name.startswith(_HANDSHAKE_FAILURES))
        return sum(found)

    def errors(self) -> list[tuple[str, int, float]]:
        """Kinds of errors that there were since the start: name, how many, and how many a second now; the newest first."""
        found = [(name, self.after.stats.get(name, 0), self.rate(name)) for name in ERRORS]
        return sorted((row for row in found if row[1]), key=lambda row: (-row[2], -row[1]))

    def _times(self, now: Mapping[str, int], then: Mapping[str, int] | None) -> tuple[float, float]:
        count = now["count"] - (then["count"] if then else 0)
        spent = now["total_us"] - (then["total_us"] if then else 0)
        return count / self.seconds, spent / count / 1000 if count else 0.0
