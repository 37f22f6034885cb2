"""The scripts of examples/ do what they say, on the engine in memory. With real phones: tests/interop."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest

from sipwright.testing import VirtualServer
from support.servers import ROOT

Make = Callable[..., VirtualServer]
EXAMPLES = ROOT / "examples"


def test_redirect(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "redirect.py")
    assert sip.invite("alice", "sip:12345@example.com").expect(302)["Contact"] == "<sip:12345@gw1.example.com>"
    assert sip.invite("alice", "sip:22345@example.com").expect(302)["Contact"] == "<sip:22345@gw2.example.com>"
    sip.invite("alice", "sip:92345@example.com").expect(404)
    sip.phone("alice").register().expect(405)
    assert sip.engine.stats()["filtered_acks"] == 3


def test_registrar_and_proxy(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "registrar_proxy.py", domain="example.com")
    bob = sip.phone("bob", register=True)
    call = sip.invite("alice", "bob")
    invite = bob.expect("INVITE")
    assert invite.uri == bob.contact
    assert "Record-Route" in invite.message
    invite.reply(180)
    call.expect(180)
    invite.reply(200)
    call.expect(200)
    call.ack()
    bob.expect("ACK")
    ended = invite.bye()
    sip.phone("alice").expect("BYE").reply(200)
    ended.expect(200)


def test_registrar_and_proxy_refuses(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "registrar_proxy.py", domain="example.com")
    sip.invite("alice", "nobody").expect(404)
    sip.invite("alice", "sip:mallory@example.net").expect(403)
    sip.invite("alice", "bob", headers={"Max-Forwards": "0"}).expect(483)
    sip.phone("alice").request("BYE", "bob", headers={"To": "<sip:bob@example.com>;tag=made-up"}).expect(404)


def test_a_registration_ends(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "registrar_proxy.py", domain="example.com")
    bob = sip.phone("bob")
    bob.register(expires_s=300).expect(200)
    sip.advance(299)
    sip.invite("alice", "bob")
    bob.reply(486)
    sip.advance(300)
    sip.invite("alice", "bob").expect(404)


def test_several_phones_ring_and_one_answers(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "registrar_proxy.py", domain="example.com")
    desk = sip.phone("desk", uri="sip:bob@example.com", register=True)
    mobile = sip.phone("mobile", uri="sip:bob@example.com", transport="tcp", register=True)
    call = sip.invite("alice", "sip:bob@example.com")
    desk.reply(180)
    mobile.reply(180)
    call.expect(180)
    call.expect(180)
    mobile.reply(200)
    call.expect(200)
    assert desk.expect("CANCEL").is_answered
    call.expect_nothing()


@pytest.fixture
def balancer(sip_server: Make, monkeypatch: pytest.MonkeyPatch) -> VirtualServer:
    monkeypatch.setenv("BACKENDS", "192.0.2.11:5060,192.0.2.12:5060,192.0.2.13:5060")
    return sip_server(EXAMPLES / "load_balancer.py")


def test_the_balancer_takes_turns(balancer: VirtualServer) -> None:
    backends = [balancer.peer(f"192.0.2.1{number}") for number in (1, 2, 3)]
    for backend in [*backends, backends[0]]:
        call = balancer.invite("alice", "sip:service@example.com")
        backend.expect("INVITE").reply(200)
        call.expect(200)


def test_the_balancer_goes_on_when_backends_fail(balancer: VirtualServer) -> None:
    first, second, third = (balancer.peer(f"192.0.2.1{number}") for number in (1, 2, 3))
    call = balancer.invite("alice", "sip:service@example.com")
    first.reply(503)
    second.expect("INVITE")
    balancer.advance(31)
    third.expect("INVITE").reply(200)
    call.expect(200)
    assert call.routes == ["ksr_request_route", "ksr_failure_backend", "ksr_failure_backend"]


def test_the_balancer_gives_up_after_the_last_one(balancer: VirtualServer) -> None:
    backends = [balancer.peer(f"192.0.2.1{number}") for number in (1, 2, 3)]
    call = balancer.invite("alice", "sip:service@example.com")
    for backend in backends:
        backend.expect("INVITE").reply(500)
    call.expect(500)
    assert all(len(backend.requests) == 2 for backend in backends), "an INVITE and its ACK"


def test_the_balancer_lets_callers_give_up(balancer: VirtualServer) -> None:
    first, second = (balancer.peer(f"192.0.2.1{number}") for number in (1, 2))
    call = balancer.invite("alice", "sip:service@example.com")
    first.reply(180)
    call.expect(180)
    call.cancel().expect(200)
    call.expect(487)
    assert first.expect("CANCEL").is_answered
    second.expect_nothing()


def test_authentication(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "authentication.py", domain="example.com")
    for name in ("alice", "bob"):
        sip.add_user(name, f"secret of {name}")
    bob = sip.phone("bob", password="secret of bob", register=True)
    alice = sip.phone("alice", password="secret of alice")
    call = alice.invite("bob")
    invite = bob.expect("INVITE")
    assert "Proxy-Authorization" not in invite.message
    invite.reply(200)
    call.expect(200)
    assert [response.status for response in call.responses] == [407, 100, 200]


def test_authentication_refuses(sip_server: Make) -> None:
    sip = sip_server(EXAMPLES / "authentication.py", domain="example.com")
    sip.add_user("alice", "secret")
    wrong = sip.phone("wrong", uri="sip:alice@example.com", password="guessed").register()
    assert [response.status for response in wrong.responses] == [401, 401]
    sip.phone("nobody").invite("alice").expect(407)
    other = sip.phone("other", uri="sip:alice@example.com", password="secret")
    forged = other.request("INVITE", "bob", headers={"From": "<sip:bob@example.com>;tag=x"})
    assert [response.status for response in forged.responses if response.status > 100] == [407, 403]


def test_phones_in_browsers(sip_server: Make) -> None:
    """Their Contact is of no use: they are called over the connection that they came by, and so is what follows."""
    listen = ["udp:192.0.2.1:5060", "ws:192.0.2.1:80"]
    sip = sip_server(EXAMPLES / "websocket.py", domain="example.com", settings={"listen": listen})
    for name in ("alice", "bob"):
        sip.add_user(name, "secret")
    bob = sip.phone("bob", transport="ws", password="secret")
    bob.register(contact="sip:bob@b0b.invalid;transport=ws").expect(200)
    call = sip.phone("alice", transport="ws", password="secret").invite("bob")
    invite = bob.expect("INVITE")
    assert invite.uri == "sip:bob@b0b.invalid;transport=ws"
    assert ";alias=" in invite.message["Contact"]
    invite.reply(200)
    assert ";alias=" in call.expect(200)["Contact"]
    call.ack()
    bob.expect("ACK")
    ended = invite.bye()
    sip.phone("alice").expect("BYE").reply(200)
    ended.expect(200)


def test_every_example_is_tested_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"redirect", "registrar_proxy", "load_balancer", "authentication", "websocket"}
    assert all(importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py") for name in names)
