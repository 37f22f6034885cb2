"""SIP messages as phones of the test kit write and read them.

They are read here and not by the engine's parser, so that a test does not take the word of what it tests. Only what
phones need is understood: the first line, the headers in their order, and the body.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

# Compact forms of header names (RFC 3261 section 7.3.3).
_COMPACT: Final = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "k": "supported",
    "c": "content-type",
    "e": "content-encoding",
    "s": "subject",
    "o": "event",
    "u": "allow-events",
    "r": "refer-to",
    "b": "referred-by",
    "x": "session-expires",
}
# Headers that may hold several values in one line, separated by commas.
_LISTS: Final = frozenset({"via", "route", "record-route", "contact", "path", "service-route", "supported", "require"})
REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    415: "Unsupported Media Type",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
Headers = Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str]]

_numbers = itertools.count(1)


def token(prefix: str) -> str:
    """A token that no other message of this process has."""
    return f"{prefix}{next(_numbers)}"


def normal(name: str) -> str:
    """The name of a header in lower case, a compact form written out."""
    lower = name.lower()
    return _COMPACT.get(lower, lower)


def header_lines(headers: Headers | None) -> tuple[tuple[str, str], ...]:
    """Headers as they are given to the kit, a mapping or pairs, as pairs."""
    if headers is None:
        return ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines: list[tuple[str, str]] = []
    for name, value in pairs:
        values = [value] if isinstance(value, str) else list(value)
        lines += [(name, one) for one in values]
    return tuple(lines)


def to_bytes(body: bytes | str) -> bytes:
    """A body as bytes."""
    return body.encode() if isinstance(body, str) else body


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A message: its first line, its headers as they stand, its body."""

    first_line: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads a message; ValueError for bytes that are none."""
        head, blank, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        if not blank or not (first.startswith("SIP/2.0 ") or first.endswith(" SIP/2.0")):
            raise ValueError(f"no SIP message: {data[:60]!r}")
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
        """The message as bytes; Content-Length is added if it has none."""
        lines = [self.first_line, *(f"{name}: {value}" for name, value in self.headers)]
        if "Content-Length" not in self:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __getitem__(self, name: str) -> str:
        """The value of the first header of that name; KeyError if there is none."""
        value = self.get(name)
        if value is None:
            raise KeyError(f"{self.first_line} has no {name}")
        return value

    def get(self, name: str) -> str | None:
        """The value of the first header of that name, or None."""
        wanted = normal(name)
        return next((value for key, value in self.headers if normal(key) == wanted), None)

    def all(self, name: str) -> list[str]:
        """The values of every header of that name; lists in one line, as of Via and Route, are taken apart."""
        wanted = normal(name)
        values = [value for key, value in self.headers if normal(key) == wanted]
        return [one for value in values for one in split_list(value)] if wanted in _LISTS else values

    def with_headers(self, headers: Headers | None) -> Self:
        """The message with these headers in the place of those of their names; an empty value takes one away."""
        lines = header_lines(headers)
        given = {normal(name) for name, _ in lines}
        kept = tuple((name, value) for name, value in self.headers if normal(name) not in given)
        return replace(self, headers=kept + tuple((name, value) for name, value in lines if value))

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return not self.first_line.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        """The code of a response; 0 for a request."""
        return 0 if self.is_request else int(self.first_line.split(" ")[1])

    @property
    def reason(self) -> str:
        """The reason phrase of a response; empty for a request."""
        return "" if self.is_request else ([*self.first_line.split(" ", 2), ""])[2]

    @property
    def method(self) -> str:
        """The method; of a response that of its CSeq."""
        return self.first_line.split(" ")[0] if self.is_request else self["CSeq"].split()[-1]

    @property
    def uri(self) -> str:
        """The Request-URI; empty for a response."""
        return self.first_line.split(" ")[1] if self.is_request else ""

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self["Call-ID"]

    @property
    def cseq(self) -> int:
        """The number of the CSeq."""
        return int(self["CSeq"].split()[0])

    @property
    def branch(self) -> str:
        """The branch parameter of the top Via."""
        return parameter(self.all("Via")[0], "branch") or ""

    @property
    def from_tag(self) -> str:
        """The tag of From."""
        return parameter(self["From"], "tag") or ""

    @property
    def to_tag(self) -> str:
        """The tag of To; empty where there is none yet."""
        return parameter(self["To"], "tag") or ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "surrogateescape")

    def summary(self) -> str:
        """What a ladder says of it."""
        return f"{self.method} {self.uri}" if self.is_request else f"{self.status} {self.reason} ({self.method})"

    def __str__(self) -> str:
        return self.encode().decode("utf-8", "replace").replace("\r\n", "\n")


def split_list(value: str) -> list[str]:
    """The values of a header that separates them by commas; those in quotes and in `<>` do not count."""
    parts = re.findall(r'(?:[^,"<]|"(?:\\.|[^"\\])*"|<[^>]*>)+', value)
    return [part.strip() for part in parts if part.strip()]


def uri_of(value: str) -> str:
    """The URI of a Contact, From, To, Route or Record-Route value."""
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";")[0].strip()


def parameter(value: str, name: str) -> str | None:
    """A parameter of a header value, after the `>` where there is one; None if it has none, empty if it has no value."""
    rest = value.rpartition(">")[2] if ">" in value else value.partition(";")[1] + value.partition(";")[2]
    found = re.search(rf";\s*{re.escape(name)}\s*(?:=\s*(\"[^\"]*\"|[^;\s,]*))?\s*(?=;|$)", rest, re.IGNORECASE)
    return None if found is None else (found[1] or "").strip('"')
