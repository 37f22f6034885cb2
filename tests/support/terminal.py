"""Programs in a terminal of their own, as a person has one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from support.process import wait_until

WAIT_S = 20.0
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[()].|[=>78])")
_HOME = "\x1b[H"
# Places in the list of attributes that termios gives.
_LOCAL = 3


class Terminal:
    """A program in a pseudo-terminal; everything that it writes is kept."""

    def __init__(self, argv: Sequence[object], columns: int = 80, rows: int = 24) -> None:
        self._main, self._side = pty.openpty()
        self.resize(columns, rows)
        self._written = bytearray()
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=self._side,
            stdout=self._side,
            stderr=self._side,
            env=environment,
            start_new_session=True,
            # Without a controlling terminal Ctrl-C is a key like any other.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._side)
        # The last who has the other side is gone, so that reading ends.
        self._reader.join(WAIT_S)
        os.close(self._main)

    def resize(self, columns: int, rows: int) -> None:
        """Gives the window another size."""
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Types keys."""
        os.write(self._main, keys.encode())

    @property
    def raw(self) -> str:
        """All that was written."""
        return self._written.decode(errors="replace")

    @property
    def text(self) -> str:
        """All that was written, without colours and movements."""
        return _SEQUENCE.sub("", self.raw).replace("\r\n", "\n")

    @property
    def picture(self) -> list[str]:
        """The lines since the last time that the cursor went home: of a program that draws whole pictures, the last one
        that is complete.
        """
        whole = self.raw.rpartition(_HOME)[0].rpartition(_HOME)[2]
        return _SEQUENCE.sub("", whole).replace("\r\n", "\n").split("\n")

    def until(self, text: str) -> None:
        """Waits until it has written that."""
        try:
            wait_until(lambda: text in self.text, WAIT_S, f"{text!r} is written")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it wrote:\n{self.text[-4000:]}") from None

    def ended(self) -> int:
        """Waits for the end of the program; its exit status."""
        return self.process.wait(WAIT_S)

    @property
    def is_cooked(self) -> bool:
        """Whether keys are shown and lines are edited, as a shell expects it."""
        local = termios.tcgetattr(self._side)[_LOCAL]
        assert isinstance(local, int)
        return bool(local & termios.ECHO and local & termios.ICANON)

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self._main, 65_536)
            except OSError:
                return
            if not found:
                return
            self._written += found
