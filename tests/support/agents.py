"""User agents over UDP that send again what gets lost, as RFC 3261 section 17 wants it, on a line that is as bad as a test wants it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from support.callers import ack_of, within
from support.messages import Sip, request
from support.peers import UdpPeer

T1_S = 0.1
T2_S = 1.0

Address = tuple[str, int]


@dataclass
class Line:
    """What happens to each datagram: lost or doubled with these probabilities, and late by a time within these bounds.

    Different delays put datagrams out of order.
    """

    loss: float = 0.0
    twice: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)
    source: Random = field(default_factory=lambda: Random(3261))
    lost: int = 0

    def carry(self, deliver: Callable[[], None]) -> None:
        for _ in range(2 if self.source.random() < self.twice else 1):
            if self.source.random() < self.loss:
                self.lost += 1
            elif self.delay_s == (0.0, 0.0):
                deliver()
            else:
                asyncio.get_running_loop().call_later(self.source.uniform(*self.delay_s), deliver)


class Agent(UdpPeer):
    """Calls and answers, any number of calls at once; `begun` and `ended` count what a callee saw, by Call-ID."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._asked: dict[str, asyncio.Future[Sip]] = {}
        self._acks: dict[str, tuple[Sip, Address]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def on(cls, line: Line, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Agent]:
        """An agent at the end of this line."""
        async with cls.open(host, port) as agent:
            agent.line = line
            try:
                yield agent
            finally:
                for task in agent._tasks:
                    task.cancel()

    @property
    def contact(self) -> tuple[str, str]:
        return "Contact", "<sip:agent@{}:{}>".format(*self.address)

    async def register(self, server: Address, user: str, expires_s: int = 600, timeout_s: float = 30.0) -> Sip:
        """The final response to a registration of this agent as user@server."""
        aor = f"sip:{user}@{server[0]}:{server[1]}"
        extra = (self.contact, ("Expires", str(expires_s)))
        uri = f"sip:{server[0]}:{server[1]}"
        sent = request("REGISTER", uri, self.address, from_uri=aor, to_uri=aor, extra=extra)
        return await self.final_of(sent, server, timeout_s)

    async def call(self, server: Address, uri: str, timeout_s: float = 30.0) -> tuple[str, list[int]]:
        """Calls, acknowledges, hangs up: the Call-ID and the final responses to INVITE and BYE."""
        invite = request("INVITE", uri, self.address, extra=(self.contact,))
        answer = await self.final_of(invite, server, timeout_s)
        assert answer.status is not None
        if answer.status >= 300:
            return invite["Call-ID"], [answer.status]
        bye = await self.final_of(within("BYE", answer, self), server, timeout_s)
        assert bye.status is not None
        return invite["Call-ID"], [answer.status, bye.status]

    async def final_of(self, sent: Sip, server: Address, timeout_s: float = 30.0) -> Sip:
        """The final response to a request, which is sent again until it comes."""
        future: asyncio.Future[Sip] = asyncio.get_running_loop().create_future()
        key = _transaction(sent)
        self._asked[key] = future
        try:
            async with asyncio.timeout(timeout_s):
                wait_s = T1_S
                while True:
                    self._put(sent, server)
                    done, _ = await asyncio.wait([future], timeout=wait_s)
                    if done:
                        answer = future.result()
                        if sent.method == "INVITE":
                            self._acknowledge(sent, answer, server)
                        return answer
                    wait_s = min(2 * wait_s, T2_S)
        finally:
            del self._asked[key]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = Sip.parse(data)
        self.line.carry(lambda: self._got(message, addr))

    def _put(self, message: Sip, to: Address) -> None:
        data = message.encode()
        self.line.carry(lambda: self.send(data, to))

    def _got(self, message: Sip, source: Address) -> None:
        if message.status is None:
            self._serve(message, source)
        elif message.status >= 200:
            future = self._asked.get(_transaction(message))
            if future is not None and not future.done():
                future.set_result(message)
            elif message.method == "INVITE" and message["Call-ID"] in self._acks:
                # The ACK was lost, or it is under way.
                self._put(*self._acks[message["Call-ID"]])

    def _acknowledge(self, invite: Sip, answer: Sip, server: Address) -> None:
        assert answer.status is not None
        ack = within("ACK", answer, self) if answer.status < 300 else ack_of(invite, answer)
        self._acks[invite["Call-ID"]] = ack, server
        self._put(ack, server)

    def _serve(self, message: Sip, source: Address) -> None:
        call_id = message["Call-ID"]
        if message.method == "INVITE":
            if not self.begun[call_id]:
                self._confirmed[call_id] = asyncio.Event()
                task = asyncio.create_task(self._answer(message, source))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            self.begun[call_id] += 1
        elif message.method == "ACK":
            if call_id in self._confirmed:
                self._confirmed[call_id].set()
        else:
            self.ended[call_id] += message.method == "BYE"
            self._put(message.reply(200, "OK", "agent"), source)

    async def _answer(self, invite: Sip, source: Address) -> None:
        """Sends 200 until the ACK comes (RFC 3261 section 13.3.1.4)."""
        confirmed = self._confirmed[invite["Call-ID"]]
        wait_s = T1_S
        for _ in range(40):
            self._put(invite.reply(200, "OK", "agent", (self.contact,)), source)
            done, waiting = await asyncio.wait([asyncio.ensure_future(confirmed.wait())], timeout=wait_s)
            for task in waiting:
                task.cancel()
            if done:
                return
            wait_s = min(2 * wait_s, T2_S)


def _transaction(message: Sip) -> str:
    return message.all("Via")[0].partition("branch=")[2].partition(";")[0]
