"""A disk that is full: calls go on, what was accepted waits in memory, and is written when there is room again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SCRIPTS
from sipwright.control.record import KEY_NAME
from sipwright.record import capture
from support.agents import Agent, Line
from support.dialogs import rows
from support.process import wait_until
from support.servers import SIPWRIGHT, Listen, Sipwright

SIZE = "4m"
BLOCK = 4096
CALLS = 20
# Of a call that are recorded: INVITE, 200, ACK, BYE and 200, each once on the way in and once on the way out.
MESSAGES = 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", path], check=True, capture_output=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True, capture_output=True)


def fill(disk: Path) -> None:
    """Leaves no room at all."""
    with (disk / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(BLOCK))


def make_room(disk: Path, size: int | None = None) -> None:
    """Removes the ballast, or so many bytes of it."""
    ballast = disk / "ballast"
    if size is None:
        ballast.unlink()
    else:
        os.truncate(ballast, ballast.stat().st_size - size)


def server_on(directory: Path, data: Path, **settings: object) -> Sipwright:
    quick = {"database.flush_ms": 50, "database.retry_ms": 200, "acc.db_flag": 1, "data_dir": data}
    return Sipwright(SCRIPTS / "troubled.py", directory, [Listen("udp")], settings={**quick, **settings})


async def load(server: Sipwright, agent: Agent, name: str) -> list[str]:
    """Registrations and calls; the Call-IDs."""
    address = server.address("udp")
    made = []
    for number in range(CALLS):
        user = f"{name}{number}"
        assert (await agent.register(address, user)).status == 200
        call_id, codes = await agent.call(address, f"sip:{user}@{address[0]}:{address[1]}")
        assert codes == [200, 200]
        made.append(call_id)
    return made


def records(file: Path) -> Counter[tuple[object, ...]]:
    return Counter(rows(file, "select method, sip_code, callid from acc"))


def test_a_full_disk_costs_no_call(disk: Path, tmp_path: Path) -> None:
    """Bindings and records of calls that are made meanwhile are in the file afterwards."""
    data = disk / "data"
    made: list[str] = []
    with server_on(tmp_path / "server", data, **{"usrloc.db_mode": 2, "usrloc.db_flush_s": 1}) as server:

        async def run() -> None:
            async with Agent.on(Line()) as agent:
                made.extend(await load(server, agent, "before"))
                fill(disk)
                made.extend(await load(server, agent, "meanwhile"))
                await asyncio.to_thread(server.process.wait_output, "does not answer", 15.0)
                made.extend(await load(server, agent, "longer"))
                make_room(disk)
                await asyncio.to_thread(server.process.wait_output, "is back", 40.0)
                made.extend(await load(server, agent, "after"))

        asyncio.run(run())
        expected = Counter((method, "200", call_id) for call_id in made for method in ("INVITE", "BYE"))
        wait_until(lambda: records(data / "sipwright.db").total() >= expected.total(), 30, "all calls are accounted")
        server.assert_clean_stop(6.0)
    assert records(data / "sipwright.db") == expected
    assert len(rows(data / "sipwright.db", "select distinct username from location")) == 4 * CALLS
    assert not list(data.glob("*.spool"))
    log = server.log()
    assert log.count("does not answer") == log.count("is back") == 1, log
    assert "lost" not in log, log


def test_a_stop_while_the_disk_is_full_says_what_is_lost(disk: Path, tmp_path: Path) -> None:
    with server_on(tmp_path / "server", disk / "data") as server:

        async def run() -> None:
            async with Agent.on(Line()) as agent:
                await load(server, agent, "before")
                fill(disk)
                await load(server, agent, "meanwhile")

        asyncio.run(run())
        server.assert_clean_stop(9.0)
    said = [line for line in server.log().splitlines() if "writes are lost" in line]
    assert len(said) == 1, server.log()


def test_a_full_disk_under_the_log_stops_nothing(disk: Path, tmp_path: Path) -> None:
    """The server starts, too, though it cannot say so; lines are written again when there is room."""
    server = server_on(disk / "server", tmp_path / "data", **{"log.level": "debug"})
    fill(disk)
    with server:

        async def run() -> None:
            async with Agent.on(Line()) as agent:
                await load(server, agent, "meanwhile")
                make_room(disk)
                size = server.process.log.stat().st_size
                server.process.popen.send_signal(signal.SIGHUP)
                await load(server, agent, "after")
                await asyncio.to_thread(wait_until, lambda: server.process.log.stat().st_size > size, 10, "lines again")

        asyncio.run(run())
        server.assert_clean_stop(5.0)


def exported(data: Path, to: Path, *options: str) -> tuple[int, str]:
    """`sipwright record export`: exit status, and what it says."""
    argv: list[str | Path] = [SIPWRIGHT, "record", "export", to, "--data-dir", data, *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("room", [0, 16 * BLOCK], ids=["full", "nearly full"])
def test_a_recording_is_saved_whole_or_not_at_all(disk: Path, tmp_path: Path, room: int) -> None:
    """What was saved before stays as it was, nothing half-written is left, and the command says what is wrong."""
    data, made = tmp_path / "data", list[str]()
    with server_on(tmp_path / "server", data, **{"record.enabled": "true"}) as server:

        async def run(name: str) -> None:
            async with Agent.on(Line()) as agent:
                made.extend(await load(server, agent, name))

        asyncio.run(run("before"))
        saved, other = disk / "saved.pcapng", disk / "other.pcapng"
        assert exported(data, saved, "--call-id", made[0])[0] == 0
        earlier = saved.read_bytes()
        fill(disk)
        if room:
            make_room(disk, room)
        for file in (saved, other):
            assert exported(data, file) == (1, f"sipwright: {file}: No space left on device")
        assert saved.read_bytes() == earlier
        assert sorted(path.name for path in disk.iterdir()) == ["ballast", "saved.pcapng"]
        asyncio.run(run("meanwhile"))
        make_room(disk)
        code, said = exported(data, saved)
        messages = [packet.data for packet in capture.read(saved).packets]
        assert (code, said) == (0, f"{len(messages)} messages in {saved}")
        for call_id in made:
            assert sum(f"Call-ID: {call_id}\r\n".encode() in data for data in messages) >= MESSAGES, call_id
        server.assert_clean_stop(5.0)


def test_a_key_that_does_not_fit_is_not_left_there(disk: Path, tmp_path: Path) -> None:
    """Who wants credentials in the file shows so by one in the data directory; no room there is said, too."""
    with server_on(tmp_path / "server", disk / "data", **{"record.enabled": "true"}) as server:

        async def run() -> None:
            async with Agent.on(Line()) as agent:
                await load(server, agent, "before")

        asyncio.run(run())
        fill(disk)
        code, said = exported(disk / "data", tmp_path / "calls.pcapng", "--unmasked")
        assert (code, "No space left on device" in said) == (1, True), said
        assert not (tmp_path / "calls.pcapng").exists()
        make_room(disk)
        assert not (disk / "data" / KEY_NAME).exists()
        assert exported(disk / "data", tmp_path / "calls.pcapng", "--unmasked")[0] == 0
        server.assert_clean_stop(9.0)
