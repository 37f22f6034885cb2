"""Calls at three times of what the script can do: what becomes of those that are let in, and of the others.

    make bench ARGS="--case overload"

Each INVITE takes a worker five milliseconds, so that what two workers can do is known, and little beside what both ends of the
calls need of the same cores. Load is a quarter of that, then three times, then a quarter again. Both ends are one compiled program
(`open_calls.rs`): at this rate one in Python would be late itself, and its own delay would count as the server's.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from load.figures import markdown
from load.interpreter import Peer
from support.process import rss_bytes
from support.servers import ROOT, Listen

SCRIPT: Final = ROOT / "tests" / "support" / "scripts" / "overloaded.py"
WORKERS: Final = 2
INVITE_S: Final = 0.005
CAPACITY: Final = WORKERS / INVITE_S
WAIT_MS: Final = 5
PHASES: Final = (("a quarter", 0.25), ("three times", 3.0), ("a quarter again", 0.25))
# What the cores, which both ends of the calls share, may add.
NOISE_S: Final = 0.002
TWICE: Final = 2.0
RECOVERY_S: Final = 1.0


@dataclass
class Outcome:
    """One call: when it began, from the first call of all, and how it went; times in seconds."""

    began: float
    status: int
    setup_s: float
    ended: bool
    has_retry_after: bool
    # How often the INVITE was sent.
    sent: int


@dataclass
class Phase:
    """Calls at one rate."""

    name: str
    rate: float
    calls: list[Outcome] = field(default_factory=list)
    memory: int = 0

    @property
    def accepted(self) -> list[Outcome]:
        return [call for call in self.calls if call.status == 200]

    def setup_ms(self, share: float) -> float:
        ordered = sorted(call.setup_s for call in self.accepted)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def report(client: Path, seconds: float) -> str:
    """Runs the three phases and says what came of them, as Markdown, with the limits that were missed."""
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as name:
        settings = {"limits.queue_wait_ms": WAIT_MS, "log.level": "error"}
        with Peer(SCRIPT, Path(name), [Listen("udp")], WORKERS, settings=settings) as server:
            phases = run(server, client, seconds)
    rows = [
        (
            phase.name,
            f"{phase.rate:.0f}",
            str(len(phase.calls)),
            str(len(phase.accepted)),
            str(sum(call.ended for call in phase.accepted)),
            str(sum(call.status == 503 for call in phase.calls)),
            str(sum(call.status not in (200, 503) for call in phase.calls)),
            str(sum(call.sent - 1 for call in phase.calls)),
            f"{phase.setup_ms(0.5):.1f}",
            f"{phase.setup_ms(0.99):.1f}",
            f"{phase.memory / 1e6:.1f}",
        )
        for phase in phases
    ]
    headings = (
        "load",
        "calls/s",
        "offered",
        "accepted",
        "ended",
        "503",
        "no answer",
        "sent again",
        "p50 ms",
        "p99 ms",
        "MB",
    )
    verdict = missed(phases) or ["Every limit is kept."]
    return "\n".join(
        ["## Overload", "", markdown(headings, rows), "", *chart(phases), "", *(f"- {line}" for line in verdict), ""]
    )


def run(server: Peer, client: Path, seconds: float) -> list[Phase]:
    """Offers calls at each of the rates, in turn; the next rate begins when every call of the last one is over."""
    phases = [Phase(name, share * CAPACITY) for name, share in PHASES]
    start = time.monotonic()
    host, port = server.address("udp")
    for phase in phases:
        began = time.monotonic() - start
        argv = [str(client), f"{host}:{port}", f"{phase.rate:g}", f"{seconds:g}"]
        printed = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60).stdout
        phase.calls = [outcome(line, began) for line in printed.splitlines()]
        phase.memory = sum(rss_bytes(pid) for pid in server.process.pids())
    return phases


def outcome(line: str, began: float) -> Outcome:
    """A call as the client prints it."""
    due_us, status, setup_us, ended, retry_after, sent = map(int, line.split())
    return Outcome(began + due_us / 1e6, status, setup_us / 1e6, bool(ended), bool(retry_after), sent)


def missed(phases: Sequence[Phase]) -> list[str]:
    """The limits that were not kept."""
    before, during, after = phases
    unended = sum(not call.ended for call in during.accepted)
    bare = sum(call.status == 503 and not call.has_retry_after for call in during.calls)
    limit_ms = TWICE * before.setup_ms(0.99) + 1000 * NOISE_S
    first = after.calls[0].began
    late = [call.began - first for call in after.calls if call.status != 200]
    checks = [
        (unended > 0, f"MISSED: {unended} accepted calls did not end"),
        (bare > 0, f"MISSED: {bare} refusals without Retry-After"),
        (not any(call.status == 503 for call in during.calls), "MISSED: nothing was refused"),
        (
            during.setup_ms(0.99) > limit_ms,
            f"MISSED: p99 of accepted calls is {during.setup_ms(0.99):.1f} ms, the limit {limit_ms:.1f} ms",
        ),
        (bool(late) and max(late) > RECOVERY_S, f"MISSED: refused {max(late, default=0):.1f} s after the overload"),
    ]
    return [text for is_missed, text in checks if is_missed]


def chart(phases: Sequence[Phase]) -> list[str]:
    """Calls by second as a chart that GitHub draws."""
    calls = [call for phase in phases for call in phase.calls]
    seconds = range(int(max(call.began for call in calls)) + 1)
    offered = [sum(int(call.began) == second for call in calls) for second in seconds]
    accepted = [sum(int(call.began) == second and call.status == 200 for call in calls) for second in seconds]
    return [
        "```mermaid",
        "xychart-beta",
        '  title "Calls offered (line) and accepted (bars), by second"',
        f"  x-axis [{', '.join(map(str, seconds))}]",
        '  y-axis "calls"',
        f"  bar [{', '.join(map(str, accepted))}]",
        f"  line [{', '.join(map(str, offered))}]",
        "```",
    ]
