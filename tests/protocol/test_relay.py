"""A stateful relay between two UDP peers, datagram by datagram. Kamailio runs the same script and the same ladder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from conftest import Start, in_both
from support.messages import Sip, request
from support.peers import UdpPeer
from support.servers import Server


@dataclass
class Ladder:
    """A caller, the server and a callee."""

    server: Server
    caller: UdpPeer
    callee: UdpPeer

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address("udp")

    def request(self, method: str, like: Sip | None = None) -> Sip:
        """A request to the callee, in the transaction of `like` if one is named (CANCEL, ACK to a failure)."""
        host, port = self.callee.address
        made = request(method, f"sip:callee@{host}:{port}", self.caller.address)
        if like is None:
            return made
        same = [
            (name, value) for name, value in like.headers if name in ("Via", "Max-Forwards", "From", "To", "Call-ID")
        ]
        return Sip(made.first_line, (*same, ("CSeq", f"{like['CSeq'].split()[0]} {method}")))

    def send(self, message: Sip) -> None:
        self.caller.send(message, self.address)

    def answer(self, to: Sip, code: int, reason: str) -> None:
        self.callee.send(to.reply(code, reason, "callee"), self.address)

    async def at_callee(self, method: str) -> Sip:
        """The next request at the callee other than retransmissions of what it has seen."""
        message, source = await self.callee.receive()
        assert source == self.address
        assert message.method == method, message.first_line
        assert message.status is None
        return message

    async def at_caller(self, status: int) -> Sip:
        """The next response but 100 Trying, which Kamailio calls "trying -- your call is important to us"."""
        while True:
            message, _ = await self.caller.receive()
            if message.status != 100:
                assert message.status == status, message.first_line
                return message


@asynccontextmanager
async def ladder(server: Server) -> AsyncIterator[Ladder]:
    async with UdpPeer.open() as caller, UdpPeer.open() as callee:
        yield Ladder(server, caller, callee)


def play(start: Start, kind: str, story: Callable[[Ladder], Awaitable[None]]) -> Server:
    server = start("relay.py", kind=kind)

    async def run() -> None:
        async with ladder(server) as steps:
            await story(steps)

    asyncio.run(run())
    return server


@in_both
def test_forwarded_request(start: Start, kind: str) -> None:
    """RFC 3261 section 16.6: Via added, the rest as it came."""

    async def story(steps: Ladder) -> None:
        sent = steps.request("MESSAGE")
        sent = Sip(sent.first_line, (*sent.headers, ("X-Odd", 'un "touched" ;;'), ("m", "<sip:c@h>")), b"body\r\n")
        steps.send(sent)
        seen = await steps.at_callee("MESSAGE")
        assert seen.first_line == sent.first_line
        assert len(seen.all("Via")) == 2
        assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP 127.0.0.1:{steps.address[1]};branch=z9hG4bK")
        # Counting it down is the script's work, by KSR.maxfwd; this script leaves it.
        for name in ("Max-Forwards", "From", "To", "Call-ID", "CSeq", "X-Odd", "Contact"):
            assert seen[name] == sent[name]
        assert seen.body == sent.body
        steps.answer(seen, 202, "Accepted")
        answer = await steps.at_caller(202)
        assert answer.first_line == "SIP/2.0 202 Accepted"
        assert len(answer.all("Via")) == 1

    server = play(start, kind, story)
    assert server.route_calls("MESSAGE") == 1


@in_both
def test_retransmitted_request_is_absorbed(start: Start, kind: str) -> None:
    """RFC 3261 section 17.2.2: the route runs once, the callee sees one request, the answer is sent again."""

    async def story(steps: Ladder) -> None:
        sent = steps.request("MESSAGE")
        steps.send(sent)
        seen = await steps.at_callee("MESSAGE")
        steps.send(sent)
        steps.answer(seen, 200, "OK")
        await steps.at_caller(200)
        steps.send(sent)
        await steps.at_caller(200)
        with pytest.raises(TimeoutError):
            await steps.callee.receive(0.2)

    server = play(start, kind, story)
    assert server.route_calls("MESSAGE") == 1 or kind == "kamailio"


@in_both
def test_unanswered_request_is_retransmitted(start: Start, kind: str) -> None:
    """RFC 3261 section 17.1.1.2, timer A: again after T1, and after twice that."""

    async def story(steps: Ladder) -> None:
        steps.send(steps.request("INVITE"))
        loop = asyncio.get_running_loop()
        at = []
        for _ in range(3):
            seen = await steps.at_callee("INVITE")
            at.append(loop.time())
        assert 0.3 < at[1] - at[0] < 0.8, at
        assert 0.8 < at[2] - at[1] < 1.4, at
        steps.answer(seen, 486, "Busy Here")
        await steps.at_caller(486)

    play(start, kind, story)


@in_both
def test_failure_is_acknowledged_hop_by_hop(start: Start, kind: str) -> None:
    """RFC 3261 section 17.1.1.3: the server's ACK to the callee; the caller's ACK goes no further."""

    async def story(steps: Ladder) -> None:
        sent = steps.request("INVITE")
        steps.send(sent)
        seen = await steps.at_callee("INVITE")
        steps.answer(seen, 486, "Busy Here")
        ack = await steps.at_callee("ACK")
        assert ack.all("Via") == seen.all("Via")[:1]
        assert "tag=callee" in ack["To"]
        refused = await steps.at_caller(486)
        steps.send(Sip(steps.request("ACK", sent).first_line, with_to(steps.request("ACK", sent), refused["To"])))
        with pytest.raises(TimeoutError):
            await steps.callee.receive(0.2)

    play(start, kind, story)


def with_to(message: Sip, to: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, to if name == "To" else value) for name, value in message.headers)


@in_both
def test_cancel(start: Start, kind: str) -> None:
    """RFC 3261 sections 9 and 16.10: 200 to the CANCEL, CANCEL to the callee, 487 to the caller."""

    async def story(steps: Ladder) -> None:
        sent = steps.request("INVITE")
        steps.send(sent)
        seen = await steps.at_callee("INVITE")
        steps.answer(seen, 180, "Ringing")
        await steps.at_caller(180)
        steps.send(steps.request("CANCEL", sent))
        assert (await steps.at_caller(200)).method == "CANCEL"
        cancel = await steps.at_callee("CANCEL")
        assert cancel.all("Via") == seen.all("Via")[:1]
        steps.answer(cancel, 200, "OK")
        steps.answer(seen, 487, "Request Terminated")
        await steps.at_callee("ACK")
        assert (await steps.at_caller(487)).method == "INVITE"

    play(start, kind, story)


@in_both
def test_trying_comes_from_the_server(start: Start, kind: str) -> None:
    """RFC 3261 section 16.2: 100 within 200 ms while the callee is silent; not passed on."""

    async def story(steps: Ladder) -> None:
        sent = steps.request("INVITE")
        steps.send(sent)
        answer, _ = await steps.caller.receive(0.4)
        assert answer.status == 100
        assert answer["Call-ID"] == sent["Call-ID"]
        seen = await steps.at_callee("INVITE")
        steps.answer(seen, 100, "Trying")
        steps.answer(seen, 480, "Temporarily Unavailable")
        await steps.at_caller(480)

    play(start, kind, story)


@in_both
def test_retransmitted_2xx_and_ack_pass_end_to_end(start: Start, kind: str) -> None:
    """RFC 3261 section 13.3.1.4 and RFC 6026: each 2xx and its ACK are the user agents' own affair."""

    async def story(steps: Ladder) -> None:
        sent = steps.request("INVITE")
        steps.send(sent)
        seen = await steps.at_callee("INVITE")
        for _ in range(2):
            steps.answer(seen, 200, "OK")
            accepted = await steps.at_caller(200)
            ack = steps.request("ACK")
            own = [(name, value) for name, value in ack.headers if name in ("Via", "Max-Forwards")]
            dialog = [("From", sent["From"]), ("To", accepted["To"]), ("Call-ID", sent["Call-ID"]), ("CSeq", "1 ACK")]
            steps.send(Sip(ack.first_line, (*own, *dialog)))
            assert (await steps.at_callee("ACK"))["To"] == accepted["To"]

    play(start, kind, story)


def test_silent_callee(start: Start) -> None:
    """Timer B (here: fr_timer) gives 408 to an INVITE, and nothing to another request (RFC 4320 section 4.2)."""
    server = start("relay.py", settings={"timers.fr_ms": 300})

    async def run() -> None:
        async with ladder(server) as steps:
            steps.send(steps.request("MESSAGE"))
            await steps.at_callee("MESSAGE")
            sent = steps.request("INVITE")
            steps.send(sent)
            await steps.at_callee("INVITE")
            assert (await steps.at_caller(408))["Call-ID"] == sent["Call-ID"]

    asyncio.run(run())
