"""The encapsulation protocol of Homer, HEP, versions 1 to 3: what a capture server is sent for one message. No I/O."""

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

SIP: Final = 1
LOG: Final = 100
# IP protocol numbers.
_PROTOCOLS: Final = {"udp": 17, "tcp": 6, "tls": 22, "ws": 6, "wss": 22}
_FAMILIES: Final = {4: 2, 6: 10}
_CORRELATION: Final = 17
_AUTH_KEY: Final = 14
_PAYLOAD: Final = 15
_LONGEST: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Captured:
    """A message with the path it took; the time is in microseconds since 1970."""

    payload: bytes
    proto: str
    source: tuple[str, int]
    target: tuple[str, int]
    micros: int
    kind: int = SIP
    correlation: str = ""


def encapsulate(message: Captured, version: int, capture_id: int, auth_key: str = "") -> bytes:
    """The datagram for a capture server. ValueError for what has no room in one."""
    if version == 3:
        return _version_3(message, capture_id, auth_key)
    source, target = ipaddress.ip_address(message.source[0]), ipaddress.ip_address(message.target[0])
    addresses = source.packed + target.packed
    head = struct.pack(
        "!BBBBHH",
        version,
        8 + len(addresses),
        _FAMILIES[source.version],
        _PROTOCOLS.get(message.proto, 17),
        message.source[1],
        message.target[1],
    )
    # The time and the number are as they lie in the memory of the machines that HEP 2 comes from.
    time = struct.pack("<IIHxx", *divmod(message.micros, 1_000_000), capture_id & 0xFFFF) if version == 2 else b""
    return head + addresses + time + message.payload


def _version_3(message: Captured, capture_id: int, auth_key: str) -> bytes:
    source, target = ipaddress.ip_address(message.source[0]), ipaddress.ip_address(message.target[0])
    first = 3 if source.version == 4 else 5
    seconds, micros = divmod(message.micros, 1_000_000)
    ports = [(7, struct.pack("!H", message.source[1])), (8, struct.pack("!H", message.target[1]))]
    if message.kind == LOG:
        # The order in which Kamailio has them in log events.
        ports.reverse()
    chunks = [
        (1, bytes([_FAMILIES[source.version]])),
        (2, bytes([_PROTOCOLS.get(message.proto, 17)])),
        (first, source.packed),
        (first + 1, target.packed),
        *ports,
        (9, struct.pack("!I", seconds)),
        (10, struct.pack("!I", micros)),
        (11, bytes([message.kind])),
        (12, struct.pack("!I", capture_id & 0xFFFFFFFF)),
    ]
    if message.correlation:
        chunks.append((_CORRELATION, message.correlation.encode()))
    if auth_key:
        chunks.append((_AUTH_KEY, auth_key.encode()))
    chunks.append((_PAYLOAD, message.payload))
    body = b"".join(struct.pack("!HHH", 0, number, 6 + len(data)) + data for number, data in chunks if _fits(data))
    if len(body) + 6 > _LONGEST:
        raise ValueError("the message is too long for HEP")
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def _fits(data: bytes) -> bool:
    if len(data) + 6 > _LONGEST:
        raise ValueError("the message is too long for HEP")
    return True
