"""Loads that need something beside the script: users in a database, a list of destinations."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
import time
from pathlib import Path

from load import loads
from load.figures import Figure
from oracle.profile import HERE, Profile
from support.databases import kamailio_sqlite
from support.digest import challenge_of, credentials
from support.peers import UdpPeer, register
from support.ports import free_port
from support.servers import Server

# As the script save_authenticated.py has it.
REALM = "sip.test"
DATABASE = "sip.db"
LIST = "dispatcher.list"
FLUSH_S = 2
LONGEST_WRITING_S = 60
USERS = 30_000


def make_users(directory: Path) -> None:
    """Users with their HA1, in a file that readers need not wait for."""
    kamailio_sqlite(directory / DATABASE, ["standard", "auth_db", "usrloc"])
    users = [(name, REALM, _md5(f"{name}:{REALM}:{name}")) for name in map(_user, range(USERS + 64))]
    with contextlib.closing(sqlite3.connect(directory / DATABASE)) as connection:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        with connection:
            connection.executemany("INSERT INTO subscriber (username, domain, ha1) VALUES (?, ?, ?)", users)


def make_list(directory: Path) -> None:
    """Two destinations on free ports."""
    (directory / LIST).write_text("".join(f"1 sip:127.0.0.1:{free_port()}\n" for _ in range(2)))


URL = f"sqlite:///{HERE}/{DATABASE}"
USERS_IN_DATABASE = Profile(
    f"""
loadmodule "db_sqlite.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
modparam("usrloc|auth_db", "db_url", "{URL}")
modparam("usrloc", "db_mode", 2)
modparam("usrloc", "timer_interval", {FLUSH_S})
modparam("auth_db", "password_column", "ha1")
modparam("auth_db", "load_credentials", "")
""",
    {
        "usrloc.db_url": URL,
        "usrloc.db_mode": 2,
        "usrloc.db_flush_s": FLUSH_S,
        "auth_db.db_url": URL,
        "auth_db.load_credentials": "",
    },
    prepare=make_users,
)
DESTINATIONS = Profile(
    f'loadmodule "dispatcher.so"\nmodparam("dispatcher", "list_file", "{HERE}/{LIST}")\n'
    'modparam("dispatcher", "flags", 2)\n',
    {"dispatcher.list_file": f"{HERE}/{LIST}", "dispatcher.flags": 2},
    prepare=make_list,
)


def authenticated_refreshes(server: Server, plan: loads.Plan) -> Figure:
    """Registrations with the credentials that phones keep for as long as their nonce is good, and the rows that they leave.

    There are so many users that none registers twice before its row is written: as with phones, each REGISTER is a row.
    """
    fields = server.directory / "authorizations"
    fields.write_text("\n".join(asyncio.run(_authorizations(server))))
    loads.closed_loop(server, plan, loads.WARM_UP_S, USERS, fields)
    _wait_for_rows(server.directory / DATABASE)
    meter = loads.Meter(server)
    result = loads.closed_loop(server, plan, plan.saturation_seconds, USERS, fields)
    _wait_for_rows(server.directory / DATABASE)
    return meter.stop(int(result["answered"]), int(result["lost"] + result["bad"]), seconds=result["seconds"])


def _wait_for_rows(database: Path) -> None:
    """Until nothing has been written for longer than the servers wait before they write."""
    deadline = time.monotonic() + LONGEST_WRITING_S
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        version, since = None, time.monotonic()
        while time.monotonic() < min(deadline, since + FLUSH_S + 2):
            now = connection.execute("PRAGMA data_version").fetchone()
            if now != version:
                version, since = now, time.monotonic()
            time.sleep(0.1)


async def _authorizations(server: Server) -> list[str]:
    host, port = server.address("udp")
    async with UdpPeer.open() as peer:
        challenge = challenge_of(await register(peer, (host, port), _user(0), "sip:nobody@127.0.0.1:9"))
    return [
        f"Authorization: {credentials(challenge, 'REGISTER', f'sip:{host}:{port}', name, name)}"
        for name in map(_user, range(USERS + 64))
    ]


def dispatched_calls(server: Server, plan: loads.Plan) -> Figure:
    """Calls that the server shares between the two destinations of its list."""
    host, port = server.address("udp")
    lines = (server.directory / LIST).read_text().splitlines()
    return loads.calls(
        server, plan, lambda _: f"sip:callee@{host}:{port}", [int(line.rpartition(":")[2]) for line in lines]
    )


def _user(number: int) -> str:
    return f"user{number}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
