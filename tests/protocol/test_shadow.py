"""A candidate script beside a running server: what it would decide otherwise, and that nothing of it leaves."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

import sipwright
from conftest import Start
from sipwright.control.client import call as ask
from support.control import data_of
from support.messages import request
from support.peers import UdpPeer
from support.process import Child
from support.servers import SIPWRIGHT, Server

DEFAULT = Path(sipwright.__file__).parent / "default_script.py"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the default script's Record-Routes, which each server has its own of otherwise."""
    monkeypatch.setenv("ROUTE_SECRET", "of both")


@pytest.fixture
def server(start: Start) -> Server:
    return start(None)


async def call(server: Server, alice: UdpPeer, bob: UdpPeer, user: str) -> None:
    """A call that bob answers, or that the server refuses, and its end."""
    address = server.address("udp")
    domain = f"{address[0]}:{address[1]}"
    contact = f"sip:alice@127.0.0.1:{alice.address[1]}"
    invite = request("INVITE", f"sip:{user}@{domain}", alice.address, contact=contact)
    alice.send(invite, address)
    if user == "bob":
        got, source = await bob.receive()
        bob.send(got.reply(200, "OK", "b", extra=(("Contact", f"<sip:bob@127.0.0.1:{bob.address[1]}>"),)), source)
    final = await alice.final(invite["Call-ID"])
    if user != "bob":
        assert final.status == 404
        ack = request("ACK", invite.uri, alice.address, call_id=invite["Call-ID"])
        same = {"From": invite["From"], "To": final["To"], "Via": invite["Via"]}
        alice.send(type(ack)(ack.first_line, tuple((n, same.get(n, v)) for n, v in ack.headers)), address)


async def registered(server: Server, bob: UdpPeer) -> None:
    address = server.address("udp")
    domain = f"{address[0]}:{address[1]}"
    contact = f"sip:bob@127.0.0.1:{bob.address[1]}"
    sent = request("REGISTER", f"sip:{domain}", bob.address, to_uri=f"sip:bob@{domain}", contact=contact)
    assert (await bob.ask(sent, address)).status == 200


def shadowed(server: Server, script: Path, tmp_path: Path) -> tuple[int, list[dict[str, Any]], str]:
    """Calls to a user who was registered before the candidate came, and to one who is not there: the exit status, the
    requests that were decided otherwise, and what else was said.
    """
    data = data_of(server)

    async def story() -> Child:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await registered(server, bob)
            argv: list[str | Path] = [SIPWRIGHT, "shadow", script, "-d", data, "-o", "json"]
            child = Child(argv, tmp_path / "shadow.log", cwd=tmp_path)
            try:
                await asyncio.to_thread(child.wait_output, "following the server", 30)
                await call(server, alice, bob, "bob")
                await call(server, alice, bob, "nobody")
                await registered(server, bob)
            except BaseException:
                child.kill()
                raise
            return child

    child = asyncio.run(story())
    # What the server has recorded until then is looked at yet.
    code = child.stop(30, signal.SIGINT).code
    text = child.output()
    return code, [json.loads(line) for line in text.splitlines() if line.startswith("{")], text


def test_the_same_script_decides_the_same(server: Server, tmp_path: Path) -> None:
    code, rows, text = shadowed(server, DEFAULT, tmp_path)
    assert rows == []
    assert code == 0, text
    # INVITE twice, ACK of the 404, REGISTER.
    assert "4 requests compared, 0 decided otherwise, 0 exceptions" in text
    assert "begins with 1 contacts" in text
    assert ask(data_of(server), "record.status")["enabled"] is False, "as it was before"
    assert not (data_of(server) / "record.key").exists()


def edited(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = DEFAULT.read_text()
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    path = tmp_path / "candidate.py"
    path.write_text(text)
    return path


def test_other_decisions_are_reported(server: Server, tmp_path: Path) -> None:
    candidate = edited(
        tmp_path,
        ('KSR.sl.send_reply(404, "Not Found")', 'KSR.sl.send_reply(480, "Away")'),
        (
            '        KSR.tm.t_on_reply("onreply")',
            '        KSR.hdr.append("X-New: 1\\r\\n")\n        KSR.tm.t_on_reply("onreply")',
        ),
    )
    code, rows, text = shadowed(server, candidate, tmp_path)
    assert code == 1
    found = {row["uri"].partition("@")[0]: row for row in rows}
    assert set(found) == {"sip:bob", "sip:nobody"}, text
    (edit,) = found["sip:bob"]["differences"]
    assert edit.startswith("~ send INVITE sip:bob@127.0.0.1:")
    assert edit.endswith(": x-new: none -> 1")
    live, shadow = found["sip:nobody"]["live"], found["sip:nobody"]["shadow"]
    assert [line.split(" to ")[0] for line in (*live, *shadow)] == ["reply 404 Not Found", "reply 480 Away"]
    assert found["sip:nobody"]["method"] == "INVITE"
    assert "2 decided otherwise, 0 exceptions" in text


def test_nothing_of_it_leaves(server: Server, tmp_path: Path) -> None:
    written = tmp_path / "written"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        place = listener.getsockname()
        candidate = edited(
            tmp_path,
            (
                "        found = KSR.registrar.lookup(LOCATION)",
                f"        KSR.http_client.query('http://127.0.0.1:{place[1]}/', '$avp(x)')\n"
                "        import socket\n"
                f"        socket.create_connection({place!r}).send(b'leaked')\n"
                "        found = KSR.registrar.lookup(LOCATION)",
            ),
            (
                "        if not KSR.is_myself_turi():",
                f"        open({str(written)!r}, 'w').close()\n        if not KSR.is_myself_turi():",
            ),
        )
        code, rows, text = shadowed(server, candidate, tmp_path)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert code == 1
    assert not written.exists()
    assert "3 exceptions" in text
    assert "socket.connect" in text
    assert "would be seen outside" in text
    # A route that raised answers with 500.
    assert {line.split(" to ")[0] for row in rows for line in row["shadow"]} == {"reply 500 Server Internal Error"}


def test_a_capture_file(start: Start, tmp_path: Path) -> None:
    server = start(None, settings={"record.enabled": "true"})

    async def story() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            await registered(server, bob)
            await call(server, alice, bob, "bob")
            await call(server, alice, bob, "nobody")

    asyncio.run(story())
    data = data_of(server)
    export = Child(
        [SIPWRIGHT, "record", "export", tmp_path / "calls.pcapng", "--unmasked", "-d", data],
        tmp_path / "export.log",
        cwd=tmp_path,
    )
    assert export.wait(20) == 0, export.output()
    candidate = edited(tmp_path, ('KSR.sl.send_reply(404, "Not Found")', 'KSR.sl.send_reply(480, "Away")'))
    address = server.address("udp")
    for script, code in ((DEFAULT, 0), (candidate, 1)):
        argv: list[str | Path] = [
            SIPWRIGHT,
            "shadow",
            script,
            "--from",
            "calls.pcapng",
            "-s",
            f"udp:{address[0]}:{address[1]}",
        ]
        child = Child(argv, tmp_path / f"{script.stem}.log", cwd=tmp_path)
        assert child.wait(30) == code, child.output()
        assert f"4 requests compared, {code} decided otherwise" in child.output()
    assert "+ reply 480 Away to" in child.output()
