"""The stored inputs of the fuzz targets of Python: seeds, and what fuzzing has found. Rust's are in fuzz/tests/inputs.rs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.run import INPUTS, RUST, stored_inputs
from fuzz.targets import TARGETS, check

STORED = [(name, path) for name in TARGETS for path in stored_inputs(name)]


@pytest.mark.parametrize(("name", "path"), STORED, ids=[f"{name}/{path.name}" for name, path in STORED])
def test_stored_inputs_hold(name: str, path: Path) -> None:
    check(TARGETS[name], path.read_bytes())


def test_every_target_has_seeds_and_every_folder_a_target() -> None:
    known = {*RUST, *TARGETS}
    assert {path.name for path in (INPUTS / "corpus").iterdir()} == known
    assert {path.name for path in (INPUTS / "findings").iterdir()} <= known


def test_inputs_are_small() -> None:
    paths = [path for kind in ("corpus", "findings") for path in (INPUTS / kind).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in paths) < 500_000
