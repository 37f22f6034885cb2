"""Locations in a database: they outlive the server, whatever ends it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from conftest import Start
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer, register
from support.process import wait_until
from support.servers import Server, Sipwright

SCRIPT = "locations.py"
USERS = 40


async def refresh(peer: UdpPeer, server: Server, user: str, contact: str, *extra: tuple[str, str], cseq: int) -> Sip:
    aor = f"sip:{user}@test.invalid"
    sent = request(
        "REGISTER",
        "sip:test.invalid",
        peer.address,
        from_uri=aor,
        to_uri=aor,
        call_id=f"of-{user}",
        cseq=cseq,
        contact=contact,
        extra=extra,
    )
    return await peer.ask(sent, server.address("udp"))


async def found(peer: UdpPeer, server: Server, user: str) -> str | None:
    """The contact that the server finds for a user."""
    sent = request("OPTIONS", f"sip:{user}@test.invalid", peer.address)
    answer = await peer.ask(sent, server.address("udp"))
    return answer.get("X-Found") if answer.status == 200 else None


def rows(path: Path, query: str = "select username, contact, cseq from location order by username") -> list[tuple]:  # type: ignore[type-arg]
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path, timeout=5)) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def database_of(server: Server) -> Path:
    assert isinstance(server, Sipwright)
    return server.data_dir / "sipwright.db"


def test_a_restart_forgets_nothing_by_default(start: Start) -> None:
    server = start(SCRIPT)

    async def make() -> None:
        async with UdpPeer.open() as peer:
            for user in range(USERS):
                assert (
                    await register(peer, server.address("udp"), f"u{user}", f"sip:u{user}@192.0.2.1", "x")
                ).status == 200
            gone = (("Expires", "0"),)
            assert (await refresh(peer, server, "u0", "sip:u0@192.0.2.1", *gone, cseq=9)).status == 200

    async def ask() -> None:
        async with UdpPeer.open() as peer:
            assert await found(peer, server, "u0") is None
            for user in range(1, USERS):
                assert await found(peer, server, f"u{user}") == f"sip:u{user}@192.0.2.1"

    asyncio.run(make())
    server.assert_clean_stop()
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 3.0, "a start waits for no table"
    asyncio.run(ask())


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_killed_it_reopens(start: Start, mode: int) -> None:
    """SIGKILL loses what is younger than the flush interval at most; with modes 1 and 3 nothing."""
    server = start(SCRIPT, settings={"usrloc.db_mode": mode, "usrloc.db_flush_s": 1, "database.flush_ms": 100})

    async def make() -> None:
        async with UdpPeer.open() as peer:
            for user in range(10):
                assert (await refresh(peer, server, f"k{user}", f"sip:k{user}@192.0.2.1", cseq=1)).status == 200
            for user in range(10):
                assert (await refresh(peer, server, f"k{user}", f"sip:k{user}@192.0.2.1", cseq=2)).status == 200

    async def ask() -> None:
        async with UdpPeer.open() as peer:
            for user in range(10):
                assert await found(peer, server, f"k{user}") == f"sip:k{user}@192.0.2.1"

    asyncio.run(make())
    if mode == 2:
        wait_until(lambda: {row[2] for row in rows(database_of(server))} == {2}, 5.0, "the changes written")
    server.process.kill()
    server.start()
    asyncio.run(ask())


def test_a_database_that_is_locked_costs_no_registration(start: Start) -> None:
    """It is locked, then free again: what was registered meanwhile is written."""
    server = start(SCRIPT, settings={"usrloc.db_flush_s": 1, "database.flush_ms": 100, "database.statement_ms": 300})

    async def make(number: int) -> None:
        async with UdpPeer.open() as peer:
            answer = await refresh(peer, server, f"away{number}", "sip:a@192.0.2.1", cseq=1)
            assert answer.status == 200
            assert await found(peer, server, f"away{number}") == "sip:a@192.0.2.1"

    asyncio.run(make(1))
    wait_until(lambda: len(rows(database_of(server))) == 1, 5.0, "the first binding written")
    with contextlib.closing(sqlite3.connect(database_of(server), timeout=5, isolation_level=None)) as other:
        other.execute("begin immediate")
        asyncio.run(make(2))
        other.execute("rollback")
    asyncio.run(make(3))
    wait_until(lambda: len(rows(database_of(server))) == 3, 15.0, "all bindings written")


def test_bindings_go_with_their_connections(start: Start) -> None:
    settings = {"usrloc.handle_lost_tcp": True, "usrloc.timer_interval_s": 1, "usrloc.db_mode": 0}
    server = start(SCRIPT, "udp", "tcp", settings=settings)

    async def run() -> None:
        aor = "sip:lost@test.invalid"
        async with UdpPeer.open() as asking:
            async with StreamPeer.open(server.address("tcp")) as phone:
                contact = "sip:lost@192.0.2.1;transport=tcp"
                sent = request(
                    "REGISTER", "sip:x", phone.address, proto="TCP", from_uri=aor, to_uri=aor, contact=contact
                )
                assert (await phone.ask(sent)).status == 200
                await asyncio.sleep(1.5)
                assert await found(asking, server, "lost") is not None
            async with asyncio.timeout(10):
                while await found(asking, server, "lost") is not None:
                    await asyncio.sleep(0.1)

    asyncio.run(run())


def test_the_script_learns_of_ended_contacts(start: Start) -> None:
    settings = {
        "registrar.event_callback": "ended",
        "registrar.min_expires_s": 1,
        "usrloc.timer_interval_s": 1,
        "usrloc.db_mode": 0,
    }
    server = start(SCRIPT, settings=settings)

    async def run() -> None:
        async with UdpPeer.open() as peer:
            assert (await refresh(peer, server, "short", "sip:short@192.0.2.1", ("Expires", "1"), cseq=1)).status == 200

    asyncio.run(run())
    wait_until(lambda: "ended usrloc:contact-expired short sip:short@192.0.2.1" in server.log(), 10.0, "the event")
