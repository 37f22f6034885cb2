"""Child processes that are watched through /proc and ended by pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stop:
    """How a process ended: seconds from the signal on, exit code (negative: the signal that killed it)."""

    seconds: float
    code: int


def descendants(pid: int) -> list[int]:
    """The process and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for process in found:
        found.extend(children.get(process, []))
    return found


def cpu_ns(pids: Sequence[int]) -> int:
    """CPU time, user and system, that the live threads of the processes have used, in nanoseconds."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def open_files(pid: int) -> int:
    """How many file descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_bytes(pid: int) -> int:
    """Resident memory of the process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Poll until the condition holds; `what` says in the error what did not happen."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout_s} s")
        time.sleep(0.005)


class Child:
    """A process whose output goes to a file; leaving the context ends it and whatever it started."""

    def __init__(self, argv: Sequence[str | Path], log: Path, *, cwd: Path, env: dict[str, str] | None = None) -> None:
        self.argv = [str(part) for part in argv]
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def pids(self) -> list[int]:
        """Every live process of this child."""
        return descendants(self.pid)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def wait_output(self, text: str, timeout_s: float = 10.0) -> None:
        """Wait until the text stands in the output; fails at once when the process ends."""

        def there() -> bool:
            if text in self.output():
                return True
            if not self.running():
                raise RuntimeError(f"{self.argv[0]} ended with {self.popen.returncode}:\n{self.output()}")
            return False

        wait_until(there, timeout_s, f"{text!r} in the output of {self.argv[0]}")

    def wait(self, timeout_s: float) -> int:
        """The exit code; a process that is late is killed and reported."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.argv} still ran after {timeout_s} s:\n{self.output()[-4000:]}") from None

    def stop(self, timeout_s: float = 10.0, sign: signal.Signals = signal.SIGTERM) -> Stop:
        """Send the signal and wait; a process that does not end in time is killed and counts as -SIGKILL."""
        start = time.monotonic()
        self.popen.send_signal(sign)
        try:
            code = self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = -signal.SIGKILL
        return Stop(time.monotonic() - start, code)

    def kill(self) -> None:
        """End the process and its descendants at once."""
        if self.popen.returncode is None:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.popen.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running():
            self.stop()
