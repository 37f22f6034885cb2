"""Decisions of two scripts are compared without what servers make up, and a candidate cannot reach outside."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sipwright.record.entry import Entry
from sipwright.shadow.compare import decision, edits, exchanges
from sipwright.shadow.outside import Guard, Results
from sipwright.testing.message import SipMessage
from sipwright.testing.replay import Outgoing, Replayed

PHONE, GATEWAY = ("192.0.2.9", 5060), ("192.0.2.7", 5060)
INVITE = SipMessage(
    "INVITE sip:bob@example.com SIP/2.0", (("Call-ID", "c"), ("CSeq", "1 INVITE"), ("Via", "SIP/2.0/UDP p"))
)


def forwarded(branch: str, *headers: tuple[str, str], uri: str = "sip:bob@192.0.2.7", body: bytes = b"") -> Outgoing:
    via = ("Via", f"SIP/2.0/UDP 192.0.2.1;branch={branch}")
    lines = (via, ("Via", "SIP/2.0/UDP p"), ("Call-ID", "c"), ("CSeq", "1 INVITE"), *headers)
    return Outgoing(GATEWAY, SipMessage(f"INVITE {uri} SIP/2.0", lines, body))


def reply(status: int, reason: str, tag: str, *headers: tuple[str, str]) -> Outgoing:
    lines = (
        ("Via", "SIP/2.0/UDP p"),
        ("To", f"<sip:bob@h>;tag={tag}"),
        ("Call-ID", "c"),
        ("CSeq", "1 INVITE"),
        *headers,
    )
    return Outgoing(PHONE, SipMessage(f"SIP/2.0 {status} {reason}", lines))


def differences(live: list[Outgoing], shadow: list[Outgoing]) -> list[str]:
    (exchange,) = exchanges(Replayed("c", live, shadow), [(1.0, INVITE)])
    return exchange.differences()


def test_what_servers_make_up_is_no_difference() -> None:
    challenge = 'Digest realm="r", nonce="{}", qop="auth"'
    live = [
        *(reply(100, "trying", "x"), forwarded("z9hG4bK1", ("Date", "now"))),
        reply(407, "Auth", "live", ("Proxy-Authenticate", challenge.format("a"))),
        reply(200, "OK", "s", ("Contact", "<sip:a@h>;expires=60")),
    ]
    shadow = [
        *(forwarded("z9hG4bK2"), reply(407, "Auth", "shadow", ("Proxy-Authenticate", challenge.format("b")))),
        reply(200, "OK", "t", ("Contact", "<sip:a@h>;expires=59")),
    ]
    assert differences(live, shadow) == []


def test_other_decisions_are_told() -> None:
    assert differences([forwarded("1")], [reply(404, "Not Found", "t")]) == [
        "- send INVITE sip:bob@192.0.2.7 to 192.0.2.7:5060",
        "+ reply 404 Not Found to 192.0.2.9:5060",
    ]
    both = [forwarded("1"), forwarded("2", uri="sip:bob@192.0.2.8")]
    assert differences(both[:1], both) == ["+ send INVITE sip:bob@192.0.2.8 to 192.0.2.7:5060"]
    assert differences(both[:1] * 2, both[:1]) == ["- send INVITE sip:bob@192.0.2.7 to 192.0.2.7:5060"]


def test_edits_of_headers_and_bodies_are_told() -> None:
    live = forwarded("1", ("X-Tenant", "7"), ("Route", "<sip:a>, <sip:b>"), body=b"v=0\r\nc=1\r\n")
    shadow = forwarded("2", ("Route", "<sip:a>"), ("X-New", "1"), body=b"v=0\r\nc=2\r\n")
    assert edits(live.message, shadow.message) == [
        *("x-tenant: 7 -> none", "route: <sip:a> | <sip:b> -> <sip:a>", "x-new: none -> 1", "body: c=1 -> c=2"),
    ]
    times = [reply(200, "OK", "s", ("Contact", f"<sip:a@h>;expires={s}")).message for s in (60, 50)]
    assert edits(*times) == ["contact: <sip:a@h>;expires=60 -> <sip:a@h>;expires=50"]
    assert edits(reply(404, "Not Found", "a").message, reply(404, "Gone", "a").message) == ["reason: Not Found -> Gone"]


def test_a_cancel_of_ours_belongs_to_its_invite() -> None:
    lines = (("Via", "v"), ("Call-ID", "c"), ("CSeq", "1 CANCEL"))
    cancel = Outgoing(GATEWAY, SipMessage("CANCEL sip:bob@192.0.2.7 SIP/2.0", lines))
    assert differences([cancel], []) == [f"- {decision(cancel)}"]


def test_the_guard_refuses_what_is_seen_outside(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    guard = Guard(own)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        with guard.watching():
            with pytest.raises(PermissionError):
                socket.create_connection(place)
            with pytest.raises(PermissionError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", place)
            with pytest.raises(PermissionError):
                subprocess.run(["true"], check=False)
            with pytest.raises(PermissionError):
                (tmp_path / "file").write_text("x")
            with pytest.raises(PermissionError):
                os.remove(own.parent / "own2")
            (own / "file").write_text("x")
            assert (own / "file").read_text() == "x"
            with guard.trusting(), socket.create_connection(place):
                pass
        with socket.create_connection(place):
            pass
    assert len(guard.refused) == 5
    assert not (tmp_path / "file").exists()


def test_connections_may_be_allowed(tmp_path: Path) -> None:
    guard = Guard(tmp_path, allows_connections=True)
    with socket.create_server(("127.0.0.1", 0)) as listener, guard.watching():
        socket.create_connection(listener.getsockname()).close()
        with pytest.raises(PermissionError):
            os.system("true")


def test_functions_that_ask_others_return_what_they_returned_there() -> None:
    results = Results()
    results.call_id = lambda: "c"
    blank = Entry(1, "function", 0, 0, 0, "", ("", 0), ("", 0), 0, "c", "", 0, 0, 0, "", "", "", b"")
    results.note(replace(blank, name="KSR.http_client.query", result="200"))
    results.note(replace(blank, name="KSR.tm.t_relay", result="1"))
    assert results.take("KSR.http_client.query", -1) == 200
    assert results.take("KSR.http_client.query", -1) == -1
    assert results.take("KSR.tm.t_relay", -1) == -1
