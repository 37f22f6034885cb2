"""HTTP on raw connections, and WebSocket peers on the package `websockets`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from support.messages import Sip


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class Http:
    """A connection that speaks HTTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def open(cls, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> AsyncIterator[Http]:
        reader, writer = await asyncio.open_connection(*address, ssl=tls)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, text: str, body: bytes = b"") -> Response:
        """The response to a request whose lines are separated by LF here."""
        head = text.strip().replace("\n", "\r\n")
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.send(f"{head}\r\n{length}\r\n".encode() + body)
        return await self.receive(with_body=not head.startswith("HEAD "))

    async def receive(self, *, with_body: bool = True, timeout_s: float = 5.0) -> Response:
        """The next response; EOFError where the server closed instead."""
        async with asyncio.timeout(timeout_s):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            _, code, reason = first.split(" ", 2)
            length = int(headers.get("Content-Length", "0")) if with_body else 0
            return Response(int(code), reason, headers, await self.reader.readexactly(length))

    async def rest(self, timeout_s: float = 5.0) -> bytes:
        """What comes until the server closes; TimeoutError if it does not."""
        async with asyncio.timeout(timeout_s):
            return await self.reader.read()


class WebSocketPeer:
    """A SIP user agent on WebSocket: messages in their order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @classmethod
    @asynccontextmanager
    async def open(
        cls, address: tuple[str, int], tls: ssl.SSLContext | None = None, path: str = "/sip", origin: str | None = None
    ) -> AsyncIterator[WebSocketPeer]:
        scheme = "wss" if tls else "ws"
        uri = f"{scheme}://{address[0]}:{address[1]}{path}"
        async with connect(
            uri,
            ssl=tls,
            subprotocols=[Subprotocol("sip")],
            origin=None if origin is None else Origin(origin),
            compression=None,
            proxy=None,
            close_timeout=2,
        ) as connection:
            yield cls(connection)

    @property
    def address(self) -> tuple[str, int]:
        return cast(tuple[str, int], self.connection.local_address[:2])

    async def send(self, message: Sip | bytes, *, text: bool = True) -> None:
        data = message.encode() if isinstance(message, Sip) else message
        await self.connection.send(data, text=text)

    async def receive(self, timeout_s: float = 5.0) -> Sip:
        """The next message."""
        async with asyncio.timeout(timeout_s):
            return Sip.parse(await self.connection.recv(decode=False))

    async def ask(self, sent: Sip, timeout_s: float = 5.0) -> Sip:
        """The final response to a request."""
        await self.send(sent)
        return await self.final(sent, timeout_s)

    async def final(self, sent: Sip, timeout_s: float = 5.0) -> Sip:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.receive(timeout_s)
                if message.get("Call-ID") == sent["Call-ID"] and (message.status or 0) >= 200:
                    return message

    async def expect(self, method: str, timeout_s: float = 5.0) -> Sip:
        """The next request, which must have this method."""
        message = await self.receive(timeout_s)
        assert (message.status, message.method) == (None, method), message
        return message
