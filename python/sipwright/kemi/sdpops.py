"""KSR.sdpops: what an SDP body offers, and edits of it, with Kamailio's return codes."""

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules.sdp import Sdp, attribute, has_name, listed, with_version

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "keep_codecs_by_id",
    "keep_codecs_by_name",
    "remove_codecs_by_id",
    "remove_codecs_by_name",
    "remove_line_by_prefix",
    "remove_media",
    "sdp_content",
    "sdp_content_flags",
    "sdp_get",
    "sdp_get_address_family",
    "sdp_get_line_startswith",
    "sdp_iterator_append",
    "sdp_iterator_end",
    "sdp_iterator_insert",
    "sdp_iterator_next",
    "sdp_iterator_rm",
    "sdp_iterator_start",
    "sdp_iterator_value",
    "sdp_print",
    "sdp_transport",
    "sdp_with_active_media",
    "sdp_with_codecs_by_id",
    "sdp_with_codecs_by_name",
    "sdp_with_ice",
    "sdp_with_media",
    "sdp_with_transport",
    "sdp_with_transport_like",
]

_iterators = threading.local()


def configure(host: "Host") -> None:
    """Registers `$sdp` and `$sdpitval`."""
    host.variable("sdp", lambda inner, _: _attribute(inner), _set_attribute)
    host.variable("sdpitval", lambda inner, _: _line_of(inner))


@ksr("sdpops.sdp_content")
def sdp_content() -> int:
    """Whether the message has SDP: 1 or -1."""
    return 1 if _sdp() is not None else -1


@ksr("sdpops.sdp_content_flags")
def sdp_content_flags(flags: int) -> int:
    """The same; with 1, the body counts also if its type is not said: 1 or -1."""
    if flags & 1 and _media_type() in ("", "application/sdp"):
        return 1 if str(_engine.pv_get("$rb") or "").startswith("v=") else -1
    return sdp_content()  # type: ignore[no-any-return]


@ksr("sdpops.sdp_with_media")
def sdp_with_media(kind: str) -> int:
    """Whether there are media of a kind: 1, 0 for none, -1 without SDP."""
    sdp = _sdp()
    return -1 if sdp is None else int(bool(sdp.of_kind(kind)))


@ksr("sdpops.sdp_with_active_media")
def sdp_with_active_media(kind: str) -> int:
    """Whether there are media of a kind with a port and not inactive: 1, 0 for none, -1 without SDP."""
    sdp = _sdp()
    return -1 if sdp is None else int(any(one.is_active for one in sdp.of_kind(kind)))


@ksr("sdpops.sdp_with_transport")
def sdp_with_transport(transport: str) -> int:
    """Whether media have that transport, such as RTP/AVP: 1 or -1."""
    sdp = _sdp()
    return 1 if sdp and any(one.transport.lower() == transport.lower() for one in sdp.media) else -1


@ksr("sdpops.sdp_with_transport_like")
def sdp_with_transport_like(part: str) -> int:
    """Whether media have a transport with that text in it: 1 or -1."""
    sdp = _sdp()
    return 1 if sdp and any(part.lower() in one.transport.lower() for one in sdp.media) else -1


@ksr("sdpops.sdp_transport")
def sdp_transport(variable: str) -> int:
    """Writes the transport of the first media into a variable: 1, or -1 when there are none."""
    sdp = _sdp()
    return _give(variable, sdp.media[0].transport) if sdp and sdp.media else -1


@ksr("sdpops.sdp_with_ice")
def sdp_with_ice() -> int:
    """Whether there are ICE candidates: 1 or -1."""
    sdp = _sdp()
    return 1 if sdp and any(line.startswith("a=candidate") for line in sdp.lines()) else -1


@ksr("sdpops.sdp_with_codecs_by_id")
def sdp_with_codecs_by_id(payloads: str) -> int:
    """Whether one of these payload types is offered (`0,8`): how many media descriptions there are, 0 for no, -1 without SDP."""
    sdp = _sdp()
    if sdp is None:
        return -1
    wanted = set(listed(payloads))
    return len(sdp.media) if any(wanted & set(one.payloads) for one in sdp.media) else 0


@ksr("sdpops.sdp_with_codecs_by_name")
def sdp_with_codecs_by_name(names: str) -> int:
    """The same for names of codecs (`PCMU,opus`); -1 for no."""
    sdp = _sdp()
    test = has_name(listed(names))
    found = sdp is not None and any(test(one, payload) for one in sdp.media for payload in one.payloads)
    return len(sdp.media) if sdp is not None and found else -1


