"""Bencoding, the form of rtpengine's control protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Value = int | str | bytes | Sequence[Any] | Mapping[str, Any]

_MAX_DEPTH: Final = 32
_MAX_DIGITS: Final = 20


def encode(value: Value) -> bytes:
    """The value as bytes; keys of dictionaries keep their order, as Kamailio writes them."""
    if isinstance(value, bool):
        raise TypeError("bencoding has no truth values")
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, Mapping):
        return b"d" + b"".join(encode(key) + encode(item) for key, item in value.items()) + b"e"
    return b"l" + b"".join(map(encode, value)) + b"e"


def decode(data: bytes) -> Any:
    """The value that the bytes hold: int, str, list or dict. ValueError says where they are malformed.

    Strings are UTF-8; other bytes become surrogates, which `encode` turns back.
    """
    value, end = _value(data, 0, 0)
    if end != len(data):
        raise ValueError(f"bencode: {len(data) - end} bytes too many at {end}")
    return value


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > _MAX_DEPTH:
        raise ValueError(f"bencode: nested too deeply at {at}")
    match data[at : at + 1]:
        case b"i":
            return _number(data, at + 1, b"e")
        case b"l":
            return _list(data, at + 1, depth)
        case b"d":
            return _dictionary(data, at + 1, depth)
        case digit if digit.isdigit():
            return _text(data, at)
    raise ValueError(f"bencode: no value at {at}")


def _number(data: bytes, at: int, end: bytes) -> tuple[int, int]:
    stop = data.find(end, at, at + _MAX_DIGITS + 1)
    digits = data[at:stop] if stop >= 0 else b""
    if not digits.removeprefix(b"-").isdigit():
        raise ValueError(f"bencode: no number at {at}")
    return int(digits), stop + 1


def _text(data: bytes, at: int) -> tuple[str, int]:
    length, start = _number(data, at, b":")
    if length < 0 or start + length > len(data):
        raise ValueError(f"bencode: the string at {at} is longer than the rest")
    return data[start : start + length].decode("utf-8", "surrogateescape"), start + length


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    items = []
    while data[at : at + 1] != b"e":
        item, at = _value(data, at, depth + 1)
        items.append(item)
    return items, at + 1


def _dictionary(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    items: dict[str, Any] = {}
    while data[at : at + 1] != b"e":
        if not data[at : at + 1].isdigit():
            raise ValueError(f"bencode: no key at {at}")
        key, at = _text(data, at)
        items[key], at = _value(data, at, depth + 1)
    return items, at + 1
