"""What two scripts decided about the same requests: replies, destinations, branches and edits of headers.

What servers make up is left out of the comparison: branches of their Vias, tags, nonces. Times of expiry may differ by
as much as the clocks of the two.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sipwright.settings.listen import join_host_port
from sipwright.testing.message import SipMessage, normal
from sipwright.testing.replay import Outgoing, Replayed

# Made up, or of no decision: the body has a comparison of its own.
_IGNORED: Final = frozenset({"date", "content-length", "timestamp"})
_NONCE: Final = re.compile(r'\b(nonce|opaque)="[^"]*"')
_EXPIRES: Final = re.compile(r"(;\s*expires=|^)(\d+)(?=;|$|,|\s)", re.IGNORECASE)
_TAG: Final = re.compile(r";\s*tag=[^;\s,>]*", re.IGNORECASE)
_BRANCH: Final = re.compile(r";\s*branch=[^;\s,]*", re.IGNORECASE)
_EXPIRY_S: Final = 2
_TRYING: Final = 100
# Headers with times that run.
_TIMES: Final = frozenset({"contact", "expires"})


@dataclass(slots=True)
class Exchange:
    """A request that the server received, and what was sent because of it: `live` by the server, `shadow` by the candidate."""

    call_id: str
    method: str
    cseq: int
    uri: str
    time_s: float
    live: list[Outgoing] = field(default_factory=list)
    shadow: list[Outgoing] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def differences(self) -> list[str]:
        """A line for each decision that is another one: `- ` the server's, `+ ` the candidate's, `~ ` an edit of one."""
        left, lines = list(self.shadow), []
        for ours in self.live:
            theirs = next((one for one in left if _kind(one) == _kind(ours)), None)
            if theirs is None:
                lines.append(f"- {decision(ours)}")
                continue
            left.remove(theirs)
            lines += [f"~ {decision(ours)}: {text}" for text in edits(ours.message, theirs.message)]
        return [*lines, *(f"+ {decision(one)}" for one in left), *(f"! {text}" for text in self.left_out)]


def decision(one: Outgoing) -> str:
    """`reply 404 Not Found to 192.0.2.9:5060`, `send INVITE sip:bob@192.0.2.7 to 192.0.2.7:5060`."""
    message, target = one.message, join_host_port(*one.target)
    what = f"send {message.method} {message.uri}" if message.is_request else f"reply {message.status} {message.reason}"
    return f"{what} to {target}"


def _kind(one: Outgoing) -> tuple[object, ...]:
    message = one.message
    return one.target, message.method, message.cseq, message.status, message.uri


def exchanges(call: Replayed, received: Iterable[tuple[float, SipMessage]]) -> list[Exchange]:
    """The requests of a call that were received, each with what either side sent; 100 Trying is nobody's decision."""
    found: dict[tuple[int, str], Exchange] = {}
    for time_s, message in received:
        key = message.cseq, message.method
        found.setdefault(key, Exchange(call.call_id, message.method, message.cseq, message.uri, time_s))
    for messages, name in ((call.recorded, "live"), (call.sent, "shadow")):
        for one in messages:
            exchange = found.get((one.message.cseq, one.message.method)) or _of_ours(found, one.message)
            if exchange is not None and one.message.status != _TRYING:
                getattr(exchange, name).append(one)
    return list(found.values())


def _of_ours(found: dict[tuple[int, str], Exchange], message: SipMessage) -> Exchange | None:
    """The INVITE that a CANCEL or ACK of the server's own belongs to."""
    return found.get((message.cseq, "INVITE")) if message.method in ("CANCEL", "ACK") else None


def edits(live: SipMessage, shadow: SipMessage) -> list[str]:
    """What differs between two messages of one kind: headers by name, and the body."""
    before, after = _headers(live), _headers(shadow)
    lines = []
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name, []), after.get(name, [])
        if not _same(name, was, now):
            lines.append(f"{name}: {_listed(was)} -> {_listed(now)}")
    if live.reason != shadow.reason:
        lines.append(f"reason: {live.reason} -> {shadow.reason}")
    if live.body != shadow.body:
        lines.append(f"body: {_first_difference(live.text, shadow.text)}")
    return lines


def _headers(message: SipMessage) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(normal(name) for name, _ in message.headers):
        if name not in _IGNORED:
            found[name] = list(_values(message, name))
    return found


def _values(message: SipMessage, name: str) -> Iterator[str]:
    for index, value in enumerate(message.all(name)):
        if name == "via" and index == 0 and message.is_request:
            # Ours; in responses all of them are the peer's.
            value = _BRANCH.sub("", value)
        elif name == "to" and not message.is_request:
            value = _TAG.sub("", value)
        elif name in ("www-authenticate", "proxy-authenticate"):
            value = _NONCE.sub(r'\1="*"', value)
        yield value


def _same(name: str, was: list[str], now: list[str]) -> bool:
    if was == now:
        return True
    if name not in _TIMES or len(was) != len(now):
        return False
    return all(_same_but_for_time(one, other) for one, other in zip(was, now, strict=True))


def _same_but_for_time(one: str, other: str) -> bool:
    times = [[int(found[2]) for found in _EXPIRES.finditer(value)] for value in (one, other)]
    if len(times[0]) != len(times[1]) or _EXPIRES.sub(r"\1*", one) != _EXPIRES.sub(r"\1*", other):
        return False
    return all(abs(a - b) <= _EXPIRY_S for a, b in zip(*times, strict=True))


def _listed(values: list[str]) -> str:
    return " | ".join(values) if values else "none"


def _first_difference(was: str, now: str) -> str:
    pairs = zip([*was.splitlines(), "(end)"], [*now.splitlines(), "(end)"], strict=False)
    return next((f"{a} -> {b}" for a, b in pairs if a != b), f"{len(was)} -> {len(now)} bytes")
