"""Makes docs/reference/differences.md from the table of differences: `cd tests && python -m oracle.reference`."""

from __future__ import annotations

from pathlib import Path

from oracle.differences import DIFFERENCES
from oracle.pair import COMMON

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "differences.md"

INTRODUCTION = """# Differences from Kamailio

Where Sipwright sends something else than Kamailio does for the same script and the same SIP, and why. This page is made
from `tests/oracle/differences.py` by `python -m oracle.reference` in `tests/`.

The tests in `tests/oracle` run Debian's Kamailio and Sipwright with the same Python script and the same configuration,
let the same peers talk to both, and compare every message that either sends, byte for byte, and what the script's routes
saw. Branches, tags, Call-IDs, ports and dates that a server invents are replaced by names first, and the server's own Via
is taken as the first header field: Kamailio writes what a script inserts above it. What then differs must be on this page,
with a reason; an entry that no longer holds fails the tests too. What differs in how scripts are loaded and run is in
[the script contract](script.md#what-differs-from-kamailio-and-why).

"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for one in DIFFERENCES:
        scenarios = ", ".join(f"`{name}`" for name in one.scenarios)
        parts.append(
            f"## {one.title}\n\n- Kamailio {one.kamailio}.\n- Sipwright: {one.sipwright}.\n- Why: {one.why}\n"
            f"- Seen in: {scenarios}.\n\n"
        )
    parts.append("## Configuration of the comparison\n\nKamailio:\n\n")
    parts.append("```\n" + COMMON.kamailio.strip() + "\n```\n\nSipwright:\n\n```\n")
    parts.append("\n".join(f"{name} = {value}" for name, value in COMMON.sipwright.items()) + "\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
