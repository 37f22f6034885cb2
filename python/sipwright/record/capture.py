"""Reads SIP out of capture files: pcapng, ours and Wireshark's, and classic pcap as tcpdump writes it.

Messages in UDP datagrams, and whole messages in TCP segments, on any port. IP fragments, messages over several segments
and encrypted ones are passed over and counted.
"""

import ipaddress
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sipwright._engine import Recording
from sipwright.record.entry import Endpoint

# Capture files are read as a whole.
MOST_BYTES: Final = 1 << 30
_START: Final = re.compile(
    rb"(?:SIP/2\.0 [1-6]\d\d |[A-Za-z0-9.!%*_+`'~-]{1,40} sips?:\S+ SIP/2\.0\r?\n|[A-Z]+ tel:\S+ SIP)"
)
_OUR_COMMENT: Final = re.compile(rb"^(received|sent) by (udp|tcp|tls|wss?)\b")
# Bytes before the IP header, by link type: none for raw IP, then loopback, Ethernet, Linux cooked v1 and v2.
_LINK_HEADER: Final = {12: 0, 101: 0, 228: 0, 229: 0, 0: 4, 108: 4, 1: 14, 113: 16, 276: 20}
_VLANS: Final = (b"\x81\x00", b"\x88\xa8")


class CaptureError(Exception):
    """A file that is no capture file, or broken; the text says where."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A SIP message in a capture file. `sent` is None where the file does not say whose capture it is."""

    wall_us: int
    proto: str
    source: Endpoint
    target: Endpoint
    data: bytes
    sent: bool | None


@dataclass(slots=True)
class Capture:
    """The SIP messages of a file; `skipped` counts packets that looked like SIP and could not be used."""

    packets: list[Packet] = field(default_factory=list)
    skipped: int = 0


def recording_of(path: Path) -> Recording:
    """The messages of a file as a recording. Raises CaptureError and OSError.

    A capture of ours says which messages the server received and sent; of any other, the address that takes part in most
    messages is taken for the server's.
    """
    capture = read(path)
    packets = capture.packets
    room = sum(len(packet.data) for packet in packets)
    # One message may take a quarter of the memory at most.
    largest = max((len(packet.data) for packet in packets), default=0)
    recording = Recording(max(room, 4 * largest, 16_384), len(packets) + 1)
    hub = _hub(packets)
    for packet in packets:
        sent = packet.source == hub if packet.sent is None else packet.sent
        ours, theirs = (packet.source, packet.target) if sent else (packet.target, packet.source)
        recording.add(packet.wall_us, sent, packet.proto, ours, theirs, packet.data)
    return recording


def read(path: Path) -> Capture:
    """The SIP messages of a file. Raises CaptureError and OSError."""
    if path.stat().st_size > MOST_BYTES:
        raise CaptureError(f"{path}: larger than {MOST_BYTES} bytes")
    data = path.read_bytes()
    capture = Capture()
    try:
        frames = _pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data)
        for wall_us, link, frame, comment in frames:
            _take(capture, wall_us, link, frame, comment)
    except (struct.error, IndexError) as error:
        raise CaptureError(f"{path}: cut off or broken: {error}") from error
    except CaptureError as error:
        raise CaptureError(f"{path}: {error}") from error
    return capture


Frame = tuple[int, int, bytes, bytes]


def _hub(packets: list[Packet]) -> Endpoint | None:
    seen = Counter(end for packet in packets for end in (packet.source, packet.target))
    return seen.most_common(1)[0][0] if seen else None


def _pcap(data: bytes) -> Iterator[Frame]:
    orders = {b"\xd4\xc3\xb2\xa1": ("<", 1), b"\xa1\xb2\xc3\xd4": (">", 1)}
    orders |= {b"\x4d\x3c\xb2\xa1": ("<", 1000), b"\xa1\xb2\x3c\x4d": (">", 1000)}
    if data[:4] not in orders:
        raise CaptureError("no capture file: neither pcap nor pcapng")
    order, per_us = orders[data[:4]]
    (link,) = struct.unpack_from(f"{order}20xI", data)
    at = 24
    while at < len(data):
        seconds, part, kept, _ = struct.unpack_from(f"{order}IIII", data, at)
        at += 16
        yield seconds * 1_000_000 + part // per_us, link & 0xFFFF, data[at : at + kept], b""
        at += kept


