"""A caller and callees around one server that runs scripts/tm.py: what each of them sees, in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from support.messages import Sip, request
from support.peers import UdpPeer, eventually
from support.servers import Server

SAME = ("Via", "Max-Forwards", "From", "To", "Call-ID")


@dataclass
class Call:
    """One request of the caller; callees answer with their codes, a code of 0 stays silent."""

    server: Server
    caller: UdpPeer
    callees: list[UdpPeer]
    codes: Sequence[int]
    sent: Sip
    seen: list[str] = field(default_factory=list)
    requests: list[tuple[int, Sip]] = field(default_factory=list)
    responses: list[Sip] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address("udp")

    def results(self) -> list[str]:
        """What the script said with `result`, call by call."""
        return re.findall(rf"RESULT {re.escape(self.sent['Call-ID'])} \w* ?(.*)", self.server.log())

    async def said(self, *expected: str, timeout_s: float = 2.0) -> None:
        """Wait until the script has said this; the log comes a little later than the messages."""
        try:
            await eventually(lambda: self.results()[: len(expected)] == list(expected), timeout_s)
        except TimeoutError:
            raise AssertionError(f"{self.results()} instead of {list(expected)}; {self.seen}") from None

    def at(self, callee: int, method: str = "INVITE") -> list[Sip]:
        """The requests of that method that a callee got, retransmissions among them."""
        return [message for index, message in self.requests if index == callee and message.method == method]

    def final(self) -> list[int]:
        """The final responses that the caller got, in order, each once."""
        codes = [r.status for r in self.responses if r.method == self.sent.method and (r.status or 0) >= 200]
        return list(dict.fromkeys(code for code in codes if code is not None))

    async def until(self, *words: str, timeout_s: float = 5.0) -> None:
        """Wait until the words were seen."""
        try:
            await eventually(lambda: all(word in self.seen for word in words), timeout_s)
        except TimeoutError:
            raise AssertionError(f"no {words} in {self.seen}; results {self.results()}") from None

    def cancel(self, *reasons: str) -> None:
        keep = [(name, value) for name, value in self.sent.headers if name in SAME]
        lines = [("Reason", reason) for reason in reasons]
        self.caller.send(Sip(f"CANCEL {self.sent.uri} SIP/2.0", (*keep, ("CSeq", "1 CANCEL"), *lines)), self.address)

    def ack(self, to: str, branch: str | None = None) -> None:
        keep = [(name, to if name == "To" else value) for name, value in self.sent.headers if name in SAME]
        if branch:
            via = re.sub(r"branch=[^;]*", f"branch={branch}", self.sent["Via"])
            keep = [(name, via if name == "Via" else value) for name, value in keep]
        self.caller.send(Sip(f"ACK {self.sent.uri} SIP/2.0", (*keep, ("CSeq", "1 ACK"))), self.address)

    async def _callee(self, index: int) -> None:
        while True:
            message, source = await self.callees[index].receive(60)
            self.requests.append((index, message))
            self.seen.append(f"{message.method} > {index}")
            code = {"ACK": 0, "CANCEL": 200}.get(message.method, self.codes[index])
            if code:
                self.callees[index].send(message.reply(code, "Code", f"callee{index}"), source)
            if message.method == "CANCEL":
                invite = self.at(index)[-1]
                self.callees[index].send(invite.reply(487, "Request Terminated", f"callee{index}"), source)

    async def _caller(self) -> None:
        while True:
            message, _ = await self.caller.receive(60)
            self.responses.append(message)
            self.seen.append(f"{message.status} > caller" + (" (CANCEL)" if message.method == "CANCEL" else ""))
            if message.method == "INVITE" and (message.status or 0) >= 300:
                self.ack(message["To"])


@asynccontextmanager
async def call(
    server: Server,
    case: str,
    codes: Sequence[int] = (404, 500, 486),
    *,
    method: str = "INVITE",
    extra: Sequence[tuple[str, str]] = (),
) -> AsyncIterator[Call]:
    """Send the request of a case, with one callee for each code."""
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(UdpPeer.open())
        callees = [await stack.enter_async_context(UdpPeer.open()) for _ in codes]
        uris = [f"sip:callee{index}@127.0.0.1:{peer.address[1]}" for index, peer in enumerate(callees)]
        headers = (("X-Case", case), ("X-To", ",".join(uris)), *extra)
        sent = request(method, "sip:callee@test.invalid", caller.address, extra=headers)
        made = Call(server, caller, callees, codes, sent)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(made._callee(index)) for index in range(len(callees))]
            running.append(tasks.create_task(made._caller()))
            caller.send(sent, made.address)
            try:
                yield made
            finally:
                for task in running:
                    task.cancel()
