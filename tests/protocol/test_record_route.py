"""Record-Route and Route through the real server, in both directions of a dialog. Kamailio walks the same paths.

RFC 3261 sections 16.4, 16.6 steps 4 and 6, and 16.12. Callers and callees are sockets; what the script does stands in
the requests themselves (`support/scripts/steps.py`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from conftest import Start, in_both
from support.messages import Sip, bracketed, request, unique
from support.peers import StreamListener, StreamPeer, UdpPeer

RECORD = "KSR.rr.record_route()"
LOOSE = "KSR.rr.loose_route()"
Address = tuple[str, int]
Peer = UdpPeer | StreamPeer


def do(*steps: str) -> tuple[tuple[str, str], ...]:
    return tuple(("X-Do", step) for step in steps)


def to(address: Address, transport: str = "") -> str:
    """A step that sends the request there."""
    return f'KSR.pv.sets("$du", "{uri_of(address, transport)}")'


def uri_of(address: Address, transport: str = "", user: str = "") -> str:
    host = bracketed(address[0])
    parameter = f";transport={transport}" if transport else ""
    return f"sip:{user + '@' if user else ''}{host}:{address[1]}{parameter}"


def uris(message: Sip, name: str) -> list[str]:
    """The URIs of a route header, in order."""
    return re.findall(r"<([^>]*)>", ", ".join(message.all(name)))


def within(invite: Sip, answer: Sip, method: str, source: Address, target: str, *, from_callee: bool = False) -> Sip:
    """A request within the dialog, with the route set of RFC 3261 section 12.1."""
    routes = uris(answer, "Record-Route")
    if not from_callee:
        routes.reverse()
    local, remote = answer["From"], answer["To"]
    if from_callee:
        local, remote = remote, local
    host = bracketed(source[0])
    headers = [
        ("Via", f"SIP/2.0/UDP {host}:{source[1]};branch=z9hG4bK{unique()}"),
        ("Max-Forwards", "70"),
        *(("Route", f"<{uri}>") for uri in routes),
        ("From", local),
        ("To", remote),
        ("Call-ID", invite["Call-ID"]),
        ("CSeq", f"2 {method}"),
        ("X-Do", LOOSE),
        ("X-Do", 'KSR.rr.is_direction("upstream")'),
    ]
    return Sip(f"{method} {target} SIP/2.0", tuple(headers))


async def through(caller: UdpPeer, server: Address, sent: Sip, receive: Callable[[], Awaitable[Sip]]) -> Sip:
    caller.send(sent, server)
    return await receive()


def did(message: Sip) -> str:
    return message["X-Did"]


@in_both
def test_one_record_route_on_one_socket(start: Start, kind: str) -> None:
    """One line, with lr and the From tag; both directions of the dialog pass and lose the Route."""
    server = start("steps.py", kind=kind)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            sent = request("INVITE", "sip:bob@example.com", caller.address, extra=do(RECORD, to(callee.address)))
            caller.send(sent, address)
            seen, source = await callee.receive()
            tag = sent["From"].partition("tag=")[2]
            lr = "lr=on" if kind == "kamailio" else "lr"
            assert seen.all("Record-Route") == [f"<sip:127.0.0.1:{address[1]};{lr};ftag={tag}>"]
            answer = seen.reply(200, "OK", "callee")
            callee.send(answer, source)
            bye = within(sent, answer, "BYE", caller.address, uri_of(callee.address))
            caller.send(bye, address)
            at_callee, source = await next_request(callee, "BYE")
            assert at_callee.all("Route") == []
            assert did(at_callee) == "[1, -1]"
            callee.send(at_callee.reply(200, "OK"), source)
            upstream = within(sent, answer, "INFO", callee.address, uri_of(caller.address), from_callee=True)
            callee.send(upstream, address)
            at_caller, source = await next_request(caller, "INFO")
            assert at_caller.all("Route") == []
            assert did(at_caller) == "[1, 1]"
            caller.send(at_caller.reply(200, "OK"), source)

    asyncio.run(run())


async def next_request(peer: Peer, method: str) -> tuple[Sip, Address]:
    """The next request of that method; responses and other requests are passed over."""
    while True:
        if isinstance(peer, StreamPeer):
            message, source = await peer.receive(), ("", 0)
        else:
            message, source = await peer.receive()
        if message.status is None and message.method == method:
            return message, source


@in_both
def test_two_record_routes_between_transports(start: Start, kind: str) -> None:
    """UDP on one side, TCP on the other: two lines with r2=on, the outgoing side's above (section 16.6 step 4)."""
    server = start("steps.py", "udp", "tcp", kind=kind)

    async def run() -> None:
        udp, tcp = server.address("udp"), server.address("tcp")
        async with UdpPeer.open() as caller, StreamListener.open() as listener:
            sent = request(
                "INVITE", "sip:bob@example.com", caller.address, extra=do(RECORD, to(listener.address, "tcp"))
            )
            caller.send(sent, udp)
            callee = await listener.accept()
            seen, _ = await next_request(callee, "INVITE")
            assert seen.all("Via")[0].startswith(f"SIP/2.0/TCP 127.0.0.1:{tcp[1]};branch=z9hG4bK")
            outer, inner = uris(seen, "Record-Route")
            assert outer.startswith(f"sip:127.0.0.1:{tcp[1]};transport=tcp;r2=on;lr")
            assert inner.startswith(f"sip:127.0.0.1:{udp[1]};r2=on;lr")
            answer = seen.reply(200, "OK", "callee")
            await callee.send(answer)
            bye = within(sent, answer, "BYE", caller.address, uri_of(listener.address, "tcp"))
            caller.send(bye, udp)
            at_callee, _ = await next_request(callee, "BYE")
            assert at_callee.all("Route") == []
            assert did(at_callee) == "[1, -1]"
            await callee.send(at_callee.reply(200, "OK"))
            upstream = within(sent, answer, "INFO", listener.address, uri_of(caller.address), from_callee=True)
            await callee.send(Sip(upstream.first_line, over_tcp(upstream.headers)))
            at_caller, source = await next_request(caller, "INFO")
            assert at_caller.all("Route") == []
            assert source == udp
            assert did(at_caller) == "[1, 1]"
            caller.send(at_caller.reply(200, "OK"), source)

    asyncio.run(run())


