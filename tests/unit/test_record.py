"""Capture files: what is written is read again, by tshark as well, and broken files are refused."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipwright._engine import Recording
from sipwright.record import capture, pcapng
from sipwright.record.entry import Call, Entry
from sipwright.script import record
from support.recorded import ALICE, BOB, LOCAL, a_call, entry, message
from support.tools import tool


def written(tmp_path: Path, entries: list[Entry]) -> Path:
    path = tmp_path / "calls.pcapng"
    with path.open("wb") as out:
        assert pcapng.write(out, entries, "Sipwright test") == sum(e.is_message for e in entries)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    entries = a_call()
    found = capture.read(written(tmp_path, entries)).packets
    expected = [e for e in entries if e.is_message]
    assert [(p.wall_us, p.source, p.target, p.data, p.sent) for p in found] == [
        (e.wall_us, e.source, e.target, e.data, e.kind == "sent") for e in expected
    ]


def test_other_transports_and_versions_of_ip(tmp_path: Path) -> None:
    ok = message("SIP/2.0 200 OK")
    v6 = entry(kind="sent", proto="tls", local=("::", 5061), remote=("2001:db8::5", 49152), data=ok, connection=9)
    mixed = entry(proto="tcp", local=("0.0.0.0", 5060), remote=("2001:db8::5", 49152), data=ok)
    found = capture.read(written(tmp_path, [v6, mixed])).packets
    assert [(p.proto, p.source, p.target) for p in found] == [
        ("tls", ("::", 5061), ("2001:db8::5", 49152)),
        ("tcp", ("2001:db8::5", 49152), ("::ffff:0:0", 5060)),
    ]


def tshark(path: Path, *fields: str) -> list[list[str]]:
    """These fields of each packet, and nothing that tshark complains of."""
    argv = [tool("tshark"), "-n", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    argv += ["-d", "udp.port==1-65535,sip", "-T", "fields", *(word for field in fields for word in ("-e", field))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_tshark_reads_it(tmp_path: Path) -> None:
    long = entry(data=message("MESSAGE sip:bob@h SIP/2.0", cseq="1 MESSAGE", body="x" * 70_000), number=99)
    odd = entry(data=message("SIP/2.0 200 OK", body="odd"), kind="sent", number=98)
    rows = tshark(
        written(tmp_path, [*a_call(), odd, long]),
        *("ip.src", "ip.dst", "udp.srcport", "sip.Method", "sip.Status-Code", "sip.Call-ID", "frame.comment"),
        *("ip.checksum.status", "udp.checksum.status"),
    )
    assert rows[0] == [ALICE[0], LOCAL[0], str(ALICE[1]), "INVITE", "", "c", "received by udp", "1", "1"]
    assert rows[1][:4] == [LOCAL[0], BOB[0], str(LOCAL[1]), "INVITE"]
    assert [row[4] for row in rows[2:8]] == ["180", "180", "180", "200", "200", "200"]
    assert {tuple(row[7:]) for row in rows} == {("1", "1")}
    assert len(rows) == 9


def pcap(frames: list[bytes], *, link: int = 1, magic: bytes = b"\xd4\xc3\xb2\xa1") -> bytes:
    order = "<" if magic[0] in (0xD4, 0x4D) else ">"
    head = magic + struct.pack(f"{order}HHiIII", 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(f"{order}IIII", 5, 7, len(f), len(f)) + f for f in frames)


def tcp(payload: bytes) -> bytes:
    packet = pcapng.datagram(ALICE, LOCAL, payload)
    head = packet[20:24] + b"\0" * 8 + b"\x50" + b"\0" * 7
    return packet[:2] + struct.pack("!H", 40 + len(payload)) + packet[4:9] + b"\x06" + packet[10:20] + head + payload


OK = message("SIP/2.0 200 OK", body="v=0")


@pytest.mark.parametrize(
    ("link", "before"),
    [
        (1, b"\0" * 12 + b"\x08\0"),
        (1, b"\0" * 12 + b"\x81\0\0\x05\x08\0"),
        (0, b"\2\0\0\0"),
        (113, b"\0" * 16),
        (276, b"\0" * 20),
        (101, b""),
    ],
)
def test_link_types_of_tcpdump(tmp_path: Path, link: int, before: bytes) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([before + pcapng.datagram(ALICE, LOCAL, OK)], link=link))
    (packet,) = capture.read(path).packets
    assert (packet.wall_us, packet.source, packet.target, packet.data) == (5_000_007, ALICE, LOCAL, OK)


@pytest.mark.parametrize(
    ("magic", "wall_us"),
    [(b"\xa1\xb2\xc3\xd4", 5_000_007), (b"\x4d\x3c\xb2\xa1", 5_000_000), (b"\xa1\xb2\x3c\x4d", 5_000_000)],
)
def test_byte_orders_and_nanoseconds(tmp_path: Path, magic: bytes, wall_us: int) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([pcapng.datagram(ALICE, LOCAL, OK)], link=101, magic=magic))
    assert [p.wall_us for p in capture.read(path).packets] == [wall_us]


def test_messages_of_a_stream_and_what_is_no_message(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    frames = [tcp(OK + b"\r\n" + OK), tcp(OK[:-1]), tcp(b"GET / HTTP/1.1\r\n\r\n"), tcp(b""), b"\x45short", b""]
    path.write_bytes(pcap(frames, link=101))
    found = capture.read(path)
    assert [(p.proto, p.data) for p in found.packets] == [("tcp", OK), ("tcp", OK)]
    assert found.skipped == 1


def test_whose_capture_it_is(tmp_path: Path) -> None:
    """The address that takes part in most messages is the server's."""
    path = tmp_path / "x.pcap"
    invite = message("INVITE sip:bob@h SIP/2.0")
    frames = [pcapng.datagram(ALICE, LOCAL, invite), pcapng.datagram(LOCAL, BOB, invite)]
    path.write_bytes(pcap(frames, link=101))
    entries, *_ = capture.recording_of(path).read(0, 10)
    assert [(e.kind, e.local, e.remote) for e in entries] == [("received", LOCAL, ALICE), ("sent", LOCAL, BOB)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no capture file"),
        (b"INVITE sip:b", "no capture file"),
        (pcap([b"x"])[:-1] + b"", "cut off|broken|"),
        (pcap([b"x" * 40], link=999), "link type 999"),
        (b"\x0a\x0d\x0d\x0a\0\0\0\0\x4d\x3c\x2b\x1a", "broken block at byte 0"),
    ],
)
def test_broken_files(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    if text.startswith("cut off"):
        assert capture.read(path).packets == []
        return
    with pytest.raises(capture.CaptureError, match=text) as raised:
        capture.read(path)
    assert str(path) in str(raised.value)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_files_that_were_changed_raise_one_error_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    out = io.BytesIO()
    pcapng.write(out, a_call()[:2], "x")
    whole = bytearray(
        data.draw(st.sampled_from([out.getvalue(), pcap([b"\0" * 14 + pcapng.datagram(ALICE, LOCAL, OK)])]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.pcap"
    path.write_bytes(bytes(whole[: data.draw(st.integers(4, len(whole)))]))
    try:
        capture.read(path)
    except capture.CaptureError as error:
        assert str(error)  # noqa: PT017


def test_entries_and_calls_as_json() -> None:
    odd = entry(data=b"\xff\x00binary")
    for one in (*a_call(), odd):
        assert Entry.from_json(json.loads(json.dumps(one.to_json()))) == one
    recording = Recording(100_000, 100)
    recording.add(1_000_000, False, "udp", LOCAL, ALICE, message("INVITE sip:bob:pw@h SIP/2.0"))
    (call,) = map(Call.of, recording.calls(10))
    assert (call.uri, call.state, call.is_over) == ("sip:bob:xx@h", "trying", False)
    assert Call.from_json(json.loads(json.dumps(call.to_json()))) == call


def test_what_is_shown_is_masked_unless_asked_otherwise() -> None:
    recording = Recording(100_000, 100)
    secret = message("REGISTER sip:h SIP/2.0", cseq="1 REGISTER", extra='Authorization: Digest response="0123"\r\n')
    recording.add(1, False, "udp", LOCAL, ALICE, secret)
    assert b'response="xxxx"' in recording.read(0, 1)[0][0].data
    assert recording.read(0, 1, masked=False)[0][0].data == secret


def test_functions_that_are_recorded() -> None:
    for name in ("registrar.save", "registrar.lookup", "dispatcher.ds_select_dst", "auth_db.www_authenticate"):
        assert record.is_recorded(name), name
    for name in ("htable.sht_get", "registrar.ulc_rget", "ipops.is_ip", "sqlops.sql_result_get", "dialog.dlg_get_var"):
        assert not record.is_recorded(name), name


def test_arguments_are_shortened_and_secrets_left_out() -> None:
    assert record.arguments(("a", 1, "b"), (2,)) == '"a", 1, ***'
    assert record.arguments(("x" * 100,)) == f'"{"x" * 80}..."'


def test_a_password_is_not_cut_from_what_it_is_masked_by() -> None:
    before = "x" * 65
    assert record.arguments((f"{before} sip:alice:hunter2@192.0.2.1;lr",)) == f'"{before} sip:alice:hunter2@..."'
    assert record.arguments(([f"{before}<sip:a:hunter2@h>"],)) == f"['{before}<sip:a:hunter2@..."
    assert record.arguments((f"{before} sip:a 192.0.2.1:5060 and a@b",)) == f'"{before} sip:a 192.0.2...."'


def test_a_function_works_with_and_without_a_recording() -> None:
    calls: list[tuple[object, ...]] = []

    def save(*args: object) -> int:
        calls.append(args)
        if len(calls) > 1:
            raise KeyError("x")
        return 1

    save_recorded = record.recorded("registrar.save", save)
    assert save_recorded("location", 0) == 1
    with pytest.raises(KeyError):
        save_recorded("location", 1)
    assert calls == [("location", 0), ("location", 1)]
