"""The recording of a running server: what came and went, what the script decided, masked, bounded, exported."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conftest import Start
from sipwright.cli import main
from sipwright.control.client import ControlError, call
from sipwright.record import capture
from support.control import data_of
from support.messages import Sip, request
from support.peers import UdpPeer
from support.servers import Server

AUTHORIZATION = ("Authorization", 'Digest username="a", realm="r", nonce="n", uri="sip:h", response="0123456789abcdef"')
SDP = b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0\r\n"
SECRETS = (b"0123456789abcdef", b"c2VjcmV0c2VjcmV0", b"hunter2")


async def one_call(server: Server, hang_up: bool = True) -> str:
    """Bob registers, Alice calls him through the server, they hang up; the Call-ID."""
    address = server.address("udp")
    domain = f"{address[0]}:{address[1]}"
    async with UdpPeer.open() as alice, UdpPeer.open() as bob:
        contact = f"sip:bob@127.0.0.1:{bob.address[1]}"
        register = request("REGISTER", f"sip:{domain}", bob.address, to_uri=f"sip:bob@{domain}", contact=contact)
        assert (await bob.ask(register, address)).status == 200
        invite = request(
            *("INVITE", f"sip:bob@{domain}", alice.address),
            from_uri="sip:alice:hunter2@h",
            contact=f"sip:alice@127.0.0.1:{alice.address[1]}",
            extra=(AUTHORIZATION, ("Content-Type", "application/sdp")),
            body=SDP,
        )
        alice.send(invite, address)
        got, source = await bob.receive()
        assert all(secret in got.encode() for secret in SECRETS), "the wire is not masked"
        bob.send(got.reply(180, "Ringing", "b"), source)
        # Two workers may take two datagrams that come at once in any order.
        while (await alice.receive())[0].status != 180:
            pass
        bob.send(got.reply(200, "OK", "b", extra=(("Contact", f"<{contact}>"),)), source)
        final = await alice.final(invite["Call-ID"])
        assert final.status == 200
        if hang_up:
            await within(alice, final, invite, "ACK", address)
            assert (await bob.receive())[0].method == "ACK"
            await within(alice, final, invite, "BYE", address)
            bye, source = await bob.receive()
            bob.send(bye.reply(200, "OK"), source)
            assert (await alice.final(invite["Call-ID"])).status == 200
        return invite["Call-ID"]


async def within(alice: UdpPeer, final: Sip, invite: Sip, method: str, address: tuple[str, int]) -> None:
    routes = tuple(("Route", value) for value in reversed(final.all("Record-Route")))
    target = final["Contact"].strip("<>")
    sent = request(
        method, target, alice.address, call_id=invite["Call-ID"], cseq=1 if method == "ACK" else 2, extra=routes
    )
    kept = {"From": invite["From"], "To": final["To"]}
    headers = tuple((name, kept.get(name, value)) for name, value in sent.headers)
    alice.send(Sip(sent.first_line, headers), address)


@pytest.fixture
def server(start: Start) -> Server:
    return start(None, settings={"record.enabled": "true"})


def recorded(server: Server, **kinds: Any) -> tuple[str, Path, list[dict[str, Any]]]:
    call_id = asyncio.run(one_call(server, **kinds))
    data = data_of(server)
    return call_id, data, call(data, "record.call", [call_id])


def test_messages_and_decisions_of_a_call(server: Server) -> None:
    call_id, data, entries = recorded(server)
    messages = [(e["kind"], e["status"] or e["method"]) for e in entries if e["kind"] in ("received", "sent")]
    assert messages == [
        *(("received", "INVITE"), ("sent", 100), ("sent", "INVITE")),
        *(("received", 180), ("sent", 180), ("received", 200), ("sent", 200)),
        *(("received", "ACK"), ("sent", "ACK"), ("received", "BYE"), ("sent", "BYE"), ("received", 200), ("sent", 200)),
    ]
    assert {e["call_id"] for e in entries} == {call_id}
    assert [e["name"] for e in entries if e["kind"] == "route"].count("ksr_request_route") == 3
    made = {e["name"]: e for e in entries if e["kind"] == "function"}
    assert made["KSR.tm.t_relay"]["result"] == "1"
    assert (made["KSR.registrar.lookup"]["arguments"], made["KSR.registrar.lookup"]["result"]) == ('"location"', "1")
    first, relay = entries[0], made["KSR.tm.t_relay"]
    assert first["local"] == list(server.address("udp"))
    assert 0 < relay["mono_ns"] - first["mono_ns"] < 5e9
    assert first["wall_us"] > 1_700_000_000_000_000
    (found,) = [c for c in call(data, "record.calls") if c["call_id"] == call_id]
    assert (found["method"], found["state"], found["status"], found["messages"]) == ("INVITE", "ended", 200, 13)
    assert found["talked_us"] <= found["lasted_us"]
    assert found["from_uri"] == "sip:alice:xxxxxxx@h"


def test_a_call_that_lasts(server: Server) -> None:
    call_id, data, _ = recorded(server, hang_up=False)
    states = {c["call_id"]: (c["state"], c["method"]) for c in call(data, "record.calls")}
    assert states[call_id] == ("answered", "INVITE")
    assert ("done", "REGISTER") in states.values()


def test_credentials_are_masked(server: Server) -> None:
    _, data, entries = recorded(server)
    shown = json.dumps(entries).encode()
    assert not [secret for secret in SECRETS if secret in shown]
    invite = entries[0]["data"]
    assert f'response="{"x" * 16}"' in invite
    assert len(invite) == entries[0]["size"]
    with pytest.raises(ControlError, match="unmask"):
        call(data, "record.read", [0, 10, None, "guess"])


def sipwright(*arguments: str | Path) -> Result:
    """The command line, in the test's own process."""
    return CliRunner(charset="utf-8").invoke(main, [str(part) for part in arguments])


