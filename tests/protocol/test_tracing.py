"""Copies of messages: of one, of a transaction, of everything, into a socket and a table."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from conftest import Start
from sipwright.control.client import call
from support.control import data_of
from support.messages import Sip, request
from support.peers import UdpPeer
from support.ports import free_port
from support.process import wait_until
from support.servers import Server


def relayed(server: Server, do: str, copies: int) -> tuple[list[bytes], Sip]:
    """What the capture server gets while a MESSAGE is relayed and answered; and the caller's response."""

    async def story() -> tuple[list[bytes], Sip]:
        host, port = server.directory.joinpath("capture").read_text().split()
        async with UdpPeer.open(host, int(port)) as capture, UdpPeer.open() as alice, UdpPeer.open() as bob:
            sent = request(
                "MESSAGE", f"sip:bob@{bob.address[0]}:{bob.address[1]}", alice.address, extra=(("X-Do", do),)
            )
            alice.send(sent, server.address("udp"))
            got, _ = await bob.receive()
            bob.send(got.reply(200, "OK", "bob"), server.address("udp"))
            final = await alice.final(sent["Call-ID"])
            return [(await capture.receive_bytes())[0] for _ in range(copies)], final

    return asyncio.run(story())


def traced(start: Start, tmp_path: Path, **settings: object) -> Server:
    port = free_port("127.0.0.1")
    named = {f"siptrace.{name}": value for name, value in settings.items()}
    server = start(
        "client.py", settings={"siptrace.trace_on": "true", "siptrace.duplicate_uri": f"sip:127.0.0.1:{port}", **named}
    )
    server.directory.joinpath("capture").write_text(f"127.0.0.1 {port}")
    return server


def test_one_message(start: Start, tmp_path: Path) -> None:
    copies, _ = relayed(traced(start, tmp_path), "siptrace.sip_trace", 1)
    assert copies[0].startswith(b"MESSAGE sip:bob@")


def test_a_transaction(start: Start, tmp_path: Path) -> None:
    """Received and sent, request and response, each as it was on the wire."""
    copies, final = relayed(traced(start, tmp_path), "siptrace.sip_trace_mode|t", 4)
    assert [copy.split(b" ")[0] for copy in copies] == [b"MESSAGE", b"MESSAGE", b"SIP/2.0", b"SIP/2.0"]
    assert [len(Sip.parse(copy).all("Via")) for copy in copies] == [1, 2, 2, 1]
    assert Sip.parse(copies[3]) == final


def test_everything_in_hep(start: Start, tmp_path: Path) -> None:
    server = traced(start, tmp_path, trace_mode=1, hep_mode_on="true", hep_version=3, hep_capture_id=7)
    copies, _ = relayed(server, "", 4)
    assert all(copy.startswith(b"HEP3") and int.from_bytes(copy[4:6], "big") == len(copy) for copy in copies)
    assert all(b"\x00\x00\x00\x0c\x00\x0a\x00\x00\x00\x07" in copy for copy in copies)
    port = server.port("udp").to_bytes(2, "big")
    assert [b"\x00\x00\x00\x07\x00\x08" + port in copy for copy in copies] == [False, True, False, True]
    assert [b"\x00\x00\x00\x08\x00\x08" + port in copy for copy in copies] == [True, False, True, False]


def test_the_script_sees_what_is_traced(start: Start, tmp_path: Path) -> None:
    """Each message with its path, before it is copied; what it drops is not."""
    server = traced(start, tmp_path, trace_mode=4, evcb_msg="traced")
    copies, _ = relayed(server, "", 2)
    assert all(copy.startswith(b"MESSAGE ") for copy in copies)
    port = server.port("udp")
    wait_until(lambda: server.log().count("siptrace:msg") == 4, 5, "four events")
    seen = [line.partition("siptrace:msg ")[2].split() for line in server.log().splitlines() if "siptrace:msg" in line]
    assert sorted(one[-2] for one in seen) == ["in", "in", "out", "out"]
    for method, source, target, target_port, proto, direction, other in seen:
        assert (method, proto, target, other) == ("MESSAGE", "udp", "127.0.0.1", "None")
        assert (source == f"udp:127.0.0.1:{port}") == (direction == "out")
        assert (target_port == str(port)) == (direction == "in")


def test_everything_in_the_table(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    make_table(path)
    server = traced(start, tmp_path, db_url=f"sqlite:///{path}", trace_mode=2)
    assert relayed(server, "", 0)[1].status == 200

    def count() -> int:
        with sqlite3.connect(path) as connection:
            return int(connection.execute("select count(*) from sip_trace").fetchone()[0])

    wait_until(lambda: count() == 4, 5, "the rows are written")
    assert call(data_of(server), "core.stats")["siptrace_sent"] == 0


def test_tracing_is_turned_off_and_on(start: Start, tmp_path: Path) -> None:
    server = traced(start, tmp_path, trace_mode=1)
    data = data_of(server)
    assert call(data, "siptrace.status", ["off"]) == "Disabled"
    copies, final = relayed(server, "", 0)
    assert (copies, final.status) == ([], 200)
    assert call(data, "core.stats")["siptrace_sent"] == 0
    assert call(data, "siptrace.status", ["on"]) == "Enabled"
    assert len(relayed(server, "", 4)[0]) == 4


def test_a_log_line_with_the_call_id(start: Start, tmp_path: Path) -> None:
    copies, final = relayed(traced(start, tmp_path), "siptrace.hlog|hello", 1)
    assert copies[0].startswith(b"HEP3")
    assert copies[0].endswith(b"hello")
    assert final["Call-ID"].encode() in copies[0]


def test_the_table(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    make_table(path)
    server = traced(start, tmp_path, db_url=f"sqlite:///{path}", traced_user_avp="$hdr(X-Do)")
    relayed(server, "siptrace.sip_trace_mode|t", 4)

    def rows() -> list[tuple[str, str, str, str]]:
        with sqlite3.connect(path) as connection:
            return connection.execute(
                "select method, status, direction, traced_user from sip_trace order by id"
            ).fetchall()

    wait_until(lambda: len(rows()) == 8, 5, "the rows are written")
    user = "siptrace.sip_trace_mode|t"
    expected = [("", "in"), ("", "out"), ("200", "in"), ("200", "out")]
    assert rows() == [("MESSAGE", code, way, who) for code, way in expected for who in ("", user)]


def test_columns_of_other_names(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "create table sip_trace (id integer primary key, day text, time_us int, call text, traced_user text, msg text,"
            " method text, status text, fromip text, toip text, fromtag text, totag text, direction text)"
        )
    named = {"date_column": "day", "callid_column": "call"}
    server = traced(start, tmp_path, db_url=f"sqlite:///{path}", trace_mode=2, **named)
    _, final = relayed(server, "", 0)

    def rows() -> list[tuple[str, str]]:
        with sqlite3.connect(path) as connection:
            return connection.execute("select day, call from sip_trace").fetchall()

    wait_until(lambda: len(rows()) == 4, 5, "the rows are written")
    assert {call_id for _, call_id in rows()} == {final["Call-ID"]}
    # As a Julian day, which is Kamailio's way with SQLite.
    assert all(2_460_000 < float(day) < 2_500_000 for day, _ in rows())


def make_table(path: Path) -> None:
    from sqlalchemy import create_engine

    from sipwright.storage.tables import METADATA

    engine = create_engine(f"sqlite:///{path}")
    METADATA.create_all(engine)
    engine.dispose()
