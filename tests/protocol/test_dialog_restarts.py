"""Calls that outlive the server: dialogs in a database, whatever ends the process, and whoever wrote them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import SCRIPTS, Start
from sipwright.control.client import call as control
from support.control import data_of
from support.databases import kamailio_sqlite
from support.dialogs import Call, events, rows
from support.peers import UdpPeer, eventually
from support.process import wait_until
from support.servers import Kamailio, Server, Sipwright

SCRIPT = SCRIPTS / "dialogs.py"
SETTINGS: dict[str, object] = {
    "dialog.event_callback": "dialog_event",
    "dialog.profiles_with_value": "caller",
    "dialog.profiles_no_value": "plain",
    "dialog.timeout_avp": "$avp(timeout)",
    "database.flush_ms": 100,
}
Story = Callable[[Call], Awaitable[None]]


def started(start: Start, mode: int, **more: object) -> Server:
    settings = {**SETTINGS, "dialog.db_mode": mode, **more}
    return start(SCRIPT, settings=settings, counted=False)


def play(server: Server, story: Story, *wishes: str) -> None:
    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await story(Call(server.address("udp"), alice, bob, ("X-Do", " ".join(wishes))))

    asyncio.run(run())


def rpc(server: Server, method: str, *params: Any) -> Any:
    return control(data_of(server), method, list(params))


def file_of(server: Server) -> Path:
    assert isinstance(server, Sipwright)
    return server.data_dir / "sipwright.db"


async def ended(server: Server, call: Call) -> None:
    """Alice hangs up; the dialog has what it had before."""
    size = rpc(server, "dlg.profile_get_size", "caller", "alice")
    await call.end()
    found = events(server.directory, call.call_id)
    assert f"within BYE 5 kept 8 {call.call_id} {size - 1}" in found
    assert found.count(f"dialog:end {call.call_id} kept None") == 1
    await eventually(lambda: rows(file_of(server)) == [])
    assert rows(file_of(server), "select * from dialog_vars") == []


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_a_call_outlives_a_stop(start: Start, mode: int) -> None:
    server = started(start, mode)

    async def story(call: Call) -> None:
        await call.establish()
        server.assert_clean_stop()
        assert rows(file_of(server)) == [(call.call_id, 4)]
        server.start()
        (shown,) = rpc(server, "dlg.list")
        assert (shown["call-id"], shown["state"], shown["sflags"]) == (call.call_id, 4, 8)
        assert sorted(map(str, shown["profiles"])) == ["plain", "{'caller': 'alice'}"]
        assert shown["caller"]["contact"] == call.contact[1].strip("<>")
        assert shown["callee"]["contact"] == call.uri
        await ended(server, call)

    play(server, story)


@pytest.mark.parametrize(("mode", "period_s"), [(1, 60), (2, 1)])
def test_a_call_outlives_a_kill(start: Start, mode: int, period_s: int) -> None:
    """What is older than `db_update_period_s` in mode 2, or a moment in mode 1, is there."""
    server = started(start, mode, **{"dialog.db_update_period_s": period_s})

    async def story(call: Call) -> None:
        await call.establish()
        wait_until(lambda: rows(file_of(server)) == [(call.call_id, 4)], 5, "the dialog written")
        wait_until(lambda: len(rows(file_of(server), "select * from dialog_vars")) == 1, 5, "its variable written")
        server.process.kill()
        server.start()
        await ended(server, call)

    play(server, story)


@pytest.mark.parametrize("mode", [1, 2])
def test_a_call_that_has_ended_does_not_come_back(start: Start, mode: int) -> None:
    server = started(start, mode)

    async def story(call: Call) -> None:
        await call.establish()
        if mode == 2:
            rpc(server, "dlg.list")
        await call.end()
        wait_until(lambda: rows(file_of(server)) == [], 5, "the row removed")
        server.process.kill()
        server.start()
        assert rpc(server, "dlg.list") == []

    play(server, story)


def test_changes_within_a_call_are_kept(start: Start) -> None:
    server = started(start, 1)

    async def story(call: Call) -> None:
        await call.establish()
        call.alice.send(call.within("INFO", 2), call.address)
        call.bob.send((await call.at(call.bob, "INFO")).reply(200, "OK"), call.address)
        await call.alice.final(call.call_id)
        query = "select dialog_key, dialog_value from dialog_vars"
        wait_until(lambda: rows(file_of(server), query) == [("y", "new")], 5, "the variables written")
        server.process.kill()
        server.start()
        await call.end()
        assert f"dialog:end {call.call_id} None new" in events(server.directory, call.call_id)

    play(server, story)


def test_a_timeout_that_has_passed_meanwhile_ends_the_call(start: Start) -> None:
    server = started(start, 1)

    async def story(call: Call) -> None:
        await call.establish()
        wait_until(lambda: len(rows(file_of(server))) == 1, 5, "the dialog written")
        server.process.kill()
        await asyncio.sleep(1.5)
        server.start()
        await call.is_hung_up()
        await eventually(lambda: f"dialog:end {call.call_id} kept None" in events(server.directory, call.call_id))
        await eventually(lambda: rows(file_of(server)) == [])

    play(server, story, "timeout=2", "bye")


def test_timers_go_on(start: Start) -> None:
    server = started(start, 1)

    async def story(call: Call) -> None:
        await call.establish()
        wait_until(lambda: len(rows(file_of(server))) == 1, 5, "the dialog written")
        deadline = rpc(server, "dlg.dlg_list", call.call_id)["timeout"]
        server.process.kill()
        server.start()
        assert rpc(server, "dlg.dlg_list", call.call_id)["timeout"] == deadline
        await ended(server, call)

    play(server, story, "timeout=100")


def test_a_database_that_is_locked_at_the_start_is_read_later(start: Start) -> None:
    server = started(start, 1, **{"database.statement_ms": 200, "database.retry_ms": 100})

    async def story(call: Call) -> None:
        await call.establish()
        server.assert_clean_stop()
        with contextlib.closing(sqlite3.connect(file_of(server), timeout=5, isolation_level=None)) as other:
            other.execute("pragma locking_mode = exclusive")
            other.execute("begin exclusive")
            server.start()
            assert rpc(server, "dlg.list") == []
            other.execute("rollback")
        await eventually(lambda: len(rpc(server, "dlg.list")) == 1, 15)
        await ended(server, call)

    play(server, story)


def test_a_table_of_another_version_is_refused(start: Start) -> None:
    server = started(start, 1)
    assert rpc(server, "dlg.list") == []
    server.assert_clean_stop()
    with contextlib.closing(sqlite3.connect(file_of(server))) as database, database:
        database.execute("update version set table_version = 6 where table_name = 'dialog'")
    with pytest.raises(RuntimeError, match="version 6"):
        server.start()
    with contextlib.closing(sqlite3.connect(file_of(server))) as database, database:
        database.execute("update version set table_version = 7 where table_name = 'dialog'")
    server.start()


# ---- Kamailio's rows -----------------------------------------------------------------------------------------------

CONFIG = """
loadmodule "dialog.so"
loadmodule "db_sqlite.so"
modparam("dialog", "event_callback", "dialog_event")
modparam("dialog", "profiles_with_value", "caller")
modparam("dialog", "profiles_no_value", "plain")
modparam("dialog", "timeout_avp", "$avp(timeout)")
modparam("dialog", "db_url", "{url}")
modparam("dialog", "db_mode", {mode})
"""


def server_of(kind: str, directory: Path, url: str, mode: int, like: Server | None = None) -> Server:
    listen = [] if like is None else like.listen
    if kind == "kamailio":
        config = CONFIG.format(url=url, mode=mode)
        made: Server = Kamailio(
            SCRIPT, directory, workers=1, extra_config=config, env={"EVENTS_DIRECTORY": str(directory)}
        )
    else:
        settings = {**SETTINGS, "dialog.db_url": url, "dialog.db_mode": mode}
        made = Sipwright(SCRIPT, directory, workers=1, settings=settings)
    if listen:
        made.listen = listen
    return made


@pytest.mark.parametrize(("writer", "reader"), [("kamailio", "sipwright"), ("sipwright", "kamailio")])
def test_one_goes_on_with_the_calls_of_the_other(tmp_path: Path, writer: str, reader: str) -> None:
    file = tmp_path / "sip.db"
    url = kamailio_sqlite(file)
    first = server_of(writer, tmp_path / "first", url, 1)

    async def story() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            call = Call(first.address("udp"), alice, bob, ("X-Do", "bye route ka"))
            await call.establish()
            wait_until(lambda: rows(file) == [(call.call_id, 4)], 5, "the dialog written")
            wait_until(lambda: len(rows(file, "select * from dialog_vars")) == 1, 5, "its variable written")
            first.process.kill()
            second = server_of(reader, tmp_path / "second", url, 1, like=first)
            with second:
                await call.end()
                found = events(second.directory, call.call_id)
                assert f"within BYE 5 kept 8 {call.call_id} 0" in found
                assert f"dialog:end {call.call_id} kept None" in found
                wait_until(lambda: rows(file) == [], 10, "the row removed")
                wait_until(lambda: rows(file, "select * from dialog_vars") == [], 5, "its variable removed")

    with first:
        asyncio.run(story())
        first.start()


def test_rows_are_those_of_kamailio(tmp_path: Path) -> None:
    """The same call leaves the same row, but for ports, tags and times."""
    found = {kind: _row_of(kind, tmp_path / kind) for kind in ("kamailio", "sipwright")}
    assert found["sipwright"] == found["kamailio"]


def _row_of(kind: str, directory: Path) -> dict[str, object]:
    directory.mkdir()
    file = directory / "sip.db"
    server = server_of(kind, directory / "server", kamailio_sqlite(file), 1)
    route = ("Record-Route", "<sip:192.0.2.7;lr>,<sip:192.0.2.8;lr>")

    async def story() -> dict[str, object]:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            call = Call(server.address("udp"), alice, bob, ("X-Do", "bye route ka"), route)
            await call.ring()
            # A proxy between the server and Bob has recorded itself first.
            call.got = replace(call.got, headers=(("Record-Route", "<sip:192.0.2.9;lr>"), *call.got.headers))
            call.reply(200, "OK")
            call.answer = await alice.final(call.call_id)
            ack = call.within("ACK", 1)
            headers = tuple((n, v) for n, v in ack.headers if n != "Route" or str(call.address[1]) in v)
            alice.send(type(ack)(ack.first_line, headers), call.address)
            await call.at(bob, "ACK")
            wait_until(lambda: rows(file) == [(call.call_id, 4)], 5, "the dialog written")
            with contextlib.closing(sqlite3.connect(file)) as database:
                database.row_factory = sqlite3.Row
                row = dict(database.execute("select * from dialog").fetchone())
            return _normalised(row, call, server)

    with server:
        return asyncio.run(story())


def _normalised(row: dict[str, object], call: Call, server: Server) -> dict[str, object]:
    # Random, or of the moment.
    for name in ("id", "hash_id", "start_time", "timeout", "callid", "hash_entry"):
        row[name] = type(row[name]).__name__
    profiles = json.loads(str(row["xdata"]))["profiles"]
    row["xdata"] = sorted((one["name"], one.get("value")) for one in profiles)
    known = {
        call.tags[0]: "<tag>",
        str(call.alice.address[1]): "<alice>",
        str(call.bob.address[1]): "<bob>",
        str(server.port("udp")): "<server>",
    }
    for name, value in row.items():
        for old, new in known.items():
            if isinstance(value, str):
                value = value.replace(old, new)
        row[name] = value
    return row
