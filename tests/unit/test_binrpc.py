"""Kamailio's binary RPC: bytes that kamcmd and Kamailio 5.6.3 have sent, and any others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipwright.modules.binrpc import (
    FAULT,
    MAX_BODY_BYTES,
    REPLY,
    REQUEST,
    BinrpcError,
    Members,
    fault,
    packet_of,
    packets,
    reply,
    request,
)

COOKIE = b"\1\2\3\4"
# What Kamailio sent for these values.
OBSERVED: list[tuple[bytes, Any]] = [
    (b"\xa1\x13\x00\x01\x02\x03\x04", None),
    (b"\xa1\x13\x05\x01\x02\x03\x04@\xff\xff\xff\xfb", -5),
    (b"\xa1\x13\x03\x01\x02\x03\x04!a\x00", "a"),
    (b"\xa1\x13\x1c\x01\x02\x03\x04\x91\x1aOk. Key set to new value.\x00", "Ok. Key set to new value."),
    (
        b"\xa1\x13:\x01\x02\x03\x04\x03eentry\x00\x10\x06Usize\x00\x10\x01Uslot\x00\x03\x03Uname\x00!k\x00"
        b"evalue\x00\x10\x05Utype\x00Aint\x00\x83\x83\x83",
        [{"entry": 6, "size": 1, "slot": [{"name": "k", "value": 5, "type": "int"}]}],
    ),
    (b"\xa1\x13\x0c\x01\x02\x03\x04 \x0b\x90atimer\x00\x10\x07", [2960, "timer", 7]),
    (
        b"\xa1\x13.\x01\x02\x03\x04\x03usocket\x00\x03eproto\x00Audp\x00\x83usocket\x00\x03eproto\x00Atcp\x00\x83\x83",
        Members([{"socket": {"proto": "udp"}}, {"socket": {"proto": "tcp"}}]),
    ),
]


@pytest.mark.parametrize(("wire", "result"), OBSERVED, ids=repr)
def test_replies_are_those_of_kamailio(wire: bytes, result: Any) -> None:
    assert reply(COOKIE, result) == wire


def test_faults_are_those_of_kamailio() -> None:
    wire = b"\xa13 \x01\x02\x03\x04 \x01\xf4\x91\x1bcommand nosuch.x not found\x00"
    assert fault(COOKIE, 500, "command nosuch.x not found") == wire
    assert packet_of(wire).kind == FAULT
    assert packet_of(wire).values == [500, "command nosuch.x not found"]


def test_lists_within_a_structure() -> None:
    nested = {"RECORDS": [{"SET": {"ID": 1}}, {"SET": {"ID": 2}}], "names": ["a", "b"], "none": None, "empty": []}
    (read,) = packet_of(reply(COOKIE, nested)).values
    assert read == {
        "RECORDS": [{"SET": {"ID": 1}}, {"SET": {"ID": 2}}],
        "names": ["a", "b"],
        "none": "<null string>",
        "empty": {},
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, 0),
        (2**31 - 1, 2**31 - 1),
        (2**31, str(2**31)),
        (-1, -1),
        (True, 1),
        (1.5, 1.5),
        (-0.25, -0.25),
        (1e9, "1000000000.000"),
    ],
)
def test_numbers(value: float, read: Any) -> None:
    assert packet_of(reply(COOKIE, value)).values == [read]


def test_a_long_reply_has_a_long_length() -> None:
    text = "x" * 70_000
    wire = reply(COOKIE, text)
    assert wire[:2] == b"\xa1\x1b"
    assert int.from_bytes(wire[2:5], "big") == len(wire) - 9


def test_a_stream_is_cut_into_requests() -> None:
    wire = request(b"\7", "core.echo", "a", 5, -5) + request(COOKIE, "core.uptime")
    buffer, found = bytearray(), []
    for byte in wire:
        buffer.append(byte)
        found += list(packets(buffer))
    assert [(one.kind, one.cookie, one.values) for one in found] == [
        (REQUEST, b"\7", ["core.echo", "a", 5, -5]),
        (REQUEST, COOKIE, ["core.uptime"]),
    ]
    assert not buffer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xa1",
        b"\xa2\x03",
        b"GET / HTTP/1.1\r\n",
        b"\xa1\x03\x02\1\2\3\4\x21a",
        b"\xa1\x03\x01\1\2\3\4\x21",
        b"\xa1\x03\x02\1\2\3\4\x0f\x0f",
        b"\xa1\x03\x01\1\2\3\4\x03",
        b"\xa1\x03\x01\1\2\3\4\x83",
        b"\xa1\x03\x40\1\2\3\4" + b"\x03" * 64,
        b"\xa1\x0f" + (MAX_BODY_BYTES + 1).to_bytes(4, "big") + COOKIE,
    ],
)
def test_what_is_no_packet(data: bytes) -> None:
    with pytest.raises(BinrpcError):
        packet_of(data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        packet = packet_of(b"\xa1\x03" + bytes((len(data),)) + COOKIE + data)
    except BinrpcError:
        return
    assert isinstance(packet.values, list)


values = st.recursive(
    st.integers(-(2**31) + 1, 2**31 - 1) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.dictionaries(st.text("abc_", min_size=1), inner, min_size=1),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(values))
def test_what_is_written_is_read_again(result: list[Any]) -> None:
    packet = packet_of(reply(COOKIE, result))
    assert (packet.kind, packet.cookie, packet.values) == (REPLY, COOKIE, result)
