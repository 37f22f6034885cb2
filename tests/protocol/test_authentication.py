"""What an attacker learns from answers: not which users there are."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from pathlib import Path

import pytest

from conftest import Start
from sipwright.control.client import call
from sipwright.control.server import SOCKET_NAME
from sipwright.settings.database import DatabaseSettings
from sipwright.storage.database import Database
from sipwright.storage.urls import read_url
from support.digest import challenge_of, credentials
from support.messages import Sip, request
from support.peers import UdpPeer
from support.process import wait_until
from support.servers import Server, Sipwright

URI = "sip:127.0.0.1"
ROUNDS = 150


def start_with_users(start: Start, tmp_path: Path, examples: Path, **settings: object) -> Sipwright:
    url = f"sqlite://{tmp_path / 'users.db'}"
    database = Database(read_url(url), tmp_path, DatabaseSettings())
    database.create_tables(["subscriber"])
    for number in range(200):
        name = f"user{number}"
        database.write("insert", "subscriber", {"username": name, "domain": "127.0.0.1", "ha1": "0" * 32})
    assert database.flush(5)
    database.close()
    server = start(examples / "authentication.py", settings={"auth_db.db_url": url, **settings}, counted=False)
    assert isinstance(server, Sipwright)
    wait_until((server.data_dir / SOCKET_NAME).exists, 10, "the control socket")
    return server


def registration(peer: UdpPeer, user: str, *headers: tuple[str, str]) -> Sip:
    sent = request("REGISTER", URI, peer.address)
    kept = [(name, value) for name, value in sent.headers if name not in ("From", "To")]
    who = [("From", f"<sip:{user}@127.0.0.1>;tag=1"), ("To", f"<sip:{user}@127.0.0.1>")]
    return Sip(sent.first_line, (*kept, *who, *headers))


async def guess(peer: UdpPeer, server: Server, challenge: dict[str, str], user: str) -> tuple[Sip, float]:
    value = credentials(challenge, "REGISTER", URI, user, "a guess")
    sent = registration(peer, user, ("Authorization", value))
    begin = time.perf_counter()
    answer = await peer.ask(sent, server.address("udp"))
    return answer, time.perf_counter() - begin


def shape(answer: Sip, user: str) -> str:
    text = answer.encode().decode().replace(user, "USER")
    return re.sub(r'nonce="[^"]*"|branch=[^;\s]*|tag=[^;\s]*|Call-ID: .*|:\d{5}\b', "", text)


def test_unknown_users_are_answered_like_wrong_passwords(start: Start, tmp_path: Path, examples: Path) -> None:
    server = start_with_users(start, tmp_path, examples)

    async def play() -> tuple[list[float], list[float], set[str]]:
        known: list[float] = []
        unknown: list[float] = []
        shapes: set[str] = set()
        async with UdpPeer.open() as peer:
            answer = await peer.ask(registration(peer, "x"), server.address("udp"))
            challenge = challenge_of(answer)
            for number in range(ROUNDS):
                # In turn, so that a machine that is busy for a while is so for both.
                for times, user in ((known, f"user{number}"), (unknown, f"none{number}")):
                    answer, seconds = await guess(peer, server, challenge, user)
                    times.append(seconds)
                    shapes.add(shape(answer, user))
        return known, unknown, shapes

    before = call(server.data_dir, "core.stats")["db_queries"]
    known, unknown, shapes = asyncio.run(play())
    assert len(shapes) == 1, shapes
    # Each guess asks the database once, whoever it is for.
    assert call(server.data_dir, "core.stats")["db_queries"] - before == 2 * ROUNDS
    # A look-up or a hash that one kind lacked would be a third of the time; medians of this many differ by some percent.
    ratio = statistics.median(unknown) / statistics.median(known)
    assert 0.8 < ratio < 1.25, f"{ratio:.2f}"


def test_a_nonce_that_nobody_made_asks_no_database(start: Start, tmp_path: Path, examples: Path) -> None:
    server = start_with_users(start, tmp_path, examples)

    async def play() -> None:
        async with UdpPeer.open() as peer:
            challenge = challenge_of(await peer.ask(registration(peer, "x"), server.address("udp")))
            forged = {**challenge, "nonce": challenge["nonce"][:-4] + "AAA="}
            for _ in range(20):
                answer, _ = await guess(peer, server, forged, "user1")
                assert answer.status == 401
                assert "stale" not in answer["WWW-Authenticate"]

    before = call(server.data_dir, "core.stats")["db_queries"]
    asyncio.run(play())
    assert call(server.data_dir, "core.stats")["db_queries"] == before


def test_without_its_database_nobody_is_authenticated(start: Start, tmp_path: Path, examples: Path) -> None:
    """And nobody else waits: the script goes on, with -1."""
    place = tmp_path / "place"
    place.mkdir()
    server = start_with_users(start, place, examples)
    place.rename(tmp_path / "gone")
    for leftover in (tmp_path / "gone").glob("users.db*"):
        leftover.unlink()

    async def play() -> None:
        async with UdpPeer.open() as peer:
            challenge = challenge_of(await peer.ask(registration(peer, "x"), server.address("udp")))
            for number in range(30):
                answer, seconds = await guess(peer, server, challenge, f"user{number}")
                assert answer.status == 401
                assert seconds < 2

    asyncio.run(play())


def test_a_table_of_another_version_keeps_the_server_from_starting(
    start: Start, tmp_path: Path, examples: Path
) -> None:
    url = f"sqlite://{tmp_path / 'old.db'}"
    database = Database(read_url(url), tmp_path, DatabaseSettings())
    database.create_tables(["subscriber"])
    database.sql("UPDATE version SET table_version = 6 WHERE table_name = 'subscriber'")
    database.close()
    with pytest.raises(RuntimeError, match="table 'subscriber' has version 6, this needs 7") as raised:
        start(examples / "authentication.py", settings={"auth_db.db_url": url}, counted=False)
    assert "Traceback" not in str(raised.value)
