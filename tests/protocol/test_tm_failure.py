"""Failure routes and serial forking through KSR.tm. Kamailio runs the same script and the same calls."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from conftest import Start, in_both, run
from support.calls import Call, call
from support.messages import request
from support.peers import UdpPeer
from support.servers import Server

SERIAL = """
modparam("tm", "contacts_avp", "contacts")
modparam("tm", "contact_flows_avp", "flows")
"""


async def finished(steps: Call, code: int) -> None:
    await steps.until(f"{code} > caller")
    assert steps.final() == [code]


@in_both
def test_failure_route_has_the_request_as_it_was_forwarded(start: Start, kind: str) -> None:
    """Request-URI, next hop, flags, AVPs, header edits and Record-Route are those of t_relay."""

    async def story(server: Server) -> None:
        async with call(server, "failure_ru", (404, 200)) as steps:
            await finished(steps, 200)
            hop = f"sip:callee0@127.0.0.1:{steps.callees[0].address[1]}"
            await steps.said(f"sip:callee@test.invalid {hop} True kept")
            (first,), (second,) = steps.at(0), steps.at(1)
            assert first.all("X-Edit") == ["request"]
            assert second.all("X-Edit") == ["request", "failure"]
            assert second.uri.startswith("sip:callee1@")
            assert len(second.all("Record-Route")) == 1
            assert second.all("Record-Route") == first.all("Record-Route")

    run(start, kind, story)


@in_both
def test_what_makes_a_new_destination(start: Start, kind: str) -> None:
    """A new request-URI or next hop is tried, an appended branch too, each once; nothing new is an error."""

    async def story(server: Server) -> None:
        async with call(server, "failure_du", (404, 200)) as steps:
            await finished(steps, 200)
            await steps.said("1")
            assert steps.at(1)[0].uri == steps.sent.uri
        async with call(server, "failure_append", (404, 200)) as steps:
            await finished(steps, 200)
            await steps.said("1 -1")
            assert len(steps.at(1)) == 1
        async with call(server, "failure_nothing", (404,)) as steps:
            await finished(steps, 404)
            await steps.said("-1")
        async with call(server, "relay_twice", (180, 200)) as steps:
            await finished(steps, 200)
            await steps.said("1 -1 1")

    run(start, kind, story)


@in_both
def test_saved_edits(start: Start, kind: str) -> None:
    """t_save_lumps: later edits are for the first branch only."""

    async def story(server: Server) -> None:
        async with call(server, "save_lumps", (404, 200)) as steps:
            await finished(steps, 200)
            assert steps.at(0)[0].all("X-Edit") == ["saved", "not saved"]
            assert steps.at(1)[0].all("X-Edit") == ["saved"]
            await steps.said("-1 1")

    run(start, kind, story)


@in_both
@pytest.mark.parametrize(
    ("mode", "how", "codes", "seen", "final"),
    [
        (3, "-+,-+", (404, 500), ["404"], 500),
        (3, "-+,-", (404, 500), ["404", "500"], 500),
        (3, "a", (404,), ["404"], 500),
        (3, "n", (404,), ["404"], 404),
        (3, "l+,n+", (404, 500, 486), ["404", "500"], 486),
        (2, "-", (404,), ["404"], 500),
        (1, "-+,-", (404, 501), ["404", "501"], 500),
    ],
)
def test_dropped_replies(
    start: Start, kind: str, mode: int, how: str, codes: tuple[int, ...], seen: list[str], final: int
) -> None:
    """failure_reply_mode and t_drop_replies: which failures are compared in the end."""

    async def story(server: Server) -> None:
        # The last failure route of "-+" goes on to a callee that is not there to be asked.
        wanted = (*codes, 486) if how.count("+") > len(codes) - 1 else codes
        async with call(server, "drop", wanted, extra=(("X-How", how),)) as steps:
            await steps.until(f"{final if wanted == codes else wanted[-1]} > caller")
            await steps.said(*seen)

    config = f'modparam("tm", "failure_reply_mode", {mode})\n'
    run(start, kind, story, settings={"tm.failure_reply_mode": mode}, config=config)


def test_all_failures_kept(start: Start) -> None:
    """failure_reply_mode 0: the best of all sets. (Kamailio then runs the first route again, and again.)"""

    async def story(server: Server) -> None:
        async with call(server, "drop", (404, 500), extra=(("X-How", "-+,-"),)) as steps:
            await finished(steps, 404)
            await steps.said("404", "404")

    run(start, "sipwright", story, settings={"tm.failure_reply_mode": 0})


@in_both
def test_serial_forking_by_q(start: Start, kind: str) -> None:
    """t_load_contacts and t_next_contacts: highest q first, equals at once, no q last."""

    async def story(server: Server) -> None:
        async with call(server, "serial", (404, 486, 500), extra=(("X-How", "-,0.5,0.5"),)) as steps:
            await finished(steps, 404)
            asked = [index for index, message in steps.requests if message.method == "INVITE"]
            assert sorted(asked[:2]) == [1, 2]
            assert asked[2] == 0
            await steps.said("1 1", "486 1", "404 -2")
        async with call(server, "serial", (404, 200, 404), extra=(("X-How", "-,0.1,0.9"),)) as steps:
            await finished(steps, 200)
            asked = [index for index, message in steps.requests if message.method == "INVITE"]
            assert asked == [2, 1]
        async with call(server, "serial", (404,), extra=(("X-How", "-"),)) as steps:
            await finished(steps, 404)
            await steps.said("1 -2", "404 -2")

    run(start, kind, story, config=SERIAL)


@in_both
def test_serial_forking_by_chance(start: Start, kind: str) -> None:
    """t_load_contacts in mode 1: one after the other, those without q last."""

    async def story(server: Server) -> None:
        extra = (("X-How", "-,0.5,0.5"), ("X-Mode", "1"))
        async with call(server, "serial", (404, 486, 500), extra=extra) as steps:
            await finished(steps, 404)
            asked = [index for index, message in steps.requests if message.method == "INVITE"]
            assert sorted(asked[:2]) == [1, 2]
            assert asked[2:] == [0]
            codes = {1: "486", 2: "500"}
            await steps.said("1 1", f"{codes[asked[0]]} 1", f"{codes[asked[1]]} 1", "404 -2")

    run(start, kind, story, config=SERIAL)


def test_branch_tried_once_more(start: Start) -> None:
    """t_reuse_branch in a branch failure route. (Kamailio names that route `tm:branch-failure:...`.)"""

    async def story(server: Server) -> None:
        async with call(server, "reuse", (404, 0)) as steps:
            await steps.until("INVITE > 1", "ACK > 0")
            uri = f"sip:callee0@127.0.0.1:{steps.callees[0].address[1]}"
            await steps.said(f"404 -2 1 {uri}")
            async with asyncio.timeout(3):
                while len(steps.at(0)) < 2:
                    await asyncio.sleep(0.01)
            first, second = steps.at(0)[:2]
            assert first.uri == second.uri == uri
            assert second.all("X-Edit") == ["request"]
            assert first["Via"] != second["Via"]
            assert steps.final() == []
            steps.cancel()

    run(start, "sipwright", story)


def test_flows_of_one_user_agent(start: Start) -> None:
    """RFC 5626 section 5.3: the second flow is tried when the first one fails, not at the same time."""

    async def story(server: Server) -> None:
        async with AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(UdpPeer.open()) for _ in range(3)]
            caller, *flows = peers
            here = server.address("udp")
            domain = f"{here[0]}:{here[1]}"
            for number, flow in enumerate(flows, 1):
                contact = f'<sip:bob@127.0.0.1:{flow.address[1]}>;+sip.instance="<urn:uuid:1>";reg-id={number}'
                aor, extra = f"sip:bob@{domain}", (("Contact", contact), ("X-Case", "register"))
                sent = request("REGISTER", f"sip:{domain}", flow.address, from_uri=aor, to_uri=aor, extra=extra)
                assert (await flow.ask(sent, here)).status == 200
            sent = request("INVITE", f"sip:bob@{domain}", caller.address, extra=(("X-Case", "flows"),))
            caller.send(sent, here)
            receiving = {asyncio.ensure_future(flow.receive()): flow for flow in flows}
            done, waiting = await asyncio.wait(receiving, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) == 1
            (first,) = done
            invite, _ = first.result()
            receiving[first].send(invite.reply(430, "Flow Failed", "one"), here)
            (second,) = waiting
            invite, _ = await second
            assert invite.method == "INVITE"
            receiving[second].send(invite.reply(200, "OK", "two"), here)
            assert (await caller.final(sent["Call-ID"])).status == 200

    run(start, "sipwright", story)
