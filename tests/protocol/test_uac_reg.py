"""Registrations with another server: challenge, refresh, failures, control; and what scripts ask of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from conftest import Start
from sipwright.control.client import call
from sipwright.modules import digest
from support.control import data_of
from support.messages import Sip, request
from support.peers import UdpPeer
from support.servers import Server

CHALLENGE = ("WWW-Authenticate", 'Digest realm="far.test", nonce="n", qop="auth", algorithm=SHA-256')
Story = Callable[[Server, UdpPeer], Awaitable[None]]


def play(start: Start, story: Story, **settings: object) -> Server:
    """The story with the other server as a peer; there is one account, `u1`."""
    named = {f"uac.{name}": value for name, value in settings.items()}
    server = start("client.py", settings={"uac.reg_contact_addr": "192.0.2.1:5060", **named})

    async def whole() -> None:
        async with UdpPeer.open() as far:
            add(server, far)
            await story(server, far)

    asyncio.run(whole())
    return server


def add(server: Server, far: UdpPeer) -> None:
    data_of(server)
    host, port = far.address
    row = ["u1", "bob", "here.test", "robert", f"{host}:{port}", "far.test", "robert", "pw", ".", "."]
    call(server.directory / "data", "uac.reg_add", [*row, 60, 0, 0, ".", "."])


def info(server: Server) -> dict[str, object]:
    shown = call(server.directory / "data", "uac.reg_info", ["l_uuid", "u1"])
    assert isinstance(shown, dict)
    return shown


async def flags_are(server: Server, flags: int) -> None:
    async with asyncio.timeout(5):
        while (await asyncio.to_thread(info, server))["flags"] != flags:
            await asyncio.sleep(0.02)


def answer(sent: Sip, code: int, *extra: tuple[str, str]) -> Sip:
    return sent.reply(code, "X", "far", extra)


async def registered(server: Server, far: UdpPeer, expires: int = 60) -> Sip:
    """Answers the challenge's REGISTER; gives the one with credentials."""
    first, source = await far.receive()
    far.send(answer(first, 401, CHALLENGE), source)
    second, source = await far.receive()
    far.send(answer(second, 200, ("Contact", f"{second['Contact']};expires={expires}")), source)
    await flags_are(server, 20)
    return second


def test_a_registration_with_its_challenge(start: Start) -> None:
    async def story(server: Server, far: UdpPeer) -> None:
        second = await registered(server, far)
        host, port = far.address
        assert second.uri == f"sip:{host}:{port}"
        assert (second["Contact"], second["Expires"]) == ("<sip:u1@192.0.2.1:5060>", "60")
        assert second["CSeq"] == "11 REGISTER"
        assert f"<sip:robert@{host}:{port}>" in second["From"]
        credentials = digest.parse(second["Authorization"])
        assert digest.response(credentials, digest.ha1_of(credentials, "pw"), "REGISTER", b"") == credentials.get(
            "response"
        )
        shown = await asyncio.to_thread(info, server)
        assert (shown["auth_password"], shown["l_username"]) == ("***", "bob")

    play(start, story)


def test_it_is_refreshed(start: Start) -> None:
    async def story(server: Server, far: UdpPeer) -> None:
        first = await registered(server, far, expires=4)
        again, source = await far.receive()
        assert (again["Call-ID"], again["CSeq"]) == (first["Call-ID"], "12 REGISTER")
        far.send(answer(again, 200), source)
        await flags_are(server, 20)

    play(start, story, reg_keep_callid="true")


def test_too_brief(start: Start) -> None:
    async def story(server: Server, far: UdpPeer) -> None:
        first, source = await far.receive()
        far.send(answer(first, 423, ("Min-Expires", "90")), source)
        second, source = await far.receive()
        assert second["Expires"] == "90"
        far.send(answer(second, 200), source)
        await flags_are(server, 20)

    play(start, story)


def test_a_refusal_ends_it_until_it_is_enabled(start: Start) -> None:
    async def story(server: Server, far: UdpPeer) -> None:
        first, source = await far.receive()
        far.send(answer(first, 403), source)
        await flags_are(server, 17)
        await asyncio.to_thread(call, server.directory / "data", "uac.reg_enable", ["l_uuid", "u1"])
        again, source = await far.receive()
        far.send(answer(again, 200), source)
        await flags_are(server, 20)
        await asyncio.to_thread(call, server.directory / "data", "uac.reg_unregister", ["l_uuid", "u1"])
        last, source = await far.receive()
        assert last["Expires"] == "0"
        far.send(answer(last, 200), source)
        await flags_are(server, 17)

    play(start, story)


def test_what_scripts_ask(start: Start) -> None:
    async def story(server: Server, far: UdpPeer) -> None:
        await registered(server, far)

        async def ask(do: str) -> str:
            async with UdpPeer.open() as peer:
                sent = request("OPTIONS", "sip:x@test.invalid", peer.address, extra=(("X-Do", do),))
                return (await peer.ask(sent, server.address("udp")))["X-Result"]

        assert (await ask("uac.uac_reg_status|u1")).startswith("1 ")
        assert (await ask("uac.uac_reg_status|none")).startswith("-1 ")
        assert await ask("uac.uac_reg_lookup|u1|$var(out)") == "1 sip:bob@here.test"
        assert await ask("uac.uac_reg_lookup_uri|sip:bob@here.test|$var(out)") == "1 sip:bob@here.test"
        assert (await ask("uac.uac_reg_request_to|u1|0")).startswith("1 ")
        assert (await ask("uac.uac_reg_disable|l_username|bob")).startswith("1 ")
        assert (await ask("uac.uac_reg_status|u1")).startswith("-3 ")
        assert (await ask("uac.uac_reg_enable|l_uuid|none")).startswith("-2 ")
        assert (await ask("uac.uac_reg_enable|flags|x")).startswith("-3 ")
        assert (await ask("uac.uac_reg_refresh|u1")).startswith("-1 ")

    play(start, story)
