"""Runs a candidate script on copies of a server's messages, and compares what it would send with what the server sent."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sipwright.record.entry import Entry
from sipwright.script.errors import failure_text
from sipwright.shadow.compare import Exchange, exchanges
from sipwright.testing.capture import Captured
from sipwright.testing.message import SipMessage
from sipwright.testing.replay import Player, Replayed

if TYPE_CHECKING:
    from sipwright.shadow.outside import Guard, Results
    from sipwright.testing.capture import Address
    from sipwright.testing.server import VirtualServer

# A call is compared when nothing has come of it for so long: longer than a phone takes to send something again.
QUIET_S: Final = 5.0
# Requests that nobody answers are compared after this time.
LONGEST_S: Final = 240.0
LOOK_S: Final = 1.0
# Calls that wait for that; the oldest is compared at once when there are more.
MOST_CALLS: Final = 10_000


@dataclass(slots=True)
class _Pending:
    """A call whose messages still come: the requests that the server received of it, and when the last message was."""

    last_s: float
    received: list[tuple[float, SipMessage]] = field(default_factory=list)


class Shadow:
    """Feeds a candidate's server with what a running server received. `server` has the addresses of `servers`.

    `compared` counts requests, `different` those that were decided otherwise, `partial` messages of calls whose
    beginning was not seen, `raised` exceptions of the candidate.
    """

    def __init__(
        self, server: "VirtualServer", servers: "set[tuple[str, Address]]", guard: "Guard", results: "Results"
    ) -> None:
        self.compared = 0
        self.different = 0
        self.partial = 0
        self.raised = 0
        self._errors: list[str] = []
        self._server = server
        self._servers = servers
        self._guard = guard
        self._results = results
        self._player = Player(server, servers)
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._now_s = 0.0
        self._next_look_s = 0.0

    def feed(self, entries: "Iterable[Entry | Captured]") -> Iterator[Exchange]:
        """Takes the next messages of the server; what differs of calls that are over."""
        for entry in entries:
            captured = self._captured(entry) if isinstance(entry, Entry) else entry
            if captured is not None:
                self._play(captured)
            yield from self._over()

    def new_errors(self) -> list[str]:
        """Exceptions of the candidate since the last time."""
        new, self._errors = self._errors, []
        return new

    def finish(self) -> Iterator[Exchange]:
        """What differs of all other calls."""
        while self._pending:
            yield from self._compare(next(iter(self._pending)))

    def _captured(self, entry: Entry) -> Captured | None:
        if not entry.is_message:
            self._results.note(entry)
            return None
        try:
            message = SipMessage.parse(entry.data)
            message.call_id  # noqa: B018
        except (ValueError, KeyError):
            return None
        return Captured(entry.wall_us / 1e6, entry.proto, entry.source, entry.target, entry.data, message)

    def _play(self, one: Captured) -> None:
        self._now_s = max(self._now_s, one.time_s)
        call_id = one.message.call_id
        is_ours = (one.proto, one.source) in self._servers
        pending = self._pending.get(call_id)
        if pending is None:
            if is_ours or not one.message.is_request:
                # The server's own request, or a call that began before.
                self.partial += 1
                return
            pending = self._pending[call_id] = _Pending(one.time_s)
        pending.last_s = one.time_s
        self._pending.move_to_end(call_id)
        if not is_ours and one.message.is_request:
            pending.received.append((one.time_s, one.message))
        with self._guard.watching():
            self._player.play(one)
        self._take_errors()

    def _take_errors(self) -> None:
        for error in self._server.routes_seen.errors:
            self.raised += 1
            self._errors.append(failure_text(error))
        self._server.routes_seen.errors.clear()
        self._player.forget_packets()

    def _over(self) -> Iterator[Exchange]:
        if self._now_s < self._next_look_s and len(self._pending) <= MOST_CALLS:
            return
        self._next_look_s = self._now_s + LOOK_S
        for call_id, pending in list(self._pending.items()):
            quiet_s = self._now_s - pending.last_s
            if quiet_s < QUIET_S and len(self._pending) <= MOST_CALLS:
                return
            if len(self._pending) > MOST_CALLS or quiet_s > LONGEST_S or self._is_settled(call_id, pending):
                yield from self._compare(call_id)

    def _is_settled(self, call_id: str, pending: _Pending) -> bool:
        """Whether the server has answered all requests of a call; those that ring may ring for minutes."""
        call = self._player.calls.get(call_id)
        finals = (
            {(m.cseq, m.method) for m in (one.message for one in call.recorded) if m.status >= 200} if call else set()
        )
        return all(m.method == "ACK" or (m.cseq, m.method) in finals for _, m in pending.received)

    def _compare(self, call_id: str) -> Iterator[Exchange]:
        pending = self._pending.pop(call_id)
        call = self._player.calls.get(call_id) or Replayed(call_id)
        for exchange in exchanges(call, pending.received):
            self.compared += 1
            if exchange.differences():
                self.different += 1
                yield exchange
        self._player.forget(call_id)
