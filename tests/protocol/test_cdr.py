"""Records of calls that a server process writes: one a call, over a restart too, and by a kamailio.cfg."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from conftest import Start
from support.dialogs import Call, events, rows
from support.peers import UdpPeer, eventually
from support.process import wait_until
from support.servers import Server, Sipwright

SCRIPT = "dialogs.py"
SETTINGS: dict[str, object] = {
    "dialog.event_callback": "dialog_event",
    "dialog.profiles_with_value": "caller",
    "dialog.profiles_no_value": "plain",
    "dialog.timeout_avp": "$avp(timeout)",
    "dialog.db_mode": 1,
    "acc.cdr_enable": True,
    "acc.cdrs_table": "acc_cdrs",
}
SECONDS = "round((end_time - start_time) * 86400)"


def started(start: Start, **more: object) -> Server:
    return start(SCRIPT, settings={**SETTINGS, **{f"acc.{name}": value for name, value in more.items()}})


def play(server: Server, story: Callable[[Call], Awaitable[None]], *wishes: str) -> None:
    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await story(Call(server.address("udp"), alice, bob, ("X-Do", " ".join(wishes))))

    asyncio.run(run())


def file_of(server: Server) -> Path:
    assert isinstance(server, Sipwright)
    return server.data_dir / "sipwright.db"


def records(server: Server) -> list[tuple[object, ...]]:
    return rows(file_of(server), f"select {SECONDS}, duration from acc_cdrs order by id")


def test_a_call_leaves_a_record_in_the_log_and_in_the_table(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        assert records(server) == []
        await call.end()
        await eventually(lambda: len(records(server)) == 1)
        await eventually(lambda: "; duration=0." in server.log())
        assert server.log().count("start_time=") == 1

    play(server, story)


def test_a_record_spans_a_restart(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        wait_until(lambda: len(rows(file_of(server))) == 1, 5, "the dialog written")
        server.process.kill()
        await asyncio.sleep(1.0)
        server.start()
        await call.end()
        await eventually(lambda: len(records(server)) == 1)
        ((seconds, duration),) = records(server)
        assert isinstance(duration, float)
        assert duration > 1.0, "from the INVITE on, before the restart"
        assert abs(float(str(seconds)) - duration) <= 1.0
        assert f"dialog:end {call.call_id} kept None" in events(server.directory, call.call_id)

    play(server, story)


def test_a_timeout_with_bye_leaves_one_and_a_silent_one_if_it_is_wanted(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        await call.is_hung_up()
        await eventually(lambda: len(records(server)) == 1)
        ((_, duration),) = records(server)
        assert isinstance(duration, float)
        # Timers and records read different clocks.
        assert duration >= 0.99

    async def silent(call: Call) -> None:
        await call.establish()
        await eventually(lambda: f"dialog:end {call.call_id} kept None" in events(server.directory, call.call_id))

    play(server, story, "timeout=1", "bye")
    play(server, silent, "timeout=1")
    server.assert_clean_stop()
    assert len(records(server)) == 1
    wanting = started(start, cdr_expired_dlg_enable=True)

    async def wanted(call: Call) -> None:
        await call.establish()
        await eventually(lambda: len(records(wanting)) == 1)

    play(wanting, wanted, "timeout=1")


def test_a_refused_call_leaves_one_with_no_duration(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.ring()
        call.reply(486, "Busy")
        assert (await call.alice.final(call.call_id)).status == 486
        await eventually(lambda: records(server) == [(0.0, 0.0)])

    play(server, story)
