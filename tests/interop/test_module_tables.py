"""Tables of rtpengine's instances and of registrations elsewhere: one SQLite file as Kamailio's scripts make it, read by both."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from conftest import SCRIPTS
from support.databases import kamailio_sqlite
from support.media import ControlPeer, rtpengine_peer
from support.messages import Sip
from support.peers import UdpPeer
from support.process import wait_until
from support.servers import Kamailio, Listen, SipwrightByCfg
from support.tools import tool

CONFIG = """
loadmodule "ctl.so"
loadmodule "db_sqlite.so"
loadmodule "rtpengine.so"
loadmodule "uac.so"
modparam("ctl", "binrpc", "unixs:{directory}/ctl")
modparam("rtpengine", "db_url", "{url}")
modparam("rtpengine", "table_name", "rtpengine")
modparam("uac", "reg_db_url", "{url}")
modparam("uac", "reg_contact_addr", "192.0.2.1:5060")
modparam("uac", "reg_timer_interval", 1)
modparam("uac", "reg_gc_interval", 1)
"""
INSTANCE = "insert into rtpengine (setid, url, weight, disabled) values (?, ?, ?, ?)"
ACCOUNT = (
    "insert into uacreg (l_uuid, l_username, l_domain, r_username, r_domain, realm, auth_username, auth_password, auth_proxy,"
    " expires, flags, reg_delay) values (?, ?, 'here.test', ?, ?, 'far.test', ?, 'pw', ?, 60, 0, 0)"
)
KINDS: dict[str, type[Kamailio]] = {"kamailio": Kamailio, "sipwright": SipwrightByCfg}
Make = Callable[[str], Kamailio]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return kamailio_sqlite(tmp_path / "sip.db")


@pytest.fixture
def make(tmp_path: Path, url: str) -> Iterator[Make]:
    with contextlib.ExitStack() as stack:

        def one(kind: str) -> Kamailio:
            directory = tmp_path / kind
            config = CONFIG.format(directory=directory, url=url)
            server = KINDS[kind](SCRIPTS / "answer.py", directory, (Listen("udp"),), workers=1, extra_config=config)
            stack.enter_context(server)
            wait_until(lambda: kamcmd(server, "core.printi 2") == "2\n", 20, "kamcmd is answered")
            return server

        yield one


def kamcmd(server: Kamailio, command: str) -> str:
    argv = [tool("kamcmd"), "-s", f"unixs:{server.directory / 'ctl'}", *command.split()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def write(url: str, statement: str, *rows: tuple[object, ...]) -> None:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"), timeout=5)) as database, database:
        database.executemany(statement, rows)


def instances(text: str) -> list[dict[str, str]]:
    """What `rtpengine.show` says, without the seconds until an instance is asked again."""
    found = [dict(re.findall(r"(\w+): (\S+)", part)) for part in text.split("}")]
    return [{name: value for name, value in one.items() if name != "recheck_ticks"} for one in found if one]


def test_instances_of_rtpengine(make: Make, url: str) -> None:
    peers: list[ControlPeer] = [rtpengine_peer(lambda _: None) for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for peer in peers:
            stack.enter_context(peer.running())
        first, second, third = (peer.url for peer in peers)
        write(url, INSTANCE, (0, first, 1, 0), (7, second, 5, 1))
        servers = [make(kind) for kind in KINDS]
        shown = [instances(kamcmd(server, "rtpengine.show all")) for server in servers]
        assert shown[0] == shown[1]
        assert [(one["url"], one["set"], one["weight"]) for one in shown[0]] == [(first, "0", "1"), (second, "7", "5")]
        write(url, INSTANCE, (7, third, 2, 0))
        write(url, "update rtpengine set disabled = 0, weight = 9 where url = ?", (second,))
        write(url, "delete from rtpengine where url = ?", (first,))
        for server in servers:
            wait_until(partial(reloaded, server, {(second, "9"), (third, "2")}), 15, f"{server.name} reads it again")


def reloaded(server: Kamailio, expected: set[tuple[str, str]]) -> bool:
    """Has the table read again, which Kamailio puts off now and then; whether these instances, with weights, are in use."""
    kamcmd(server, "rtpengine.reload")
    shown = instances(kamcmd(server, "rtpengine.show all"))
    return {(one["url"], one["weight"]) for one in shown if one["disabled"].startswith("0")} == expected


def plain(message: Sip) -> list[str]:
    """First line and header fields, without what a server makes up."""
    text = message.encode().decode()
    for pattern, shown in (
        (r"branch=[^;\r\n]+", "branch"),
        (r"tag=[^;\r\n]+", "tag"),
        (r"Call-ID: .*", "Call-ID"),
        (r"(Via: SIP/2.0/UDP 127.0.0.1):\d+", r"\1"),
        (r"User-Agent: .*", "User-Agent"),
        (r"CSeq: \d+", "CSeq"),
    ):
        text = re.sub(pattern, shown, text)
    return sorted(text.split("\r\n"))


def test_registrations_elsewhere(make: Make, url: str) -> None:
    """Both register what the table says, and what has come into it when it is read again."""

    async def story(kind: str) -> tuple[list[list[str]], str]:
        async with UdpPeer.open() as far:
            write(url, "delete from uacreg where l_uuid like ?", ("%",))
            place = f"{far.address[0]}:{far.address[1]}"
            write(url, ACCOUNT, ("u1", "bob", "robert", place, "robert", f"sip:{place}"))
            server = await asyncio.to_thread(make, kind)
            seen = [await registered(far)]
            write(url, ACCOUNT, ("u2", "carol", "caroline", place, "caroline", f"sip:{place}"))
            async with asyncio.timeout(10):
                while "u2" not in await asyncio.to_thread(kamcmd, server, "uac.reg_dump"):
                    await asyncio.to_thread(kamcmd, server, "uac.reg_reload")
                    await asyncio.sleep(0.3)
            users = set()
            while "caroline" not in users:
                message = await registered(far)
                users.add(message["To"].partition(":")[2].partition("@")[0])
            seen.append(message)
            shown = await asyncio.to_thread(kamcmd, server, "uac.reg_info l_uuid u2")
            texts = [[line.replace(place, "far") for line in plain(one)] for one in seen]
            return texts, shown.replace(place, "far")

    (theirs, shown), (ours, shown_here) = (asyncio.run(story(kind)) for kind in KINDS)
    assert ours == theirs
    assert [name for name, _ in names(shown_here)] == [name for name, _ in names(shown)], (shown_here, shown)


async def registered(far: UdpPeer) -> Sip:
    message, source = await far.receive(10)
    assert message.method == "REGISTER"
    far.send(message.reply(200, "OK", "far", (("Contact", f"{message['Contact']};expires=60"),)), source)
    return message


def names(shown: str) -> list[tuple[str, str]]:
    """Names and those values that are no times and no secrets."""
    pairs = re.findall(r"(\w+): ?(.*)", shown)
    changing = ("diff_expires", "timer_expires", "auth_password", "auth_ha1", "flags", "reg_init")
    return [(name, "" if name in changing else value) for name, value in pairs]
