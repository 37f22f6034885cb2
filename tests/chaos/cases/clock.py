"""Somebody sets the clock of the machine an hour forward or back: calls and dialogs do not notice, the rest goes by the new time.

The server alone gets another time (`support.wallclock`); its monotonic clock is the machine's.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import SCRIPTS
from sipwright.control.client import call as control
from support import tls
from support.agents import Agent, Line
from support.certificates import Authority
from support.control import data_of
from support.dialogs import Call, rows
from support.digest import challenge_of, credentials
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer, eventually, options
from support.servers import ROOT, Kamailio, Listen, Server, Sipwright
from support.users import PASSWORD, REALM, users_database
from support.wallclock import WallClock

HOUR_S = 3600
FR_MS = 1500
# What a busy machine may add.
SLACK_S = 6.0
# Times of the server and of the test that are the same.
SAME_S = 30.0

both_ways = pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S], ids=["forward", "back"])


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def server_with(clock: WallClock, script: Path, directory: Path, *listen: str, **settings: object) -> Sipwright:
    addresses = [Listen(proto) for proto in listen or ("udp",)]
    return Sipwright(script, directory / "server", addresses, env=clock.env, settings=settings)


def wall_s(server: Server) -> float:
    """The clock that Python has in the server."""
    return time.mktime(time.strptime(control(data_of(server), "core.uptime")["now"]))


def logged_s(server: Server) -> float:
    """The clock that the engine has, by a line of the log that it is made to write."""
    count = len(server.log().splitlines())
    control(data_of(server), "app_python.reload")
    server.process.wait_output("reloaded", 30)
    last = server.log().splitlines()[count:][-1]
    return datetime.fromisoformat(last.split()[0]).timestamp()


def test_the_clock_of_the_server_is_another_one(clock: WallClock, tmp_path: Path) -> None:
    """Python and the engine have the time that is set, at once; what the other tests rely on."""
    with server_with(clock, SCRIPTS / "troubled.py", tmp_path) as server:
        for jump_s in (0, HOUR_S, -HOUR_S):
            clock.set_by(jump_s)
            for shown in (wall_s(server), logged_s(server)):
                assert abs(shown - time.time() - jump_s) < SAME_S
        server.assert_clean_stop(5.0)


@both_ways
def test_transactions_go_on(clock: WallClock, tmp_path: Path, jump_s: int) -> None:
    """Timers of a call that is under way are as long as before; the recording has the new time, and lengths that are right."""
    settings = {"timers.fr_ms": FR_MS, "record.enabled": "true"}
    with server_with(clock, SCRIPTS / "troubled.py", tmp_path, **settings) as server:
        address = server.address("udp")

        async def run() -> str:
            async with Agent.on(Line()) as agent, UdpPeer.open() as silent:
                assert (await agent.register(address, "bob", 2 * HOUR_S)).status == 200
                began = time.monotonic()
                invite = request("INVITE", "sip:silent@{}:{}".format(*silent.address), agent.address)
                waiting = asyncio.create_task(agent.final_of(invite, address))
                await silent.receive()
                clock.set_by(jump_s)
                assert (await waiting).status == 408
                assert FR_MS / 1000 - 0.1 < time.monotonic() - began < FR_MS / 1000 + SLACK_S
                uri = f"sip:bob@{address[0]}:{address[1]}"
                assert [(await agent.call(address, uri))[1] for _ in range(5)] == [[200, 200]] * 5
                return invite["Call-ID"]

        call_id = asyncio.run(run())
        entries = control(data_of(server), "record.call", [call_id])
        first, last = entries[0], entries[-1]
        assert abs(first["wall_us"] / 1e6 - time.time()) < SAME_S
        assert abs(last["wall_us"] / 1e6 - time.time() - jump_s) < SAME_S
        assert 0 < last["mono_ns"] - first["mono_ns"] < SAME_S * 1e9
        assert all(one["lasted_us"] < SAME_S * 1e6 for one in control(data_of(server), "record.calls"))
        server.assert_clean_stop(5.0)
    assert "rror" not in server.log(), server.log()


@both_ways
def test_dialogs_go_on(clock: WallClock, tmp_path: Path, jump_s: int) -> None:
    """One with half an hour left is neither ended nor given more, and one with seconds left ends when they are over."""
    settings = {"dialog.event_callback": "dialog_event", "dialog.timeout_avp": "$avp(timeout)"}
    profiles = {"dialog.profiles_with_value": "caller", "dialog.profiles_no_value": "plain"}
    with server_with(clock, SCRIPTS / "dialogs.py", tmp_path, **settings, **profiles) as server:

        async def run() -> None:
            async with UdpPeer.open() as alice, UdpPeer.open() as bob, UdpPeer.open() as carol, UdpPeer.open() as dave:
                long = Call(server.address("udp"), alice, bob, ("X-Do", "timeout=1800"))
                short = Call(server.address("udp"), carol, dave, ("X-Do", "bye timeout=3"))
                await long.establish()
                await short.establish()
                began = time.monotonic()
                clock.set_by(jump_s)
                await short.is_hung_up(3 + SLACK_S)
                assert time.monotonic() - began > 1.5
                # The timers have looked since, and left it there.
                shown = control(data_of(server), "dlg.dlg_list", [long.call_id])
                assert abs(shown["start_ts"] - time.time() - jump_s) < SAME_S
                assert abs(shown["timeout"] - shown["start_ts"] - 1800) <= 1
                assert shown["duration"] < SAME_S
                await long.end()
                await eventually(lambda: control(data_of(server), "dlg.stats_active")["all"] == 0)

        asyncio.run(run())
        server.assert_clean_stop(5.0)


def test_dialogs_and_the_database(clock: WallClock, tmp_path: Path) -> None:
    """What the tables say is by the new time, so that a restart does not end what has time left."""
    kept = {"dialog.db_mode": 1, "dialog.profiles_with_value": "caller", "dialog.profiles_no_value": "plain"}
    avp = {"dialog.timeout_avp": "$avp(timeout)", "dialog.event_callback": "dialog_event"}
    server = server_with(clock, SCRIPTS / "dialogs.py", tmp_path, **kept, **avp)

    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            call = Call(server.address("udp"), alice, bob, ("X-Do", "timeout=1800"))
            with server:
                await call.establish()
                clock.set_by(HOUR_S)
                call.alice.send(call.within("INFO", 2), call.address)
                call.bob.send((await call.at(call.bob, "INFO")).reply(200, "OK"), call.address)
                await call.alice.final(call.call_id)
                await asyncio.to_thread(server.assert_clean_stop, 6.0)
            ((until,),) = rows(server.data_dir / "sipwright.db", "select timeout from dialog")
            assert isinstance(until, int)
            assert abs(until - time.time() - HOUR_S - 1800) < SAME_S
            with server:
                shown = control(data_of(server), "dlg.dlg_list", [call.call_id])
                assert abs(shown["timeout"] - until) <= 1
                await call.end()

    asyncio.run(run())


def bindings(server: Server) -> dict[str, int]:
    """Seconds that each registered user has left."""
    found = control(data_of(server), "ul.dump")["Domains"][0]["Domain"]["AoRs"]
    users = [one["Info"] for one in found]
    return {one["AoR"].partition("@")[0]: one["Contacts"][0]["Contact"]["Expires"] for one in users}


@pytest.mark.parametrize("kind", ["sipwright", "kamailio"])
@both_ways
def test_registrations_go_by_the_wall_clock(clock: WallClock, tmp_path: Path, kind: str, jump_s: int) -> None:
    """As in Kamailio: forward, those end whose time is over by the new clock; back, they last longer, by the jump at most."""
    script, listen = SCRIPTS / "troubled.py", [Listen("udp")]
    server: Server = (
        Sipwright(script, tmp_path / kind, listen, env=clock.env, settings={"usrloc.db_mode": 1})
        if kind == "sipwright"
        else Kamailio(script, tmp_path / kind, listen, env=clock.env)
    )
    with server:
        address = server.address("udp")

        async def run() -> None:
            async with Agent.on(Line()) as agent:

                async def codes(user: str) -> list[int]:
                    return (await agent.call(address, f"sip:{user}@{address[0]}:{address[1]}"))[1]

                assert (await agent.register(address, "long", 2 * HOUR_S)).status == 200
                assert (await agent.register(address, "short", HOUR_S // 2)).status == 200
                assert await codes("long") == await codes("short") == [200, 200]
                clock.set_by(jump_s)
                # Kamailio looks at the clock now and then.
                async with asyncio.timeout(15):
                    while await codes("short") != ([404] if jump_s > 0 else [200, 200]):
                        await asyncio.sleep(0.1)
                assert await codes("long") == [200, 200]
                if kind == "sipwright" and jump_s < 0:
                    left = bindings(server)
                    assert HOUR_S < left["short"] <= HOUR_S // 2 + HOUR_S
                    assert 2 * HOUR_S < left["long"] <= 2 * HOUR_S + HOUR_S
                # Each phone puts its own right with the next REGISTER.
                for user in ("long", "short", "new"):
                    assert (await agent.register(address, user, 600)).status == 200
                    assert await codes(user) == [200, 200]
                if kind == "sipwright":
                    assert all(500 < seconds <= 600 for seconds in bindings(server).values())

        asyncio.run(run())
        server.assert_clean_stop(5.0)


def test_nonces_become_stale(clock: WallClock, tmp_path: Path) -> None:
    """A phone with credentials for an old nonce is told so, needs no user to type a password, and is in with the next request."""
    settings = {"auth_db.db_url": users_database(tmp_path), "aliases": REALM}
    with server_with(clock, ROOT / "examples" / "authentication.py", tmp_path, **settings) as server:

        async def run() -> None:
            async with UdpPeer.open() as peer:
                challenge = challenge_of(await registered(peer, server, {}))
                assert (await registered(peer, server, challenge)).status == 200
                for jump_s in (HOUR_S, -HOUR_S):
                    clock.set_by(jump_s)
                    again = await registered(peer, server, challenge, 2)
                    assert again.status == 401
                    challenge = challenge_of(again)
                    assert challenge["stale"] == "true"
                    assert (await registered(peer, server, challenge)).status == 200
                wrong = await registered(peer, server, challenge, 3, "wrong")
                assert (wrong.status, challenge_of(wrong).get("stale")) == (401, None)

        asyncio.run(run())
        server.assert_clean_stop(5.0)


async def registered(
    peer: UdpPeer, server: Server, challenge: dict[str, str], nc: int = 1, password: str = PASSWORD
) -> Sip:
    """The answer to a REGISTER of alice's, with the credentials that a challenge asks for."""
    uri, aor = f"sip:{REALM}", f"sip:alice@{REALM}"
    digest = credentials(challenge, "REGISTER", uri, "alice", password, nc) if challenge else ""
    extra = (("Authorization", digest),) if digest else ()
    contact = "sip:alice@{}:{}".format(*peer.address)
    sent = request("REGISTER", uri, peer.address, from_uri=aor, to_uri=aor, contact=contact, extra=extra)
    return await peer.ask(sent, server.address("udp"), 20)


