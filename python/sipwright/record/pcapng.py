"""Writes capture files that Wireshark, tshark and sngrep open (pcapng, draft-ietf-opsawg-pcapng).

Every message becomes one IP packet with one UDP datagram, whatever it came by: TLS and WebSocket are shown as the SIP
that they carried, and a TCP segment would need a connection that the recording does not have. The transport is in
the packet's comment, and in the message's Via. A message too long for a datagram of UDP is cut, and says its length.

Wireshark decodes SIP on port 5060 by itself; other ports by `-d udp.port==PORT,sip`.
"""

import ipaddress
import struct
from collections.abc import Iterable
from typing import BinaryIO, Final

from sipwright.record.entry import Endpoint, Entry

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_BYTE_ORDER: Final = 0x1A2B3C4D
# Packets begin with the IP header, of version 4 or 6.
_LINKTYPE_RAW: Final = 101
_COMMENT: Final = 1
_IF_NAME: Final = 2
_APPLICATION: Final = 4
_UDP: Final = 17
_MOST: Final = 65_535 - 20 - 8


def write(out: BinaryIO, entries: Iterable[Entry], application: str) -> int:
    """Writes the messages among the entries, in order, as a whole file; returns how many there were."""
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + _options([(_APPLICATION, application)])
    out.write(_block(_SECTION, body))
    # Times are in microseconds, as is usual without an option.
    out.write(_block(_INTERFACE, struct.pack("<HHI", _LINKTYPE_RAW, 0, 0) + _options([(_IF_NAME, "sipwright")])))
    count = 0
    for entry in entries:
        if entry.is_message:
            out.write(_packet(entry, count))
            count += 1
    return count


def _packet(entry: Entry, number: int) -> bytes:
    packet = datagram(entry.source, entry.target, entry.data, number)
    full = len(packet) - len(entry.data[:_MOST]) + entry.size
    times = struct.pack(
        "<IIIII", 0, entry.wall_us >> 32, entry.wall_us & 0xFFFFFFFF, len(packet), max(full, len(packet))
    )
    connection = f", connection {entry.connection}" if entry.connection else ""
    comment = f"{entry.kind} by {entry.proto}{connection}"
    return _block(_PACKET, times + _padded(packet) + _options([(_COMMENT, comment)]))


def datagram(source: Endpoint, target: Endpoint, data: bytes, number: int = 0) -> bytes:
    """An IP packet with a datagram of UDP; checksums are right."""
    data = data[:_MOST]
    ours, theirs = ipaddress.ip_address(source[0]), ipaddress.ip_address(target[0])
    if ours.version != theirs.version:
        # The socket of the wildcard address of the other version.
        ours, theirs = (_as_v6(address) for address in (ours, theirs))
    length = 8 + len(data)
    pseudo = ours.packed + theirs.packed + struct.pack("!II", length, _UDP)
    udp = struct.pack("!HHH", source[1], target[1], length)
    sum_ = _checksum(pseudo + udp + b"\0\0" + data) or 0xFFFF
    payload = udp + struct.pack("!H", sum_) + data
    if ours.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, _UDP, 64) + ours.packed + theirs.packed + payload
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, number & 0xFFFF, 0, 64, _UDP)
    addresses = ours.packed + theirs.packed
    return head + struct.pack("!H", _checksum(head + b"\0\0" + addresses)) + addresses + payload


def _as_v6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _checksum(data: bytes) -> int:
    """RFC 1071. The sum of 16-bit words modulo 65,535 is the number itself modulo that."""
    whole = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    rest = whole % 0xFFFF
    return 0xFFFF - rest if rest or not whole else 0


def _options(given: list[tuple[int, str]]) -> bytes:
    texts = [(code, text.encode()) for code, text in given]
    return b"".join(struct.pack("<HH", code, len(text)) + _padded(text) for code, text in texts) + b"\0\0\0\0"


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length
