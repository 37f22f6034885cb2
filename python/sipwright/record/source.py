"""Where the views read a recording: from a running server's control socket, or from a capture file."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from sipwright.control.client import call
from sipwright.control.record import KEY_LENGTH, KEY_NAME
from sipwright.record.entry import Call, Entry

PIECE: Final = 500


class Source(Protocol):
    """A recording to read."""

    def calls(self, limit: int) -> list[Call]:
        """The calls whose last message came last, first."""

    def piece(self, start: int, call_id: str | None = None) -> tuple[list[Entry], int, bool]:
        """Entries from number `start` on, of one call or all; where to go on, and whether that is the end for now."""


class ServerSource:
    """The recording of a running server, with credentials in it for a `key`. ControlError when it does not answer."""

    def __init__(self, data_dir: Path, key: str = "") -> None:
        self._data_dir = data_dir
        self._key = key

    def calls(self, limit: int) -> list[Call]:
        """See Source."""
        return [Call.from_json(row) for row in call(self._data_dir, "record.calls", [limit])]

    def piece(self, start: int, call_id: str | None = None) -> tuple[list[Entry], int, bool]:
        """See Source."""
        answer = call(self._data_dir, "record.read", [start, PIECE, call_id, self._key])
        return [Entry.from_json(row) for row in answer["entries"]], answer["next"], answer["end"]

    def end(self) -> int:
        """Number that the next entry gets."""
        found: int = call(self._data_dir, "record.status")["next"]
        return found


class FileSource:
    """The messages of a capture file. CaptureError and OSError."""

    def __init__(self, path: Path) -> None:
        # The engine is loaded for files alone.
        from sipwright.record.capture import recording_of

        self._recording = recording_of(path)

    def calls(self, limit: int) -> list[Call]:
        """See Source."""
        return [Call.of(found) for found in self._recording.calls(limit)]

    def piece(self, start: int, call_id: str | None = None) -> tuple[list[Entry], int, bool]:
        """See Source."""
        entries, following, _, is_end = self._recording.read(start, PIECE, call_id=call_id)
        return [Entry.of(entry) for entry in entries], following, is_end


@contextmanager
def unmasking(data_dir: Path) -> Iterator[str]:
    """A key that shows the server that we may see credentials: we can write into its data directory. OSError."""
    key = secrets.token_hex(KEY_LENGTH // 2)
    path = data_dir / KEY_NAME
    path.unlink(missing_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as out:
            out.write(key)
        yield key
    finally:
        path.unlink(missing_ok=True)


def entries_of(source: Source, call_id: str | None = None) -> Iterator[Entry]:
    """All entries there are now, of one call or of all."""
    start, is_end = 0, False
    while not is_end:
        entries, start, is_end = source.piece(start, call_id)
        yield from entries
