"""The command line: exit statuses, and errors of one clear line each."""

import json
import socket
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sipwright.cli import COMMANDS, main
from sipwright.control.lock import DataDirLock

SCRIPT = """
import KSR
class Handler:
    def child_init(self, rank): return 0
    def ksr_request_route(self, msg): return 1
def mod_init(): return Handler()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine that runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SIPWRIGHT_CONFIG", "SIPWRIGHT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit), "an exception that the user would see"
    return result


def script(tmp_path: Path, text: str = SCRIPT) -> Path:
    file = tmp_path / "route.py"
    file.write_text(text)
    return file


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "script.workes=2"], "script.workes: there is no such setting; did you mean script.workers?"),
        (["--workers", "none"], "command line: script.workers: must be a valid integer"),
        (["--tls-mode", "3"], "command line: tls.threads_mode: must be one of: 0, 1, 2"),
        (["--listen", "sctp:1.2.3.4:x"], "command line: listen.0: 'sctp' is not a protocol"),
        (["--config", "gone.toml"], "gone.toml: No such file"),
        (["--listen", "udp:no-such-interface9:5060"], "listen udp:no-such-interface9:5060: "),
        (["--set", "websocket.ping_application_data=" + "x" * 126], "websocket.ping_application_data: is longer than"),
        (["--set", "xhttp.url_match=("], "xhttp.url_match: "),
    ],
)
def test_wrong_settings_end_with_status_2(arguments: list[str], expected: str) -> None:
    result = run("run", *arguments)
    assert result.exit_code == 2
    assert expected in result.output
    assert result.output.startswith("sipwright: ")
    assert len(result.output.splitlines()) == 1


def test_the_threads_of_a_caller_are_left_alone() -> None:
    """The command, run inside a program that has threads of its own, does not end that program."""
    go = threading.Event()
    mine = threading.Thread(target=go.wait, daemon=True)
    mine.start()
    try:
        assert run("run", "--workers", "none").exit_code == 2
        assert mine.is_alive()
    finally:
        go.set()
        mine.join()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (\n", "route.py:1: '(' was never closed"),
        ("def mod_init(): return None\n", "route.py:1: mod_init() returned None"),
        (SCRIPT.replace("return 0", "return -1"), "child_init(0) returned -1"),
    ],
)
def test_a_script_that_cannot_run_ends_with_status_1(tmp_path: Path, text: str, expected: str) -> None:
    result = run("run", script(tmp_path, text), "--listen", "udp:127.0.0.1:0")
    assert result.exit_code == 1
    assert expected in result.output


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        result = run("run", script(tmp_path), "--listen", f"udp:127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"udp:127.0.0.1:{port}" in result.output
    assert len(result.output.splitlines()) == 1


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    arguments = ["--set", "tls.certificate=/gone/cert.pem", "--set", "tls.private_key=/gone/key.pem"]
    result = run("run", script(tmp_path), "--listen", "tls:127.0.0.1:0", *arguments)
    assert result.exit_code == 1
    assert "/gone/" in result.output


def test_a_second_server_on_the_same_data_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lock = DataDirLock(tmp_path / "data")
    result = run("run", script(tmp_path), "--listen", "udp:127.0.0.1:0", "--data-dir", tmp_path / "data")
    lock.release()
    assert result.exit_code == 1
    assert "another server (process" in result.output


def test_check_accepts_a_good_script(tmp_path: Path) -> None:
    result = run("check", script(tmp_path))
    assert (result.exit_code, result.output) == (0, f"{tmp_path}/route.py: no problems found\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SCRIPT + "KSR.tm.t_rely\n",
            "route.py:7:1: there is no KSR.tm.t_rely; did you mean KSR.tm.t_reply or KSR.tm.t_relay?",
        ),
        (SCRIPT + "raise RuntimeError('at load')\n", "RuntimeError: at load"),
        (SCRIPT.replace("ksr_request_route", "other"), "no method ksr_request_route(msg)"),
        ("import os\nos._exit(3)\n", "loading it ended the process with status 3"),
    ],
)
def test_check_finds_mistakes(tmp_path: Path, text: str, expected: str) -> None:
    result = run("check", script(tmp_path, text))
    assert result.exit_code == 1
    assert expected in result.output


def test_check_need_not_load(tmp_path: Path) -> None:
    assert run("check", "--no-load", script(tmp_path, SCRIPT + "raise RuntimeError\n")).exit_code == 0


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run("check", tmp_path / "gone.py")
    assert result.exit_code == 2
    assert "there is no such file" in result.output


def test_ctl_without_a_server(tmp_path: Path) -> None:
    result = run("ctl", "core.info", "--data-dir", tmp_path)
    assert (result.exit_code, result.output) == (1, f"sipwright: no server is running with data directory {tmp_path}\n")


def test_doctor_without_a_server(tmp_path: Path) -> None:
    result = run("doctor", "--data-dir", tmp_path, "--output", "json")
    assert result.exit_code == 0
    assert "environment" in json.loads(result.output)
    assert "server" not in json.loads(result.output)


def test_doctor_of_a_process_that_is_not_there(tmp_path: Path) -> None:
    result = run("doctor", "--pid", 2**22 + 1, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "No such file or directory" in result.output


def test_development_certificates(tmp_path: Path) -> None:
    assert run("cert", "show", "--dir", tmp_path).exit_code == 1
    made = run("cert", "server", "sip.example.com", "--dir", tmp_path)
    assert made.exit_code == 0
    certificate = next(line.split()[-1] for line in made.output.splitlines() if line.startswith("certificate"))
    shown = run("cert", "show", certificate)
    assert shown.exit_code == 0
    assert "sip.example.com" in shown.output
    authority = run("cert", "ca", "--dir", tmp_path)
    assert Path(authority.output.strip()).is_file()
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    assert "wrong.pem: is not a PEM certificate" in run("cert", "show", wrong).output
