"""`sipwright top` and `sipwright ladder --follow` in a terminal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from conftest import Start
from support.control import data_of
from support.messages import Sip, request
from support.peers import UdpPeer, options, register
from support.process import wait_until
from support.servers import SIPWRIGHT, Server
from support.terminal import WAIT_S, Terminal

ALTERNATE, ORDINARY = "\x1b[?1049h", "\x1b[?1049l"
SHOWS_CURSOR = "\x1b[?25h"
CTRL_C = "\x03"


@pytest.fixture
def server(start: Start) -> Server:
    return start(None, settings={"record.enabled": "true"})


def in_terminal(server: Server, *words: object, columns: int = 80, rows: int = 24) -> Terminal:
    return Terminal([SIPWRIGHT, *words, "-d", data_of(server)], columns, rows)


def ask(server: Server, times: int = 1) -> None:
    """OPTIONS for the server itself."""

    async def story() -> None:
        async with UdpPeer.open() as peer:
            for _ in range(times):
                address = server.address("udp")
                assert (await peer.ask(options(peer, address), address)).status == 200

    asyncio.run(story())


def left_as_found(terminal: Terminal) -> None:
    assert terminal.is_cooked
    assert terminal.raw.rindex(ORDINARY) > terminal.raw.rindex(ALTERNATE)
    assert terminal.raw.rindex(SHOWS_CURSOR) > terminal.raw.rindex(ALTERNATE)


def shows(terminal: Terminal, holds: Callable[[list[str]], object], what: str) -> list[str]:
    """The picture once it is as wanted."""
    wait_until(lambda: bool(holds(terminal.picture)), WAIT_S, what)
    return terminal.picture


def test_top_is_live_and_q_ends_it(server: Server) -> None:
    ask(server, 3)
    with in_terminal(server, "top", "--interval", "0.2") as terminal:
        picture = shows(terminal, lambda lines: any("q quits" in line for line in lines), "the first picture")
        assert ALTERNATE in terminal.raw
        assert not terminal.is_cooked
        assert len(picture) <= 24
        assert max(len(line) for line in picture) <= 80
        assert "Sipwright" in picture[0]
        assert totals(picture) == ["3"]
        ask(server, 2)
        shows(terminal, lambda lines: totals(lines) == ["5"], "requests are counted further")
        terminal.press("x")
        terminal.resize(100, 40)
        shows(terminal, lambda lines: len(lines) > 24, "a taller window is used")
        assert terminal.process.poll() is None, "another key does not end it"
        terminal.press("q")
        assert terminal.ended() == 0
        left_as_found(terminal)


def totals(picture: list[str]) -> list[str]:
    """How many OPTIONS came; rates of 0 are left blank."""
    return [found[1] for line in picture if (found := re.match(r"OPTIONS[ \d,]* (\d+)  [1-6]xx", line))]


def test_top_ends_with_ctrl_c(server: Server) -> None:
    with in_terminal(server, "top", "--interval", "30") as terminal:
        terminal.until("q quits")
        terminal.press(CTRL_C)
        assert terminal.ended() == 0
        left_as_found(terminal)
        assert "Traceback" not in terminal.text


def test_top_says_when_the_server_goes(server: Server) -> None:
    with in_terminal(server, "top", "--interval", "0.2") as terminal:
        terminal.until("q quits")
        server.assert_clean_stop(within_s=5)
        assert terminal.ended() == 1
        left_as_found(terminal)
        assert "sipwright: no server is running" in terminal.raw.rpartition(ORDINARY)[2]
        assert "Traceback" not in terminal.text


async def ringing(server: Server, alice: UdpPeer, bob: UdpPeer) -> tuple[Sip, Sip, tuple[str, int]]:
    """Bob registers, and his phone rings: alice's INVITE, bob's, and where that came from."""
    address = server.address("udp")
    assert (await register(bob, address, "bob", f"sip:bob@127.0.0.1:{bob.address[1]}")).status == 200
    invite = request("INVITE", f"sip:bob@{address[0]}:{address[1]}", alice.address, contact="sip:alice@127.0.0.1")
    alice.send(invite, address)
    got, source = await bob.receive()
    bob.send(got.reply(180, "Ringing", "b"), source)
    while (await alice.receive())[0].status != 180:
        pass
    return invite, got, source


def acknowledged(invite: Sip, final: Sip) -> Sip:
    """The ACK of a refusal (RFC 3261 section 17.1.1.3)."""
    changed = {"To": final["To"], "CSeq": f"{invite['CSeq'].split()[0]} ACK"}
    headers = tuple((name, changed.get(name, value)) for name, value in invite.headers if name != "Contact")
    return Sip(invite.first_line.replace("INVITE", "ACK", 1), headers)


def test_a_call_is_followed_to_its_end(server: Server) -> None:
    async def story() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            invite, got, source = await ringing(server, alice, bob)
            call_id = invite["Call-ID"]
            with in_terminal(server, "ladder", call_id, "--follow", columns=110) as terminal:
                await asyncio.to_thread(terminal.until, "180 Ringing")
                assert terminal.process.poll() is None
                assert "486" not in terminal.text
                bob.send(got.reply(486, "Busy Here", "b"), source)
                final = await alice.final(call_id)
                assert final.status == 486
                alice.send(acknowledged(invite, final), server.address("udp"))
                assert await asyncio.to_thread(terminal.ended) == 0
                assert terminal.is_cooked
                shown = terminal.text

            assert f"Call-ID {call_id}" in shown
            assert "KSR.tm.t_relay() = 1" in shown
            arrows = [line for line in shown.splitlines() if "INVITE" in line and "▶" in line]
            assert len(arrows) == 2, "in and out"
            assert shown.index("180 Ringing") < shown.index("486 Busy Here")
            assert max(len(line) for line in shown.splitlines()) <= 110

    asyncio.run(story())


def test_every_message_is_followed_until_ctrl_c(server: Server) -> None:
    with in_terminal(server, "ladder", "--follow", "--no-decisions") as terminal:
        # What came before is not shown; how soon it begins to look cannot be seen, so there is something to see each time.
        def seen() -> bool:
            ask(server)
            return "200" in terminal.text

        wait_until(seen, WAIT_S, "messages are shown")
        terminal.press(CTRL_C)
        assert terminal.ended() == 0
        lines = [line for line in terminal.text.splitlines() if "OPTIONS" in line]
        assert any("<- OPTIONS" in line for line in lines)
        assert any("-> 200" in line for line in lines)
        assert "ksr_request_route" not in terminal.text
        assert "Traceback" not in terminal.text
