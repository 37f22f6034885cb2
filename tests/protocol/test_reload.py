"""Reloads: when files change (`--reload`), by SIGHUP and by command; what was in force stays where the new is no good."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from conftest import Start
from sipwright.control.client import ControlError, call
from support.control import data_of
from support.peers import UdpPeer, options
from support.process import wait_until
from support.servers import Server

SCRIPT = """\
import KSR
import helper


def mod_init():
    return Routes()


class Routes:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.sl_send_reply(helper.CODE, "Told")
        return 1

    def other_route(self, msg):
        KSR.sl.sl_send_reply(488, "Other")
        return 1
"""
TOML = """\
[log]
level = "info"

[cfg.variables]
"pstn.gw" = "192.0.2.1"
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "route.py").write_text(SCRIPT)
    (directory / "helper.py").write_text("CODE = 480\n")
    (directory / "sipwright.toml").write_text(TOML)
    return directory


def started(start: Start, files: Path, *arguments: str) -> Server:
    config = ("--config", str(files / "sipwright.toml"))
    server = start(files / "route.py", counted=False, workers=1, arguments=(*config, *arguments))
    data_of(server)
    return server


def status(server: Server) -> int:
    async def ask() -> int:
        async with UdpPeer.open() as peer:
            answer = await peer.ask(options(peer, server.address("udp")), server.address("udp"))
            return answer.status or 0

    return asyncio.run(ask())


def counter(server: Server, name: str) -> int:
    found: int = call(data_of(server), "core.stats")[name]
    return found


def wait_counter(server: Server, name: str, value: int) -> None:
    wait_until(lambda: counter(server, name) == value, 10, f"{name} is {value}\n{server.log()[-3000:]}")


def test_edits_of_the_script_are_taken_over_and_bad_ones_are_not(start: Start, files: Path) -> None:
    server = started(start, files, "--reload")
    assert status(server) == 480
    (files / "helper.py").write_text("CODE = 486\n")
    wait_counter(server, "script_reloads", 1)
    assert status(server) == 486
    (files / "helper.py").write_text("CODE = (\n")
    wait_counter(server, "script_reload_failures", 1)
    assert status(server) == 486
    server.process.wait_output("helper.py changed: reload failed, the previous script stays in use")
    server.process.wait_output("helper.py:1")
    # A module that was not there before, with a mistake: mending it is enough.
    (files / "new.py").write_text("1 / 0\n")
    (files / "helper.py").write_text("import new\n\nCODE = new.CODE\n")
    wait_counter(server, "script_reload_failures", 2)
    server.process.wait_output("new.py")
    (files / "new.py").write_text("CODE = 503\n")
    wait_counter(server, "script_reloads", 2)
    assert status(server) == 503


def test_edits_of_the_settings(start: Start, files: Path) -> None:
    server = started(start, files, "--reload")
    toml = files / "sipwright.toml"
    toml.write_text(
        TOML.replace("info", "debug").replace("192.0.2.1", "192.0.2.2") + '\n[script]\nrequest_route = "other_route"\n'
        "\n[tm]\nmax_breadth = 7\n"
    )
    wait_counter(server, "settings_reloads", 1)
    assert status(server) == 488, "the script was loaded with its new settings"
    assert call(data_of(server), "core.info")["script_version"] == 2
    assert call(data_of(server), "cfg.get", ["cfg", "variables"]) == {"pstn.gw": "192.0.2.2"}
    for line in (
        "settings: log.level: info -> debug",
        "settings: script.request_route: ksr_request_route -> other_route",
        "settings: tm.max_breadth: 60 -> 7 needs a restart",
    ):
        server.process.wait_output(line)
    assert call(data_of(server), "corex.debug") == {"debug": 3}
    toml.write_text(TOML + "\n[tm]\nmax_breadth = 1000\n")
    wait_counter(server, "settings_reload_failures", 1)
    server.process.wait_output(f"{toml}:8: tm.max_breadth: must be less than or equal to 255")
    assert status(server) == 488


def test_settings_whose_script_does_not_load_are_taken_over_but_for_it(start: Start, files: Path) -> None:
    server = started(start, files)
    (files / "other.py").write_text("1 / 0\n")
    (files / "sipwright.toml").write_text(TOML.replace("info", "warning") + '\n[script]\nmod_init = "absent"\n')
    with pytest.raises(ControlError, match=r"(?s)absent\(\).*in force now: log.level"):
        call(data_of(server), "settings.reload")
    assert status(server) == 480
    assert call(data_of(server), "corex.debug") == {"debug": 0}
    (files / "sipwright.toml").write_text(TOML)
    assert call(data_of(server), "settings.reload") == {"changed": ["log.level"], "restart": []}
    assert counter(server, "settings_reloads") == 1


def test_sighup_reads_settings_and_script(start: Start, files: Path) -> None:
    server = started(start, files)
    (files / "helper.py").write_text("CODE = 486\n")
    (files / "sipwright.toml").write_text(TOML.replace("info", "debug"))
    server.process.popen.send_signal(signal.SIGHUP)
    wait_counter(server, "script_reloads", 1)
    assert status(server) == 486
    assert counter(server, "settings_reloads") == 1
    (files / "sipwright.toml").write_text("[log\n")
    (files / "helper.py").write_text("CODE = 487\n")
    server.process.popen.send_signal(signal.SIGHUP)
    wait_counter(server, "script_reloads", 2)
    assert counter(server, "settings_reload_failures") == 1
    server.process.wait_output("the settings stay as they were")


def test_a_kamailio_cfg_and_its_includes(start: Start, files: Path, tmp_path: Path) -> None:
    from support.ports import free_port
    from support.servers import Listen, SipwrightByCfg

    (files / "gateways.cfg").write_text('pstn.gw = "192.0.2.1"\n')
    listen = Listen("udp", port=free_port())
    server = SipwrightByCfg(
        files / "route.py",
        tmp_path / "by_cfg",
        [listen],
        workers=1,
        extra_config=f'include_file "{files}/gateways.cfg"\n',
        settings={"data_dir": tmp_path / "by_cfg" / "data"},
    )
    program = server.program
    server.program = lambda: [*program(), "--reload"]  # type: ignore[method-assign]
    with server:
        data_of(server)
        (files / "gateways.cfg").write_text('pstn.gw = "192.0.2.2"\ndebug = 3\n')
        wait_counter(server, "settings_reloads", 1)
        assert call(data_of(server), "cfg.get", ["cfg", "variables"]) == {"pstn.gw": "192.0.2.2"}
        (files / "gateways.cfg").write_text("pstn.gw = )\n")
        wait_counter(server, "settings_reload_failures", 1)
        server.process.wait_output("gateways.cfg:1")
        (files / "gateways.cfg").write_text('pstn.gw = "192.0.2.3"\n')
        wait_counter(server, "settings_reloads", 2)
