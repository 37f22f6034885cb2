"""The profile of a running server's script: its routes, lines, KSR functions, and branch routes that run inside of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conftest import Start
from sipwright.cli import main
from sipwright.control.client import ControlError, call
from support.control import data_of
from support.messages import request
from support.peers import UdpPeer
from support.process import wait_until
from support.servers import Server

SCRIPT = """\
import time

import KSR


def mod_init():
    return Routes()


class Routes:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_method_in("O"):
            self.wait()
            KSR.sl.sl_send_reply(200, "OK")
            return 1
        KSR.htable.sht_get("absent", "key")
        KSR.tm.t_on_branch("ksr_branch_route")
        KSR.tm.t_relay()
        return 1

    def wait(self):
        time.sleep(0.002)

    def ksr_branch_route(self, msg):
        KSR.hdr.append("X-Branch: 1\\r\\n")
        return 1
"""
SLEEP_US = 2_000
RELAY_LINE, APPEND_LINE = (
    1 + SCRIPT[: SCRIPT.index(text)].count("\n") for text in ("KSR.tm.t_relay", "KSR.hdr.append")
)


@pytest.fixture
def server(start: Start, tmp_path: Path) -> Server:
    path = tmp_path / "routes.py"
    path.write_text(SCRIPT)
    return start(path, counted=False)


async def traffic(server: Server, each: int) -> None:
    """So many OPTIONS that the script answers, and MESSAGEs that it relays."""
    address = server.address("udp")
    async with UdpPeer.open() as peer, UdpPeer.open() as called:
        for _ in range(each):
            ping = request("OPTIONS", f"sip:{address[0]}:{address[1]}", peer.address)
            assert (await peer.ask(ping, address)).status == 200
            sent = request("MESSAGE", f"sip:bob@127.0.0.1:{called.address[1]}", peer.address)
            peer.send(sent, address)
            got, source = await called.receive()
            assert got.get("X-Branch") == "1"
            called.send(got.reply(200, "OK", "t"), source)
            assert (await peer.final(sent["Call-ID"])).status == 200


def profiled(server: Server) -> dict[str, Any]:
    """The profile of as much traffic as it takes until either kind of message has been followed some times."""
    data = data_of(server)
    call(data, "script.profile_start", [60])
    rounds = 0
    found: dict[str, Any] = {}
    while rounds < 100:
        rounds += 1
        asyncio.run(traffic(server, 10))
        found = call(data, "script.profile_get")
        assert found["on"] is True
        if found["followed"] >= 20 and len(found["routes"]) == 2:
            break
    call(data, "script.profile_stop")
    assert found["messages"] == 20 * rounds
    return found


def test_routes_functions_lines_and_stacks(server: Server) -> None:
    found = profiled(server)
    routes = {row["route"]: row for row in found["routes"]}
    assert set(routes) == {"ksr_request_route OPTIONS", "ksr_request_route MESSAGE"}
    assert routes["ksr_request_route OPTIONS"]["mean_us"] >= SLEEP_US
    assert routes["ksr_request_route OPTIONS"]["cpu_us"] < routes["ksr_request_route OPTIONS"]["total_us"] / 2
    functions = {row["function"]: row for row in found["functions"]}
    assert {"KSR.is_method_in", "KSR.sl.sl_send_reply", "KSR.htable.sht_get", "KSR.tm.t_relay"} <= set(functions)
    assert found["functions"][0]["function"] == "time.sleep"
    assert functions["time.sleep"]["longest_us"] >= SLEEP_US
    relay = next(row for row in found["lines"] if row["calls_function"] == "KSR.tm.t_relay")
    assert (Path(relay["file"]).name, relay["line"]) == ("routes.py", RELAY_LINE)
    stacks = ["; ".join(row["stack"]) for row in found["stacks"]]
    inside = [stack for stack in stacks if f"KSR.tm.t_relay (routes.py:{RELAY_LINE}); Routes.ksr_branch_route" in stack]
    assert any(stack.endswith(f"KSR.hdr.append (routes.py:{APPEND_LINE})") for stack in inside), stacks
    assert not [stack for stack in stacks if "sipwright" in stack], "what Sipwright calls itself is not shown"


def test_nothing_is_left_on(server: Server) -> None:
    data = data_of(server)
    assert call(data, "script.profile_get")["messages"] == 0
    call(data, "script.profile_start", [0.1])
    with pytest.raises(ControlError, match="a profile is being made"):
        call(data, "script.profile_start")
    wait_until(lambda: not call(data, "script.profile_get")["on"], 10, "the profile ends by itself")
    asyncio.run(traffic(server, 1))
    assert call(data, "script.profile_get")["messages"] == 0
    with pytest.raises(ControlError, match="seconds must be"):
        call(data, "script.profile_start", [0])


def test_a_reload_goes_on(server: Server) -> None:
    data = data_of(server)
    call(data, "script.profile_start", [60])
    asyncio.run(traffic(server, 1))
    call(data, "app_python.reload")
    asyncio.run(traffic(server, 1))
    assert call(data, "script.profile_get")["messages"] == 4


def commanded(server: Server, output: str) -> str:
    """What the command says of the time while there is traffic."""

    async def both() -> Result:
        command = ["profile", "--seconds", "0.5", "--output", output, "--data-dir", str(data_of(server))]
        task = asyncio.create_task(asyncio.to_thread(CliRunner().invoke, main, command))
        while not task.done():
            await traffic(server, 5)
        return task.result()

    result = asyncio.run(both())
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command(server: Server) -> None:
    assert json.loads(commanded(server, "json"))["messages"] > 0
    folded = commanded(server, "folded").splitlines()
    assert folded
    for line in folded:
        names, _, us = line.rpartition(" ")
        assert names.split(";")[0].startswith("ksr_request_route ")
        assert int(us) > 0
    text = commanded(server, "text")
    assert "messages, of which" in text
    assert "ksr_request_route" in text
    assert "KSR.tm.t_relay" in text or "time.sleep" in text


def test_no_server(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["profile", "-s", "0.1", "-d", str(tmp_path)])
    assert result.exit_code == 1
    assert "no server is running" in result.output
