"""Runs a target for a time and says what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz.targets import MAX_INPUT

ROOT: Final = Path(__file__).resolve().parents[2]
INPUTS: Final = ROOT / "fuzz"
# Messages that others made for this purpose (RFC 4475); data of its own beside the project, used where it is there.
TORTURE: Final = ROOT.parent / "shared" / "torture" / "rfc4475"
RUST: Final = ("headers", "mask", "message", "stream", "transactions", "uri", "variables", "websocket")
# Memory of the whole process: an input that needs more is a finding.
MAX_MEMORY_MB: Final = {"rust": 512, "python": 1_024}
# Targets watch processor time themselves; this ends what never returns.
HANG_S: Final = 30
_OF_SIP: Final = ("message", "mask", "headers", "stream", "transactions", "variables", "credentials", "dialog_routes")
_DICTIONARIES: Final = {**dict.fromkeys(_OF_SIP, "sip"), "kamailio_cfg": "kamailio_cfg", "tls_cfg": "kamailio_cfg"}


class FuzzError(Exception):
    """A target cannot be run; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found: `finding` is the input that failed, `report` what the target wrote."""

    target: str
    executions: int
    edges: int
    finding: Path | None
    status: int
    report: str

    @property
    def is_good(self) -> bool:
        """Whether the target ran and nothing was found."""
        return self.status == 0 and self.finding is None

    def __str__(self) -> str:
        if self.is_good:
            return f"{self.target:16} {self.executions:>12,} inputs {self.edges:>8,} edges   nothing found"
        return f"{self.target:16} status {self.status}, input {self.finding}\n{self.report[-4_000:]}"


def stored_inputs(target: str) -> Iterator[Path]:
    """The seeds of a target and what was found before, files that are in the repository."""
    for kind in ("corpus", "findings"):
        yield from sorted((INPUTS / kind / target).glob("*"))


def run(target: str, seconds: int, work: Path, options: Sequence[str] = ()) -> Outcome:
    """Fuzzes a target for about `seconds`; `work` keeps the inputs that reached something new, and those that failed.
    `options` are further ones of libFuzzer.

    Raises FuzzError when the program or a package is missing.
    """
    kept, failed = work / "corpus" / target, work / "failed" / target
    for folder in (kept, failed):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(failed.iterdir())
    kind = "rust" if target in RUST else "python"
    command = [
        *(_program(target) if kind == "rust" else [sys.executable, "-m", "fuzz.guided", target]),
        str(kept),
        *(str(folder) for folder in _seeds(target)),
        f"-max_total_time={seconds}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={MAX_MEMORY_MB[kind]}",
        f"-max_len={MAX_INPUT}",
        f"-artifact_prefix={failed}/",
        "-print_final_stats=1",
        *options,
    ]
    if name := _DICTIONARIES.get(target):
        command.append(f"-dict={INPUTS / 'dictionaries' / name}.dict")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    report = done.stdout.decode("utf-8", "replace")
    if "is missing" in report and done.returncode:
        raise FuzzError(report.strip())
    found = sorted(set(failed.iterdir()) - before)
    return Outcome(
        target,
        _last(r"stat::number_of_executed_units:\s*(\d+)", report),
        _last(r"\bcov: (\d+)", report),
        found[0] if found else None,
        done.returncode,
        report,
    )


def _seeds(target: str) -> Iterator[Path]:
    yield from (folder for kind in ("corpus", "findings") if (folder := INPUTS / kind / target).is_dir())
    if target in ("message", "mask") and TORTURE.is_dir():
        yield TORTURE


def _program(target: str) -> list[str]:
    """The program of a Rust target, as `make fuzzers` builds it."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    found = sorted(folder.glob(f"*/fuzz/{target}"))
    if not found:
        raise FuzzError(f"the fuzz target {target} is not built: make fuzzers")
    return [str(found[0])]


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0
