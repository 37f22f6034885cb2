"""SIP peers on raw asyncio sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self, cast

from support.messages import Sip, bracketed, request
from support.ports import free_port

PING = b"\r\n\r\n"
PONG = b"\r\n"
T1_S = 0.5
CROWD_BUFFER = 4 << 20


class UdpPeer(asyncio.DatagramProtocol):
    """A UDP socket; what arrives waits in a queue, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Self]:
        loop = asyncio.get_running_loop()
        transport, peer = await loop.create_datagram_endpoint(cls, local_addr=(host, port or free_port(host)))
        try:
            yield peer
        finally:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._queue.put_nowait((data, addr))

    @property
    def address(self) -> tuple[str, int]:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def send(self, data: bytes | Sip, to: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(data.encode() if isinstance(data, Sip) else data, to)

    async def receive(self, timeout_s: float = 5.0) -> tuple[Sip, tuple[str, int]]:
        """The next message and where it came from; TimeoutError when none comes."""
        data, source = await self.receive_bytes(timeout_s)
        return Sip.parse(data), source

    async def receive_bytes(self, timeout_s: float = 5.0) -> tuple[bytes, tuple[str, int]]:
        """The next datagram as it came, and where from; TimeoutError when none comes."""
        async with asyncio.timeout(timeout_s):
            return await self._queue.get()

    async def final(self, call_id: str, timeout_s: float = 5.0) -> Sip:
        """The final response of the call; other messages are dropped."""
        async with asyncio.timeout(timeout_s):
            while True:
                message, _ = await self.receive(timeout_s)
                if message.get("Call-ID") == call_id and (message.status or 0) >= 200:
                    return message

    async def ask(self, sent: Sip, to: tuple[str, int], timeout_s: float = 5.0) -> Sip:
        """The final response to the request, which is sent again every T1 as UDP wants it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            self.send(sent, to)
            try:
                return await self.final(sent["Call-ID"], min(T1_S, deadline - loop.time()))
            except TimeoutError:
                if loop.time() + 0.01 >= deadline:
                    raise TimeoutError(f"no final response to {sent.first_line} within {timeout_s} s") from None


class Crowd(UdpPeer):
    """Many calls at once over one socket: a final response goes to whoever asked with its Call-ID, a request to
    `on_request`; nothing waits in the queue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_request: Callable[[Sip, tuple[str, int]], None] | None = None
        self._asked: dict[str, asyncio.Future[Sip]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # What many callers get at once must not be lost here.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CROWD_BUFFER)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Sip.parse(data)
        if message.status is None:
            if self.on_request is not None:
                self.on_request(message, addr)
            return
        future = self._asked.get(message["Call-ID"])
        if message.status >= 200 and future is not None and not future.done():
            future.set_result(message)

    async def ask(self, sent: Sip, to: tuple[str, int], timeout_s: float = 5.0) -> Sip:
        """The final response to the request, which is sent again as RFC 3261 section 17.1.2.2 wants it."""
        future: asyncio.Future[Sip] = asyncio.get_running_loop().create_future()
        call_id = sent["Call-ID"]
        assert call_id not in self._asked, "one request at a time in each call"
        self._asked[call_id] = future
        try:
            async with asyncio.timeout(timeout_s):
                wait_s = T1_S
                while True:
                    self.send(sent, to)
                    done, _ = await asyncio.wait([future], timeout=wait_s)
                    if done:
                        return future.result()
                    wait_s *= 2
        finally:
            del self._asked[call_id]


class StreamPeer:
    """A TCP or TLS connection that frames messages by Content-Length and counts CRLF answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.pongs = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        local: tuple[str, int] | None = None,
    ) -> AsyncIterator[StreamPeer]:
        name = (server_name or address[0]) if tls else None
        reader, writer = await asyncio.open_connection(*address, ssl=tls, server_hostname=name, local_addr=local)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return host, port

    async def send(self, data: bytes | Sip) -> None:
        self.writer.write(data.encode() if isinstance(data, Sip) else data)
        await self.writer.drain()

    async def send_bytewise(self, data: bytes) -> None:
        """Send each byte with a write of its own, without Nagle's algorithm, so that each may be a segment."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(data)):
            self.writer.write(data[position : position + 1])
            await self.writer.drain()
            if position % 16 == 0:
                # Lets answers be read in between.
                await asyncio.sleep(0)

    async def receive(self, timeout_s: float = 5.0) -> Sip:
        """The next message; CRLFs before it are counted as answers to pings. EOFError when the peer closed."""
        async with asyncio.timeout(timeout_s):
            head = await self._line()
            while not head.endswith(b"\r\n\r\n"):
                head += await self.reader.readuntil(b"\r\n")
            length = int(Sip.parse(head).get("Content-Length") or 0)
            return Sip.parse(head + await self.reader.readexactly(length))

    async def _line(self) -> bytes:
        while (line := await self.reader.readuntil(b"\r\n")) == PONG:
            self.pongs += 1
        return line

    async def ping(self, timeout_s: float = 5.0) -> None:
        """Send a keep-alive and wait for its answer (RFC 5626 section 4.4.1)."""
        await self.send(PING)
        async with asyncio.timeout(timeout_s):
            answer = await self.reader.readexactly(len(PONG))
        assert answer == PONG, answer
        self.pongs += 1

    async def ask(self, sent: Sip, timeout_s: float = 5.0) -> Sip:
        """The final response to the request."""
        await self.send(sent)
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.receive(timeout_s)
                if message.get("Call-ID") == sent["Call-ID"] and (message.status or 0) >= 200:
                    return message

    async def closed(self, timeout_s: float = 5.0) -> bool:
        """Whether the other side closes within the time, whatever it still sends."""
        try:
            async with asyncio.timeout(timeout_s):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


class StreamListener:
    """A TCP peer that others connect to; connections wait in a queue, in order."""

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[StreamPeer] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[StreamListener]:
        listener = cls()
        peers: list[StreamPeer] = []

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peers.append(StreamPeer(reader, writer))
            listener._accepted.put_nowait(peers[-1])

        listener._server = await asyncio.start_server(accepted, host, port or free_port(host))
        try:
            yield listener
        finally:
            listener._server.close()
            for peer in peers:
                peer.writer.transport.abort()

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def accept(self, timeout_s: float = 5.0) -> StreamPeer:
        """The next connection; TimeoutError when nobody connects."""
        async with asyncio.timeout(timeout_s):
            return await self._accepted.get()


def options(peer: UdpPeer | StreamPeer, server: tuple[str, int], proto: str = "UDP") -> Sip:
    """An OPTIONS for the server itself."""
    host = bracketed(server[0])
    return request("OPTIONS", f"sip:{host}:{server[1]}", peer.address, proto=proto)


async def register(
    peer: UdpPeer, server: tuple[str, int], user: str, contact: str, domain: str | None = None, timeout_s: float = 5.0
) -> Sip:
    """Register a contact for user@domain; the server's own address is the domain unless one is named."""
    registrar = f"sip:{domain or f'{server[0]}:{server[1]}'}"
    aor = registrar.replace("sip:", f"sip:{user}@")
    sent = request("REGISTER", registrar, peer.address, from_uri=aor, to_uri=aor, contact=contact)
    return await peer.ask(sent, server, timeout_s)


async def eventually(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Yield to the loop until the condition holds; TimeoutError when it does not."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
