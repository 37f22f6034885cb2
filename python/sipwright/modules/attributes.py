"""Values of a script that are kept with a contact: the fields of `$xavp(NAME)`, where NAME is `usrloc.xavp_contact`."""

import json
import sys
from typing import Any, Final

from sipwright import _engine, log

MAX_BYTES: Final = 8_192


def take(name: str) -> str:
    """The fields of the XAVP as the text that bindings keep; empty when there are none or no name."""
    found = _engine.xavp_fields(name) if name else []
    text = to_text(found)
    if len(text) > MAX_BYTES:
        log.error(f"usrloc: the fields of $xavp({name}) have more than {MAX_BYTES} bytes; they are not kept")
        return ""
    return text


def to_text(pairs: list[tuple[str, str | int]]) -> str:
    """Fields as the text that bindings keep."""
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":")) if pairs else ""


def fields(text: str) -> list[tuple[str, str | int]]:
    """The fields of such a text, the one that was set first first."""
    return [(str(name), value) for name, value in json.loads(text)] if text else []


def restore(name: str, text: str) -> None:
    """Makes them the newest XAVP of that name of the message in work."""
    if not name or not text:
        return
    for index, (key, value) in enumerate(fields(text)):
        place = f"$xavp({name}{'[0]' if index else ''}=>{key})"
        _set(place, value)


def _set(place: str, value: str | int) -> None:
    pv: Any = sys.modules["KSR"].pv
    if isinstance(value, int):
        pv.seti(place, value)
    else:
        pv.sets(place, value)
