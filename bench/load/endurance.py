"""Hours of mixed work: calls, registrations, TLS connections that come and go well or badly, users with passwords on UDP, TLS and
WebSocket, reloads; and what becomes of the server's memory and descriptors.

    PYTHONPATH=bench:tests python -m load.endurance --seconds 3600

Rates are modest, so that it can run beside other work. It ends by itself, or early by Ctrl-C, and then judges
what it has. Samples go to bench/results/DATE-endurance.csv, a picture of them to DATE-endurance.svg.
Exit status 1: something failed or grew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import datetime
import os
import random
import signal
import ssl
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Final

from websockets.exceptions import WebSocketException

from load import endurance_members as members
from load.endurance_plot import Curve, draw
from load.figures import markdown
from load.interpreter import Peer
from load.loads import register_callee
from sipwright.control.client import call
from support import certificates
from support.agents import Agent, Line
from support.control import data_of
from support.messages import request
from support.peers import StreamPeer, UdpPeer, eventually, options
from support.ports import free_port
from support.process import open_files, rss_bytes
from support.servers import ROOT, Listen, Server
from support.sipp import Sipp

SCRIPT: Final = Path(__file__).with_name("scripts") / "mixed.py"
RESULTS: Final = ROOT / "bench" / "results"
# A second.
CALLS: Final = 20
REGISTRATIONS: Final = 10.0
CONNECTIONS: Final = 5.0
MEMBERS: Final = 5.0
MEMBERS_CALLS: Final = 2.0
USERS: Final = 2_000
RELOAD_S: Final = 10.0
TLS_RELOAD_S: Final = 30.0
# Caches and pools fill until then: a transaction lives for half a minute, and every user has registered after three minutes.
WARM_UP_SHARE: Final = 0.2
GROWTH_LIMIT: Final = 0.02
"""Of resident memory, from the end of the warm-up to the end: what the samples scatter is less."""
# Below this memory says nothing yet.
JUDGED_FROM_S: Final = 600.0
FIRST_S: Final = 3.0
# At rest: looks ten times a second.
SAME_LOOKS: Final = 50
MOST_LOOKS: Final = 400
KEEP_EVERY_S: Final = 30.0
FAILURES: Final = (OSError, EOFError, TimeoutError, AssertionError, WebSocketException)
KINDS: Final = (
    *("calls", "registrations", "connections"),
    *("registrations with passwords", "calls over TLS with passwords", "calls over WebSocket with passwords"),
)


@dataclass(frozen=True)
class Sample:
    """The server at one moment; `seconds` since the load began, memory in bytes, CPU in cores since the last sample."""

    seconds: float
    rss: int
    descriptors: int
    threads: int
    cores: float


@dataclass
class Course:
    """All samples, and what was done and failed."""

    samples: list[Sample] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    at_rest: tuple[int, int] = (0, 0)
    """Descriptors before the load and after it."""

    def settled(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [s for s in self.samples if s.seconds >= WARM_UP_SHARE * self.samples[-1].seconds]

    def growth(self) -> float:
        """By how much the line through the memory of the settled samples rises, as a share of where it begins."""
        settled = self.settled()
        if len(settled) < 3:
            return 0.0
        times = [s.seconds for s in settled]
        slope, start = statistics.linear_regression(times, [s.rss for s in settled])
        first = start + slope * times[0]
        return slope * (times[-1] - times[0]) / first

    def faults(self) -> list[str]:
        """Why it is not as it should be."""
        found = [f"{count} {what} failed" for what, count in self.failed.items() if count]
        found += [f"no {what} were done" for what in KINDS if not self.done[what]]
        if self.samples[-1].seconds >= JUDGED_FROM_S and self.growth() > GROWTH_LIMIT:
            found.append(f"memory grew by {100 * self.growth():.1f} %")
        before, after = self.at_rest
        if after > before:
            found.append(f"{before} descriptors before the load, {after} after it")
        return found


def main(argv: Sequence[str] | None = None) -> int:
    """Runs it, writes the samples and the picture, prints the verdict."""
    parser = argparse.ArgumentParser(prog="endurance", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long (3600)")
    parser.add_argument("--mode", type=int, choices=(0, 1, 2), default=2, help="TLS threads mode (2)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between samples (10)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory of the results (bench/results)")
    asked = parser.parse_args(argv)
    course = run(asked.seconds, asked.mode, asked.every, tell=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / f"{datetime.date.today().isoformat()}-endurance"
    write_csv(course.samples, path.with_suffix(".csv"))
    path.with_suffix(".svg").write_text(picture(course.samples))
    print(report(course))
    return 1 if course.faults() else 0


def run(seconds: float, mode: int, every: float, *, tell: bool = False) -> Course:
    """Starts a server, loads it for so long, and looks at it every so often."""
    course = Course()
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as name:
        directory = Path(name)
        certs = certificates.make(directory)
        settings = {**certs.settings(), "tls.threads_mode": mode, "usrloc.db_mode": 2, "log.level": "warning"}
        settings |= members.settings(directory)
        env = {"EXAMPLES": str(ROOT / "examples"), "ORIGINS": members.ORIGIN}
        listen = [Listen(p) for p in ("udp", "tcp", "tls")]
        server = Peer(SCRIPT, directory / "server", listen, env=env, settings=settings)
        with server:
            client = ssl.create_default_context(cafile=str(certs.ca))
            # Opens the database and whatever else is opened once.
            asyncio.run(load(server, client, FIRST_S, FIRST_S, Course(), tell=False))
            before = at_rest(server)
            asyncio.run(load(server, client, seconds, every, course, tell))
            course.at_rest = before, at_rest(server)
    return course


def at_rest(server: Server) -> int:
    """Descriptors once they have been as many for a while: connections are closed, and the database is open.

    Without files of databases: the pool keeps as many as workers once asked at the same time, and SQLite one or two more.
    """
    found: list[int] = []
    while len(found) < MOST_LOOKS:
        time.sleep(0.1)
        found.append(sum(".db" not in name for name in opened(server.process.pid)))
        if len(found) >= SAME_LOOKS and len(set(found[-SAME_LOOKS:])) == 1:
            break
    return found[-1]


def opened(pid: int) -> Iterator[str]:
    """What the descriptors of a process stand for."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # Whatever has been closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(link)


