"""KSR.x: `modf` runs a function by the name that it has in a native Kamailio configuration."""

import sys
from typing import Any

from sipwright import log
from sipwright.kemi import known

__all__ = ["modf"]


def modf(name: str, *args: Any) -> Any:
    """Runs the KSR function that is called `name` in a native configuration: `KSR.x.modf("sl_send_reply", "200", "OK")`.

    Arguments are text, as in a configuration; numbers are read from it. Returns what the function returns, or -1,
    with an error in the log, when there is no such function or an argument does not fit. (In Kamailio's Python this
    function crashes.)
    """
    found = _find(str(name))
    if found is None:
        log.error(f"KSR.x.modf: {known.why_missing(str(name), [])}")
        return -1
    function, params = found
    try:
        values = [_convert(kind, arg) for kind, arg in zip(params, args, strict=False)]
    except ValueError as error:
        log.error(f"KSR.x.modf({name!r}): {error}")
        return -1
    return function(*values)


def _find(name: str) -> tuple[Any, tuple[str, ...]] | None:
    root = sys.modules["KSR"]
    for dotted, signature in {**known.functions(), **known.NATIVE}.items():
        module, _, last = dotted.rpartition(".")
        if name in (last, dotted, dotted.replace(".", "_")):
            part = vars(root).get(module) if module else root
            if part is not None and last in vars(part):
                return vars(part)[last], signature.params
    return None


def _convert(kind: str, value: Any) -> Any:
    if kind == "str":
        return value if isinstance(value, str) else str(value)
    if isinstance(value, int):
        return value
    try:
        return int(str(value), 0)
    except ValueError:
        raise ValueError(f"{value!r} is not a number") from None
