"""What goes wrong with a routing script, told with the script's own files and lines."""

import traceback
from pathlib import Path
from types import TracebackType

from sipwright import log

_PACKAGE = str(Path(__file__).parent.parent)


class ScriptError(Exception):
    """A script that cannot be used; the text names its file and, where there is one, the line."""


def report(where: str, error: BaseException) -> None:
    """Logs an exception of the script; `where` names the route, and the message if it is known."""
    log.error(f"{where}: exception in the script\n{failure_text(error)}")


def failure_text(error: BaseException) -> str:
    """The exception with its traceback, cut to the frames from the user's code on, without a final newline."""
    if isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error)).rstrip()
    kept = user_frames(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, kept)).rstrip()


def user_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from its first frame outside of Sipwright and the import system; all of it when there is none."""
    frame = trace
    while frame is not None and is_internal(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    return frame or trace


def is_internal(filename: str) -> bool:
    """Whether a code file belongs to Sipwright itself, scripts that it brings left out, or to the import system."""
    if filename.startswith("<frozen importlib"):
        return True
    return filename.startswith(_PACKAGE) and not filename.endswith("default_script.py")


def place_of(error: BaseException) -> str:
    """`file:line` where the user's code raised, or an empty text."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    place = ""
    trace = error.__traceback__
    while trace is not None:
        if not is_internal(trace.tb_frame.f_code.co_filename):
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