def test_export(server: Server, tmp_path: Path) -> None:
    call_id, data, entries = recorded(server)
    path = tmp_path / "calls.pcapng"
    done = sipwright("record", "export", path, "-d", data)
    assert (done.exit_code, done.stdout) == (0, f"15 messages in {path}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not [secret for secret in SECRETS if secret in path.read_bytes()]
    packets = capture.read(path).packets
    assert [p.data.decode() for p in packets if call_id.encode() in p.data] == [e["data"] for e in entries if e["data"]]

    done = sipwright("record", "export", path, "-d", data, "--unmasked", "--call-id", call_id)
    assert done.stdout.startswith("13 messages")
    assert all(secret in path.read_bytes() for secret in SECRETS)

    done = sipwright("record", "export", tmp_path / "none.pcapng", "-d", data, "--call-id", "nobody")
    assert (done.exit_code, done.stderr) == (1, "sipwright: no message with Call-ID nobody is recorded\n")
    assert [p.name for p in tmp_path.glob("*.pcapng*")] == ["calls.pcapng"]


def test_ladder(server: Server, tmp_path: Path) -> None:
    call_id, data, _ = recorded(server)
    done = sipwright("ladder", call_id[:12], "-d", data, "--width", "100", "--ascii")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("INVITE sip:alice:xxxxxxx@h to sip:bob@127.0.0.1")
    picture = "\n".join(lines[2:])
    for text in ("INVITE SDP", "180 Ringing", "* ksr_request_route", "* KSR.tm.t_relay() = 1", "200 OK (BYE)"):
        assert text in picture, done.stdout
    assert max(map(len, lines)) <= 100
    assert "hunter2" not in sipwright("ladder", call_id, "-d", data, "--messages").stdout

    listed = sipwright("ladder", "-d", data, "--width", "120").stdout
    assert "ended" in listed
    assert "REGISTER" in listed

    path = tmp_path / "calls.pcapng"
    assert sipwright("record", "export", path, "-d", data).exit_code == 0
    from_file = sipwright("ladder", call_id, "--file", path, "--width", "100", "--ascii").stdout
    arrows = [line[10:] for line in lines if ">|" in line or "|<" in line]
    assert [line[10:] for line in from_file.splitlines() if ">|" in line or "|<" in line] == arrows


CANNOT_BE_SHOWN: list[tuple[list[str], int, str]] = [
    (["9"], 1, "no call 9 among the 0 that are recorded"),
    (["--follow", "--file", "x"], 2, "a file does not go on"),
    (["--file", "/nonexistent/x.pcap"], 1, "/nonexistent/x.pcap: No such file or directory"),
    (["--file", "/etc/hosts"], 1, "/etc/hosts: no capture file"),
    (["-d", "/nonexistent"], 1, "no server is running with data directory /nonexistent"),
]


def test_what_cannot_be_shown(server: Server) -> None:
    data = data_of(server)
    for arguments, status, text in CANNOT_BE_SHOWN:
        done = sipwright("ladder", *(["-d", str(data)] if "-d" not in arguments else []), *arguments)
        assert done.exit_code == status, done.output
        assert text in done.stderr


def test_it_can_be_turned_off_and_emptied(server: Server) -> None:
    call_id, data, _ = recorded(server)
    assert call(data, "record.enable", [0])["enabled"] is False
    before = call(data, "record.status")
    asyncio.run(one_call(server))
    assert call(data, "record.status") == before
    assert call(data, "record.clear")["entries"] == 0
    with pytest.raises(ControlError, match="has no call"):
        call(data, "record.call", [call_id])
    call(data, "record.enable", [1])
    assert recorded(server)[2]


def test_its_memory_is_bounded(start: Start) -> None:
    server = start(None, settings={"record.enabled": "true", "record.max_bytes": 16_384, "record.max_entries": 40})
    for _ in range(3):
        recorded(server)
    status = call(data_of(server), "record.status")
    assert status["entries"] <= 40
    assert status["bytes"] <= 16_384
    assert status["first"] > 1
    answer = call(data_of(server), "record.read", [2, 1000])
    assert answer["missed"] == status["first"] - 2
    assert (answer["next"], answer["end"]) == (status["next"], True)


def test_it_is_off_unless_asked_for(start: Start) -> None:
    server = start(None)
    asyncio.run(one_call(server))
    assert call(data_of(server), "record.status")["entries"] == 0


RAISES = """
import KSR


class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.tm.t_on_failure("nowhere")
        raise ValueError("no route for " + KSR.pv.get("$rU"))


def mod_init():
    return Handler()
"""


def test_script_errors_are_kept_with_their_traceback(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "raises.py"
    script.write_text(RAISES)
    server = start(script, counted=False, settings={"record.enabled": "true"})

    async def story() -> str:
        async with UdpPeer.open() as alice:
            sent = request("MESSAGE", "sip:bob@h", alice.address)
            assert (await alice.ask(sent, server.address("udp"))).status == 500
            return sent["Call-ID"]

    call_id = asyncio.run(story())
    data = data_of(server)
    (error,) = call(data, "record.notable")
    assert (error["kind"], error["call_id"]) == ("error", call_id)
    assert error["result"].endswith("ValueError: no route for bob")
    assert f'File "{script}", line 11' in error["result"]
    entries = call(data, "record.call", [call_id])
    assert [e["result"] for e in entries if e["kind"] == "route"] == ["raised"]
    assert [c["errors"] for c in call(data, "record.calls")] == [1]
    assert ["t_on_failure" in e["name"] for e in entries if e["kind"] == "function"] == [True]


def test_traffic(server: Server) -> None:
    recorded(server)
    traffic = call(data_of(server), "core.traffic")
    assert traffic["requests"]["INVITE"] == {"received": 1, "sent": 1}
    assert traffic["requests"]["REGISTER"] == {"received": 1, "sent": 0}
    assert traffic["responses"]["2xx"] == {"received": 2, "sent": 3}
    assert traffic["responses"]["1xx"] == {"received": 1, "sent": 2}
    route = traffic["routes"]["ksr_request_route"]
    assert route["count"] == 4
    assert 0 < route["longest_us"] <= route["total_us"]
    assert traffic["queue_waits"]["count"] >= 4
