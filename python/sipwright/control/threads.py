"""What runs in this process: every thread with its kind, and whether Python has a thread state for it.

The rule that it shows: the engine's threads (network, TLS, timer) never hold one.
"""

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# (name, kind, kernel thread id, pthread id, turns, milliseconds in this turn)
EngineThread = tuple[str, str, int, int, int, int]
# By the name of a script worker's thread: routes run, and milliseconds in this one.
Progress = Mapping[str, tuple[int, int]]


def thread_table(engine_threads: Sequence[EngineThread], workers: Progress | None = None) -> list[dict[str, Any]]:
    """All threads of the process as `{name, kind, tid, python}`, by kernel thread id.

    Engine threads and script workers have `turns`, how often they have begun to work, and `busy_ms`, for how long they
    have been at it now: a thread that is stuck has the same number of turns and a growing time.
    """
    # Threads that run Python code now or have called out of it; keys are pthread ids.
    with_state = set(sys._current_frames())
    rows: dict[int, dict[str, Any]] = {}
    for name, kind, tid, pthread, turns, busy_ms in engine_threads:
        row: dict[str, Any] = {"name": name, "kind": kind, "tid": tid, "python": pthread in with_state}
        rows[tid] = {**row, "turns": turns, "busy_ms": busy_ms}
    for thread in threading.enumerate():
        if thread.native_id is not None and thread.native_id not in rows:
            rows[thread.native_id] = {
                "name": thread.name,
                "kind": _kind(thread),
                "tid": thread.native_id,
                "python": thread.ident in with_state,
            }
    for row in rows.values():
        if workers and (progress := workers.get(row["name"])):
            row["turns"], row["busy_ms"] = progress
    for tid in _kernel_threads():
        rows.setdefault(tid, {"name": _kernel_name(tid), "kind": "other", "tid": tid, "python": False})
    return [rows[tid] for tid in sorted(rows)]


def _kind(thread: threading.Thread) -> str:
    if thread is threading.main_thread():
        return "main"
    return "script" if thread.name.startswith("script-") else "python"


def _kernel_threads() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return []


def _kernel_name(tid: int) -> str:
    try:
        return Path(f"/proc/self/task/{tid}/comm").read_text().strip()
    except OSError:
        return "ended"
