"""Domains of the table that are names of this server (`domain.register_myself`), as they come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipwright import _engine
from support.messages import request
from support.peers import UdpPeer
from support.stage import Stage

SCRIPT = """
import KSR

def mod_init():
    return Router()

class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        routed = KSR.rr.loose_route() if KSR.hdr.get("Route") else 0
        KSR.sl.send_reply(200, "ours %s %s" % (KSR.is_myself_ruri(), routed))
"""


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Any]:
    opened: list[Stage] = []

    def make(**domain: Any) -> Stage:
        opened.append(Stage(tmp_path, SCRIPT, domain=domain))
        return opened[-1]

    yield make
    for stage in opened:
        stage.stop()
    _engine.set_own_names([])


async def said(stage: Stage, uri: str, *extra: tuple[str, str]) -> str:
    async with UdpPeer.open() as peer:
        answer = await peer.ask(request("OPTIONS", uri, peer.address, extra=extra), stage.address)
        return answer.first_line.partition("200 ")[2]


async def reload(stage: Stage) -> None:
    answer = await stage.host.rpc.handle('{"jsonrpc": "2.0", "method": "domain.reload", "id": 1}')
    assert answer is not None
    assert "Domain tables reloaded" in str(answer)


def test_a_domain_is_ours_from_the_reload_on(stages: Any) -> None:
    stage = stages(register_myself=True)
    database = stage.host.database()

    async def run() -> None:
        assert await said(stage, "sip:a@home.test") == "ours False 0"
        database.sql("INSERT INTO domain (domain, last_modified) VALUES ('Home.test', 0)")
        await reload(stage)
        assert await said(stage, "sip:a@home.TEST") == "ours True 0"
        assert await said(stage, "sip:a@home.test:5070;transport=tcp") == "ours True 0"
        assert await said(stage, "sip:a@other.test") == "ours False 0"
        route = ("Route", "<sip:home.test;lr>, <sip:next.test;lr>")
        assert await said(stage, "sip:a@192.0.2.1", route) == "ours False 1"
        database.sql("DELETE FROM domain")
        await reload(stage)
        assert await said(stage, "sip:a@home.test") == "ours False 0"

    asyncio.run(run())


def test_without_the_setting_it_is_not(stages: Any) -> None:
    stage = stages()
    stage.host.database().create_tables()
    stage.host.database().sql("INSERT INTO domain (domain, last_modified) VALUES ('home.test', 0)")

    async def run() -> None:
        await reload(stage)
        assert await said(stage, "sip:a@home.test") == "ours False 0"

    asyncio.run(run())
