"""Scripts that fork: children end as they would elsewhere, say nothing, and leave the server alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

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


NOISY = """
import logging
import multiprocessing
import sys
import threading

import KSR

FORK = multiprocessing.get_context("fork")


def noise():
    while True:
        print("noise", file=sys.stderr)


def say(results):
    logging.warning("a child says this")
    results.put("fine")


def fork():
    \"\"\"Children that end, told by how many there are that do not.\"\"\"
    hanging = 0
    for _ in range(8):
        results = FORK.SimpleQueue()
        child = FORK.Process(target=say, args=(results,))
        child.start()
        child.join(15)
        if child.exitcode is None:
            hanging += 1
            child.kill()
        else:
            assert results.get() == "fine"
    return hanging


def mod_init():
    logging.basicConfig()
    for _ in range(2):
        threading.Thread(target=noise, daemon=True).start()
    return Noisy()


class Noisy:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.send_reply(200, f"{fork()} hang")
        return 1
"""


@pytest.mark.timeout(180)
def test_children_end_while_others_write(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child is forked while another thread writes to standard error, whose buffer has a lock."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    script = tmp_path / "noisy.py"
    script.write_text(NOISY)
    server = start(script)

    async def story() -> None:
        async with UdpPeer.open() as alice:
            answer = await alice.ask(request("OPTIONS", "sip:bob@h", alice.address), server.address("udp"), 150.0)
            assert answer.first_line == "SIP/2.0 200 0 hang"

    asyncio.run(story())
