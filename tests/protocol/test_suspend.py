"""Suspended requests and responses: `t_suspend` and `t_continue`. Kamailio runs the same script where it can."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from conftest import Start, in_both
from support.certificates import Certificates
from support.messages import Sip, request, unique
from support.peers import StreamPeer, UdpPeer, eventually
from support.servers import Server


@dataclass
class Stage:
    """A caller, a callee, and a controller that resumes what waits."""

    server: Server
    caller: UdpPeer
    callee: UdpPeer
    controller: UdpPeer

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address("udp")

    def request(self, method: str, do: str, call_id: str | None = None, **headers: str) -> Sip:
        host, port = self.callee.address
        extra = [("X-Do", do), *((name.replace("_", "-"), value) for name, value in headers.items())]
        uri = f"sip:callee@{host}:{port}"
        sender = self.caller if do.startswith("suspend") or do == "relay" else self.controller
        return request(method, uri, sender.address, call_id=call_id, extra=tuple(extra))

    def send(self, message: Sip) -> Sip:
        self.caller.send(message, self.address)
        return message

    async def control(self, do: str, **headers: str) -> Sip:
        return await self.controller.ask(self.request("OPTIONS", do, **headers), self.address)

    async def where(self, call_id: str) -> tuple[str, str]:
        """Index and label of the call, once it is suspended."""
        async with asyncio.timeout(5):
            while True:
                index, label = (await self.control("where", X_Call=call_id))["X-Name"].split()
                if (index, label) != ("0", "0"):
                    return index, label

    async def resume(self, call_id: str, route: str = "resumed") -> int:
        return await self.resume_at(*await self.where(call_id), route)

    async def resume_at(self, index: str, label: str, route: str = "resumed") -> int:
        answer = await self.control("continue", X_Index=index, X_Label=label, X_Route=route)
        return int(answer["X-Result"])

    async def at_callee(self, method: str) -> Sip:
        message, _ = await self.callee.receive()
        assert message.status is None
        assert message.method == method, message.first_line
        return message

    def answer(self, to: Sip, code: int, reason: str) -> None:
        self.callee.send(to.reply(code, reason, "callee"), self.address)

    async def at_caller(self, sent: Sip, timeout_s: float = 5.0) -> str:
        """First line of the final response, without the version; an INVITE's failure is acknowledged."""
        final = await self.caller.final(sent["Call-ID"], timeout_s)
        if sent.method == "INVITE" and (final.status or 0) >= 300:
            self.send(follow_up("ACK", sent, final["To"]))
        return final.first_line.removeprefix("SIP/2.0 ")


def follow_up(method: str, invite: Sip, to: str | None = None) -> Sip:
    """The ACK for a failure, or the CANCEL, in the transaction of the INVITE."""
    same = [(n, v) for n, v in invite.headers if n in ("Via", "Max-Forwards", "From", "Call-ID")]
    number = invite["CSeq"].split()[0]
    headers = (*same, ("To", to or invite["To"]), ("CSeq", f"{number} {method}"))
    return Sip(f"{method} {invite.uri} SIP/2.0", headers)


@asynccontextmanager
async def stage(server: Server) -> AsyncIterator[Stage]:
    async with UdpPeer.open() as caller, UdpPeer.open() as callee, UdpPeer.open() as controller:
        yield Stage(server, caller, callee, controller)


def play(start: Start, kind: str, story: Callable[[Stage], Awaitable[None]], **options: object) -> Server:
    # Kamailio's workers do not share the script's table of suspended calls.
    server = start("suspend.py", kind=kind, workers=1, **options)  # type: ignore[arg-type]

    async def run() -> None:
        async with stage(server) as steps:
            await story(steps)

    asyncio.run(run())
    return server


