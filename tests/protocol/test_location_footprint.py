"""A location table stays small and never holds up others: the command of bench/, in a smaller form."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from support.servers import ROOT

BINDINGS = 100_000
MAX_BYTES_EACH = 1_000
MAX_STEP_MS = 50.0


def test_memory_of_a_binding() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'bench'}:{ROOT / 'tests'}"}
    argv = [sys.executable, "-m", "load.locations", str(BINDINGS)]
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, timeout=60)
    figures = json.loads(done.stdout)
    assert figures["bindings"] == BINDINGS
    assert 100 < figures["bytes_each"] < MAX_BYTES_EACH, figures
    assert figures["longest_step_ms"] < MAX_STEP_MS, figures
