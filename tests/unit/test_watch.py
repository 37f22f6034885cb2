"""Modules are told what happens to transactions: `_engine.watch`, and `_engine.on_loose_route`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sipwright import _engine
from support.messages import Sip, request, unique
from support.peers import UdpPeer, eventually
from support.stage import Stage

SCRIPT = """
import KSR

def mod_init():
    return Handler()

class Handler:
    prepare = staticmethod(lambda: None)

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        Handler.prepare()
        KSR.pv.sets("$avp(who)", "route")
        KSR.setflag(3)
        if KSR.is_OPTIONS():
            KSR.sl.sl_send_reply(200, "OK")
        elif KSR.is_REGISTER():
            KSR.tm.t_newtran()
            KSR.tm.t_reply(404, "Nobody")
        elif KSR.is_CANCEL():
            KSR.tm.t_relay()
        else:
            if KSR.siputils.has_totag() > 0:
                KSR.rr.loose_route()
            else:
                KSR.rr.record_route()
                KSR.tm.t_on_failure("failed")
            KSR.tm.t_relay()

    def failed(self, msg):
        pass
"""
ALL = 255
NAME = "test:watch"
VARIABLES = ("$rm", "$rs", "$tt", "$T_rpl($rs)", "$T_req($rm)", "$T_reply_code", "$avp(who)", "$fU")


class Told(list[tuple[Any, ...]]):
    """What the route that watches was told."""

    def __call__(self, message: _engine.Message, event: str) -> None:
        pv = sys.modules["KSR"].pv
        values = tuple(pv.get(name) for name in VARIABLES)
        told = _engine.watched()
        assert told is not None
        response = message.response
        assert _engine.current().request is not None
        self.append((event, *told, response.Status if response else None, values))
        pv.sets("$avp(who)", event)

    @property
    def events(self) -> list[tuple[Any, ...]]:
        """Event, code and branch."""
        return [(event, code, branch) for event, _, code, branch, *_ in self]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def stage(tmp_path: Path, told: Told) -> Iterator[Stage]:
    found = Stage(tmp_path, SCRIPT)
    found.host.route(NAME, told)
    yield found
    found.stop()
    _engine.on_loose_route(NAME, None)


def watching(stage: Stage, kinds: int, *, shows_message: bool = False) -> None:
    """Has the request route watch its transaction, before there is one."""
    handler = stage.value("Handler")
    handler.prepare = staticmethod(lambda: _engine.watch(kinds, NAME, 42, shows_message=shows_message))


def within(sent: Sip, **headers: str) -> Sip:
    """The request with some other headers."""
    return replace(sent, headers=tuple((name, headers.get(name, value)) for name, value in sent.headers))


def play(story: Callable[[UdpPeer, UdpPeer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await story(alice, bob)

    asyncio.run(run())


def test_a_call_is_told_with_request_and_response(stage: Stage, told: Told) -> None:
    watching(stage, ALL)

    async def story(alice: UdpPeer, bob: UdpPeer) -> None:
        uri = "sip:bob@{}:{}".format(*bob.address)
        invite = request("INVITE", uri, alice.address)
        alice.send(invite, stage.address)
        got, _ = await bob.receive()
        bob.send(got.reply(180, "Ringing", "b"), stage.address)
        bob.send(got.reply(200, "OK", "b"), stage.address)
        await alice.final(invite["Call-ID"])
        await eventually(lambda: len(told) == 5)

    play(story)
    assert told.events == [
        ("forwarded", 0, 0),
        ("received", 180, 0),
        ("provisional", 180, 0),
        ("received", 200, 0),
        ("final", 200, 0),
    ]
    assert {key for _, key, *_ in told} == {42}
    # As the request was: variables of the request, of the response, and AVPs that go from one to the next.
    values = dict(zip(VARIABLES, told[2][-1], strict=True))
    assert values == {
        "$rm": "INVITE",
        "$rs": 180,
        "$tt": "b",
        "$T_rpl($rs)": 180,
        "$T_req($rm)": "INVITE",
        "$T_reply_code": 180,
        "$avp(who)": "received",
        "$fU": values["$fU"],
    }
    assert [row[-2] for row in told] == [None, "180", "180", "200", "200"]


def test_the_message_of_what_happened_is_shown(stage: Stage, told: Told) -> None:
    watching(stage, _engine.WATCH_FINAL, shows_message=True)

    async def story(alice: UdpPeer, bob: UdpPeer) -> None:
        invite = request("INVITE", "sip:bob@{}:{}".format(*bob.address), alice.address)
        alice.send(invite, stage.address)
        got, _ = await bob.receive()
        bob.send(got.reply(486, "Busy", "b"), stage.address)
        assert (await alice.final(invite["Call-ID"])).status == 486
        await eventually(lambda: bool(told))

    play(story)
    values = dict(zip(VARIABLES, told[0][-1], strict=True))
    assert (values["$rs"], values["$tt"], values["$T_req($rm)"], values["$avp(who)"]) == (486, "b", "INVITE", "route")


def test_a_reply_of_the_script_and_the_end(stage: Stage, told: Told) -> None:
    watching(stage, ALL)

    async def story(alice: UdpPeer, _bob: UdpPeer) -> None:
        sent = request("REGISTER", "sip:test.invalid", alice.address)
        assert (await alice.ask(sent, stage.address)).status == 404
        await eventually(lambda: bool(told))

    play(story)
    assert told.events[0] == ("final", 404, None)


def test_a_request_without_a_transaction_ends_with_its_route(stage: Stage, told: Told) -> None:
    watching(stage, ALL)

    async def story(alice: UdpPeer, _bob: UdpPeer) -> None:
        sent = request("OPTIONS", "sip:test.invalid", alice.address)
        assert (await alice.ask(sent, stage.address)).status == 200
        await eventually(lambda: bool(told))

    play(story)
    assert told.events == [("end", 0, None)]
    assert told[0][-1][VARIABLES.index("$avp(who)")] == "route"


def test_a_cancelled_call(stage: Stage, told: Told) -> None:
    watching(stage, _engine.WATCH_CANCEL | _engine.WATCH_FINAL | _engine.WATCH_FAILED)

    async def story(alice: UdpPeer, bob: UdpPeer) -> None:
        uri = "sip:bob@{}:{}".format(*bob.address)
        invite = request("INVITE", uri, alice.address)
        alice.send(invite, stage.address)
        got, _ = await bob.receive()
        bob.send(got.reply(180, "Ringing", "b"), stage.address)
        alice.send(
            within(request("CANCEL", uri, alice.address, call_id=invite["Call-ID"]), Via=invite["Via"]), stage.address
        )
        while (await bob.receive())[0].method != "CANCEL":
            pass
        bob.send(got.reply(487, "Terminated", "b"), stage.address)
        await eventually(lambda: len(told) == 3)

    play(story)
    assert told.events == [("cancel", 0, None), ("failed", 487, 0), ("final", 487, 0)]


def test_the_ack_of_a_call(stage: Stage, told: Told) -> None:
    watching(stage, _engine.WATCH_ACK, shows_message=True)

    async def story(alice: UdpPeer, bob: UdpPeer) -> None:
        uri = "sip:bob@{}:{}".format(*bob.address)
        invite = request("INVITE", uri, alice.address)
        alice.send(invite, stage.address)
        got, _ = await bob.receive()
        bob.send(got.reply(200, "OK", "b"), stage.address)
        answer = await alice.final(invite["Call-ID"])
        ack = request("ACK", uri, alice.address, call_id=invite["Call-ID"])
        alice.send(within(ack, From=invite["From"], To=answer["To"]), stage.address)
        await eventually(lambda: bool(told))

    play(story)
    assert told.events == [("ack", 0, None)]
    assert told[0][-1][0] == "ACK"


def test_requests_of_dialogs_are_seen_after_loose_route(stage: Stage) -> None:
    seen: list[str] = []
    _engine.on_loose_route(NAME, lambda: seen.append(_engine.current().Method))

    async def story(alice: UdpPeer, bob: UdpPeer) -> None:
        uri = "sip:bob@{}:{}".format(*bob.address)
        route = ("Route", "<sip:{}:{};lr>".format(*stage.address))
        for method, extra in (("BYE", (route,)), ("INFO", ())):
            sent = request(method, uri, alice.address, extra=extra)
            alice.send(within(sent, To=f"{sent['To']};tag=t"), stage.address)
            got, _ = await bob.receive()
            assert got.method == method

    play(story)
    assert seen == ["BYE"]


def test_events_of_one_transaction_keep_their_order(stage: Stage) -> None:
    """Two workers, many calls at once: nobody is told of an end before its beginning."""
    watching(stage, _engine.WATCH_FORWARDED | _engine.WATCH_PROVISIONAL | _engine.WATCH_FINAL)
    calls = 30

    def ordered(message: _engine.Message, event: str) -> None:
        watched = _engine.watched()
        assert watched is not None
        rows.append((message.call_id, event, watched[1]))

    rows: list[tuple[str, str, int]] = []
    stage.host.route(NAME, ordered)

    async def story(alice: UdpPeer, bob: UdpPeer) -> None:
        uri = "sip:bob@{}:{}".format(*bob.address)
        for _ in range(calls):
            alice.send(request("INVITE", uri, alice.address, call_id=unique("order")), stage.address)
        answered: set[str] = set()
        while len(answered) < calls:
            got, _source = await bob.receive()
            if got.method == "INVITE" and got["Call-ID"] not in answered:
                answered.add(got["Call-ID"])
                for code in (180, 183, 486):
                    bob.send(got.reply(code, "x", "b"), stage.address)
        await eventually(lambda: sum(event == "final" for _, event, _ in rows) == calls)

    play(story)
    for call in {row[0] for row in rows}:
        own = [row[1:] for row in rows if row[0] == call]
        assert own == [("forwarded", 0), ("provisional", 180), ("provisional", 183), ("final", 486)]
