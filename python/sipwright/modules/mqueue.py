"""Queues of keys and values between routes: Kamailio's module mqueue."""

import threading
from collections import deque


class Queues:
    """Queues by name; a full one drops its oldest item."""

    def __init__(self, default_size: int) -> None:
        self._default_size = default_size
        self._queues: dict[str, deque[tuple[str, str]]] = {}
        self._lock = threading.Lock()
        self.dropped = 0

    def define(self, name: str, size: int) -> None:
        """Makes a queue of that size, 0 for the default."""
        self._queues[name] = deque(maxlen=size or self._default_size)

    def names(self) -> list[str]:
        """All queues."""
        return list(self._queues)

    def has(self, name: str) -> bool:
        """Whether there is that queue."""
        return name in self._queues

    def add(self, name: str, key: str, value: str) -> bool:
        """Adds an item at the end; False when there is no such queue."""
        with self._lock:
            queue = self._queues.get(name)
            if queue is None:
                return False
            self.dropped += len(queue) == queue.maxlen
            queue.append((key, value))
            return True

    def take(self, name: str) -> tuple[str, str] | None:
        """Takes the first item; None when there is none."""
        with self._lock:
            queue = self._queues.get(name)
            return queue.popleft() if queue else None

    def size(self, name: str) -> int:
        """How many items wait."""
        return len(self._queues.get(name, ()))
