"""What one server sent and noted during a scenario, in a form that two servers can be compared in.

Free to differ are the values a server invents: branches, tags, Call-IDs, ports, dates. Each is replaced by a name
that counts within the messages to one peer, so that what must be equal (an ACK's branch and its INVITE's) stays equal.
Everything else must be the same, byte for byte.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from oracle.scenario import Event, Net
from support.messages import Sip

SCRIPT = "script"
REMARKS = "scenario"
OWN_BRANCH = "z9hG4bK-"


@dataclass(frozen=True)
class Transcript:
    """Sections of text blocks: the messages each peer was sent, the script's notes, the scenario's remarks."""

    sections: dict[str, tuple[str, ...]]
    ladder: tuple[str, ...]

    def routes(self) -> set[str]:
        """The routes that ran in the server."""
        return {re.split("[ :]", note)[0] for note in self.sections[SCRIPT] if not note.startswith(" ")}

    def raised(self) -> bool:
        """Whether a route raised an exception."""
        return any(note.startswith("  raised ") for note in self.sections[SCRIPT])


def transcript(net: Net, notes: Iterable[str]) -> Transcript:
    """The normalised transcript of one run."""
    names = Names(net)
    sections = {}
    for peer in net.peers:
        local = names.of_peer()
        sections[peer] = tuple(
            local.message(event.data) for event in net.events if event.peer == peer and event.arrived
        )
    sections[SCRIPT] = tuple(names.of_peer().text(note) for note in notes)
    sections[REMARKS] = tuple(names.of_peer().text(remark) for remark in net.remarks)
    return Transcript(sections, tuple(ladder(net.events)))


def ladder(events: list[Event]) -> Iterable[str]:
    """Who sent what, when, in milliseconds from the first message on."""
    for event in events:
        message = Sip.parse(event.data)
        what = message.first_line if message.status is None else f"{message.first_line} ({message.get('CSeq')})"
        arrow = "<--" if event.arrived else "-->"
        yield f"{(event.at - events[0].at) * 1000:6.0f} ms  {event.peer:>6} {arrow} server  {what}"


class Names:
    """Names for addresses, the same in the whole scenario."""

    def __init__(self, net: Net) -> None:
        self._addresses = [("server", net.server[1]), ("server's TCP", net.server_tcp[1])]
        self._addresses += [port for peer in net.peers.values() for port in peer.ports.items()]
        sent = b"\n".join(event.data for event in net.events if not event.arrived).decode("utf-8", "surrogateescape")
        # Tags and branches of peers begin with these.
        self._chosen = (OWN_BRANCH, *net.peers)
        self._call_ids = set(re.findall(r"(?im)^(?:call-id|i)\s*:\s*(\S+)", sent))

    def of_peer(self) -> Local:
        return Local(self._addresses, self._chosen, self._call_ids)


class Local:
    """Names for what a server invented, counted within one section."""

    def __init__(self, addresses: list[tuple[str, int]], chosen: tuple[str, ...], call_ids: set[str]) -> None:
        self._addresses, self._chosen, self._call_ids = addresses, chosen, call_ids
        self._names: dict[tuple[str, str], str] = {}

    def message(self, data: bytes) -> str:
        text = self.text(data.decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
        head, blank, body = text.partition("\n\n")
        size = len(data.partition(b"\r\n\r\n")[2])
        head = re.sub(r"(?m)^([\w-]+):[ \t]+", r"\1: ", head)
        head = re.sub(rf"(?im)^Content-Length: {size}$", "Content-Length: <fits>", head)
        # Kamailio puts what a script inserts above its own Via; between different names that has no meaning
        # (RFC 3261 section 7.3.1).
        head = re.sub(r"\A(.*\n)((?:(?!Via:).*\n)+)(Via: .*\n)", r"\1\3\2", head)
        return head + blank + body

    def text(self, text: str) -> str:
        for name, port in self._addresses:
            text = re.sub(rf"127\.0\.0\.1:{port}\b", f"<{name}>", text)
            text = re.sub(rf"(?<![\w.]){port}\b", f"<{name} port>", text)
        # Answers to digest challenges begin with a number of the client's own.
        text = re.sub(r'\b(cnonce|response)="[0-9a-f]+"', r'\1="<\1>"', text)
        # The number of the connection that a Via of Kamailio's names.
        text = re.sub(r"(branch=[^;,>\s]+);i=[0-9a-f]+", r"\1", text)
        text = re.sub(r"\buloc-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+(?:-[0-9a-f]+)?", self._record, text)
        # Tokens of flows, the user part of our own addresses (RFC 5626 section 5.2).
        text = re.sub(r"\bsip:([\w+/=-]{31,44})@(?=<server)", self._token, text)
        text = re.sub(r"\bexpires=(\d+)", self._expiry, text)
        text = re.sub(r"\b(branch|tag|did)=([^;,>\s]+)", lambda found: self._invented(found), text)
        # What a server makes up for its challenges, and what is computed from that.
        text = re.sub(r'\b(nonce|nextnonce|rspauth|response)="[^"]+"', r'\1="<\1>"', text)
        text = re.sub(r"(?im)^(call-id): (\S+)", self._call_id, text)
        return re.sub(r"(?im)^Date: .*$", "Date: <date>", text)

    def _record(self, found: re.Match[str]) -> str:
        """Record ids of bindings, also as the user of a temporary GRUU."""
        return f"<{self._name('record', '-'.join(found.group().split('-')[:4]))}>"

    def _token(self, found: re.Match[str]) -> str:
        return f"sip:<{self._name('flow', found[1])}>@"

    @staticmethod
    def _expiry(found: re.Match[str]) -> str:
        """The next round number: what is left of a binding is a second or two less in one run than in the other."""
        seconds = int(found[1])
        return f"expires={seconds + -seconds % 10 if seconds % 10 > 6 else seconds}"

    def _invented(self, found: re.Match[str]) -> str:
        kind, value = found.groups()
        if value.startswith(self._chosen):
            return found.group()
        return f"{kind}=<{self._name(kind, value)}>"

    def _call_id(self, found: re.Match[str]) -> str:
        header, value = found.groups()
        return found.group() if value in self._call_ids else f"{header}: <{self._name('call', value)}>"

    def _name(self, kind: str, value: str) -> str:
        number = sum(1 for known, _ in self._names if known == kind) + 1
        return self._names.setdefault((kind, value), f"{kind} {number}")


def differences(kamailio: Transcript, sipwright: Transcript) -> list[str]:
    """A unified diff for each section that differs."""
    found = []
    for section in kamailio.sections:
        ours, theirs = sipwright.sections.get(section, ()), kamailio.sections[section]
        if ours != theirs:
            a, b = ([line for block in blocks for line in (*block.split("\n"), "~")] for blocks in (theirs, ours))
            title = f"to {section}" if section not in (SCRIPT, REMARKS) else f"noted by the {section}"
            diff = difflib.unified_diff(a, b, f"Kamailio, {title}", f"Sipwright, {title}", n=30, lineterm="")
            found.append("\n".join(diff))
    return found


def side_by_side(kamailio: Transcript, sipwright: Transcript) -> str:
    """Both ladders, Kamailio's first."""
    parts = []
    for name, one in (("Kamailio", kamailio), ("Sipwright", sipwright)):
        parts += [f"{name}:", *(f"  {line}" for line in one.ladder)]
        parts += [f"  script: {line}" for line in one.sections[SCRIPT]]
        parts += [f"  {line}" for line in one.sections[REMARKS]]
    return "\n".join(parts)
