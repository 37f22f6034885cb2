"""Notices script calls that take too long, and says where they are.

`tick` is called a few times a second by the control loop. A call that lasts longer than `script.slow_call_ms` is
logged once, with the file and line that it is at; one longer than `script.stall_after_ms` has the stacks of all
workers logged.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

from sipwright import log
from sipwright.script.errors import is_internal

# (worker, milliseconds since the call began, callback, Call-ID)
Busy = tuple[int, int, str, str]


class WorkerThread(Protocol):
    """What the watchdog needs to know of a worker."""

    rank: int

    @property
    def ident(self) -> int | None:
        """The thread's identity in `sys._current_frames`."""


class Watchdog:
    """Watches the calls that `busy` reports; `is_stalled` tells whether one is over the limit now."""

    def __init__(
        self,
        busy: Callable[[], Sequence[Busy]],
        workers: Sequence[WorkerThread],
        slow_call_ms: int,
        stall_after_ms: int,
    ) -> None:
        self._busy = busy
        self._workers = workers
        self._slow_call_ms = slow_call_ms
        self._stall_after_ms = stall_after_ms
        self._slow: dict[int, int] = {}
        self._stalled: dict[int, int] = {}
        self.slow_calls = 0
        self.stalls = 0

    @property
    def is_stalled(self) -> bool:
        """Whether a worker is in a call that takes longer than `script.stall_after_ms`."""
        return bool(self._stalled)

    def set_limits(self, slow_call_ms: int, stall_after_ms: int) -> None:
        """Has calls be slow and stalled after other times from now on."""
        self._slow_call_ms, self._stall_after_ms = slow_call_ms, stall_after_ms

    def tick(self) -> None:
        """Looks at the calls in progress."""
        calls = {call[0]: call for call in self._busy()}
        # A shorter time than at the last look means that it is another call.
        self._slow = {rank: ms for rank, ms in self._slow.items() if rank in calls and calls[rank][1] >= ms}
        self._stalled = {rank: ms for rank, ms in self._stalled.items() if rank in calls and calls[rank][1] >= ms}
        for call in calls.values():
            if call[1] >= self._slow_call_ms:
                self._note_slow(call)
            if call[1] >= self._stall_after_ms:
                self._note_stall(call)

    def _note_slow(self, call: Busy) -> None:
        rank, since_ms, callback, call_id = call
        if rank not in self._slow:
            self.slow_calls += 1
            place = place_of(self._ident(rank)) or "unknown place"
            text = f"{callback} of worker {rank} takes {since_ms} ms so far, at {place} (Call-ID {call_id})"
            log.warning(text, call_id)
        self._slow[rank] = since_ms

    def _note_stall(self, call: Busy) -> None:
        rank, since_ms, callback, call_id = call
        if rank not in self._stalled:
            self.stalls += 1
            stacks = "\n".join(f"worker {worker.rank}:\n{stack_of(worker.ident)}" for worker in self._workers)
            text = f"{callback} of worker {rank} is stalled for {since_ms} ms (Call-ID {call_id})\n{stacks}"
            log.error(text, call_id)
        self._stalled[rank] = since_ms

    def _ident(self, rank: int) -> int | None:
        return next((worker.ident for worker in self._workers if worker.rank == rank), None)


def place_of(ident: int | None) -> str | None:
    """`file:line in function` of the innermost frame of the user's code that a thread is in."""
    frame: FrameType | None = sys._current_frames().get(ident or 0)
    innermost = frame
    while frame is not None and (is_internal(frame.f_code.co_filename) or _is_library(frame)):
        frame = frame.f_back
    found = frame or innermost
    if found is None:
        return None
    return f"{found.f_code.co_filename}:{found.f_lineno} in {found.f_code.co_name}"


def stack_of(ident: int | None) -> str:
    """The Python stack of a thread, as text."""
    frame = sys._current_frames().get(ident or 0)
    if frame is None:
        return "  (has no Python frame)"
    return "".join(traceback.format_stack(frame)).rstrip()


def _is_library(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    return filename.startswith((sys.base_prefix + "/lib/python", sys.prefix + "/lib/python", "<frozen"))