@ksr("sdpops.sdp_get")
def sdp_get(variable: str) -> int:
    """Writes the SDP into a variable: 1 or -1."""
    sdp = _sdp()
    return -1 if sdp is None else _give(variable, str(sdp))


@ksr("sdpops.sdp_get_address_family")
def sdp_get_address_family() -> int:
    """4 or 6, as the first connection line (`c=`) says; -1 when there is none."""
    sdp = _sdp()
    match = re.search(r"^c=IN IP([46])", str(sdp), re.MULTILINE) if sdp else None
    return int(match[1]) if match else -1


@ksr("sdpops.sdp_get_line_startswith")
def sdp_get_line_startswith(variable: str, prefix: str) -> int:
    """Writes the first line that begins so into a variable: 1 or -1."""
    sdp = _sdp()
    line = next((line for line in sdp.lines() if line.startswith(prefix)), None) if sdp else None
    return -1 if line is None else _give(variable, line)


@ksr("sdpops.sdp_print")
def sdp_print(level: int) -> int:
    """Logs the SDP at that level: 1 or -1."""
    sdp = _sdp()
    if sdp is None:
        return -1
    log.write(max(-5, min(level, log.DEBUG)), f"SDP:\n{sdp}")
    return 1


# ---- edits ---------------------------------------------------------------------------------------------------------


@ksr("sdpops.keep_codecs_by_id")
def keep_codecs_by_id(payloads: str, kind: str) -> int:
    """Leaves only these payload types in the media of a kind, in all for an empty one: 0, as in Kamailio, or -1."""
    sdp, wanted = _sdp(), set(listed(payloads))
    if sdp is None:
        return -1
    sdp.keep_payloads(kind, lambda _, payload: payload in wanted)
    return _write(sdp)


@ksr("sdpops.keep_codecs_by_name")
def keep_codecs_by_name(names: str, kind: str) -> int:
    """The same by names of codecs; -1 also when the body has none of them."""
    sdp, test = _sdp(), has_name(listed(names))
    if sdp is None or not any(test(one, payload) for one in sdp.media for payload in one.payloads):
        return -1
    sdp.keep_payloads(kind, test)
    return _write(sdp)


@ksr("sdpops.remove_codecs_by_id")
def remove_codecs_by_id(payloads: str, kind: str) -> int:
    """Removes these payload types from the media of a kind, from all for an empty one: 0, as in Kamailio, or -1."""
    sdp, gone = _sdp(), set(listed(payloads))
    if sdp is None:
        return -1
    sdp.keep_payloads(kind, lambda _, payload: payload not in gone)
    return _write(sdp)


@ksr("sdpops.remove_codecs_by_name")
def remove_codecs_by_name(names: str, kind: str) -> int:
    """The same by names of codecs; -1 also when the body has none of them."""
    sdp, test = _sdp(), has_name(listed(names))
    if sdp is None or not any(test(one, payload) for one in sdp.media for payload in one.payloads):
        return -1
    sdp.keep_payloads(kind, lambda media, payload: not test(media, payload))
    return _write(sdp)


@ksr("sdpops.remove_line_by_prefix")
def remove_line_by_prefix(prefix: str, kind: str) -> int:
    """Removes the lines that begin so, in the media of a kind or everywhere: how many, or -1 without SDP."""
    sdp = _sdp()
    if sdp is None:
        return -1
    count = sdp.remove_lines(prefix, kind)
    return count if not count or _write(sdp) == 0 else -1


@ksr("sdpops.remove_media")
def remove_media(kind: str) -> int:
    """Removes the media descriptions of a kind: how many, or -1 without SDP."""
    sdp = _sdp()
    if sdp is None:
        return -1
    count = sdp.remove_media(kind)
    return count if not count or _write(sdp) == 0 else -1


# ---- iterators -----------------------------------------------------------------------------------------------------


@ksr("sdpops.sdp_iterator_start")
def sdp_iterator_start(name: str) -> int:
    """Begins to go through the lines of the SDP: 1, or -1 without one."""
    sdp = _sdp()
    if sdp is None:
        return -1
    _running()[name] = _Cursor(str(sdp).splitlines(keepends=True))
    return 1


