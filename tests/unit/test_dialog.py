"""KSR.dialog over the engine: what user agents send decides what a dialog is."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sipwright.kemi import dialog
from sipwright.modules.dialog import Dialogs, Leg, hash_entry
from sipwright.modules.dialog_requests import routes_to_callee, values_of
from support.dialogs import Call
from support.messages import unique
from support.peers import UdpPeer, eventually
from support.stage import Stage

SCRIPT = """
import KSR

events = []
notes = []

def mod_init():
    return Handler()

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.siputils.has_totag() > 0:
            KSR.rr.loose_route()
            notes.append((KSR.pv.get("$rm"), KSR.pv.get("$DLG_status"), KSR.dialog.is_known_dlg(),
                          KSR.pv.get("$dlg_var(x)"), KSR.pv.get("$dlg_ctx(dir)")))
        elif KSR.is_INVITE():
            KSR.pv.sets("$dlg_ctx(timeout_route)", "late")
            KSR.pv.seti("$dlg_ctx(timeout_bye)", 1)
            KSR.dialog.dlg_manage()
            KSR.pv.sets("$dlg_var(x)", "kept")
            KSR.dialog.set_dlg_profile("caller", "alice")
            KSR.dialog.set_dlg_profile_static("all")
            KSR.rr.record_route()
            if KSR.hdr.get("X-Refuse"):
                KSR.sl.sl_send_reply(403, "No")
                return
        KSR.tm.t_relay()

    def on_dialog(self, msg, event):
        events.append((event, KSR.pv.get("$rm"), KSR.pv.get("$rs"), KSR.pv.get("$dlg(state)"), KSR.pv.get("$dlg_var(x)")))
