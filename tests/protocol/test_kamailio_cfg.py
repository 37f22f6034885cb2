"""The server started by the kamailio.cfg that a deployment has."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.kamailio_cfg import lab
from support.messages import Sip, request
from support.peers import UdpPeer
from support.ports import free_port
from support.servers import SIPWRIGHT, Listen, Server

SCRIPT = """
import KSR

def mod_init():
    return Route()

class Route:
    def child_init(self, rank):
        self.rank = rank
        return 0

    def my_event(self, msg, event):
        KSR.notice("event " + event)

    def my_request(self, msg):
        KSR.hdr.append_to_reply("X-Route: mine\\r\\n")
        return self.ksr_request_route(msg)

    def ksr_request_route(self, msg):
        parts = sorted(name for name in dir(KSR) if type(getattr(KSR, name)).__name__ == "module")
        KSR.hdr.append_to_reply("X-Parts: %s\\r\\n" % " ".join(parts))
        for name in ("pstn.gw_ip", "pstn.gw_port"):
            KSR.hdr.append_to_reply("X-Variable: %r\\r\\n" % KSR.pv.get("$sel(cfg_get.%s)" % name))
        KSR.notice("asked by " + KSR.pv.get("$ci") + "\\nin two lines")
        KSR.sl.sl_send_reply(200, "From " + __name__)
        return 1
