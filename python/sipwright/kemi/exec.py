"""KSR.exec: programs that scripts start, with Kamailio's return codes and variables. The worker waits for them."""

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.settings.small import ExecSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["exec_avp", "exec_cmd", "exec_dset", "exec_msg"]

_MOST_LINES: Final = 1_000
_SHELLSHOCK: Final = "() {"

_settings = ExecSettings()


def configure(host: "Host") -> None:
    """Takes the settings."""
    global _settings
    _settings = host.settings.exec


@ksr("exec.exec_cmd")
def exec_cmd(command: str) -> int:
    """Runs a shell command: 1 when it ends with 0, else -1."""
    return 1 if _run(command) is not None else -1


@ksr("exec.exec_msg")
def exec_msg(command: str) -> int:
    """Runs a shell command with the message on its standard input: 1 when it ends with 0, else -1."""
    return 1 if _run(command, _engine.current().raw()) is not None else -1


@ksr("exec.exec_avp")
def exec_avp(command: str) -> int:
    """Runs a shell command; the lines that it prints go into `$avp(i:1)`, `$avp(i:2)`, ...: 1 or -1."""
    lines = _run(command)
    if lines is None:
        return -1
    for number, line in enumerate(lines, 1):
        _engine.pv_sets(f"$avp(i:{number})", line)
    return 1


@ksr("exec.exec_dset")
def exec_dset(command: str) -> int:
    """Runs a shell command with the request-URI as argument; the URIs that it prints become the destinations: 1 or -1."""
    uri = str(_engine.pv_get("$ru") or "")
    lines = [line for line in _run(f"{command} {_quoted(uri)}") or [] if line.strip()]
    if not lines:
        log.error(f"KSR.exec.exec_dset: no URI from {command!r}")
        return -1
    _engine.core_seturi(lines[0].strip())
    for line in lines[1:]:
        _engine.corex_append_branch_uri(line.strip())
    return 1


def _run(command: str, given: bytes = b"") -> list[str] | None:
    """The lines that a command prints; None when it ends with anything but 0, or not in time."""
    limit = _settings.time_to_kill_s or None
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            input=given,
            stdout=subprocess.PIPE,
            env={**os.environ, **_variables()} if _settings.setvars else None,
            timeout=limit,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        log.error(f"KSR.exec: {command!r} took longer than {limit} s")
        return None
    if done.returncode != 0:
        log.warning(f"KSR.exec: {command!r} ended with {done.returncode}")
        return None
    return done.stdout.decode("utf-8", "surrogateescape").splitlines()[:_MOST_LINES]


def _variables() -> dict[str, str]:
    """What a program learns of the message: addresses, and each header field as `SIP_HF_NAME`."""
    shown = {"SRCIP": "$si", "RURI": "$ru", "ORUI": "$ou", "USER": "$rU", "OUSER": "$oU", "DID": "$tt"}
    found = {f"SIP_{name}": str(_engine.pv_gete(source)) for name, source in shown.items()}
    head = _engine.current().raw().partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        key = "SIP_HF_" + re.sub(r"[^A-Z0-9]", "_", name.strip().upper())
        text = value.strip().replace("\0", "")
        if _settings.bash_safety and text.startswith(_SHELLSHOCK):
            continue
        found[key] = f"{found[key]},{text}" if key in found else text
    found["SIP_HF_CALLID"] = _engine.current().call_id
    return found


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
