"""The server's log from Python: one line a call, written by the engine's log thread, so that no caller blocks."""

import sys
from typing import Final

ERROR: Final = -1
WARNING: Final = 0
NOTICE: Final = 1
INFO: Final = 2
DEBUG: Final = 3

LEVELS: Final = {"error": ERROR, "warning": WARNING, "notice": NOTICE, "info": INFO, "debug": DEBUG}

try:
    from sipwright._engine import log as _write
except ImportError:  # the extension is not built: unit tests of pure Python

    def _write(level: int, text: str, call_id: str | None = None, /) -> None:
        print(f"[{level}] {text}", file=sys.stderr)


def write(level: int, text: str, call_id: str | None = None) -> None:
    """Logs a line of any of Kamailio's levels, from -5 (alert) to 3 (debug).

    It is about the message that the thread works on, or about the call of that Call-ID.
    """
    _write(level, text, call_id)


def error(text: str, call_id: str | None = None) -> None:
    """Logs what went wrong."""
    write(ERROR, text, call_id)


def warning(text: str, call_id: str | None = None) -> None:
    """Logs what may go wrong."""
    write(WARNING, text, call_id)


def notice(text: str) -> None:
    """Logs what people who run the server want to know."""
    write(NOTICE, text)


def info(text: str) -> None:
    """Logs what is usual."""
    write(INFO, text)


def debug(text: str) -> None:
    """Logs what helps to find a fault."""
    write(DEBUG, text)
