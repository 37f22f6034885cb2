"""Notices that files have changed, by looking at them.

Looking costs a few system calls a second, works on every file system, and follows links, by which container platforms
replace files.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

# What is known of a file: changed when any of it does. A link is followed.
State = tuple[int, int, int, int] | None


class Watch:
    """The files that `files` names, which may be others each time."""

    def __init__(self, files: Callable[[], Iterable[Path]]) -> None:
        self._files = files
        self._known = states(files())
        self._seen: dict[Path, State] | None = None

    def know(self) -> None:
        """Has files that are named since the last look change from now on."""
        for path in self._files():
            self._known.setdefault(path, state(path))

    def changed(self) -> list[Path]:
        """The files that have changed since they were reported last, once they are as they were at the last look: an
        editor may be in the middle of writing one.
        """
        now = states(self._files())
        # Those that are new here were read when they were named.
        changed = {path for path, state in now.items() if self._known.setdefault(path, state) != state}
        if not changed:
            self._seen = None
            self._known = now
            return []
        if now != self._seen:
            self._seen = now
            return []
        self._seen = None
        self._known = now
        return sorted(changed)


def states(paths: Iterable[Path]) -> dict[Path, State]:
    """What is known of each file; None of one that is not there."""
    return {path: state(path) for path in paths}


def state(path: Path) -> State:
    """What is known of a file; None if it is not there."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_dev
