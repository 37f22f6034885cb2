"""Another wall clock for a server: the machine's own is not to be touched, and a time namespace has none.

docs/explain/decisions.md says why this is not done by libfaketime.
"""

from __future__ import annotations

import mmap
import subprocess
from pathlib import Path

from support.tools import tool

SOURCE = Path(__file__).with_suffix(".c")
SIZE = 8


class WallClock:
    """The clock of the processes that are started with `env`: that of the machine, and what it is set by."""

    def __init__(self, directory: Path) -> None:
        self._library = directory / "wallclock.so"
        argv: list[str | Path] = [
            tool("gcc"),
            "-shared",
            "-fPIC",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
            self._library,
            SOURCE,
        ]
        subprocess.run(argv, check=True, timeout=60)
        self._file = directory / "wallclock"
        self._file.write_bytes(bytes(SIZE))
        with self._file.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), SIZE)

    def set_by(self, seconds: int) -> None:
        """Sets it so many seconds before or after that of the machine."""
        self._page[:] = seconds.to_bytes(SIZE, "little", signed=True)

    @property
    def env(self) -> dict[str, str]:
        """What gives a process this clock."""
        return {"LD_PRELOAD": str(self._library), "WALL_CLOCK": str(self._file)}
