"""KSR.app_python3: runs methods of the script's handler object."""

from typing import Any

from sipwright import log
from sipwright.kemi.calls import ksr
from sipwright.script.worker import current_handler

__all__ = ["exec", "exec_p1", "execx"]


@ksr("app_python3.exec")
def exec(method: str) -> int:
    """Calls `handler.<method>(msg)` for the current message; 1, or -1 when there is no such method."""
    return _run(method)


@ksr("app_python3.exec_p1")
def exec_p1(method: str, argument: str) -> int:
    """Calls `handler.<method>(msg, argument)`; 1, or -1 when there is no such method."""
    return _run(method, argument)


@ksr("app_python3.execx")
def execx(method: str) -> int:
    """As `exec`."""
    return _run(method)


def _run(name: str, *arguments: str) -> int:
    from sipwright import _engine

    method: Any = getattr(current_handler(), name, None)
    if not callable(method):
        log.error(f"KSR.app_python3: the handler has no method {name}")
        return -1
    method(_engine.current(), *arguments)
    return 1
