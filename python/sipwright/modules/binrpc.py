"""Kamailio's binary RPC (module ctl, program kamcmd): requests and replies as bytes; no I/O.

A packet is a header and a body. The header: a byte with the magic number 0xA and the version 1; a byte with the kind
(0 request, 1 reply, 3 fault), the number of bytes of the length minus 1 (two bits) and that of the cookie minus 1 (two
bits); the length of the body; the cookie, which a reply repeats. Numbers are big-endian.

The body is a row of records. The first byte of a record has its type in the lower four bits. Where its highest bit is 0,
the next three are the length of the value; where it is 1, they are the number of bytes in which the length follows. Texts
end with a NUL, which counts. A structure is a record of length 0, then its members, each a record with the name and one
with the value, then the end mark, which is its type with the highest bit. What an array is in JSON is a structure here
too: one whose members have no names, or all the same name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_BODY_BYTES: Final = 65_536
REQUEST: Final = 0
REPLY: Final = 1
FAULT: Final = 3

_MAGIC: Final = 0xA1
_LENGTH_BYTES: Final = 4
_INT: Final = 0
_TEXT: Final = 1
_DOUBLE: Final = 2
_STRUCT: Final = 3
_ARRAY: Final = 4
_NAME: Final = 5
_BYTES: Final = 6
_END: Final = 0x80
_MAX_DEPTH: Final = 16
_MAX_NUMBER_BYTES: Final = 8
# kamcmd and others read numbers of 32 bits; what is larger is sent as a text.
_LARGEST: Final = 2**31 - 1
_NULL: Final = "<null string>"


class BinrpcError(Exception):
    """The bytes are no request of this protocol."""


class Members(list[dict[str, Any]]):
    """A list of `{name: value}` that is a structure with these members, also at the top of a reply."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet; `values` are those of its body."""

    kind: int
    cookie: bytes
    values: list[Any]


def packets(buffer: bytearray) -> Iterator[Packet]:
    """Takes the complete packets off the front of `buffer`. Raises BinrpcError; then nothing can follow."""
    while (found := _packet(buffer)) is not None:
        yield found


def packet_of(data: bytes) -> Packet:
    """The packet of a datagram. Raises BinrpcError."""
    buffer = bytearray(data)
    found = _packet(buffer)
    if found is None or buffer:
        raise BinrpcError("the length does not fit")
    return found


def request(cookie: bytes, method: str, *params: Any) -> bytes:
    """The bytes of a request."""
    return _whole(REQUEST, cookie, b"".join(map(_value, (method, *params))))


def reply(cookie: bytes, result: Any) -> bytes:
    """The bytes of a reply: nothing for None, the items of a list one after the other, else one value."""
    if result is None:
        return _whole(REPLY, cookie, b"")
    if isinstance(result, list) and not isinstance(result, Members):
        return _whole(REPLY, cookie, b"".join(map(_value, result)))
    return _whole(REPLY, cookie, _value(result))


def fault(cookie: bytes, code: int, reason: str) -> bytes:
    """The bytes of an error reply."""
    return _whole(FAULT, cookie, _value(code) + _value(reason))


def _whole(kind: int, cookie: bytes, body: bytes) -> bytes:
    size = max(1, (len(body).bit_length() + 7) // 8)
    if size > _LENGTH_BYTES:
        raise BinrpcError("the reply is too long")
    head = bytes((_MAGIC, kind << 4 | (size - 1) << 2 | (len(cookie) - 1)))
    return head + len(body).to_bytes(size, "big") + cookie + body


def _record(kind: int, value: bytes) -> bytes:
    length = len(value)
    if length < 8:
        return bytes((length << 4 | kind,)) + value
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size << 4 | kind,)) + length.to_bytes(size, "big") + value


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return _number(_INT, int(value))
    if isinstance(value, int):
        return _number(_INT, value) if -_LARGEST <= value <= _LARGEST else _text(_TEXT, str(value))
    if isinstance(value, float):
        return _number(_DOUBLE, round(value * 1000)) if abs(value) * 1000 < _LARGEST else _text(_TEXT, f"{value:.3f}")
    if isinstance(value, dict):
        return _struct(b"".join(_member(str(name), inner) for name, inner in value.items()))
    if isinstance(value, list | tuple):
        return _struct(b"".join(map(_item, value)))
    return _text(_TEXT, _NULL if value is None else str(value))