def cpu_s(pid: int) -> float:
    """User and system time, also of threads that have ended (proc(5))."""
    texts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(texts[11]) + int(texts[12])) / os.sysconf("SC_CLK_TCK")


async def load(
    server: Server, client: ssl.SSLContext, seconds: float, every: float, course: Course, tell: bool
) -> None:
    """All of it at once until the time is over or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().call_later(seconds, stop.set)
    port = free_port()
    await register_callee(server, f"callee{port}", port)
    data, source = data_of(server), random.Random(1)
    web: Sequence[members.Proto] = ("ws", "wss")
    over_tls = partial(members.call, server, client, source, members.ON_TLS, ("tls",), ("tls",))
    over_web = partial(members.call, server, client, source, members.ON_WEB, web, (*web, "tls"))
    async with UdpPeer.open() as peer, Agent.on(Line()) as agent, asyncio.TaskGroup() as group:
        work: list[Coroutine[None, None, None]] = [
            calls(server, port, seconds, stop, course),
            paced("registrations", REGISTRATIONS, stop, course, lambda: registration(server, peer, source, port)),
            paced("connections", CONNECTIONS, stop, course, lambda: connection(server, client, source)),
            paced(
                "registrations with passwords",
                MEMBERS,
                stop,
                course,
                lambda: members.registration(server, agent, source),
            ),
            paced("calls over TLS with passwords", MEMBERS_CALLS, stop, course, over_tls),
            paced("calls over WebSocket with passwords", MEMBERS_CALLS, stop, course, over_web),
            paced("reloads", 1 / RELOAD_S, stop, course, lambda: command(data, "app_python.reload")),
            paced("reloads of TLS", 1 / TLS_RELOAD_S, stop, course, lambda: command(data, "tls.reload")),
            watch(server, every, stop, course, tell),
        ]
        for one in work:
            group.create_task(one)


async def paced(
    what: str, rate: float, stop: asyncio.Event, course: Course, action: Callable[[], Coroutine[None, None, bool]]
) -> None:
    """Does something at a rate until the end, and counts; one after the other."""
    begin, number = time.monotonic(), 0
    while not stop.is_set():
        number += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(0.0, begin + number / rate - time.monotonic()))
            return
        try:
            fine = await action()
        except FAILURES:
            fine = False
        (course.done if fine else course.failed)[what] += 1


async def registration(server: Server, peer: UdpPeer, source: random.Random, port: int) -> bool:
    """A user who refreshes, one who comes for a minute and is forgotten, or the callee, whom calls must find."""
    kind = source.choices(["refresh", "visit", "callee"], [80, 15, 5])[0]
    if kind == "callee":
        await register_callee(server, f"callee{port}", port)
        return True
    number, (host, at) = source.randrange(USERS), server.address("udp")
    user = f"user{number}" if kind == "refresh" else f"visitor{source.randrange(10**9)}"
    aor, contact = f"sip:{user}@{host}:{at}", f"sip:{user}@127.0.0.1:{20_000 + number}"
    expires = ("Expires", "3600" if kind == "refresh" else "60")
    sent = request(
        "REGISTER", f"sip:{host}:{at}", peer.address, from_uri=aor, to_uri=aor, contact=contact, extra=(expires,)
    )
    return (await peer.ask(sent, (host, at), 15)).status == 200


async def connection(server: Server, client: ssl.SSLContext, source: random.Random) -> bool:
    """A connection with requests, or one that is dropped in the handshake, or that sends garbage."""
    manner, address = source.choice(["polite", "polite", "polite", "half-open", "garbage"]), server.address("tls")
    async with StreamPeer.open(address, client if manner == "polite" else None) as peer:
        if manner == "garbage":
            await peer.send(source.randbytes(source.randrange(1, 3000)))
        if manner == "polite":
            for _ in range(source.randrange(1, 5)):
                # The script relays to nobody whom it does not know.
                if (await peer.ask(options(peer, address, "tls"), 15)).status not in (200, 404):
                    return False
                await peer.ping(15)
    return True


async def command(data: Path, name: str) -> bool:
    await asyncio.to_thread(call, data, name)
    return True


async def calls(server: Server, port: int, seconds: float, stop: asyncio.Event, course: Course) -> None:
    """Both ends are sipp."""
    count, remote = max(1, int(CALLS * seconds)), server.address("udp")
    target = f"sip:callee{port}@{remote[0]}:{remote[1]}"
    end = partial(Sipp, remote=remote, directory=server.directory, calls=count, timeout_s=seconds + 60)
    with (
        end("callee", port=port) as callee,
        end("caller", port=free_port(), rate=CALLS, keys={"target": target}) as caller,
    ):
        await stop.wait()
        # It ends by itself, with its last call, unless it was interrupted.
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: not caller.child.running())
        caller.finish()
        callee.finish()
        made = caller.figures()
    course.done["calls"] += made.successful
    course.failed["calls"] += made.failed


async def watch(server: Server, every: float, stop: asyncio.Event, course: Course, tell: bool) -> None:
    """Takes the samples."""
    pid, begin = server.process.pid, time.monotonic()
    last, used = begin, cpu_s(pid)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
        now, cpu = time.monotonic(), cpu_s(pid)
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        cores = (cpu - used) / max(now - last, 1e-3)
        course.samples.append(Sample(now - begin, rss_bytes(pid), open_files(pid), threads, cores))
        last, used = now, cpu
        if tell:
            sample = course.samples[-1]
            print(
                f"{sample.seconds:6.0f} s  {sample.rss / 1e6:6.1f} MB  {sample.descriptors} descriptors  {sample.cores:.2f} cores  "
                f"{sum(course.failed.values())} failed",
                file=sys.stderr,
                flush=True,
            )


def thinned(samples: Sequence[Sample]) -> Iterator[Sample]:
    """One for each half minute, and the last."""
    due = 0.0
    for sample in samples:
        if sample.seconds >= due or sample is samples[-1]:
            due = sample.seconds + KEEP_EVERY_S - 1
            yield sample


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([one.name for one in fields(Sample)])
        for sample in thinned(samples):
            seconds, rss, fds, threads, cores = astuple(sample)
            writer.writerow([f"{seconds:.0f}", rss, fds, threads, f"{cores:.3f}"])


def picture(samples: Sequence[Sample]) -> str:
    """SVG: memory and descriptors over time."""
    times = [sample.seconds / 60 for sample in samples]
    return draw(
        "minutes",
        times,
        [
            Curve("resident memory, MB", [sample.rss / 1e6 for sample in samples]),
            Curve("descriptors", [float(sample.descriptors) for sample in samples]),
            Curve("CPU, cores", [sample.cores for sample in samples]),
        ],
    )


def report(course: Course) -> str:
    """What was done, and the verdict, as Markdown."""
    settled = course.settled()
    done = [(what, f"{count:,}", str(course.failed[what])) for what, count in sorted(course.done.items())]
    before, after = course.at_rest
    text = markdown(("what", "done", "failed"), done)
    text += (
        f"\n{course.samples[-1].seconds:,.0f} s. Resident memory {settled[0].rss / 1e6:.1f} MB after the warm-up, "
        f"{settled[-1].rss / 1e6:.1f} MB at the end: {100 * course.growth():+.2f} % by the line through all samples. "
        f"Descriptors at rest: {before} before, {after} after; at most {max(s.descriptors for s in settled)} under load. "
        f"{statistics.mean(s.cores for s in settled):.2f} cores.\n\n"
    )
    return text + ("\n".join(course.faults()) or "Nothing failed, nothing grew.")


if __name__ == "__main__":
    sys.exit(main())
