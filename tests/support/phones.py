"""Real SIP clients as child processes: pjsua2 by way of softphone.py."""

from __future__ import annotations

import importlib.util
import queue
import subprocess
import sys
import threading
from pathlib import Path

from support.tools import MissingTool

SOFTPHONE = Path(__file__).with_name("softphone.py")


class Phone:
    """A pjsua2 softphone; `event` waits for what it says next."""

    def __init__(self, proto: str, user: str, server: tuple[str, int], directory: Path, ca: Path | None = None) -> None:
        if importlib.util.find_spec("pjsua2") is None:
            raise MissingTool("the Python package pjsua2-python is not installed (its wheels end at Python 3.12)")
        self.user, self.log = user, directory / f"{user}.log"
        self._events: queue.Queue[str] = queue.Queue()
        argv = [sys.executable, str(SOFTPHONE), proto, user, server[0], str(server[1])]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*argv, *([str(ca)] if ca else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "event":
                self._events.put(rest)
        self._process.stdout.close()

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def event(self, name: str, timeout_s: float = 15.0) -> str:
        """Wait for the next event, which must be this one; returns its words."""
        try:
            found = self._events.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"{self.user}: no {name} within {timeout_s} s:\n{self.tail()}") from None
        word, _, rest = found.partition(" ")
        assert word == name, f"{self.user}: {found!r} instead of {name}:\n{self.tail()}"
        return rest

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.communicate("quit\n" if self._process.poll() is None else None, timeout=15)
        except (subprocess.TimeoutExpired, ValueError):
            self._process.kill()
            self._process.wait()