def _struct(members: bytes) -> bytes:
    return bytes((_STRUCT,)) + members + bytes((_END | _STRUCT,))


def _item(value: Any) -> bytes:
    """An item of a list: `{name: {...}}` is a member of that name."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        return _member(str(name), inner)
    return _value(value)


def _member(name: str, value: Any) -> bytes:
    return _text(_NAME, name) + _value(value)


def _number(kind: int, number: int) -> bytes:
    if number < 0:
        return _record(kind, number.to_bytes(4, "big", signed=True))
    return _record(kind, number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _text(kind: int, text: str) -> bytes:
    return _record(kind, text.replace("\0", " ").encode("utf-8", "surrogateescape") + b"\0")


def _packet(buffer: bytearray) -> Packet | None:
    if len(buffer) < 2:
        if buffer and buffer[0] != _MAGIC:
            raise BinrpcError("no packet begins like this")
        return None
    if buffer[0] != _MAGIC:
        raise BinrpcError("no packet begins like this")
    size, cookie_size = (buffer[1] >> 2 & 3) + 1, (buffer[1] & 3) + 1
    start = 2 + size + cookie_size
    if len(buffer) < start:
        return None
    length = int.from_bytes(buffer[2 : 2 + size], "big")
    if length > MAX_BODY_BYTES:
        raise BinrpcError(f"a request of {length} bytes is too long")
    if len(buffer) < start + length:
        return None
    cookie, body = bytes(buffer[2 + size : start]), bytes(buffer[start : start + length])
    kind = buffer[1] >> 4
    del buffer[: start + length]
    return Packet(kind, cookie, _Reader(body).all())


class _Reader:
    """Reads the records of a body."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def all(self) -> list[Any]:
        values = []
        while self._at < len(self._body):
            kind, data = self._record()
            values.append(self._read(kind, data, 0))
        return values

    def _record(self) -> tuple[int, bytes]:
        """Type and value of the next record; the type with the highest bit for an end mark."""
        first = self._take(1)[0]
        kind, size = first & 0x0F, first >> 4 & 7
        if not first & 0x80:
            return kind, self._take(size)
        if size == 0:
            return _END | kind, b""
        return kind, self._take(int.from_bytes(self._take(size), "big"))

    def _take(self, count: int) -> bytes:
        taken = self._body[self._at : self._at + count]
        if len(taken) < count:
            raise BinrpcError("a record ends too early")
        self._at += count
        return taken

    def _read(self, kind: int, data: bytes, depth: int) -> Any:
        if kind in (_INT, _DOUBLE):
            if len(data) > _MAX_NUMBER_BYTES:
                raise BinrpcError(f"a number of {len(data)} bytes")
            number = int.from_bytes(data, "big", signed=len(data) == 4)
            return number if kind == _INT else number / 1000
        if kind in (_TEXT, _NAME, _BYTES):
            return data.removesuffix(b"\0").decode("utf-8", "surrogateescape")
        if kind not in (_STRUCT, _ARRAY) or depth == _MAX_DEPTH:
            raise BinrpcError(f"unknown record {kind}")
        return self._inner(kind, depth)

    def _inner(self, kind: int, depth: int) -> Any:
        """A structure: a dict, or a list where members have no names or the same ones."""
        members: list[tuple[str | None, Any]] = []
        name: str | None = None
        while True:
            inner, data = self._record()
            if inner == _END | kind:
                break
            value = self._read(inner, data, depth + 1)
            if inner == _NAME:
                name = value
            else:
                members.append((name, value))
                name = None
        names = [name for name, _ in members]
        if None not in names and len(set(names)) == len(names):
            return dict(members)
        return [value if name is None else {name: value} for name, value in members]
