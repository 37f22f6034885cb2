"""The servers that share something: who they are, and which of them are there.

Each writes a line about itself every few seconds. A line that changes no more belongs to a server that is gone; no clock
of another machine is needed for that. While Redis does not answer all stay as they were last.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sipwright import log

BEAT_S: Final = 2.0
GONE_AFTER_S: Final = 10.0
# A line about a server that nobody has seen for so long is removed.
FORGOTTEN_AFTER_S: Final = 86_400.0


@dataclass(slots=True)
class Node:
    """Another server: its number, what it says of itself, and whether it is there."""

    number: int
    uri: str = ""
    sockets: tuple[str, ...] = ()
    rules: str = ""
    is_alive: bool = True
    beat: str = ""
    seen_at: float = 0.0


@dataclass
class Nodes:
    """All of them, this one with the number `own` included; `uri` is where others send requests for its clients."""

    module: str
    own: int
    uri: str = ""
    sockets: tuple[str, ...] = ()
    rules: str = ""
    others: dict[int, Node] = field(default_factory=dict)
    # Whether another server has a socket of the same name, so that a socket does not tell whose a binding is.
    has_twin: bool = False
    _instance: str = field(default_factory=lambda: uuid.uuid4().hex)
    _beat: int = 0
    _told: set[str] = field(default_factory=set)

    def line(self) -> str:
        """What this server says of itself now."""
        self._beat += 1
        line = {"beat": f"{self._instance} {self._beat}", "uri": self.uri, "sockets": self.sockets, "rules": self.rules}
        return json.dumps(line)

    def learn(self, lines: Mapping[bytes, bytes], now: float) -> list[bytes]:
        """Takes the lines of all servers at the time `now` of a clock that never goes back; numbers of those that may be
        removed.
        """
        found: dict[int, Node] = {}
        for name, text in lines.items():
            line = _read(text)
            if line is None or not name.isdigit():
                continue
            if int(name) == self.own:
                self._check_own(line)
                continue
            known = self.others.get(int(name))
            node = Node(int(name), str(line.get("uri", "")), tuple(line.get("sockets", ())), str(line.get("rules", "")))
            node.beat = str(line.get("beat", ""))
            is_new = known is None or known.beat != node.beat
            node.seen_at = now if is_new or known is None else known.seen_at
            node.is_alive = now - node.seen_at < GONE_AFTER_S
            self._tell(known, node)
            found[node.number] = node
        for number in self.others.keys() - found.keys():
            log.notice(f"{self.module}: server {number} has left")
        self.others = found
        self.has_twin = any(not set(self.sockets).isdisjoint(node.sockets) for node in found.values())
        gone = [node for node in found.values() if now - node.seen_at > FORGOTTEN_AFTER_S]
        return [str(node.number).encode() for node in gone]

    def is_elsewhere(self, number: int) -> bool:
        """Whether what has that `server_id` belongs to another server."""
        return number not in (0, self.own)

    def alive(self, number: int) -> Node | None:
        """Another server, if it is there."""
        node = self.others.get(number)
        return node if node is not None and node.is_alive else None

    def is_responsible(self, number: int) -> bool:
        """Whether this server does what only one may do about what has that `server_id`: its owner, and when that is not
        there the one with the lowest number that is.
        """
        if not self.is_elsewhere(number):
            return True
        if self.alive(number) is not None:
            return False
        return all(node.number > self.own for node in self.others.values() if node.is_alive)

    def _check_own(self, line: dict[str, Any]) -> None:
        instance = str(line.get("beat", "")).partition(" ")[0]
        if instance and instance != self._instance and self._beat > 1:
            self._once(f"{self.module}: another server has the server_id {self.own} too; each needs one of its own")

    def _tell(self, known: Node | None, node: Node) -> None:
        if known is None or known.is_alive != node.is_alive:
            word = "is there" if node.is_alive else "is gone"
            log.notice(f"{self.module}: server {node.number} {word}")
        if node.rules != self.rules:
            self._once(
                f"{self.module}: server {node.number} has other settings ({node.rules}) than this one ({self.rules}); "
                "what is shared means different things to them"
            )

    def _once(self, text: str) -> None:
        if text not in self._told and len(self._told) < 100:
            self._told.add(text)
            log.error(text)


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
