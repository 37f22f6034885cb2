"""Overload: requests that begin something are refused while what waits has waited too long; the rest goes on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from conftest import Start
from sipwright.control.client import call
from support.messages import Sip, request
from support.peers import Crowd, UdpPeer, eventually, options
from support.servers import Server, Sipwright

# Ten milliseconds of work for each request that the script sees.
SCRIPT = """
import time
import KSR
class Handler:
    def child_init(self, rank): return 0
    def ksr_request_route(self, msg):
        time.sleep(0.01)
        KSR.sl.send_reply(200, "OK")
        return 1
def mod_init(): return Handler()
"""
WAIT_MS = 100
SETTINGS = {"limits.queue_wait_ms": WAIT_MS, "limits.retry_after_s": 7}
OFFERED = 600
# Six times what one worker does in the time that is allowed.
BURST = 60
# Three times what one worker does.
EVERY_S = 0.01 / 3


def bye(peer: UdpPeer, to: tuple[str, int]) -> Sip:
    """A request within a dialog."""
    sent = request("BYE", f"sip:{to[0]}:{to[1]}", peer.address)
    return replace(sent, headers=tuple((n, f"{v};tag=there" if n == "To" else v) for n, v in sent.headers))


async def offered(server: Server) -> tuple[dict[int, list[float]], list[float], float]:
    """Requests at three times the capacity: times to each answer by status, those within dialogs, and how long after
    the last one the server took a new one again.
    """
    to = server.address("udp")
    found: dict[int, list[float]] = {}
    within: list[float] = []

    async with Crowd.open() as peer, Crowd.open() as member:

        async def ask(number: int) -> None:
            begin = time.monotonic()
            if number % 20 == 0:
                answer = await member.ask(bye(member, to), to, 20)
                assert answer.status == 200, answer.first_line
                within.append(time.monotonic() - begin)
                return
            answer = await peer.ask(options(peer, to), to, 20)
            if answer.status == 503:
                assert answer["Retry-After"] == "7"
            found.setdefault(answer.status or 0, []).append(time.monotonic() - begin)

        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(OFFERED):
                await asyncio.sleep(max(0.0, start + number * EVERY_S - time.monotonic()))
                group.create_task(ask(number))
        end = time.monotonic()
        while (await peer.ask(options(peer, to), to, 20)).status != 200:
            assert time.monotonic() - end < 10, "it never recovers"
        return found, within, time.monotonic() - end


def test_three_times_the_capacity(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SCRIPT)
    server = start(script, workers=1, settings=SETTINGS)
    found, within, recovered_s = asyncio.run(offered(server))
    counts = Counter({status: len(times) for status, times in found.items()})
    assert counts.keys() == {200, 503}
    assert counts.total() + len(within) == OFFERED, "each request has one answer"
    assert counts[503] > OFFERED / 4, counts
    # Those that were let in waited no longer than allowed, and for those that came with them.
    accepted = sorted(found[200])
    assert accepted[len(accepted) // 2] < 3 * WAIT_MS / 1000, accepted
    # What is refused costs the script nothing and is refused at once.
    refused = sorted(found[503])
    assert refused[len(refused) // 2] < 0.05, refused
    assert recovered_s < 1.0
    assert isinstance(server, Sipwright)
    assert call(server.data_dir, "core.stats")["overload_refused"] >= counts[503]


def test_a_burst_is_served_as_far_as_it_can_be_in_time(start: Start, tmp_path: Path) -> None:
    """All of it came before the server could know that it is too much. What belongs to dialogs is served however late."""
    script = tmp_path / "slow.py"
    script.write_text(SCRIPT)
    server = start(script, workers=1, settings=SETTINGS)
    to = server.address("udp")

    async def burst() -> tuple[Counter[int | None], Counter[int | None]]:
        async with Crowd.open() as peer:
            asked = [asyncio.create_task(peer.ask(options(peer, to), to, 20)) for _ in range(BURST)]
            ended = [asyncio.create_task(peer.ask(bye(peer, to), to, 20)) for _ in range(10)]
            new, within = await asyncio.gather(*asked), await asyncio.gather(*ended)
            return Counter(one.status for one in new), Counter(one.status for one in within)

    # Where the machine stops the worker for long, all of it has waited for a worker that was stuck, and is served.
    for _ in range(5):
        new, within = asyncio.run(burst())
        assert within == {200: 10}
        assert new.keys() <= {200, 503}
        assert new[200] > 0
        if new[503] >= BURST / 2:
            break
    else:
        raise AssertionError(f"of {BURST} requests of 10 ms each these were answered: {new}")


def test_workers_that_are_stuck_refuse_nobody(start: Start, tmp_path: Path) -> None:
    """Nothing is taken up while every worker sleeps; what waits is answered once they are back."""
    script, mark = tmp_path / "stuck.py", tmp_path / "asleep"
    asleep = f"KSR.is_method('MESSAGE') and (open({str(mark)!r}, 'w').close(), time.sleep(0.6))"
    script.write_text(SCRIPT.replace("time.sleep(0.01)", asleep))
    server = start(script, workers=1, settings=SETTINGS)

    async def run() -> list[int | None]:
        to = server.address("udp")
        async with Crowd.open() as peer:
            sleeper = request("MESSAGE", f"sip:{to[0]}:{to[1]}", peer.address)
            first = asyncio.create_task(peer.ask(sleeper, to, 20))
            await eventually(mark.exists)
            rest = [asyncio.create_task(peer.ask(options(peer, to), to, 20)) for _ in range(30)]
            return [answer.status for answer in await asyncio.gather(first, *rest)]

    assert asyncio.run(run()) == [200] * 31
