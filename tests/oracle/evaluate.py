"""Tables of expressions, evaluated by the scripts of Kamailio and Sipwright."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle.pair import server
from support.process import wait_until

EVALUATE = Path(__file__).parent / "scripts" / "evaluate.py"
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Table:
    """Expressions that one run of the request route evaluates in turn, and the request that it runs for.

    In `request` is `{id}` for the name of the table and `{me}` for the server's address. A line that begins with `$` is a
    pseudo-variable to read, any other a Python expression.
    """

    name: str
    request: bytes
    lines: Sequence[str]


def evaluate(kind: str, tables: Sequence[Table], directory: Path) -> dict[str, list[str]]:
    """What the lines of each table are in that server; fewer than there are lines if it ended at one."""
    directory.mkdir(parents=True)
    script = directory / "evaluate.py"
    shutil.copy(EVALUATE, script)
    (directory / "tables.json").write_text(json.dumps({table.name: list(table.lines) for table in tables}))
    values: dict[str, list[str]] = {table.name: [] for table in tables}
    with (
        server(kind, "default", script, directory) as running,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.bind(("127.0.0.1", 0))
        for table in tables:
            address = running.address("udp")
            text = table.request.replace(b"{id}", table.name.encode())
            text = text.replace(b"{me}", f"{address[0]}:{address[1]}".encode())
            peer.sendto(text.replace(b"{peer}", str(peer.getsockname()[1]).encode()), address)

            def done(name: str = table.name) -> bool:
                return not running.process.running() or any((row[0], row[1]) == (name, -1) for row in rows(directory))

            wait_until(done, PATIENCE_S, f"{kind} has evaluated {table.name}")
        assert running.process.running(), f"{kind} has ended:\n{running.log()[-8000:]}"
    for name, number, value in rows(directory):
        if number >= 0:
            values[name].append(value)
    return values


def rows(directory: Path) -> list[tuple[str, int, str]]:
    results = directory / "results"
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines(keepends=True) if line.endswith("\n")]
