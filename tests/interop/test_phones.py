"""Two pjsua2 phones, one over TLS and one over UDP, register with the example registrar and call each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Start
from support.certificates import Certificates
from support.phones import Phone


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
