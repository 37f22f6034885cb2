"""Malformed requests get 400 with a reason where they can be answered; nothing ends the process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import pytest

from conftest import SCRIPTS, Start
from support.flood import Flood
from support.messages import Sip
from support.peers import PING, UdpPeer, options
from support.process import rss_bytes
from support.servers import Server, Sipwright

SEED = 20_26
GARBAGE = 20_000
GROWTH_LIMIT_BYTES = 32_000_000


def replaced(message: Sip, name: str, value: str | None) -> Sip:
    """The message with one header of that value, or without it."""
    others = tuple((key, old) for key, old in message.headers if key != name)
    return Sip(message.first_line, others if value is None else (*others, (name, value)), message.body)


def ask(server: Server, change: Callable[[Sip], Sip]) -> Sip:
    """The answer to a changed OPTIONS."""

    async def run() -> Sip:
        async with UdpPeer.open() as peer:
            peer.send(change(options(peer, server.address("udp"))), server.address("udp"))
            answer, _ = await peer.receive()
            assert answer.all("Via"), answer
            # The server is well after it.
            assert (await peer.ask(options(peer, server.address("udp")), server.address("udp"))).status == 200
            return answer

    return asyncio.run(run())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Sipwright(SCRIPTS / "answer.py", tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("From", None),
        ("From", "<sip:a@b"),
        ("To", None),
        ("To", '"unbalanced <sip:a@b>'),
        ("Call-ID", None),
        ("CSeq", None),
        ("CSeq", "one OPTIONS"),
        ("CSeq", "1 INVITE"),
        ("CSeq", "4294967296 OPTIONS"),
        ("CSeq", "1"),
        ("Content-Length", "-1"),
        ("Content-Length", "10"),
        ("Content-Length", "ten"),
    ],
)
def test_malformed_header_gets_400(server: Server, header: str, value: str | None) -> None:
    answer = ask(server, lambda message: replaced(message, header, value))
    assert answer.status == 400, answer.first_line
    assert len(answer.first_line.split(" ", 2)[2]) > 3, "the reason says what is wrong"


def test_unknown_version_gets_505(server: Server) -> None:
    answer = ask(server, lambda message: Sip(message.first_line.replace("SIP/2.0", "SIP/7.0"), message.headers))
    assert answer.status == 505


def test_bytes_after_the_body_are_ignored_on_udp(server: Server) -> None:
    """RFC 3261 section 18.3."""

    async def run() -> None:
        async with UdpPeer.open() as peer:
            message = options(peer, server.address("udp"))
            peer.send(message.encode() + b"more than was announced", server.address("udp"))
            assert (await peer.receive())[0].status == 200

    asyncio.run(run())


def test_responses_from_nowhere_are_dropped(server: Server) -> None:
    async def run() -> None:
        async with UdpPeer.open() as peer:
            message = options(peer, server.address("udp"))
            peer.send(message.reply(200, "OK", "x"), server.address("udp"))
            peer.send(PING, server.address("udp"))
            assert (await peer.ask(options(peer, server.address("udp")), server.address("udp"))).status == 200

    asyncio.run(run())


def garbage(seed: int) -> Iterator[bytes]:
    """Random bytes, and requests broken at random places."""
    source = random.Random(seed)
    good = Sip(
        "OPTIONS sip:x@127.0.0.1 SIP/2.0",
        (
            ("Via", "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKg"),
            ("From", '"G" <sip:g@127.0.0.1>;tag=1'),
            ("To", "<sip:x@127.0.0.1>"),
            ("Call-ID", "garbage"),
            ("CSeq", "1 OPTIONS"),
            ("Contact", "<sip:g@127.0.0.1:9;transport=udp>;q=0.5, <sip:h@[::1]:9>"),
        ),
        b"body",
    ).encode()
    for number in range(GARBAGE):
        if number % 3 == 0:
            yield source.randbytes(source.randrange(1, 1500))
            continue
        mutated = bytearray(good)
        for _ in range(source.randrange(1, 12)):
            at = source.randrange(len(mutated))
            match source.randrange(3):
                case 0:
                    mutated[at] = source.randrange(256)
                case 1:
                    del mutated[at : at + source.randrange(1, 20)]
                case _:
                    mutated[at:at] = source.choice([b"\r\n", b"\0", b'"', b";;", b"<", b"%", b"\xff\xfe", b"," * 50])
            mutated = mutated or bytearray(b"x")
        yield bytes(mutated)


@pytest.mark.slow
def test_flood_of_garbage(start: Start) -> None:
    server = start("checked.py", counted=False, settings={"log.level": "error"})

    async def alive() -> None:
        async with UdpPeer.open() as peer:
            assert (await peer.ask(options(peer, server.address("udp")), server.address("udp"), 15)).status == 200

    asyncio.run(alive())
    before = rss_bytes(server.process.pid)
    with Flood(server.address("udp"), garbage(SEED), seconds=30) as flood:
        flood.wait()
        assert flood.sent > GARBAGE * 0.9
    asyncio.run(alive())
    assert rss_bytes(server.process.pid) - before < GROWTH_LIMIT_BYTES
    assert "panicked" not in server.log()
