"""What the profile of the script costs: CPU time of a message with it and without, in turns of a second under one load.

The turns are so short because the machine's speed changes over longer times by more than what is measured.

`PYTHONPATH=bench:tests python -m load.profiling --client target/bench/udp_closed_loop`
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from load import loads
from load.figures import Figure
from load.interpreter import Peer, description
from sipwright.control.client import call
from support.control import data_of
from support.process import cpu_ns
from support.servers import ROOT, Listen, Server

SCRIPTS = ROOT / "tests" / "support" / "scripts"
TURN_S = 1.0
CASES: dict[str, tuple[Path, Callable[[Server, loads.Plan], Figure]]] = {
    "OPTIONS as fast as they are answered": (SCRIPTS / "answer.py", loads.options_saturated),
    "calls of a registered user": (ROOT / "examples" / "registrar_proxy.py", loads.registered_calls),
}


def main() -> None:
    """Prints for each load what a message takes more with the profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", type=Path, required=True, help="The load client that `make bench` builds.")
    parser.add_argument("--seconds", type=float, default=60.0, help="Of each load.")
    parser.add_argument("--rate", type=int, default=200, help="Calls a second.")
    arguments = parser.parse_args()
    plan = replace(
        loads.Plan.make(arguments.client, quick=True),
        saturation_seconds=arguments.seconds,
        calls_seconds=arguments.seconds,
        calls_rate=arguments.rate,
    )
    print(description())
    for name, (script, load) in CASES.items():
        with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as directory:
            server = Peer(script, Path(directory) / "server", [Listen("udp")])
            with server:
                work = threading.Thread(target=load, args=(server, plan))
                work.start()
                time.sleep(3)
                pairs = list(turns(server, work))
                work.join()
        more = [100 * (on / off - 1) for off, on in pairs]
        spread = statistics.quantiles(more, n=4)
        print(
            f"{name}: {statistics.median(off for off, _ in pairs):.1f} us of CPU a message without the profile, with it "
            f"{statistics.median(more):+.1f} % ({spread[0]:+.1f} to {spread[2]:+.1f} % in half of {len(more)} turns)",
            flush=True,
        )


def turns(server: Server, work: threading.Thread) -> Iterator[tuple[float, float]]:
    """CPU time of a message in a turn without and one with the profile, in microseconds."""
    data = data_of(server)
    pids = server.process.pids()
    while True:
        off = each_us(data, pids)
        call(data, "script.profile_start", [60])
        # Until it knows what a message costs.
        time.sleep(TURN_S)
        on = each_us(data, pids)
        call(data, "script.profile_stop")
        if not work.is_alive():
            return
        yield off, on


def each_us(data: Path, pids: list[int]) -> float:
    before, cpu = messages(data), cpu_ns(pids)
    time.sleep(TURN_S)
    used, done = cpu_ns(pids) - cpu, messages(data) - before
    return used / 1000 / max(done, 1)


def messages(data: Path) -> int:
    found = call(data, "core.traffic")
    return sum(one["received"] for kind in ("requests", "responses") for one in found[kind].values())


if __name__ == "__main__":
    main()
