"""A private Redis server on loopback, which keeps nothing on disk."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from support.ports import free_port
from support.process import Child, wait_until
from support.tools import tool

START_TIMEOUT_S = 15.0


@dataclass
class RedisServer:
    """Started and stopped as a test wants it, always on the same port."""

    directory: Path
    port: int = field(default_factory=free_port)
    child: Child | None = None
    options: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Starts it, empty."""
        self.directory.mkdir(exist_ok=True)
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        argv = [tool("redis-server"), "--port", str(self.port), *options, *self.options]
        self.child = Child(argv, self.directory / "redis.log", cwd=self.directory)
        wait_until(self._answers, START_TIMEOUT_S, "redis-server answers")

    def kill(self) -> None:
        """Ends it at once, with all that it has."""
        if self.child is not None:
            self.child.popen.send_signal(signal.SIGCONT)
            self.child.kill()
            self.child = None

    def hang(self) -> None:
        """Lets it answer nothing, with its connections open, until `go_on`."""
        assert self.child is not None
        self.child.popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.child is not None
        self.child.popen.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        assert self.child is not None
        if not self.child.running():
            raise RuntimeError(f"redis-server has ended:\n{self.child.output()}")
        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
