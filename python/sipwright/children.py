"""Children that a script forks: their standard streams work, whatever other threads of the server did at that moment.

A buffered stream of Python has a lock. A child that is forked while another thread writes has that lock as it was then,
taken by a thread that is not there: it would wait for ever when it writes, and when it ends, since `multiprocessing`
flushes both streams. So each child begins with streams of its own, and so do the handlers of `logging` that write to those
or to files.
"""

import contextlib
import io
import logging
import os
import sys
from functools import cache

# As they were in the parent: to drop them is to flush them.
_laid_aside: list[io.TextIOWrapper] = []


@cache
def keep_streams_usable() -> None:
    """Has it done in all children of this process. What a script puts in the place of Python's streams stays as it is."""
    os.register_at_fork(after_in_child=_renew)


def _renew() -> None:
    renewed: dict[io.TextIOWrapper, io.TextIOWrapper] = {}
    for name in ("stdout", "stderr"):
        old = getattr(sys, name)
        if not isinstance(old, io.TextIOWrapper) or old is not getattr(sys, f"__{name}__"):
            continue
        if (new := _laid(old, renewed)) is not None:
            setattr(sys, name, new)
            setattr(sys, f"__{name}__", new)
    _renew_logging(renewed)


def _renew_logging(renewed: dict[io.TextIOWrapper, io.TextIOWrapper]) -> None:
    """`logging` gives its handlers new locks in a child by itself, but not their streams."""
    # There is no public way to those that no logger has, such as targets of others. Each is a weak reference.
    for reference in vars(logging).get("_handlerList", ()):
        handler = reference()
        # One that has no stream of its own looks it up whenever it writes. `setStream` would flush the old one, and wait.
        old = vars(handler).get("stream") if isinstance(handler, logging.StreamHandler) else None
        if isinstance(old, io.TextIOWrapper) and (new := _laid(old, renewed)) is not None:
            vars(handler)["stream"] = new


def _laid(old: io.TextIOWrapper, renewed: dict[io.TextIOWrapper, io.TextIOWrapper]) -> io.TextIOWrapper | None:
    """A new stream in the place of one that has a lock, the same one for all who write to it."""
    # Without a buffer (python -u) there is no lock; a stream that was closed is not needed.
    if old not in renewed and isinstance(old.buffer, io.BufferedWriter):
        with contextlib.suppress(OSError, ValueError):
            renewed[old] = _same(old)
            _laid_aside.append(old)
    return renewed.get(old)


def _same(old: io.TextIOWrapper) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(io.FileIO(old.fileno(), "w", closefd=False))
    return io.TextIOWrapper(
        buffer,
        encoding=old.encoding,
        errors=old.errors,
        line_buffering=old.line_buffering,
        write_through=old.write_through,
    )
