"""Children that a script forks: their standard streams work, whatever other threads of the server did at that moment.

A buffered stream of Python has a lock. A child that is forked while another thread writes has that lock as it was then,
taken by a thread that is not there: it would wait for ever when it writes, and when it ends, since `multiprocessing`
flushes both streams. So each child begins with streams of its own.
"""

import contextlib
import io
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
    for name in ("stdout", "stderr"):
        old = getattr(sys, name)
        if not isinstance(old, io.TextIOWrapper) or old is not getattr(sys, f"__{name}__"):
            continue
        # Without a buffer (python -u) there is no lock; a stream that was closed is not needed.
        if isinstance(old.buffer, io.BufferedWriter):
            with contextlib.suppress(OSError, ValueError):
                _laid_aside.append(old)
                setattr(sys, name, _same(old))
                setattr(sys, f"__{name}__", getattr(sys, name))


def _same(old: io.TextIOWrapper) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(io.FileIO(old.fileno(), "w", closefd=False))
    return io.TextIOWrapper(
        buffer,
        encoding=old.encoding,
        errors=old.errors,
        line_buffering=old.line_buffering,
        write_through=old.write_through,
    )
