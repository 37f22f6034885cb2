"""SDP bodies as lines and media, and their edits (RFC 8866). Every edit gives a new text; what it leaves is unchanged."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sipwright.decimal import decimal

_MAX_PORT: Final = 65_535
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)?")
_CODEC_LINE: Final = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\S+)")
_RTPMAP: Final = re.compile(r"a=rtpmap:(\d+)\s+([^/\s]+)")
# Of a session version, a time in 64 bits (RFC 8866 section 5.2).
_MAX_VERSION: Final = 2**64 - 1
# Static payload types (RFC 3551) that need no rtpmap.
_STATIC: Final = {
    "0": "PCMU",
    "3": "GSM",
    "4": "G723",
    "5": "DVI4",
    "6": "DVI4",
    "7": "LPC",
    "8": "PCMA",
    "9": "G722",
    "10": "L16",
    "11": "L16",
    "12": "QCELP",
    "13": "CN",
    "14": "MPA",
    "15": "G728",
    "16": "DVI4",
    "17": "DVI4",
    "18": "G729",
    "25": "CelB",
    "26": "JPEG",
    "28": "nv",
    "31": "H261",
    "32": "MPV",
    "33": "MP2T",
    "34": "H263",
}


@dataclass(slots=True)
class Media:
    """One media description: its `m=` line and the lines behind it, each with its line end."""

    lines: list[str]
    words: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.words = self.lines[0].strip()[2:].split()

    @property
    def kind(self) -> str:
        """`audio`, `video`, ..."""
        return self.words[0] if self.words else ""

    @property
    def port(self) -> int:
        """Its port; 0 when it is refused, or is no port."""
        return (decimal(self.words[1].partition("/")[0], _MAX_PORT) or 0) if len(self.words) > 1 else 0

    @property
    def transport(self) -> str:
        """`RTP/AVP` and its kin."""
        return self.words[2] if len(self.words) > 2 else ""

    @property
    def payloads(self) -> list[str]:
        """Payload types, or formats, as the `m=` line has them."""
        return self.words[3:]

    @property
    def is_active(self) -> bool:
        """Whether media flows: a port, and not `inactive`."""
        return self.port != 0 and not any(line.strip() == "a=inactive" for line in self.lines)

    def value(self, prefix: str) -> str | None:
        """What follows the prefix in the first line that begins with it."""
        return _value(self.lines, prefix)

    def names(self) -> dict[str, str]:
        """Codec names by payload type."""
        found = {payload: _STATIC[payload] for payload in self.payloads if payload in _STATIC}
        for line in self.lines:
            if match := _RTPMAP.match(line):
                found[match[1]] = match[2]
        return found

    def keep(self, payloads: Iterable[str]) -> None:
        """Leaves only these payload types, with the lines about them."""
        kept = set(payloads)
        gone = set(self.payloads) - kept
        if not gone:
            return
        first = self.lines[0]
        end = first[len(first.rstrip("\r\n")) :]
        self.words = self.words[:3] + [payload for payload in self.payloads if payload in kept]
        self.lines[0] = f"m={' '.join(self.words)}{end}"
        self.lines = [line for line in self.lines if not ((match := _CODEC_LINE.match(line)) and match[1] in gone)]


@dataclass(slots=True)
class Sdp:
    """A body: the lines of the session, and its media."""

    session: list[str]
    media: list[Media]

    @classmethod
    def parse(cls, text: str) -> "Sdp | None":
        """Reads a body; None for what does not begin with `v=`."""
        if not text.startswith("v="):
            return None
        session: list[str] = []
        media: list[list[str]] = []
        for line in _LINE.findall(text):
            if line.startswith("m="):
                media.append([line])
            elif line:
                (media[-1] if media else session).append(line)
        return cls(session, [Media(lines) for lines in media])

    def __str__(self) -> str:
        return "".join(self.session) + "".join("".join(one.lines) for one in self.media)

    def lines(self) -> list[str]:
        """All lines, without their ends."""
        return [line.rstrip("\r\n") for line in str(self).splitlines(keepends=True)]

    def of_kind(self, kind: str) -> list[Media]:
        """The media of a kind, in any case; of all kinds when it is empty."""
        return [one for one in self.media if not kind or one.kind.lower() == kind.lower()]

    def keep_payloads(self, kind: str, test: Callable[[Media, str], bool]) -> None:
        """Leaves the payload types that `test(media, payload)` is true for."""
        for one in self.of_kind(kind):
            one.keep([payload for payload in one.payloads if test(one, payload)])

    def remove_lines(self, prefix: str, kind: str) -> int:
        """Removes the lines that begin so, of the media of a kind or of the whole body; how many."""
        places = (
            [one.lines for one in self.of_kind(kind)] if kind else [self.session, *(one.lines for one in self.media)]
        )
        count = 0
        for lines in places:
            kept = [line for line in lines if not line.startswith(prefix)]
            count += len(lines) - len(kept)
            lines[:] = kept
        return count

    def remove_media(self, kind: str) -> int:
        """Removes the media descriptions of a kind; how many."""
        kept = [one for one in self.media if one.kind.lower() != kind.lower()]
        count = len(self.media) - len(kept)
        self.media = kept
        return count


def attribute(sdp: Sdp, key: str) -> str | int | None:
    """The value of `$sdp(key)`; None for what the body does not have."""
    match key.split(":"):
        case ["body"] | ["raw"]:
            return str(sdp)
        case ["sess_version"]:
            version = _origin(sdp)
            return decimal(version[2], _MAX_VERSION) if len(version) > 2 else None
        case ["o", "ip"]:
            origin = _origin(sdp)
            return origin[5] if len(origin) > 5 else None
        case ["c", part]:
            return _connection(sdp, part)
        case [media, *rest] if media[:1] == "m":
            index = decimal(media[1:], len(sdp.media) - 1)
            return None if index is None else _of_media(sdp.media[index], rest)
    return None


def with_version(sdp: Sdp, version: int) -> bool:
    """Sets the version of the session in the `o=` line, or with -1 adds one to it; False without such a line."""
    words = _origin(sdp)
    old = decimal(words[2], _MAX_VERSION) if len(words) > 2 else None
    if old is None or version < -1:
        return False
    words[2] = str(old + 1 if version == -1 else version)
    for number, line in enumerate(sdp.session):
        if line.startswith("o="):
            end = line[len(line.rstrip("\r\n")) :]
            sdp.session[number] = f"o={' '.join(words)}{end}"
    return True


def _origin(sdp: Sdp) -> list[str]:
    return (_value(sdp.session, "o=") or "").split()


def _connection(sdp: Sdp, part: str) -> str | None:
    places = [one.lines for one in sdp.media[:1]] + [sdp.session]
    line = next((value for lines in places if (value := _value(lines, "c="))), "")
    words = line.split()
    if len(words) < 3:
        return None
    return {"ip": words[2].partition("/")[0], "af": words[1]}.get(part)


def _of_media(media: Media, key: list[str]) -> str | int | None:
    match key:
        case ["raw"]:
            return "".join(media.lines)
        case ["rtp", "port"]:
            return media.port
        case ["rtcp", "port"]:
            port = decimal((media.value("a=rtcp:") or "").split(" ")[0], _MAX_PORT)
            return media.port + 1 if port is None else port
        case ["b", kind]:
            return media.value(f"b={kind}:")
    return None


def _value(lines: Iterable[str], prefix: str) -> str | None:
    found = next((line for line in lines if line.startswith(prefix)), None)
    return None if found is None else found[len(prefix) :].strip()


def listed(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def has_name(names: Iterable[str]) -> Callable[[Media, str], bool]:
    """A test of payloads by the names of their codecs, in any case."""
    wanted = {name.lower() for name in names}
    return lambda media, payload: media.names().get(payload, "").lower() in wanted
