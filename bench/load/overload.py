"""Calls at three times of what the script can do: what becomes of those that are let in, and of the others.

    make bench ARGS="--case overload"

Each INVITE takes a worker five milliseconds, so that what two workers can do is known, and little beside what both ends of the
calls need of the same cores. Load is a quarter of that, then three times, then a quarter again.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from load.figures import markdown
from load.interpreter import Peer
from support.messages import Sip, request
from support.peers import Crowd
from support.process import rss_bytes
from support.servers import ROOT, Listen

SCRIPT: Final = ROOT / "tests" / "support" / "scripts" / "overloaded.py"
WORKERS: Final = 2
INVITE_S: Final = 0.005
CAPACITY: Final = WORKERS / INVITE_S
WAIT_MS: Final = 5
PHASES: Final = (("a quarter", 0.25), ("three times", 3.0), ("a quarter again", 0.25))
ANSWER_S: Final = 10.0
# What the cores, which both ends of the calls share, may add.
NOISE_S: Final = 0.005
TWICE: Final = 2.0
RECOVERY_S: Final = 1.0


@dataclass
class Outcome:
    """One call: when it began and how it went; times in seconds from the first call of all."""

    began: float
    status: int = 0
    setup_s: float = 0.0
    ended: bool = False
    has_retry_after: bool = False


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


def report(seconds: float) -> str:
    """Runs the three phases and says what came of them, as Markdown, with the limits that were missed."""
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as name:
        settings = {"limits.queue_wait_ms": WAIT_MS, "log.level": "error"}
        with Peer(SCRIPT, Path(name), [Listen("udp")], WORKERS, settings=settings) as server:
            phases = asyncio.run(run(server, seconds))
    rows = [
        (
            phase.name,
            f"{phase.rate:.0f}",
            str(len(phase.calls)),
            str(len(phase.accepted)),
            str(sum(call.ended for call in phase.accepted)),
            str(sum(call.status == 503 for call in phase.calls)),
            str(sum(call.status not in (200, 503) for call in phase.calls)),
            f"{phase.setup_ms(0.5):.1f}",
            f"{phase.setup_ms(0.99):.1f}",
            f"{phase.memory / 1e6:.1f}",
        )
        for phase in phases
    ]
    headings = ("load", "calls/s", "offered", "accepted", "ended", "503", "no answer", "p50 ms", "p99 ms", "MB")
    verdict = missed(phases) or ["Every limit is kept."]
    return "\n".join(
        ["## Overload", "", markdown(headings, rows), "", *chart(phases), "", *(f"- {line}" for line in verdict), ""]
    )


async def run(server: Peer, seconds: float) -> list[Phase]:
    phases = [Phase(name, share * CAPACITY) for name, share in PHASES]
    start = time.monotonic()
    async with Crowd.open() as caller, Crowd.open() as callee:
        contact = (("Contact", "<sip:callee@{}:{}>".format(*callee.address)),)

        def accept(found: Sip, source: tuple[str, int]) -> None:
            if found.method != "ACK":
                callee.send(found.reply(200, "OK", "callee", contact), source)

        callee.on_request = accept
        for phase in phases:
            await offer(server, phase, seconds, caller, callee, start)
            phase.memory = sum(rss_bytes(pid) for pid in server.process.pids())
    return phases


async def offer(server: Peer, phase: Phase, seconds: float, caller: Crowd, callee: Crowd, start: float) -> None:
    """Begins calls at the rate, whatever becomes of them; returns when each is over."""
    begin = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(phase.rate * seconds)):
            await asyncio.sleep(max(0.0, begin + number / phase.rate - time.monotonic()))
            outcome = Outcome(time.monotonic() - start)
            phase.calls.append(outcome)
            group.create_task(call(server.address("udp"), caller, callee, outcome))


async def call(to: tuple[str, int], caller: Crowd, callee: Crowd, outcome: Outcome) -> None:
    """INVITE, and if it is accepted ACK and BYE along the route set."""
    host, port = callee.address
    invite = request("INVITE", f"sip:callee@{host}:{port}", caller.address, contact=f"sip:caller@{caller.address[0]}")
    begin = time.monotonic()
    try:
        found = await caller.ask(invite, to, ANSWER_S)
    except TimeoutError:
        return
    outcome.status, outcome.setup_s = found.status or 0, time.monotonic() - begin
    outcome.has_retry_after = found.get("Retry-After") is not None
    if outcome.status != 200:
        return
    caller.send(within("ACK", found, caller), to)
    try:
        outcome.ended = (await caller.ask(within("BYE", found, caller), to, ANSWER_S)).status == 200
    except TimeoutError:
        return


def within(method: str, ok: Sip, caller: Crowd) -> Sip:
    """A request of the dialog that this response made."""
    sent = request(method, ok["Contact"].strip("<>"), caller.address, cseq=2 if method == "BYE" else 1)
    kept = {name: ok[name] for name in ("From", "To", "Call-ID")}
    routes = tuple(("Route", route) for route in ok.all("Record-Route"))
    return replace(sent, headers=(*((name, kept.get(name, value)) for name, value in sent.headers), *routes))


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
