"""The deployments of examples/kamailio, each as it is in a folder of the test's own, run by either server.

Only local.cfg, the lists and the certificates are the test's; and the script is wrapped, so that its calls are counted.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.certificates import Certificates
from support.ports import free_port
from support.process import Stop
from support.servers import KAMAILIO_OPTIONS, ROOT, SIPWRIGHT, Kamailio, Listen, SipwrightByCfg

DEPLOYMENTS = ROOT / "examples" / "kamailio"
DATABASE = "sip.db"
DOMAIN = "sip.test"
LOADS = 'modparam("app_python3", "load", "./{}")'


@dataclass
class Deployment:
    """What a test makes of a deployment before it is started."""

    name: str
    script: str
    directory: Path
    # What local.cfg defines; None for a define without a value.
    defines: Mapping[str, object | None]
    listen: Sequence[Listen]
    users: Path

    def prepare(self, files: Mapping[str, str], certs: Certificates | None) -> None:
        """Copies the deployment, and the database with its users."""
        shutil.copytree(DEPLOYMENTS / self.name, self.directory)
        shutil.copy(self.users, self.directory / DATABASE)
        values = {"DBURL": f'"sqlite:///{self.directory / DATABASE}"', **self.defines}
        lines = [f"#!define {name}{'' if value is None else f' {value}'}\n" for name, value in values.items()]
        (self.directory / "local.cfg").write_text("".join(lines))
        cfg = self.directory / "kamailio.cfg"
        text = cfg.read_text()
        assert text.count(LOADS.format(self.script)) == 1
        cfg.write_text(text.replace(LOADS.format(self.script), LOADS.format("counted.py")))
        for name, content in files.items():
            (self.directory / name).write_text(content)
        if certs is not None:
            shutil.copy(certs.certificate, self.directory / "edge.pem")
            shutil.copy(certs.key, self.directory / "edge.key")
            shutil.copy(certs.ca, self.directory / "ca.pem")

    def server(self, kind: str) -> Kamailio:
        """The server that runs it."""
        made = KamailioInFolder if kind == "kamailio" else SipwrightInFolder
        return made(self.directory / self.script, self.directory, self.listen, workers=2, counted=True)


class _InFolder:
    """Takes the kamailio.cfg that is in the directory instead of one of its own."""

    def argv(self: Any) -> list[str]:
        return [
            *self.program(),
            *KAMAILIO_OPTIONS,
            "-Y",
            str(self.directory),
            "-w",
            str(self.directory),
            "-f",
            "kamailio.cfg",
        ]


class KamailioInFolder(_InFolder, Kamailio):
    """Debian's Kamailio in the folder of a deployment."""

    def stop(self, timeout_s: float = 1.0) -> Stop:
        # Over SQLite its processes may wait for each other when they end.
        return super().stop(timeout_s)


class SipwrightInFolder(_InFolder, SipwrightByCfg):
    """Sipwright in the folder of a deployment."""


def lab(directory: Path, users: Path, **defines: object) -> Deployment:
    """The lab-registrar on a free port."""
    listen = [Listen("udp", port=free_port())]
    return Deployment(
        "lab-registrar", "lab.py", directory, {"LISTEN": listen[0], "DOMAIN": f'"{DOMAIN}"', **defines}, listen, users
    )


def edge(directory: Path, users: Path, **defines: object | None) -> Deployment:
    """The production-edge on free ports, with quick timers."""
    port, tls_port = free_port(), free_port()
    listen = [Listen("udp", port=port), Listen("tcp", port=port), Listen("tls", port=tls_port)]
    quick = {"SIP_PORT": port, "TLS_PORT": tls_port, "SILENCE_MS": 1000, "PROBE_S": 3600}
    values = {"DOMAIN": f'"{DOMAIN}"', **quick, **defines}
    return Deployment("production-edge", "edge.py", directory, values, listen, users)


def make_users(file: Path, passwords: Mapping[str, str]) -> Path:
    """A database as the guides say: `sipwright db create`, `sipwright user add`, and the columns of the edge."""
    url = f"sqlite://{file}"
    _sipwright("db", "create", "--url", url)
    for name, password in passwords.items():
        _sipwright("user", "add", f"{name}@{DOMAIN}", "--password-stdin", "--url", url, text=f"{password}\n")
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript((DEPLOYMENTS / "production-edge" / "columns.sql").read_text())
        # One file, so that it can be copied.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def rows(server: Kamailio, columns: str, table: str, where: str = "1") -> list[tuple[Any, ...]]:
    """Rows of the deployment's database, in the order in which they were written."""
    file = server.directory / DATABASE
    # Kamailio does not wait for a lock, and loses what it has to write: who reads its file takes none.
    # Sipwright's is in WAL mode, where readers are in nobody's way.
    ways = "" if Path(f"{file}-wal").exists() else "?mode=ro&nolock=1"
    with contextlib.closing(sqlite3.connect(f"file:{file}{ways}", uri=True, timeout=5)) as connection:
        return connection.execute(f"SELECT {columns} FROM {table} WHERE {where} ORDER BY id").fetchall()


def _sipwright(*arguments: str, text: str = "") -> None:
    done = subprocess.run([SIPWRIGHT, *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
