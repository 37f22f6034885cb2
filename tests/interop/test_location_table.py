"""The table `location`: what Kamailio has written Sipwright reads, and the other way round, on one SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from conftest import Start
from support.databases import kamailio_sqlite
from support.messages import Sip, request
from support.peers import UdpPeer
from support.servers import Server

SCRIPT = "located.py"
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
USER = "sip:moved@example.org"


def started(start: Start, kind: str, url: str, mode: int) -> Server:
    kamailio = f"""
loadmodule "db_sqlite.so"
modparam("usrloc", "db_url", "{url}")
modparam("usrloc", "db_mode", {mode})
modparam("usrloc", "use_domain", 1)
modparam("usrloc", "nat_bflag", 6)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("registrar", "method_filtering", 1)
modparam("tm|usrloc", "xavp_contact", "ulattrs")
"""
    settings = {
        "usrloc.db_url": url,
        "usrloc.db_mode": mode,
        "usrloc.use_domain": True,
        "usrloc.nat_bflag": 6,
        "usrloc.xavp_contact": "ulattrs",
        "registrar.method_filtering": True,
    }
    return start(SCRIPT, kind=kind, workers=1, settings=settings, kamailio_config=kamailio)


async def register(server: Server) -> None:
    async with UdpPeer.open() as peer:
        for number, (contact, extra) in enumerate(
            (
                (
                    f"<sip:moved@192.0.2.1:5062;transport=tcp>;q=0.5;{INSTANCE};expires=600",
                    (("Allow", "INVITE,OPTIONS"),),
                ),
                (
                    "<sip:moved@192.0.2.2>;expires=900",
                    (("Path", "<sip:edge.example.org;lr>"), ("User-Agent", "Phone 7")),
                ),
            ),
            start=1,
        ):
            headers = (("Contact", contact), *extra)
            sent = request(
                "REGISTER",
                "sip:example.org",
                peer.address,
                from_uri=USER,
                to_uri=USER,
                call_id=f"moved-{number}",
                extra=headers,
            )
            assert (await peer.ask(sent, server.address("udp"))).status == 200


async def found(server: Server) -> Sip:
    async with UdpPeer.open() as peer:
        return await peer.ask(request("OPTIONS", USER, peer.address), server.address("udp"))


def described(answer: Sip) -> list[str]:
    return sorted(value for name, value in answer.headers if name == "X-Found")


def stop(server: Server) -> None:
    """A clean stop of Sipwright; Kamailio's processes may wait for each other over SQLite, and it has written everything."""
    if server.name == "kamailio":
        server.process.kill()
    else:
        server.assert_clean_stop(5.0)


def rows(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path, timeout=5)) as database:
        return int(database.execute("select count(*) from location").fetchone()[0])


@pytest.mark.parametrize(("writer", "reader"), [("kamailio", "sipwright"), ("sipwright", "kamailio")])
@pytest.mark.parametrize("mode", [1, 3])
def test_one_reads_what_the_other_has_written(
    start: Start, tmp_path: Path, writer: str, reader: str, mode: int
) -> None:
    file = tmp_path / "sip.db"
    url = kamailio_sqlite(file)
    first = started(start, writer, url, mode)
    asyncio.run(register(first))
    expected = described(asyncio.run(found(first)))
    assert len(expected) == 2
    stop(first)
    assert rows(file) == 2
    second = started(start, reader, url, mode)
    answer = asyncio.run(found(second))
    assert answer.status == 200
    assert described(answer) == expected
    assert answer["X-Kept"] == "kept 7"
    stop(second)
