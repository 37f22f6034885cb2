"""Lines of the log say which call they are about; levels, prefix and facility are those of the settings."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from support.messages import request
from support.peers import UdpPeer, options
from support.process import wait_until
from support.servers import Server

SCRIPT = """\
import KSR


def mod_init():
    KSR.info("loaded\\n")
    return Routes()


class Routes:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.dbg("a detail\\n")
        KSR.info("first\\n")
        if KSR.is_method_in("O"):
            KSR.registrar.lookup(5)
            KSR.sl.sl_send_reply(200, "OK")
            raise RuntimeError("on purpose")
        KSR.pv.sets("$rU", "carol")
        KSR.xlog.xinfo("second to $rU\\n")
        KSR.tm.t_on_branch("ksr_branch_route")
        KSR.tm.t_relay()
        return 1

    def ksr_branch_route(self, msg):
        KSR.info("branch\\n")
        return 1

    def ksr_reply_route(self, msg):
        KSR.info("reply\\n")
        return 1
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "logging_script.py"
    path.write_text(SCRIPT)
    return path


async def both(server: Server) -> tuple[str, str]:
    """An OPTIONS whose route raises, and a MESSAGE that is relayed; their Call-IDs."""
    address = server.address("udp")
    async with UdpPeer.open() as peer, UdpPeer.open() as called:
        ping = options(peer, address)
        assert (await peer.ask(ping, address)).status == 200
        sent = request("MESSAGE", f"sip:bob@127.0.0.1:{called.address[1]}", peer.address)
        peer.send(sent, address)
        got, source = await called.receive()
        called.send(got.reply(200, "OK", "t"), source)
        assert (await peer.final(sent["Call-ID"])).status == 200
        return ping["Call-ID"], sent["Call-ID"]


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]


def test_lines_of_json_name_their_call(start: Start, script: Path) -> None:
    server = start(script, counted=False, settings={"log.format": "json"})
    ping, sent = asyncio.run(both(server))
    for text in ("reply", "RuntimeError: on purpose"):
        wait_until(lambda text=text: any(text in row["msg"] for row in lines(server)), 15, text)  # type: ignore[misc]
    of = {call_id: [row["msg"] for row in lines(server) if row.get("call_id") == call_id] for call_id in (ping, sent)}
    assert of[sent] == ["first", "second to carol", "branch", "reply"]
    assert of[ping][0] == "first"
    assert "argument 1 (table) must be str" in of[ping][1]
    assert "RuntimeError: on purpose" in of[ping][2]
    loaded = next(row for row in lines(server) if row["msg"] == "loaded")
    assert set(loaded) == {"ts", "level", "msg"}, "no message is in work"
    assert {row["level"] for row in lines(server) if row["msg"] == "first"} == {"INFO"}


@pytest.mark.parametrize(("mode", "user"), [(0, "bob"), (1, "carol")])
def test_the_prefix_stands_before_all_lines_of_a_message(start: Start, script: Path, mode: int, user: str) -> None:
    settings = {"log.prefix": "<$ci $rU>", "log.prefix_mode": mode}
    server = start(script, counted=False, settings=settings)
    ping, sent = asyncio.run(both(server))
    # The line about the exception may come after those of the next message.
    for text in (">reply", ">ksr_request_route (OPTIONS"):
        wait_until(lambda text=text: text in server.log(), 15, text)  # type: ignore[misc]
    log = server.log()
    assert f"INFO    <{sent} bob>first" in log
    assert f"INFO    <{sent} {user}>second to carol" in log
    assert f"INFO    <{sent} {user}>branch" in log
    assert f"INFO    <{sent} <null>>reply" in log
    assert f"ERROR   <{ping} <null>>" in log
    assert f"<{ping} <null>>ksr_request_route (OPTIONS from udp:" in log, "the server's own line about it"
    assert "INFO    loaded" in log


def test_levels(start: Start, script: Path) -> None:
    server = start(script, counted=False, settings={"log.level": "debug"})
    asyncio.run(both(server))
    wait_until(lambda: "reply" in server.log(), 5, "the reply route's line")
    assert "DEBUG   a detail" in server.log()
    quiet = start(script, counted=False, settings={"log.level": "warning"})
    asyncio.run(both(quiet))
    wait_until(lambda: "on purpose" in quiet.log(), 5, "the error is logged")
    assert "first" not in quiet.log()


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.settimeout(10)
        yield receiver


@pytest.mark.parametrize("form", ["text", "json"])
def test_syslog_has_facility_severity_and_name(
    start: Start, script: Path, syslog: socket.socket, tmp_path: Path, form: str
) -> None:
    settings = {
        "log.output": "syslog",
        "log.syslog_socket": tmp_path / "log",
        "log.facility": "local3",
        "log.name": "edge",
        "log.format": form,
    }
    server = start(script, counted=False, settings=settings)
    ping, _ = asyncio.run(both(server))
    found: dict[str, bytes] = {}
    while not {"first", "argument 1"} <= set(found):
        datagram = syslog.recv(65_536)
        found |= {what: datagram for what in ("first", "argument 1") if what.encode() in datagram}
    # local3 is 19: 19 * 8 + 6 for info, + 3 for an error.
    assert found["first"].startswith(b"<158>")
    assert found["argument 1"].startswith(b"<155>")
    assert f" edge[{server.process.pid}]: ".encode() in found["first"]
    if form == "json":
        text = found["argument 1"].partition(b"]: ")[2]
        assert json.loads(text)["call_id"] == ping
