"""Kamailio's kamctl works over the FIFO of jsonrpcs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from conftest import Start
from support.peers import UdpPeer, register
from support.process import wait_until
from support.servers import Server
from support.tools import tool


def kamctl(home: Path, *words: str) -> Any:
    """The result that it prints."""
    env = {**os.environ, "HOME": str(home)}
    argv = [tool("kamctl"), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)
    answer = json.loads(done.stdout)
    assert "error" not in answer, answer
    return answer["result"]


def started(start: Start, home: Path) -> Server:
    fifo = home / "rpc.fifo"
    (home / ".kamctlrc").write_text(f'SIP_DOMAIN=example.com\nRPCFIFOPATH="{fifo}"\n')
    server = start(None, settings={"jsonrpcs.fifo_name": fifo})
    wait_until(fifo.is_fifo, 10, "the FIFO is there")
    return server


def test_kamctl(start: Start, tmp_path: Path) -> None:
    server = started(start, tmp_path)

    async def one() -> None:
        async with UdpPeer.open() as peer:
            answer = await register(peer, server.address("udp"), "bob", "sip:bob@127.0.0.1:7777")
            assert answer.status == 200

    asyncio.run(one())
    assert kamctl(tmp_path, "uptime")["uptime"] < 60
    assert "MainThread" in [row["DSC"] for row in kamctl(tmp_path, "ps")]
    domain = kamctl(tmp_path, "ul", "show")["Domains"][0]["Domain"]
    assert [row["Info"]["AoR"] for row in domain["AoRs"]] == ["bob"]
    assert kamctl(tmp_path, "rpc", "core.version").startswith("sipwright ")
    assert "registrar:accepted_regs = 1" in kamctl(tmp_path, "stats")
