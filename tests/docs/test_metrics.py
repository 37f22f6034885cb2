"""The types of metrics are those that the reference says."""

from __future__ import annotations

import re

from sipwright.control.http.metrics import GAUGES
from support.servers import ROOT


def test_gauges_are_those_of_the_reference() -> None:
    """Those of each location table have its name; metrics.py knows them by the end of it."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (ROOT / "docs/reference/counters.md").read_text(), re.MULTILINE)
    marked = {name for name, text in rows if "(gauge)" in text}
    assert {name for name in marked if not name.startswith("location_")} == GAUGES
