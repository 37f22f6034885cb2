"""Accounting of calls beyond rows: the log, ACK, early media, legs, times; a database that is away loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.messages import Sip, request
from support.peers import UdpPeer
from support.process import wait_until
from support.stage import Stage

SCRIPT = """
import KSR

def mod_init():
    return Router()

class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            KSR.setflag(1)
            KSR.tm.t_relay()
            return 1
        KSR.setflag(1)
        for leg in ("first", "second"):
            KSR.pv.sets("$avp(leg)", leg)
        KSR.acc.acc_request("505 both", "acc")
        KSR.tm.t_relay()
        return 1
"""
COLUMNS = ("leg", "time_attr", "time_exten")


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Any]:
    opened: list[Stage] = []

    def one(**acc: Any) -> Stage:
        stage = Stage(tmp_path, SCRIPT, acc={"db_flag": 1, **acc})
        opened.append(stage)
        database = stage.host.database()
        database.create_tables()
        for column in COLUMNS:
            database.sql(f"ALTER TABLE acc ADD COLUMN {column} VARCHAR(64)")
        return stage

    yield one
    for stage in opened:
        stage.stop()


async def call(stage: Stage, *, early: bytes = b"") -> None:
    async with UdpPeer.open() as alice, UdpPeer.open() as bob:
        uri = f"sip:bob@127.0.0.1:{bob.address[1]}"
        invite = request("INVITE", uri, alice.address, contact=f"sip:a@127.0.0.1:{alice.address[1]}")
        alice.send(invite, stage.address)
        got, source = await bob.receive()
        if early:
            ringing = got.reply(183, "Progress", "b")
            bob.send(Sip(ringing.first_line, ringing.headers, early), source)
        bob.send(got.reply(200, "OK", "b"), source)
        ok = await alice.final(invite["Call-ID"], 5)
        headers = [(name, value) for name, value in invite.headers if name in ("From", "Call-ID", "Max-Forwards")]
        via = invite["Via"].partition(";")[0] + ";branch=z9hG4bKack"
        alice.send(
            Sip(f"ACK {uri} SIP/2.0", (("Via", via), *headers, ("To", ok["To"]), ("CSeq", "1 ACK"))), stage.address
        )
        assert (await bob.receive())[0].method == "ACK"


def rows(stage: Stage, columns: str) -> list[tuple[Any, ...]]:
    assert stage.host.database().flush(5)
    return stage.host.database().sql(f"SELECT {columns} FROM acc ORDER BY id")[1]


def test_records_of_functions_and_answers(stages: Any) -> None:
    stage = stages()
    asyncio.run(call(stage))
    expected = [("INVITE", "505", "both"), ("INVITE", "200", "OK")]
    wait_until(lambda: rows(stage, "method, sip_code, sip_reason") == expected, 5, "both records")
    assert stage.host.counters()["acc_records"] == 2


def test_early_media_and_ack(stages: Any) -> None:
    stage = stages(early_media=True, report_ack=True)
    asyncio.run(call(stage, early=b"v=0\r\n"))
    expected = [("INVITE", "505"), ("INVITE", "183"), ("INVITE", "200"), ("ACK", "200")]
    wait_until(lambda: rows(stage, "method, sip_code") == expected, 5, "all records")


def test_legs_and_times(stages: Any) -> None:
    stage = stages(multi_leg_info="leg=$avp(leg)", time_mode=1)
    asyncio.run(call(stage))
    wait_until(lambda: len(rows(stage, "id")) == 4, 5, "a row for each leg")
    found = rows(stage, "leg, time_attr, time_exten, time")
    assert [row[0] for row in found] == ["second", "first"] * 2
    for _, seconds, microseconds, day in found:
        assert abs((float(day) - 2440587.5) * 86400 - int(seconds)) < 1
        assert 0 <= int(microseconds) < 1_000_000


def test_a_table_that_refuses_keeps_the_record_in_a_file(stages: Any, tmp_path: Path) -> None:
    stage = stages()
    stage.host.database().sql("ALTER TABLE acc RENAME COLUMN callid TO call_id")
    asyncio.run(call(stage))
    wait_until(lambda: stage.host.counters()["db_refused"] == 2, 5, "both records refused")
    (kept,) = tmp_path.glob("*.refused")
    assert len(kept.read_bytes().splitlines()) == 2
