"""Settings, flags, replies and copies through KSR.tm and KSR.tmx. Kamailio runs the same script and the same calls."""

from __future__ import annotations

import asyncio
import re

import pytest

from conftest import Start, in_both, run
from support.calls import Call, call
from support.messages import Sip, request, unique
from support.peers import StreamPeer, UdpPeer, eventually
from support.servers import Server

SILENT = (0,)


def trying(steps: Call) -> list[Sip]:
    return [response for response in steps.responses if response.status == 100]


@in_both
def test_replies_of_the_script(start: Start, kind: str) -> None:
    """t_reply: once, from failure and reply routes; not from a branch route; pending branches are cancelled."""

    async def story(server: Server) -> None:
        async with call(server, "reply_in_failure", (404,)) as steps:
            await steps.until("480 > caller")
            await steps.said("1 -1")
            answer = next(r for r in steps.responses if r.status == 480)
            assert answer["X-Result"] == "failure"
            assert answer.all("Via") == steps.sent.all("Via")
        async with call(server, "reply_in_reply", (180,)) as steps:
            await steps.until("480 > caller", "CANCEL > 0")
            await steps.said("180 1")
            assert steps.final() == [480]
            assert steps.at(0, "CANCEL")[0]["Reason"] == "SIP;cause=480"
        async with call(server, "reply_in_reply", (404,)) as steps:
            await steps.until("480 > caller")
            await steps.said("404 1")
            assert steps.final() == [480]
        async with call(server, "reply_in_branch", (486,)) as steps:
            await steps.until("486 > caller")
            await steps.said("-1")

    run(start, kind, story)


@in_both
def test_own_2xx_is_repeated_until_its_ack(start: Start, kind: str) -> None:
    """RFC 3261 section 13.3.1.4."""

    async def story(server: Server) -> None:
        async with call(server, "own_2xx", ()) as steps:
            await steps.until("200 > caller")
            async with asyncio.timeout(5):
                while len(steps.responses) < 3:
                    await asyncio.sleep(0.01)
            answers = steps.responses
            assert {answer.first_line for answer in answers} == {"SIP/2.0 200 Mine"}
            steps.ack(answers[0]["To"], branch=f"z9hG4bK{unique()}")
            if kind == "sipwright":
                # Kamailio 5.6 does not stop for the ACK, which it does not connect with its own 2xx.
                await steps.said("1")
                count = len(answers)
                await asyncio.sleep(2.2)
                assert len(answers) == count
            await steps.said("1")

    run(start, kind, story)


def test_own_2xx_is_repeated_over_tcp(start: Start) -> None:
    """RFC 3261 section 13.3.1.4: whatever the transport, because the next hop may be UDP. (Kamailio does not.)"""
    server = start("tm.py", "tcp")

    async def story() -> None:
        async with StreamPeer.open(server.address("tcp")) as peer:
            sent = request(
                "INVITE", "sip:callee@test.invalid", peer.address, proto="TCP", extra=(("X-Case", "own_2xx"),)
            )
            await peer.send(sent)
            loop = asyncio.get_running_loop()
            at = []
            for _ in range(3):
                answer = await peer.receive()
                assert answer.status == 200
                at.append(loop.time())
            assert 0.3 < at[1] - at[0] < 0.9
            assert 0.8 < at[2] - at[1] < 1.5
            ack = request("ACK", "sip:callee@test.invalid", peer.address, proto="TCP")
            same = {"From": sent["From"], "To": answer["To"], "Call-ID": sent["Call-ID"], "CSeq": "1 ACK"}
            headers = tuple((name, same.get(name, value)) for name, value in ack.headers)
            await peer.send(Sip(ack.first_line, headers))
            with pytest.raises(TimeoutError):
                await peer.receive(2.3)

    asyncio.run(story())


@in_both
def test_request_dropped(start: Start, kind: str) -> None:
    """t_drop: no answer, and the transaction is over."""

    async def story(server: Server) -> None:
        for extra in ((), (("X-How", "403"),)):
            async with call(server, "drop_request", (), extra=extra) as steps:
                with pytest.raises(AssertionError):
                    await steps.until("500 > caller", timeout_s=0.4)
                await steps.said("0")
                assert steps.responses == []

    run(start, kind, story)


