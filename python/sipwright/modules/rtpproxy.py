"""The control protocol of RTPProxy: commands, answers, and the description that comes of them (Kamailio's module rtpproxy).

Nothing here knows sockets or scripts: what a call is comes as a `Call`, commands leave through a function.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sipwright.modules import media_sdp as session
from sipwright.modules.media_sdp import Description, Line, Media

# Versions of the protocol that are asked for: the base, several media, repacketizing, payload types.
BASE_VERSION: Final = "20040107"
PAYLOAD_TYPES: Final = "20081102"
FEATURES: Final = ("20050322", "20071116", PAYLOAD_TYPES)
_PORT: Final = re.compile("[0-9]{1,5}")
# As long a number as a command may have.
_MAX_DIGITS: Final = 4
_PLAIN_OPTIONS: Final = {"i": "I", "e": "E", "w": "S"}
_SUFFIXES: Final = "123b"


class Refused(Exception):
    """A command cannot be made, or the proxy refused it. `code` is what the KSR function gives."""

    def __init__(self, why: str, code: int = -1) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What commands say of the message in work."""

    call_id: str
    from_tag: str
    to_tag: str
    source: str
    is_request: bool
    # Branch parameters of the Via header fields, the topmost first, and the value of `extra_id_pv`.
    branches: list[str] = field(default_factory=list)
    extra_id: str = ""


@dataclass(slots=True)
class Flags:
    """The flags of `rtpproxy_offer` and its kin, read."""

    options: str = ""
    suffix: str = ""
    trusts_address: bool = False
    changes_session: bool = False
    is_forced: bool = False
    swaps_family: bool = False
    only_known: bool = False


def read_flags(text: str) -> Flags:
    """Reads `rtpproxy_offer`'s flags. Raises Refused for one that is unknown."""
    flags = Flags()
    at = 0
    while at < len(text):
        letter = text[at]
        at += 1
        if letter == "z":
            digits = text[at : at + len(text[at:]) - len(text[at:].lstrip("0123456789"))]
            at += len(digits)
            flags.options += "Z" + digits[:_MAX_DIGITS]
        else:
            _read_flag(flags, letter)
    return flags


def _read_flag(flags: Flags, letter: str) -> None:
    match letter:
        case "a":
            flags.options += "A"
            flags.trusts_address = True
        case "r":
            flags.trusts_address = True
        case "f":
            flags.is_forced = True
        case "l":
            flags.only_known = True
        case "c":
            flags.changes_session = True
        case "x":
            flags.swaps_family = True
        # The origin is always changed.
        case "o" | " ":
            pass
        case _ if letter in _PLAIN_OPTIONS:
            flags.options += _PLAIN_OPTIONS[letter]
        case _ if letter in _SUFFIXES:
            flags.suffix = letter
        case _:
            raise Refused(f"unknown flag {letter!r}")


def identity(call: Call, suffix: str) -> str:
    """The Call-ID for the proxy, with the branch that the flags 1, 2, 3 or b ask for. Raises Refused without one."""
    if not suffix:
        return call.call_id
    if suffix == "b":
        return f"{call.call_id};{call.extra_id}" if call.extra_id else call.call_id
    index = {"1": 0, "2": 1, "3": 0 if call.is_request else 1}[suffix]
    branch = call.branches[index] if index < len(call.branches) else ""
    if not branch:
        raise Refused("no Via with the branch that the flag asks for")
    return f"{call.call_id};{branch}"


def destroy(call: Call, flags: str = "") -> str:
    """The command that ends a session."""
    suffix = "".join(letter for letter in flags if letter in _SUFFIXES)[-1:]
    return _joined("D", identity(call, suffix), call.from_tag, call.to_tag)


def record(call: Call) -> str:
    """The command that records a session."""
    return _joined("R", call.call_id, call.from_tag, call.to_tag)


def query(call: Call) -> str:
    """The command that asks for statistics."""
    return _joined("Q", call.call_id, f"{call.from_tag};1", call.to_tag)


def stream(call: Call, to_caller: bool, prompt: str, count: int) -> str:
    """The command that plays a prompt. Raises Refused when the side has no tag yet."""
    first, second = _sides(call, to_caller)
    return f"P{count} {call.call_id} {prompt} session {first} {second}"


def stop_stream(call: Call, to_caller: bool) -> str:
    """The command that ends a prompt. Raises Refused when the side has no tag yet."""
    first, second = _sides(call, to_caller)
    return f"S {call.call_id} {first} {second}"


def _sides(call: Call, to_caller: bool) -> tuple[str, str]:
    caller, callee = f"{call.from_tag};1", f"{call.to_tag};1" if call.to_tag else ""
    if to_caller:
        return caller, callee
    if not callee:
        raise Refused("no To tag")
    return callee, caller


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