@ksr("sdpops.sdp_iterator_next")
def sdp_iterator_next(name: str) -> int:
    """Goes to the next line: 1, or -1 after the last."""
    cursor = _running().get(name)
    if cursor is None:
        return -1
    cursor.position = min(cursor.position + 1, len(cursor.lines))
    return 1 if cursor.position < len(cursor.lines) else -1


@ksr("sdpops.sdp_iterator_value")
def sdp_iterator_value(name: str) -> str | None:
    """The line that the iterator is at, or None."""
    return _line_of(name)


@ksr("sdpops.sdp_iterator_rm")
def sdp_iterator_rm(name: str) -> int:
    """Leaves the line that the iterator is at out of the body: 1, or -1 when it is at none."""
    return _edit(name, lambda cursor: cursor.kept.__setitem__(cursor.position, ""))


@ksr("sdpops.sdp_iterator_append")
def sdp_iterator_append(name: str, text: str) -> int:
    """Puts text, lines with their ends, after the line that the iterator is at: 1, or -1 when it is at none."""
    return _edit(name, lambda cursor: cursor.after.__setitem__(cursor.position, cursor.after[cursor.position] + text))


@ksr("sdpops.sdp_iterator_insert")
def sdp_iterator_insert(name: str, text: str) -> int:
    """Puts text, lines with their ends, before the line that the iterator is at: 1, or -1 when it is at none."""
    return _edit(name, lambda cursor: cursor.before.__setitem__(cursor.position, cursor.before[cursor.position] + text))


@ksr("sdpops.sdp_iterator_end")
def sdp_iterator_end(name: str) -> int:
    """Ends an iterator: 1, or -1 when there is none."""
    return 1 if _running().pop(name, None) is not None else -1


# ---- helpers -------------------------------------------------------------------------------------------------------


def _sdp() -> Sdp | None:
    """The body, if its type says that it is SDP and it has more than a version."""
    kind = _media_type()
    sdp = Sdp.parse(str(_engine.pv_get("$rb") or "")) if kind == "application/sdp" else None
    return sdp if sdp is not None and len(sdp.session) > 1 else None


def _media_type() -> str:
    return str(_engine.pv_get("$cT") or "").partition(";")[0].strip().lower()


def _write(sdp: Sdp) -> int:
    """Replaces the body; later reads of the same route see the new one."""
    kind = str(_engine.pv_get("$cT") or "application/sdp")
    text = str(sdp)
    if text == _engine.pv_get("$rb"):
        return 0
    if _engine.textops_set_body(text, kind) != 1:
        return -1
    return 0 if _engine.textopsx_msg_apply_changes() == 1 else -1


def _give(variable: str, text: str) -> int:
    if _engine.pv_sets(variable, text):
        return 1
    log.error(f"KSR.sdpops: {variable!r} is no variable that can be set")
    return -1


class _Cursor:
    """An iterator: the lines of the body as it began, and what was made of each."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.position = -1
        self.kept = list(lines)
        self.before = [""] * len(lines)
        self.after = [""] * len(lines)

    def text(self) -> str:
        """The body with all edits."""
        return "".join(map("".join, zip(self.before, self.kept, self.after, strict=True)))


def _edit(name: str, change: Callable[[_Cursor], None]) -> int:
    cursor = _running().get(name)
    if cursor is None or not 0 <= cursor.position < len(cursor.lines):
        return -1
    if cursor.text() != _engine.pv_get("$rb"):
        log.error(f"KSR.sdpops: the body was changed since the iterator {name!r} began")
        return -1
    change(cursor)
    kind = str(_engine.pv_get("$cT") or "application/sdp")
    return 1 if _engine.textops_set_body(cursor.text(), kind) == _engine.textopsx_msg_apply_changes() == 1 else -1


def _attribute(key: str) -> str | int | None:
    sdp = _sdp()
    return None if sdp is None else attribute(sdp, key)


def _set_attribute(key: str, value: str | int | None) -> bool:
    sdp = _sdp()
    if key != "sess_version" or sdp is None or not isinstance(value, int) or not with_version(sdp, value):
        return False
    return _write(sdp) == 0


def _running() -> dict[str, _Cursor]:
    running: dict[str, _Cursor] | None = getattr(_iterators, "running", None)
    if running is None:
        running = _iterators.running = {}
    return running


def _line_of(name: str) -> str | None:
    cursor = _running().get(name)
    if cursor is None or not 0 <= cursor.position < len(cursor.lines):
        return None
    return cursor.lines[cursor.position].rstrip("\r\n")
