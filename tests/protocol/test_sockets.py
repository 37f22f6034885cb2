"""Which of the server's sockets a message leaves by, and what it says of itself: several interfaces, wildcards, names."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile

import pytest

from conftest import Start
from support.messages import Sip, request
from support.peers import UdpPeer
from support.servers import ROOT

NETWORK = """
ip link set lo up
for address in 10.1.0.1/32 10.2.0.1/32 fd01::1/128; do ip addr add $address dev lo; done
ip route add local 10.9.1.0/24 dev lo src 10.1.0.1
ip route add local 10.9.2.0/24 dev lo src 10.2.0.1
exec "$@"
"""
CASES = ROOT / "tests" / "support" / "netns" / "wildcard.py"


def test_several_interfaces() -> None:
    """The cases of `support/netns/wildcard.py`, in a network namespace of their own."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode != 0:
        pytest.skip("this system lets nobody make a network namespace (unshare -rn)")
    pytest_in = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    # The path of a Unix socket has room for some hundred bytes, so this one is short.
    with tempfile.TemporaryDirectory(prefix="netns") as base:
        command = ["unshare", "-rn", "sh", "-ec", NETWORK, "sh", *pytest_in, "--basetemp", f"{base}/t", str(CASES)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def do(*steps: str) -> tuple[tuple[str, str], ...]:
    return tuple(("X-Do", step) for step in steps)


def relay(start: Start, listen: list[str], *steps: str) -> tuple[Sip, tuple[str, int]]:
    """What the callee gets of a request for which the script did the steps, and from where."""
    server = start("steps.py", *(f"udp:{host}" for host in listen))

    async def run() -> tuple[Sip, tuple[str, int]]:
        ports = {f"p{number}": server.port("udp", number) for number in range(len(listen))}
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            host, port = callee.address
            extra = do(*(step.format(**ports) for step in steps), f'KSR.pv.sets("$du", "sip:{host}:{port}")')
            caller.send(request("MESSAGE", "sip:bob@example.com", caller.address, extra=extra), server.address("udp"))
            seen, source = await callee.receive()
            callee.send(seen.reply(200, "OK"), source)
            return seen, source

    return asyncio.run(run())


FORCED = [
    'KSR.pv.sets("$fs", "udp:127.0.0.2:{p1}")',
    'KSR.corex.set_send_socket("udp:127.0.0.2:{p1}")',
    'KSR.corex.set_recv_socket("udp:127.0.0.2:{p1}")',
]


@pytest.mark.parametrize("step", FORCED)
def test_forced_socket(start: Start, step: str) -> None:
    """$fs, set_send_socket and set_recv_socket: datagram and Via are of that socket."""
    seen, source = relay(start, ["127.0.0.1", "127.0.0.2"], step)
    assert source[0] == "127.0.0.2"
    assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP 127.0.0.2:{source[1]};")


def test_unknown_forced_socket_is_none(start: Start) -> None:
    """A socket that does not listen is no wish: the request leaves by the one that it came in on."""
    seen, source = relay(start, ["127.0.0.1", "127.0.0.2"], 'KSR.corex.set_send_socket("udp:127.0.0.3:5060")')
    assert source[0] == "127.0.0.1"
    assert seen["X-Did"].startswith("[1")
