"""What the modules written in Python read and write of the message in work, beyond `_engine.current()`."""

import sys
from typing import Any

from sipwright import _engine

Value = str | int | None


def core() -> Any:
    """`KSR` itself, for the functions of the core."""
    return sys.modules["KSR"]


def message() -> _engine.Message:
    """The message in work."""
    return _engine.current()


def get(name: str) -> Value:
    """The value of a pseudo-variable."""
    value = _engine.pv_get(name)
    return value if isinstance(value, str | int) else None


def text(name: str) -> str:
    """The value of a pseudo-variable as text, "" when it has none."""
    value = _engine.pv_get(name)
    return "" if value is None else str(value)


def expanded(template: str) -> str:
    """A text with the values of the pseudo-variables in it."""
    return text(f"$_s({template})")


def put(name: str, value: Value) -> bool:
    """Sets a pseudo-variable; None unsets it."""
    if value is None:
        return bool(_engine.pv_unset(name))
    return bool(_engine.pv_seti(name, value) if isinstance(value, int) else _engine.pv_sets(name, value))


def body() -> bytes:
    """The body as it was received."""
    return _engine.current().raw().partition(b"\r\n\r\n")[2]


def number() -> int:
    """The number of the message in this process: by it a function knows what another one left for the same message."""
    value = _engine.pv_get("$mi")
    return value if isinstance(value, int) else 0
