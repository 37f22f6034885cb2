"""Callers and a callee that keep account of every request: what was answered, and what the other side saw."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.certificates import Certificates
from support.messages import Sip, request, unique
from support.peers import T1_S, StreamPeer, UdpPeer

Send = Callable[[Sip], Awaitable[None]]


@dataclass
class Tally:
    """Call-IDs by what became of them at either side."""

    calls: int = 0
    accepted: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seen: dict[str, set[str]] = field(default_factory=lambda: {"INVITE": set(), "ACK": set(), "BYE": set()})

    def lost(self) -> int:
        """Requests without the answer that they should have had, or that the other side did not see or made up."""
        lost = sum(self.wrong.values())
        lost += len(self.accepted ^ self.seen["INVITE"])
        lost += len(self.accepted ^ self.seen["ACK"])
        lost += len(self.ended ^ self.seen["BYE"])
        return lost


class Caller:
    """Makes calls through the server over one UDP socket or one TLS connection, one after the other."""

    def __init__(self, proto: str, peer: UdpPeer | StreamPeer, server: tuple[str, int], tally: Tally, limit_s: float):
        self.proto, self.peer, self.server, self.tally, self.limit_s = proto, peer, server, tally, limit_s
        self._answers: asyncio.Queue[Sip] = asyncio.Queue()
        self._acks: dict[str, Sip] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, proto: str, server: tuple[str, int], tls: ssl.SSLContext, tally: Tally, limit_s: float
    ) -> AsyncIterator[Caller]:
        opened = UdpPeer.open() if proto == "udp" else StreamPeer.open(server, tls)
        async with opened as peer:
            caller = cls(proto, peer, server, tally, limit_s)
            reader = asyncio.create_task(caller._read())
            try:
                yield caller
            finally:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reader

    async def call(self, uri: str) -> None:
        """INVITE, ACK, BYE."""
        self.tally.calls += 1
        invite = request("INVITE", uri, self.peer.address, proto=self.proto, call_id=unique("call"))
        final = await self._ask(invite)
        if final is None or final.status != 200:
            self._note("INVITE", final)
            if final is not None:
                await self._send(in_transaction("ACK", invite, final))
            return
        self.tally.accepted.add(invite["Call-ID"])
        ack = in_dialog("ACK", invite, final, 1)
        self._acks[invite["Call-ID"]] = ack
        await self._send(ack)
        answer = await self._ask(in_dialog("BYE", invite, final, 2))
        if answer is not None and answer.status == 200:
            self.tally.ended.add(invite["Call-ID"])
        else:
            self._note("BYE", answer)

    def _note(self, method: str, answer: Sip | None) -> None:
        if answer is not None and answer.status == 500:
            self.tally.refused[method] += 1
        else:
            self.tally.wrong[f"{method} {answer.first_line if answer else 'unanswered'}"] += 1

    async def _ask(self, sent: Sip) -> Sip | None:
        """The final response, or None; over UDP the request is sent again as RFC 3261 section 17.1 wants it."""
        loop = asyncio.get_running_loop()
        deadline, again = loop.time() + self.limit_s, T1_S
        await self._send(sent)
        provisional = False
        while loop.time() < deadline:
            wait = deadline - loop.time() if self.proto == "tls" or provisional else again
            try:
                async with asyncio.timeout(min(wait, deadline - loop.time())):
                    answer = await self._answers.get()
            except TimeoutError:
                again = min(2 * again, 4.0)
                await self._send(sent)
                continue
            if (answer["Call-ID"], answer["CSeq"]) != (sent["Call-ID"], sent["CSeq"]):
                continue
            if (answer.status or 0) >= 200:
                return answer
            provisional = sent.method == "INVITE"
        return None

    async def _read(self) -> None:
        while True:
            message = await receive(self.peer)
            ack = self._acks.get(message["Call-ID"])
            if ack is not None and message.method == "INVITE":
                # The 200 again: its ACK was late or lost.
                await self._send(ack)
            else:
                self._answers.put_nowait(message)

    async def _send(self, message: Sip) -> None:
        if isinstance(self.peer, UdpPeer):
            self.peer.send(message, self.server)
        else:
            await self.peer.send(message)


class Callee:
    """Answers every call, over UDP and as a TLS server, and repeats a 200 until its ACK comes."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._uris: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def uri(self, proto: str) -> str:
        return self._uris[proto]

    @classmethod
    @asynccontextmanager
    async def open(cls, certs: Certificates, tally: Tally) -> AsyncIterator[Callee]:
        callee = cls(tally)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certs.certificate, certs.key)

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = StreamPeer(reader, writer)
            callee._writers.append(writer)
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    await callee._serve(await receive(peer), peer.send)

        listener = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
        async with UdpPeer.open() as udp:
            callee._uris["udp"] = f"sip:callee@127.0.0.1:{udp.address[1]}"
            callee._uris["tls"] = f"sip:callee@127.0.0.1:{listener.sockets[0].getsockname()[1]};transport=tls"
            reader = asyncio.create_task(callee._read(udp))
            try:
                yield callee
            finally:
                listener.close()
                for writer in callee._writers:
                    writer.transport.abort()
                for task in [reader, *callee._tasks]:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def settled(self, limit_s: float) -> None:
        """Wait until every 200 has its ACK, at most so long; the tally tells whether it is so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not self.tally.accepted <= self.tally.seen["ACK"]:
                    await asyncio.sleep(0.05)

    async def _read(self, udp: UdpPeer) -> None:
        while True:
            data, source = await udp.receive_bytes(3600)

            async def send(answer: Sip, source: tuple[str, int] = source) -> None:
                udp.send(answer, source)

            await self._serve(Sip.parse(data), send)

    async def _serve(self, message: Sip, send: Send) -> None:
        method, call_id = message.method, message["Call-ID"]
        known = call_id in self.tally.seen[method]
        self.tally.seen[method].add(call_id)
        if method == "ACK":
            return
        answer = message.reply(200, "OK", "callee")
        await send(answer)
        if method == "INVITE" and not known:
            task = asyncio.create_task(self._repeat(call_id, answer, send))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _repeat(self, call_id: str, answer: Sip, send: Send) -> None:
        """RFC 3261 section 13.3.1.4."""
        wait = T1_S
        while True:
            await asyncio.sleep(wait)
            if call_id in self.tally.seen["ACK"]:
                return
            await send(answer)
            wait = min(2 * wait, 4.0)


async def receive(peer: UdpPeer | StreamPeer) -> Sip:
    """The next message, however long it takes."""
    if isinstance(peer, UdpPeer):
        return (await peer.receive(3600))[0]
    return await peer.receive(3600)


def in_transaction(method: str, sent: Sip, answer: Sip) -> Sip:
    """The ACK to a refusal (RFC 3261 section 17.1.1.3)."""
    headers = [("Via", sent["Via"]), ("Max-Forwards", "70"), ("From", sent["From"]), ("To", answer["To"])]
    headers += [("Call-ID", sent["Call-ID"]), ("CSeq", f"{sent['CSeq'].split()[0]} {method}")]
    return Sip(f"{method} {sent.uri} SIP/2.0", tuple(headers))


def in_dialog(method: str, invite: Sip, answer: Sip, cseq: int) -> Sip:
    """A further request of the caller; the server does not record a route, and is sent it all the same."""
    via = invite["Via"].partition(";branch=")[0] + f";branch=z9hG4bK{unique('b')}"
    headers = [("Via", via), ("Max-Forwards", "70"), ("From", invite["From"]), ("To", answer["To"])]
    headers += [("Call-ID", invite["Call-ID"]), ("CSeq", f"{cseq} {method}")]
    return Sip(f"{method} {invite.uri} SIP/2.0", tuple(headers))