@in_both
def test_flags_of_t_relay(start: Start, kind: str) -> None:
    """1: no 100; 2: no answer of its own. t_set_auto_inv_100 and t_set_disable_internal_reply say the same."""

    async def story(server: Server) -> None:
        async with call(server, "flags", (486,), extra=(("X-How", "0"),)) as steps:
            await steps.until("100 > caller", "486 > caller")
        for case in ("flags", "no_trying"):
            async with call(server, case, (486,), extra=(("X-How", "1"),)) as steps:
                await steps.until("486 > caller")
                assert trying(steps) == []
                await steps.said("1")
        for case in ("flags_bad", "internal_reply"):
            async with call(server, case, (), extra=(("X-How", "2"),)) as steps:
                await steps.until("503 > caller")
                await steps.said("-4 1")
                assert steps.final() == [503]

    run(start, kind, story)


@in_both
def test_retransmission_intervals(start: Start, kind: str) -> None:
    """t_set_retr: T1 and T2 of one transaction."""

    async def story(server: Server) -> None:
        async with call(server, "retr", SILENT, method="MESSAGE") as steps:
            await asyncio.sleep(0.95)
            # At 0, 100, 300, 500, 700, 900 ms; with the configured T1 two of them.
            assert 4 <= len(steps.at(0, "MESSAGE")) <= 7
            await steps.said("1")
        async with call(server, "retr_reset", SILENT, method="MESSAGE") as steps:
            await asyncio.sleep(0.95)
            assert len(steps.at(0, "MESSAGE")) <= 2
            await steps.said("1")

    run(start, kind, story)


@in_both
def test_longest_life(start: Start, kind: str) -> None:
    """t_set_max_lifetime ends the branches; t_is_expired says so."""

    async def story(server: Server) -> None:
        async with call(server, "lifetime", (180,)) as steps:
            await steps.until("408 > caller")
            await steps.said("1", "1 408")
        async with call(server, "lifetime_reset", (180,)) as steps:
            with pytest.raises(AssertionError):
                await steps.until("408 > caller", timeout_s=0.6)
            await steps.said("1 -1")
            steps.cancel()
            await steps.until("487 > caller")

    run(start, kind, story)


@in_both
def test_reason_of_a_cancel(start: Start, kind: str) -> None:
    """RFC 3326: all of it is passed on, unless the script says no."""
    why = ("SIP;cause=200", 'Q.850;cause=16;text="done"')

    async def story(server: Server) -> None:
        for case, expected in (("relay", list(why)), ("no_cancel_reason", [])):
            async with call(server, case, (180,)) as steps:
                await steps.until("180 > caller")
                steps.cancel(*why)
                await steps.until("CANCEL > 0", "487 > caller")
                assert steps.at(0, "CANCEL")[0].all("Reason") == expected

    run(start, kind, story)


@in_both
def test_reasons_turned_off(start: Start, kind: str) -> None:
    """e2e_cancel_reason and local_cancel_reason."""

    async def story(server: Server) -> None:
        async with call(server, "relay", (180,)) as steps:
            await steps.until("180 > caller")
            steps.cancel("SIP;cause=200")
            await steps.until("CANCEL > 0", "487 > caller")
            assert steps.at(0, "CANCEL")[0].all("Reason") == []
        async with call(server, "fork", (180, 603)) as steps:
            await steps.until("CANCEL > 0", "603 > caller")
            assert steps.at(0, "CANCEL")[0].all("Reason") == []

    settings = {"tm.e2e_cancel_reason": "false", "tm.local_cancel_reason": "false"}
    config = 'modparam("tm", "e2e_cancel_reason", 0)\nmodparam("tm", "local_cancel_reason", 0)\n'
    run(start, kind, story, settings=settings, config=config)