"""


# As Kamailio 5.6.3 has them.
ENTRIES = {"call3-212f325632da": 3291}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(
        tmp_path,
        SCRIPT,
        dialog={"event_callback": "on_dialog", "profiles_with_value": "caller", "profiles_no_value": "all ; other"},
    )
    yield found
    found.stop()


def play(stage: Stage, story: Callable[[Call], Awaitable[None]]) -> None:
    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await story(Call(stage.address, alice, bob))

    asyncio.run(run())


async def call_rpc(stage: Stage, method: str, *params: Any) -> Any:
    answer = await stage.host.rpc.handle(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}))
    assert answer is not None
    return json.loads(answer)


def test_a_call_from_invite_to_bye(stage: Stage) -> None:
    async def story(call: Call) -> None:
        await call.ring()
        assert call.got["Record-Route"].count(";did=") == 1
        await eventually(lambda: dialog._counters()["early_dialogs"] == 1)
        call.reply(200, "OK")
        call.answer = await call.alice.final(call.invite["Call-ID"])
        await eventually(lambda: len(stage.value("events")) == 1)
        call.alice.send(call.within("ACK", 1), stage.address)
        await call.at(call.bob, "ACK")
        shown = (await call_rpc(stage, "dlg.list"))["result"][0]
        assert shown["state"] == 4
        assert shown["callee"]["contact"] == call.uri
        assert shown["profiles"] == [{"caller": "alice"}, "all"]
        assert shown["variables"] == [{"x": "kept"}]
        call.alice.send(call.within("BYE", 2), stage.address)
        bye = await call.at(call.bob, "BYE")
        call.bob.send(bye.reply(200, "OK"), stage.address)
        await call.alice.final(call.invite["Call-ID"])

    play(stage, story)
    assert stage.value("events") == [
        ("dialog:start", "INVITE", 200, 3, "kept"),
        ("dialog:end", "BYE", None, 5, "kept"),
    ]
    assert stage.value("notes") == [("ACK", 4, 1, "kept", 1), ("BYE", 5, 1, "kept", 1)]
    assert dialog._counters() == {
        "active_dialogs": 0,
        "early_dialogs": 0,
        "processed_dialogs": 1,
        "expired_dialogs": 0,
        "failed_dialogs": 0,
    }


def test_a_call_that_is_refused_and_one_that_gets_no_transaction(stage: Stage) -> None:
    async def story(call: Call) -> None:
        await call.ring()
        call.reply(486, "Busy")
        assert (await call.alice.final(call.invite["Call-ID"])).status == 486
        await eventually(lambda: len(stage.value("events")) == 1)
        other = Call(stage.address, call.alice, call.bob, ("X-Refuse", "yes"))
        assert (await call.alice.ask(other.invite, stage.address)).status == 403
        await eventually(lambda: dialog._counters()["active_dialogs"] == 0)

    play(stage, story)
    assert stage.value("events") == [("dialog:failed", "INVITE", 486, 5, "kept")]
    assert dialog._counters()["failed_dialogs"] == 1


def test_dialogs_are_ended_from_here(stage: Stage) -> None:
    async def story(call: Call) -> None:
        await call.establish()
        assert (await call_rpc(stage, "dlg.is_alive", call.call_id, *call.tags))["result"] == "Alive"
        assert "error" not in await call_rpc(stage, "dlg.terminate_dlg", call.call_id, *call.tags)
        to_alice, to_bob = await call.at(call.alice, "BYE"), await call.at(call.bob, "BYE")
        assert (to_alice.uri, to_alice["From"], to_alice["To"], to_alice["CSeq"]) == (
            call.contact[1].strip("<>"),
            call.answer["To"],
            call.invite["From"],
            "1 BYE",
        )
        assert (to_bob.uri, to_bob["From"], to_bob["To"], to_bob["CSeq"]) == (
            call.uri,
            call.invite["From"],
            call.answer["To"],
            "2 BYE",
        )
        assert to_alice.all("Route") == to_bob.all("Route") == []
        call.alice.send(to_alice.reply(200, "OK"), stage.address)
        call.bob.send(to_bob.reply(200, "OK"), stage.address)
        await eventually(lambda: len(dialog._tracker.dialogs) == 0)

    play(stage, story)
    assert [event for event, *_ in stage.value("events")] == ["dialog:start", "dialog:end"]


def test_a_timeout_runs_its_route_and_sends_bye(stage: Stage) -> None:
    async def story(call: Call) -> None:
        await call.establish()
        await eventually(lambda: len(stage.value("events")) == 1)
        for one in dialog._tracker.dialogs:
            one.deadline = one.start_ts
            dialog._tracker.changed(one)
        dialog._tracker.timers.sweep()
        for peer in (call.alice, call.bob):
            bye = await call.at(peer, "BYE")
            peer.send(bye.reply(200, "OK"), stage.address)
        await eventually(lambda: len(dialog._tracker.dialogs) == 0)

    play(stage, story)
    assert [event for event, *_ in stage.value("events")] == ["dialog:start", "late", "dialog:end"]
    assert dialog._counters()["expired_dialogs"] == 1


def test_a_request_without_the_parameter_is_not_taken_to_its_dialog(stage: Stage) -> None:
    async def story(call: Call) -> None:
        await call.establish()
        bye = call.within("BYE", 2)
        bare = tuple(
            (name, "<sip:{}:{};lr>".format(*stage.address) if name == "Route" else v) for name, v in bye.headers
        )
        call.alice.send(replace(bye, headers=bare), stage.address)
        await call.at(call.bob, "BYE")

    play(stage, story)
    assert [event for event, *_ in stage.value("events")] == ["dialog:start"]
    assert dialog._counters()["active_dialogs"] == 1


def test_control_methods_say_what_is_wrong(stage: Stage) -> None:
    async def story(call: Call) -> None:
        for method, params, text in (
            ("dlg.profile_get_size", ["nobody"], "Profile not found: nobody"),
            ("dlg.end_dlg", [1, 1], "Dialog not found"),
            ("dlg.terminate_dlg", ["a", "b", "c"], "Couldnt find callid in dialog"),
            ("dlg.list_match", ["zz", "eq", "x"], "Invalid matching key parameter"),
            ("dlg.list_match", ["furi", "zz", "x"], "Invalid matching operator parameter"),
        ):
            assert (await call_rpc(stage, method, *params))["error"]["message"] == text
        assert (await call_rpc(stage, "dlg.stats_active"))["result"]["all"] == 0

    play(stage, story)


# ---- the table alone -----------------------------------------------------------------------------------------------


def table(most: int = 10) -> Dialogs:
    return Dialogs(["caller"], ["all"], most)


def test_dialogs_are_found_by_their_tags_in_both_directions() -> None:
    dialogs = table()
    made = dialogs.create("call", "sip:a@x", "sip:b@x", "sip:b@x", Leg("a"), 100, 0)
    assert made is not None
    assert dialogs.find("call", "a", "") is made
    made.callee.tag = "b"
    assert dialogs.find("call", "a", "b") is made
    assert dialogs.find("call", "b", "a") is made
    assert dialogs.find("call", "a", "c") is None
    assert dialogs.find("call", "b", "") is None
    assert dialogs.find("other", "a", "b") is None
    dialogs.remove(made)
    assert dialogs.find("call", "a", "b") is None
    assert len(dialogs) == 0


def test_the_number_of_dialogs_is_bounded() -> None:
    dialogs = table(2)
    made = [dialogs.create(unique(), "", "", "", Leg("a"), 1, 0) for _ in range(3)]
    assert [one is not None for one in made] == [True, True, False]


def test_a_dialog_that_ends_leaves_its_profiles() -> None:
    dialogs = table()
    made = dialogs.create("call", "", "", "", Leg("a"), 1, 0)
    assert made is not None
    for value in ("alice", "alice", "bob"):
        dialogs.join(made, "caller", value)
    assert (dialogs.size("caller"), dialogs.size("caller", "alice")) == (3, 2)
    assert dialogs.leave(made, "caller", "bob")
    assert not dialogs.leave(made, "caller", "bob")
    assert dialogs.members("caller", "alice") == [made]
    assert dialogs.move(made, 5)
    assert not dialogs.move(made, 4)
    assert (dialogs.size("caller"), dialogs.members("caller")) == (0, [])


def test_ids_have_their_start_and_step_and_none_is_there_twice() -> None:
    dialogs = Dialogs([], [], 10, ids=(3, 10))
    made = [dialogs.create("call", "", "", "", Leg(str(number)), 1, 0) for number in range(4)]
    ids = [one.h_id for one in made if one is not None]
    assert [number % 10 for number in ids] == [3] * 4
    assert len(set(ids)) == 4
    for one in made:
        assert one is not None
        assert dialogs.at(one.h_entry, one.h_id) is one
    assert dialogs.at(1, 1) is None


def test_entries_are_those_of_kamailio() -> None:
    for call_id, entry in ENTRIES.items():
        assert hash_entry(call_id, 4096) == entry


def test_the_cookie_is_that_of_kamailio() -> None:
    made = table().create("call", "", "", "", Leg("a"), 1, 0)
    assert made is not None
    made.h_entry, made.h_id = 3336, 5149
    assert made.cookie == "80d.d141"


def test_route_sets() -> None:
    recorded = values_of(['<sip:p3;lr>, "a, b" <sip:p2;lr>', "<sip:us;lr;did=1.2>", "<sip:p1;lr>"])
    assert recorded == ["<sip:p3;lr>", '"a, b" <sip:p2;lr>', "<sip:us;lr;did=1.2>", "<sip:p1;lr>"]
    assert routes_to_callee(recorded, 1, 1) == ('"a, b" <sip:p2;lr>', "<sip:p3;lr>")
    assert routes_to_callee([], 0, 0) == ()
