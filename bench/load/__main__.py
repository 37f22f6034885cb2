"""Compare Sipwright with Debian's Kamailio: the same scripts, the same load, in turn, in one run.

Prints a table of server CPU time and writes bench/results/DATE.md. Only the ratios of one run mean something: the
speed of a machine drifts.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from load import costs, instructions, interpreter, limits, loads, overload, prepared, tls_figures
from load.figures import HEADINGS, Comparison, Figure, markdown, rows
from oracle.profile import HERE, Profile
from support.servers import ROOT, Kamailio, Listen, Server, Sipwright
from support.tools import MissingTool, tool

RESULTS = ROOT / "bench" / "results"
SCRIPTS = ROOT / "tests" / "support" / "scripts"
WORKERS = 2
SERVERS: dict[str, type[Server]] = {"kamailio": Kamailio, "sipwright": interpreter.Peer}


@dataclass(frozen=True)
class Case:
    """A load, the script that both servers run under it, and what is counted."""

    name: str
    text: str
    unit: str
    script: Path
    load: Callable[[Server, loads.Plan], Figure]
    # What both servers are told, and what is made before they start. Of Sipwright also where its defaults do more than
    # Kamailio does in this run.
    profile: Profile = field(default_factory=Profile)


CASES = [
    Case("options", "OPTIONS at 5,000/s", "message", SCRIPTS / "answer.py", loads.options_fixed),
    Case("saturation", "OPTIONS, closed loop", "message", SCRIPTS / "answer.py", loads.options_saturated),
    Case(
        "register",
        "REGISTER that refreshes, closed loop",
        "message",
        SCRIPTS / "save.py",
        loads.refreshes,
        Profile(sipwright={"usrloc.db_mode": 0}),
    ),
    Case(
        "digest",
        "REGISTER with digest, users and locations in SQLite",
        "message",
        SCRIPTS / "save_authenticated.py",
        prepared.authenticated_refreshes,
        prepared.USERS_IN_DATABASE,
    ),
    Case("relay", "calls at 500/s, t_relay only", "call", SCRIPTS / "relay.py", loads.relayed_calls),
    Case(
        "registrar",
        "calls at 500/s, registrar_proxy.py",
        "call",
        ROOT / "examples" / "registrar_proxy.py",
        loads.registered_calls,
    ),
    Case(
        "dispatcher",
        "calls at 500/s, shared between two destinations",
        "call",
        SCRIPTS / "dispatch.py",
        prepared.dispatched_calls,
        prepared.DESTINATIONS,
    ),
]
# Of these also instructions, limits and memory are measured.
CALLS = [case for case in CASES if case.name in ("relay", "registrar")]
HIGHEST, MEMORY, INSTRUCTIONS, TLS, MILLION = "highest", "memory", "instructions", "tls", "million"
OVERLOAD, OVERLOAD_S, OVERLOAD_QUICK_S = "overload", 10.0, 3.0
COSTS, COSTS_RATE, COSTS_S, COSTS_QUICK_S = "costs", 1_000, 60.0, 20.0
TLS_SECONDS, TLS_QUICK_SECONDS = 10, 3
MEMORY_CALLS, MEMORY_RATE = 100_000, 1000


def main() -> int:
    options = parse_arguments()
    plan = loads.Plan.make(options.client.resolve(), quick=options.quick)
    rounds = options.rounds or plan.rounds
    try:
        comparisons = [compare(case, plan, rounds, options.server) for case in CASES if case.name in options.case]
        highest = find_limits(plan, options.server) if HIGHEST in options.case else []
        counts = count_instructions(plan, options.server) if INSTRUCTIONS in options.case else []
        rested = [weigh(case, plan) for case in CALLS] if MEMORY in options.case else []
        over_tls = measure_tls(rounds, options) if TLS in options.case else ""
        over_tls += tls_figures.million(options.storm) if MILLION in options.case else ""
        overload_s = OVERLOAD_QUICK_S if options.quick else OVERLOAD_S
        at_three_times = overload.report(options.calls, overload_s) if OVERLOAD in options.case else ""
        extras = (
            costs.report(options.client.resolve(), COSTS_RATE, COSTS_QUICK_S if options.quick else COSTS_S)
            if COSTS in options.case
            else ""
        )
    except MissingTool as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    text = report(comparisons, plan, rounds) + instructions_report(counts) + limits_report(highest, rested)
    text += at_three_times + extras + over_tls
    print(text)
    if not options.no_write:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{datetime.date.today().isoformat()}{'-quick' if options.quick else ''}.md"
        path.write_text(text)
        print(f"written to {path.relative_to(ROOT)}")
    return 0


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    names = [*(case.name for case in CASES), INSTRUCTIONS, HIGHEST, MEMORY, OVERLOAD, COSTS, TLS, MILLION]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--client", type=Path, required=True, help="the built udp_closed_loop")
    parser.add_argument("--calls", type=Path, required=True, help="the built open_calls")
    parser.add_argument("--storm", type=Path, required=True, help="the built tls_storm")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--rounds", type=int, help="rounds of each load")
    parser.add_argument("--case", action="append", choices=names, help="only this load (repeatable)")
    parser.add_argument("--server", action="append", choices=list(SERVERS), help="only this server (repeatable)")
    parser.add_argument("--no-write", action="store_true", help="print only")
    found = parser.parse_args(argv)
    found.case = found.case or (names[: len(CASES)] if found.quick else [name for name in names if name != MILLION])
    found.server = found.server or list(SERVERS)
    return found


def compare(case: Case, plan: loads.Plan, rounds: int, servers: Sequence[str]) -> Comparison:
    """Every round starts each server anew, in turn, so that drift of the machine falls on both."""
    figures: dict[str, list[Figure]] = {name: [] for name in servers}
    for number in range(1, rounds + 1):
        for name in servers:
            figure = measure(SERVERS[name], case, plan)
            figures[name].append(figure)
            print(
                f"{case.name} round {number} {name}: {figure.cpu_us_each:.1f} us CPU a {case.unit}, "
                f"{figure.rate:.0f}/s, {figure.failed} failed, {figure.retransmissions} retransmitted, {100 * figure.steal:.1f} % steal",
                file=sys.stderr,
                flush=True,
            )
    return Comparison(case.text, case.unit, figures)


def measure(kind: type[Server], case: Case, plan: loads.Plan) -> Figure:
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as name:
        server = kind(case.script, Path(name), [Listen("udp")], workers=WORKERS)
        profile = case.profile
        if isinstance(server, Sipwright):
            server.settings = {key: str(value).replace(HERE, name) for key, value in profile.sipwright.items()}
        elif isinstance(server, Kamailio):
            server.extra_config = profile.kamailio.replace(HERE, name)
        if profile.prepare is not None:
            profile.prepare(Path(name))
        with server:
            return case.load(server, plan)


def measure_tls(rounds: int, options: argparse.Namespace) -> str:
    """Markdown of the TLS comparison."""
    seconds = TLS_QUICK_SECONDS if options.quick else TLS_SECONDS
    return tls_figures.report(tls_figures.compare(rounds, seconds, options.server), options.server, options.storm)


def count_instructions(plan: loads.Plan, servers: Sequence[str]) -> list[instructions.Count]:
    return [instructions.count(SERVERS[name], case.script, case.load, plan) for case in CALLS for name in servers]


def instructions_report(counts: Sequence[instructions.Count]) -> str:
    """Markdown of user instructions for each call; empty when nobody asked."""
    if not counts:
        return ""
    base = {count.script: count.each for count in counts if count.server == "kamailio"}
    cells = [
        (c.script, c.server, f"{c.each:,.0f}", f"{c.each / base[c.script]:.2f}" if c.script in base else "-")
        for c in counts
    ]
    table = markdown(("script", "server", "user instructions a call", "ratio"), cells)
    return f"\n## Instructions\n\n{table}\n\nBy callgrind, one worker; without the kernel's work.\n"


def find_limits(plan: loads.Plan, servers: Sequence[str]) -> list[limits.Limit]:
    """The highest rate without a failure, for each server with each script for calls."""
    found = []
    for case in CALLS:
        for name in servers:
            trial = partial(measure, SERVERS[name], case)
            found.append(limits.highest_rate(trial, plan, name, case.script.name))
    return found


def weigh(case: Case, plan: loads.Plan) -> limits.Memory:
    """Memory of Sipwright alone; Kamailio takes its own from the system at the start."""
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as name:
        server = interpreter.Peer(case.script, Path(name), [Listen("udp")], workers=WORKERS)
        with server:
            return limits.memory(server, replace(plan, calls_rate=MEMORY_RATE), case.load, MEMORY_CALLS)


def limits_report(highest: Sequence[limits.Limit], rested: Sequence[limits.Memory]) -> str:
    """Markdown of what takes longer than a round; empty when neither was asked for."""
    text = ""
    if highest:
        lines = [(limit.script, limit.server, f"{limit.rate:.0f}", str(limit.trials)) for limit in highest]
        text += "\n## Highest rate without a failed call\n\n"
        text += markdown(("script", "server", "calls/s", "trials"), lines)
        text += f"\n\nTrials of {limits.TRIAL_S:g} s, each with a fresh server; both ends of the calls share the cores with it.\n"
    if rested:
        mega = [[f"{size / 1e6:.1f} MB" for size in (found.start, found.peak, found.rested)] for found in rested]
        cells = [
            (str(found.calls), str(found.failed), *sizes, f"{100 * found.growth:+.1f} %")
            for found, sizes in zip(rested, mega, strict=True)
        ]
        text += "\n## Memory\n\n"
        text += markdown(("calls", "failed", "start", "at their end", "a minute later", "growth"), cells)
        text += f"\n\nResident memory of Sipwright after {limits.WARM_UP_CALLS} calls and after {MEMORY_CALLS:,} at {MEMORY_RATE}/s: "
        text += f"{' and '.join(case.script.name for case in CALLS)}.\n"
    return text


def report(comparisons: Sequence[Comparison], plan: loads.Plan, rounds: int) -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    version = subprocess.run([tool("kamailio"), "-v"], capture_output=True, text=True, timeout=10).stdout.split("\n")[0]
    table = markdown(HEADINGS, rows(comparisons, "kamailio"))
    return f"""# Load, {datetime.date.today().isoformat()}

{table}

- CPU: user and system time of all processes and threads of the server from /proc, microseconds for each message or
  call; the median of the half of {rounds} rounds with the least steal (time that the host takes away, which Linux counts
  as CPU time of the threads), servers in turn. `ratio` is to Kamailio in this run; `failed` and
  `retransmitted` are sums over the rounds, at both ends.
- Machine: {model}, {os.cpu_count()} cores shared with the load tools; Linux {platform.release()}.
- Python: {interpreter.description()}.
- Peer: {version}, `-x fm -X fm`; {WORKERS} workers in each server.
- Load: OPTIONS for {plan.options_seconds:g} s a round (sipp), closed loop with {plan.outstanding} outstanding for \
{plan.saturation_seconds:g} s;
  calls (INVITE 180 200 ACK BYE 200) for {plan.calls_seconds:g} s a round, all over UDP on loopback.
- Limit: a call's load tools use the same two cores as the server, so rates are not a server's limit.
"""


if __name__ == "__main__":
    sys.exit(main())
