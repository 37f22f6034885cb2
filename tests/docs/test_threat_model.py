"""Each threat in THREAT_MODEL.md names tests that exist."""

from __future__ import annotations

import re

import pytest

from support.servers import ROOT

TEXT = (ROOT / "THREAT_MODEL.md").read_text()
# Rows of tables with three columns under these headings have tests in the last one.
ROWS = [
    (cells[0].strip(), cells[2])
    for line in TEXT.splitlines()
    if line.startswith("| ") and len(cells := line.strip("| ").split(" | ")) == 3 and cells[2].strip().startswith("`")
]


def test_every_threat_has_tests() -> None:
    tables = re.findall(r"^\| threat \| defence \| tests \|\n\|---.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert len(tables) >= 6
    assert sum(table.count("\n") for table in tables) == len(ROWS)


@pytest.mark.parametrize(("threat", "tests"), ROWS, ids=[threat[:50] for threat, _ in ROWS])
def test_tests_exist(threat: str, tests: str) -> None:
    named = re.findall(r"`([^`]+)`", tests)
    assert named, threat
    for one in named:
        path, _, function = one.partition("::")
        assert (ROOT / path).is_file(), one
        if function:
            pattern = rf"^\s*(?:async )?(?:def|fn) {re.escape(function)}\("
            assert re.search(pattern, (ROOT / path).read_text(), re.MULTILINE), one