def over_tcp(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    changed = ((name, value.replace("SIP/2.0/UDP", "SIP/2.0/TCP", 1)) for name, value in headers)
    return (*changed, ("Content-Length", "0"))


@in_both
@pytest.mark.parametrize("callee_host", ["127.0.0.2", "::1"])
def test_two_record_routes_between_sockets(start: Start, kind: str, callee_host: str) -> None:
    """Another address of ours, or another family: two lines; each side is answered from the socket that it knows."""
    other = callee_host
    server = start("steps.py", "udp", f"udp:{other}", kind=kind)

    async def run() -> None:
        near, far = server.address("udp"), server.address("udp", 1)
        async with UdpPeer.open() as caller, UdpPeer.open(callee_host) as callee:
            force = f'KSR.pv.sets("$fs", "udp:{uri_of(far)[4:]}")'
            sent = request("INVITE", "sip:bob@example.com", caller.address, extra=do(RECORD, to(callee.address), force))
            caller.send(sent, near)
            seen, source = await callee.receive()
            assert source[:2] == far
            assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP {uri_of(far)[4:]};branch=")
            outer, inner = uris(seen, "Record-Route")
            assert outer.startswith(f"{uri_of(far)};r2=on;lr")
            assert inner.startswith(f"{uri_of(near)};r2=on;lr")
            answer = seen.reply(200, "OK", "callee")
            callee.send(answer, source)
            caller.send(within(sent, answer, "BYE", caller.address, uri_of(callee.address)), near)
            at_callee, source = await next_request(callee, "BYE")
            assert (at_callee.all("Route"), source[:2]) == ([], far)
            callee.send(at_callee.reply(200, "OK"), source)
            upstream = within(sent, answer, "INFO", callee.address, uri_of(caller.address), from_callee=True)
            callee.send(upstream, far)
            at_caller, source = await next_request(caller, "INFO")
            assert (at_caller.all("Route"), source) == ([], near)
            caller.send(at_caller.reply(200, "OK"), source)

    asyncio.run(run())


SETTINGS = [
    ({"rr.enable_full_lr": "true"}, [";lr=on;ftag="]),
    ({"rr.append_fromtag": "false"}, [";lr"]),
    ({"rr.add_username": "true"}, [";lr;ftag="]),
    ({"rr.enable_double_rr": "2"}, [";r2=on;lr;ftag=", ";r2=on;lr;ftag="]),
]


@pytest.mark.parametrize(("settings", "params"), SETTINGS)
def test_settings(start: Start, settings: dict[str, str], params: list[str]) -> None:
    """The settings of [rr], which are Kamailio's modparams, reach the wire."""
    server = start("steps.py", settings=settings)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            sent = request("INVITE", "sip:bob@example.com", caller.address, extra=do(RECORD, to(callee.address)))
            caller.send(sent, address)
            seen, source = await callee.receive()
            user = "bob@" if "rr.add_username" in settings else ""
            tag = sent["From"].partition("tag=")[2] if "ftag=" in params[0] else ""
            assert uris(seen, "Record-Route") == [f"sip:{user}127.0.0.1:{address[1]}{text}{tag}" for text in params]
            callee.send(seen.reply(486, "Busy Here", "x"), source)

    asyncio.run(run())


# What RFC 3261 section 16.12.1 shows, with this server as one proxy of the chain: routes and request-URI as they come
# in, as they leave, and whether the next hop is that of the first Route or of the request-URI. {us} is this server.
STRICT = [
    # 16.12.1.1: U1 -> P1 -> P2 -> U2, all loose; a request within the dialog, as P1 and as P2 see it.
    ("sip:callee@{callee}", ["<{us};lr>", "<sip:{next};lr>"], "sip:callee@{callee}", ["<sip:{next};lr>"], "next"),
    ("sip:callee@{callee}", ["<{us};lr>"], "sip:callee@{callee}", [], "callee"),
    # 16.12.1.2: P3 after us is strict: its URI becomes the request-URI, the target the last Route.
    (
        "sip:callee@{callee}",
        ["<{us};lr>", "<sip:{next}>", "<sip:p4.example.com;lr>"],
        "sip:{next}",
        ["<sip:p4.example.com;lr>", "<sip:callee@{callee}>"],
        "next",
    ),
    # 16.12.1.2: a strict router before us put us into the request-URI: the last Route is the target again.
    (
        "{us};lr",
        ["<sip:{next};lr>", "<sip:callee@{callee}>"],
        "sip:callee@{callee}",
        ["<sip:{next};lr>"],
        "next",
    ),
    # 16.12.1.3: the same with nothing but the target left.
    ("{us};lr", ["<sip:callee@{callee}>"], "sip:callee@{callee}", [], "callee"),
    # Strict routers on both sides.
    ("{us}", ["<sip:{next}>", "<sip:callee@{callee}>"], "sip:{next}", ["<sip:callee@{callee}>"], "next"),
]


@in_both
@pytest.mark.parametrize("case", STRICT, ids=range(len(STRICT)))
def test_loose_and_strict_routers(start: Start, kind: str, case: tuple[str, list[str], str, list[str], str]) -> None:
    """RFC 3261 sections 16.4, 16.6 step 6, and the examples of 16.12.1."""
    uri, routes, uri_after, routes_after, hop = case
    server = start("steps.py", kind=kind)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as nextp, UdpPeer.open() as callee:
            names = {
                "us": uri_of(address),
                "next": uri_of(nextp.address)[4:],
                "callee": uri_of(callee.address)[4:],
            }
            sent = request("INFO", uri.format(**names), caller.address, to_uri="sip:callee@example.com")
            headers = tuple((name, value + ";tag=t" if name == "To" else value) for name, value in sent.headers)
            extra = tuple(("Route", route.format(**names)) for route in routes)
            caller.send(Sip(sent.first_line, (*headers, *extra, *do(LOOSE))), address)
            seen, source = await (nextp if hop == "next" else callee).receive()
            assert seen.uri == uri_after.format(**names)
            assert seen.all("Route") == [route.format(**names) for route in routes_after]
            assert did(seen) == "[1]"
            (nextp if hop == "next" else callee).send(seen.reply(200, "OK"), source)

    asyncio.run(run())


# Steps for a request outside of a dialog with Routes, and what they return and leave.
PRELOADED = [
    ([LOOSE], ["<{us};lr>", "<sip:{next};lr>"], "[1]", ["<sip:{next};lr>"], "next"),
    (["KSR.rr.loose_route_preloaded()"], ["<{us};lr>", "<sip:{next};lr>"], "[1]", ["<sip:{next};lr>"], "next"),
    (["KSR.rr.loose_route_mode(1)"], ["<{us};lr>", "<sip:{next};lr>"], "[1]", ["<sip:{next};lr>"], "next"),
    (["KSR.rr.next_hop_route()"], ["<{us};lr>", "<sip:{next};lr>"], "[1]", ["<{us};lr>", "<sip:{next};lr>"], "next"),
    (
        [LOOSE, 'KSR.rr.check_route_param("x=1;y")', 'KSR.rr.check_route_param("z")', 'KSR.pv.get("$route_uri")'],
        ["<{us};lr;x=1;y=2>"],
        "[-3, 1, -1, '{us};lr;x=1;y=2']",
        [],
        "callee",
    ),
]


@in_both
@pytest.mark.parametrize("case", PRELOADED, ids=range(len(PRELOADED)))
def test_preloaded_routes(start: Start, kind: str, case: tuple[list[str], list[str], str, list[str], str]) -> None:
    """Routes that a client was configured with (RFC 3261 section 8.1.2), and what scripts ask about them."""
    steps, routes, results, left, hop = case
    if kind == "kamailio" and "next_hop_route" in steps[0]:
        pytest.skip("KEMI's next_hop_route of Debian's Kamailio 5.6 gives -1 whatever the request")
    if kind == "kamailio" and "loose_route_preloaded" in steps[0]:
        pytest.skip("KEMI's loose_route_preloaded of Debian's Kamailio 5.6 gives -1 although it routes")
    server = start("steps.py", kind=kind)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as nextp, UdpPeer.open() as callee:
            names = {"us": uri_of(address), "next": uri_of(nextp.address)[4:]}
            extra = tuple(("Route", route.format(**names)) for route in routes)
            target = uri_of(callee.address, user="callee")
            sent = request("MESSAGE", target, caller.address, extra=(*extra, *do(*steps)))
            caller.send(sent, address)
            seen, source = await (nextp if hop == "next" else callee).receive()
            assert seen.uri == target
            assert did(seen) == results.format(**names)
            assert seen.all("Route") == [route.format(**names) for route in left]
            (nextp if hop == "next" else callee).send(seen.reply(200, "OK"), source)

    asyncio.run(run())


WORDED = [
    ('KSR.rr.record_route_preset_one("1.2.3.4:99;x=1")', ["sip:1.2.3.4:99;x=1;"], None),
    ('KSR.rr.record_route_preset("1.2.3.4:99;x=1", "5.6.7.8")', ["sip:1.2.3.4:99;x=1;", "sip:5.6.7.8;"], None),
    ('KSR.rr.record_route_advertised_address("sip.example.org:5070")', ["sip:sip.example.org:5070;"], None),
    ('KSR.set_advertised_address("sip.example.org")', ["sip:127.0.0.1:{port};"], "sip.example.org:{port}"),
    ('KSR.set_advertised_port("5999")', ["sip:127.0.0.1:{port};"], "127.0.0.1:5999"),
]


@in_both
@pytest.mark.parametrize(("step", "expected", "via"), WORDED, ids=range(len(WORDED)))
def test_worded_by_the_script(start: Start, kind: str, step: str, expected: list[str], via: str | None) -> None:
    """record_route_preset, record_route_advertised_address; set_advertised_* are for the Via alone."""
    server = start("steps.py", kind=kind)

    async def run() -> Sip:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            steps = (step, to(callee.address)) if via is None else (step, RECORD, to(callee.address))
            caller.send(request("INVITE", "sip:bob@example.com", caller.address, extra=do(*steps)), address)
            seen, source = await callee.receive()
            callee.send(seen.reply(486, "Busy Here", "x"), source)
            return seen

    seen = asyncio.run(run())
    found = uris(seen, "Record-Route")
    assert len(found) == len(expected)
    for uri, start_of in zip(found, expected, strict=True):
        assert uri.startswith(start_of.format(port=server.port("udp"))), uri
    sent_by = (via or "127.0.0.1:{port}").format(port=server.port("udp"))
    assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP {sent_by};branch=")
