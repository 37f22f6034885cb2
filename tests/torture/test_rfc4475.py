"""Every message of RFC 4475 over UDP and over TCP, through the real server: what each must get, and life after it.

The server is a proxy and registrar (`support/scripts/torture.py`). What it forwards reaches a peer that compares it,
byte for byte, with what was sent. The messages are read from shared/torture beside the project; without them only the
project's own ones run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from conftest import SCRIPTS
from support.messages import Sip, unique
from support.peers import StreamPeer, UdpPeer, options
from support.ports import free_port
from support.servers import ROOT, Listen, Server, Sipwright

MESSAGES = ROOT.parent / "shared" / "torture" / "rfc4475"
ABSENT = f"the messages of RFC 4475 are data of their own, expected in {MESSAGES}, which is absent"
PEER = "127.0.0.76"


@dataclass(frozen=True)
class Expected:
    """What one message gets.

    `section` is of RFC 4475. `status` is the final answer, None for silence. `relayed` says whether the peer gets it.
    `tcp` is the final answer over TCP where framing makes it another one, `closes` whether that ends the connection.
    """

    section: str
    status: int | None
    relayed: bool = False
    tcp: int | None = -1
    closes: bool = False

    @property
    def tcp_status(self) -> int | None:
        return self.status if self.tcp == -1 else self.tcp


def relayed(section: str) -> Expected:
    return Expected(section, 200, relayed=True)


def refused(section: str, status: int = 400, *, closes: bool = False) -> Expected:
    return Expected(section, status, closes=closes)


def registered(section: str) -> Expected:
    return Expected(section, 200)


def dropped(section: str) -> Expected:
    return Expected(section, None)


EXPECTED = {
    # 3.1.1: valid messages.
    "wsinv": relayed("3.1.1.1"),
    "intmeth": relayed("3.1.1.2"),
    "esc01": relayed("3.1.1.3"),
    "escnull": registered("3.1.1.4"),
    "esc02": relayed("3.1.1.5"),  # its method only looks like REGISTER
    "lwsdisp": relayed("3.1.1.6"),
    "longreq": relayed("3.1.1.7"),
    "dblreq": registered("3.1.1.8"),  # over TCP two requests, tested apart
    "semiuri": relayed("3.1.1.9"),
    "transports": relayed("3.1.1.10"),
    "mpart01": relayed("3.1.1.11"),
    "unreason": dropped("3.1.1.12"),  # valid, but its only Via is not the server's; as an answer it is tested apart
    "noreason": dropped("3.1.1.13"),
    # 3.1.2: invalid messages.
    "badinv01": refused("3.1.2.1"),
    "clerr": Expected("3.1.2.2", 400, tcp=None),  # on a stream the rest may come yet
    "ncl": refused("3.1.2.3", closes=True),
    "scalar02": refused("3.1.2.4"),
    "scalarlg": dropped("3.1.2.5"),
    "quotbal": refused("3.1.2.6"),
    "ltgtruri": refused("3.1.2.7"),
    "lwsruri": refused("3.1.2.8"),
    "lwsstart": refused("3.1.2.9"),
    "trws": refused("3.1.2.10"),
    "escruri": refused("3.1.2.11"),
    "baddate": relayed("3.1.2.12"),  # "encouraged to be liberal": a proxy has no use for Date
    "regbadct": refused("3.1.2.13"),
    "badaspec": relayed("3.1.2.14"),  # blanks inside the brackets may be ignored
    "baddn": Expected("3.1.2.15", 400, tcp=None),  # also lacks its empty line, so a stream waits for it
    "badvers": refused("3.1.2.16", 505),
    "mismatch01": refused("3.1.2.17"),
    "mismatch02": refused("3.1.2.18"),
    "bigcode": dropped("3.1.2.19"),
    # 3.2: transaction layer.
    "badbranch": relayed("3.2.1"),
    # 3.3: application layer.
    "insuf": refused("3.3.1"),
    "unkscm": refused("3.3.2", 416),
    "novelsc": refused("3.3.3", 416),
    "unksm2": refused("3.3.4"),
    "bext01": refused("3.3.5", 420),
    "invut": relayed("3.3.6"),  # the body is the user agent's affair
    "regaut01": registered("3.3.7"),  # this registrar asks for no credentials, and so ignores them
    "multi01": refused("3.3.8"),
    "mcl01": refused("3.3.9", closes=True),
    "bcast": dropped("3.3.10"),
    "zeromf": refused("3.3.11", 483),
    "cparam01": registered("3.3.12"),
    "cparam02": registered("3.3.13"),
    "regescrt": registered("3.3.14"),
    "sdp01": relayed("3.3.15"),  # the answer's media type is the user agent's affair
    # 3.4: backward compatibility.
    "inv2543": Expected("3.4.1", 200, relayed=True, tcp=400, closes=True),  # no Content-Length: RFC 3261 section 18.3
}
NAMES = sorted(EXPECTED)


@dataclass
class Bench:
    """The server, and where the peer is to listen."""

    server: Server
    peer: tuple[str, int]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    peer = (PEER, free_port(PEER))
    env = {"TORTURE_PEER": f"sip:{peer[0]}:{peer[1]}"}
    listen = [Listen("udp"), Listen("tcp")]
    with Sipwright(SCRIPTS / "torture.py", tmp_path_factory.mktemp("server"), listen, env=env) as server:
        yield Bench(server, peer)


def read(name: str) -> bytes:
    if not MESSAGES.exists():
        pytest.skip(ABSENT)
    return (MESSAGES / f"{name}.dat").read_bytes()


def test_every_message_has_an_expectation() -> None:
    if not MESSAGES.exists():
        pytest.skip(ABSENT)
    assert {path.stem for path in MESSAGES.glob("*.dat")} == set(EXPECTED)


@asynccontextmanager
async def answering(bench: Bench, code: int = 200, reason: str = "OK") -> AsyncIterator[list[bytes]]:
    """The peer: answers every request and keeps it as it came."""
    seen: list[bytes] = []

    async def answer(peer: UdpPeer) -> None:
        while True:
            data, source = await peer.receive_bytes(60)
            if data.startswith(b"SIP/2.0"):
                continue
            seen.append(data)
            if not data.startswith(b"ACK "):
                peer.send(reply_bytes(data, code, reason), source)

    async with UdpPeer.open(*bench.peer) as peer:
        task = asyncio.create_task(answer(peer))
        try:
            yield seen
        finally:
            task.cancel()
            # The socket is closed by the loop's next turn; the next test binds the same address.
            await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)


def reply_bytes(request: bytes, code: int, reason: str) -> bytes:
    """The answer with the header lines that a response copies, folds and odd bytes as they are."""
    head = request.partition(b"\r\n\r\n")[0]
    lines = re.sub(rb"\r\n(?=[ \t])", b"\0", head).split(b"\r\n")[1:]
    copied = (b"via", b"v", b"from", b"f", b"to", b"t", b"call-id", b"i", b"cseq", b"record-route")
    kept = [line.replace(b"\0", b"\r\n") for line in lines if name_of(line) in copied]
    first = f"SIP/2.0 {code} {reason}".encode()
    return b"\r\n".join([first, *kept, b"Content-Length: 0", b"", b""])


def name_of(line: bytes) -> bytes:
    return line.replace(b"\0", b" ").partition(b":")[0].strip().lower()


def assert_forwarded_untouched(sent: bytes, seen: bytes) -> None:
    """RFC 3261 section 16.6: all of it but what a proxy adds, Via, and counts, Max-Forwards."""
    forwarded = lines_but_hop(seen)
    if not re.search(rb"(?im)^(content-length|l)\s*:", sent):
        # Any element may add one (RFC 3261 section 20.14).
        forwarded.remove(b"Content-Length: %d" % len(forwarded[-1]))
    assert forwarded == lines_but_hop(sent)
    vias, before = via_values(seen), via_values(sent)
    assert len(vias) == len(before) + 1
    assert vias[2:] == before[1:]
    # RFC 3581 section 4 and RFC 3261 section 18.2.1 complete the sender's.
    assert re.sub(rb";received=[^;,]*|(?<=;rport)=\d+", b"", vias[1]) == before[0]


def lines_but_hop(message: bytes) -> list[bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    lines = re.sub(rb"\r\n(?=[ \t])", b"\0", head).split(b"\r\n")
    return [line for line in lines if name_of(line) not in (b"via", b"v", b"max-forwards")] + [body]


def via_values(message: bytes) -> list[bytes]:
    head = message.partition(b"\r\n\r\n")[0]
    lines = re.sub(rb"\r\n(?=[ \t])", b"\0", head).split(b"\r\n")
    values = [line.partition(b":")[2] for line in lines if name_of(line) in (b"via", b"v")]
    return [value.strip() for value in b",".join(values).split(b",")]


@pytest.mark.parametrize("name", NAMES)
def test_over_udp(bench: Bench, name: str) -> None:
    data, expected = read(name), EXPECTED[name]
    answers, seen = asyncio.run(over_udp(bench, data, NAMES.index(name), expected.status is not None))
    assert [status for status in answers if status >= 200] == ([expected.status] if expected.status else [])
    assert len(seen) == (1 if expected.relayed else 0)
    if expected.relayed:
        assert_forwarded_untouched(data, seen[0])


async def over_udp(bench: Bench, data: bytes, number: int, answered: bool) -> tuple[list[int], list[bytes]]:
    """The statuses that came back and the requests at the peer; asserts that the server is well afterwards."""
    address = bench.server.address("udp")
    # Answers go to the Via's port (RFC 3261 section 18.2.2), so each message gets an address where that port is ours.
    async with (
        answering(bench) as seen,
        UdpPeer.open(f"127.0.75.{number + 1}", via_port(data)) as torturer,
        UdpPeer.open() as friend,
    ):
        torturer.send(data, address)
        answers: list[int] = []
        while answered and not any(status >= 200 for status in answers):
            message, _ = await torturer.receive()
            answers.append(message.status or 0)
        # What was sent before has been dealt with when this is answered by the same server.
        assert (await friend.ask(options(friend, address), address)).status == 200
        await drain(torturer, answers)
        return answers, [data for data in seen if not is_from(data, friend)]


def is_from(data: bytes, friend: UdpPeer) -> bool:
    return f":{friend.address[1]};".encode() in data


async def drain(peer: UdpPeer, answers: list[int]) -> None:
    """Whatever else came, such as a second answer, which would be an error."""
    try:
        while True:
            message, _ = await peer.receive(0.05)
            answers.append(message.status or 0)
    except TimeoutError:
        pass


def via_port(data: bytes) -> int:
    """The port that the top Via names, by a rough look: that of its transport if none."""
    pattern = rb"^(?:via|v)\s*:\s*SIP\s*/\s*2\.0\s*/\s*(\w+)\s+[^\s;:,]+\s*(?::\s*(\d+))?"
    found = re.search(pattern, data, re.I | re.M)
    if found and found[2]:
        return port if 1024 < (port := int(found[2])) < 65536 else 5060
    return 5061 if found and found[1].upper() == b"TLS" else 5060


@pytest.mark.parametrize("name", NAMES)
def test_over_tcp_byte_by_byte(bench: Bench, name: str) -> None:
    """One byte with each write: framing waits for what is missing, and finds the same verdict."""
    data, expected = renamed(read(name)), EXPECTED[name]
    if name == "dblreq":
        data = data[: data.index(b"Content-Length: 0\r\n\r\n") + 21]
    statuses, seen, closed = asyncio.run(over_tcp(bench, data, 0 if expected.tcp_status is None else 1, expected))
    assert statuses == ([expected.tcp_status] if expected.tcp_status else [])
    assert closed == expected.closes
    passed = expected.relayed and expected.tcp_status == 200
    assert len(seen) == (1 if passed else 0)
    if passed:
        assert_forwarded_untouched(data, seen[0])


def renamed(data: bytes) -> bytes:
    """The same message with other identifiers of the same form: none that the server has seen before."""
    mark = unique().encode()[-5:]
    data = re.sub(rb"(?im)^((?:call-id|i)[ \t]*:\s*)(\w{5})", lambda m: m[1] + mark, data)
    # Matching goes by the branch (RFC 3261 section 17.2.3), unless it is the bare cookie.
    return re.sub(rb"(?i)(branch\s*=\s*(?:z9hG4bK)?)(?=[^\s;,])", lambda m: m[1] + mark, data)


async def over_tcp(bench: Bench, data: bytes, count: int, expected: Expected) -> tuple[list[int], list[bytes], bool]:
    """The final statuses, the requests at the peer, and whether the server closed the connection."""
    address = bench.server.address("tcp")
    async with answering(bench) as seen, StreamPeer.open(address) as peer:
        await peer.send_bytewise(data)
        statuses: list[int] = []
        while len(statuses) < count:
            message = await peer.receive()
            if (message.status or 0) >= 200:
                statuses.append(message.status or 0)
        if expected.closes:
            return statuses, list(seen), await peer.closed()
        async with StreamPeer.open(address) as friend:
            assert (await friend.ask(options(friend, address, "TCP"))).status == 200
        relayed = [data for data in seen if b"sip:tester@test.invalid" not in data]
        return statuses, relayed, await peer.closed(0.05)


def test_dblreq_is_two_requests_on_a_stream(bench: Bench) -> None:
    """Section 3.1.1.8: what follows the first is the second; what follows that one is no message."""
    data = renamed(read("dblreq"))
    second = data.index(b"INVITE")
    end = data.index(b"\r\n\r\n", second) + 4 + 150

    async def run() -> None:
        async with answering(bench) as seen, StreamPeer.open(bench.server.address("tcp")) as peer:
            await peer.send_bytewise(data[:end])
            answered = [await peer.receive() for _ in range(3)]
            assert sorted((message.method, message.status) for message in answered) == [
                ("INVITE", 100),
                ("INVITE", 200),
                ("REGISTER", 200),
            ]
            assert_forwarded_untouched(data[second:end], seen[0])
            await peer.send(data[end:] + b"\r\n\r\n")
            assert await peer.closed()

    asyncio.run(run())


def test_many_pipelined_byte_by_byte(bench: Bench) -> None:
    """All messages that leave a stream intact on one connection, a byte at a time: each gets its answer."""
    names = [
        name
        for name in NAMES
        if not EXPECTED[name].closes and EXPECTED[name].tcp == -1 and name != "dblreq" and EXPECTED[name].status
    ]
    data = b"".join(renamed(read(name)) for name in names)

    async def run() -> list[int]:
        async with answering(bench), StreamPeer.open(bench.server.address("tcp")) as peer:
            sending = asyncio.create_task(peer.send_bytewise(data))
            statuses: list[int] = []
            while len(statuses) < len(names):
                message = await peer.receive(20)
                if (message.status or 0) >= 200:
                    statuses.append(message.status or 0)
            await sending
            assert not await peer.closed(0.05)
            return statuses

    assert sorted(asyncio.run(run())) == sorted(EXPECTED[name].status or 0 for name in names)


@pytest.mark.parametrize("name", ["unreason", "noreason", "bigcode", "scalarlg"])
def test_start_line_of_a_response_in_its_transaction(bench: Bench, name: str) -> None:
    """Sections 3.1.1.12, 3.1.1.13, 3.1.2.5 and 3.1.2.19: forwarded as it is, or dropped and nothing but dropped."""
    first = read(name).split(b"\r\n")[0]
    cseq = re.search(rb"(?m)^CSeq: (\d+)", read(name))
    assert cseq is not None

    async def run() -> None:
        address = bench.server.address("udp")
        async with UdpPeer.open(*bench.peer) as callee, UdpPeer.open() as caller:
            sent = options(caller, address)
            caller.send(sent, address)
            data, source = await callee.receive_bytes()
            answer = reply_bytes(data, 200, "OK").replace(b"SIP/2.0 200 OK", first, 1)
            if name == "scalarlg":
                answer = answer.replace(b"CSeq: 1 ", b"CSeq: " + cseq[1] + b" ", 1)
            callee.send(answer, source)
            # A 100 is for one hop and goes no further (RFC 3261 section 16.7 step 5).
            if name == "unreason":
                assert (await caller.receive_bytes())[0].split(b"\r\n")[0] == first
                return
            callee.send(reply_bytes(data, 200, "Sane"), source)
            assert (await caller.receive())[0].first_line == "SIP/2.0 200 Sane"

    asyncio.run(run())


def test_branch_that_is_only_the_cookie(bench: Bench) -> None:
    """Section 3.2.1: such a branch identifies nothing, so requests that differ are told apart by other means."""
    data = read("badbranch")

    async def run() -> list[bytes]:
        address = bench.server.address("udp")
        async with answering(bench) as seen, UdpPeer.open("127.0.75.101", 5060) as peer:
            for _ in range(2):
                peer.send(renamed(data), address)
                assert (await peer.receive())[0].status == 200
            return list(seen)

    seen = asyncio.run(run())
    assert len(seen) == 2
    assert via_values(seen[0])[0] != via_values(seen[1])[0]


def own(first_line: str, *headers: tuple[str, str], body: bytes = b"") -> bytes:
    """A request with our own odd headers on top of ordinary ones."""
    common = (
        ("Via", "SIP/2.0/UDP 127.0.0.75;branch=z9hG4bKown"),
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
        ("Via", "SIP/2.0/UDP 127.0.0.75;branch=z9hG4bKa" + ", SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKb" * 300),
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
def test_own_messages(bench: Bench, name: str) -> None:
    """Whatever they get, the server lives on."""
    number = 200 + list(OWN).index(name)
    asyncio.run(over_udp(bench, OWN[name], number, answered=False))
