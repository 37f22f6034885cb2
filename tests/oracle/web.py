"""A peer that speaks HTTP and, once it is upgraded, SIP over WebSocket."""

from __future__ import annotations

import asyncio
import os
import struct
import time

from oracle.profile import Profile
from oracle.scenario import Event, Net, Peer
from support.messages import Sip

PROFILES = {
    "http": Profile(
        """
tcp_accept_no_cl=yes
loadmodule "xhttp.so"
loadmodule "websocket.so"
loadmodule "jsonrpcs.so"
modparam("xhttp", "event_callback", "on_http")
modparam("jsonrpcs", "transport", 1)
""",
        {"tcp.accept_no_cl": True, "xhttp.event_callback": "on_http", "jsonrpcs.transport": 1},
    )
}
UPGRADE = {
    "Host": "oracle.test",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "sip",
    "Sec-WebSocket-Version": "13",
}


class WebPeer(Peer, asyncio.Protocol):
    """One connection to the server. Responses of HTTP go into the transcript as messages, the end of the connection and
    frames other than messages as remarks.
    """

    transport = "WS"

    def __init__(self, name: str, net: Net) -> None:
        super().__init__(name, net)
        self._buffer = b""
        self._upgraded = False
        self._over = asyncio.Event()
        self._closing = False
        self._said_close = False

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._stream, _ = await loop.create_connection(lambda: self, *self.net.server_tcp)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.address = transport.get_extra_info("sockname")[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self.net.remark(f"the connection of {self.name} was closed")
        self._over.set()

    def close(self) -> None:
        self._closing = True
        self._stream.abort()

    def http(self, first: str, headers: dict[str, str | None] | None = None, body: str = "") -> None:
        """Send a request; `first` is such as `GET /x`, to which the scenario is prefixed."""
        method, _, path = first.partition(" ")
        fields = {"Host": "oracle.test", **(headers or {})}
        if body:
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} /{self.net.scenario.name}{path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        data = "\r\n".join([*lines, "", body]).encode()
        self.net.events.append(Event(time.monotonic(), self.name, False, data))
        self._stream.write(data)

    async def answer_to(self, first: str, headers: dict[str, str | None] | None = None, body: str = "") -> Sip:
        """Send a request and wait for its response."""
        self.http(first, headers, body)
        return await self.response()

    async def response(self) -> Sip:
        """The next response of HTTP."""
        return await self.expect(lambda message: message.first_line.startswith("HTTP/"))

    async def upgrade(self, **changes: str | None) -> Sip:
        """Ask for WebSocket, with header fields changed or left out."""
        changed = {name.replace("_", "-"): value for name, value in changes.items()}
        return await self.answer_to("GET /ws", {**UPGRADE, **changed})

    async def is_over(self, timeout_s: float = 2.0) -> None:
        """Wait until the server closes the connection; the transcript says whether it did."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._over.wait()
        except TimeoutError:
            self.net.remark(f"the connection of {self.name} stays")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and (self._take_frame() if self._upgraded else self._take_response()):
            pass

    def _take_response(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = Sip.parse(self._buffer[: end + 4])
        size = end + 4 + int(head.get("Content-Length") or 0)
        if len(self._buffer) < size:
            return False
        response, self._buffer = self._buffer[:size], self._buffer[size:]
        self._upgraded = " 101 " in head.first_line
        # Two responses may be the same, which are copies to SIP.
        self._seen.discard(response)
        self.got(response)
        return True

    def _take_frame(self) -> bool:
        if len(self._buffer) < 2:
            return False
        opcode, length, start = self._buffer[0] & 15, self._buffer[1] & 127, 2
        if length == 126:
            length, start = struct.unpack("!H", self._buffer[2:4])[0] if len(self._buffer) > 3 else 65536, 4
        if len(self._buffer) < start + length:
            return False
        data, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
        if opcode in (1, 2):
            self.got(data)
        else:
            names = {8: "close", 9: "ping", 10: "pong"}
            code = f" {struct.unpack('!H', data[:2])[0]}" if opcode == 8 and len(data) > 1 else ""
            self.net.remark(f"{self.name} got a {names[opcode]}{code}")
            if opcode == 8 and not self._said_close:
                self.frame(0x88, data[:2])
            self._arrived.set()
        return True

    def put(self, data: bytes) -> None:
        self.frame(0x81, data)

    def frame(self, first: int, data: bytes) -> None:
        """Send a frame."""
        self._said_close |= first & 15 == 8
        mask = os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self._stream.write(bytes([first]) + length + mask + masked)

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@{self.name}.invalid;transport=ws"

    def via(self) -> tuple[str, str]:
        self._branches += 1
        return ("Via", f"SIP/2.0/WS {self.name}.invalid;branch=z9hG4bK-{self.name}-{self._branches}")
