"""What runs in this process: every thread with its kind, and whether Python has a thread state for it.

The rule that it shows: the engine's threads (network, TLS, timer) never hold one.
"""

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# (name, kind, kernel thread id, pthread id)
EngineThread = tuple[str, str, int, int]


def thread_table(engine_threads: Sequence[EngineThread]) -> list[dict[str, Any]]:
    """All threads of the process as `{name, kind, tid, python}`, by kernel thread id."""
    # Threads that run Python code now or have called out of it; keys are pthread ids.
    with_state = set(sys._current_frames())
    rows: dict[int, dict[str, Any]] = {}
    for name, kind, tid, pthread in engine_threads:
        rows[tid] = {"name": name, "kind": kind, "tid": tid, "python": pthread in with_state}
    for thread in threading.enumerate():
        if thread.native_id is not None and thread.native_id not in rows:
            rows[thread.native_id] = {
                "name": thread.name,
                "kind": _kind(thread),
                "tid": thread.native_id,
                "python": thread.ident in with_state,
            }
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
