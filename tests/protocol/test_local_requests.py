"""Requests that the server sends by itself: `t_uac_send`, `tm:local-request`, and who is told of the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from conftest import Start, in_both
from support.messages import Sip, request, unique
from support.peers import UdpPeer, eventually
from support.servers import Server


@dataclass
class Stage:
    """Who asks for requests, and who gets them."""

    server: Server
    asker: UdpPeer
    callee: UdpPeer

    @property
    def uri(self) -> str:
        host, port = self.callee.address
        return f"sip:callee@{host}:{port}"

    async def ask(self, **headers: str) -> tuple[str, str | None]:
        """Has the server send a request; its Call-ID and the result."""
        call = unique("own")
        named = {"X_Uri": self.uri, "X_Call": call, **headers}
        extra = tuple((name.replace("_", "-"), value) for name, value in named.items())
        sent = request("OPTIONS", "sip:server@test.invalid", self.asker.address, extra=extra)
        answer = await self.asker.ask(sent, self.server.address("udp"))
        return call, answer.get("X-Result")

    async def at_callee(self, method: str) -> Sip:
        message, source = await self.callee.receive()
        assert source == self.server.address("udp")
        assert message.method == method, message.first_line
        assert message.status is None
        return message

    def answer(self, to: Sip, code: int, reason: str, *extra: tuple[str, str]) -> None:
        self.callee.send(to.reply(code, reason, "callee", extra), self.server.address("udp"))

    async def silence(self, seconds: float = 0.8) -> None:
        with pytest.raises(TimeoutError):
            await self.callee.receive(seconds)

    async def told(self, call: str) -> str:
        """What the function that is told of the outcome wrote."""
        await eventually(lambda: call in self.server.log())
        line = next(line for line in self.server.log().splitlines() if call in line)
        return line.partition("outcome ")[2].removesuffix(f" {call}")


def play(start: Start, kind: str, story: Callable[[Stage], Awaitable[None]], **settings: object) -> Server:
    server = start("uac.py", kind=kind, settings=settings)

    async def run() -> None:
        async with UdpPeer.open() as asker, UdpPeer.open() as callee:
            await story(Stage(server, asker, callee))

    asyncio.run(run())
    return server


@in_both
def test_a_request_and_its_answer(start: Start, kind: str) -> None:
    """RFC 3261 section 8.1.1, with Kamailio's sequence number; the answer ends the retransmissions."""

    async def story(stage: Stage) -> None:
        call, result = await stage.ask()
        assert result == "1"
        seen = await stage.at_callee("OPTIONS")
        assert seen.uri == stage.uri
        host, port = stage.server.address("udp")
        assert seen["Via"].startswith(f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK")
        assert seen["From"].startswith("<sip:server@test.invalid>;tag=")
        assert (seen["To"], seen["CSeq"], seen["Max-Forwards"]) == ("<sip:callee@test.invalid>", "10 OPTIONS", "70")
        assert (seen["Call-ID"], seen["Content-Length"]) == (call, "0")
        stage.answer(seen, 200, "OK")
        await stage.silence()

    play(start, kind, story)


@in_both
def test_a_request_is_retransmitted(start: Start, kind: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.ask()
        first = await stage.at_callee("OPTIONS")
        assert await stage.at_callee("OPTIONS") == first
        stage.answer(first, 404, "Not Found")
        await stage.silence()

    play(start, kind, story)


@in_both
def test_next_hop_and_further_headers(start: Start, kind: str) -> None:
    async def story(stage: Stage) -> None:
        host, port = stage.callee.address
        _, result = await stage.ask(X_Uri="sip:far@away.invalid", X_Hop=f"sip:{host}:{port}", X_More="X-Own: yes|")
        assert result == "1"
        seen = await stage.at_callee("OPTIONS")
        assert seen.uri == "sip:far@away.invalid"
        assert seen["X-Own"] == "yes"
        stage.answer(seen, 200, "OK")

    play(start, kind, story)


@in_both
def test_body_and_socket(start: Start, kind: str) -> None:
    async def story(stage: Stage) -> None:
        host, port = stage.server.address("udp")
        more = "Content-Type: text/plain|"
        _, result = await stage.ask(
            X_Method="MESSAGE", X_Body="hello", X_More=more, X_Socket=f"udp:{host}:{port}", X_Hop="."
        )
        assert result == "1"
        seen = await stage.at_callee("MESSAGE")
        assert (seen.body, seen["Content-Length"], seen["Content-Type"]) == (b"hello", "5", "text/plain")
        stage.answer(seen, 200, "OK")

    play(start, kind, story)


@in_both
@pytest.mark.parametrize(
    "headers",
    [
        {"X_Uri": "notauri"},
        {"X_Socket": "udp:192.0.2.1:5060"},
        {"X_More": "no line end"},
        {"X_More": "bad header|"},
        {"X_More": "CSeq: 77|"},
        {"X_Body": "without a type"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_cannot_be_sent(start: Start, kind: str, headers: dict[str, str]) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask(**headers))[1] == "-1"
        await stage.silence(0.2)

    play(start, kind, story)


@in_both
def test_an_invite_that_fails_is_acknowledged(start: Start, kind: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.ask(X_Method="INVITE", X_More="Contact: <sip:server@test.invalid>|")
        invite = await stage.at_callee("INVITE")
        for _ in range(2):
            stage.answer(invite, 486, "Busy Here")
            ack = await stage.at_callee("ACK")
            assert ack["Via"] == invite["Via"]
            assert ack["CSeq"] == "10 ACK"

    play(start, kind, story)


@in_both
def test_an_invite_that_succeeds_is_acknowledged(start: Start, kind: str) -> None:
    """RFC 3261 section 13.2.2.4: a transaction of its own, to the Contact; again for each copy of the 200."""

    async def story(stage: Stage) -> None:
        await stage.ask(X_Method="INVITE", X_More="Contact: <sip:server@test.invalid>|")
        invite = await stage.at_callee("INVITE")
        host, port = stage.callee.address
        contact = f"sip:there@{host}:{port}"
        for _ in range(2):
            stage.answer(invite, 200, "OK", ("Contact", f"<{contact}>"))
            ack = await stage.at_callee("ACK")
            assert ack.uri == contact
            assert ack["Via"] != invite["Via"] or kind == "kamailio"
            assert (ack["CSeq"], ack["Call-ID"]) == ("10 ACK", invite["Call-ID"])
            assert "tag=callee" in ack["To"]

    play(start, kind, story)


def test_an_invite_without_an_answer_is_cancelled(start: Start) -> None:
    async def story(stage: Stage) -> None:
        call, _ = await stage.ask(X_Do="completed", X_Method="INVITE")
        invite = await stage.at_callee("INVITE")
        stage.answer(invite, 180, "Ringing")
        cancel = await stage.at_callee("CANCEL")
        assert cancel["Via"] == invite["Via"]
        stage.answer(cancel, 200, "OK")
        stage.answer(invite, 487, "Request Terminated")
        await stage.at_callee("ACK")
        assert await stage.told(call) in ("uac:reply SIP_REQUEST None 408", "uac:reply SIP_REPLY 487 487")

    play(start, "sipwright", story, **{"timers.fr_inv_ms": 400})


@pytest.mark.parametrize("code", [200, 404])
def test_who_asked_is_told(start: Start, code: int) -> None:
    async def story(stage: Stage) -> None:
        call, _ = await stage.ask(X_Do="completed")
        seen = await stage.at_callee("OPTIONS")
        assert (seen["CSeq"], seen["Call-ID"]) == ("5 OPTIONS", call)
        stage.answer(seen, 100, "Trying")
        stage.answer(seen, code, "Whatever")
        assert await stage.told(call) == f"uac:reply SIP_REPLY {code} {code}"

    server = play(start, "sipwright", story)
    assert server.log().count("outcome ") == 1


def test_who_asked_is_told_that_nobody_answered(start: Start) -> None:
    """As in Kamailio the message is the request then."""

    async def story(stage: Stage) -> None:
        call, _ = await stage.ask(X_Do="completed")
        await stage.at_callee("OPTIONS")
        assert await stage.told(call) == "uac:reply SIP_REQUEST None 408"

    play(start, "sipwright", story, **{"timers.fr_ms": 300})


def test_event_route_sees_and_drops_requests(start: Start) -> None:
    """Its edits go out; set_drop() keeps the request back, and t_uac_send gives 1 as in Kamailio."""

    async def story(stage: Stage) -> None:
        await stage.ask()
        seen = await stage.at_callee("OPTIONS")
        assert seen["X-Event"] == f"tm:local-request SIP_REQUEST OPTIONS {stage.uri}"
        stage.answer(seen, 200, "OK")
        assert (await stage.ask(X_More="X-Drop: yes|"))[1] == "1"
        await stage.silence(0.3)

    play(start, "sipwright", story, **{"tm.event_callback": "tm_event"})


def test_stop_waits_for_the_answer(start: Start) -> None:
    async def story(stage: Stage) -> None:
        call, _ = await stage.ask(X_Do="completed")
        seen = await stage.at_callee("OPTIONS")
        stage.server.process.popen.terminate()
        await eventually(lambda: "stopping" in stage.server.log())
        stage.answer(seen, 200, "OK")
        assert await stage.told(call) == "uac:reply SIP_REPLY 200 200"
        await eventually(lambda: not stage.server.process.running())
        assert stage.server.process.popen.returncode == 0

    play(start, "sipwright", story, **{"limits.drain_ms": 5_000})
