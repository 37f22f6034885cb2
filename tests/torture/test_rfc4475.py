"""The torture messages of RFC 4475 over real sockets: the right refusal where one is asserted, life after each.

The messages are read from shared/torture beside the project; without it only the project's own ones run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from conftest import SCRIPTS
from support.messages import Sip
from support.peers import StreamPeer, UdpPeer, options
from support.servers import ROOT, Listen, Server, Sipwright

MESSAGES = ROOT.parent / "shared" / "torture" / "rfc4475"
NAMES = sorted(path.stem for path in MESSAGES.glob("*.dat"))
# Answers go to the Via's port (RFC 3261 section 18.2.2), so each message gets an address where that port is ours.
CLIENT_HOST = "127.0.0.75"
# Sections 3.1.1, 3.1.2 and 3.3 of RFC 4475, as far as the server decides and not the script.
REFUSED = {
    "clerr": 400,
    "insuf": 400,
    "mcl01": 400,
    "mismatch01": 400,
    "mismatch02": 400,
    "multi01": 400,
    "ncl": 400,
    "scalar02": 400,
    "badvers": 505,
    "zeromf": 483,
}
ACCEPTED = ["wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "semiuri", "mpart01", "cparam01"]
RESPONSES = ["unreason", "noreason", "scalarlg", "bigcode", "bcast"]
ABSENT = "the torture messages are in ../shared/torture, which is absent here"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    listen = [Listen("udp"), Listen("tcp")]
    with Sipwright(SCRIPTS / "checked.py", tmp_path_factory.mktemp("server"), listen) as started:
        yield started


def test_torture_messages_are_there() -> None:
    if not MESSAGES.exists():
        pytest.skip(ABSENT)
    assert set(REFUSED) | set(ACCEPTED) | set(RESPONSES) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_over_udp(server: Server, name: str) -> None:
    data = (MESSAGES / f"{name}.dat").read_bytes()
    status = asyncio.run(send(server, data, wait=name in REFUSED or name in ACCEPTED))
    if name in REFUSED:
        assert status == REFUSED[name]
    elif name in ACCEPTED:
        assert status == 200
    elif name in RESPONSES:
        assert status is None


async def send(server: Server, data: bytes, *, wait: bool) -> int | None:
    """The status of the answer, if one came; asserts that the server is well afterwards."""
    address = server.address("udp")
    async with UdpPeer.open(CLIENT_HOST, via_port(data)) as torturer, UdpPeer.open() as friend:
        torturer.send(data, address)
        answer = await friend.ask(options(friend, address), address)
        assert answer.status == 200
        try:
            message, _ = await torturer.receive(3.0 if wait else 0.1)
        except TimeoutError:
            return None
        return message.status


def via_port(data: bytes) -> int:
    """The port that the top Via names, by a rough look: 5060 if none."""
    found = re.search(rb"^(?:via|v)\s*:\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+[^\s;:,]+\s*(?::\s*(\d+))?", data, re.I | re.M)
    port = int(found[1]) if found and found[1] else 5060
    return port if 1024 < port < 65536 else 5060


@pytest.mark.parametrize("name", NAMES)
def test_over_tcp(server: Server, name: str) -> None:
    """Each on its own connection; the listener lives on."""

    async def run() -> None:
        async with StreamPeer.open(server.address("tcp")) as peer:
            await peer.send((MESSAGES / f"{name}.dat").read_bytes())
            async with StreamPeer.open(server.address("tcp")) as other:
                assert (await other.ask(options(other, server.address("tcp"), "TCP"))).status == 200

    asyncio.run(run())


def own(first_line: str, *headers: tuple[str, str], body: bytes = b"") -> bytes:
    """A request with our own odd headers on top of ordinary ones."""
    common = (
        ("Via", f"SIP/2.0/UDP {CLIENT_HOST};branch=z9hG4bKown"),
        ("Max-Forwards", "70"),
        ("From", "<sip:odd@example.com>;tag=1"),
        ("To", "<sip:odd@example.com>"),
        ("Call-ID", "own"),
        ("CSeq", "1 OPTIONS"),
    )
    given = {name.lower() for name, _ in headers}
    kept = tuple((name, value) for name, value in common if name.lower() not in given)
    return Sip(first_line, (*headers, *kept), body).encode()


OWN = {
    "many-vias": own(
        "OPTIONS sip:x@127.0.0.1 SIP/2.0",
        ("Via", f"SIP/2.0/UDP {CLIENT_HOST};branch=z9hG4bKa" + ", SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKb" * 300),
    ),
    "many-headers": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", *((f"X-{n}", "v") for n in range(2000))),
    "long-uri": own(f"OPTIONS sip:{'u' * 20_000}@127.0.0.1 SIP/2.0"),
    "deep-quotes": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", ("Contact", '"' + '\\"' * 5_000 + '" <sip:a@b>')),
    "folded": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", ("Subject", "a" + "\r\n " * 2_000 + "b")),
    "nul-bytes": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", ("Subject", "a\0b\0")),
    "not-utf8": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", ("Subject", b"\xff\xfe\x80".decode("utf-8", "surrogateescape"))),
    "many-commas": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", ("Route", "," * 10_000)),
    "ipv6-bracket": own("OPTIONS sip:[::1 SIP/2.0"),
    "empty-user": own("OPTIONS sip:@127.0.0.1 SIP/2.0"),
    "huge-port": own("OPTIONS sip:x@127.0.0.1:99999999999 SIP/2.0"),
    "max-forwards": own("OPTIONS sip:x@127.0.0.1 SIP/2.0", ("Max-Forwards", "9" * 400)),
}


@pytest.mark.parametrize("name", OWN)
def test_own_messages(server: Server, name: str) -> None:
    asyncio.run(send(server, OWN[name], wait=False))
