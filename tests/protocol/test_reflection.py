"""Nobody can have the server send something to a third party that has nothing to do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from conftest import Start
from sipwright.control.client import call
from support.control import data_of
from support.messages import Sip, request, unique
from support.peers import StreamListener, UdpPeer, options, register
from support.process import wait_until
from support.servers import Server

Address = tuple[str, int]


@asynccontextmanager
async def peers() -> AsyncIterator[tuple[UdpPeer, UdpPeer]]:
    """An attacker and somebody who has asked for nothing."""
    async with UdpPeer.open() as attacker, UdpPeer.open() as victim:
        yield attacker, victim


def via(address: Address, parameters: str = "", proto: str = "UDP") -> tuple[str, str]:
    return "Via", f"SIP/2.0/{proto} {address[0]}:{address[1]};branch=z9hG4bK{unique('x')}{parameters}"


def response(*vias: tuple[str, str]) -> Sip:
    """A response to a request that nobody has sent."""
    made = request("OPTIONS", "sip:x@example.com", ("127.0.0.1", 9)).reply(200, "OK", "x")
    return Sip(made.first_line, (*vias, *(header for header in made.headers if header[0] != "Via")), b"any bytes")


async def gets_nothing(victim: UdpPeer) -> None:
    with pytest.raises(TimeoutError):
        await victim.receive_bytes(0.3)


def own(server: Server, parameters: str = "") -> tuple[str, str]:
    return via(server.address("udp"), parameters)


def test_responses_to_no_request_of_ours_go_nowhere(start: Start) -> None:
    server = start("relay.py", "udp", "tcp")

    async def run() -> None:
        async with peers() as (attacker, victim), StreamListener.open() as listener:
            attacker.send(response(own(server), via(victim.address)), server.address("udp"))
            attacker.send(
                response(own(server), via(("127.0.0.1", 9), f";received={victim.address[0]}")), server.address("udp")
            )
            attacker.send(response(own(server), via(listener.address, proto="TCP")), server.address("udp"))
            # Branches as ours look like.
            for branch in ("z9hG4bKsl" + "0" * 32, "z9hG4bKsw" + "0" * 38, "z9hG4bKsl", "z9hG4bKsw"):
                host, port = server.address("udp")
                top = ("Via", f"SIP/2.0/UDP {host}:{port};branch={branch}")
                attacker.send(response(top, via(victim.address)), server.address("udp"))
            await gets_nothing(victim)
            with pytest.raises(TimeoutError):
                await listener.accept(0.1)

    asyncio.run(run())
    assert call(data_of(server), "core.stats")["foreign_responses"] == 7


def test_as_kamailio_on_request(start: Start) -> None:
    server = start("relay.py", settings={"forward.stray_responses": "any"})

    async def run() -> None:
        async with peers() as (attacker, victim):
            attacker.send(response(own(server), via(victim.address)), server.address("udp"))
            assert (await victim.receive())[0].status == 200

    asyncio.run(run())


def test_an_answer_goes_to_who_asked(start: Start) -> None:
    """A `maddr` in the Via names somebody else (RFC 3261 section 18.2.2 means groups; Kamailio ignores it too)."""
    server = start("answer.py")

    async def run() -> None:
        async with peers() as (attacker, _), UdpPeer.open("127.0.0.9", attacker.address[1]) as victim:
            asked = options(attacker, server.address("udp"))
            named = Sip(asked.first_line, (via(attacker.address, f";maddr={victim.address[0]}"), *asked.headers[1:]))
            assert (await attacker.ask(named, server.address("udp"))).status == 200
            await gets_nothing(victim)

    asyncio.run(run())


async def called(server: Server, caller: UdpPeer, user: str) -> None:
    host, port = server.address("udp")
    caller.send(request("MESSAGE", f"sip:{user}@{host}:{port}", caller.address), (host, port))


def test_a_registration_brings_calls_to_who_has_sent_it(start: Start) -> None:
    """The built-in script asks for no passwords; so what Contact and Path say is not where calls go."""
    server = start(None)

    async def run() -> None:
        async with peers() as (attacker, victim), UdpPeer.open() as caller:
            address = server.address("udp")
            elsewhere = f"sip:x@{victim.address[0]}:{victim.address[1]}"
            assert (await register(attacker, address, "mallory", elsewhere)).status == 200
            await called(server, caller, "mallory")
            assert (await attacker.receive())[0].method == "MESSAGE"
            asked = request(
                "REGISTER",
                f"sip:{address[0]}:{address[1]}",
                attacker.address,
                to_uri=f"sip:trudy@{address[0]}:{address[1]}",
                contact=elsewhere,
                extra=(("Supported", "path"), ("Path", f"<{elsewhere};lr>")),
            )
            assert (await attacker.ask(asked, address)).status == 403
            await gets_nothing(victim)

    asyncio.run(run())


def test_the_built_in_script_warns_where_strangers_reach_it(start: Start) -> None:
    warning = "asks for no passwords"
    everywhere = start(None, "udp:0.0.0.0")
    wait_until(lambda: warning in everywhere.log(), 10, "the warning")
    assert warning not in start(None).log()