@in_both
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_resumed_by_another_request(start: Start, kind: str, method: str) -> None:
    """Edits, request-URI, AVPs and flags of the first route are there in the second."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request(method, "suspend", X_How="user"))
        assert await steps.resume(sent["Call-ID"]) == 1
        seen = await steps.at_callee(method)
        assert seen.uri.startswith("sip:rewritten@")
        assert seen["X-Before"] == "yes"
        assert seen["X-Kept"] == "avp late flag"
        steps.answer(seen, 202, "Accepted")
        assert await steps.at_caller(sent) == "202 Accepted"

    play(start, kind, story)


@in_both
@pytest.mark.parametrize(
    ("then", "answer"),
    [
        ("reply", "480 From the failure route"),
        ("nothing", "500 I'm terribly sorry, server error occurred (1/TM)"),
    ],
)
def test_resumed_and_answered_here(start: Start, kind: str, then: str, answer: str) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_Then=then))
        assert await steps.resume(sent["Call-ID"]) == 1
        assert await steps.at_caller(sent) == answer

    play(start, kind, story)


def test_resumed_route_that_raises(start: Start) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_Then="raise"))
        await steps.resume(sent["Call-ID"])
        assert await steps.at_caller(sent) == "500 Server Internal Error"
        sent = steps.send(steps.request("MESSAGE", "suspend"))
        await steps.resume(sent["Call-ID"], "there_is_no_such_route")
        assert (await steps.at_caller(sent)).startswith("500 ")

        await eventually(lambda: "has no method there_is_no_such_route" in steps.server.log())
        assert "as wanted" in steps.server.log()

    play(start, "sipwright", story)


@in_both
def test_suspended_again_in_its_route(start: Start, kind: str) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_Then="again"))
        name = await steps.where(sent["Call-ID"])
        assert await steps.resume_at(*name) == 1
        assert await steps.resume_at(*name, "second") == 1
        assert await steps.at_caller(sent) == "480 Second Time"

    play(start, kind, story)


@in_both
def test_resumed_twice_and_unknown(start: Start, kind: str) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("MESSAGE", "suspend", X_Then="reply"))
        name = await steps.where(sent["Call-ID"])
        assert await steps.resume_at(*name) == 1
        await steps.at_caller(sent)
        assert await steps.resume_at(*name) == -1
        assert await steps.resume_at("4711", "4712") == -1
        assert await steps.resume_at("-1", "-1") == -1

    play(start, kind, story)


@in_both
def test_cancelled_while_suspended(start: Start, kind: str) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend"))
        name = await steps.where(sent["Call-ID"])
        steps.send(follow_up("CANCEL", sent))
        finals = [await steps.caller.final(sent["Call-ID"]) for _ in range(2)]
        assert {(final.method, final.status) for final in finals} == {("CANCEL", 200), ("INVITE", 487)}
        steps.send(follow_up("ACK", sent, finals[0]["To"]))
        await steps.resume_at(*name)
        with pytest.raises(TimeoutError):
            await steps.callee.receive(0.2)

    play(start, kind, story)


@in_both
@pytest.mark.parametrize(("failure", "answer"), [("", "408 Request Timeout"), ("reply", "480 Failure 408")])
def test_nobody_resumes_it(start: Start, kind: str, failure: str, answer: str) -> None:
    """Its time is that of `t_set_fr`; then the failure route runs."""

    async def story(steps: Stage) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        sent = steps.send(steps.request("INVITE", "suspend", X_How="short", X_Failure=failure))
        assert await steps.at_caller(sent) == answer
        assert 0.3 < loop.time() - begin < 1.5
        assert await steps.resume(sent["Call-ID"]) == -1

    play(start, kind, story)


def test_copies_are_absorbed_while_suspended(start: Start) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("MESSAGE", "suspend"))
        name = await steps.where(sent["Call-ID"])
        for _ in range(3):
            steps.send(sent)
        await steps.resume_at(*name)
        seen = await steps.at_callee("MESSAGE")
        steps.answer(seen, 200, "OK")
        await steps.at_caller(sent)
        with pytest.raises(TimeoutError):
            await steps.callee.receive(0.2)

    server = play(start, "sipwright", story)
    assert server.route_calls("MESSAGE") == 1


def test_resumed_by_a_thread_of_the_script(start: Start) -> None:
    """The worker is free while the thread blocks: other requests are answered meanwhile."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_How="thread", X_Then="reply"))
        await steps.where(sent["Call-ID"])
        assert await steps.at_caller(sent) == "480 From the failure route"

    play(start, "sipwright", story)


def test_resumed_before_its_route_has_ended(start: Start) -> None:
    """The route that resumes waits for the other, so that AVPs set last are seen, and runs once."""

    async def story(steps: Stage) -> None:
        sent = [steps.request("MESSAGE", "suspend", X_How="at-once") for _ in range(40)]
        sent.append(steps.request("MESSAGE", "suspend", X_How="self"))
        for message in sent:
            steps.send(message)
        for _ in sent:
            seen = await steps.at_callee("MESSAGE")
            assert seen["X-Kept"] == "avp late flag"
            steps.answer(seen, 200, "OK")
        for _ in sent:
            while (await steps.caller.receive())[0].status != 200:
                pass

    server = start("suspend.py", workers=3)

    async def run() -> None:
        async with stage(server) as steps:
            await story(steps)

    asyncio.run(run())


def test_answered_while_suspended(start: Start) -> None:
    """The answer stands; the resumed route cannot relay any more."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_How="answered"))
        assert await steps.at_caller(sent) == "480 While Suspended"
        await steps.resume(sent["Call-ID"])
        with pytest.raises(TimeoutError):
            await steps.callee.receive(0.2)

    play(start, "sipwright", story)


@in_both
@pytest.mark.parametrize(("method", "code"), [("INVITE", 200), ("INVITE", 486), ("MESSAGE", 200)])
def test_response_is_suspended(start: Start, kind: str, method: str, code: int) -> None:
    """It goes on when it is resumed, with what the route did to it."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request(method, "suspend-reply"))
        seen = await steps.at_callee(method)
        steps.answer(seen, code, "Suspended")
        name = await steps.where(sent["Call-ID"])
        if code == 200 and kind == "sipwright":
            steps.answer(seen, code, "Suspended")  # a copy must not overtake it
        assert await steps.resume_at(*name, "resumed_reply") == 1
        final = await steps.caller.final(sent["Call-ID"])
        assert (final.status, final.get("X-Resumed")) == (code, f"SIP_REPLY {code}")

    play(start, kind, story)


