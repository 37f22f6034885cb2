"""Locations in PostgreSQL and MariaDB: everything that a binding has is back after a restart, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import subprocess
from functools import partial
from typing import Any

import pytest

from conftest import Start
from sipwright.control.client import ControlError, call
from support.databases import DatabaseServer
from support.messages import Sip, request
from support.peers import UdpPeer
from support.process import wait_until
from support.servers import SIPWRIGHT, Server

SCRIPT = "located.py"
USER = "sip:moved@example.org"
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
# Contact and what the REGISTER has beside it: with flow and branch flags, with a path, with text beyond ASCII.
CONTACTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (f"<sip:moved@192.0.2.1:5062;transport=tcp>;q=0.5;{INSTANCE};reg-id=1", (("Allow", "INVITE,OPTIONS"),)),
    ("<sip:moved@192.0.2.2>", (("Path", "<sip:edge.example.org;lr>"), ("User-Agent", "Tel\u00e9fono \u260e 7"))),
)


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> DatabaseServer:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, DatabaseServer)
    return found


def started(start: Start, database: DatabaseServer, mode: int, **more: object) -> Server:
    url = database.new_url()
    subprocess.run([SIPWRIGHT, "db", "create", "--url", url], check=True, capture_output=True, timeout=60)
    settings = {
        "usrloc.db_url": url,
        "usrloc.db_mode": mode,
        "usrloc.db_flush_s": 1,
        "usrloc.use_domain": True,
        "usrloc.nat_bflag": 6,
        "usrloc.xavp_contact": "ulattrs",
        "registrar.outbound_mode": 1,
        "database.flush_ms": 50,
        "database.retry_ms": 200,
        **more,
    }
    return start(SCRIPT, workers=1, settings=settings)


async def register(server: Server, cseq: int = 1, expires: int = 600) -> None:
    async with UdpPeer.open() as peer:
        for number, (contact, extra) in enumerate(CONTACTS):
            headers = (("Contact", contact), ("Expires", str(expires)), *extra)
            kept: dict[str, Any] = {"from_uri": USER, "to_uri": USER, "call_id": f"moved-{number}", "extra": headers}
            sent = request("REGISTER", "sip:example.org", peer.address, cseq=cseq, **kept)
            assert (await peer.ask(sent, server.address("udp"))).status == 200


async def found(server: Server) -> list[str]:
    """What the script finds of the user, contact by contact."""
    async with UdpPeer.open() as peer:
        answer: Sip = await peer.ask(request("OPTIONS", USER, peer.address), server.address("udp"))
    return sorted(value for name, value in answer.headers if name == "X-Found")


def contacts(server: Server) -> int | None:
    """Live contacts in the database; None while it does not answer."""
    try:
        return int(call(server.directory / "data", "ul.db_contacts", ["location"]))
    except ControlError:
        return None


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_bindings_are_back_as_they_were(start: Start, database: DatabaseServer, mode: int) -> None:
    server = started(start, database, mode)
    asyncio.run(register(server))
    before = asyncio.run(found(server))
    assert len(before) == len(CONTACTS), before
    wait_until(lambda: contacts(server) == len(CONTACTS), 10.0, "they are written")
    server.process.kill()
    server.start()
    assert asyncio.run(found(server)) == before
    # A refresh changes rows and makes none; a removal leaves none.
    asyncio.run(register(server, cseq=2))
    server.assert_clean_stop(5.0)
    server.start()
    wait_until(lambda: contacts(server) == len(CONTACTS), 10.0, "the same rows")
    asyncio.run(register(server, cseq=3, expires=0))
    wait_until(lambda: contacts(server) == 0, 10.0, "they are removed")
    assert asyncio.run(found(server)) == []


def test_characters_that_a_column_lacks_cost_no_registration(start: Start, mariadb: DatabaseServer) -> None:
    """Tables that Kamailio's tools have made are often latin1."""
    server = started(start, mariadb, 3)
    mariadb.sql(f"ALTER TABLE {mariadb.names[-1]}.location CONVERT TO CHARACTER SET latin1")
    asyncio.run(register(server))
    assert contacts(server) == len(CONTACTS)
    assert any("Tel\u00e9fono ? 7" in text for text in asyncio.run(found(server)))


def test_a_database_that_is_away_costs_no_registration(start: Start, database: DatabaseServer) -> None:
    server = started(start, database, 2)
    asyncio.run(register(server))
    wait_until(lambda: contacts(server) == len(CONTACTS), 10.0, "they are written")
    database.stop()
    try:
        asyncio.run(register(server, cseq=2, expires=0))
        assert asyncio.run(found(server)) == []
    finally:
        database.start()
    wait_until(partial(_is_empty, server), 20.0, "the removal is made up for")


def _is_empty(server: Server) -> bool:
    return contacts(server) == 0
