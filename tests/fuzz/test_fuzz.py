"""Every fuzz target for a few seconds, always with the same inputs, so that a run depends on the code alone; `make fuzz` goes
on with others for as long as one likes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from fuzz.run import RUST, run
from fuzz.targets import TARGETS

ALL: Final = (*RUST, *TARGETS)
# For all targets together.
SECONDS: Final = int(os.environ.get("FUZZ_SHORT_SECONDS", "60"))
SAME_INPUTS: Final = ("-seed=1", "-runs=2000")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 180)]


@pytest.mark.parametrize("target", ALL)
def test_nothing_is_found(target: str, tmp_path: Path) -> None:
    outcome = run(target, max(1, round(SECONDS / len(ALL))), tmp_path, SAME_INPUTS)
    assert outcome.is_good, str(outcome)
    assert outcome.executions > 10, outcome.report
    # A reader that is one regular expression has a single edge.
    assert outcome.edges > 0, f"{target} is not instrumented:\n{outcome.report}"


def test_a_fault_would_be_found(tmp_path: Path) -> None:
    outcome = run("planted", 20, tmp_path)
    assert not outcome.is_good
    assert outcome.finding is not None
    assert "ValueError" in outcome.report
