"""Lines of the log as messages of syslog (RFC 3164)."""

from __future__ import annotations

import re

import pytest

from sipwright.syslog import FACILITIES, messages

LEVELS = [("ALERT", 1), ("CRITICAL", 2), ("ERROR", 3), ("WARNING", 4), ("NOTICE", 5), ("INFO", 6), ("DEBUG", 7)]


@pytest.mark.parametrize(("level", "severity"), LEVELS)
def test_severities(level: str, severity: int) -> None:
    line = f"2026-01-31T12:34:56.789Z {level:<7} some text\n"
    (message,) = messages([line], "local7", "edge", "42")
    pattern = rf"<{23 * 8 + severity}>[A-Z][a-z][a-z] [ 0-9]\d \d\d:\d\d:\d\d edge\[42\]: {level}: some text"
    assert re.fullmatch(pattern, message.decode())


def test_further_lines_keep_the_severity_and_long_ones_are_cut() -> None:
    lines = ["from elsewhere", "2026-01-31T12:34:56.789Z ERROR   bad", "  traceback", "", "x" * 9000]
    found = list(messages(lines, "daemon", "edge", "42"))
    assert [message.partition(b">")[0] for message in found] == [b"<30", b"<27", b"<27", b"<27"]
    assert max(map(len, found)) == 8000


def test_facilities() -> None:
    assert (FACILITIES["kern"], FACILITIES["daemon"], FACILITIES["local0"], FACILITIES["local7"]) == (0, 3, 16, 23)
