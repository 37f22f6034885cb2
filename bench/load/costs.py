"""What the recording of calls and the profile of the script cost: user instructions of a call with and without them.

They are counted by callgrind, since both cost less than the speed of a shared machine changes between two runs. What that is in
time follows from the user time of a call without callgrind, as if all instructions took equally long.

`PYTHONPATH=bench:tests python -m load.costs --client target/bench/udp_closed_loop`
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from load import instructions, loads
from load.interpreter import Peer
from sipwright.control.client import call
from support.control import data_of
from support.servers import ROOT, Listen, Server

SCRIPT = ROOT / "examples" / "registrar_proxy.py"
PROFILE_S = 600


class Recording(Peer):
    """With the recording, which is off by default."""

    name = "recording"

    def argv(self) -> list[str]:
        return [*super().argv(), "--set", "record.enabled=true"]


class Profiled(Peer):
    """Whose script will be profiled."""

    name = "profiled"


def begin_profile(server: Server) -> None:
    call(data_of(server), "script.profile_start", [PROFILE_S])


def times_us(plan: loads.Plan) -> tuple[float, float]:
    """User time, and user and system time, of a call in microseconds, at the plan's rate."""
    with (
        tempfile.TemporaryDirectory(prefix="sipwright-bench-") as directory,
        Peer(SCRIPT, Path(directory) / "server", [Listen("udp")]) as server,
    ):
        loads.registered_calls(server, replace(plan, calls_seconds=2))
        before = ticks(server)
        figure = loads.registered_calls(server, plan)
        user, system = (now - then for now, then in zip(ticks(server), before, strict=True))
    each = 1e6 / os.sysconf("SC_CLK_TCK") / figure.done
    return user * each, (user + system) * each


def ticks(server: Server) -> tuple[int, int]:
    """User and system time of the server so far, in clock ticks (proc(5))."""
    texts = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in server.process.pids()]
    return sum(int(text[11]) for text in texts), sum(int(text[12]) for text in texts)


def main() -> None:
    """Prints the counts and the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", type=Path, required=True, help="The load client that `make bench` builds.")
    plan = replace(loads.Plan.make(parser.parse_args().client, quick=True), calls_seconds=20)
    user_us, cpu_us = times_us(plan)
    print(f"a call: {cpu_us:.0f} us of CPU, {user_us:.0f} us of it in user mode", flush=True)
    count = partial(instructions.count, script=SCRIPT, load=loads.registered_calls, plan=plan)
    without = count(Peer).each
    for what, found in (("recording", count(Recording)), ("profile", count(Profiled, prepare=begin_profile))):
        more = found.each / without - 1
        more_us = more * user_us
        print(
            f"the {what}: {100 * more:+.1f} % of the user instructions, about {more_us:+.1f} us or {100 * more_us / cpu_us:+.1f} % "
            f"of the CPU of a call; {more_us / 10:.1f} % of a core at 1,000 calls/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
