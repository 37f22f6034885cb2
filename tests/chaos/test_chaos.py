"""Faults that a test makes around a real server: a bad line, peers that vanish, name servers that lie, no descriptors,
no disk, no database, a clock that is set.

Each file of `cases` runs in network, mount and process namespaces of its own, where it may take addresses away and mount
what it likes, and with which whatever it has started ends. CHAOS_SECONDS makes the load in them longer (3).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.servers import ROOT
from support.tools import tool

CASES = Path(__file__).parent / "cases"
SECONDS = float(os.environ.get("CHAOS_SECONDS", "3"))
# For each file; what its tests wait for has limits of its own, which are shorter.
TIMEOUT_S = 170 + 12 * SECONDS
NETWORK = 'ip link set lo up; exec "$@"'


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S + 20)
@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.py")))
def test_chaos(name: str) -> None:
    """The cases of `cases/NAME.py`."""
    # The path of a Unix socket has room for some hundred bytes, so this one is short.
    with tempfile.TemporaryDirectory(prefix="chaos") as base:
        pytest_in = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
        inside = [*pytest_in, "--basetemp", f"{base}/t", str(CASES / f"{name}.py")]
        command = [*namespaces(), "sh", "-ec", NETWORK, "sh", *inside]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"{name} hangs:\n{(late.stdout or b'')[-8000:].decode(errors='replace')}")
    assert done.returncode == 0, (done.stdout + done.stderr)[-12000:]


def namespaces() -> list[str]:
    """The command that runs another one in namespaces; a system that lets nobody make them fails the test."""
    command = [tool("unshare"), "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-current-user", "--keep-caps"]
    tool("ip")
    done = subprocess.run([*command, "true"], capture_output=True, text=True)
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.stderr.strip()}. These tests need namespaces of their own: user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1), or in a container the capability SYS_ADMIN (docker run --privileged)"
    )
    return command
