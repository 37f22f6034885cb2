"""Counters that scripts keep."""

import threading


class Counters:
    """Numbers by `group.name`."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._meanings: dict[str, str] = {}
        self._lock = threading.Lock()

    def define(self, name: str, meaning: str = "") -> None:
        """Makes a counter, 0; `meaning` is for people."""
        self._values.setdefault(name, 0)
        self._meanings.setdefault(name, meaning)

    def has(self, name: str) -> bool:
        """Whether there is that counter."""
        return name in self._values

    def add(self, name: str, delta: int) -> bool:
        """Adds to a counter; False when there is none of that name."""
        with self._lock:
            if name not in self._values:
                return False
            self._values[name] += delta
            return True

    def reset(self, name: str) -> bool:
        """Sets a counter to 0; False when there is none of that name."""
        with self._lock:
            if name not in self._values:
                return False
            self._values[name] = 0
            return True

    def get(self, name: str) -> int | None:
        """Its value; None when there is none of that name."""
        return self._values.get(name)

    def meaning(self, name: str) -> str | None:
        """What it counts, empty when that was not told; None when there is none of that name."""
        return self._meanings.get(name)

    def all(self) -> dict[str, int]:
        """A copy of all of them."""
        with self._lock:
            return dict(self._values)
