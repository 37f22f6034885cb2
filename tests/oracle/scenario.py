"""What a scenario is written in: peers that send, expect and answer around the server.

    @scenario('''
    def ksr_request_route(self, msg):
        note("t_relay", KSR.tm.t_relay())
    ''')
    async def call_is_answered(alice: Peer, bob: Peer) -> None:
        alice.invite(bob)
        got = await bob.expect("INVITE")
        bob.answer(got, 180)
        await alice.expect(180)
        ...

The parameters name the peers; each is a UDP socket of its own, or a TCP one if it is annotated `TcpPeer` (`net: Net`
gives the scenario itself). Everything a
peer is sent goes into the transcript, expected or not. Copies of a message (retransmissions) are left out of it and of
`expect`; `expect_copy` asks for one.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import textwrap
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from support.messages import Sip
from support.ports import free_port

HOST = "127.0.0.1"
PATIENCE_S = 4.0
MISSED = "missed:"
REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Forwarded",
    183: "Progress",
    200: "OK",
    202: "Accepted",
    301: "Moved",
    302: "Moved",
    401: "Unauthorized",
    404: "Not Found",
    407: "Proxy Authentication Required",
    408: "Timeout",
    480: "Unavailable",
    486: "Busy",
    487: "Terminated",
    500: "Error",
    503: "Overloaded",
    600: "Busy Everywhere",
    603: "Decline",
}
Play = TypeVar("Play", bound=Callable[..., Awaitable[None]])
What = int | str | Callable[[Sip], bool]


@dataclass(frozen=True)
class Scenario:
    """A registered scenario: what the server runs, and what happens around it."""

    name: str
    script: str
    play: Callable[..., Awaitable[None]]
    profile: str
    quiet_s: float
    raises: bool
    idle: tuple[str, ...]

    @property
    def routes(self) -> set[str]:
        """The routes of its script that are to run: its functions of `self`."""
        functions = (node for node in ast.parse(self.script).body if isinstance(node, ast.FunctionDef))
        routes = {node.name for node in functions if node.args.args and node.args.args[0].arg == "self"}
        return routes - set(self.idle)

    @property
    def peers(self) -> list[str]:
        return [name for name in inspect.signature(self.play).parameters if name != "net"]

    @property
    def group(self) -> str:
        return self.play.__module__.rpartition(".")[2]


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    script: str,
    *,
    name: str = "",
    profile: str = "default",
    quiet_s: float = 0.5,
    raises: bool = False,
    idle: tuple[str, ...] = (),
) -> Callable[[Play], Play]:
    """Register a scenario with the routes that the server runs; without `name` it is called as its function.

    `profile` is a configuration of pair.py; `quiet_s` how long nothing must arrive before it counts as over; `raises` says
    that a route raises an exception, `idle` which routes do not run.
    """

    def register(play: Play) -> Play:
        called = name or play.__name__
        assert called not in SCENARIOS, f"two scenarios are called {called}"
        source = textwrap.dedent(script).strip("\n") + "\n"
        compile(source, f"scenario {called}", "exec")
        SCENARIOS[called] = Scenario(called, source, play, profile, quiet_s, raises, idle)
        return play

    return register


@dataclass
class Event:
    """A message that a peer sent or got, or a remark of the scenario."""

    at: float
    peer: str
    arrived: bool
    data: bytes


class Missing(Exception):
    """The server did not send what the scenario waited for."""


@dataclass
class Net:
    """One run of a scenario: its peers and all that passed between them and the server."""

    scenario: Scenario
    server: tuple[str, int]
    server_tcp: tuple[str, int]
    events: list[Event] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    peers: dict[str, Peer] = field(default_factory=dict)
    last_arrival: float = 0.0
    calls: int = 0

    def remark(self, text: str) -> None:
        """Put a line into the transcript, compared like everything else."""
        self.remarks.append(text)

    def next_call_id(self) -> str:
        self.calls += 1
        return f"{self.scenario.name}-{self.calls}@oracle"

    async def quiet(self, seconds: float | None = None, limit_s: float = 10.0) -> None:
        """Wait until nothing new has arrived for so long."""
        window = self.scenario.quiet_s if seconds is None else seconds
        start = time.monotonic()
        while (now := time.monotonic()) < start + limit_s:
            rest = max(start, self.last_arrival) + window - now
            if rest <= 0:
                return
            await asyncio.sleep(rest)


class Peer(asyncio.DatagramProtocol):
    """A user agent on a UDP socket, with a name that also serves as its tag."""

    transport = "UDP"

    def __init__(self, name: str, net: Net) -> None:
        self.name, self.net = name, net
        self.address = (HOST, 0)
        self.auto_ack = True
        self._inbox: list[Sip] = []
        self._copies: list[Sip] = []
        self._seen: set[bytes] = set()
        self._arrived = asyncio.Event()
        self._branches = 0
        self._cseq = 0
        self._invites: dict[str, Sip] = {}

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = (host, port)

    async def open(self) -> None:
        """Bind the socket."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, free_port(HOST)))

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got(data)

    def got(self, data: bytes) -> None:
        """Take a message that came."""
        if not data.strip(b"\r\n\0"):
            return
        message = Sip.parse(data)
        if data in self._seen:
            self._copies.append(message)
        else:
            self._seen.add(data)
            self.net.last_arrival = time.monotonic()
            self.net.events.append(Event(self.net.last_arrival, self.name, True, data))
            self._inbox.append(message)
        if self.auto_ack:
            self._ack_failure(message)
        self._arrived.set()

    def send(self, message: Sip | bytes) -> None:
        """Send a message to the server as it is."""
        data = message.encode() if isinstance(message, Sip) else message
        self.net.events.append(Event(time.monotonic(), self.name, False, data))
        self.put(data)

    def put(self, data: bytes) -> None:
        self._transport.sendto(data, self.net.server)

    def _ack_failure(self, response: Sip) -> None:
        """The ACK that the client transaction sends for a failure of INVITE (RFC 3261 section 17.1.1.3)."""
        invite = self._invites.get(response.get("Via") or "")
        if invite is None or response.status is None or response.status < 300 or response.method != "INVITE":
            return
        ack = self.derived("ACK", invite, to=response["To"])
        self.put(ack.encode())

    # Expecting

    async def expect(self, what: What, timeout_s: float = PATIENCE_S) -> Sip:
        """The next message that is a response with this code, a request with this method, or passes the test."""
        return await self._take(self._inbox, what, timeout_s)

    async def expect_copy(self, of: Sip, timeout_s: float = PATIENCE_S) -> None:
        """Wait for one retransmission of the message; the transcript says that it came."""
        await self._take(self._copies, lambda message: message == of, timeout_s)
        self.net.remark(f"{self.name} got {of.first_line} again")

    async def maybe(self, what: What, timeout_s: float) -> Sip | None:
        """As expect, but the servers may differ in whether they send it, which the comparison will say."""
        try:
            return await self._take(self._inbox, what, timeout_s)
        except Missing:
            return None

    async def _take(self, messages: list[Sip], what: What, timeout_s: float) -> Sip:
        deadline = time.monotonic() + timeout_s
        while True:
            for message in messages:
                if fits(message, what):
                    messages.remove(message)
                    return message
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                    await self._arrived.wait()
            except TimeoutError:
                wanted = what if isinstance(what, int | str) else "what it waited for"
                raise Missing(f"{self.name} did not get {wanted}") from None

    # Requests

    @property
    def at(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@{self.at}"

    def via(self) -> tuple[str, str]:
        self._branches += 1
        return ("Via", f"SIP/2.0/{self.transport} {self.at};branch=z9hG4bK-{self.name}-{self._branches}")

    @property
    def ports(self) -> dict[str, int]:
        """Its ports, with the names that transcripts have for them."""
        return {self.name: self.address[1]}

    def request(
        self,
        method: str,
        to: Peer | str,
        *extra: tuple[str, str],
        body: str = "",
        call_id: str | None = None,
        without: tuple[str, ...] = (),
        to_header: str | None = None,
        from_header: str | None = None,
        send: bool = True,
    ) -> Sip:
        """Send a request outside of a dialog; `extra` headers replace those of the same name."""
        uri = to.uri if isinstance(to, Peer) else to
        self._cseq += 1
        headers = [
            self.via(),
            ("Max-Forwards", "70"),
            ("From", from_header or f"<sip:{self.name}@oracle.test>;tag={self.name}"),
            ("To", to_header or f"<{uri}>"),
            ("Call-ID", call_id or self.net.next_call_id()),
            ("CSeq", f"{self._cseq} {method}"),
        ]
        if method in ("INVITE", "SUBSCRIBE"):
            headers.append(("Contact", f"<{self.uri}>"))
        replaced = {name for name, _ in extra} | set(without)
        kept = tuple(header for header in headers if header[0] not in replaced)
        sent = Sip(f"{method} {uri} SIP/2.0", (*kept, *extra), body.encode())
        if send:
            self.send_request(sent)
        return sent

    def send_request(self, request: Sip) -> None:
        """Send a request; failures of an INVITE are acknowledged unless `auto_ack` is off."""
        if request.first_line.startswith("INVITE "):
            self._invites[request["Via"]] = request
        self.send(request)

    def invite(self, to: Peer | str, *extra: tuple[str, str], body: str = "") -> Sip:
        return self.request("INVITE", to, *extra, body=body)

    def derived(self, method: str, request: Sip, *extra: tuple[str, str], to: str | None = None) -> Sip:
        """A CANCEL, or an ACK to a failure: of the same hop, with the same top Via (RFC 3261 sections 9.1, 17.1.1.3)."""
        cseq = request["CSeq"].split()[0]
        headers: list[tuple[str, str]] = [("Via", request["Via"]), ("Max-Forwards", "70")]
        headers += [("Route", value) for value in request.all("Route")]
        headers += [("From", request["From"]), ("To", to or request["To"]), ("Call-ID", request["Call-ID"])]
        headers.append(("CSeq", f"{cseq} {method}"))
        return Sip(f"{method} {request.uri} SIP/2.0", (*headers, *extra))

    def cancel(self, invite: Sip, *extra: tuple[str, str]) -> Sip:
        sent = self.derived("CANCEL", invite, *extra)
        self.send(sent)
        return sent

    def within(
        self, method: str, message: Sip, *extra: tuple[str, str], cseq: int | None = None, send: bool = True
    ) -> Sip:
        """A request within the dialog that the response (for a caller) or the INVITE (for a callee) began."""
        caller = message.status is not None
        routes = message.all("Record-Route")
        ours, theirs = (message["From"], message["To"]) if caller else (self.tagged(message["To"]), message["From"])
        self._cseq += 1
        number = cseq or (int(message["CSeq"].split()[0]) if method == "ACK" else self._cseq + 10)
        target = message["Contact"].partition("<")[2].partition(">")[0]
        headers = [self.via(), ("Max-Forwards", "70")]
        headers += [("Route", route) for route in (reversed(routes) if caller else routes)]
        headers += [("From", ours), ("To", theirs), ("Call-ID", message["Call-ID"]), ("CSeq", f"{number} {method}")]
        sent = Sip(f"{method} {target} SIP/2.0", (*headers, *extra))
        if send:
            self.send(sent)
        return sent

    # Responses

    def tagged(self, to: str) -> str:
        return to if ";tag=" in to else f"{to};tag={self.name}"

    def answer(self, request: Sip, code: int, *extra: tuple[str, str], body: str = "", tag: bool = True) -> Sip:
        """Send the response that a user agent gives (RFC 3261 section 8.2.6)."""
        headers = [("Via", via) for via in request.all("Via")]
        headers += [("Record-Route", route) for route in request.all("Record-Route")]
        to = self.tagged(request["To"]) if tag and code > 100 else request["To"]
        headers += [("From", request["From"]), ("To", to), ("Call-ID", request["Call-ID"]), ("CSeq", request["CSeq"])]
        if 100 < code < 300 and "Contact" not in dict(extra):
            headers.append(("Contact", f"<{self.uri}>"))
        sent = Sip(f"SIP/2.0 {code} {REASONS[code]}", (*headers, *extra), body.encode())
        self.send(sent)
        return sent

    async def refuse(self, invite: Sip, code: int, *extra: tuple[str, str], body: str = "", tag: bool = True) -> None:
        """Answer an INVITE with a failure and expect the ACK that the server sends for it."""
        self.answer(invite, code, *extra, body=body, tag=tag)
        await self.expect("ACK")

    async def is_cancelled(self, invite: Sip) -> Sip:
        """Expect the CANCEL of an INVITE, answer both, and expect the ACK."""
        cancel = await self.expect("CANCEL")
        self.answer(cancel, 200)
        await self.refuse(invite, 487)
        return cancel


class TcpPeer(Peer):
    """A user agent that connects to the server over TCP, and listens for its connections."""

    transport = "TCP"

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.streams: list[Stream] = []
        self._listener = await loop.create_server(lambda: Stream(self), HOST, free_port(HOST))
        self.address = self._listener.sockets[0].getsockname()[:2]
        _, self._own = await loop.create_connection(lambda: Stream(self), *self.net.server_tcp)
        self._last = self._own

    def close(self) -> None:
        for stream in self.streams:
            stream.transport.abort()
        self._listener.close()

    @property
    def uri(self) -> str:
        return f"{super().uri};transport=tcp"

    @property
    def ports(self) -> dict[str, int]:
        return {self.name: self.address[1], f"{self.name}'s connection": self._own.port}

    def took(self, data: bytes, stream: Stream) -> None:
        """A message came over that connection: responses go back the same way."""
        self._last = stream
        self.got(data)

    def put(self, data: bytes) -> None:
        stream = self._last if data.startswith(b"SIP/2.0 ") else self._own
        stream.transport.write(data)


class Stream(asyncio.Protocol):
    """One connection; messages are framed by Content-Length."""

    def __init__(self, peer: TcpPeer) -> None:
        self.peer, self._buffer = peer, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.peer.streams.append(self)
        self.port: int = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._buffer = (self._buffer + data).lstrip(b"\r\n")
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + int(Sip.parse(self._buffer[: end + 4]).get("Content-Length") or 0)
            if len(self._buffer) < size:
                return
            message, self._buffer = self._buffer[:size], self._buffer[size:].lstrip(b"\r\n")
            self.peer.took(message, self)


def fits(message: Sip, what: What) -> bool:
    if isinstance(what, int):
        return message.status == what
    if isinstance(what, str):
        return message.status is None and message.method == what
    return what(message)


async def play(
    scenario: Scenario,
    server: tuple[str, int],
    server_tcp: tuple[str, int],
    announce: Callable[[str, dict[str, str]], None],
) -> Net:
    """Run a scenario against the server at these addresses; `announce` tells the script where the peers are."""
    net = Net(scenario, server, server_tcp)
    wanted = inspect.signature(scenario.play, eval_str=True).parameters
    try:
        for name in scenario.peers:
            wants = wanted[name].annotation
            kind = wants if isinstance(wants, type) and issubclass(wants, Peer) else Peer
            net.peers[name] = kind(name, net)
            await net.peers[name].open()
        announce(scenario.name, {name: peer.at for name, peer in net.peers.items()})
        try:
            await scenario.play(**{name: net if name == "net" else net.peers[name] for name in wanted})
        except Missing as missing:
            net.remark(f"{MISSED} {missing}")
        await net.quiet()
    finally:
        for peer in net.peers.values():
            peer.close()
        await asyncio.sleep(0)  # Transports close their sockets in the next turn of the loop.
    return net