def _pcapng(data: bytes) -> Iterator[Frame]:
    order, at = "<", 0
    interfaces: list[tuple[int, float]] = []
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if length < 12 or length % 4:
            raise CaptureError(f"broken block at byte {at}")
        body = data[at + 8 : at + length - 4]
        at += length
        if kind == 1:
            (link,) = struct.unpack_from(f"{order}H", body)
            interfaces.append((link, _ticks_per_us(_options(order, body[8:]).get(9, b"\x06"))))
        elif kind == 6:
            number, high, low, kept = struct.unpack_from(f"{order}IIII", body)
            link, ticks = interfaces[number]
            end = 20 + kept
            comment = _options(order, body[end + -kept % 4 :]).get(1, b"")
            yield int(((high << 32) + low) / ticks) if ticks != 1 else (high << 32) + low, link, body[20:end], comment


def _ticks_per_us(resolution: bytes) -> float:
    exponent = resolution[0]
    ticks = 2.0 ** (exponent & 0x7F) if exponent & 0x80 else 10.0**exponent
    return ticks / 1e6


def _options(order: str, data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(f"{order}HH", data, at)
        if code == 0:
            break
        found.setdefault(code, data[at + 4 : at + 4 + length])
        at += 4 + length + -length % 4
    return found


def _take(capture: Capture, wall_us: int, link: int, frame: bytes, comment: bytes) -> None:
    if link not in _LINK_HEADER:
        raise CaptureError(f"link type {link} is not supported")
    skip = _LINK_HEADER[link]
    while link == 1 and frame[skip - 2 : skip] in _VLANS:
        skip += 4
    found = _ip(frame[skip:])
    if found is None:
        return
    proto, source, target, payload, is_whole = found
    if not _START.match(payload):
        return
    if not is_whole:
        capture.skipped += 1
        return
    ours = _OUR_COMMENT.match(comment)
    sent = None if ours is None else ours[1] == b"sent"
    name = proto if ours is None else ours[2].decode()
    messages = [payload] if proto == "udp" else list(split(payload))
    capture.skipped += not messages
    capture.packets += [Packet(wall_us, name, source, target, message, sent) for message in messages]


def _ip(packet: bytes) -> tuple[str, Endpoint, Endpoint, bytes, bool] | None:
    """Transport, source, target, payload and whether that is all of it; None for what carries no SIP."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        size, proto = (packet[0] & 15) * 4, packet[9]
        total, fragment = struct.unpack_from("!2xH2xH", packet)
        if fragment & 0x1FFF:
            return None
        is_whole = not fragment & 0x2000
        addresses = packet[12:16], packet[16:20]
        # Captured on the sending machine, packets that the card cuts up have no length.
        payload = packet[size : total or len(packet)]
    elif version == 6 and len(packet) >= 40:
        proto, is_whole = packet[6], True
        addresses = packet[8:24], packet[24:40]
        payload = packet[40:]
    else:
        return None
    source, target = (str(ipaddress.ip_address(address)) for address in addresses)
    if proto == 17 and len(payload) >= 8:
        ports, name, data = struct.unpack_from("!HH", payload), "udp", payload[8:]
    elif proto == 6 and len(payload) >= 20:
        ports, name, data = struct.unpack_from("!HH", payload), "tcp", payload[(payload[12] >> 4) * 4 :]
    else:
        return None
    return name, (source, ports[0]), (target, ports[1]), data, is_whole


_LENGTH: Final = re.compile(rb"^(?:Content-Length|l)[ \t]*:[ \t]*(\d{1,9})\b", re.MULTILINE | re.IGNORECASE)


def split(segment: bytes) -> Iterator[bytes]:
    """The whole messages of a TCP segment that begins with one."""
    while segment:
        head, blank, _ = segment.partition(b"\r\n\r\n")
        if not blank or not _START.match(segment):
            return
        length = _LENGTH.search(head)
        size = len(head) + 4 + (int(length[1]) if length else 0)
        if size > len(segment):
            return
        yield segment[:size]
        segment = segment[size:].lstrip(b"\r\n")
