"""TLS beside Kamailio: CPU of handshakes and messages, memory of idle connections, storms, and how many cores take part.

    make bench ARGS="--case tls"            # every comparison
    make bench ARGS="--case million"        # a million handshakes, ten minutes or more

Kamailio 5.6 may crash under connections that come fast, so comparisons run at a rate that it mostly survives; its crashes are
a row of the table. The clients of comparisons are Python's ssl, that of storms is rustls; all share the cores with the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from load.figures import HEADINGS, Comparison, Figure, markdown, rows
from load.interpreter import Peer
from load.loads import Meter
from support import tls
from support.certificates import Authority, Issued
from support.process import rss_bytes
from support.servers import ROOT, Kamailio, Listen, Server

SCRIPT = ROOT / "tests" / "support" / "scripts" / "answer.py"
WORKERS = 2
RATE = 300
CLIENTS = 8
MESSAGES_RATES = (1_500, 4_000)
IDLE = 2_000
STORM = 20_000
MILLION = 1_000_000
BURST_S = 10
LONGEST_S = 3_600
KAMAILIO = """
enable_tls=yes
tls_max_connections=8192
tcp_max_connections=8192
tcp_connection_lifetime=3600
loadmodule "tls.so"
modparam("tls", "config", "{}")
"""
TLS_CFG = """[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
certificate = {0.chain}
private_key = {0.key}
"""
HANDSHAKE_MODE = "sipwright, mode 1"
Address = tuple[str, int]
TLS_1_2 = ssl.TLSVersion.TLSv1_2


@dataclass(frozen=True)
class Case:
    """A load over TLS: the key of the server's certificate, and what is counted."""

    text: str
    unit: str
    kind: str
    load: Callable[[Server, ssl.SSLContext, float], Figure]
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    every_mode: bool = False
    """Whether the modes that have threads for TLS are told apart."""

    def servers(self, names: Sequence[str]) -> list[str]:
        """Those that it is measured with, of the servers that were asked for."""
        more = [HANDSHAKE_MODE] if self.every_mode and "sipwright" in names else []
        return [*names, *more]


def context(authority: Authority, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    return tls.context(authority.file, version=version)


def full_handshakes(server: Server, client: ssl.SSLContext, seconds: float) -> Figure:
    """New connections at the rate, each with a full handshake and one OPTIONS."""
    address = server.address("tls")
    return paced(server, RATE, seconds, lambda: visit(address, client, None))


def resumed_handshakes(server: Server, client: ssl.SSLContext, seconds: float) -> Figure:
    """The same with the session of an earlier connection; one that is not resumed counts as failed."""
    address = server.address("tls")
    with tls.connect(address, client) as first:
        tls.ask(first, address)
        session = first.session

    def again() -> bool:
        return visit(address, client, session)

    return paced(server, RATE, seconds, again)


def visit(address: Address, client: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    """One connection with one OPTIONS; whether it was answered, and resumed if it was to be."""
    try:
        with connected(address, client, session) as peer:
            return tls.ask(peer, address).status == 200 and peer.session_reused is (session is not None)
    except (OSError, ConnectionError):
        return False


@contextlib.contextmanager
def connected(address: Address, client: ssl.SSLContext, session: ssl.SSLSession | None) -> Iterator[ssl.SSLSocket]:
    plain = socket.create_connection(address, timeout=10)
    try:
        peer = client.wrap_socket(plain, server_hostname="localhost", session=session)
    except BaseException:
        plain.close()
        raise
    with peer:
        yield peer


def messages(server: Server, client: ssl.SSLContext, seconds: float, rate: float | None = None) -> Figure:
    """OPTIONS over connections that are there, at the rate or as fast as the clients get answers."""
    address = server.address("tls")
    idle: list[ssl.SSLSocket] = []
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            idle.append(stack.enter_context(tls.connect(address, client)))
            tls.ask(idle[-1], address)
        local = threading.local()

        def one() -> bool:
            if not hasattr(local, "peer"):
                local.peer = idle.pop()
            return tls.ask(local.peer, address).status == 200

        return paced(server, rate, seconds, one)


def paced(server: Server, rate: float | None, seconds: float, action: Callable[[], bool]) -> Figure:
    """Calls the action from several threads, at the rate or each as soon as it can, and meters the server meanwhile."""
    done, lock = [0, 0], threading.Lock()
    meter, start = Meter(server), time.monotonic()
    times = due(start, rate, seconds)

    def client() -> None:
        while True:
            with lock:
                at = next(times, None)
            if at is None:
                return
            time.sleep(max(0.0, at - time.monotonic()))
            fine = action()
            with lock:
                done[0 if fine else 1] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        for future in [pool.submit(client) for _ in range(CLIENTS)]:
            future.result()
    return meter.stop(done[0], done[1])


def due(start: float, rate: float | None, seconds: float) -> Iterator[float]:
    """When each action is to begin: evenly, or at once until the time is over."""
    if rate is not None:
        yield from (start + number / rate for number in range(int(rate * seconds)))
        return
    while time.monotonic() < start + seconds:
        yield start


CASES = [
    Case("full handshake and OPTIONS, ECDSA P-256, TLS 1.3", "connection", "ecdsa", full_handshakes),
    Case("full handshake and OPTIONS, RSA-2048, TLS 1.3", "connection", "rsa", full_handshakes),
    Case("full handshake and OPTIONS, RSA-2048, TLS 1.2", "connection", "rsa", full_handshakes, TLS_1_2),
    Case("resumed handshake and OPTIONS, ECDSA P-256, TLS 1.3", "connection", "ecdsa", resumed_handshakes),
    Case("resumed handshake and OPTIONS, RSA-2048, TLS 1.3", "connection", "rsa", resumed_handshakes),
    Case("resumed handshake and OPTIONS, RSA-2048, TLS 1.2", "connection", "rsa", resumed_handshakes, TLS_1_2),
    *(
        Case(
            f"OPTIONS over established connections, {'closed loop' if rate is None else f'{rate:,}/s'}",
            "message",
            "ecdsa",
            partial(messages, rate=rate),
            every_mode=True,
        )
        for rate in (*MESSAGES_RATES, None)
    ),
]


@contextlib.contextmanager
def started(name: str, own: Issued, mode: int = 2) -> Iterator[Server]:
    """A fresh server of that kind with that certificate."""
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as text:
        directory = Path(text)
        server: Server
        if name == "kamailio":
            config = directory / "tls.cfg"
            config.write_text(TLS_CFG.format(own))
            server = Kamailio(SCRIPT, directory / name, [Listen("tls")], WORKERS, extra_config=KAMAILIO.format(config))
        else:
            settings = {
                "tls.certificate": own.chain,
                "tls.private_key": own.key,
                "tls.threads_mode": mode,
                "limits.connections_per_source": 4 * IDLE,
            }
            server = Peer(SCRIPT, directory / name, [Listen("tls")], WORKERS, settings=settings)
        server.start()
        try:
            yield server
        finally:
            if server.process.running():
                server.stop()


def compare(rounds: int, seconds: float, servers: Sequence[str]) -> list[Comparison]:
    """Every load against each server in turn; a round in which a server crashed is told and left out."""
    with authority() as (issuer, issued):
        found = []
        for case in CASES:
            client = context(issuer, case.version)
            figures: dict[str, list[Figure]] = {name: [] for name in case.servers(servers)}
            for number in range(1, rounds + 1):
                for name in figures:
                    with started(name, issued[case.kind], 1 if name == HANDSHAKE_MODE else 2) as server:
                        figure = survived(server, partial(measured, case, server, client, seconds))
                    if figure is None:
                        note(f"{case.text} round {number}: {name} crashed")
                        continue
                    figures[name].append(figure)
                    note(
                        f"{case.text} round {number} {name}: {figure.cpu_us_each:.0f} us, {figure.failed} failed, "
                        f"{100 * figure.steal:.1f} % steal"
                    )
            found.append(Comparison(case.text, case.unit, figures))
        return found


def measured(case: Case, server: Server, client: ssl.SSLContext, seconds: float) -> Figure:
    case.load(server, client, 1.0)
    return case.load(server, client, seconds)


def survived(server: Server, measure: Callable[[], Figure]) -> Figure | None:
    """The figure, or None if a process of the server ended meanwhile."""
    pids = server.process.pids()
    try:
        figure = measure()
    except OSError:
        if server.process.running() and all(Path(f"/proc/{pid}").exists() for pid in pids):
            raise
        figure = None
    if figure is None or not server.process.running():
        end_orphans(pids)
        return None
    return figure


@contextlib.contextmanager
def authority() -> Iterator[tuple[Authority, dict[str, Issued]]]:
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as directory:
        issuer = Authority(Path(directory))
        yield issuer, {"ecdsa": issuer.issue(file="ecdsa"), "rsa": issuer.issue(file="rsa", kind="rsa")}


def idle_bytes(name: str, count: int = IDLE) -> float:
    """Resident bytes of an idle connection that has carried one request, all processes of the server together."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with authority() as (issuer, issued), started(name, issued["ecdsa"]) as server, contextlib.ExitStack() as stack:
        client, address = context(issuer), server.address("tls")

        def opened(_: int) -> None:
            peer = stack.enter_context(tls.connect(address, client))
            assert tls.ask(peer, address).status == 200

        for number in range(50):
            opened(number)
        before = proportional(server)
        for number in range(count):
            opened(number)
        return (proportional(server) - before) / count


def proportional(server: Server) -> int:
    """Resident memory of all processes, shared pages counted once (PSS, proc(5))."""
    total = 0
    for pid in server.process.pids():
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
        total += int(found[1]) * 1024 if found else rss_bytes(pid)
    return total


@dataclass(frozen=True)
class Storm:
    """Handshakes as fast as eight clients make them, until the wanted number or the server's end."""

    server: str
    made: int
    seconds: float
    survived: bool
    cores: float
    """Cores that the server kept busy, on the whole."""
    shares: str
    """How its work was spread over its busiest threads or processes."""


def storm(client: Path, name: str, wanted: int, mode: int = 2) -> Storm:
    """Full handshakes at full speed, each with a ping that is answered, in stretches of at most ten seconds."""
    with authority() as (_, issued), started(name, issued["ecdsa"], mode) as server:
        pids = server.process.pids()
        made, begin, meter, before = 0, time.monotonic(), Meter(server), thread_times(server)
        while made < wanted and server.process.running() and time.monotonic() - begin < LONGEST_S:
            made += burst(client, server.address("tls"), wanted - made)
            if wanted > STORM:
                note(f"{name}: {made:,} handshakes in {time.monotonic() - begin:.0f} s")
        took, alive, cores, shares = time.monotonic() - begin, server.process.running(), float("nan"), ""
        if alive:
            cores = meter.stop(made, 0).cpu_ns / 1e9 / took
            shares = busiest(before, thread_times(server))
        else:
            end_orphans(pids)
        return Storm(name, made, took, alive, cores, shares)


def end_orphans(pids: Sequence[int]) -> None:
    """Ends what a server that crashed has left, if the process of that number still is one of its own."""
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith("kamailio"):
                os.kill(pid, signal.SIGKILL)


def burst(client: Path, address: Address, wanted: int) -> int:
    """Handshakes that eight clients made in ten seconds, or until they had made as many as wanted."""
    argv = [str(client), f"{address[0]}:{address[1]}", str(CLIENTS), str(BURST_S), str(wanted)]
    done = subprocess.run(argv, check=True, capture_output=True, timeout=BURST_S + 60)
    return int(json.loads(done.stdout)["made"])


def thread_times(server: Server) -> dict[tuple[int, str], int]:
    """CPU nanoseconds of each thread of the server, by its id and name."""
    found: dict[tuple[int, str], int] = {}
    for pid in server.process.pids():
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                used = int((task / "schedstat").read_text().split()[0])
                found[int(task.name), (task / "comm").read_text().strip()] = used
    return found


def busiest(before: dict[tuple[int, str], int], after: dict[tuple[int, str], int]) -> str:
    """The names of the four threads that worked most, with their shares."""
    used = {thread: time_ns - before.get(thread, 0) for thread, time_ns in after.items()}
    total = max(sum(used.values()), 1)
    first = sorted(used.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{name} {100 * time_ns / total:.0f} %" for (_, name), time_ns in first)


def report(comparisons: Sequence[Comparison], servers: Sequence[str], client: Path) -> str:
    """Markdown of all that `--case tls` measures, in one run."""
    table = markdown(HEADINGS, rows(comparisons, "kamailio"))
    text = f"\n## TLS\n\n{table}\n\n"
    by_text = {comparison.name: comparison for comparison in comparisons}
    text += "A resumed connection with its OPTIONS, of a full one:\n\n"
    for case in CASES:
        if case.load is resumed_handshakes:
            full, again = by_text[case.text.replace("resumed", "full")], by_text[case.text]
            lived = [name for name in servers if full.figures[name] and again.figures[name]]
            kinds = [f"{name} {again.median_us(name) / full.median_us(name):.2f}" for name in lived]
            text += f"- {case.text.partition(', ')[2]}: {', '.join(kinds)}\n"
    text += "\n"
    memory = [(name, f"{idle_bytes(name) / 1000:.1f} kB") for name in servers]
    text += markdown(("server", f"idle TLS 1.3 connection, of {IDLE:,}"), memory) + "\n\n"
    storms = [storm(client, "sipwright", STORM, mode) for mode in (0, 1, 2)]
    names = [f"sipwright, mode {mode}" for mode in (0, 1, 2)]
    if "kamailio" in servers:
        storms.append(storm(client, "kamailio", STORM))
        names.append("kamailio")
    text += storms_table(names, storms)
    return text


def million(client: Path) -> str:
    """Markdown of a million handshakes in mode 2."""
    return "\n## A million handshakes\n\n" + storms_table(["sipwright, mode 2"], [storm(client, "sipwright", MILLION)])


def storms_table(names: Sequence[str], storms: Sequence[Storm]) -> str:
    cells = [
        (
            name,
            f"{found.made:,}",
            "none" if found.survived else f"after at most {found.made:,}",
            f"{found.made / found.seconds:,.0f}",
            f"{found.cores:.2f}",
            found.shares,
        )
        for name, found in zip(names, storms, strict=True)
    ]
    headings = ("server", "full handshakes, 8 clients", "crash", "handshakes/s", "cores busy", "where")
    note_text = f"The clients share the {os.cpu_count()} cores with the server."
    return f"{markdown(headings, cells)}\n\n{note_text}\n"


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
