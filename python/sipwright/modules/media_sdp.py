"""Session descriptions in bodies (RFC 8866): where they are, and their media."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

SDP_TYPE: Final = "application/sdp"
_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where its text after `x=` begins and ends in the description."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(slots=True)
class Media:
    """One m= line with the lines below it."""

    line: Line
    lines: list[Line] = field(default_factory=list)

    @property
    def port(self) -> str:
        """Port as written, with the number of ports: `4000` or `4000/2`."""
        return self.words[1] if len(self.words) > 1 else ""

    @property
    def words(self) -> list[str]:
        """The words of the m= line."""
        return self.line.text.split(" ")

    def first(self, kind: str, prefix: str = "") -> Line | None:
        """The first line of that kind that begins with the prefix."""
        return first(self.lines, kind, prefix)


@dataclass(slots=True)
class Description:
    """A session description, cut into lines."""

    session: list[Line] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)


def first(lines: list[Line], kind: str, prefix: str = "") -> Line | None:
    """The first line of that kind that begins with the prefix."""
    return next((line for line in lines if line.kind == kind and line.text.startswith(prefix)), None)


def locate(body: bytes, content_type: str | None) -> tuple[int, int] | None:
    """Where the description is in a body: all of it, or a part of a multipart body (RFC 2046); None without one."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if not body or not kind:
        return None
    if kind == SDP_TYPE:
        return 0, len(body)
    if not kind.startswith("multipart/"):
        return None
    boundary = _BOUNDARY.search(content_type or "")
    if boundary is None:
        return None
    for start, end in _parts(body, (boundary[1] or boundary[2]).encode()):
        head, blank, _ = body[start:end].partition(b"\r\n\r\n")
        if blank and _part_type(head) == SDP_TYPE:
            return start + len(head) + len(blank), end
    return None


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each part, without the line break that belongs to the delimiter after it."""
    delimiter = b"--" + boundary
    at = body.find(delimiter)
    while at >= 0:
        start = body.find(b"\r\n", at)
        following = body.find(b"\r\n" + delimiter, max(start, 0))
        if start < 0 or following < 0 or body.startswith(b"--", at + len(delimiter)):
            return
        yield start + 2, following
        at = following + 2


def _part_type(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-type", b"c"):
            return value.partition(b";")[0].strip().lower().decode("ascii", "replace")
    return ""


def parse(sdp: bytes) -> Description:
    """Cuts a description into lines; what is no line of SDP is left out."""
    found = Description()
    for match in _LINE.finditer(sdp):
        raw = match[0].rstrip(b"\r\n")
        if len(raw) < 2 or raw[1:2] != b"=":
            continue
        text = raw[2:].decode("utf-8", "surrogateescape")
        line = Line(chr(raw[0]), match.start() + 2, match.start() + len(raw), text)
        if line.kind == "m":
            found.media.append(Media(line))
        elif found.media:
            found.media[-1].lines.append(line)
        else:
            found.session.append(line)
    return found


def edited(sdp: bytes, edits: list[tuple[int, int, str]]) -> bytes:
    """The description with each `(start, end, text)` replaced; the edits must not overlap."""
    out, at = b"", 0
    for start, end, text in sorted(edits):
        out += sdp[at:start] + text.encode("utf-8", "surrogateescape")
        at = end
    return out + sdp[at:]
