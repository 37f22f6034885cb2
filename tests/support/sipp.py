"""sipp with the project's own scenarios."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.process import Child
from support.tools import tool

SCENARIOS = Path(__file__).with_name("scenarios")


@dataclass(frozen=True)
class Figures:
    """What sipp counted over its whole run."""

    calls: int
    successful: int
    failed: int
    retransmissions: int
    unexpected: int


class Sipp:
    """One sipp process: a caller when it is given calls to make at a rate, else the called side."""

    def __init__(
        self,
        scenario: str,
        remote: tuple[str, int],
        directory: Path,
        *,
        port: int,
        calls: int,
        rate: int | None = None,
        transport: str = "u1",
        keys: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        arguments: Sequence[str] = (),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._stats = directory / f"{scenario}-{port}.csv"
        self._errors = directory / f"{scenario}-{port}.errors"
        argv: list[str | Path] = [tool("sipp"), f"{remote[0]}:{remote[1]}", "-sf", SCENARIOS / f"{scenario}.xml"]
        argv += ["-i", "127.0.0.1", "-p", str(port), "-t", transport, "-m", str(calls), "-nostdin"]
        argv += ["-trace_stat", "-stf", self._stats, "-fd", "3600", "-trace_err", "-error_file", self._errors]
        argv += ["-timeout", f"{timeout_s:.0f}", "-timeout_error"]
        argv += ["-r", str(rate)] if rate else []
        for key, value in (keys or {}).items():
            argv += ["-key", key, value]
        self.timeout_s = timeout_s
        self.child = Child([*argv, *arguments], directory / f"{scenario}-{port}.out", cwd=directory)

    def wait(self) -> int:
        """The exit code: 0 when every call succeeded."""
        return self.child.wait(self.timeout_s + 15)

    def finish(self) -> None:
        """End the called side, letting it write its counts."""
        if self.child.running():
            self.child.stop(5.0, signal.SIGUSR1)

    def figures(self) -> Figures:
        """The counts, once the process has ended."""
        names, *_, last = (line.split(";") for line in self._stats.read_text().splitlines())
        row = dict(zip(names, last, strict=False))
        return Figures(
            calls=int(row["TotalCallCreated"]),
            successful=int(row["SuccessfulCall(C)"]),
            failed=int(row["FailedCall(C)"]),
            retransmissions=int(row["Retransmissions(C)"]),
            unexpected=int(row["FailedUnexpectedMessage(C)"]),
        )

    def errors(self) -> str:
        """What sipp wrote about failed calls."""
        text = self._errors.read_text(errors="replace") if self._errors.exists() else ""
        return text + self.child.output()[-2000:]

    def __enter__(self) -> Sipp:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self.child.kill()
