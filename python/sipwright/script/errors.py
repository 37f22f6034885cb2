"""What goes wrong with a routing script, told with the script's own files and lines."""

import traceback
from pathlib import Path

from sipwright import log
from sipwright.script import record

_PACKAGE = str(Path(__file__).parent.parent)


class ScriptError(Exception):
    """A script that cannot be used; the text names its file and, where there is one, the line."""


def report(where: str, error: BaseException) -> None:
    """Logs an exception of the script; `where` names the route, and the message if it is known."""
    text = failure_text(error)
    log.error(f"{where}: exception in the script\n{text}")
    record.error(where, text)


def failure_text(error: BaseException) -> str:
    """The exception with its traceback, without the frames of Sipwright itself and without a final newline."""
    if isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error)).rstrip()
    told = traceback.TracebackException.from_exception(error)
    _cut(told)
    return "".join(told.format()).rstrip()


def _cut(told: traceback.TracebackException | None) -> None:
    """Leaves the frames of the user's code and of the libraries that it calls, in all chained exceptions."""
    while told is not None:
        kept = [frame for frame in told.stack if not is_internal(frame.filename)]
        told.stack = traceback.StackSummary.from_list(kept or told.stack)
        _cut(told.__context__)
        told = told.__cause__


def is_internal(filename: str) -> bool:
    """Whether a code file belongs to Sipwright itself, scripts that it brings left out, or to the import system."""
    if filename.startswith("<frozen importlib"):
        return True
    return filename.startswith(_PACKAGE) and not filename.endswith("default_script.py")


def files_of(error: BaseException | None) -> set[Path]:
    """The files of the user's code that an exception and its causes came through, or that cannot be compiled."""
    found: set[str] = set()
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename:
            found.add(error.filename)
        trace = error.__traceback__
        while trace is not None:
            found.add(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        error = error.__cause__
    return {Path(name) for name in found if not is_internal(name) and not name.startswith("<")}


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
