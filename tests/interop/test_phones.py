"""Two pjsua2 phones, one over TLS and one over UDP, register with the example registrar and call each other; baresip calls too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conftest import Start
from support.certificates import Certificates
from support.peers import UdpPeer, register
from support.phones import Phone, baresip


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_call_from_tls_to_udp(start: Start, tmp_path: Path, certs: Certificates, examples: Path, mode: int) -> None:
    settings = {**certs.settings(), "tls.threads_mode": mode}
    server = start(examples / "registrar_proxy.py", "udp", "tls", settings=settings)
    with (
        Phone("udp", "bob", server.address("udp"), tmp_path) as bob,
        Phone("tls", "alice", server.address("tls"), tmp_path, certs.ca) as alice,
    ):
        assert bob.event("registered") == "200"
        assert alice.event("registered") == "200"
        host, port = server.address("udp")

        alice.tell(f"call sip:bob@{host}:{port}")
        bob.event("incoming")
        call_id = alice.event("confirmed")
        assert bob.event("confirmed") == call_id
        alice.tell("hangup")
        assert alice.event("ended").split()[1] == call_id
        assert bob.event("ended").split() == ["200", call_id]

        for method in ("INVITE", "ACK", "BYE"):
            assert server.route_calls(method, call_id) >= 1, f"the route did not run for {method}:\n{server.log()}"
        assert server.route_calls("REGISTER") >= 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_call_from_udp_to_tls(start: Start, tmp_path: Path, certs: Certificates, examples: Path, mode: int) -> None:
    """The callee is reached over the connection it registered on; nobody can connect to it."""
    settings = {**certs.settings(), "tls.threads_mode": mode}
    server = start(examples / "registrar_proxy.py", "udp", "tls", settings=settings)
    with (
        Phone("tls", "alice", server.address("tls"), tmp_path, certs.ca) as alice,
        Phone("udp", "bob", server.address("udp"), tmp_path) as bob,
    ):
        assert alice.event("registered") == "200"
        assert bob.event("registered") == "200"
        host, port = server.address("udp")

        bob.tell(f"call sip:alice@{host}:{port}")
        alice.event("incoming")
        call_id = bob.event("confirmed")
        assert alice.event("confirmed") == call_id
        bob.tell("hangup")
        assert bob.event("ended").split()[1] == call_id
        assert alice.event("ended").split() == ["200", call_id]

        assert server.route_calls("INVITE", call_id) >= 1
        assert server.route_calls("BYE", call_id) >= 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_baresip_over_tls(start: Start, tmp_path: Path, certs: Certificates, examples: Path, mode: int) -> None:
    """It registers, and its call to a phone on UDP is answered by that phone: busy."""
    settings = {**certs.settings(), "tls.threads_mode": mode}
    server = start(examples / "registrar_proxy.py", "udp", "tls", settings=settings)
    host, port = server.address("tls")

    async def run() -> tuple[str, str]:
        async with UdpPeer.open() as bob:
            contact = f"sip:bob@{bob.address[0]}:{bob.address[1]}"
            # The registrar of the example keeps users without their domain.
            assert (await register(bob, server.address("udp"), "bob", contact)).status == 200
            dial = f"/dial sip:bob@{host}:{port}"
            call = asyncio.to_thread(baresip, "alice", (host, port), tmp_path, certs.ca, dial)
            caller = asyncio.create_task(call)
            invite, _ = await bob.receive(15)
            bob.send(invite.reply(486, "Busy Here", to_tag="busy"), server.address("udp"))
            ack, _ = await bob.receive()
            assert (invite.method, ack.method) == ("INVITE", "ACK")
            return await caller, invite["Call-ID"]

    printed, call_id = asyncio.run(run())
    assert "200 OK (Sipwright) [1 binding]" in printed
    assert "486 Busy Here" in printed
    assert server.route_calls("INVITE", call_id) == 1
