"""A stall is noticed: by the watchdog in Python where a script waits, by the engine's where it keeps the interpreter."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conftest import Start
from sipwright.control.client import call
from support.messages import request
from support.peers import UdpPeer, eventually
from support.servers import Server
from support.tls import counter

STALL_S = 3.0


def stalled(start: Start, script: str, header: str, watched: str, **settings: object) -> Server:
    """A server in which one request has blocked a worker, once the stall is counted."""
    server = start(
        script, counted=False, settings={"script.stall_after_ms": 1000, "limits.drain_ms": 10_000, **settings}
    )

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as peer:
            assert counter(server, watched) == 0
            sent = request("MESSAGE", f"sip:{address[0]}:{address[1]}", peer.address, extra=((header, str(STALL_S)),))
            peer.send(sent, address)
            await eventually(lambda: counter(server, watched) > 0, 15)
            assert (await peer.final(sent["Call-ID"], 15)).status == 200

    asyncio.run(run())
    return server


def test_a_script_that_waits_is_found_with_its_stack(start: Start) -> None:
    server = stalled(start, "sleeping.py", "X-Sleep", "script_stalls")
    assert "is stalled for" in server.log()
    assert "in nap" in server.log(), "the stack names the function"
    assert counter(server, "interpreter_stalls") == 0, "the interpreter went on"


def test_a_script_that_keeps_the_interpreter_is_found_by_the_engine(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCK_LOG", str(tmp_path / "block.log"))
    server = stalled(start, "blocking.py", "X-Block", "interpreter_stalls")
    assert "some thread keeps the interpreter lock; worker" in server.log()
    assert "is in ksr_request_route for" in server.log()
    threads = call(server.directory / "data", "core.threads")
    turns = {thread["kind"]: thread["turns"] for thread in threads if "turns" in thread}
    assert turns["timer"] > 0
    assert turns["script"] >= 0
    assert counter(server, "thread_stalls") == 0, "no engine thread waited for it"
