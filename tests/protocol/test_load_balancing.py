"""Load balancing on real sockets: keep-alives, states, failover. Kamailio runs the same script with the same list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import Start, in_both
from sipwright.control.client import call
from support.messages import Sip, request
from support.peers import UdpPeer, eventually
from support.servers import Server, Sipwright

FR_MS = 1_200


@dataclass
class Stage:
    """A caller and two gateways, the first with the higher priority."""

    server: Server
    caller: UdpPeer
    gateways: tuple[UdpPeer, UdpPeer]

    async def states(self) -> tuple[str, str, str]:
        """Whether each gateway is active, and whether the caller is one."""
        extra = tuple((name, uri(peer)) for name, peer in zip(("X-First", "X-Second"), self.gateways, strict=True))
        asked = request("OPTIONS", "sip:balancer@test.invalid", self.caller.address, extra=extra)
        answer = await self.caller.ask(asked, self.server.address("udp"))
        return answer["X-First"], answer["X-Second"], answer["X-Gateway"]

    async def until(self, *wanted: str) -> None:
        """Wait until the gateways are in these states."""
        async with asyncio.timeout(8):
            while (await self.states())[:2] != wanted:
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def answering(self, *codes: int | None) -> AsyncIterator[None]:
        """The gateways answer their keep-alives with these codes; None for not at all."""

        async def serve(index: int, code: int) -> None:
            while True:
                self.answer(index, await self.at(index, "OPTIONS"), code, "Tested")

        tasks = [asyncio.create_task(serve(index, code)) for index, code in enumerate(codes) if code is not None]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    def invite(self) -> Sip:
        sent = request("INVITE", "sip:service@test.invalid", self.caller.address)
        self.caller.send(sent, self.server.address("udp"))
        return sent

    async def at(self, index: int, method: str) -> Sip:
        """The next such request at a gateway; others are passed over."""
        async with asyncio.timeout(6):
            while True:
                message, _ = await self.gateways[index].receive(6)
                if message.method == method and message.status is None:
                    return message

    def answer(self, index: int, to: Sip, code: int, reason: str) -> None:
        self.gateways[index].send(to.reply(code, reason, f"gateway{index}"), self.server.address("udp"))


def uri(peer: UdpPeer) -> str:
    host, port = peer.address
    return f"sip:{host}:{port}"


@asynccontextmanager
async def stage(
    start: Start, kind: str, directory: Path, attributes: str = "", **settings: object
) -> AsyncIterator[Stage]:
    """The server, with a list that names the gateways."""
    async with UdpPeer.open() as caller, UdpPeer.open() as first, UdpPeer.open() as second:
        path = directory / "dispatcher.list"
        path.write_text(f"1 {uri(first)} 0 9 {attributes}\n1 {uri(second)}\n")
        values = {"list_file": path, "flags": 2, **settings}
        config = "".join(
            f'modparam("dispatcher", "{name}", {value if isinstance(value, int) else chr(34) + str(value) + chr(34)})\n'
            for name, value in values.items()
        )
        timed = ("ds_ping_interval",)
        own = {
            f"dispatcher.{name}_s" if name in timed else f"dispatcher.{name}": value for name, value in values.items()
        }
        server = start(
            "balance.py",
            kind=kind,
            # A silent gateway is to be found out soon; one that answers has time on a slow machine, too.
            settings={**own, "timers.fr_ms": FR_MS},
            kamailio_config=f'loadmodule "dispatcher.so"\nmodparam("tm", "fr_timer", {FR_MS})\n{config}',
        )
        yield Stage(server, caller, (first, second))


def play(
    start: Start,
    kind: str,
    directory: Path,
    story: Callable[[Stage], Awaitable[None]],
    attributes: str = "",
    **settings: object,
) -> None:
    async def run() -> None:
        async with stage(start, kind, directory, attributes, **settings) as made:
            await story(made)

    asyncio.run(run())


@in_both
def test_keep_alives_find_out_who_is_there(start: Start, kind: str, tmp_path: Path) -> None:
    async def story(made: Stage) -> None:
        ping = await made.at(0, "OPTIONS")
        assert ping.uri == uri(made.gateways[0])
        assert ping["From"].startswith("<sip:gw@example.org>;tag=")
        assert ping["To"] == f"<{ping.uri}>"
        assert ping["CSeq"] == "10 OPTIONS"
        made.answer(0, ping, 404, "Not Found")
        async with made.answering(404, None):
            await made.until("1", "-1")
        async with made.answering(404, 200):
            await made.until("1", "1")

    play(
        start,
        kind,
        tmp_path,
        story,
        "ping_from=sip:gw@example.org",
        ds_ping_interval=1,
        ds_probing_mode=1,
        ds_ping_reply_codes="class=2;code=404",
    )


@in_both
def test_a_gateway_with_probing_comes_back(start: Start, kind: str, tmp_path: Path) -> None:
    """Mode 2: only inactive ones that are to be probed get keep-alives."""

    async def story(made: Stage) -> None:
        sent = made.invite()
        made.answer(0, await made.at(0, "INVITE"), 500, "Oops")
        made.answer(1, await made.at(1, "INVITE"), 486, "Busy Here")
        assert (await made.caller.final(sent["Call-ID"])).status == 486
        assert (await made.states())[:2] == ("-1", "1")
        async with made.answering(200, None):
            await made.until("1", "1")

    play(start, kind, tmp_path, story, ds_ping_interval=1, ds_probing_mode=2)


def test_latency_and_states_at_the_control_socket(start: Start, tmp_path: Path) -> None:
    async def story(made: Stage) -> None:
        assert isinstance(made.server, Sipwright)
        data_dir = made.server.data_dir

        def destinations() -> list[dict[str, object]]:
            shown = call(data_dir, "dispatcher.list")
            return [target["DEST"] for target in shown["RECORDS"][0]["SET"]["TARGETS"]]

        async with made.answering(200, None):
            await made.until("1", "-1")
            await eventually(lambda: f"event dispatcher:dst-down {uri(made.gateways[1])}" in made.server.log())
            first, second = await asyncio.to_thread(destinations)
        async with made.answering(200, 200):
            await made.until("1", "1")
            await eventually(lambda: f"event dispatcher:dst-up {uri(made.gateways[1])}" in made.server.log())
        async with made.answering(503, 200):
            await made.until("-1", "1")
        assert (first["FLAGS"], second["FLAGS"]) == ("AP", "IP")
        assert isinstance(second["LATENCY"], dict)
        assert second["LATENCY"]["TIMEOUT"] >= 1
        done = await asyncio.to_thread(call, data_dir, "dispatcher.set_state", ["d", 1, uri(made.gateways[1])])
        assert done == "Ok. Dispatcher state updated."
        assert (await made.states())[:2] == ("-1", "-1")

    settings: dict[str, Any] = {
        "ds_ping_interval": 1,
        "ds_probing_mode": 1,
        "ds_ping_latency_stats": 1,
        "event_callback": "changed",
    }
    play(start, "sipwright", tmp_path, story, **settings)


def test_a_list_that_cannot_be_read_stops_the_start(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "dispatcher.list"
    path.write_text("1 sip:192.0.2.1\none sip:192.0.2.2\n")
    with pytest.raises(RuntimeError, match=r"dispatcher\.list:2: a destination is `SET URI"):
        start("balance.py", settings={"dispatcher.list_file": path})
