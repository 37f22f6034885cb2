"""Entries of a recording made by hand."""

from __future__ import annotations

from typing import Any

from sipwright.record.entry import Entry

LOCAL = ("192.0.2.1", 5060)
ALICE = ("192.0.2.10", 5060)
BOB = ("192.0.2.20", 5062)


def entry(**given: Any) -> Entry:
    """An entry with these values, and usual ones for the others."""
    usual: dict[str, Any] = {
        "number": 1,
        "kind": "received",
        "mono_ns": 0,
        "wall_us": 1_700_000_000_000_000,
        "spent_us": 0,
        "proto": "udp",
        "local": LOCAL,
        "remote": ALICE,
        "connection": 0,
        "call_id": "c",
        "method": "INVITE",
        "status": 0,
        "cseq": 1,
        "size": 0,
        "name": "",
        "arguments": "",
        "result": "",
        "data": b"",
    }
    made = {**usual, **given}
    made["size"] = made["size"] or len(made["data"])
    return Entry(**made)


def message(first_line: str, *, cseq: str = "1 INVITE", extra: str = "", body: str = "") -> bytes:
    """A SIP message of the call `c`."""
    return (
        f"{first_line}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:alice@h>;tag=1\r\nTo: <sip:bob@h>\r\n"
        f"Call-ID: c\r\nCSeq: {cseq}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def a_call() -> list[Entry]:
    """Alice calls Bob through the server, who answers; with the route and what it did."""
    invite, ringing, ok = (
        message("INVITE sip:bob@h SIP/2.0", extra="Content-Type: application/sdp\r\n"),
        message("SIP/2.0 180 Ringing"),
        message("SIP/2.0 200 OK"),
    )
    rows: list[dict[str, Any]] = [
        {"kind": "received", "remote": ALICE, "data": invite},
        {"kind": "sent", "remote": BOB, "data": invite},
        {"kind": "function", "name": "KSR.tm.t_relay", "result": "1", "spent_us": 120, "mono_ns": 1_500_000},
        {"kind": "route", "name": "ksr_request_route", "spent_us": 900, "mono_ns": 1_100_000},
        {"kind": "received", "remote": BOB, "data": ringing, "status": 180},
        {"kind": "sent", "remote": ALICE, "data": ringing, "status": 180},
        {"kind": "sent", "remote": ALICE, "data": ringing, "status": 180},
        {"kind": "received", "remote": BOB, "data": ok, "status": 200},
        {"kind": "sent", "remote": ALICE, "data": ok, "status": 200},
    ]
    return [entry(**{"number": n, "mono_ns": n * 1_000_000, **row}) for n, row in enumerate(rows, 1)]
