"""The tutorial of the test kit is true: its files are written and its commands run, in their order."""

from __future__ import annotations

import re

import pytest

# pytester forgets what is first imported inside, and an extension cannot be imported twice.
import sipwright.testing.coverage
import sipwright.testing.server  # noqa: F401
from support.servers import ROOT

PAGE = ROOT / "docs" / "tutorial" / "test-a-script.md"
# Hypothesis keeps state of the run that it is in.
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "sipwright.testing.plugin")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_tutorial(pytester: pytest.Pytester) -> None:
    ran = 0
    for kind, text in BLOCK.findall(PAGE.read_text()):
        first, _, rest = text.partition("\n")
        if kind != "console":
            assert first.startswith("# "), f"a block of {kind} without a file name: {first}"
            (pytester.path / first.removeprefix("# ")).write_text(rest)
            continue
        command, *arguments = first.removeprefix("$ ").split()
        assert command == "pytest"
        result = pytester.runpytest_inprocess(*arguments, *PLUGINS)
        shown = result.stdout.str()
        for line in rest.splitlines():
            assert line in shown, f"{first}: {line!r} is not in\n{shown}"
        assert result.ret == (1 if "failed" in rest else 0)
        ran += 1
    assert ran == 4
