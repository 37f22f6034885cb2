"""Every stop is clean: exit code 0, within two seconds, whatever is going on."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from pathlib import Path

import pytest

from conftest import SCRIPTS, Start
from support.certificates import Certificates
from support.flood import options_flood
from support.messages import request
from support.peers import StreamPeer, UdpPeer, eventually, options
from support.process import Child, Stop, wait_until
from support.servers import Listen, Server, Sipwright
from support.tables import Row

STOPS = 100
# In each mode; SOAK_STARTS is for all three together.
TLS_STOPS = -(-int(os.environ.get("SOAK_STARTS", "30")) // 3)
LIMIT_S = 2.0
QUIET = {"log.level": "warning"}


def assert_clean(stops: list[Stop], servers: list[Server]) -> None:
    bad = [
        (number, stop, server.log()[-1000:])
        for number, (stop, server) in enumerate(zip(stops, servers, strict=True))
        if stop.code != 0 or stop.seconds > LIMIT_S
    ]
    assert not bad, bad


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_hundred_stops_under_udp_load(tmp_path: Path) -> None:
    stops: list[Stop] = []
    servers: list[Server] = []
    for number in range(STOPS):
        server = Sipwright(SCRIPTS / "answer.py", tmp_path / str(number), settings=QUIET)
        servers.append(server)
        with server, options_flood(server.address("udp")) as flood:
            # Answers flow before the stop; how far it got varies from stop to stop.
            wait_until(lambda flood=flood, number=number: flood.received > 50 * (number % 10 + 1), 10, "load")  # type: ignore[misc]
            stops.append(server.stop())
    assert_clean(stops, servers)


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * TLS_STOPS)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_stops_during_tls_handshakes(
    tmp_path: Path, certs: Certificates, client_tls: ssl.SSLContext, row: Row, mode: int
) -> None:
    settings = {**QUIET, **certs.settings(), "tls.threads_mode": mode}
    stops: list[Stop] = []
    servers: list[Server] = []
    for number in range(TLS_STOPS):
        server = Sipwright(SCRIPTS / "answer.py", tmp_path / str(number), [Listen("tls")], settings=settings)
        servers.append(server)
        with server:
            stops.append(asyncio.run(stop_during_handshakes(server, client_tls)))
    row(
        "starts and stops under TLS load",
        mode=mode,
        count=len(stops),
        hangs=sum(stop.code == -signal.SIGKILL for stop in stops),
        wrong_exit_codes=sum(stop.code != 0 for stop in stops),
        longest_stop_s=max(stop.seconds for stop in stops),
    )
    assert_clean(stops, servers)


async def stop_during_handshakes(server: Sipwright, tls: ssl.SSLContext) -> Stop:
    """Stop while connections are silent, half through their handshake, done, and being made."""
    done = 0
    stopping = asyncio.Event()

    async def connect_again_and_again() -> None:
        nonlocal done
        while not stopping.is_set():
            try:
                async with StreamPeer.open(server.address("tls"), tls) as peer:
                    await peer.ping()
                    done += 1
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(0.001)

    async with StreamPeer.open(server.address("tls")) as silent, StreamPeer.open(server.address("tls")) as half:
        await half.send(b"\x16\x03\x01\x02\x00\x01")
        tasks = [asyncio.create_task(connect_again_and_again()) for _ in range(8)]
        await eventually(lambda: done >= 20, 10)
        stop = await asyncio.to_thread(server.stop)
        stopping.set()
        await asyncio.gather(*tasks)
        assert await silent.closed()
    return stop


def test_stop_with_open_transactions_and_connections(start: Start) -> None:
    """A call that rings for ever does not hold up a stop beyond the time for draining."""
    server = start("relay.py", "udp", "tcp", settings={"limits.drain_ms": 500})

    async def run() -> Stop:
        async with UdpPeer.open() as caller, UdpPeer.open() as callee, StreamPeer.open(server.address("tcp")):
            host, port = callee.address
            caller.send(request("INVITE", f"sip:callee@{host}:{port}", caller.address), server.address("udp"))
            invite, source = await callee.receive()
            callee.send(invite.reply(180, "Ringing", "ringing"), source)
            while (await caller.receive())[0].status != 180:
                pass
            return await asyncio.to_thread(server.stop)

    assert_clean([asyncio.run(run())], [server])


def test_stop_while_a_script_runs(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script call in progress ends, and its answer leaves, before the server does."""
    monkeypatch.setenv("BLOCK_LOG", str(tmp_path / "block.log"))
    server = start("blocking.py", counted=False)

    async def run() -> Stop:
        async with UdpPeer.open() as peer:
            block = ("X-Block", "0.7")
            sent = request("MESSAGE", f"sip:{server.address('udp')[0]}", peer.address, extra=(block,))
            peer.send(sent, server.address("udp"))
            await eventually(lambda: (tmp_path / "block.log").exists())
            stop = await asyncio.to_thread(server.stop)
            assert (await peer.final(sent["Call-ID"])).status == 200
            return stop

    assert_clean([asyncio.run(run())], [server])


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5])
def test_stop_during_start(tmp_path: Path, certs: Certificates, after_s: float) -> None:
    """A signal at any moment of the start-up ends the process soon, and never by a crash."""
    listen = [Listen("udp"), Listen("tcp"), Listen("tls")]
    server = Sipwright(SCRIPTS / "answer.py", tmp_path, listen, settings=certs.settings())
    begin = time.monotonic()
    with Child(server.argv(), tmp_path / "log", cwd=tmp_path) as child:
        wait_until(lambda: time.monotonic() - begin >= after_s, 5, "the moment")
        stop = child.stop()
        # Before it can handle the signal, Python ends by it.
        assert stop.code in (0, -15), child.output()
        assert stop.seconds < LIMIT_S


def test_answers_after_restart_on_the_same_ports(tmp_path: Path) -> None:
    """Nothing of a stopped server stays bound."""
    listen = [Listen("udp").reserved(), Listen("tcp").reserved()]

    async def run(server: Sipwright) -> None:
        async with UdpPeer.open() as udp, StreamPeer.open(server.address("tcp")) as tcp:
            assert (await udp.ask(options(udp, server.address("udp")), server.address("udp"))).status == 200
            assert (await tcp.ask(options(tcp, server.address("tcp"), "TCP"))).status == 200

    for number in range(3):
        with Sipwright(SCRIPTS / "answer.py", tmp_path / str(number), listen) as server:
            asyncio.run(run(server))
