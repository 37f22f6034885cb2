"""What a script that blocks does to TLS and to other calls, and what TLS does to calls: p50, p99 and max, in each mode.

    make interference ARGS="--seconds 20 --mode 2"

Every figure has a control: the same load with the same CPU time burnt by a process beside the server, so that what the
machine does is told from what the server does. Prints tables; exits with 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from load.figures import markdown
from load.interpreter import Peer
from support import certificates
from support.certificates import Certificates
from support.messages import request
from support.peers import StreamPeer, UdpPeer, options
from support.servers import ROOT, Listen

SCRIPT = ROOT / "tests" / "support" / "scripts" / "interfering.py"
WORKERS = 4
# Requests a second that may block, each one in twenty for half a second.
TRIGGERS, BLOCKS, BLOCK_S = 20, 0.05, 0.5
HANDSHAKES, PROBES = 20, 50
STORM = 200
NOISE_MS = 1.0
SPIN_LIMIT_MS = 15.0
SHARE = 1.2
SPINNER = "import time\nwhile True:\n    time.sleep({idle})\n    end = time.monotonic() + {busy}\n    while time.monotonic() < end: pass\n"


@dataclass
class Sample:
    """Times of one measurement, in seconds, and what failed."""

    times: list[float] = field(default_factory=list)
    failed: int = 0

    def ms(self, share: float) -> float:
        ordered = sorted(self.times)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")

    def cells(self) -> tuple[str, ...]:
        return (*(f"{self.ms(share):.1f}" for share in (0.5, 0.99, 1.0)), str(len(self.times)), str(self.failed))


@dataclass
class Figures:
    """What one kind of script does to handshakes and to requests of others."""

    handshakes: Sample = field(default_factory=Sample)
    pings: Sample = field(default_factory=Sample)
    probes: Sample = field(default_factory=Sample)
    closed: int = 0


def main() -> int:
    options_ = parse_arguments()
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sipwright-interference-") as name:
        certs = certificates.make(Path(name))
        rows: list[tuple[str, ...]] = []
        for mode in options_.mode:
            found = {kind: measure(mode, kind, certs, options_.seconds) for kind in KINDS}
            for kind, figures in found.items():
                for what, sample in (
                    ("new TLS handshake", figures.handshakes),
                    ("the same and a keep-alive", figures.pings),
                    ("OPTIONS", figures.probes),
                ):
                    rows.append((str(mode), kind, what, *sample.cells(), str(figures.closed)))
            missed += limits_missed(mode, found)
        print(markdown(("mode", "script", "what", "p50 ms", "p99 ms", "max ms", "done", "failed", "closed"), rows))
        if not options_.no_storm:
            storms = [row for mode in options_.mode for row in storm(mode, certs, options_.seconds)]
            print(
                "\n"
                + markdown(("mode", "beside calls", "what", "p50 ms", "p99 ms", "max ms", "done", "failed"), storms)
            )
            missed += [f"MISSED in mode {row[0]}: the storm's limit" for row in storms if row[1] == "MISSED"]
    load = os.getloadavg()[0]
    print(
        f"\n{options_.seconds:g} s each, {WORKERS} workers, {os.cpu_count()} cores, load average {load:.1f} at the end."
    )
    print("\n".join(missed) or "Every limit is kept.")
    return 1 if missed else 0


KINDS = {
    "idle": "idle",
    "sleeps": "sleep",
    "idle, spinning process beside": "idle",
    "spins": "spin",
}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make interference", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    parser.add_argument("--mode", type=int, action="append", choices=[0, 1, 2], help="only this TLS mode (repeatable)")
    parser.add_argument("--no-storm", action="store_true", help="leave out the handshake storm")
    found = parser.parse_args(argv)
    found.mode = found.mode or [0, 1, 2]
    return found


def limits_missed(mode: int, found: dict[str, Figures]) -> list[str]:
    """Which limits a mode misses; those for handshakes hold for mode 2."""
    idle, sleeps, beside, spins = (found[kind] for kind in KINDS)
    checks = [
        ("OPTIONS while scripts sleep", sleeps.probes, SHARE * idle.probes.ms(0.99) + NOISE_MS),
        ("OPTIONS while scripts spin", spins.probes, max(SPIN_LIMIT_MS, SHARE * beside.probes.ms(0.99))),
    ]
    if mode == 2:
        checks += [
            ("handshakes while scripts sleep", sleeps.handshakes, SHARE * idle.handshakes.ms(0.99) + NOISE_MS),
            ("handshakes while scripts spin", spins.handshakes, SHARE * beside.handshakes.ms(0.99) + NOISE_MS),
        ]
    missed = [
        f"MISSED in mode {mode}: p99 of {what} is {sample.ms(0.99):.1f} ms, the limit {limit:.1f} ms"
        for what, sample, limit in checks
        if sample.ms(0.99) > limit
    ]
    missed += [
        f"MISSED in mode {mode}: {kind}: {f.closed} innocent connections closed"
        for kind, f in found.items()
        if f.closed
    ]
    return missed


@contextlib.contextmanager
def started(mode: int, certs: Certificates, kind: str) -> Iterator[Peer]:
    with tempfile.TemporaryDirectory(prefix="sipwright-interference-") as name:
        settings = {**certs.settings(), "tls.threads_mode": mode, "log.level": "error"}
        listen = [Listen("udp"), Listen("tls")]
        env = {"INTERFERE": kind, "BLOCKS": str(BLOCKS), "BLOCK_S": str(BLOCK_S)}
        with Peer(SCRIPT, Path(name), listen, workers=WORKERS, settings=settings, env=env) as server:
            yield server


def measure(mode: int, kind: str, certs: Certificates, seconds: float) -> Figures:
    """Start a server with that kind of script and look at it from outside."""
    tls = ssl.create_default_context(cafile=str(certs.ca))
    with started(mode, certs, KINDS[kind]) as server, contextlib.ExitStack() as stack:
        if "beside" in kind:
            # As much CPU time as the spinning scripts take, by a process that has nothing to do with the server.
            busy = TRIGGERS * BLOCKS * BLOCK_S
            stack.enter_context(burning(busy / 4, (1 - min(busy, 0.99)) / 4 + 0.001))
        figures = asyncio.run(look(server, tls, seconds))
    print(
        f"mode {mode}, {kind}: handshake p99 {figures.handshakes.ms(0.99):.1f} ms, OPTIONS p99 {figures.probes.ms(0.99):.1f} ms",
        file=sys.stderr,
    )
    return figures


@contextlib.contextmanager
def burning(busy: float, idle: float) -> Iterator[None]:
    """A process that spins so many seconds, then sleeps so many, again and again."""
    process = subprocess.Popen([sys.executable, "-c", SPINNER.format(busy=busy, idle=idle)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def look(server: Peer, tls: ssl.SSLContext, seconds: float) -> Figures:
    figures = Figures()
    address = server.address("tls")

    async def shake() -> None:
        begin = time.monotonic()
        async with StreamPeer.open(address, tls) as peer:
            figures.handshakes.times.append(time.monotonic() - begin)
            await peer.ping(15)

    async with contextlib.AsyncExitStack() as stack:
        udp = await stack.enter_async_context(UdpPeer.open())
        triggers = await stack.enter_async_context(UdpPeer.open())
        innocent = [await stack.enter_async_context(StreamPeer.open(address, tls)) for _ in range(8)]
        to = server.address("udp")

        async def probe() -> None:
            await udp.ask(options(udp, to), to, 15)

        async def trigger() -> None:
            triggers.send(request("MESSAGE", f"sip:{to[0]}:{to[1]}", triggers.address), to)

        async def ping(number: int) -> None:
            await innocent[number % len(innocent)].ping(15)

        count = iter(range(10**9))
        pings = Sample()
        await asyncio.gather(
            paced(shake, HANDSHAKES, seconds, figures.pings),
            paced(probe, PROBES, seconds, figures.probes, alone=True),
            paced(trigger, TRIGGERS, seconds, Sample()),
            paced(lambda: ping(next(count)), 4, seconds, pings, alone=True),
        )
        figures.closed = sum(peer.reader.at_eof() for peer in innocent) + pings.failed
    return figures


async def paced(
    action: Callable[[], Awaitable[None]], rate: float, seconds: float, sample: Sample, alone: bool = False
) -> None:
    """Do it so often a second, whether or not the last one is done; `alone` waits for the last one."""
    start = time.monotonic()

    async def one() -> None:
        begin = time.monotonic()
        try:
            await action()
            sample.times.append(time.monotonic() - begin)
        except (OSError, EOFError, TimeoutError, AssertionError):
            sample.failed += 1

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            if time.monotonic() - start > seconds:
                break
            task = group.create_task(one())
            if alone:
                await task


def storm(mode: int, certs: Certificates, seconds: float) -> list[tuple[str, ...]]:
    """Requests over UDP beside a handshake storm, and beside the same storm against another server: the same CPU time."""
    rows = []
    for what in ("nothing", "handshakes of another server", "handshakes"):
        with (
            started(mode, certs, "idle") as server,
            started(mode, certs, "idle") as other,
            contextlib.ExitStack() as stack,
        ):
            if what != "nothing":
                host, port = (server if what == "handshakes" else other).address("tls")
                command = [sys.executable, "-m", "load.tls_load", f"{host}:{port}", "--ca", str(certs.ca)]
                command += ["--rate", str(STORM), "--seconds", str(seconds + 1), "--requests", "0"]
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                stack.callback(process.wait)
            rows.append((str(mode), what, "OPTIONS", *asyncio.run(calls(server, seconds)).cells()))
    before, after = (float(row[4]) for row in rows[1:])
    if after > SHARE * before + NOISE_MS:
        rows.append((str(mode), "MISSED", f"over {SHARE} of the other server's", "", "", "", "", ""))
    return rows


async def calls(server: Peer, seconds: float) -> Sample:
    sample = Sample()
    to = server.address("udp")
    async with UdpPeer.open() as udp:

        async def probe() -> None:
            await udp.ask(options(udp, to), to, 15)

        await paced(probe, 200, seconds, sample, alone=True)
    return sample


if __name__ == "__main__":
    sys.exit(main())