@in_both
@pytest.mark.parametrize("method", [0, 2])
def test_cancelled_before_any_response(start: Start, kind: str, method: int) -> None:
    """cancel_b_method 0: counts as answered at once; 2: the CANCEL is sent all the same."""

    async def story(server: Server) -> None:
        async with call(server, "relay", SILENT) as steps:
            await steps.until("INVITE > 0")
            steps.cancel()
            await steps.until("487 > caller", timeout_s=2)
            assert len(steps.at(0, "CANCEL")) == (1 if method == 2 else 0)

    config = f'modparam("tm", "cancel_b_method", {method})\n'
    run(start, kind, story, settings={"tm.cancel_b_method": method}, config=config)


@in_both
def test_cancel_without_its_invite_is_dropped(start: Start, kind: str) -> None:
    """unmatched_cancel 2."""

    async def story(server: Server) -> None:
        async with call(server, "relay", SILENT, method="CANCEL") as steps:
            with pytest.raises(AssertionError):
                await steps.until("CANCEL > 0", timeout_s=0.4)

    run(start, kind, story, settings={"tm.unmatched_cancel": 2}, config='modparam("tm", "unmatched_cancel", 2)\n')


@in_both
def test_trying(start: Start, kind: str) -> None:
    """auto_inv_100 and its reason."""

    async def story(server: Server) -> None:
        async with call(server, "relay", (486,)) as steps:
            await steps.until("486 > caller")
            assert [answer.first_line for answer in trying(steps)] == ["SIP/2.0 100 Your call"]

    run(
        start,
        kind,
        story,
        settings={"tm.auto_inv_100_reason": "Your call"},
        config='modparam("tm", "auto_inv_100_reason", "Your call")\n',
    )

    async def quiet(server: Server) -> None:
        async with call(server, "relay", (486,)) as steps:
            await steps.until("486 > caller")
            assert trying(steps) == []

    run(start, kind, quiet, settings={"tm.auto_inv_100": "false"}, config='modparam("tm", "auto_inv_100", 0)\n')


@in_both
def test_503_of_a_branch(start: Start, kind: str) -> None:
    """remap_503_500, on and off."""
    for on, code in ((True, 500), (False, 503)):

        async def story(server: Server, code: int = code) -> None:
            async with call(server, "relay", (503,)) as steps:
                await steps.until(f"{code} > caller")
                assert steps.final() == [code]

        config = f'modparam("tm", "remap_503_500", {int(on)})\n'
        run(start, kind, story, settings={"tm.remap_503_500": str(on).lower()}, config=config)


def test_questions_before_and_after(start: Start) -> None:
    """t_exists, which Kamailio 5.6 lacks, and the like, without a transaction and with one."""

    async def story(server: Server) -> None:
        async with call(server, "exists", (), method="MESSAGE") as steps:
            await steps.until("404 > caller")
            await steps.said("-1 -1 -1 -1 1 -1 1 1 1")

    run(start, "sipwright", story)


@in_both
def test_copies(start: Start, kind: str) -> None:
    """t_replicate: the copy is a transaction of its own, and its answer ends here."""

    async def story(server: Server) -> None:
        async with call(server, "replicate", (486,), method="REGISTER") as steps:
            await steps.until("REGISTER > 0", "200 > caller")
            copy = steps.at(0, "REGISTER")[0]
            assert copy.uri == steps.sent.uri
            assert re.match(r"SIP/2.0/UDP 127\.0\.0\.1:\d+;branch=z9hG4bK", copy.all("Via")[0])
            with pytest.raises(AssertionError):
                await steps.until("486 > caller", timeout_s=0.3)
            assert steps.final() == [200]
            await steps.said("1")

    run(start, kind, story)


def test_copy_beside_the_request(start: Start) -> None:
    """The request itself goes its way. (Kamailio makes the copy the request's only transaction.)"""

    async def story(server: Server) -> None:
        async with call(server, "replicate_and_relay", (202, 0), method="MESSAGE") as steps:
            await steps.until("MESSAGE > 0", "MESSAGE > 1", "202 > caller")
            await steps.said("1 1")
            async with asyncio.timeout(3):
                # The silent one gets it again: the copy is retransmitted.
                while len(steps.at(1, "MESSAGE")) < 2:
                    await asyncio.sleep(0.01)
            assert len(steps.at(0, "MESSAGE")) == 1

    run(start, "sipwright", story)


def breadths(steps: Call) -> list[list[str]]:
    return [message.all("Max-Breadth") for _, message in steps.requests if message.method == "INVITE"]


