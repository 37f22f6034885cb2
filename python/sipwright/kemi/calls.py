"""Kamailio's call rules for the KSR functions that are written in Python; builtins follow the same ones.

Arguments are positional and extra ones are ignored. Too few, or one of a wrong type, is an error in the log with the
script's file and line, and the call returns False; with `script.strict` it raises TypeError.
"""

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from sipwright import log
from sipwright.script.record import is_recorded, recorded

_strict = False
# The code that all functions made by `ksr` run first.
_code: CodeType | None = None


def set_strict(on: bool) -> None:
    """Setting `script.strict`: whether a wrong argument raises TypeError."""
    global _strict
    _strict = on


def called(frame: FrameType) -> str | None:
    """The name of the KSR function of this module's making that a frame has begun, such as `registrar.lookup`; None for
    another frame.
    """
    if frame.f_code is not _code:
        return None
    name: str = frame.f_locals["name"]
    return name


def ksr(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function with `str` and `int` parameters the KSR function `name`, for example `htable.sht_get`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        code = function.__code__
        parameters = code.co_varnames[: code.co_argcount]
        kinds = tuple(function.__annotations__[parameter] for parameter in parameters)
        count = len(kinds)
        run = recorded(name, function) if is_recorded(name) else function

        def call(*args: Any) -> Any:
            if len(args) != count:
                if len(args) < count:
                    return _refuse(name, f"takes {count} argument(s), {len(args)} given")
                args = args[:count]
            for index, kind in enumerate(kinds):
                if not isinstance(args[index], kind):
                    got = type(args[index]).__name__
                    wanted = f"argument {index + 1} ({parameters[index]}) must be {kind.__name__}"
                    return _refuse(name, f"{wanted}, not {got}")
            return run(*args)

        global _code
        _code = call.__code__
        call.__name__ = call.__qualname__ = name.rpartition(".")[2]
        call.__doc__ = function.__doc__
        call.__annotations__ = function.__annotations__
        return call

    return decorate


def _refuse(name: str, what: str) -> bool:
    if _strict:
        raise TypeError(f"KSR.{name} {what}")
    frame = sys._getframe(2)
    log.error(f"{frame.f_code.co_filename}:{frame.f_lineno}: KSR.{name} {what}; it returns False")
    return False
