"""Writes a test from the recording of a call: what each phone sent is replayed, what it received is expected."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sipwright.settings.listen import join_host_port
from sipwright.testing.capture import Address, Captured
from sipwright.testing.message import REASONS, SipMessage, normal, uri_of

# Headers that the kit writes by itself.
_OWN: Final = frozenset(
    {"via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "content-length", "route", "record-route"}
)
# A gap between packets that is worth to be played.
_GAP_S: Final = 0.4

_HEAD = '''"""Recorded in {file}: {count} call(s) by way of {servers}."""

import pytest

SCRIPT = {script}
LISTEN = {listen}


@pytest.fixture
def server(sip_server):
    return sip_server(SCRIPT, settings={{"listen": LISTEN}})
'''


def write_test(captured: list[Captured], servers: set[tuple[str, Address]], file: Path, script: Path | None) -> str:
    """The text of a test file, with one test for each call."""
    calls: dict[str, list[Captured]] = {}
    for one in captured:
        if (one.proto, one.source) in servers or (one.proto, one.target) in servers:
            calls.setdefault(one.message.call_id, []).append(one)
    listen = [f"{proto}:{join_host_port(*place)}" for proto, place in sorted(servers)]
    parts = [
        _HEAD.format(
            file=file.name,
            count=len(calls),
            servers=", ".join(listen),
            script=repr(str(script)) if script else "None",
            listen=listen,
        )
    ]
    for number, messages in enumerate(calls.values(), 1):
        first = messages[0].message
        parts.append(f"\n\ndef test_{first.method.lower()}_{number}(server):\n    {_docstring(first)}\n")
        parts += [f"    {line}\n" for line in _Writer(servers).lines(messages)]
    return "".join(parts)


def _docstring(first: SipMessage) -> str:
    text = f"{first.summary()}, Call-ID {first.call_id}"
    return '"""' + re.sub(r'[\\"\x00-\x1f]', "?", text) + '"""'


class _Writer:
    """The lines of one test."""

    def __init__(self, servers: set[tuple[str, Address]]) -> None:
        self._servers = servers
        self._lines: list[str] = []
        self._phones: dict[Address, str] = {}
        # The name of a `Call` by Call-ID, CSeq number, method and phone; of an `Incoming` by branch.
        self._calls: dict[tuple[Address, int, str], str] = {}
        self._incoming: dict[str, str] = {}
        # Of the dialog at a phone.
        self._dialogs: dict[Address, str] = {}
        self._cancelled: set[str] = set()
        self._seen: set[bytes] = set()
        self._time_s: float | None = None

    def lines(self, messages: Iterable[Captured]) -> list[str]:
        """The statements for these messages of one call."""
        for one in messages:
            if one.proto == "udp" and one.data in self._seen:
                continue
            self._seen.add(one.data)
            if (one.proto, one.target) in self._servers:
                self._wait(one.time_s)
                self._sent(one)
            else:
                self._received(one)
        return self._lines

    def _wait(self, time_s: float) -> None:
        if self._time_s is not None and time_s - self._time_s >= _GAP_S:
            self._lines.append(f"server.advance({time_s - self._time_s:.3f})")
        self._time_s = time_s

    def _phone(self, place: Address, proto: str) -> str:
        name = self._phones.get(place)
        if name is None:
            name = self._phones[place] = "caller" if not self._phones else f"peer{len(self._phones)}"
            transport = "" if proto == "udp" else f", transport={proto!r}"
            self._lines.append(f"{name} = server.peer({join_host_port(*place)!r}{transport})")
        return name

    def _sent(self, one: Captured) -> None:
        """A phone sends."""
        phone, message = self._phone(one.source, one.proto), one.message
        if not message.is_request:
            name = self._incoming.get(message.branch)
            if name is None or self._is_automatic(message):
                return
            if 100 < message.status < 300:
                self._dialogs.setdefault(one.source, name)
            self._lines.append(f"{name}.reply({self._arguments(self._code(message), message)})")
            return
        key = (one.source, message.cseq, "INVITE")
        if message.method == "ACK":
            # That of a failure the phone sends by itself.
            if key in self._calls and message.branch not in self._incoming and message.to_tag:
                self._ack(self._calls[key], message)
            return
        if message.method == "CANCEL":
            if key in self._calls:
                self._cancelled.add(self._calls[key])
                self._lines.append(f"{self._calls[key]}.cancel()")
            return
        name = f"{message.method.lower()}{len(self._calls) + 1}"
        dialog = self._dialogs.get(one.source)
        if message.to_tag and dialog is not None:
            arguments = self._arguments(repr(message.method), message)
            self._lines.append(f"{name} = {dialog}.request_within({arguments})")
        else:
            uri = uri_of(message["To"])
            words = f"{message.method!r}, {uri!r}" + (f", uri={message.uri!r}" if message.uri != uri else "")
            known = [("From", f"{message['From'].partition('>')[0]}>;tag={message.from_tag}")]
            known += [("Contact", value) for value in message.all("Contact")]
            self._lines.append(f"{name} = {phone}.request({self._arguments(words, message, known)})")
        self._calls[one.source, message.cseq, message.method] = name

    def _ack(self, call: str, message: SipMessage) -> None:
        # A branch of its own tells the ACK of a 2xx (RFC 3261 section 13.2.2.4).
        if f"{call}: 2xx" in self._cancelled:
            body = f"body={message.body!r}" if message.body else ""
            self._lines.append(f"{call}.ack({body})")

    def _received(self, one: Captured) -> None:
        """A phone receives."""
        phone, message = self._phone(one.target, one.proto), one.message
        if message.is_request:
            if message.method == "CANCEL":
                self._lines.append(f"{phone}.expect('CANCEL')")
                return
            name = f"{message.method.lower()}_at_{phone}"
            if name in self._incoming.values():
                name = f"{name}{len(self._incoming)}"
            self._incoming[message.branch] = name
            self._lines.append(f"{name} = {phone}.expect({message.method!r})")
            if not message.to_tag:
                self._lines.append(f"assert {name}.uri == {message.uri!r}")
            return
        call = self._calls.get((one.target, message.cseq, message.method))
        if call is None or message.method == "CANCEL":
            return
        self._lines.append(f"{call}.expect({message.status})")
        if message.method == "INVITE" and message.status // 100 == 2:
            self._cancelled.add(f"{call}: 2xx")
            self._dialogs.setdefault(one.target, call)

    def _is_automatic(self, message: SipMessage) -> bool:
        """Whether the phone answers by itself: a CANCEL, and the call that it ended."""
        return message.method == "CANCEL" or message.status == 487

    @staticmethod
    def _code(message: SipMessage) -> str:
        usual = REASONS.get(message.status)
        return str(message.status) if message.reason == usual else f"{message.status}, {message.reason!r}"

    @staticmethod
    def _arguments(first: str, message: SipMessage, more: Iterable[tuple[str, str]] = ()) -> str:
        headers = [*more, *((name, value) for name, value in message.headers if normal(name) not in _OWN)]
        words = [first]
        if headers:
            words.append(f"headers={headers!r}")
        if message.body:
            words.append(f"body={_text(message.body)}")
        return ", ".join(words)


def _text(body: bytes) -> str:
    try:
        return repr(body.decode())
    except UnicodeDecodeError:
        return repr(body)
