"""A script that holds the interpreter lock delays nobody's TLS in mode 2."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from conftest import Start
from support.certificates import Certificates
from support.messages import request
from support.peers import StreamPeer, UdpPeer, eventually, options

BLOCK_S = 5.0
HANDSHAKES = 200
EVERY_S = 0.011
SLOWEST_S = 0.250
WORKERS = 2


class Watch:
    """What the script notes when it begins and ends to block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self, word: str) -> int:
        return self._path.read_text().split().count(word) if self._path.exists() else 0


async def handshake(server: tuple[str, int], tls: ssl.SSLContext) -> float:
    """Seconds for connection, handshake and the answer to one keep-alive."""
    begin = time.monotonic()
    async with StreamPeer.open(server, tls) as peer:
        await peer.ping(BLOCK_S * WORKERS)
        return time.monotonic() - begin


@pytest.mark.slow
def test_handshakes_and_pings_while_every_worker_is_blocked(
    start: Start, certs: Certificates, client_tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "block.log"
    monkeypatch.setenv("BLOCK_LOG", str(log))
    watch = Watch(log)
    settings = {**certs.settings(), "tls.threads_mode": 2, "limits.drain_ms": 10_000}
    server = start("blocking.py", "udp", "tls", "tcp", counted=False, workers=WORKERS, settings=settings)
    address = server.address("tls")

    async def run() -> list[float]:
        async with (
            UdpPeer.open() as udp,
            StreamPeer.open(address, client_tls) as old_tls,
            StreamPeer.open(server.address("tcp")) as old_tcp,
        ):
            host, port = server.address("udp")
            assert (await old_tls.ask(options(old_tls, address, "TLS"))).status == 200
            for _ in range(WORKERS):
                block = ("X-Block", str(BLOCK_S))
                udp.send(request("MESSAGE", f"sip:{host}:{port}", udp.address, extra=(block,)), (host, port))
            await eventually(lambda: watch.count("blocked") >= 1)

            tasks = []
            for _ in range(HANDSHAKES):
                tasks.append(asyncio.create_task(handshake(address, client_tls)))
                await asyncio.sleep(EVERY_S)
                if len(tasks) % 20 == 0:
                    await asyncio.gather(old_tls.ping(), old_tcp.ping())
            took = await asyncio.gather(*tasks)
            assert watch.count("free") < watch.count("blocked") or watch.count("free") == 0, "the block ended early"
            # The scripts get their turn again, and the old connection still works.
            assert (await old_tls.ask(options(old_tls, address, "TLS"), BLOCK_S * WORKERS + 5)).status == 200
            await eventually(lambda: watch.count("free") == WORKERS, BLOCK_S * WORKERS + 5)
            return list(took)

    took = asyncio.run(run())
    assert len(took) == HANDSHAKES
    assert max(took) < SLOWEST_S, sorted(took)[-10:]
    assert watch.count("blocked") == WORKERS
