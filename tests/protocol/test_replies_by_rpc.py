"""`tm.reply` and `tm.reply_callid`: a call that waits is answered from outside of the script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from sipwright.control.client import ControlError, call
from support.callers import ack_of
from support.control import data_of
from support.messages import Sip, request
from support.peers import UdpPeer

RELAY = """
import KSR

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.tm.t_relay()
        return 1

def mod_init():
    return Handler()
"""


async def answered(address: tuple[str, int], data: Path, reply: Callable[[dict[str, Any]], None]) -> Sip:
    """The final response to an INVITE that rings; `reply` is called with its row of `tm.list`."""
    async with UdpPeer.open() as caller, UdpPeer.open() as callee:
        invite = request("INVITE", f"sip:bob@127.0.0.1:{callee.address[1]}", caller.address)
        caller.send(invite, address)
        received, source = await callee.receive()
        callee.send(received.reply(180, "Ringing", "callee"), source)
        while (await caller.receive())[0].status != 180:
            pass
        (row,) = [row for row in call(data, "tm.list") if row["callid"].endswith(invite["Call-ID"])]
        await asyncio.to_thread(reply, row)
        final = await caller.final(invite["Call-ID"])
        caller.send(ack_of(invite, final), address)
        while (await callee.receive())[0].method != "CANCEL":
            pass
        return final


def test_by_transaction_and_by_call_id(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "relay.py"
    script.write_text(RELAY)
    server = start(script)
    address, data = server.address("udp"), data_of(server)

    def by_transaction(row: dict[str, Any]) -> None:
        name = f"{row['tindex']}:{row['tlabel']}"
        for wrong, says in (
            ([486, "Busy", name, "x", "X-Test: 1"], "no header fields and no body"),
            ([486, "Busy", name, "x", ".", "text"], "no header fields and no body"),
            ([99, "Busy", name, "x"], "from 100 to 699"),
            ([486, "Busy", f"{row['tindex']}:{row['tlabel'] + 1}", "x"], "No such transaction"),
        ):
            with pytest.raises(ControlError, match=says):
                call(data, "tm.reply", wrong)
        assert call(data, "tm.reply", [486, "Not Now", name, "x", ".", "."]) is None
        with pytest.raises(ControlError, match="Transaction not found"):
            call(data, "tm.reply", [487, "Too Late", name, "x"])

    def by_call_id(row: dict[str, Any]) -> None:
        call_id, cseq = row["callid"].partition(" ")[2], row["cseq"].partition(" ")[2]
        with pytest.raises(ControlError, match="no header fields and no body"):
            call(data, "tm.reply_callid", [603, "Decline", call_id, cseq, "x", "X-Test: 1"])
        assert call(data, "tm.reply_callid", [603, "Decline", call_id, cseq]) is None

    for reply, status, reason in ((by_transaction, 486, "Not Now"), (by_call_id, 603, "Decline")):
        final = asyncio.run(answered(address, data, reply))
        assert final.first_line == f"SIP/2.0 {status} {reason}"
    assert server.route_calls("INVITE") == 2
