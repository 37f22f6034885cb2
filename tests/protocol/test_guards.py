"""Routes before others (core:pre-routing, received messages), and settings of the core and small modules, on the wire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from conftest import Start
from support.messages import Sip, request
from support.peers import UdpPeer
from support.process import wait_until
from support.servers import Server

SETTINGS: dict[str, object] = {
    "script.pre_routing": "pre_routing",
    "script.received_route": "received",
    "log.prefix": "<$ci $rm> ",
    "server_id": 7,
    "user_agent_header": "Guard 1",
    "forward.force_rport": "true",
    "forward.local_rport": "true",
    "forward.tos": 184,
    "pv.shvset": "n=i:7",
    "pv.varset": "gw=s:sip:10.0.0.1;transport=tcp",
    "pv.avp_aliases": "alias=s:b",
    "sanity.noreply": "true",
    "corex.alias_subdomains": "example.org",
    "siputils.options_support": "path",
}
Play = Callable[[UdpPeer, tuple[str, int]], Awaitable[None]]


def play(start: Start, story: Play) -> Server:
    server = start("guarded.py", settings=SETTINGS)

    async def run() -> None:
        async with UdpPeer.open() as peer:
            await story(peer, server.address("udp"))

    asyncio.run(run())
    return server


def logged(server: Server, pattern: str) -> None:
    wait_until(lambda: re.search(pattern, server.log()) is not None, 5, f"{pattern} in the log:\n{server.log()}")


def of(user: str, peer: UdpPeer, method: str = "OPTIONS", host: str = "sub.example.org", **headers: str) -> Sip:
    extra = [(name.replace("_", "-"), value) for name, value in headers.items()]
    uri = f"sip:{user}@{host}" if user else f"sip:{host}"
    return request(method, uri, peer.address, extra=tuple(extra))


def test_what_settings_give_to_scripts(start: Start) -> None:
    async def story(peer: UdpPeer, server: tuple[str, int]) -> None:
        asked = of("seen", peer)
        answer = await peer.ask(asked, server)
        seen = dict(value.split(" ", 1) for value in answer.all("X-Seen"))
        assert seen.pop("$ltt(s)") == answer["To"].partition("tag=")[2]
        assert seen == {
            "$avp(event)": "core:pre-routing",
            "$shv(n)": "7",
            "$var(gw)": "sip:10.0.0.1;transport=tcp",
            "$avp(b)": "by alias",
            "$sid": "7",
            "$ltt(t)": "None",
            "mine": "True",
        }

    server = play(start, story)
    logged(server, r"<\S+ OPTIONS> ?received OPTIONS0 127\.0\.0\.1")
    logged(server, r"<\S+ OPTIONS> ?route of seen")


def test_a_route_before_the_request_route_answers(start: Start) -> None:
    async def story(peer: UdpPeer, server: tuple[str, int]) -> None:
        assert (await peer.ask(of("refused", peer), server)).first_line == "SIP/2.0 403 Refused Early"

    server = play(start, story)
    logged(server, "received OPTIONS0")
    assert "route of refused" not in server.log()


def test_messages_that_the_first_route_drops(start: Start) -> None:
    async def story(peer: UdpPeer, server: tuple[str, int]) -> None:
        peer.send(of("unheard", peer), server)
        asked = of("onward", peer, "INVITE", X_Next=f"sip:{peer.address[0]}:{peer.address[1]}")
        peer.send(asked, server)
        trying, _ = await peer.receive()
        forwarded, _ = await peer.receive()
        if forwarded.first_line.startswith("SIP/2.0 100"):
            trying, forwarded = forwarded, trying
        via = forwarded.all("Via")[0]
        assert ";srvid=7" in via
        assert ";rport" in via
        # The sender asked for no rport, and got it all the same.
        assert f"rport={peer.address[1]}" in forwarded.all("Via")[1]
        for status in (183, 180):
            answer = Sip(
                f"SIP/2.0 {status} X", tuple(item for item in forwarded.headers if item[0] != "Content-Length")
            )
            peer.send(answer, server)
        passed, _ = await peer.receive()
        assert passed.first_line == "SIP/2.0 180 X"

    server = play(start, story)
    logged(server, "received INVITE183")
    assert "route of unheard" not in server.log()


def test_bytes_of_the_script(start: Start) -> None:
    async def story(peer: UdpPeer, server: tuple[str, int]) -> None:
        peer.send(of("raw", peer), server)
        got = {(await peer.receive_bytes())[0] for _ in range(2)}
        assert got == {b"raw bytes", b"more"}

    play(start, story)


def test_requests_of_our_own_say_who_we_are(start: Start) -> None:
    async def story(peer: UdpPeer, server: tuple[str, int]) -> None:
        peer.send(of("own", peer), server)
        got = [await peer.receive() for _ in range(2)]
        ours = next(message for message, _ in got if message.first_line.startswith("OPTIONS"))
        assert ours["User-Agent"] == "Guard 1"

    play(start, story)


def test_options_and_checks(start: Start) -> None:
    async def story(peer: UdpPeer, server: tuple[str, int]) -> None:
        answer = await peer.ask(of("", peer), server)
        shown = [(name, value) for name, value in answer.headers if name in ("Accept", "Accept-Language", "Supported")]
        assert shown == [("Accept", "*/*"), ("Accept-Language", "en"), ("Supported", "path")]
        assert (await peer.ask(of("", peer, "MESSAGE"), server)).status == 200
        refused = await peer.ask(of("checked", peer, Expires="soon"), server)
        assert (refused.status, refused["X-Kept"]) == (400, "back")

    play(start, story)


def test_a_message_that_has_no_route_for_it(start: Start) -> None:
    server = start("guarded.py", settings={**SETTINGS, "script.pre_routing": "missing"})

    async def run() -> None:
        async with UdpPeer.open() as peer:
            assert (await peer.ask(of("seen", peer), server.address("udp"))).status == 200

    asyncio.run(run())
    logged(server, "has no method missing")
