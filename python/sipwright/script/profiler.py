"""Where the script's time goes, measured on a running server: by route, by function and by stack.

Messages are chosen at random, and what the script calls for them is followed (`tracer.py`). How many are chosen is
adjusted a few times a second, so that all of it takes no more than `SHARE` of the process's CPU time. A message is chosen by its
number and not by the time that it comes at: long ones are as likely as short ones.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol

from sipwright.script.tracer import Called, Tracer, measure_call_cost_ns

if TYPE_CHECKING:
    from sipwright._engine import Message

# Of the CPU time of the process; a server with little to do may spend this part of a core anyhow.
SHARE: Final = 0.005
IDLE_SHARE: Final = 0.001
# One message of so many is followed until the first adjustment, and so much is what one costs before that is known.
FIRST_EVERY: Final = 32
FIRST_COST_S: Final = 200e-6
MOST_EVERY: Final = 100_000
# How much of what was known of costs before remains at each adjustment.
_MEMORY: Final = 0.8


class ProfilingWorker(Protocol):
    """What the profiler needs of a script worker."""

    profile: "WorkerProfile | None"


class WorkerProfile:
    """Decides for each message of one worker whether it is followed: that which takes `left` to 0 is."""

    __slots__ = ("_counted", "_gap", "every", "followed", "left", "tracer")

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.every = FIRST_EVERY
        self.followed = 0
        # Messages until the next one that is followed; the worker counts, which must cost next to nothing.
        self.left = self._gap = random.randint(1, FIRST_EVERY)
        self._counted = 0

    @property
    def messages(self) -> int:
        """Messages so far."""
        return self._counted + self._gap - self.left

    def follow(self, handle: Callable[[Any, "Message"], object], port: object, message: "Message") -> None:
        """Has the worker handle a message, and follows what it calls."""
        began = time.perf_counter_ns()
        # It stands for those since the last one, whose number does not depend on what they were.
        weight = self._gap - self.left
        self._counted += weight
        self.left = self._gap = _gap(self.every)
        self.followed += 1
        took = self.tracer.follow(route_of(message), weight, handle, port, message)
        self.tracer.spent_ns += time.perf_counter_ns() - began - took

    def choose(self, every: int) -> None:
        """From now on one message of so many is followed, on average."""
        self.every = every
        left = self.left
        if left >= 2 * every:
            sooner = _gap(every)
            self._gap -= left - sooner
            self.left = sooner


def _gap(every: int) -> int:
    """From 1 to 2 * every - 1: every on average."""
    return 1 + int(random.random() * (2 * every - 1))


@dataclass(frozen=True, slots=True)
class _Look:
    """What was counted at one time."""

    at: float
    cpu_s: float
    messages: int


class Profiler:
    """Profiles the workers from `start` to `stop`; the last profile is kept. Time and CPU time are in seconds."""

    def __init__(self, workers: Sequence[ProfilingWorker], clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self.profiles: list[WorkerProfile] = []
        self.is_on = False
        self.began = 0.0
        self.ended = 0.0
        self._until = 0.0
        self._last = _Look(0.0, 0.0, 0)
        # Messages and CPU seconds in a second, lately.
        self._rate: float | None = None
        self._cpu: float | None = None

    @property
    def seconds(self) -> float:
        """How long the profile is."""
        return (self._clock() if self.is_on else self.ended) - self.began

    def start(self, longest_s: float, builtins: dict[Any, str], called: Called) -> None:
        """Begins a new profile that ends by itself after `longest_s`."""
        cost = measure_call_cost_ns()
        self.profiles = [WorkerProfile(Tracer(builtins, called, cost)) for _ in self._workers]
        self.began = self._clock()
        self._until = self.began + longest_s
        self._last, self._rate, self._cpu = self._look(), None, None
        for worker, profile in zip(self._workers, self.profiles, strict=True):
            worker.profile = profile
        self.is_on = True

    def stop(self) -> None:
        """Ends the profile; messages in work are followed to their end."""
        if self.is_on:
            self.is_on, self.ended = False, self._clock()
            for worker in self._workers:
                worker.profile = None

    def tick(self) -> None:
        """Adjusts how many messages are followed; called a few times a second."""
        if not self.is_on:
            return
        if self._clock() >= self._until:
            self.stop()
            return
        then, now = self._last, self._look()
        if now.messages == then.messages:
            return
        self._last = now
        seconds = max(now.at - then.at, 1e-6)
        self._rate = _mean(self._rate, (now.messages - then.messages) / seconds)
        self._cpu = _mean(self._cpu, (now.cpu_s - then.cpu_s) / seconds)
        followed = sum(profile.followed for profile in self.profiles)
        spent_s = sum(profile.tracer.spent_ns for profile in self.profiles) / 1e9
        every = every_for(spent_s / followed if followed else FIRST_COST_S, self._rate, self._cpu)
        for profile in self.profiles:
            profile.choose(every)

    def _look(self) -> _Look:
        return _Look(self._clock(), time.process_time(), sum(profile.messages for profile in self.profiles))


def _mean(before: float | None, now: float) -> float:
    return now if before is None else _MEMORY * before + (1 - _MEMORY) * now


def every_for(cost_s: float, messages: float, cpu: float) -> int:
    """One message of how many may be followed: `cost_s` is what one costs, `messages` come in a second and take so much CPU."""
    allowed = max(SHARE * cpu, IDLE_SHARE)
    return min(MOST_EVERY, max(1, round(messages * cost_s / allowed)))


def route_of(message: "Message") -> str:
    """What a message is for the script: `ksr_request_route INVITE`, `ksr_event tm:local-request`."""
    return f"{message.callback} {message.event or message.Method}"


def ksr_builtins() -> dict[Any, str]:
    """The KSR functions that are builtins, with their names, such as `KSR.tm.t_relay`."""
    core = sys.modules["KSR"]
    parts = [core, *(part for part in vars(core).values() if isinstance(part, ModuleType))]
    return {
        value: f"{part.__name__}.{name}"
        for part in parts
        for name, value in vars(part).items()
        if type(value) is type(len)
    }
