"""The unit for systemd, what it needs to reach, and what the server tells systemd."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipwright.cli import main
from sipwright.service.files import unreadable, written_to
from sipwright.service.notify import Notifier
from sipwright.service.unit import Service
from sipwright.settings import load_settings
from support.tools import tool

SCRIPT = "class Handler:\n    def ksr_request_route(self, msg): return 1\ndef mod_init(): return Handler()\n"


# ---- the unit ------------------------------------------------------------------------------------------------------


def lines(service: Service) -> list[str]:
    return service.text().splitlines()


def exec_start(*command: str) -> str:
    return next(line for line in lines(Service("s", command)) if line.startswith("ExecStart="))


def test_words_of_the_command_mean_themselves() -> None:
    assert exec_start("/a b/run", "--set", 'x=50%"$y\\') == 'ExecStart="/a b/run" --set "x=50%%\\"$$y\\\\"'


@pytest.mark.parametrize(("ports", "rights"), [((5060, 0), ""), ((5060, 443), "CAP_NET_BIND_SERVICE")])
def test_only_low_ports_need_a_right(ports: tuple[int, ...], rights: str) -> None:
    found = lines(Service("s", ("x",), ports=ports))
    assert f"CapabilityBoundingSet={rights}" in found
    assert f"AmbientCapabilities={rights}" in found


def test_users_and_groups() -> None:
    assert "DynamicUser=yes" in lines(Service("s", ("x",)))
    found = lines(Service("s", ("x",), user="sip", groups=("ssl-cert", "media")))
    assert "User=sip" in found
    assert "SupplementaryGroups=ssl-cert media" in found
    assert "DynamicUser=yes" not in found


def test_a_directory_within_another_is_named_once() -> None:
    found = lines(Service("s", ("x",), writable=(Path("/v/a/b"), Path("/v/a"), Path("/v/ab"), Path("/v/a b"))))
    assert [line for line in found if line.startswith("ReadWrite")] == [
        "ReadWritePaths=/v/a",
        'ReadWritePaths="/v/a b"',
        "ReadWritePaths=/v/ab",
    ]


def test_systemd_takes_it(tmp_path: Path) -> None:
    """Its own checker finds nothing wrong, and next to no rights that are too many."""
    unit = tmp_path / "sipwright-test.service"
    unit.write_text(Service("sipwright-test", ("/bin/true", "run"), writable=(tmp_path,), ports=(443,)).text())
    verified = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, timeout=60
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=yes", unit], capture_output=True, text=True, timeout=60
    )
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d)", rated.stdout)
    assert level is not None, rated.stdout
    assert float(level[1]) <= 2.0, rated.stdout


# ---- files ---------------------------------------------------------------------------------------------------------


def test_where_it_writes() -> None:
    given = [
        "data_dir=/srv/state",
        "process.pid_file=/run/x/pid",
        "database.url=sqlite:////srv/db/users.db",
        "usrloc.db_url=mysql://u:p@host/db",
        "jsonrpcs.fifo_name=/run/y/fifo",
        "ctl.binrpc=unixs:/run/z/ctl",
    ]
    found = written_to(load_settings(None, given))
    assert found == [Path("/run/x"), Path("/run/y"), Path("/run/z"), Path("/srv/db"), Path("/srv/state")]


def test_files_that_the_user_cannot_read(tmp_path: Path) -> None:
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == os.getuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o755)
    open_file, key, gone = tmp_path / "open", tmp_path / "key", tmp_path / "gone"
    for file, mode in ((open_file, 0o644), (key, 0o600)):
        file.write_text("")
        file.chmod(mode)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "file").write_text("")
    hidden.chmod(0o700)
    paths = [open_file, key, gone, hidden / "file"]
    assert unreadable(paths, "nobody") == paths[1:]
    assert unreadable(paths, "") == paths[1:]
    assert unreadable([key], "root") == []


# ---- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "route.py"
    file.write_text(SCRIPT)
    return file


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["service", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_installed_renewed_and_removed(script: Path, tmp_path: Path) -> None:
    unit = tmp_path / "edge.service"
    where = ("--unit-dir", tmp_path, "--name", "edge")
    status, output = run("install", *where, "--", "route.py", "--listen", "udp:127.0.0.1:5060")
    assert status == 0, output
    assert f"wrote {unit}" in output
    assert "systemctl restart edge" in output
    assert f"run {script} --listen udp:127.0.0.1:5060 --data-dir /var/lib/edge" in unit.read_text()
    status, output = run("install", *where, "--user", "nobody", "--", "route.py", "-d", "/srv/sip")
    assert (status, "renewed" in output) == (0, True)
    text = unit.read_text()
    assert "User=nobody" in text
    assert "ReadWritePaths=/srv/sip" in text
    assert "/var/lib" not in text
    status, output = run("remove", *where)
    assert (status, unit.exists()) == (0, False)
    assert "its data is still in /var/lib/edge" in output
    assert run("remove", *where)[0] == 1


def test_a_file_of_settings_and_a_kamailio_cfg(script: Path, tmp_path: Path) -> None:
    (tmp_path / "sipwright.toml").write_text("[limits]\ndrain_ms = 20000\n")
    status, output = run("show", "--", "route.py")
    assert status == 0
    assert f"--config {tmp_path}/sipwright.toml" in output
    assert "TimeoutStopSec=35" in output
    cfg = tmp_path / "kamailio.cfg"
    cfg.write_text(
        'loadmodule "app_python3.so"\nmodparam("app_python3", "load", "route.py")\ncfgengine "python"\n'
        "listen=udp:127.0.0.1:700\n"
    )
    status, output = run("show", "--", "-f", "kamailio.cfg")
    assert status == 0, output
    assert f"run -f {cfg} --data-dir" in output
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE" in output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--", "--set", "script.workes=2"], "there is no such setting"),
        (["--user", "no-such-user", "--", "route.py"], "adduser --system --group no-such-user"),
        (["--group", "no-such-group", "--", "route.py"], "there is no such group"),
        (["--name", "a/b", "--", "route.py"], "letters, digits"),
        (["--", "--no-such-option"], "No such option"),
    ],
)
def test_mistakes_install_nothing(script: Path, tmp_path: Path, arguments: list[str], expected: str) -> None:
    status, output = run("install", "--unit-dir", tmp_path, *arguments)
    assert status == 2
    assert expected in output
    assert not list(tmp_path.glob("*.service"))


def test_a_unit_of_others_stays(script: Path, tmp_path: Path) -> None:
    unit = tmp_path / "sipwright.service"
    unit.write_text("[Service]\n")
    for command in (("install", "--unit-dir", tmp_path, "--", "route.py"), ("remove", "--unit-dir", tmp_path)):
        assert run(*command)[0] == 1
    assert unit.read_text() == "[Service]\n"


# ---- sd_notify -----------------------------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        server.settimeout(5)
        yield server


def test_what_the_manager_is_told(manager: socket.socket) -> None:
    environ = {
        "NOTIFY_SOCKET": str(manager.getsockname()),
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    notifier = Notifier(environ)
    assert environ == {}, "programs that the script starts must not speak for the server"
    before = time.monotonic_ns() // 1000
    notifier.ready("fine")
    notifier.reloading()
    notifier.beat()
    notifier.beat()
    notifier.stopping(7.5)
    told = [dict(line.split("=", 1) for line in manager.recv(1000).decode().splitlines()) for _ in range(4)]
    assert told[0] == {"READY": "1", "STATUS": "fine", "MAINPID": str(os.getpid())}
    assert told[1].keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert int(told[1]["MONOTONIC_USEC"]) >= before
    assert told[2] == {"WATCHDOG": "1"}
    assert told[3] == {"STOPPING": "1", "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": "7500000"}


def test_abstract_names_and_watchdogs_of_others() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        name = f"sipwright-test-{os.getpid()}"
        server.bind(f"\0{name}")
        server.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
        notifier.beat()
        notifier.ready("up")
        assert server.recv(1000).startswith(b"READY=1")


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    Notifier({}).ready("up")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("up")
