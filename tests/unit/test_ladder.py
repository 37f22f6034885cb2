"""Ladder diagrams: columns, order, what stands on the arrows, and what is safe in a terminal."""

from __future__ import annotations

import pytest
from rich.console import Console

from sipwright.record.entry import Call
from sipwright.views import ladder_text
from sipwright.views.ladder import Ladder, duration, label, ladder_of, printable
from support.recorded import ALICE, BOB, a_call, entry, message


def lines(width: int = 80, ascii_only: bool = False) -> list[str]:
    return [text.plain.rstrip() for text in ladder_text.drawn(ladder_of(a_call()), width, ascii_only)]


def test_the_server_stands_between_caller_and_callee() -> None:
    ladder = ladder_of(a_call())
    assert ladder.columns == ["udp:192.0.2.10:5060", "server", "udp:192.0.2.20:5062"]
    assert [(row.source, row.target) for row in ladder.rows] == [
        *((0, 1), (1, 1), (1, 1), (1, 2)),
        *((2, 1), (1, 0), (1, 0), (2, 1), (1, 0)),
    ]
    assert [row.label for row in ladder.rows[:4]] == [
        "INVITE SDP",
        "ksr_request_route 900 us",
        "KSR.tm.t_relay() = 1",
        "INVITE SDP",
    ]
    assert [row.again for row in ladder.rows] == [False] * 6 + [True, False, False]


def test_a_request_of_our_own_has_the_server_on_the_left() -> None:
    ladder = ladder_of([entry(kind="sent", method="OPTIONS", data=message("OPTIONS sip:b@h SIP/2.0"))])
    assert (ladder.columns, ladder.rows[0].source, ladder.rows[0].target) == (["server", "udp:192.0.2.10:5060"], 0, 1)


def test_decisions_before_the_first_message_move_with_the_server() -> None:
    ladder = Ladder()
    assert not ladder.feed(entry(kind="route", name="r"))
    assert ladder.feed(entry(data=message("INVITE sip:b@h SIP/2.0")))
    assert [(row.source, row.target) for row in ladder.rows] == [(1, 1), (0, 1)]


def test_the_picture() -> None:
    assert lines() == [
        "            udp:192.0.2.10:5060           server          udp:192.0.2.20:5062",
        "                     │                      │                      │",
        "    0.000            │───── INVITE SDP ────▶│                      │",
        "    0.000            │                      ● ksr_request_route 900 us",
        "    0.001            │                      ● KSR.tm.t_relay() = 1 │",
        "    0.001            │                      │───── INVITE SDP ────▶│",
        "    0.004            │                      │◀─── 180 Ringing ─────│",
        "    0.005            │◀─── 180 Ringing ─────│                      │",
        "    0.006            │◀ 180 Ringing (agai… ╌│                      │",
        "    0.007            │                      │◀────── 200 OK ───────│",
        "    0.008            │◀────── 200 OK ───────│                      │",
    ]


def test_ascii() -> None:
    assert all(line.isascii() for line in lines(ascii_only=True))
    assert "|----- INVITE SDP ---->|" in lines(ascii_only=True)[2]


@pytest.mark.parametrize("width", [40, 60, 80, 132, 300])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in lines(width)) <= width


def test_many_callees_become_a_list_in_a_narrow_terminal() -> None:
    invite = message("INVITE sip:b@h SIP/2.0")
    entries = [entry(number=n, kind="sent", remote=("192.0.2.9", n), data=invite) for n in range(1, 9)]
    drawn = [text.plain for text in ladder_text.drawn(ladder_of(entries), 80)]
    assert len(drawn) == 8
    assert "-> INVITE" in drawn[7]
    assert "udp:192.0.2.9:8" in drawn[7]


HOSTILE = "a\x1b]0;owned\x07\u202eb\x9b31m\r\nc"


def test_nothing_from_the_network_reaches_the_terminal_as_a_command() -> None:
    assert printable(HOSTILE) == "a\ufffd]0;owned\ufffd\ufffdb\ufffd31m\ufffd\ufffdc"
    call = Call(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, "failed", 404, "udp", ALICE, 0, 5, None, 1, 1)
    console = Console(width=200, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(ladder_text.call_table([call]))
        for one in (
            entry(method=HOSTILE, call_id=HOSTILE, data=HOSTILE.encode()),
            entry(status=200, data=b"SIP/2.0 200 " + HOSTILE.encode() + b"\r\n"),
            entry(kind="function", name="KSR.x", arguments=HOSTILE, result=HOSTILE),
            entry(kind="error", name="route", result=HOSTILE),
        ):
            console.print(ladder_text.entry_line(one, 0))
            console.print(*ladder_text.details(one))
    assert not [c for c in shown.get() if not c.isprintable() and c != "\n"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"status": 200, "method": "BYE", "data": message("SIP/2.0 200 OK")}, "200 OK (BYE)"),
        ({"method": "", "data": b"junk"}, "malformed"),
        (
            {"kind": "route", "name": "r", "arguments": "tm:x", "result": "raised", "spent_us": 1_500},
            "r (tm:x) raised 1.5 ms",
        ),
        (
            {"kind": "function", "name": "KSR.sl.send_reply", "arguments": '404, "No"', "result": "1"},
            'KSR.sl.send_reply(404, "No") = 1',
        ),
        ({"kind": "error", "name": "r", "result": "Traceback\n  x\nValueError: no\n"}, "r: ValueError: no"),
    ],
)
def test_labels(given: dict[str, object], expected: str) -> None:
    assert label(entry(**given)) == expected


def test_durations() -> None:
    assert [duration(us) for us in (999, 1_000, 999_949, 1_500_000)] == ["999 us", "1.0 ms", "999.9 ms", "1.50 s"]


def test_the_list_of_calls() -> None:
    call = Call(
        "id-1", "INVITE", "sip:alice@h;x=1", "sips:bob@h", "", "ended", 200, "tls", BOB, 0, 99, 65_000_000, 9, 1
    )
    console = Console(width=80)
    with console.capture() as shown:
        console.print(ladder_text.call_table([call]))
    (_, line) = shown.get().splitlines()
    assert line.split()[0] == "1"
    assert line.split()[2:] == ["INVITE", "alice@h", "bob@h", "ended", "!", "200", "1:05", "id-1"]
