"""Commands to RTPProxy and the descriptions that come of the answers are those of Kamailio 5.6."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipwright.modules import media_sdp as sdp
from sipwright.modules import rtpproxy
from sipwright.modules.rtpproxy import Call, Exchange, Refused, read_flags

CALL = Call("call@x", "ft", "", "127.0.0.1", True, ["z9hG4bK1"])
IN_DIALOG = replace(CALL, to_tag="tt")
REPLY = replace(IN_DIALOG, is_request=False, branches=["ours", "z9hG4bK1"])
PLAIN = "v=0|o=- 1 1 IN IP4 192.0.2.5|s=-|c=IN IP4 192.0.2.5|t=0 0|m=audio 4000 RTP/AVP 0 8|a=rtpmap:0 PCMU/8000|"
MANY = (
    "v=0|o=- 1 1 IN IP4 192.0.2.5|s=-|c=IN IP4 192.0.2.5|t=0 0|m=audio 4000/2 RTP/AVP 0 8 101|a=rtcp:4009|a=sendrecv|"
    "m=video 5000 RTP/AVP 96|c=IN IP4 192.0.2.6|a=rtcp:5003 IN IP4 192.0.2.8|m=audio 0 RTP/AVP 0|"
    "m=application 6000 TCP/X y|m=image 7000 udptl t38|"
)


def played(
    body: str,
    flags: str = "",
    call: Call = CALL,
    answer: str = "35000 127.0.0.9\n",
    ip: str = "",
    is_offer: bool = True,
) -> tuple[list[str], str]:
    """The commands, and the description that comes of the answers."""
    sent: list[str] = []

    def ask(command: str) -> str:
        sent.append(command)
        return answer

    exchange = Exchange(call, read_flags(flags), is_offer, ip)
    new = exchange.run(body.replace("|", "\r\n").encode(), ask, "127.0.0.1")
    return sent, new.decode().replace("\r\n", "|")


@pytest.mark.parametrize(
    ("flags", "command"),
    [
        ("", "Uc0,8 call@x 127.0.0.1 4000 ft;1"),
        ("a", "UAc0,8 call@x 192.0.2.5 4000 ft;1"),
        ("b", "Uc0,8 call@x 127.0.0.1 4000 ft;1"),
        ("1", "Uc0,8 call@x;z9hG4bK1 127.0.0.1 4000 ft;1"),
        ("3", "Uc0,8 call@x;z9hG4bK1 127.0.0.1 4000 ft;1"),
        ("ie", "UIEc0,8 call@x 127.0.0.1 4000 ft;1"),
        ("ei", "UEIc0,8 call@x 127.0.0.1 4000 ft;1"),
        ("x", "UIEc0,8 call@x 127.0.0.1 4000 ft;1"),
        ("r", "Uc0,8 call@x 192.0.2.5 4000 ft;1"),
        ("wr", "USc0,8 call@x 192.0.2.5 4000 ft;1"),
        ("z20", "UZ20c0,8 call@x 127.0.0.1 4000 ft;1"),
    ],
)
def test_flags_of_an_offer(flags: str, command: str) -> None:
    assert played(PLAIN, flags)[0] == [command]


@pytest.mark.parametrize(
    ("call", "is_offer", "command"),
    [
        (IN_DIALOG, True, "Uc0,8 call@x 127.0.0.1 4000 ft;1 tt;1"),
        (IN_DIALOG, False, "Lc0,8 call@x 127.0.0.1 4000 tt;1 ft;1"),
        (REPLY, False, "Lc0,8 call@x 127.0.0.1 4000 ft;1 tt;1"),
        (REPLY, True, "Uc0,8 call@x 127.0.0.1 4000 tt;1 ft;1"),
    ],
)
def test_who_asks(call: Call, is_offer: bool, command: str) -> None:
    assert played(PLAIN, call=call, is_offer=is_offer)[0] == [command]


def test_every_medium_is_asked_for() -> None:
    sent, new = played(MANY)
    assert sent == [
        "Uc0,8,101 call@x 127.0.0.1 4000/2 ft;1",
        "Uc96 call@x 127.0.0.1 5000 ft;2",
        "Uc0 call@x 127.0.0.1 0 ft;3",
        "Uc call@x 127.0.0.1 6000 ft;4",
        "U call@x 127.0.0.1 7000 ft;5",
    ]
    assert new == (
        "v=0|o=- 1 1 IN IP4 127.0.0.9|s=-|c=IN IP4 127.0.0.9|t=0 0|m=audio 35000 RTP/AVP 0 8 101|a=rtcp:35001|a=sendrecv|"
        "m=video 35000 RTP/AVP 96|c=IN IP4 127.0.0.9|a=rtcp:35001|m=audio 0 RTP/AVP 0|m=application 35000 TCP/X y|"
        "m=image 35000 udptl t38|a=nortpproxy:yes|"
    )


@pytest.mark.parametrize(("flags", "session"), [("", "192.0.2.5"), ("c", "127.0.0.9")])
def test_the_session_has_an_address_of_its_own(flags: str, session: str) -> None:
    _, new = played(PLAIN + "c=IN IP4 192.0.2.5|", flags)
    assert new == (
        f"v=0|o=- 1 1 IN IP4 127.0.0.9|s=-|c=IN IP4 {session}|t=0 0|m=audio 35000 RTP/AVP 0 8|a=rtpmap:0 PCMU/8000|"
        "c=IN IP4 127.0.0.9|a=nortpproxy:yes|"
    )


@pytest.mark.parametrize(
    ("answer", "ip", "address"),
    [
        ("35000 127.0.0.9\n", "9.9.9.9", "IP4 9.9.9.9"),
        ("35000\n", "", "IP4 127.0.0.1"),
        ("35000 ::1 6\n", "", "IP6 ::1"),
    ],
)
def test_addresses(answer: str, ip: str, address: str) -> None:
    assert f"c=IN {address}|" in played(PLAIN, answer=answer, ip=ip)[1]


def test_ipv6() -> None:
    sent, new = played(PLAIN.replace("IP4 192.0.2.5", "IP6 2001:db8::1"), "r")
    assert sent == ["U6c0,8 call@x 2001:db8::1 4000 ft;1"]
    assert "c=IN IP4 127.0.0.9|" in new


def test_a_call_on_hold_stays_on_hold() -> None:
    _, new = played(PLAIN.replace("c=IN IP4 192.0.2.5", "c=IN IP4 0.0.0.0"))
    assert "o=- 1 1 IN IP4 0.0.0.0|s=-|c=IN IP4 0.0.0.0|" in new


def test_a_description_that_has_been_through_a_proxy() -> None:
    marked = PLAIN + "a=nortpproxy:yes|"
    with pytest.raises(Refused) as refused:
        played(marked)
    assert refused.value.code == -2
    assert played(marked, "f")[1].count("nortpproxy") == 1


def test_line_ends_are_kept() -> None:
    exchange = Exchange(CALL, read_flags(""), True)
    new = exchange.run(PLAIN.replace("|", "\n").encode(), lambda _: "35000 127.0.0.9\n", "")
    assert new.endswith(b"a=rtpmap:0 PCMU/8000\na=nortpproxy:yes\n")


@pytest.mark.parametrize("answer", ["0\n", "E1\n", "garbage\n", "", "70000 1.2.3.4"])
def test_a_proxy_that_refuses(answer: str) -> None:
    with pytest.raises(Refused) as refused:
        played(PLAIN, answer=answer)
    assert refused.value.code == -1


@pytest.mark.parametrize("flags", ["y", "2", "l"])
def test_flags_that_make_no_sense(flags: str) -> None:
    with pytest.raises(Refused):
        played(PLAIN, flags)


def test_other_commands() -> None:
    assert rtpproxy.destroy(CALL) == "D call@x ft"
    assert rtpproxy.destroy(IN_DIALOG, "co1") == "D call@x;z9hG4bK1 ft tt"
    assert rtpproxy.record(IN_DIALOG) == "R call@x ft tt"
    assert rtpproxy.query(IN_DIALOG) == "Q call@x ft;1 tt"
    assert rtpproxy.stream(CALL, True, "/x/y", 3) == "P3 call@x /x/y session ft;1 "
    assert rtpproxy.stream(IN_DIALOG, False, "/x/y", -1) == "P-1 call@x /x/y session tt;1 ft;1"
    assert rtpproxy.stop_stream(IN_DIALOG, True) == "S call@x ft;1 tt;1"
    with pytest.raises(Refused):
        rtpproxy.stop_stream(CALL, False)


# Where a description is


def test_a_part_of_a_body() -> None:
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n"
    place = sdp.locate(body, 'multipart/mixed;boundary="b"')
    assert place is not None
    assert body[place[0] : place[1]] == b"v=0\r\n"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/sdp"),
        (b"x", None),
        (b"x", "text/plain"),
        (b"x", "multipart/mixed"),
        (b"--b\r\n", "multipart/mixed;boundary=b"),
        (b"--b--\r\n", "multipart/mixed;boundary=b"),
    ],
)
def test_no_description(body: bytes, kind: str | None) -> None:
    assert sdp.locate(body, kind) is None
