"""PostgreSQL, MariaDB and Redis are killed and started again under load: every call and registration goes on, none is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import NullPool, create_engine, text

from conftest import Start
from sipwright.storage.urls import read_url
from support import databases
from support.agents import Agent, Line
from support.databases import DatabaseServer
from support.process import wait_until
from support.redis_server import RedisServer
from support.servers import SIPWRIGHT, Server

SECONDS = float(os.environ.get("CHAOS_SECONDS", "3"))
KILLS = max(1, int(SECONDS / 10))
PAUSE_S = 0.05
# What a commit promises must outlive a kill of the database, too.
DURABLE = {"postgresql": ["-c", "synchronous_commit=on"], "mariadb": ["--innodb-flush-log-at-trx-commit=2"]}


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with getattr(databases, request.param)() as server:
        server.stop()
        server.argv += DURABLE[request.param]
        server.start()
        yield server


def killed(database: DatabaseServer) -> None:
    """Ends the database at once, as a machine does that runs out of memory."""
    assert database.child is not None
    database.child.kill()
    database.child = None


class Load:
    """Registrations and calls one after the other, until `enough`; what was answered with 200."""

    def __init__(self, server: Server, agent: Agent) -> None:
        self.address, self.agent = server.address("udp"), agent
        self.registered: list[str] = []
        self.calls: list[str] = []
        self.enough = False

    async def run(self) -> None:
        number = 0
        while not self.enough:
            number += 1
            user = f"user{number}"
            answer = await self.agent.register(self.address, user)
            assert answer.status == 200, answer.first_line
            self.registered.append(user)
            call_id, codes = await self.agent.call(self.address, f"sip:{user}@{self.address[0]}:{self.address[1]}")
            assert codes == [200, 200], codes
            self.calls.append(call_id)
            await asyncio.sleep(PAUSE_S)

    async def more(self, count: int = 10) -> None:
        """Waits until so many more calls are made."""
        wanted = len(self.calls) + count
        async with asyncio.timeout(20):
            while len(self.calls) < wanted:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def under_load(server: Server) -> AsyncIterator[Load]:
    """Load meanwhile; it ends well, or the test fails."""
    async with Agent.on(Line()) as agent, asyncio.TaskGroup() as tasks:
        load = Load(server, agent)
        tasks.create_task(load.run())
        yield load
        await load.more()
        load.enough = True


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(read_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.timeout(100 + 40 * KILLS)
def test_a_killed_database_costs_no_call(start: Start, database: DatabaseServer) -> None:
    url = database.new_url()
    subprocess.run([SIPWRIGHT, "db", "create", "--url", url], check=True, capture_output=True, timeout=60)
    quick = {"database.flush_ms": 50, "database.retry_ms": 200}
    settings = {"database.url": url, "acc.db_flag": 1, "usrloc.db_mode": 2, "usrloc.db_flush_s": 1, **quick}
    server = start("troubled.py", settings=settings)

    async def run() -> Load:
        async with under_load(server) as load:
            for number in range(1, KILLS + 1):
                await load.more()
                await asyncio.to_thread(killed, database)
                await asyncio.to_thread(server.process.wait_output, "does not answer")
                await load.more()
                await asyncio.to_thread(database.start)
                await asyncio.to_thread(wait_until, lambda: count(server, "is back") == number, 40, "it is back")  # noqa: B023
        return load

    load = asyncio.run(run())
    assert count(server, "does not answer") == count(server, "is back") == KILLS, server.log()
    server.assert_clean_stop(6.0)
    accounted = rows(url, "SELECT method, sip_code, callid FROM acc")
    expected = Counter((method, "200", call_id) for call_id in load.calls for method in ("INVITE", "BYE"))
    assert Counter(accounted) == expected
    assert {user for (user,) in rows(url, "SELECT username FROM location")} == set(load.registered)


def count(server: Server, words: str) -> int:
    """Lines of the log that say this of the database."""
    return sum(words in line and "database" in line for line in server.log().splitlines())


@pytest.mark.timeout(60 + 20 * KILLS)
def test_a_killed_redis_costs_no_call(start: Start, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as redis:
        settings = {"server_id": 1, "usrloc.share_url": redis.url, "database.flush_ms": 50, "acc.db_flag": 1}
        server = start("troubled.py", settings=settings)

        async def run() -> Load:
            async with under_load(server) as load:
                for _ in range(KILLS):
                    await load.more()
                    await asyncio.to_thread(redis.kill)
                    await asyncio.to_thread(server.process.wait_output, "does not answer")
                    await load.more()
                    await asyncio.to_thread(redis.start)
            return load

        load = asyncio.run(run())
        with redis.client() as client:
            wait_until(lambda: shared(client) >= set(load.registered), 30, "Redis has all")
        log = server.log()
        assert log.count("does not answer") == log.count("answers again") == KILLS, log
        server.assert_clean_stop(6.0)


def shared(client: Redis) -> set[str]:
    """The users whose bindings are in Redis."""
    return {key.decode().split("\n")[1] for key in client.scan_iter("{sipwright}:usrloc:r:*", count=1000)}
