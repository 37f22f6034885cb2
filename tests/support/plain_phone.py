"""A phone of the old kind: SIP by UDP with a password, sound as plain RTP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.callers import answering
from support.media import SDP, SDP_TYPE
from support.messages import Sip, request
from support.peers import UdpPeer
from support.servers import Server
from support.users import PASSWORD, REALM

# Not that of the server, whose alias it would be.
HOST = "127.0.0.2"
PCMU, PCMU_BYTES = 0, 160
PACKETS = 25
# What it calls may be a browser on a busy machine.
WAIT_S = 30.0


class PlainPhone:
    """alice's phone: SIP by UDP, sound as RTP by another socket."""

    def __init__(self, peer: UdpPeer, rtp: socket.socket, server: Server) -> None:
        self.peer, self.rtp, self.address = peer, rtp, server.address("udp")
        self.contact = ("Contact", "<sip:alice@{}:{}>".format(*peer.address))
        self.sdp = SDP.replace(b"127.0.0.1", HOST.encode()) % rtp.getsockname()[1]

    @classmethod
    @asynccontextmanager
    async def registered(cls, server: Server) -> AsyncIterator[PlainPhone]:
        """A phone that the server knows."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
            rtp.bind((HOST, 0))
            rtp.setblocking(False)
            async with UdpPeer.open(HOST) as peer:
                phone = cls(peer, rtp, server)
                assert (await phone.ask("REGISTER", f"sip:{REALM}")).status == 200
                yield phone

    async def ask(self, method: str, uri: str, body: bytes = b"") -> Sip:
        """The final response to a request with alice's password; provisional ones are dropped."""
        aor = f"sip:alice@{REALM}"
        to = aor if method == "REGISTER" else uri
        kind = (SDP_TYPE,) if body else ()
        plain = request(method, uri, self.peer.address, from_uri=aor, to_uri=to, extra=(self.contact, *kind), body=body)
        refusal = await self.peer.ask(plain, self.address, WAIT_S)
        sent = answering(plain, refusal, "alice", PASSWORD)
        self.peer.send(sent, self.address)
        while True:
            answer = await self.peer.final(plain["Call-ID"], WAIT_S)
            if answer["CSeq"] == sent["CSeq"]:
                return answer

    async def next(self, method: str) -> Sip:
        while True:
            message, _ = await self.peer.receive(WAIT_S)
            if (message.status, message.method) == (None, method):
                return message

    def reply(self, got: Sip, code: int, reason: str, body: bytes = b"") -> None:
        answer = got.reply(code, reason, "bob", (self.contact, *((SDP_TYPE,) if body else ())))
        self.peer.send(Sip(answer.first_line, answer.headers, body), self.address)

    @asynccontextmanager
    async def talking(self, port: int) -> AsyncIterator[list[bytes]]:
        """Sends sound to that port meanwhile; what comes from there."""
        found: list[bytes] = []
        task = asyncio.create_task(self._talk(port, found))
        try:
            yield found
        finally:
            task.cancel()

    async def _talk(self, port: int, found: list[bytes]) -> None:
        for number in itertools.count():
            times = (number & 0xFFFF).to_bytes(2, "big") + (160 * number).to_bytes(4, "big")
            self.rtp.sendto(b"\x80\x00" + times + b"SSRC" + b"\xff" * PCMU_BYTES, ("127.0.0.1", port))
            with contextlib.suppress(BlockingIOError):
                while True:
                    found.append(self.rtp.recv(2_000))
            await asyncio.sleep(0.02)


def media_port(body: bytes) -> int:
    found = re.search(rb"m=audio (\d+) RTP/AVP ", body)
    assert found, body
    return int(found[1])


def assert_plain(body: bytes) -> None:
    """A session description as phones without encryption and ICE have it."""
    assert media_port(body)
    for word in (b"SAVP", b"fingerprint", b"candidate", b"ice-", b"crypto", b"rtcp-mux"):
        assert word not in body, body


def assert_secure(text: str) -> None:
    """A message with a session description as browsers want it."""
    for word in ("UDP/TLS/RTP/SAVPF", "a=fingerprint:", "a=candidate:", "a=ice-ufrag:", "a=rtcp-mux"):
        assert word in text, text


def assert_sound(packets: list[bytes]) -> None:
    """RTP with PCMU, of one stream (RFC 3550)."""
    assert len(packets) >= PACKETS
    sound = [packet for packet in packets if packet[1] & 0x7F == PCMU]
    assert len(sound) >= PACKETS - 5, "some may be comfort noise or tones"
    assert {packet[0] >> 6 for packet in sound} == {2}
    assert {len(packet) for packet in sound} == {12 + PCMU_BYTES}
    assert len({packet[8:12] for packet in sound}) == 1
