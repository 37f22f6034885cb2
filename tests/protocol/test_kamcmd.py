"""Debian's kamcmd controls Sipwright over every kind of socket that it knows."""

from __future__ import annotations

import socket
import stat
import subprocess
from pathlib import Path

import pytest

from conftest import SCRIPTS, Start
from sipwright.modules.binrpc import Packet, packet_of, request
from support.ports import free_port
from support.process import wait_until
from support.servers import Listen, Server, Sipwright, SipwrightByCfg
from support.tools import tool


def kamcmd(address: str, *words: str, told: str | None = None) -> str:
    """What it prints: the reply, or `error: CODE - TEXT`."""
    argv = [tool("kamcmd"), "-s", address, *words]
    done = subprocess.run(argv, input=told, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


def ready(server: Server, path: Path) -> None:
    wait_until(lambda: "2" in kamcmd(f"unixs:{path}", "core.printi", "2"), 10, "kamcmd is answered")
    assert server.process.running()


def test_it_works_over_all_transports(start: Start, tmp_path: Path) -> None:
    port, path, datagrams = free_port("127.0.0.1"), tmp_path / "c", tmp_path / "d"
    places = [f"unixs:{path}", f"unixd:{datagrams}", f"tcp:127.0.0.1:{port}", f"udp:127.0.0.1:{port}"]
    server = start("answer.py", settings={"ctl.binrpc": ",".join(places)})
    ready(server, path)
    for place in places:
        assert kamcmd(place, "core.version").startswith("sipwright "), place
        assert kamcmd(place, "core.echo", "a", "s:5", "7", "1.5") == "a\n5\n7\n1.500000\n", place
    assert kamcmd(places[0], "nothing.such") == "error: 500 - command nothing.such not found\n"
    assert kamcmd(places[0], "dns.lookup", "A").startswith("error: 400 - ")
    # A name of digits is a name all the same.
    assert kamcmd(places[0], "dns.lookup", "A", "5").startswith("{\n\tname: 5\n\ttype: A\n")
    # What is on the socket is shown in its shapes: several values, structures, lists in them.
    assert kamcmd(places[0], "ctl.listen").splitlines()[:3] == ["binrpc", "unix_stream", str(path)]
    socket_lines = [f"\t\t{name}" for name in ("proto: udp", "address: 127.0.0.1", "ipaddress: 127.0.0.1")]
    assert kamcmd(places[0], "core.sockets_list").splitlines()[:5] == ["{", "\tsocket: {", *socket_lines]
    assert kamcmd(places[0], "app_python.api_list").count("\t\tfunc: {") > 500
    # The sockets are the owner's only.
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, datagrams)] == [0o600, 0o600]
    server.assert_clean_stop()
    assert not path.exists()
    assert not datagrams.exists()


def test_its_interactive_mode(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "c"
    ready(start("answer.py", settings={"ctl.binrpc": f"unixs:{path}"}), path)
    shown = kamcmd(f"unixs:{path}", told="core.printi 5\nctl.connections\nctl.who\nquit\n")
    assert "kamcmd> core.printi 5\n5\n" in shown or "\n5\n" in shown
    assert "<anonymous unix socket>" in shown


def test_the_modparams_of_a_kamailio_cfg(tmp_path: Path) -> None:
    path, other = tmp_path / "c", tmp_path / "o"
    config = f"""
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unix:{path}")
modparam("ctl", "binrpc", "{other}")
modparam("ctl", "mode", 0660)
"""
    server = SipwrightByCfg(SCRIPTS / "answer.py", tmp_path / "s", [Listen("udp")], extra_config=config)
    with server:
        ready(server, path)
        ready(server, other)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_socket_in_use_and_an_open_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        for place, says in (
            (f"unixs:{path}", "another process listens on it"),
            ("tcp:0.0.0.0:2049", "must be on loopback"),
            ("nothing:x", "is none of unixs:PATH"),
        ):
            server = Sipwright(SCRIPTS / "answer.py", tmp_path / "s", settings={"ctl.binrpc": place})
            with pytest.raises(RuntimeError, match=says):
                server.start()
    path.unlink()
    path.write_text("not a socket")
    server = Sipwright(SCRIPTS / "answer.py", tmp_path / "s", settings={"ctl.binrpc": f"unixs:{path}"})
    with pytest.raises(RuntimeError, match="something else is there"):
        server.start()
    assert path.read_text() == "not a socket"


def test_bad_bytes_end_a_connection_and_no_more(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "c"
    server = start("answer.py", settings={"ctl.binrpc": f"unixs:{path}"})
    ready(server, path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(100) == b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        # Two in one write, the second in two.
        second = request(b"\2", "core.printi", 6)
        client.sendall(request(b"\1", "core.printi", 5) + second[:4])
        assert packet_of(client.recv(100)) == Packet(1, b"\1", [5])
        client.sendall(second[4:])
        assert packet_of(client.recv(100)) == Packet(1, b"\2", [6])