@dataclass(slots=True)
class Exchange:
    """An offer or an answer: the commands for its media, and the description that their answers make."""

    call: Call
    flags: Flags
    is_offer: bool
    # Address to write instead of the proxy's; empty for none.
    address: str = ""
    # Where the proxy tells of sessions that time out; offers name it.
    timeout_socket: str = ""
    # Written below the description, and what makes one be left alone.
    mark: str = "a=nortpproxy:yes\r\n"
    # Whether the proxy knows lists of payload types.
    lists_types: bool = True

    def check(self) -> None:
        """Raises Refused where the message cannot be an answer."""
        if not self.is_offer and self.call.is_request and not self.call.to_tag:
            raise Refused("an answer in a request without a To tag")
        if self.is_offer and self.flags.only_known:
            raise Refused("the flag l is for answers")

    def run(self, body: bytes, ask: Callable[[str], str], own_address: str) -> bytes:
        """Asks the proxy for each medium; the new description.

        `ask` sends a command and gives its answer; `own_address` is the proxy's when its answers name none. Raises
        Refused, with code -2 when the description has been through a proxy already.
        """
        self.check()
        description = session.parse(body)
        mark = self.mark.strip("\r\n")
        is_marked = bool(mark) and mark.encode() in body
        if is_marked and not self.flags.is_forced:
            raise Refused("the description has been through a proxy already", -2)
        if not description.media:
            raise Refused("a description without media")
        if any(not media.port for media in description.media):
            raise Refused("media without a port")
        edits: dict[int, tuple[int, int, str]] = {}
        for index, media in enumerate(description.media, 1):
            answer = Answer.read(ask(self.command(description, media, index)), self.address or own_address)
            address = self.address or answer.address
            for edit in self._edits(description, media, answer.port, address):
                edits.setdefault(edit[0], edit)
        changed = session.edited(body, list(edits.values()))
        return changed if is_marked or not mark else changed + self._mark_below(body)

    def command(self, description: Description, media: Media, index: int) -> str:
        """The command for one medium."""
        call, flags = self.call, self.flags
        connection = media.first("c") or session.first(description.session, "c")
        words = connection.text.split() if connection else []
        address = words[2].partition("/")[0] if len(words) > 2 else ""
        if not flags.trusts_address or not address:
            address = call.source
        options = flags.options + self._family(words)
        first, second = f"{call.from_tag};{index}", f"{call.to_tag};{index}" if call.to_tag else ""
        # The side that sends the description comes first, but an answer is looked up by the offer's.
        swapped = call.is_request is not self.is_offer
        if swapped and second:
            first, second = second, first
        verb = "U" if self.is_offer else "L"
        if self.timeout_socket and self.is_offer and second:
            second += f" {self.timeout_socket}"
        codecs = payload_types(media) if self.lists_types else ""
        return _joined(f"{verb}{options}{codecs}", identity(call, flags.suffix), address, media.port, first, second)

    def _family(self, words: list[str]) -> str:
        is_v6 = len(words) > 1 and words[1] == "IP6"
        bridge = ("EI" if is_v6 else "IE") if self.flags.swaps_family else ""
        return bridge + ("6" if is_v6 else "")

    def _edits(self, description: Description, media: Media, port: str, address: str) -> list[tuple[int, int, str]]:
        edits = []
        own, common = media.first("c"), session.first(description.session, "c")
        held = any(line is not None and line.text.split()[-1:] == ["0.0.0.0"] for line in (own or common,))
        shown = "0.0.0.0" if held else address
        changed = [own] if own else [common]
        if own and common and self.flags.changes_session:
            changed.append(common)
        edits += [_connection(line, shown) for line in changed if line]
        origin = session.first(description.session, "o")
        if origin:
            edits.append(_connection(origin, shown))
        number = media.port.partition("/")[0]
        if number != "0":
            start = media.line.start + len(media.words[0]) + 1
            edits.append((start, start + len(media.port), port))
            rtcp = media.first("a", "rtcp:")
            if rtcp:
                edits.append((rtcp.start, rtcp.end, f"rtcp:{int(port) + 1}"))
        return edits

    def _mark_below(self, body: bytes) -> bytes:
        text = self.mark.strip("\r\n")
        end = "\r\n" if b"\r\n" in body.partition(b"\n")[0] + b"\n" else "\n"
        begin = "" if body.endswith(b"\n") else end
        return f"{begin}{text}{end}".encode()


def _connection(line: Line, address: str) -> tuple[int, int, str]:
    """The last two words of an o= or c= line, family and address, made anew."""
    words = line.text.split(" ")
    kept = " ".join(words[:-2])
    family = "IP6" if ":" in address else "IP4"
    return line.start, line.end, f"{kept} {family} {address}"


def payload_types(media: Media) -> str:
    """The payload types of a medium as commands list them: `c0,8`."""
    words = media.words
    if len(words) < 3 or words[2].lower() == "udptl":
        return ""
    return "c" + ",".join(word for word in words[3:] if word.isdigit())


@dataclass(frozen=True, slots=True)
class Answer:
    """The port and address that a proxy has for a medium."""

    port: str
    address: str

    @classmethod
    def read(cls, text: str, own_address: str) -> "Answer":
        """Reads `port [address [6]]`. Raises Refused for anything else."""
        words = text.split()
        if not words or not _PORT.fullmatch(words[0]) or not 0 < int(words[0]) < 65_536:
            raise Refused(f"the proxy answers {text.strip()!r}")
        return cls(words[0], words[1] if len(words) > 1 else own_address)
