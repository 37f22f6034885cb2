"""What the recording of calls and the profile of the script cost, in two ways:

- CPU time of a message with and without, in turns of some seconds under one load of calls. The turns are short because the
  machine's speed changes over longer times by more than what is measured.
- User instructions of a call with and without, counted by callgrind (`--count`): exact, but instructions are not time, and the kernel's
  share of a call, which both leave as it is, is not in them.

`make bench ARGS="--case costs"` does the first, `PYTHONPATH=bench:tests python -m load.costs --client target/bench/udp_closed_loop` either.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from load import instructions, loads
from load.interpreter import Peer, description
from sipwright.control.client import call
from support.control import data_of
from support.process import cpu_ns
from support.servers import ROOT, Listen, Server

SCRIPT = ROOT / "examples" / "registrar_proxy.py"
TURN_S = 2.0
# Until the profile knows what a message costs, and a ring has its memory.
SETTLE_S = 1.0
PROFILE_S = 600


@dataclass(frozen=True)
class Extra:
    """Something that can be switched on and off, by control methods."""

    name: str
    on: Callable[[Path], object]
    off: Callable[[Path], object]


EXTRAS = (
    Extra("recording", lambda data: call(data, "record.enable", [1]), lambda data: call(data, "record.enable", [0])),
    Extra(
        "profile",
        lambda data: call(data, "script.profile_start", [PROFILE_S]),
        lambda data: call(data, "script.profile_stop"),
    ),
)


def main() -> None:
    """Prints what each costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", type=Path, required=True, help="The load client that `make bench` builds.")
    parser.add_argument("--rate", type=int, default=500, help="Calls a second (500).")
    parser.add_argument("--seconds", type=float, default=120.0, help="Of the load for each (120).")
    parser.add_argument("--count", action="store_true", help="Count instructions instead.")
    asked = parser.parse_args()
    plan = replace(loads.Plan.make(asked.client, quick=True), calls_rate=asked.rate, calls_seconds=asked.seconds)
    print(description())
    if asked.count:
        count_them(plan)
    else:
        for extra in EXTRAS:
            print(measured(extra, plan), flush=True)


def report(client: Path, rate: int, seconds: float) -> str:
    """What each costs at so many calls a second, as Markdown."""
    plan = replace(loads.Plan.make(client, quick=True), calls_rate=rate, calls_seconds=seconds)
    lines = [f"- {measured(extra, plan)}" for extra in EXTRAS]
    return "\n".join([f"\n## Recording and profile, {rate} calls/s\n", *lines, ""])


def measured(extra: Extra, plan: loads.Plan) -> str:
    """CPU time with and without, in turns."""
    with (
        tempfile.TemporaryDirectory(prefix="sipwright-bench-") as directory,
        Peer(SCRIPT, Path(directory) / "server", [Listen("udp")]) as server,
    ):
        work = threading.Thread(target=loads.registered_calls, args=(server, plan))
        work.start()
        time.sleep(5)
        pairs = list(turns(server, work, extra))
        work.join()
    more = [100 * (on / off - 1) for off, on in pairs]
    spread = statistics.quantiles(more, n=4)
    off_us = statistics.median(off for off, _ in pairs)
    added_us = statistics.median(on - off for off, on in pairs)
    return (
        f"the {extra.name}: {off_us:.1f} us of CPU a message without it, with it {statistics.median(more):+.1f} % "
        f"({spread[0]:+.1f} to {spread[2]:+.1f} % in half of {len(more)} turns), {added_us:+.2f} us"
    )


def turns(server: Server, work: threading.Thread, extra: Extra) -> Iterator[tuple[float, float]]:
    """CPU time of a message in a turn without and one with it, in microseconds; the first of a pair changes."""
    data, pids, first = data_of(server), server.process.pids(), False
    while True:
        found = {}
        for on in (first, not first):
            (extra.on if on else extra.off)(data)
            time.sleep(SETTLE_S)
            found[on] = each_us(data, pids)
        extra.off(data)
        if not work.is_alive():
            return
        yield found[False], found[True]
        first = not first


def each_us(data: Path, pids: list[int]) -> float:
    before, cpu = messages(data), cpu_ns(pids)
    time.sleep(TURN_S)
    used, done = cpu_ns(pids) - cpu, messages(data) - before
    return used / 1000 / max(done, 1)


def messages(data: Path) -> int:
    found = call(data, "core.traffic")
    return sum(one["received"] for kind in ("requests", "responses") for one in found[kind].values())


def count_them(plan: loads.Plan) -> None:
    """Instructions with and without."""
    count = partial(instructions.count, Peer, SCRIPT, loads.registered_calls, plan)
    without = count().each
    for extra in EXTRAS:
        found = count(partial(switch_on, extra))
        more = found.each - without
        print(f"the {extra.name}: {more:+,.0f} user instructions a call, {100 * more / without:+.1f} %", flush=True)


def switch_on(extra: Extra, server: Server) -> None:
    extra.on(data_of(server))


if __name__ == "__main__":
    main()
