"""KSR.sipjson: the message as JSON, with Kamailio's names."""

import json

from sipwright import _engine, log
from sipwright.kemi.calls import ksr

__all__ = ["sj_serialize"]

_TEXTS = {"rm": "$rm", "pr": "$pr", "si": "$si", "Ri": "$Ri", "ru": "$ru", "rU": "$rU", "rd": "$rd", "rr": "$rr"}
_MORE = {"fU": "$fU", "fd": "$fd", "ua": "$ua", "ci": "$ci"}


@ksr("sipjson.sj_serialize")
def sj_serialize(mode: str, variable: str) -> int:
    """Writes the message as JSON into a variable; `B` in the mode adds the body: 1 or -1."""
    is_reply = _engine.current().Type == "SIP_REPLY"
    shown: dict[str, object] = {"mt": 1 if is_reply else 2}
    for name in ("rm", "pr", "si"):
        shown[name] = _text(_TEXTS[name])
    shown |= {"sp": _engine.pv_geti("$sp"), "Ri": _text("$Ri"), "Rp": _engine.pv_geti("$Rp")}
    for name in ("ru", "rU", "rd"):
        shown[name] = "" if is_reply else _text(_TEXTS[name])
    port = 0 if is_reply else _engine.pv_geti("$(ru{uri.port})")
    shown |= {"rp": port, "rs": _engine.pv_geti("$rs") if is_reply else 0, "rr": _text("$rr") if is_reply else ""}
    shown |= {name: _text(source) for name, source in _MORE.items()}
    if "B" in mode.upper():
        shown["rb"] = _text("$rb")
    if _engine.pv_sets(variable, json.dumps(shown, separators=(",", ":"), ensure_ascii=False)):
        return 1
    log.error(f"KSR.sipjson.sj_serialize: {variable!r} is no variable that can be set")
    return -1


def _text(name: str) -> str:
    return str(_engine.pv_gete(name))
