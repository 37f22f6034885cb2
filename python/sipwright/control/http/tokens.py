"""The tokens that may control the server: a file with one a line."""

import hmac
import os
import stat
import time
from pathlib import Path
from typing import Final

from sipwright import log
from sipwright.settings.errors import SettingsError

MIN_LENGTH: Final = 16
_LOOK_S: Final = 1.0


class Tokens:
    """Those of `http.token_file`, read again when the file changes; none needed without one."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingsError for a file that cannot be read, is open to others, or has a token that is too short."""
        self._path = path
        self._state: tuple[int, ...] = ()
        self._tokens: list[bytes] = []
        self._looked_at = 0.0
        if path is not None:
            self._state = _state(path)
            self._tokens = _read(path)

    @property
    def needed(self) -> bool:
        """Whether requests have to bring one."""
        return self._path is not None

    def accepts(self, token: str) -> bool:
        """Whether it is one of them; takes as long for each wrong one."""
        self._refresh()
        given = token.encode("latin-1", "replace")
        # All of them are compared: how long it takes tells nothing.
        return sum(hmac.compare_digest(given, known) for known in self._tokens) > 0

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._path is None or now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        try:
            state = _state(self._path)
            if state != self._state:
                self._state, self._tokens = state, _read(self._path)
                log.notice(f"http: the tokens of {self._path} were read again")
        except SettingsError as error:
            log.error(f"http: the tokens of before stay in force: {error}")


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise SettingsError(f"http.token_file: {path}: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def _read(path: Path) -> list[bytes]:
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        raise SettingsError(f"http.token_file: {path}: others may read it; chmod 600 {path}")
    try:
        lines = path.read_bytes().split()
    except OSError as error:
        raise SettingsError(f"http.token_file: {path}: {error.strerror}") from None
    if not lines:
        raise SettingsError(f"http.token_file: {path}: there is no token in it")
    if min(map(len, lines)) < MIN_LENGTH:
        raise SettingsError(f"http.token_file: {path}: a token must have at least {MIN_LENGTH} characters")
    return lines
