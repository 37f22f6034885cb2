"""SIP messages of packet captures: classic pcap and pcapng files, over Ethernet, Linux cooked, loopback and raw IP.

Fragments of IP are put together, streams of TCP cut into messages. What is encrypted, or is no SIP, is passed over.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sipwright.testing.message import SipMessage

_MAGIC: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
}
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_IF_TSRESOL: Final = 9
# Link types: https://www.tcpdump.org/linktypes.html
_NULL, _ETHERNET, _RAW, _LOOP, _COOKED, _COOKED2 = 0, 1, 101, 108, 113, 276
_RAW_KINDS: Final = (12, 14, _RAW, 228, 229)
_IPV4, _IPV6, _VLAN, _QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8
_TCP, _UDP, _FRAGMENT = 6, 17, 44
_EXTENSIONS: Final = (0, 43, 60)
# Bytes of a stream that hold no message are given up beyond this.
_LONGEST: Final = 1 << 20

Address = tuple[str, int]


class CaptureError(Exception):
    """A file that is no capture, or a damaged one; the text names it."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A message with the time of its packet, in seconds since 1970, and the way that it went."""

    time_s: float
    proto: str
    source: Address
    target: Address
    data: bytes
    message: SipMessage


def read_capture(file: Path) -> list[Captured]:
    """The SIP messages of a capture, in order. Raises CaptureError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CaptureError(f"{file}: {error.strerror or error}") from None
    try:
        if data[:4] in _MAGIC:
            packets = list(_pcap(data))
        elif data[:4] == _SECTION.to_bytes(4, "big"):
            packets = list(_pcapng(data))
        else:
            raise CaptureError(f"{file}: is neither a pcap nor a pcapng file")
    except (struct.error, KeyError):
        raise CaptureError(f"{file}: is damaged") from None
    reader = _Reader()
    return [found for packet in packets for found in reader.read(*packet)]


def _pcap(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    order, unit = _MAGIC[data[:4]]
    link = int(struct.unpack_from(f"{order}I", data, 20)[0]) & 0x0FFF_FFFF
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from(f"{order}IIII", data, at)
        yield seconds + fraction / unit, link, data[at + 16 : at + 16 + length]
        at += 16 + length


def _pcapng(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    order, at = "<", 0
    interfaces: list[tuple[int, float]] = []
    while at + 12 <= len(data):
        kind = struct.unpack_from(f"{order}I", data, at)[0]
        if kind == _SECTION or data[at : at + 4] == _SECTION.to_bytes(4, "big"):
            order = _ORDERS[data[at + 8 : at + 12]]
            kind, interfaces = _SECTION, []
        length = struct.unpack_from(f"{order}I", data, at + 4)[0]
        if length < 12:
            raise struct.error
        body = data[at + 8 : at + length - 4]
        if kind == _INTERFACE:
            interfaces.append((struct.unpack_from(f"{order}H", body)[0], _resolution(body[8:], order)))
        elif kind == _ENHANCED:
            number, high, low, size = struct.unpack_from(f"{order}IIII", body)
            link, unit = _interface(interfaces, number)
            yield ((high << 32) | low) * unit, link, body[20 : 20 + size]
        elif kind == _SIMPLE:
            yield 0.0, _interface(interfaces, 0)[0], body[4:]
        at += length


def _interface(interfaces: list[tuple[int, float]], number: int) -> tuple[int, float]:
    if number >= len(interfaces):
        raise struct.error
    return interfaces[number]


def _resolution(options: bytes, order: str) -> float:
    """Seconds of a unit of an interface's timestamps."""
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from(f"{order}HH", options, at)
        if code == _IF_TSRESOL and length:
            value = struct.unpack_from("B", options, at + 4)[0]
            return float(2.0 ** -(value & 0x7F) if value & 0x80 else 10.0**-value)
        if code == 0:
            break
        at += 4 + (length + 3) // 4 * 4
    return 1e-6


@dataclass
class _Stream:
    """One direction of a TCP connection: what is next, what came too early, and the rest of a message."""

    next: int | None = None
    early: dict[int, bytes] = field(default_factory=dict)
    rest: bytes = b""


