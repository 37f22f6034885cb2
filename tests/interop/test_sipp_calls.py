"""A call between two sipp processes, relayed statefully: INVITE 180 200 ACK BYE 200.

Kamailio runs the same script and the same call, so that a failure tells which side is wrong.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Start
from support.ports import free_port
from support.sipp import Sipp

CALLS = 20
TRANSPORTS = {"udp": "u1", "tcp": "t1"}


@pytest.mark.parametrize("kind", ["sipwright", "kamailio"])
@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_relayed_call(start: Start, tmp_path: Path, kind: str, proto: str) -> None:
    server = start("relay.py", "udp", "tcp", kind=kind)
    port, transport = free_port(), TRANSPORTS[proto]
    target = f"sip:callee@127.0.0.1:{port};transport={proto}"
    with (
        Sipp("callee", server.address(proto), tmp_path, port=port, calls=CALLS, transport=transport) as callee,
        Sipp(
            "caller",
            server.address(proto),
            tmp_path,
            port=free_port(),
            calls=CALLS,
            rate=20,
            transport=transport,
            keys={"target": target},
        ) as caller,
    ):
        assert caller.wait() == 0, caller.errors() + server.log()[-4000:]
        assert callee.wait() == 0, callee.errors() + server.log()[-4000:]
        made, taken = caller.figures(), callee.figures()
    assert (made.successful, made.failed, made.retransmissions) == (CALLS, 0, 0)
    assert (taken.successful, taken.failed, taken.retransmissions) == (CALLS, 0, 0)
    for method in ("INVITE", "ACK", "BYE"):
        assert server.route_calls(method) == CALLS, method
