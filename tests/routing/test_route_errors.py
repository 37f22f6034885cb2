"""What a caller sees of a script that fails, on the engine in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conftest import SCRIPTS
from sipwright.testing import VirtualServer

Make = Callable[..., VirtualServer]


def start(sip_server: Make, script: str = "raising.py", **settings: object) -> VirtualServer:
    return sip_server(SCRIPTS / script, settings=settings, raise_errors=False)


def test_no_request_route(sip_server: Make) -> None:
    sip = start(sip_server, "routeless.py")
    sip.phone("alice").request("OPTIONS", "anyone").expect(500)
    assert sip.logged("ksr_request_route")


def test_exception_is_answered_and_traced(sip_server: Make) -> None:
    sip = start(sip_server)
    call = sip.phone("alice").request("OPTIONS", "raise")
    call.expect(500)
    source = (SCRIPTS / "raising.py").read_text().splitlines()
    line = 1 + source.index('            raise ValueError("the script broke")')
    (report,) = [one.text for one in sip.log if "ValueError: the script broke" in one.text]
    assert f'raising.py", line {line}' in report
    assert call.request.call_id in report
    assert call.routes == ["ksr_request_route"]
    assert isinstance(sip.route_calls[0].error, ValueError)


def test_exception_after_a_reply_sends_nothing_more(sip_server: Make) -> None:
    sip = start(sip_server)
    call = sip.phone("alice").request("OPTIONS", "replied")
    call.expect(486)
    call.expect_nothing()
    assert sip.logged("broke after a reply")


def test_exception_dropped_on_demand(sip_server: Make) -> None:
    sip = start(sip_server, **{"script.on_error": "drop"})
    call = sip.phone("alice").request("OPTIONS", "raise")
    sip.advance(60)
    call.expect_nothing()
    assert call.routes == ["ksr_request_route"]


def test_sys_exit_ends_the_route_quietly(sip_server: Make) -> None:
    sip = start(sip_server)
    sip.phone("alice").request("OPTIONS", "exit").expect(200)
    assert not sip.logged("SystemExit")


def test_wrong_argument_type_returns_false(sip_server: Make) -> None:
    sip = start(sip_server)
    assert sip.phone("alice").request("OPTIONS", "types").expect(200).reason == "Returned False"
    assert sip.logged("raising.py")


def test_unknown_module_is_an_error_of_the_script(sip_server: Make) -> None:
    sip = start(sip_server)
    sip.phone("alice").request("OPTIONS", "unknown").expect(500)
    assert sip.logged("nosuchmodule")


def test_a_call_goes_on_to_the_next_gateway(sip_server: Make, tmp_path: Path) -> None:
    """The failure route marks the gateway that refused; later calls go to the other one at once."""
    gateways = tmp_path / "dispatcher.list"
    gateways.write_text("1 sip:192.0.2.11:5060 0 9\n1 sip:192.0.2.12:5060\n")
    sip = start(sip_server, "balance.py", **{"dispatcher.list_file": str(gateways), "dispatcher.flags": 2})
    first, second = sip.peer("192.0.2.11"), sip.peer("192.0.2.12")
    call = sip.invite("alice", "sip:service@test.invalid")
    first.expect("INVITE").reply(503)
    invite = second.expect("INVITE")
    assert invite.uri == "sip:service@test.invalid"
    invite.reply(200)
    call.expect(200)
    again = sip.invite("alice", "sip:service@test.invalid")
    second.expect("INVITE").reply(486)
    again.expect(486)
    assert [one.method for one in first.requests] == ["INVITE", "ACK"]