"""


@dataclass
class ByCfg(Server):
    """`sipwright run -f kamailio.cfg` with further options."""

    cfg: str = ""
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = field(default=("run",))

    name = "sipwright"

    def argv(self) -> list[str]:
        path = self.directory / "kamailio.cfg"
        path.write_text(self.cfg)
        return [str(SIPWRIGHT), *self.arguments, "-f", str(path), "-Y", str(self.directory / "data"), *self.options]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "route.py").write_text(SCRIPT)
    return tmp_path


def ask(server: Server) -> tuple[int, str, list[str]]:
    """Status, reason and the parts of KSR that an OPTIONS gets as answer."""
    answer = answered(server)
    assert answer.status is not None
    return answer.status, answer.first_line.split(" ", 2)[2], answer["X-Parts"].split()


def answered(server: Server) -> Sip:
    async def run() -> Sip:
        async with UdpPeer.open() as peer:
            peer.send(request("OPTIONS", "sip:a@example.com", peer.address), server.address("udp"))
            answer, _ = await peer.receive()
            return answer

    return asyncio.run(run())


def test_a_laboratory_with_kamailios_options(directory: Path) -> None:
    address = Listen("udp").reserved()
    cfg = lab("route.py", "#!ifdef HERE\nlisten=ADDRESS\n#!endif", "kex tm sl pv kemix")
    options = ("-A", "HERE", "-A", f"ADDRESS={address}", "-DD", "-E", "-m", "64", "-M", "8", "-x", "fm", "-n", "1")
    pid_file = directory / "server.pid"
    with ByCfg(None, directory, [address], cfg=cfg, options=(*options, "-P", str(pid_file))) as server:
        assert ask(server) == (200, "From route", ["app_python3", "hdr", "kex", "kx", "pv", "pvx", "sl", "tm", "x"])
        assert pid_file.read_text() == f"{server.process.pid}\n"
        server.process.wait_output("(1 workers, per-worker)")
    assert not pid_file.exists()


def test_as_kamailio_is_called(directory: Path) -> None:
    """`sipwright -f FILE -l ADDRESS`, without a command; -l adds to the addresses of the file."""
    first, second = Listen("udp").reserved(), Listen("udp", "127.0.0.1", free_port("127.0.0.1"))
    cfg = lab("route.py", f"listen={first}")
    with ByCfg(None, directory, [first, second], cfg=cfg, options=("-l", str(second), "-DD"), arguments=()) as server:
        assert ask(server)[0] == 200


def test_warnings_at_the_start(directory: Path) -> None:
    address = Listen("udp").reserved()
    cfg = lab("route.py", f"listen={address}", parameters='mcast_ttl=16\nmodparam("tm", "fr_tmier", 1)')
    with ByCfg(None, directory, [address], cfg=cfg) as server:
        server.process.wait_output("kamailio.cfg:19: mcast_ttl = 16: is not offered")
        server.process.wait_output("kamailio.cfg:20: tm.fr_tmier = 1: the module has no such parameter; did you mean")


def test_variables_and_callbacks(directory: Path) -> None:
    address = Listen("udp").reserved()
    lines = 'pstn.gw_ip = "192.0.2.7" desc "gateway"\npstn.gw_port = 5090\nkemi.request_route_callback="my_request"\n'
    lines += 'kemi.event_route_callback="my_event"\n'
    with ByCfg(None, directory, [address], cfg=lab("route.py", f"listen={address}", parameters=lines)) as server:
        answer = answered(server)
        server.process.wait_output("event core:worker-one-init")
    # A select gives text, in Kamailio too.
    assert answer.all("X-Variable") == ["'192.0.2.7'", "'5090'"]
    assert answer["X-Route"] == "mine"


def test_another_directory(directory: Path) -> None:
    """With -w, paths that were given before still lead where they led, also when the file is read again."""
    address = Listen("udp").reserved()
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    (directory / "kamailio.cfg").write_text(lab("route.py", f"listen={address}"))

    class Relative(ByCfg):
        def argv(self) -> list[str]:
            return [str(SIPWRIGHT), "run", "-f", "kamailio.cfg", "-Y", "data", "-w", str(elsewhere)]

    with Relative(None, directory, [address]) as server:
        assert ask(server)[0] == 200
        server.process.wait_output("is ready")
        assert Path(f"/proc/{server.process.pid}/cwd").readlink() == elsewhere
        done = run("ctl", "-d", directory / "data", "tls.reload")
        assert (done.returncode, done.stdout) == (0, "Ok. TLS configuration reloaded.\n"), done.stderr


def test_syslog(directory: Path) -> None:
    address = Listen("udp").reserved()
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as logger:
        logger.bind(f"{short}/log")
        logger.settimeout(10)
        lines = 'pstn.gw_ip="x" pstn.gw_port=1\nlog_stderror=no\nlog_facility=LOG_LOCAL3\nlog_name="edge"\n'
        cfg = lab("route.py", f"listen={address}", parameters=lines)
        options = ("--set", f"log.syslog_socket={short}/log")
        with ByCfg(None, directory, [address], cfg=cfg, options=options) as server:
            call_id = answered(server)["Call-ID"]
            pid = server.process.pid
            received = [logger.recv(9000).decode() for _ in range(2)]
        received.append(logger.recv(9000).decode())
        assert "asked by" not in server.log()
    # Facility 19, severities 5 (notice); the stop is told too.
    assert [line.partition(">")[0] for line in received] == ["<157"] * 3
    assert [line.partition(f" edge[{pid}]: ")[2] for line in received] == [
        f"NOTICE: asked by {call_id}",
        "in two lines",
        "NOTICE: stopping: no new connections, waiting for work in progress",
    ]


def test_another_user() -> None:
    """Once its sockets are bound the server is nobody; who is not root may not become somebody else."""
    address = Listen("udp").reserved()
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "route.py").write_text(SCRIPT)
        server = ByCfg(None, directory, [address], cfg=lab("route.py", f"listen={address}"), options=("-u", "nobody"))
        if os.geteuid() != 0:
            with pytest.raises(RuntimeError, match=r"process\.user: only root can become nobody"):
                server.start()
            return
        with server:
            assert ask(server)[0] == 200
            server.process.wait_output("is ready")
            status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
            assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}" in status
            tasks = [path.joinpath("status").read_text() for path in Path(f"/proc/{server.process.pid}/task").iterdir()]
            assert all(f"\nUid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t" in text for text in tasks)
            assert (directory / "data").stat().st_uid == nobody.pw_uid


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SIPWRIGHT, *map(str, arguments)], capture_output=True, text=True, timeout=30)


def test_refused(directory: Path) -> None:
    cfg = directory / "kamailio.cfg"
    cfg.write_text(lab("route.py", parameters="request_route { exit; }"))
    done = run("run", "-f", cfg, "-DD")
    assert done.returncode == 2
    assert f"sipwright: {cfg}:19: request_route: Kamailio runs this block instead of the script's" in done.stderr
    assert f"`sipwright check {cfg}` says more" in done.stderr


def test_check(directory: Path) -> None:
    cfg = directory / "kamailio.cfg"
    cfg.write_text(lab("route.py", parameters='modparam("tm", "fr_timer", 5000)'))
    done = run("check", cfg, "--output", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["runs"], found["findings"]) == (0, True, [])
    entry = next(entry for entry in found["entries"] if entry["name"] == "tm.fr_timer")
    assert entry == {
        "status": "honoured",
        "kind": "modparam",
        "name": "tm.fr_timer",
        "value": "5000",
        "note": "timers.fr_ms",
        "file": str(cfg),
        "line": 19,
    }
    (directory / "route.py").write_text(SCRIPT.replace("KSR.sl.sl_send_reply", "KSR.htable.sht_get"))
    done = run("check", cfg)
    assert done.returncode == 1
    assert 'KSR.htable.sht_get needs loadmodule "htable.so" in the kamailio.cfg' in done.stdout
    assert done.stdout.endswith(f"{cfg}: does not run\n")
    assert run("run", "-f", cfg, "-c").returncode == 1