def test_certificates_go_by_the_wall_clock(clock: WallClock, tmp_path: Path) -> None:
    """One that is not valid yet, or any more, by the new time is refused; connections that are there stay."""
    authority = Authority(tmp_path / "authority")
    now, half_an_hour = datetime.now(UTC).replace(microsecond=0), timedelta(minutes=30)
    own = authority.issue()
    # For eleven days, of which half an hour is left, or has passed.
    phones = {
        HOUR_S: authority.issue("old", days=10, since=now + half_an_hour - timedelta(days=11)),
        -HOUR_S: authority.issue("new", days=10, since=now - half_an_hour),
    }
    names = {"tls.certificate": own.chain, "tls.private_key": own.key, "tls.ca_list": authority.file}
    settings = {**names, "tls.verify_client": "require"}
    with server_with(clock, SCRIPTS / "troubled.py", tmp_path, "tls", **settings) as server:
        address = server.address("tls")

        async def is_served(jump_s: int) -> bool:
            context = tls.context(authority.file, phones[jump_s])
            try:
                async with StreamPeer.open(address, context) as peer:
                    return (await peer.ask(options(peer, address, "tls"), 20)).status == 200
            except (OSError, EOFError):
                return False

        async def run() -> None:
            async with StreamPeer.open(address, tls.context(authority.file, phones[HOUR_S])) as before:
                for jump_s in phones:
                    clock.set_by(jump_s)
                    assert {one: await is_served(one) for one in phones} == {jump_s: False, -jump_s: True}
                    assert (await before.ask(options(before, address, "tls"), 20)).status == 200
                clock.set_by(0)
                assert [await is_served(one) for one in phones] == [True, True]

        asyncio.run(run())
        server.assert_clean_stop(5.0)
