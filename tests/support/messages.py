"""Requests written and messages read by hand: tests must not use the parser they test."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import Self

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "k": "supported"}

_numbers = itertools.count(1)


def unique(prefix: str = "") -> str:
    """A token that no other test uses."""
    return f"{prefix}{next(_numbers)}-{uuid.uuid4().hex[:12]}"


def bracketed(host: str) -> str:
    """The host as it stands in a URI or a Via: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True)
class Sip:
    """A SIP message: the first line, headers in their order, body."""

    first_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        headers: list[tuple[str, str]] = []
        for line in lines:
            if line[:1] in " \t" and headers:
                name, value = headers.pop()
                headers.append((name, f"{value} {line.strip()}"))
            else:
                name, _, value = line.partition(":")
                headers.append((name.strip(), value.strip()))
        return cls(first, tuple(headers), body)

    def encode(self) -> bytes:
        lines = [self.first_line, *(f"{name}: {value}" for name, value in self.headers)]
        if self.get("Content-Length") is None:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body

    def all(self, name: str) -> list[str]:
        """Values of every header of that name."""
        wanted = name.lower()
        return [value for key, value in self.headers if COMPACT.get(key.lower(), key.lower()) == wanted]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        assert value is not None, f"no {name} in {self.first_line}: {self.headers}"
        return value

    @property
    def status(self) -> int | None:
        """The code of a response; None for a request."""
        return int(self.first_line.split(" ")[1]) if self.first_line.startswith("SIP/2.0 ") else None

    @property
    def method(self) -> str:
        """The method, of a response that of its CSeq."""
        return self["CSeq"].split()[1] if self.status is not None else self.first_line.split(" ")[0]

    @property
    def uri(self) -> str:
        return self.first_line.split(" ")[1]

    def reply(self, code: int, reason: str, to_tag: str = "", extra: tuple[tuple[str, str], ...] = ()) -> Sip:
        """The response that a user agent gives to this request (RFC 3261 section 8.2.6)."""
        copied = [("Via", via) for via in self.all("Via")]
        if code > 100:
            copied += [("Record-Route", route) for route in self.all("Record-Route")]
        to = self["To"] + (f";tag={to_tag}" if to_tag and "tag=" not in self["To"] else "")
        copied += [("From", self["From"]), ("To", to), ("Call-ID", self["Call-ID"]), ("CSeq", self["CSeq"])]
        return Sip(f"SIP/2.0 {code} {reason}", (*copied, *extra))


def request(
    method: str,
    uri: str,
    local: tuple[str, int],
    *,
    proto: str = "UDP",
    from_uri: str = "sip:tester@test.invalid",
    to_uri: str | None = None,
    call_id: str | None = None,
    cseq: int = 1,
    contact: str | None = None,
    extra: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Sip:
    """A request outside a dialog as a user agent at `local` sends it."""
    host = bracketed(local[0])
    headers = [
        ("Via", f"SIP/2.0/{proto.upper()} {host}:{local[1]};branch=z9hG4bK{unique('b')}"),
        ("Max-Forwards", "70"),
        ("From", f"<{from_uri}>;tag={unique('f')}"),
        ("To", f"<{to_uri or uri}>"),
        ("Call-ID", call_id or unique("call")),
        ("CSeq", f"{cseq} {method}"),
    ]
    if contact:
        headers.append(("Contact", f"<{contact}>"))
    return Sip(f"{method} {uri} SIP/2.0", (*headers, *extra), body)