class _Reader:
    """Takes packets apart; it remembers fragments and streams."""

    def __init__(self) -> None:
        self._streams: dict[tuple[Address, Address], _Stream] = {}
        self._fragments: dict[tuple[bytes, ...], dict[int, bytes]] = {}
        self._ends: dict[tuple[bytes, ...], int] = {}

    def read(self, time_s: float, link: int, data: bytes) -> Iterator[Captured]:
        """The messages that a packet completes."""
        try:
            found = self._ip(*_network_layer(link, data))
        except (struct.error, IndexError, ValueError):
            return
        if found is None:
            return
        protocol, hosts, payload = found
        if protocol == _UDP and len(payload) >= 8:
            ports = struct.unpack_from("!HH", payload)
            yield from _messages(time_s, "udp", (hosts[0], ports[0]), (hosts[1], ports[1]), payload[8:])
        elif protocol == _TCP and len(payload) >= 20:
            yield from self._tcp(time_s, hosts, payload)

    def _ip(self, kind: int, data: bytes) -> tuple[int, tuple[str, str], bytes] | None:
        if kind == _IPV4:
            header = (data[0] & 15) * 4
            total, name, place = struct.unpack_from("!HHH", data, 2)
            hosts = (str(ipaddress.IPv4Address(data[12:16])), str(ipaddress.IPv4Address(data[16:20])))
            # A packet of a card that cuts it itself has no length.
            payload = data[header : total or len(data)]
            whole = self._whole(
                (data[12:20], data[9:10], name.to_bytes(2, "big")), place & 0x1FFF, bool(place & 0x2000), payload
            )
            return None if whole is None else (data[9], hosts, whole)
        if kind != _IPV6:
            return None
        hosts = (str(ipaddress.IPv6Address(data[8:24])), str(ipaddress.IPv6Address(data[24:40])))
        following, payload = data[6], data[40 : 40 + struct.unpack_from("!H", data, 4)[0]]
        while following in _EXTENSIONS:
            following, payload = payload[0], payload[(payload[1] + 1) * 8 :]
        if following == _FRAGMENT:
            place = struct.unpack_from("!H", payload, 2)[0]
            whole = self._whole((data[8:40], payload[4:8]), place >> 3, bool(place & 1), payload[8:])
            return None if whole is None else (payload[0], hosts, whole)
        return following, hosts, payload

    def _whole(self, key: tuple[bytes, ...], place: int, more: bool, payload: bytes) -> bytes | None:
        """A datagram once all of its fragments are there; `place` counts eights of bytes."""
        if not place and not more:
            return payload
        parts = self._fragments.setdefault(key, {})
        parts[place * 8] = payload
        if not more:
            self._ends[key] = place * 8 + len(payload)
        whole = b""
        while len(whole) in parts and parts[len(whole)]:
            whole += parts[len(whole)]
        if len(whole) != self._ends.get(key):
            return None
        del self._fragments[key], self._ends[key]
        return whole

    def _tcp(self, time_s: float, hosts: tuple[str, str], payload: bytes) -> Iterator[Captured]:
        source_port, target_port, number = struct.unpack_from("!HHI", payload)
        source, target = (hosts[0], source_port), (hosts[1], target_port)
        is_syn = bool(payload[13] & 2)
        data = payload[(payload[12] >> 4) * 4 :]
        stream = self._streams.setdefault((source, target), _Stream())
        if is_syn:
            stream.next, stream.rest = (number + 1) & 0xFFFF_FFFF, b""
            return
        if stream.next is None:
            # The capture begins in the middle of the connection.
            stream.next = number
        if data:
            stream.early[number] = data
        while stream.next in stream.early:
            part = stream.early.pop(stream.next)
            stream.next = (stream.next + len(part)) & 0xFFFF_FFFF
            stream.rest += part
        for data in _cut(stream):
            yield from _messages(time_s, "tcp", source, target, data)


def _network_layer(link: int, data: bytes) -> tuple[int, bytes]:
    """The kind of the packet in a frame, and the packet."""
    if link in _RAW_KINDS:
        return (_IPV6 if data[0] >> 4 == 6 else _IPV4), data
    if link in (_NULL, _LOOP):
        return (_IPV6 if data[4] >> 4 == 6 else _IPV4), data[4:]
    if link == _COOKED:
        return struct.unpack_from("!H", data, 14)[0], data[16:]
    if link == _COOKED2:
        return struct.unpack_from("!H", data)[0], data[20:]
    if link != _ETHERNET:
        raise ValueError
    at = 12
    kind = struct.unpack_from("!H", data, at)[0]
    while kind in (_VLAN, _QINQ):
        at += 4
        kind = struct.unpack_from("!H", data, at)[0]
    return kind, data[at + 2 :]


def _cut(stream: _Stream) -> Iterator[bytes]:
    """The whole messages at the beginning of a stream."""
    while True:
        stream.rest = stream.rest.lstrip(b"\r\n")
        head, blank, body = stream.rest.partition(b"\r\n\r\n")
        found = re.search(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})\b", head, re.IGNORECASE | re.MULTILINE)
        length = int(found[1]) if found else 0
        if not blank or len(body) < length:
            if len(stream.rest) > _LONGEST:
                stream.rest = b""
            return
        whole = len(head) + 4 + length
        yield stream.rest[:whole]
        stream.rest = stream.rest[whole:]


def _messages(time_s: float, proto: str, source: Address, target: Address, data: bytes) -> Iterator[Captured]:
    try:
        message = SipMessage.parse(data)
    except ValueError:
        return
    if "Call-ID" in message and "CSeq" in message and "Via" in message:
        yield Captured(time_s, proto, source, target, data, message)
