"""No deadlock: TLS connections at full speed and calls over UDP and TLS, while the script does what has hung others.

The script (`everything.py`) uses ssl, threads, programs, databases and forks in every step, is reloaded every second,
raises, sleeps, and spins with the interpreter lock in hand. Evidence: every thread's own count of turns goes on, no
turn of an engine thread takes long, every request is answered, and what the caller was told the callee has seen.

SOAK_SECONDS is for all modes together: ten minutes each with `make soak`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conftest import SCRIPTS
from sipwright.control.client import ControlError, call
from support.accounts import Callee, Caller, Tally
from support.certificates import Certificates
from support.https import https_server
from support.peers import StreamPeer, options
from support.servers import Listen, Sipwright
from support.tables import Row

SECONDS = float(os.environ.get("SOAK_SECONDS", "60")) / 3
STORM, CALLERS = 4, 4
# A request waits for scripts that sleep, spin and fork, on a machine that is busy.
ANSWER_S = 30.0
SAMPLE_S = 1.0
# Each worker and engine thread is to have had a turn within this time.
PROGRESS_S = 10.0
ENGINE_TURN_MS = 1000
ENGINE_KINDS = ("network", "tls", "timer")


@dataclass
class Progress:
    """Turns of every thread over time, as `core.threads` tells them."""

    seen: dict[str, int] = field(default_factory=dict)
    changed: dict[str, float] = field(default_factory=dict)
    longest_rest_s: float = 0.0
    longest_engine_turn_ms: int = 0

    def note(self, threads: list[dict[str, Any]], now: float) -> None:
        for thread in threads:
            name, turns = thread["name"], thread.get("turns", 0)
            if thread["kind"] not in (*ENGINE_KINDS, "script"):
                continue
            if turns != self.seen.get(name):
                self.seen[name], self.changed[name] = turns, now
            self.longest_rest_s = max(self.longest_rest_s, now - self.changed[name])
            if thread["kind"] != "script":
                self.longest_engine_turn_ms = max(self.longest_engine_turn_ms, thread["busy_ms"])


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_no_deadlock(tmp_path: Path, certs: Certificates, client_tls: ssl.SSLContext, row: Row, mode: int) -> None:
    with hostile_server(tmp_path, certs, mode) as server:
        load = Load(server, client_tls, certs)
        asyncio.run(load.run())
        stats = call(server.data_dir, "core.stats", timeout_s=ANSWER_S)
        stop = server.stop()
        log = server.log()
    tally, progress = load.tally, load.progress
    row(
        "no deadlock",
        mode=mode,
        seconds=SECONDS,
        handshakes=load.handshakes,
        calls=tally.calls,
        answered_500=sum(tally.refused.values()),
        lost=tally.lost(),
        reloads=load.reloads,
        threads=len(progress.seen),
        longest_without_a_turn_s=progress.longest_rest_s,
        longest_engine_turn_ms=progress.longest_engine_turn_ms,
        stop_s=stop.seconds,
    )
    assert stop.code == 0, log[-4000:]
    assert tally.wrong == Counter()
    assert tally.lost() == 0, tally
    assert load.failed == Counter(), load.failed
    assert load.handshakes > SECONDS
    assert tally.calls > SECONDS
    assert load.reloads > SECONDS / 10
    assert len(progress.seen) >= 5
    assert progress.longest_rest_s < PROGRESS_S, progress
    assert progress.longest_engine_turn_ms < ENGINE_TURN_MS, progress
    assert stats["thread_stalls"] == 0
    assert stats["thread_panics"] == 0
    assert "panicked" not in log


@contextlib.contextmanager
def hostile_server(directory: Path, certs: Certificates, mode: int) -> Iterator[Sipwright]:
    settings = {
        **certs.settings(),
        "tls.ca_list": certs.ca,
        "tls.threads_mode": mode,
        # Both ways of loading scripts, in turn.
        "script.isolation": "per-worker" if mode == 1 else "shared",
        "log.level": "warning",
        "limits.drain_ms": 20_000,
        # Whatever the machine is busy with: every request is for the script.
        "limits.queue_wait_ms": 0,
    }
    with https_server(certs, directory) as port:
        env = {"HTTPS_PORT": str(port), "CA": str(certs.ca)}
        server = Sipwright(
            SCRIPTS / "everything.py",
            directory / "server",
            [Listen("udp"), Listen("tls")],
            workers=3,
            settings=settings,
            env=env,
        )
        with server:
            server.process.wait_output("is ready", ANSWER_S)
            yield server


class Load:
    """What goes on at once, until the time is over."""

    def __init__(self, server: Sipwright, tls: ssl.SSLContext, certs: Certificates) -> None:
        self.server, self.tls, self.certs = server, tls, certs
        self.tally, self.progress = Tally(), Progress()
        self.handshakes = self.reloads = 0
        self.failed: Counter[str] = Counter()
        self.deadline = 0.0

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.deadline

    async def run(self) -> None:
        async with Callee.open(self.certs, self.tally) as callee:
            self.deadline = time.monotonic() + SECONDS
            callers = [self.calls(proto, callee.uri(proto)) for proto in ("udp", "tls") for _ in range(CALLERS // 2)]
            await asyncio.gather(*(self.storm() for _ in range(STORM)), *callers, self.reload(), self.sample())
            await callee.settled(ANSWER_S)

    async def storm(self) -> None:
        """New TLS connections, as fast as they come; each asks once."""
        address = self.server.address("tls")
        while self.goes_on:
            try:
                async with StreamPeer.open(address, self.tls) as peer:
                    answer = await peer.ask(options(peer, address, "TLS"), ANSWER_S)
                    if answer.status not in (200, 500):
                        self.failed[f"OPTIONS {answer.status}"] += 1
                    self.handshakes += 1
            except (OSError, EOFError, TimeoutError) as error:
                self.failed[repr(error)] += 1

    async def calls(self, proto: str, uri: str) -> None:
        async with Caller.open(proto, self.server.address(proto), self.tls, self.tally, ANSWER_S) as caller:
            while self.goes_on:
                await caller.call(uri)

    async def reload(self) -> None:
        while self.goes_on:
            begin = time.monotonic()
            try:
                await self.control("app_python.reload")
                self.reloads += 1
            except ControlError as error:
                self.failed[f"reload: {error}"] += 1
            await asyncio.sleep(max(0.0, begin + 1 - time.monotonic()))

    async def sample(self) -> None:
        while self.goes_on:
            threads = await self.control("core.threads")
            self.progress.note(threads, time.monotonic())
            await asyncio.sleep(SAMPLE_S)

    async def control(self, method: str) -> Any:
        return await asyncio.to_thread(call, self.server.data_dir, method, None, ANSWER_S)
