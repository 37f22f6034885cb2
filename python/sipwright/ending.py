"""The end of the process, whatever threads and children a script has left running.

Python waits at its end for every thread that is not a daemon, and `multiprocessing` for every child, without a limit;
a daemon thread that comes back from a call of the engine meanwhile would be ended in the middle of it. So the process
of a server with such leftovers does what is due at exit, within a limit, and ends.
"""

import atexit
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, NoReturn

from sipwright import log
from sipwright.script.watchdog import stack_of

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# What the script's own threads and exit handlers get.
LIMIT_S: Final = 1.0
FLUSH_MS: Final = 500


class Ending:
    """The end of a server's run; made before the run, since threads and children of before are none of its business.

    Whoever runs the command inside a program of their own keeps that program, whatever threads it has.
    """

    def __init__(self) -> None:
        self._threads = {threading.current_thread(), *threading.enumerate()}
        self._children = set(_children())

    def end_process(self, status: int) -> NoReturn:
        """Ends the process: as Python does it if the run has left nothing running, else at once after LIMIT_S."""
        deadline = time.monotonic() + LIMIT_S
        for thread in self._left():
            if not thread.daemon:
                thread.join(max(0.0, deadline - time.monotonic()))
        if not self._left() and self._children.issuperset(_children()):
            raise SystemExit(status)
        for thread in self._left():
            if not thread.daemon:
                log.warning(f"the script's thread {thread.name} does not end:\n{stack_of(thread.ident)}")
        # An exit handler may wait for what never ends.
        handlers = threading.Thread(target=atexit._run_exitfuncs, name="exit-handlers", daemon=True)
        handlers.start()
        handlers.join(LIMIT_S)
        _flush_log()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)

    def _left(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread not in self._threads]


def _children() -> "list[BaseProcess]":
    """Children of `multiprocessing`; it is not imported for this, a script that has any did it."""
    process = sys.modules.get("multiprocessing.process")
    return [] if process is None else list(process.active_children())


def _flush_log() -> None:
    from sipwright import _engine

    _engine.flush_log(FLUSH_MS)
