"""A file of writes that wait for their database: appended in order, read from the front, gone when it is empty.

Each line is one write. The position up to which they are done is kept in a second file, written after the database
has committed: a crash in between does the last batch again, so at most one batch of `insert` may be there twice. A line
that a crash has cut short is skipped.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from sipwright.storage.urls import kind_of, masked
from sipwright.storage.writes import Write


class SpoolFull(Exception):
    """The file has its largest size already."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: its write, or None when it is damaged, and where it ends."""

    write: Write | None
    end: int


class Spool:
    """The spool of one database. Not for several threads at a time: its owner has a lock."""

    def __init__(self, directory: Path, url: URL, max_bytes: int) -> None:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", masked(url).partition("://")[2]).strip("-")
        self.path = directory / f"{kind_of(url)}-{name[-100:]}.spool"
        self.refused_path = self.path.with_suffix(".refused")
        self._position_path = self.path.with_suffix(".position")
        self._max_bytes = max_bytes
        self._size = self.path.stat().st_size if self.path.exists() else 0
        self._position = min(self._read_position(), self._size)
        self._end_line()

    def size_bytes(self) -> int:
        """Bytes that wait."""
        return self._size - self._position

    def append(self, writes: Iterable[Write]) -> None:
        """Adds writes at the end and waits until the disk has them. Raises SpoolFull or OSError."""
        data = b"".join(write.to_line() for write in writes)
        if self.size_bytes() + len(data) > self._max_bytes:
            raise SpoolFull(f"{self.path} has reached {self._max_bytes} bytes")
        try:
            _append(self.path, data)
        except OSError:
            if not self._size:
                self.path.unlink(missing_ok=True)
            raise
        self._size += len(data)

    def front(self, count: int) -> list[Line]:
        """Up to `count` lines from the front."""
        if not self.size_bytes():
            return []
        lines: list[Line] = []
        position = self._position
        with self.path.open("rb") as file:
            file.seek(position)
            while len(lines) < count and (text := file.readline()):
                position += len(text)
                try:
                    lines.append(Line(Write.from_line(text), position))
                except ValueError:
                    lines.append(Line(None, position))
        return lines

    def done(self, position: int) -> None:
        """What is before `position` needs no more attention."""
        self._position = position
        if self.size_bytes() > 0:
            # On a full disk a crash would do them again; what waits must not wait for the disk.
            with contextlib.suppress(OSError):
                temporary = self._position_path.with_suffix(".new")
                temporary.write_text(str(position), encoding="ascii")
                temporary.replace(self._position_path)
            return
        self.path.unlink(missing_ok=True)
        self._position_path.unlink(missing_ok=True)
        self._position = self._size = 0

    def keep_refused(self, write: Write) -> bool:
        """Puts a write that the database refuses into a file of its own; False when that is full or not writable."""
        with contextlib.suppress(OSError):
            size = self.refused_path.stat().st_size if self.refused_path.exists() else 0
            if size < self._max_bytes:
                _append(self.refused_path, write.to_line())
                return True
        return False

    def _end_line(self) -> None:
        """After a crash in the middle of a line: what is added later is a line of its own."""
        if not self._size:
            return
        with self.path.open("rb") as file:
            file.seek(self._size - 1)
            if file.read(1) == b"\n":
                return
        _append(self.path, b"\n")
        self._size += 1

    def _read_position(self) -> int:
        try:
            return int(self._position_path.read_text("ascii"))
        except (OSError, ValueError):
            return 0


def _append(path: Path, data: bytes) -> None:
    """All of it or, on a disk that is full, nothing: a part of a line would spoil the next one."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        before = os.fstat(fd).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:])
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, before)
            raise
    finally:
        os.close(fd)
