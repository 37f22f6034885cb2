"""What takes longer than a round: the highest rate of calls without a failure, and memory after very many of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from load.figures import Figure
from load.loads import Plan
from support.process import rss_bytes
from support.servers import Server

FIRST_RATE = 1000
HIGHEST_RATE = 20_000
TRIAL_S = 5.0
PRECISION = 0.04

REST_S = 60.0
WARM_UP_CALLS = 100


@dataclass(frozen=True)
class Limit:
    """The highest rate at which every call of a trial succeeded, in calls/s as measured at the caller."""

    server: str
    script: str
    rate: float
    trials: int


@dataclass(frozen=True)
class Memory:
    """Resident bytes of all of the server's processes, shared pages counted in each."""

    server: str
    calls: int
    failed: int
    start: int
    peak: int
    rested: int

    @property
    def growth(self) -> float:
        return self.rested / self.start - 1


def highest_rate(trial: Callable[[Plan], Figure], plan: Plan, server: str, script: str) -> Limit:
    """Doubles the rate until a call fails, then halves the interval; each trial has a fresh server."""
    passed, failed, trials = 0.0, float(HIGHEST_RATE), 0
    offered = float(FIRST_RATE)
    best = 0.0
    while offered < HIGHEST_RATE and failed - passed > PRECISION * failed:
        trials += 1
        figure = trial(replace(plan, calls_rate=int(offered), calls_seconds=TRIAL_S))
        whole = figure.failed == 0
        note(f"{script} {server}: {offered:.0f}/s offered, {figure.rate:.0f}/s made, {figure.failed} failed")
        if whole:
            best = max(best, figure.rate)
            # The load tool may be at its own end: then there is nothing more to learn.
            passed = offered if figure.rate > 0.9 * offered else failed
        else:
            failed = offered
        offered = (passed + failed) / 2 if failed < HIGHEST_RATE else offered * 2
    return Limit(server, script, best, trials)


def memory(server: Server, plan: Plan, load: Callable[[Server, Plan], Figure], calls: int) -> Memory:
    """Resident memory at rest after a few calls, at its highest, and at rest after very many.

    At rest: a minute later. Transactions are gone by then, and what the first registration brings in, the
    database that keeps it, is there.
    """
    load(server, replace(plan, calls_rate=WARM_UP_CALLS, calls_seconds=1))
    time.sleep(REST_S)
    start = resident(server)
    seconds = calls / plan.calls_rate
    figure = load(server, replace(plan, calls_seconds=seconds))
    peak = resident(server)
    note(f"memory {server.name}: {start / 1e6:.1f} MB, after {calls} calls {peak / 1e6:.1f} MB; a minute's rest")
    time.sleep(REST_S)
    return Memory(server.name, figure.done, figure.failed, start, peak, resident(server))


def resident(server: Server) -> int:
    return sum(rss_bytes(pid) for pid in server.process.pids())


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
