"""A line that loses, delays, reorders and doubles: calls and registrations get through by what is sent again, each once."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from conftest import Start
from support.agents import Agent, Line
from support.dialogs import rows
from support.process import wait_until

CALLS = 30
ROUNDS = max(1, int(float(os.environ.get("CHAOS_SECONDS", "3")) / 10))
SETTINGS = {"acc.db_flag": 1, "database.flush_ms": 50, "usrloc.db_mode": 1}


def accounted(file: Path) -> Counter[tuple[object, ...]]:
    """Records in the database: method, code and call."""
    return Counter(rows(file, "select method, sip_code, callid from acc"))


@pytest.mark.timeout(60 + 60 * ROUNDS)
def test_every_call_gets_through_a_bad_line(start: Start) -> None:
    server = start("troubled.py", settings=SETTINGS)
    address = server.address("udp")
    line = Line(loss=0.25, twice=0.1, delay_s=(0.0, 0.15))
    made: list[str] = []

    async def run() -> None:
        async with Agent.on(line) as caller, Agent.on(line) as callee:
            users = [f"user{number}" for number in range(CALLS)]
            answers = await asyncio.gather(*(callee.register(address, user) for user in users))
            assert [answer.status for answer in answers] == [200] * CALLS
            for _ in range(ROUNDS):
                uris = [f"sip:{user}@{address[0]}:{address[1]}" for user in users]
                calls = await asyncio.gather(*(caller.call(address, uri) for uri in uris))
                assert [codes for _, codes in calls] == [[200, 200]] * CALLS
                made.extend(call_id for call_id, _ in calls)
            assert set(callee.begun) == set(callee.ended) == set(made)

    asyncio.run(run())
    assert line.lost > CALLS, "the line was good"
    expected = Counter((method, "200", call_id) for call_id in made for method in ("INVITE", "BYE"))
    file = server.directory / "data" / "sipwright.db"
    wait_until(lambda: accounted(file).total() >= expected.total(), 10, "all calls are accounted")
    # Whatever came twice is accounted once.
    server.assert_clean_stop(5.0)
    assert accounted(file) == expected
    assert len(rows(file, "select distinct username from location")) == CALLS
    assert "rror" not in server.log(), server.log()
