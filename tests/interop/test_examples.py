"""The examples do what they say, in Sipwright and, unchanged, in Kamailio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conftest import Start, in_both
from support.messages import Sip, request
from support.peers import UdpPeer, register
from support.ports import free_port
from support.servers import ROOT, Server
from support.sipp import Sipp

CALLS = 20
EXAMPLES = {"authentication.py", "load_balancer.py", "redirect.py", "registrar_proxy.py", "websocket.py"}


def test_every_example_has_its_test() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == EXAMPLES


def one(server: Server, method: str, uri: str) -> Sip:
    """The answer to one request over UDP; a call that is refused gets its ACK."""

    async def run() -> Sip:
        async with UdpPeer.open() as peer:
            sent = request(method, uri, peer.address, contact=f"sip:t@{peer.address[0]}:{peer.address[1]}")
            answer = await peer.ask(sent, server.address("udp"))
            if method == "INVITE":
                kept = [(name, value) for name, value in sent.headers if name in ("Via", "From", "Call-ID")]
                peer.send(
                    Sip(f"ACK {uri} SIP/2.0", (*kept, ("To", answer["To"]), ("CSeq", "1 ACK"))), server.address("udp")
                )
            return answer

    return asyncio.run(run())


def calls(server: Server, directory: Path, target: str, callee_ports: list[int]) -> list[int]:
    """Make calls to the target; returns how many each callee took."""
    remote = server.address("udp")
    callees = [Sipp("callee", remote, directory, port=port, calls=CALLS) for port in callee_ports]
    try:
        caller = Sipp("caller", remote, directory, port=free_port(), calls=CALLS, rate=20, keys={"target": target})
        with caller:
            assert caller.wait() == 0, caller.errors() + server.log()[-4000:]
        for callee in callees:
            callee.finish()
        assert server.route_calls("INVITE") == CALLS
        assert server.route_calls("BYE") == CALLS
        return [callee.figures().successful for callee in callees]
    finally:
        for callee in callees:
            callee.child.kill()


@in_both
def test_registrar_proxy(start: Start, tmp_path: Path, examples: Path, kind: str) -> None:
    server = start(examples / "registrar_proxy.py", kind=kind)
    host, port = server.address("udp")
    callee_port = free_port()

    async def registered() -> None:
        async with UdpPeer.open() as peer:
            contact = f"sip:callee@127.0.0.1:{callee_port}"
            answer = await register(peer, (host, port), "callee", contact)
            assert answer.status == 200
            assert contact in answer["Contact"]

    asyncio.run(registered())
    assert calls(server, tmp_path, f"sip:callee@{host}:{port}", [callee_port]) == [CALLS]


@in_both
def test_registrar_proxy_refuses(start: Start, examples: Path, kind: str) -> None:
    server = start(examples / "registrar_proxy.py", kind=kind)
    host, port = server.address("udp")
    assert one(server, "INVITE", f"sip:nobody@{host}:{port}").status == 404
    assert one(server, "INVITE", "sip:anyone@foreign.invalid").status == 403
    assert server.route_calls("INVITE") == 2


@in_both
def test_redirect(start: Start, examples: Path, kind: str) -> None:
    server = start(examples / "redirect.py", kind=kind)
    host, port = server.address("udp")
    answer = one(server, "INVITE", f"sip:1234@{host}:{port}")
    assert answer.status == 302
    assert answer["Contact"] == "<sip:1234@gw1.example.com>"
    assert one(server, "INVITE", f"sip:9876@{host}:{port}").status == 404
    assert one(server, "MESSAGE", f"sip:1234@{host}:{port}").status == 405
    assert server.route_calls() >= 3


@in_both
def test_load_balancer(
    start: Start, tmp_path: Path, examples: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [free_port(), free_port()]
    monkeypatch.setenv("BACKENDS", ",".join(f"127.0.0.1:{port}" for port in ports))
    server = start(examples / "load_balancer.py", kind=kind)
    host, port = server.address("udp")
    taken = calls(server, tmp_path, f"sip:service@{host}:{port}", ports)
    assert sum(taken) == CALLS
    assert min(taken) >= 1
    if kind == "sipwright":
        assert taken == [CALLS // 2, CALLS // 2], "one counter for all workers"


@in_both
def test_load_balancer_tries_the_next_backend(
    start: Start, examples: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with UdpPeer.open() as caller, UdpPeer.open() as first, UdpPeer.open() as second:
            backends = {peer.address: peer for peer in (first, second)}
            monkeypatch.setenv("BACKENDS", ",".join(f"{host}:{port}" for host, port in backends))
            server = await asyncio.to_thread(start, examples / "load_balancer.py", kind=kind)
            host, port = server.address("udp")
            sent = request("INVITE", f"sip:service@{host}:{port}", caller.address, contact="sip:c@127.0.0.1:9")
            caller.send(sent, (host, port))
            failing, seen = await first_to_receive(first, second)
            failing.send(seen.reply(503, "Service Unavailable", "failing"), (host, port))
            other = second if failing is first else first
            while (again := (await other.receive())[0]).method != "INVITE":
                pass
            other.send(again.reply(200, "OK", "other", (("Contact", "<sip:o@127.0.0.1:9>"),)), (host, port))
            assert (await caller.final(sent["Call-ID"])).status == 200
            assert server.route_calls("INVITE", sent["Call-ID"]) == 1

    asyncio.run(run())


async def first_to_receive(first: UdpPeer, second: UdpPeer) -> tuple[UdpPeer, Sip]:
    waiting = {asyncio.create_task(peer.receive()): peer for peer in (first, second)}
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    task = done.pop()
    return waiting[task], task.result()[0]


def test_default_script_is_no_open_relay(start: Start) -> None:
    server = start(None, "udp", "tcp")
    host, port = server.address("udp")
    assert one(server, "INVITE", "sip:anyone@foreign.invalid").status in (403, 404, 405, 407)
    assert one(server, "INVITE", f"sip:nobody@{host}:{port}").status in (404, 480)

    async def foreign_route() -> None:
        """A Route header that names another host must not lead out either."""
        async with UdpPeer.open() as caller, UdpPeer.open() as victim:
            away = ("Route", f"<sip:{victim.address[0]}:{victim.address[1]};lr>")
            sent = request("INVITE", "sip:anyone@foreign.invalid", caller.address, extra=(away,))
            assert (await caller.ask(sent, (host, port))).status in (403, 404, 405, 407)
            tagged = Sip(sent.first_line, tuple((n, v + ";tag=x" if n == "To" else v) for n, v in sent.headers))
            caller.send(tagged, (host, port))
            with pytest.raises(TimeoutError):
                await victim.receive(0.3)

    asyncio.run(foreign_route())
