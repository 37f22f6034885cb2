"""Private PostgreSQL and MariaDB servers on loopback, and SQLite files as Kamailio's own scripts make them."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.ports import free_port
from support.process import Child, wait_until
from support.tools import MissingTool, tool

START_TIMEOUT_S = 30.0
KAMAILIO_SQL = Path("/usr/share/kamailio/db_sqlite")
# The scripts of Kamailio's own that make the tables which Sipwright knows.
KAMAILIO_SCRIPTS = [
    "standard",
    "acc",
    "auth_db",
    "alias_db",
    "avpops",
    "dialog",
    "dispatcher",
    "domain",
    "group",
    "htable",
    "permissions",
    "registrar",
    "rtpengine",
    "siptrace",
    "speeddial",
    "uac",
    "uri_db",
    "usrloc",
    "msilo",
]

_numbers = itertools.count(1)


@dataclass
class DatabaseServer:
    """A running server; `new_url` makes an empty database. `stop` and `start` let it go away and come back."""

    kind: str
    user: str
    port: int
    directory: Path
    argv: list[str]
    admin: list[str]
    child: Child | None = None
    names: list[str] = field(default_factory=list)

    def new_url(self) -> str:
        name = f"sip{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        self.names.append(name)
        scheme = {"postgresql": "postgres", "mariadb": "mysql"}[self.kind]
        return f"{scheme}://{self.user}:secret@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str) -> None:
        """Runs a statement as administrator."""
        subprocess.run([*self.admin, statement], check=True, capture_output=True, timeout=30)

    def start(self) -> None:
        log = self.directory / "server.log"
        self.child = Child(self.argv, log, cwd=self.directory)
        try:
            wait_until(self._answers, START_TIMEOUT_S, f"{self.kind} answering")
        except (TimeoutError, RuntimeError) as error:
            self.child.kill()
            raise RuntimeError(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from None

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(20.0)
            self.child = None

    def _answers(self) -> bool:
        assert self.child is not None
        if not self.child.running():
            raise RuntimeError(f"{self.kind} has ended")
        done = subprocess.run([*self.admin, "SELECT 1"], capture_output=True, timeout=30)
        return done.returncode == 0


@contextlib.contextmanager
def postgresql() -> Iterator[DatabaseServer]:
    """PostgreSQL with a superuser `sip`."""
    programs = _postgresql_programs()
    with _directory("postgres") as directory:
        as_user = _as_user("postgres")
        data, password = directory / "data", directory / "password"
        password.write_text("secret\n")
        os.chmod(password, 0o644)
        options = ["-U", "sip", "-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "--locale=C"]
        _run([*as_user, str(programs / "initdb"), "-D", str(data), "--no-sync", *options])
        port = free_port()
        options = ["fsync=off", "listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={directory}"]
        options += ["full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB", "max_connections=40"]
        argv = [*as_user, str(programs / "postgres"), "-D", str(data)]
        argv += [part for option in options for part in ("-c", option)]
        admin = ["env", "PGPASSWORD=secret", str(programs / "psql"), "-qX", "-h", "127.0.0.1", "-p", str(port)]
        server = DatabaseServer("postgresql", "sip", port, directory, argv, [*admin, "-U", "sip", "postgres", "-c"])
        with _running(server):
            yield server


@contextlib.contextmanager
def mariadb() -> Iterator[DatabaseServer]:
    """MariaDB with a user `sip` who may do everything."""
    server_program, install = tool("mariadbd"), tool("mariadb-install-db")
    with _directory("mysql") as directory:
        as_user = _as_user("mysql")
        data, socket = directory / "data", directory / "socket"
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        _run([*as_user, install, "--no-defaults", f"--datadir={data}", *options])
        port = free_port()
        argv = [*as_user, server_program, "--no-defaults", f"--datadir={data}", f"--socket={socket}", f"--port={port}"]
        argv += ["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
        argv += ["--skip-log-bin", "--skip-name-resolve", f"--pid-file={directory / 'pid'}"]
        admin = [tool("mariadb"), "--no-defaults", f"--socket={socket}", "-u", "root", "-e"]
        server = DatabaseServer("mariadb", "sip", port, directory, argv, admin)
        with _running(server):
            server.sql("CREATE USER sip@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO sip@'127.0.0.1'")
            yield server


def kamailio_sqlite(path: Path, scripts: Sequence[str] = KAMAILIO_SCRIPTS) -> str:
    """Makes an SQLite file by the scripts that Debian's Kamailio brings, as kamdbctl does; its URL."""
    if not KAMAILIO_SQL.is_dir():
        raise MissingTool(f"{KAMAILIO_SQL} is not there: apt install kamailio kamailio-sqlite-modules")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for name in scripts:
            connection.executescript((KAMAILIO_SQL / f"{name}-create.sql").read_text())
    return f"sqlite://{path}"


@contextlib.contextmanager
def _running(server: DatabaseServer) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


@contextlib.contextmanager
def _directory(user: str) -> Iterator[Path]:
    """A directory that the server's user may use, outside of pytest's, which only we may enter."""
    path = Path(tempfile.mkdtemp(prefix="sipwright-db-"))
    path.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(path, _system_user(user))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _as_user(user: str) -> list[str]:
    """Database servers refuse to run as root."""
    if os.geteuid() != 0:
        return []
    entry = pwd.getpwnam(_system_user(user))
    return [tool("setpriv"), f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def _system_user(wanted: str) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(wanted).pw_name
    return "nobody"


def _postgresql_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    return Path(tool("initdb")).parent


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{argv[-1]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
