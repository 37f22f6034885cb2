"""What of our own state the others do not know yet, and what they must not bring back."""

import threading
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

# Keys that may wait; with more of them all of the state is sent once, which needs no list.
MAX_WAITING: Final = 200_000
# Deletions that are remembered at most; the oldest are forgotten first.
MAX_TOMBSTONES: Final = 1_000_000

_STEP: Final = 500
Key = TypeVar("Key")


class Outbox(Generic[Key]):
    """Keys whose state has changed. Only the names wait: what is sent is the state at the time of sending."""

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._keys: dict[Key, None] = {}
        self._lock = threading.Lock()
        self._overflowed = False
        self.wake = threading.Event()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Key) -> None:
        """The state of a key has changed. Never waits for anything but another call of these methods."""
        with self._lock:
            if not self._overflowed:
                self._keys[key] = None
                if len(self._keys) > self._most:
                    self._keys.clear()
                    self._overflowed = True
        if not self.wake.is_set():
            self.wake.set()

    def add_all(self, keys: Iterable[Key]) -> None:
        """Keys that could not be sent, or of which many have changed."""
        for key in keys:
            self.add(key)

    def take(self, most: int) -> list[Key]:
        """Some of the keys, which do not wait any longer then."""
        with self._lock:
            taken = [key for key, _ in zip(self._keys, range(most), strict=False)]
            for key in taken:
                del self._keys[key]
            if not self._keys and not self._overflowed:
                self.wake.clear()
            return taken

    def has_overflowed(self) -> bool:
        """Whether so much has changed that all of the state has to be sent."""
        return self._overflowed

    def everything_is_sent_from_now(self) -> None:
        """All of the state is about to be sent: no list of keys is needed for what has changed so far."""
        with self._lock:
            self._keys.clear()
            self._overflowed = False
            self.wake.clear()


class Tombstones:
    """Deleted keys with the records that say so, each until nobody can have an older state of it any more."""

    def __init__(self, life_s: int, most: int = MAX_TOMBSTONES) -> None:
        self._life_s = life_s
        self._most = most
        self._found: dict[bytes, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._found)

    def put(self, key: bytes, text: str, now: float, ends_at: float = 0.0) -> None:
        """A key is deleted; it is remembered for the life that tombstones have, at least until `ends_at` (since 1970)."""
        with self._lock:
            self._found.pop(key, None)
            while len(self._found) >= self._most:
                del self._found[next(iter(self._found))]
            self._found[key] = text, max(ends_at, now + self._life_s)

    def get(self, key: bytes) -> str | None:
        """The record of a deleted key."""
        found = self._found.get(key)
        return None if found is None else found[0]

    def left_ms(self, key: bytes, now: float) -> int:
        """How long a key counts as deleted."""
        found = self._found.get(key)
        return 1 if found is None else max(1, int((found[1] - now) * 1000))

    def drop(self, key: bytes) -> None:
        """The key is there again."""
        if key in self._found:
            with self._lock:
                self._found.pop(key, None)

    def keys(self) -> list[bytes]:
        """All deleted keys."""
        with self._lock:
            return list(self._found)

    def sweep(self, now: float) -> None:
        """Forgets those that have lived long enough, in steps, so that nobody who removes something waits for it."""
        keys = self.keys()
        for first in range(0, len(keys), _STEP):
            with self._lock:
                for key in keys[first : first + _STEP]:
                    if key in self._found and self._found[key][1] <= now:
                        del self._found[key]
