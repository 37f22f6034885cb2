"""The short form of `make endurance`: all kinds of work are done, none fails, and no descriptor stays open."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.servers import ROOT

SECONDS = 10
KINDS = {
    *("calls", "connections", "registrations"),
    *("registrations with passwords", "calls over TLS with passwords", "calls over WebSocket with passwords"),
}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nothing_fails_and_no_descriptor_stays_open(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "load.endurance", "--seconds", str(SECONDS), "--every", "2", "--out", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'bench'}:{ROOT / 'tests'}"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing failed, nothing grew." in done.stdout
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]] for line in done.stdout.splitlines() if line.startswith("|")
    ]
    assert {what for what, count in rows if count.replace(",", "").isdigit() and count != "0"} >= KINDS, done.stdout
    with next(tmp_path.glob("*-endurance.csv")).open() as file:
        samples = list(csv.DictReader(file))
    assert int(samples[-1]["seconds"]) >= SECONDS - 1
    assert all(int(sample["rss"]) > 0 and int(sample["descriptors"]) > 0 for sample in samples)
    assert next(tmp_path.glob("*-endurance.svg")).read_text().count("<path") == 3
