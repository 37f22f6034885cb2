"""Control methods that show and do something to a whole server."""

from __future__ import annotations

import time

import pytest

from conftest import Start
from sipwright.control.client import ControlError, call
from support.control import data_of
from support.process import wait_until


def test_signals_by_the_control_socket(start: Start) -> None:
    server = start("answer.py")
    data = data_of(server)
    with pytest.raises(ControlError, match="signal must be one of 1, 2, 10, 15"):
        call(data, "core.kill", [9])
    assert call(data, "core.kill", [1]) is None
    wait_until(lambda: call(data, "core.info")["script_version"] == 2, 10, "the script is reloaded")
    assert call(data, "core.kill") is None
    wait_until(lambda: not server.process.running(), 10, "the server ends")
    assert server.process.popen.returncode == 0


def test_help(start: Start) -> None:
    data = data_of(start("answer.py"))
    assert call(data, "system.methodHelp", ["core.uptime"]) == "Since when the server runs."
    for method, says in (("nothing.such", "command not found"), ("", "Method Name Expected")):
        with pytest.raises(ControlError, match=says):
            call(data, "system.methodHelp", [method])
    with pytest.raises(ControlError, match="Not Implemented Yet"):
        call(data, "system.methodSignature", ["core.uptime"])


def test_what_the_core_shows(start: Start) -> None:
    server = start("answer.py", "udp", "tcp", settings={"aliases": "example.com,udp:sip.example.com:5070"})
    data = data_of(server)
    sockets = [row["socket"] for row in call(data, "core.sockets_list")]
    assert [(one["proto"], one["port"]) for one in sockets] == [(a.proto, str(a.port)) for a in server.listen]
    aliases = [row["alias"] for row in call(data, "core.aliases_list")["aliases"]]
    assert aliases == [
        {"proto": "*", "address": "example.com", "port": "*"},
        {"proto": "udp", "address": "sip.example.com", "port": "5070"},
    ]
    names = call(data, "core.ps")[1::2]
    assert {"MainThread", "script-1", "script-2", "sw-timer"} <= set(names)
    memory, in_kilobytes = call(data, "core.shmmem"), call(data, "core.shmmem", ["k"])
    assert memory["total"] == memory["free"] + memory["used"]
    assert in_kilobytes["total"] == memory["total"] // 1024
    assert abs(call(data, "core.uptime")["uptime"] - (time.time() - server.directory.stat().st_mtime)) < 20
    assert call(data, "corex.debug") == {"debug": 2}
    assert call(data, "corex.debug", [3]) == {"old": 2, "new": 3}
    assert call(data, "corex.debug") == {"debug": 3}


def test_secrets_of_the_command_line_are_not_shown(start: Start) -> None:
    data = data_of(start("answer.py", settings={"auth_ephemeral.secret": "geheim", "database.url": "sqlite:///x"}))
    shown = call(data, "core.arg")
    assert "auth_ephemeral.secret=..." in shown
    assert "database.url=..." in shown
    assert not [word for word in shown if "geheim" in word]
