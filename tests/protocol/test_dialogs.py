"""Dialogs of a server process: timeouts, keep-alives, forks, spirals, profiles, bridges."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from conftest import Start, in_both
from sipwright.control.client import call as control
from support.control import data_of
from support.dialogs import Call, events
from support.messages import Sip, request
from support.peers import UdpPeer, eventually
from support.servers import Server

SCRIPT = "dialogs.py"
SETTINGS: dict[str, object] = {
    "dialog.event_callback": "dialog_event",
    "dialog.profiles_with_value": "caller",
    "dialog.profiles_no_value": "plain",
    "dialog.timeout_avp": "$avp(timeout)",
}
Story = Callable[[Call], Awaitable[None]]


def started(start: Start, **more: object) -> Server:
    return start(SCRIPT, settings={**SETTINGS, **{f"dialog.{name}": value for name, value in more.items()}})


def play(server: Server, story: Story, *wishes: str) -> None:
    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await story(Call(server.address("udp"), alice, bob, ("X-Do", " ".join(wishes))))

    asyncio.run(run())


def rpc(server: Server, method: str, *params: Any) -> Any:
    return control(data_of(server), method, list(params))


def names(server: Server, call: Call) -> list[str]:
    return [line.split()[0] for line in events(server.directory, call.call_id) if line.startswith(("dialog", "late"))]


def test_a_call_with_its_events_variables_and_profiles(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        assert (
            await call.alice.ask(request("OPTIONS", "sip:alice@x", call.alice.address), call.address)
        ).first_line == ("SIP/2.0 200 Size 1")
        (shown,) = rpc(server, "dlg.profile_list", "caller", "alice")
        assert (shown["call-id"], shown["state"], shown["sflags"]) == (call.call_id, 4, 8)
        assert shown["variables"] == [{"x": "kept"}]
        assert rpc(server, "dlg.profile_get_size", "caller", "nobody") == 0
        call.alice.send(call.within("INFO", 2), call.address)
        call.bob.send((await call.at(call.bob, "INFO")).reply(200, "OK"), call.address)
        await call.alice.final(call.call_id)
        call.alice.send(call.within("BYE", 3), call.address)
        call.bob.send((await call.at(call.bob, "BYE")).reply(200, "OK"), call.address)
        await call.alice.final(call.call_id)
        assert rpc(server, "dlg.profile_get_size", "caller", "alice") == 0
        assert server.route_calls("INVITE", call.call_id) == 1
        assert events(server.directory, call.call_id) == [
            f"dialog:start {call.call_id} kept None",
            f"within ACK 4 kept 8 {call.call_id} 1",
            f"within INFO 4 kept 8 {call.call_id} 1",
            f"dialog:end {call.call_id} None new",
            f"within BYE 5 None 8 {call.call_id} 0",
        ]

    play(server, story)


def test_a_timeout_ends_the_call_on_both_sides(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        to_alice, to_bob = await call.is_hung_up()
        assert (to_alice["From"], to_alice["To"]) == (call.answer["To"], call.invite["From"])
        assert (to_bob["CSeq"], to_bob["To"]) == ("2 BYE", call.answer["To"])
        await eventually(lambda: names(server, call) == ["dialog:start", "late", "dialog:end"])
        await eventually(lambda: rpc(server, "dlg.stats_active")["all"] == 0)
        assert rpc(server, "core.stats")["expired_dialogs"] == 1

    play(server, story, "timeout=1", "bye", "route")


def test_requests_put_the_timeout_off(start: Start) -> None:
    server = started(start, send_bye=True, default_timeout_s=2)

    async def story(call: Call) -> None:
        await call.establish()
        first = rpc(server, "dlg.dlg_list", call.call_id)["timeout"]
        await asyncio.sleep(1.1)
        call.alice.send(call.within("INFO", 2), call.address)
        call.bob.send((await call.at(call.bob, "INFO")).reply(200, "OK"), call.address)
        await call.alice.final(call.call_id)
        assert rpc(server, "dlg.dlg_list", call.call_id)["timeout"] > first
        await call.is_hung_up()

    play(server, story)


def test_a_call_that_nobody_answers_is_forgotten(start: Start) -> None:
    server = started(start, early_timeout_s=1)

    async def story(call: Call) -> None:
        await call.ring()
        await eventually(lambda: names(server, call) == ["dialog:failed"])
        await eventually(lambda: rpc(server, "dlg.stats_active")["all"] == 0)

    play(server, story)


def test_an_answer_without_ack_has_its_last_seconds(start: Start) -> None:
    server = started(start, noack_timeout_s=1)

    async def story(call: Call) -> None:
        await call.ring()
        call.reply(200, "OK")
        call.answer = await call.alice.final(call.call_id)
        await eventually(lambda: names(server, call) == ["dialog:start"])
        start_ts = rpc(server, "dlg.dlg_list", call.call_id)["start_ts"]
        await eventually(lambda: rpc(server, "dlg.dlg_list", call.call_id)["timeout"] == start_ts + 11)
        call.alice.send(call.within("ACK", 1), call.address)
        await call.at(call.bob, "ACK")
        await call.end()

    play(server, story)


def test_keepalives_go_to_both_sides_and_notice_who_is_gone(start: Start) -> None:
    server = started(start, ka_timer_s=1, ka_interval_s=1, ka_failed_limit=2)

    async def story(call: Call) -> None:
        await call.establish()
        before = rpc(server, "dlg.dlg_list", call.call_id)["timeout"]
        to_alice, to_bob = await call.at(call.alice, "OPTIONS"), await call.at(call.bob, "OPTIONS")
        assert (to_alice.uri, to_alice["CSeq"], to_alice["To"]) == (
            call.contact[1].strip("<>"),
            "1 OPTIONS",
            call.invite["From"],
        )
        assert (to_bob.uri, to_bob["CSeq"], to_bob["To"]) == (call.uri, "1 OPTIONS", call.answer["To"])
        call.alice.send(to_alice.reply(200, "OK"), call.address)
        call.bob.send(to_bob.reply(481, "No such call"), call.address)
        to_alice = await call.at(call.alice, "OPTIONS")
        assert rpc(server, "dlg.dlg_list", call.call_id)["timeout"] == before, "one that fails is allowed"
        to_bob = await call.at(call.bob, "OPTIONS")
        call.bob.send(to_bob.reply(481, "No such call"), call.address)
        await eventually(lambda: rpc(server, "dlg.dlg_list", call.call_id)["timeout"] < before - 1_000)

    play(server, story, "ka")


def test_a_second_answer_of_a_fork_changes_nothing(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.ring()
        call.reply(200, "OK", "first")
        call.answer = await call.alice.final(call.call_id)
        call.reply(200, "OK", "late")
        late = await call.alice.final(call.call_id)
        assert late["To"].endswith("tag=late"), "each 2xx reaches the caller"
        assert rpc(server, "dlg.dlg_list", call.call_id)["callee"]["tag"] == "first"
        call.alice.send(call.within("ACK", 1), call.address)
        await call.at(call.bob, "ACK")
        await call.end()
        assert names(server, call) == ["dialog:start", "dialog:end"]

    play(server, story)


def test_an_answer_that_crosses_a_cancel_is_a_call(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.ring()
        keep = [(name, value) for name, value in call.invite.headers if name in ("Via", "From", "To", "Call-ID")]
        cancel = Sip(f"CANCEL {call.uri} SIP/2.0", (*keep, ("Max-Forwards", "70"), ("CSeq", "1 CANCEL")))
        call.alice.send(cancel, call.address)
        got = await call.at(call.bob, "CANCEL")
        call.bob.send(got.reply(200, "OK"), call.address)
        call.reply(200, "OK")
        while (answer := await call.alice.final(call.call_id)).method != "INVITE":
            pass
        call.answer = answer
        call.alice.send(call.within("ACK", 1), call.address)
        await call.at(call.bob, "ACK")
        assert rpc(server, "dlg.stats_active")["ongoing"] == 1
        await call.end()
        assert names(server, call) == ["dialog:start", "dialog:end"]

    play(server, story)


def test_a_spiral_is_one_dialog(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        assert server.route_calls("INVITE", call.call_id) == 2
        assert [route.count(";did=") for route in call.got.all("Record-Route")] == [0, 1]
        assert rpc(server, "dlg.stats_active")["all"] == 1
        (shown,) = rpc(server, "dlg.list")
        assert shown["callee"]["route_set"] == "", "our own two are not among the routes to the callee"
        call.alice.send(call.within("BYE", 2), call.address)
        call.bob.send((await call.at(call.bob, "BYE")).reply(200, "OK"), call.address)
        await call.alice.final(call.call_id)
        assert names(server, call) == ["dialog:start", "dialog:end"]

    play(server, story, "spiral")


def test_without_detection_a_spiral_makes_one_more(start: Start) -> None:
    server = started(start, detect_spirals=False)

    async def story(call: Call) -> None:
        await call.establish()
        assert rpc(server, "dlg.stats_active")["all"] == 2

    play(server, story, "spiral")


def test_the_flag_of_an_invite_makes_its_dialog(start: Start) -> None:
    server = started(start, dlg_flag=4)

    async def story(call: Call) -> None:
        await call.establish()
        assert call.got["Record-Route"].count(";did=") == 1
        assert rpc(server, "dlg.stats_active")["ongoing"] == 1
        await call.end()
        assert names(server, call) == ["dialog:start", "dialog:end"]

    play(server, story, "flag")


def test_without_that_setting_the_flag_means_nothing(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        assert rpc(server, "dlg.stats_active")["all"] == 0

    play(server, story, "flag")


def test_the_request_uri_of_a_side(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        await call.establish()
        update = call.within("UPDATE", 2)
        call.alice.send(Sip("UPDATE sip:masked@192.0.2.1 SIP/2.0", update.headers), call.address)
        assert (await call.at(call.bob, "UPDATE")).uri == call.uri
        assert f"dlg_set_ruri 1 {call.uri}" in events(server.directory, call.call_id)

    play(server, story)


@in_both
def test_two_are_bridged(start: Start, kind: str) -> None:
    """Kamailio does the same."""
    bridge = {"bridge_controller": "sip:desk@here.test", "bridge_contact": "sip:desk@127.0.0.1:9"}
    config = 'loadmodule "dialog.so"\n' + "".join(
        f'modparam("dialog", "{name}", "{uri}")\n' for name, uri in bridge.items()
    )
    config += 'modparam("dialog", "profiles_with_value", "caller")\n'
    settings = {**SETTINGS, **{f"dialog.{name}": uri for name, uri in bridge.items()}}
    server = start(SCRIPT, kind=kind, settings=settings, kamailio_config=config)

    async def story(call: Call) -> None:
        alice = call.contact[1].strip("<>")
        asked = request(
            "OPTIONS", "sip:bridge@x", call.bob.address, extra=(("X-From", alice), ("X-To", "sip:bob@there.test"))
        )
        assert (await call.bob.ask(asked, call.address)).first_line == "SIP/2.0 200 Bridge 1"
        invite, source = await call.alice.receive()
        assert (invite.method, invite.uri, invite["Content-Type"]) == ("INVITE", alice, "application/sdp")
        assert invite["From"].startswith("<sip:desk@here.test>;tag=")
        assert b"c=IN IP4 0.0.0.0\r\n" in invite.body
        call.alice.send(invite.reply(200, "OK", "a", (call.contact,)), source)
        assert (await call.at(call.alice, "ACK"))["To"].endswith(";tag=a")
        refer = await call.at(call.alice, "REFER")
        assert (refer.uri, refer["Refer-To"].strip("<>"), refer["Referred-By"].strip("<>")) == (
            alice,
            "sip:bob@there.test",
            "sip:desk@here.test",
        )
        assert refer["Contact"] == "<sip:desk@127.0.0.1:9>"
        call.alice.send(refer.reply(202, "Accepted"), source)
        bye = await call.at(call.alice, "BYE")
        call.alice.send(bye.reply(200, "OK"), source)
        assert bye["Call-ID"] == invite["Call-ID"]
        assert [int(one["CSeq"].split()[0]) for one in (invite, refer, bye)] == [10, 11, 12]

    play(server, story)


def test_a_bridge_that_is_refused_sends_nothing_more(start: Start) -> None:
    server = started(start)

    async def story(call: Call) -> None:
        rpc(server, "dlg.bridge_dlg", call.contact[1].strip("<>"), "sip:bob@there.test", ".", "_")
        invite, source = await call.alice.receive()
        assert invite.body == b""
        call.alice.send(invite.reply(486, "Busy", "a"), source)
        assert (await call.at(call.alice, "ACK")).method == "ACK"
        await call.establish()
        await call.end()

    play(server, story)