def test_max_breadth_is_shared(start: Start) -> None:
    """RFC 5393 section 5.3.3: forking divides it, too little of it is refused; one branch without it gets none."""

    async def story(server: Server) -> None:
        for given, shares in (((), ["20", "20", "20"]), (("10",), ["3", "3", "4"]), (("200",), ["20", "20", "20"])):
            extra = [("Max-Breadth", value) for value in given]
            async with call(server, "fork", (486, 486, 486), extra=extra) as steps:
                await steps.until("486 > caller")
                assert sorted(value for values in breadths(steps) for value in values) == shares
        async with call(server, "fork", (486, 486, 486), extra=[("Max-Breadth", "2")]) as steps:
            await steps.until("440 > caller")
            assert breadths(steps) == []
        for extra, expected in (([], []), ([("Max-Breadth", "7")], ["7"])):
            async with call(server, "fork", (486,), extra=extra) as steps:
                await steps.until("486 > caller")
                assert breadths(steps) == [expected]
        async with call(server, "fork", (486,), extra=[("Max-Breadth", "0")]) as steps:
            await steps.until("440 > caller")

    run(start, "sipwright", story)


def test_max_breadth_of_failed_branches_is_free_again(start: Start) -> None:
    """Serial forking is no amplification (RFC 5393 section 5.3.3.1)."""

    async def story(server: Server) -> None:
        async with call(server, "failure_du", (404, 486), extra=[("Max-Breadth", "1")]) as steps:
            await steps.until("486 > caller")
            assert breadths(steps) == [["1"], ["1"]]

    run(start, "sipwright", story)


def test_max_breadth_left_alone(start: Start) -> None:
    async def story(server: Server) -> None:
        async with call(server, "fork", (486, 486), extra=[("Max-Breadth", "1")]) as steps:
            await steps.until("486 > caller")
            assert breadths(steps) == [["1"], ["1"]]

    run(start, "sipwright", story, settings={"tm.max_breadth": 0})


@pytest.mark.parametrize("detect", [True, False])
def test_loop(start: Start, detect: bool) -> None:
    """RFC 5393 section 4: a request that is sent to ourselves ends with 482, not with Max-Forwards."""
    server = start("relay.py", settings={"tm.loop_detection": str(detect).lower(), "timers.fr_ms": 1500})
    host, port = server.address("udp")

    async def story() -> None:
        async with UdpPeer.open() as caller:
            sent = request("MESSAGE", f"sip:{host}:{port}", caller.address)
            caller.send(sent, (host, port))
            if detect:
                assert (await caller.final(sent["Call-ID"])).status == 482
            else:
                with pytest.raises(TimeoutError):
                    await caller.final(sent["Call-ID"], 0.5)

    asyncio.run(story())
    calls = server.route_calls("MESSAGE")
    assert (calls == 3) if detect else (calls > 10)


def test_ack_of_a_failure_over_tcp_ends_here(start: Start) -> None:
    """RFC 3261 section 17.2.1: Timer I is zero there, so that the transaction is gone before the route asks."""
    server = start("tm.py", "tcp", "udp")

    async def story() -> None:
        async with UdpPeer.open() as callee, StreamPeer.open(server.address("tcp")) as caller:
            uri = f"sip:callee@127.0.0.1:{callee.address[1]}"
            extra = (("X-Case", "relay"), ("X-To", uri), ("X-How", "late"))
            sent = request("INVITE", uri, caller.address, proto="TCP", extra=extra)
            await caller.send(sent)
            invite, source = await callee.receive()
            callee.send(invite.reply(486, "Busy Here", "callee"), source)
            assert len((await callee.receive())[0].all("Via")) == 1
            while (answer := await caller.receive()).status == 100:
                pass
            same = [(name, answer["To"] if name == "To" else value) for name, value in sent.headers if name != "CSeq"]
            await caller.send(Sip(f"ACK {uri} SIP/2.0", (*same, ("CSeq", "1 ACK"))))
            await eventually(lambda: "relay 0 1" in server.log())
            with pytest.raises(TimeoutError):
                await callee.receive(0.2)

    asyncio.run(story())
