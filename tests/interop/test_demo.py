"""`make demo` shows a call over TLS and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.servers import ROOT

# What passes, in this order; messages between the phones and the server, and what the script did with them.
STEPS = (
    r"sip:alice@\S+ is registered, over TLSv1\.3",
    r"sip:bob@\S+ is registered, over TLSv1\.3",
    r"INVITE sip:alice@\S+ to sip:bob@\S+: ended 200",
    r"INVITE SDP ─+▶",
    r"● ksr_request_route",
    r'● KSR\.registrar\.lookup\("location"\)',
    r"INVITE SDP ─+▶",
    r"◀─+ 180 Ringing",
    r"◀─+ 180 Ringing",
    r"◀─+ 200 OK SDP",
    r"◀─+ 200 OK SDP",
    r"ACK ─+▶",
    r"ACK ─+▶",
    r"BYE ─+▶",
    r"BYE ─+▶",
    r"◀─+ 200 OK \(BYE\)",
    r"◀─+ 200 OK \(BYE\)",
    r"It works\.",
)


@pytest.mark.timeout(150)
def test_the_demonstration(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUTF8": "1"}
    argv = [sys.executable, "-m", "sipwright", "demo", "--width", "120"]
    done = subprocess.run(argv, capture_output=True, text=True, encoding="utf-8", timeout=100, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    at = 0
    for step in STEPS:
        found = re.compile(step).search(done.stdout, at)
        assert found is not None, f"{step} is missing after {done.stdout[:at][-200:]!r}\n{done.stdout}"
        at = found.end()
    assert list(tmp_path.iterdir()) == [], "what it made is gone"


def test_make_runs_it() -> None:
    assert "$(BIN)/sipwright demo" in (ROOT / "Makefile").read_text()
