"""Scripts that fork: children end as they would elsewhere, say nothing, and leave the server alone."""

from __future__ import annotations

import asyncio

import pytest

from conftest import Start
from sipwright.control.client import call
from support.control import data_of
from support.messages import request
from support.peers import UdpPeer

# On a machine that is busy with other things.
ANSWER_S = 30.0


@pytest.mark.parametrize("isolation", ["shared", "per-worker"])
def test_children_say_nothing(start: Start, isolation: str) -> None:
    """In mod_init, child_init, routes and mod_init of a reload, while other workers wait with what is theirs."""
    server = start("forks.py", workers=4, settings={"script.isolation": isolation, "log.level": "warning"})

    async def story() -> None:
        async with UdpPeer.open() as alice:
            for _ in range(8):
                sent = request("OPTIONS", "sip:bob@h", alice.address)
                assert (await alice.ask(sent, server.address("udp"), ANSWER_S)).status == 200

    asyncio.run(story())
    call(data_of(server), "app_python.reload", timeout_s=ANSWER_S)
    asyncio.run(story())
    log = server.log()
    for text in ("unsendable", "Exception ignored", "Traceback", "panicked", "Fatal"):
        assert text not in log, log
