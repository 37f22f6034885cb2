"""Captures: reading, replaying through a script, writing tests from them."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipwright.cli import main
from sipwright.testing import VirtualServer
from sipwright.testing.capture import CaptureError, read_capture

Make = Callable[..., VirtualServer]
Frame = tuple[float, bytes]

MESSAGE = (
    b"OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKx\r\n"
    b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:bob@192.0.2.1>\r\nCall-ID: one\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 4\r\n\r\nbody"
)
SERVER = ("192.0.2.1", 5060)
ALICE, BOB = ("198.51.100.1", 5060), ("198.51.100.2", 5060)

SCRIPT = """
import KSR

def mod_init():
    return Handler()

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_CANCEL():
            KSR.tm.t_relay()
            return 1
        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0 or KSR.is_ACK():
                KSR.tm.t_relay()
            return 1
        KSR.rr.record_route()
        KSR.seturi("sip:bob@198.51.100.2:5060")
        KSR.tm.t_relay()
        return 1
"""


def ip4(source: tuple[str, int], target: tuple[str, int], payload: bytes, protocol: int = 17, place: int = 0) -> bytes:
    def packed(host: str) -> bytes:
        return bytes(map(int, host.split(".")))

    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, place, 64, protocol, 0)
    return head + packed(source[0]) + packed(target[0]) + payload


def udp(source: tuple[str, int], target: tuple[str, int], data: bytes) -> bytes:
    return ip4(source, target, struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0) + data)


def tcp(source: tuple[str, int], target: tuple[str, int], number: int, data: bytes, syn: bool = False) -> bytes:
    flags = 2 if syn else 16
    return ip4(source, target, struct.pack("!HHIIBBHHH", source[1], target[1], number, 0, 80, flags, 0, 0, 0) + data, 6)


def pcap(file: Path, frames: list[Frame], link: int = 101, order: str = "<") -> Path:
    parts = [struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)]
    for at, frame in frames:
        parts.append(struct.pack(f"{order}IIII", int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame)
    file.write_bytes(b"".join(parts))
    return file


def pcapng(file: Path, frames: list[Frame], link: int = 101, order: str = "<", digits: int | None = None) -> Path:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    options = b"" if digits is None else struct.pack(f"{order}HHB3xHH", 9, 1, digits, 0, 0)
    unit = 10.0 ** -(6 if digits is None else digits)
    parts = [
        block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack(f"{order}HHI", link, 0, 0) + options),
        block(5, b"statistics, which nobody reads"),
    ]
    for at, frame in frames:
        ticks = round(at / unit)
        head = struct.pack(f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        parts.append(block(6, head + frame))
    file.write_bytes(b"".join(parts))
    return file


ETHERNET = b"\x02" * 6 + b"\x04" * 6


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (101, b""),
        (0, b"\x02\0\0\0"),
        (1, ETHERNET + b"\x08\x00"),
        (1, ETHERNET + b"\x81\x00\x00\x05\x08\x00"),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("write", [pcap, pcapng])
def test_files_and_links(tmp_path: Path, write: Callable[..., Path], order: str, link: int, head: bytes) -> None:
    frame = head + udp(ALICE, SERVER, MESSAGE)
    (found,) = read_capture(write(tmp_path / "one", [(1_700_000_000.25, frame)], link, order))
    assert (found.source, found.target, found.proto, found.data) == (ALICE, SERVER, "udp", MESSAGE)
    assert found.time_s == pytest.approx(1_700_000_000.25, abs=1e-5)


def test_nanoseconds(tmp_path: Path) -> None:
    (found,) = read_capture(pcapng(tmp_path / "one", [(1_700_000_000.5, udp(ALICE, SERVER, MESSAGE))], digits=9))
    assert found.time_s == pytest.approx(1_700_000_000.5, abs=1e-5)


def test_ipv6_with_an_extension(tmp_path: Path) -> None:
    payload = struct.pack("!HHHH", 5060, 5061, 8 + len(MESSAGE), 0) + MESSAGE
    inner = bytes([17, 0]) + bytes(6) + payload
    frame = struct.pack("!IHBB", 0x60000000, len(inner), 0, 64) + bytes(15) + b"\x01" + bytes(15) + b"\x02" + inner
    (found,) = read_capture(pcap(tmp_path / "one", [(1.0, frame)]))
    assert (found.source, found.target) == (("::1", 5060), ("::2", 5061))


def test_fragments_in_any_order(tmp_path: Path) -> None:
    whole = struct.pack("!HHHH", 5060, 5060, 8 + len(MESSAGE), 0) + MESSAGE
    first = ip4(ALICE, SERVER, whole[:80], place=0x2000)
    last = ip4(ALICE, SERVER, whole[80:], place=10)
    for frames in itertools.permutations([(1.0, first), (1.1, last)]):
        (found,) = read_capture(pcap(tmp_path / "one", list(frames)))
        assert found.data == MESSAGE


def test_streams_are_cut_into_messages(tmp_path: Path) -> None:
    two = MESSAGE + b"\r\n\r\n" + MESSAGE.replace(b"Call-ID: one", b"i: two")
    parts = [(100, two[:50]), (150, two[50:400]), (500, two[400:])]
    segments = [tcp(ALICE, SERVER, 99, b"", syn=True), *(tcp(ALICE, SERVER, *part) for part in parts)]
    # One comes late, and one twice.
    order = [segments[0], segments[2], segments[1], segments[1], segments[3]]
    found = read_capture(pcap(tmp_path / "one", [(float(at), frame) for at, frame in enumerate(order)]))
    assert [one.message.call_id for one in found] == ["one", "two"]
    assert {one.proto for one in found} == {"tcp"}


def test_what_is_no_sip_is_passed_over(tmp_path: Path) -> None:
    frames = [b"", b"\x45", udp(ALICE, SERVER, b"\r\n\r\n"), udp(ALICE, SERVER, b"INVITE nothing"), b"\x45" * 60]
    assert read_capture(pcap(tmp_path / "one", [(1.0, frame) for frame in frames])) == []


@pytest.mark.parametrize("text", [b"", b"no capture at all", b"\x0a\x0d\x0d\x0a" + b"\x01\0\0\0" * 4])
def test_what_is_no_capture(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "one"
    file.write_bytes(text)
    with pytest.raises(CaptureError, match=r"one: is"):
        read_capture(file)
    with pytest.raises(CaptureError, match="No such file"):
        read_capture(tmp_path / "none")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "route.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def recording(tmp_path: Path, script: Path, sip_server: Make) -> Path:
    """A call and a call that is cancelled, recorded at the server."""
    sip = sip_server(script)
    alice = sip.phone("alice", address="198.51.100.1:5060")
    bob = sip.phone("bob", address="198.51.100.2:5060")
    call = alice.invite("bob", body="v=0\r\n")
    invite = bob.expect("INVITE")
    sip.advance(0.2)
    invite.reply(180)
    sip.advance(3)
    invite.reply(200, body="v=0\r\no=bob\r\n")
    call.expect(180)
    call.expect(200)
    call.ack()
    bob.expect("ACK")
    sip.advance(5)
    ended = call.bye()
    bob.expect("BYE").reply(200)
    ended.expect(200)
    other = alice.invite("bob")
    bob.reply(180)
    sip.advance(1)
    other.cancel()
    sip.close()
    frames = []
    for packet in sip.packets:
        ends = (SERVER, packet.phone.address) if packet.is_outgoing else (packet.phone.address, SERVER)
        frames.append((1_700_000_000 + packet.time_s, udp(*ends, packet.data)))
    return pcap(tmp_path / "calls.pcap", frames)


def test_the_same_script_sends_the_same(recording: Path, script: Path) -> None:
    done = CliRunner().invoke(main, ["replay", str(recording), "--script", str(script)])
    assert done.exit_code == 0, done.output
    assert done.output.count("as recorded") == 2
    assert "to 198.51.100.2:5060: BYE sip:bob@198.51.100.2:5060" in done.output


def test_another_script_and_what_differs(recording: Path, script: Path) -> None:
    script.write_text(
        SCRIPT.replace("        KSR.rr.record_route()", '        KSR.sl.send_reply(403, "No")\n        return 1')
    )
    done = CliRunner().invoke(main, ["replay", str(recording), "--script", str(script)])
    assert done.exit_code == 1, done.output
    assert done.output.count("differs") == 2
    assert "+ to 198.51.100.1:5060: 403 No (INVITE)" in done.output
    assert "- to 198.51.100.2:5060: INVITE sip:bob@198.51.100.2:5060" in done.output
    assert "! 180 Ringing (INVITE) from bob" not in done.output
    assert "it answers a request that was not sent now" in done.output


def test_a_test_from_a_capture(recording: Path, script: Path, pytester: pytest.Pytester) -> None:
    written = pytester.path / "test_calls.py"
    done = CliRunner().invoke(
        main, ["testing", "from-capture", str(recording), "--script", str(script), "-o", str(written)]
    )
    assert done.exit_code == 0, done.output
    text = written.read_text()
    assert "server.advance(3.000)" in text
    assert "invite1.cancel()" in text
    assert len(re.findall(r"^def test_", text, re.MULTILINE)) == 2
    arguments = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "sipwright.testing.plugin")
    pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=2)
    script.write_text(SCRIPT.replace("198.51.100.2:5060", "198.51.100.3:5060"))
    result = pytester.runpytest_inprocess(*arguments)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines("*has received no INVITE*")
