"""HEP: the bytes are those that Kamailio 5.6 sends for the same message, times and ports apart."""

from __future__ import annotations

import pytest

from sipwright.modules.hep import LOG, Captured, encapsulate
from sipwright.modules.siptrace import Trace, columns, ends_dialog, row_of, with_headers, with_path_of_headers

TIME = 0x6B09BF06 * 1_000_000 + 0x0DF833
MESSAGE = Captured(b"SIP", "udp", ("127.0.0.1", 0x88CB), ("127.0.0.1", 0x6345), TIME)


def test_version_1() -> None:
    assert encapsulate(MESSAGE, 1, 7) == b"\x01\x10\x02\x11\x88\xcbcE\x7f\x00\x00\x01\x7f\x00\x00\x01SIP"


def test_version_2() -> None:
    made = encapsulate(MESSAGE, 2, 7)
    assert made == (
        b"\x02\x10\x02\x11\x88\xcbcE\x7f\x00\x00\x01\x7f\x00\x00\x01\x06\xbf\tk\x33\xf8\x0d\x00\x07\x00\x00\x00SIP"
    )


def test_version_3() -> None:
    made = encapsulate(MESSAGE, 3, 7, "key")
    assert made == (
        b"HEP3\x00\x6f\x00\x00\x00\x01\x00\x07\x02\x00\x00\x00\x02\x00\x07\x11\x00\x00\x00\x03\x00\n\x7f\x00\x00\x01"
        b"\x00\x00\x00\x04\x00\n\x7f\x00\x00\x01\x00\x00\x00\x07\x00\x08\x88\xcb\x00\x00\x00\x08\x00\x08cE"
        b"\x00\x00\x00\t\x00\nk\t\xbf\x06\x00\x00\x00\n\x00\n\x00\r\xf83\x00\x00\x00\x0b\x00\x07\x01"
        b"\x00\x00\x00\x0c\x00\n\x00\x00\x00\x07\x00\x00\x00\x0e\x00\tkey\x00\x00\x00\x0f\x00\tSIP"
    )


def test_a_log_line() -> None:
    line = Captured(b"hello", "udp", ("127.0.0.1", 0x6345), ("127.0.0.1", 0xD7E0), TIME, LOG, "call4@x")
    made = encapsulate(line, 3, 7)
    assert made.startswith(b"HEP3\x00u")
    assert b"\x00\x00\x00\x08\x00\x08\xd7\xe0\x00\x00\x00\x07\x00\x08cE\x00\x00\x00\t" in made
    assert made.endswith(
        b"\x00\x00\x00\x0b\x00\x07d\x00\x00\x00\x0c\x00\n\x00\x00\x00\x07\x00\x00\x00\x11\x00\rcall4@x\x00\x00\x00\x0f\x00\x0bhello"
    )


def test_ipv6_and_what_is_too_long() -> None:
    message = Captured(b"SIP", "tcp", ("::1", 1), ("2001:db8::1", 2), TIME)
    made = encapsulate(message, 3, 7)
    assert b"\x00\x00\x00\x01\x00\x07\n\x00\x00\x00\x02\x00\x07\x06\x00\x00\x00\x05\x00\x16" in made
    with pytest.raises(ValueError, match="too long"):
        encapsulate(Captured(b"x" * 65_530, "udp", ("::1", 1), ("::1", 2), TIME), 3, 7)


BYE = b"SIP/2.0 200 OK\r\nf: <sip:a@b>;tag=ft\r\nTo: <sip:c@d>;x=y;tag=tt\r\ni: call@x\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"


def test_rows() -> None:
    trace = Trace(Captured(BYE, "udp", ("127.0.0.1", 5), ("::1", 6), 7_000_008), "out")
    row = row_of(trace)
    assert (row["callid"], row["fromtag"], row["totag"]) == ("call@x", "ft", "tt")
    assert (row["method"], row["status"], row["direction"]) == ("BYE", "200", "out")
    assert (row["fromip"], row["toip"], row["time_stamp"], row["time_us"]) == ("udp:127.0.0.1:5", "udp:[::1]:6", 7, 8)
    assert ends_dialog(BYE)
    assert not ends_dialog(BYE.replace(b"200", b"100"))
    assert columns(b"\xff\xfe no message")["callid"] == ""


def test_the_path_in_header_fields() -> None:
    trace = Trace(Captured(BYE, "udp", ("127.0.0.1", 5), ("127.0.0.2", 6), 7_000_008), "in")
    copy = with_headers(trace)
    assert copy.endswith(
        b"Content-Length: 0\r\nX-Siptrace-Fromip: udp:127.0.0.1:5\r\nX-Siptrace-Toip: udp:127.0.0.2:6\r\n"
        b"X-Siptrace-Time: 7 8\r\nX-Siptrace-Method: BYE\r\nX-Siptrace-Dir: in\r\n\r\n"
    )
    read = with_path_of_headers(Trace(Captured(copy, "tcp", ("::1", 1), ("::1", 2), 0), "out"))
    assert read == trace
    assert with_path_of_headers(trace) is None