def test_response_that_nobody_resumes_goes_on(start: Start) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("MESSAGE", "suspend-reply"))
        seen = await steps.at_callee("MESSAGE")
        steps.answer(seen, 200, "OK")
        assert await steps.at_caller(sent) == "200 OK"
        await eventually(lambda: "nobody resumed a response in time" in steps.server.log())

    play(start, "sipwright", story, settings={"timers.fr_ms": 500})


@in_both
def test_answered_by_call_id(start: Start, kind: str) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend"))
        await steps.where(sent["Call-ID"])
        assert (await steps.control("reply", X_Call=sent["Call-ID"]))["X-Result"] == "1"
        assert await steps.at_caller(sent) == "480 By Call-ID"
        assert (await steps.control("reply", X_Call="nobody"))["X-Result"] == "-1"

    play(start, kind, story)


@in_both
@pytest.mark.parametrize(
    ("code", "reason"), [(0, None), (200, 'SIP;cause=200;text="Call completed elsewhere"'), (404, "SIP;cause=404")]
)
def test_cancelled_by_call_id(start: Start, kind: str, code: int, reason: str | None) -> None:
    """The failure route sees the flag."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "relay", X_Failure="reply"))
        seen = await steps.at_callee("INVITE")
        steps.answer(seen, 180, "Ringing")
        while (await steps.caller.receive())[0].status != 180:
            pass
        assert (await steps.control("cancel", X_Call=sent["Call-ID"], X_Code=str(code)))["X-Result"] == "1"
        cancel = await steps.at_callee("CANCEL")
        assert cancel.get("Reason") == reason
        steps.answer(cancel, 200, "OK")
        steps.answer(seen, 487, "Request Terminated")
        assert await steps.at_caller(sent) == "480 Failure 487 flagged"
        assert (await steps.control("cancel", X_Call="nobody", X_Code="0"))["X-Result"] == "-1"

    play(start, kind, story)


def test_suspended_call_is_cancelled_by_call_id(start: Start) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend"))
        await steps.where(sent["Call-ID"])
        await steps.control("cancel", X_Call=sent["Call-ID"], X_Code="0")
        assert await steps.at_caller(sent) == "487 Request Terminated"

    play(start, "sipwright", story)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_over_tls_in_each_mode(start: Start, certs: Certificates, client_tls: ssl.SSLContext, mode: int) -> None:
    settings = {**certs.settings(), "tls.threads_mode": mode}
    server = start("suspend.py", "udp", "tls", workers=2, settings=settings)
    address = server.address("tls")

    async def run() -> None:
        async with stage(server) as steps, StreamPeer.open(address, client_tls) as caller:
            extra = (("X-Do", "suspend"), ("X-Then", "reply"))
            sent = request("INVITE", "sip:callee@test.invalid", caller.address, proto="TLS", extra=extra)
            answer = asyncio.create_task(caller.ask(sent))
            assert await steps.resume(sent["Call-ID"]) == 1
            assert (await answer).first_line == "SIP/2.0 480 From the failure route"

    asyncio.run(run())


def test_reload_while_suspended(start: Start) -> None:
    """The route is found by its name in the new script."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_Then="reply"))
        name = await steps.where(sent["Call-ID"])
        await eventually(lambda: "Stop with Ctrl-C" in steps.server.log())
        steps.server.process.popen.send_signal(signal.SIGHUP)
        await eventually(lambda: "reloaded, version 2" in steps.server.log())
        assert await steps.resume_at(*name) == 1
        assert await steps.at_caller(sent) == "480 From the failure route"

    play(start, "sipwright", story)


def test_stop_waits_for_what_is_suspended(start: Start) -> None:
    """A thread of the script still resumes it, and its answer leaves, before the process ends."""

    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", X_How="thread", X_Then="reply"))
        await steps.where(sent["Call-ID"])
        steps.server.process.popen.send_signal(signal.SIGTERM)
        assert await steps.at_caller(sent) == "480 From the failure route"
        await eventually(lambda: not steps.server.process.running())

    server = play(start, "sipwright", story, settings={"limits.drain_ms": 5_000})
    assert server.process.popen.returncode == 0


def test_stop_does_not_wait_for_ever(start: Start) -> None:
    async def story(steps: Stage) -> None:
        sent = steps.send(steps.request("INVITE", "suspend", call_id=unique("forgotten")))
        await steps.where(sent["Call-ID"])

    server = play(start, "sipwright", story, settings={"limits.drain_ms": 300})
    server.assert_clean_stop(within_s=2.0)
