"""Recorded traffic through a script: what the server would send now, beside what it sent then.

The server under test has the addresses of the recorded one, and gets what that one received, at the same times. What
servers make up (branches, tags) differs each time, so in what arrives those of then are replaced by those of now.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipwright.settings.listen import join_host_port
from sipwright.testing.capture import Address, Captured
from sipwright.testing.message import SipMessage

if TYPE_CHECKING:
    from sipwright.testing.network import Packet
    from sipwright.testing.server import VirtualServer

# After the last packet so much time passes, that transactions come to their end.
_AFTER_S = 40.0


class ReplayError(Exception):
    """Traffic that cannot be replayed; the text says why."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that the server sent: `target` is where to."""

    target: Address
    message: SipMessage

    @property
    def line(self) -> str:
        """One line for a comparison."""
        return f"to {join_host_port(*self.target)}: {self.message.summary()}"


@dataclass(slots=True)
class Replayed:
    """What came of one call: `recorded` and `sent` in order, and what could not be brought to the server and why."""

    call_id: str
    recorded: list[Outgoing] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Whether the server sent what it sent then; there is nothing to compare with if it sent nothing then."""
        return not self.left_out and (not self.recorded or self.lines(self.recorded) == self.lines(self.sent))

    @staticmethod
    def lines(messages: Iterable[Outgoing]) -> list[str]:
        """One line for each message."""
        return [one.line for one in messages]

    def differences(self) -> list[str]:
        """What was sent then (-) and now (+), and what could not be replayed (!)."""
        compared = difflib.ndiff(self.lines(self.recorded), self.lines(self.sent))
        return [line.rstrip() for line in compared if not line.startswith("?")] + [
            f"! {text}" for text in self.left_out
        ]


def find_servers(captured: Iterable[Captured]) -> list[tuple[str, Address]]:
    """The recorded server's addresses as `(protocol, address)`: those that both received and sent requests of one call.

    Where none did, that which received most requests. Raises ReplayError.
    """
    received: dict[str, set[tuple[str, Address]]] = {}
    sent: dict[str, set[tuple[str, Address]]] = {}
    count: Counter[tuple[str, Address]] = Counter()
    for one in captured:
        if one.message.is_request:
            received.setdefault(one.message.call_id, set()).add((one.proto, one.target))
            sent.setdefault(one.message.call_id, set()).add((one.proto, one.source))
            # Requests in a dialog go both ways between phones, too.
            if not one.message.to_tag:
                count[one.proto, one.target] += 1
    between = {
        place
        for call_id, places in received.items()
        for place in places & sent[call_id]
        if count[place] and len(places | sent[call_id]) > 2
    }
    if between:
        return sorted(between)
    if not count:
        raise ReplayError("there is no request in the capture")
    return [count.most_common(1)[0][0]]


def replay(
    captured: list[Captured], start: Callable[[], "VirtualServer"], servers: set[tuple[str, Address]]
) -> list[Replayed]:
    """Brings everything that the servers received to the one that `start` makes; what came of each call."""
    with start() as server:
        player = Player(server, servers)
        for one in captured:
            player.play(one)
        server.advance(_AFTER_S)
        player.take()
    return list(player.calls.values())


class Player:
    """Brings recorded messages to a server, one after the other; `calls` has what came of each call until it is forgotten."""

    def __init__(self, server: "VirtualServer", servers: set[tuple[str, Address]]) -> None:
        self.calls: dict[str, Replayed] = {}
        self._server = server
        self._servers = servers
        self._begin: float | None = None
        self._taken = 0
        # What servers made up then, and now, by call.
        self._names: dict[str, dict[bytes, bytes]] = {}
        # The top Via of now, by call and the branch of then.
        self._vias: dict[str, dict[str, str]] = {}

    def play(self, one: Captured) -> None:
        """Notes what the server sent then; brings what it received."""
        if self._begin is None:
            self._begin = one.time_s
        call = self._call(one.message)
        if (one.proto, one.source) in self._servers:
            self.take()
            if one.data not in {recorded.message.encode() for recorded in call.recorded} or one.proto != "udp":
                call.recorded.append(Outgoing(one.target, one.message))
            self._match(call)
        if (one.proto, one.target) in self._servers:
            gap = one.time_s - self._begin - self._server.now_s
            if gap > 0:
                self._server.advance(gap)
            self.take()
            self._match(call)
            self._bring(call, one)
            self.take()
            self._match(call)

    def take(self) -> None:
        """Notes what the server has sent since."""
        new, self._taken = self._server.packets[self._taken :], len(self._server.packets)
        for packet in new:
            if packet.is_outgoing and packet.message is not None and not packet.is_repeated:
                self._call(packet.message).sent.append(Outgoing(_place(packet), packet.message))

    def forget(self, call_id: str) -> None:
        """Drops what is known of a call."""
        for known in (self.calls, self._names, self._vias):
            known.pop(call_id, None)

    def forget_packets(self) -> None:
        """Drops what was sent and received, for what runs without an end."""
        self._server.forget()
        self._taken = 0

    def _call(self, message: SipMessage) -> Replayed:
        return self.calls.setdefault(message.call_id, Replayed(message.call_id))

    def _bring(self, call: Replayed, one: Captured) -> None:
        phone = self._server.peer(join_host_port(*one.source), transport=one.proto)
        phone.is_automatic = False
        data = one.data
        for then, now in self._names.get(call.call_id, {}).items():
            data = data.replace(then, now)
        if not one.message.is_request:
            via = self._vias.get(call.call_id, {}).get(one.message.branch)
            if via is None:
                call.left_out.append(
                    f"{one.message.summary()} from {phone.name}: it answers a request that was not sent now"
                )
                return
            message = SipMessage.parse(data)
            top = message.all("Via")
            lines = [*(("Via", value) for value in (via, *top[1:]))]
            rest = [(name, value) for name, value in message.headers if name.lower() not in ("via", "v")]
            data = SipMessage(message.first_line, (*lines, *rest), message.body).encode()
        phone.send(data)

    def _match(self, call: Replayed) -> None:
        """Finds what was sent now for what was sent then, in the order of each kind and target, for the names made up."""
        names = self._names.setdefault(call.call_id, {})
        waiting: dict[tuple[object, ...], list[Outgoing]] = {}
        for now in call.sent:
            waiting.setdefault(_kind(now), []).append(now)
        for then in call.recorded:
            found = waiting.get(_kind(then))
            if not found:
                continue
            now = found.pop(0)
            if then.message.is_request:
                self._vias.setdefault(call.call_id, {})[then.message.branch] = now.message.all("Via")[0]
            if then.message.to_tag != now.message.to_tag and then.message.to_tag and now.message.to_tag:
                names[f"tag={then.message.to_tag}".encode()] = f"tag={now.message.to_tag}".encode()


def _kind(one: Outgoing) -> tuple[object, ...]:
    message = one.message
    return one.target, message.method, message.cseq, message.status


def _place(packet: "Packet") -> Address:
    return packet.phone.address
