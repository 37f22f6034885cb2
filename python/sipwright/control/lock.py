"""One server for each data directory: a lock that the kernel releases when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import Final

LOCK_NAME: Final = "lock"


class DataDirInUse(Exception):
    """Another server uses the data directory; the text names it and the process."""


class DataDirLock:
    """Holds the lock of a data directory from its making to `release`."""

    def __init__(self, data_dir: Path) -> None:
        self._fd = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise DataDirInUse(
                f"another server (process {holder}) uses {data_dir}; stop it, or choose another --data-dir"
            ) from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Gives the directory free."""
        os.close(self._fd)


def holder_of(data_dir: Path) -> int | None:
    """The process that holds the lock of a data directory; None when there is none."""
    try:
        fd = os.open(data_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.read(fd, 32).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(fd)
    return None
