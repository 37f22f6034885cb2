"""User instructions of both servers for each call, counted by callgrind: the same on a busy machine as on a quiet one.

Each server runs twice with one worker and equally long, for few and for more calls; counting begins after
the first calls, and the difference leaves out the stop and what goes on without calls. The kernel's
work is not in it, nor what a transaction costs when it is forgotten half a minute later.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from load.figures import Figure
from load.loads import Plan
from support.process import Stop
from support.servers import Listen, Server
from support.tools import tool

SECONDS = 20
FEW, MORE = 2, 22
"""Calls a second of the two runs: callgrind makes the server some fifty times slower."""
WARM_UP_CALLS = 3
"""The first call imports what the start left out, for seconds."""


@dataclass(frozen=True)
class Count:
    """User instructions of all processes of the server for one call."""

    script: str
    server: str
    each: float


def under_callgrind(kind: type[Server], out: Path) -> type[Server]:
    """The same server, started by valgrind; one file for each process."""

    def argv(self: Any) -> list[str]:
        command = [tool("valgrind"), "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}/callgrind.%p"]
        return [*command, *kind.argv(self)]

    def stop(self: Any, timeout_s: float = 120.0) -> Stop:
        return kind.stop(self, timeout_s)

    slower = {"argv": argv, "stop": stop, "start_timeout_s": 120.0}
    return type(f"{kind.__name__}UnderCallgrind", (kind,), slower)


def count(
    kind: type[Server],
    script: Path,
    load: Callable[[Server, Plan], Figure],
    plan: Plan,
    prepare: Callable[[Server], object] | None = None,
) -> Count:
    """Instructions of a call; `prepare` is done to the server when the first calls are over."""
    few, more = (
        total(kind, script, load, replace(plan, calls_rate=rate, calls_seconds=SECONDS), prepare)
        for rate in (FEW, MORE)
    )
    found = Count(script.name, kind.name, (more - few) / SECONDS / (MORE - FEW))
    print(f"{found.script} {found.server}: {found.each:,.0f} user instructions a call", file=sys.stderr, flush=True)
    return found


def total(
    kind: type[Server],
    script: Path,
    load: Callable[[Server, Plan], Figure],
    plan: Plan,
    prepare: Callable[[Server], object] | None,
) -> int:
    """All instructions of one run."""
    with tempfile.TemporaryDirectory(prefix="sipwright-bench-") as name:
        server = under_callgrind(kind, Path(name))(script, Path(name) / "server", [Listen("udp")], workers=1)
        with server:
            load(server, replace(plan, calls_rate=1, calls_seconds=WARM_UP_CALLS))
            if prepare is not None:
                prepare(server)
            for pid in server.process.pids():
                subprocess.run([tool("callgrind_control"), "--zero", str(pid)], check=True, capture_output=True)
            figure = load(server, plan)
        assert figure.failed == 0, f"{figure.failed} calls failed"
        files = list(Path(name).glob("callgrind.*"))
        found = [re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.MULTILINE) for file in files]
        assert found, "callgrind wrote nothing"
        return sum(int(line[1]) for line in found if line)
