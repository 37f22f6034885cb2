"""A call between two peers through a server that follows dialogs, message by message; and a server that runs scripts/dialogs.py."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

from support.messages import Sip, request
from support.peers import UdpPeer

Address = tuple[str, int]


class Call:
    """Alice calls Bob through the server at `address`."""

    def __init__(self, address: Address, alice: UdpPeer, bob: UdpPeer, *extra: tuple[str, str]) -> None:
        self.address, self.alice, self.bob = address, alice, bob
        self.uri = "sip:bob@{}:{}".format(*bob.address)
        self.contact = ("Contact", "<sip:alice@{}:{}>".format(*alice.address))
        self.invite = request("INVITE", self.uri, alice.address, extra=(self.contact, *extra))
        self.got: Sip
        self.answer: Sip

    @property
    def call_id(self) -> str:
        return self.invite["Call-ID"]

    @property
    def tags(self) -> tuple[str, str]:
        """Those of the caller and the callee."""
        caller, callee = (value.partition("tag=")[2] for value in (self.invite["From"], self.answer["To"]))
        return caller, callee

    async def ring(self) -> None:
        self.alice.send(self.invite, self.address)
        self.got = await self.at(self.bob, "INVITE")
        self.reply(180, "Ringing")

    def reply(self, code: int, reason: str, tag: str = "b", *extra: tuple[str, str]) -> None:
        self.bob.send(self.got.reply(code, reason, tag, (("Contact", f"<{self.uri}>"), *extra)), self.address)

    async def establish(self) -> None:
        await self.ring()
        self.reply(200, "OK")
        self.answer = await self.alice.final(self.call_id)
        self.alice.send(self.within("ACK", 1), self.address)
        await self.at(self.bob, "ACK")

    def within(self, method: str, cseq: int, *extra: tuple[str, str]) -> Sip:
        """A request of Alice's within the dialog."""
        route = tuple(("Route", value) for value in reversed(self.answer.all("Record-Route")))
        sent = request(method, self.uri, self.alice.address, call_id=self.call_id, cseq=cseq, extra=(*route, *extra))
        tags = {"From": self.invite["From"], "To": self.answer["To"]}
        return replace(sent, headers=tuple((name, tags.get(name, value)) for name, value in sent.headers))

    async def end(self) -> None:
        """Alice hangs up."""
        sent = self.within("BYE", 2)
        for wait_s in (0.5, 1.0, 2.0, 4.0):
            self.alice.send(sent, self.address)
            # As every client over UDP: what is lost is sent again (RFC 3261 section 17.1.2.2).
            with contextlib.suppress(TimeoutError):
                bye = await self.at(self.bob, "BYE", wait_s)
                break
        else:
            raise TimeoutError("no BYE")
        self.bob.send(bye.reply(200, "OK"), self.address)
        await self.alice.final(self.call_id)

    async def at(self, peer: UdpPeer, method: str, timeout_s: float = 5.0) -> Sip:
        """The next request of that method."""
        while True:
            message, _ = await peer.receive(timeout_s)
            if message.status is None and message.method == method:
                return message

    async def is_hung_up(self, timeout_s: float = 5.0) -> tuple[Sip, Sip]:
        """The server sends BYE to both; each answers."""
        found = []
        for peer in (self.alice, self.bob):
            bye = await self.at(peer, "BYE", timeout_s)
            peer.send(bye.reply(200, "OK"), self.address)
            found.append(bye)
        return found[0], found[1]


def events(directory: Path, call_id: str) -> list[str]:
    """What scripts/dialogs.py has said of a call."""
    path = directory / "events"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == call_id]


def rows(file: Path, query: str = "select callid, state from dialog order by id") -> list[tuple[object, ...]]:
    """Rows of an SQLite file; none while there is no such table."""
    if not file.exists():
        return []
    with contextlib.closing(sqlite3.connect(file, timeout=5)) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []
