"""outbound: tokens of flows in Path and Record-Route, and the way back by them (RFC 5626)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from oracle.scenario import Net, Peer, TcpPeer, scenario
from support.messages import Sip

OB = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1'

REGISTER = """
def ksr_request_route(self, msg):
    note("add_path", KSR.path.add_path())
    KSR.pv.sets("$du", "sip:" + at("bob"))
    note("t_relay", KSR.tm.t_relay())
"""

DIALOG = """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0 or KSR.hdr.is_present("Route") > 0:
        note("loose_route", KSR.rr.loose_route())
        pv("$ru", "$du")
    else:
        note("record_route", KSR.rr.record_route())
        KSR.pv.sets("$du", "sip:" + at("bob"))
    note("t_relay", KSR.tm.t_relay())
"""


def registers(name: str, contact: str, *extra: tuple[str, str]) -> None:
    """What the registrar gets of a REGISTER."""

    async def run(alice: Peer, bob: Peer) -> None:
        alice.request("REGISTER", "sip:oracle.test", ("Contact", contact.replace("@", f"@{alice.at}")), *extra)
        bob.answer(await bob.expect("REGISTER"), 200)
        await alice.expect(200)

    scenario(REGISTER, name=name, profile="outbound")(run)


registers("path_of_a_flow", f"<sip:alice@;ob>{OB}", ("Supported", "path, outbound"))
registers("path_of_a_flow_without_ob", f"<sip:alice@>{OB}", ("Supported", "path, outbound"))
registers("path_of_a_flow_without_supported", f"<sip:alice@;ob>{OB}")
registers("path_of_no_flow", "<sip:alice@>")
registers("path_of_an_instance_alone", '<sip:alice@>;+sip.instance="<urn:uuid:1>"', ("Supported", "path, outbound"))


@scenario(REGISTER, profile="outbound")
async def path_of_a_flow_behind_a_proxy(alice: Peer, bob: Peer) -> None:
    """The user agent has its flow with the proxy before this one."""
    vias = (
        ("Via", f"SIP/2.0/UDP {alice.at};branch=z9hG4bK-alice-a"),
        ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK-alice-b"),
    )
    alice.request("REGISTER", "sip:oracle.test", *vias, ("Contact", f"<sip:alice@192.0.2.2;ob>{OB}"))
    bob.answer(await bob.expect("REGISTER"), 200)
    await alice.expect(200)


def calls(name: str, contact: str = "", *extra: tuple[str, str]) -> None:
    """A call over the proxy, with requests of both sides in its dialog."""

    async def run(alice: Peer, bob: Peer, net: Net) -> None:
        alice.invite(
            "sip:bob@oracle.test", *([("Contact", contact.replace("@", f"@{alice.at}"))] if contact else []), *extra
        )
        got = await bob.expect("INVITE")
        bob.answer(got, 200)
        ok = await alice.expect(200)
        alice.within("ACK", ok)
        await bob.expect("ACK")
        bob.within("INFO", got)
        alice.answer(await alice.expect("INFO"), 200)
        await bob.expect(200)
        alice.within("BYE", ok)
        bob.answer(await bob.expect("BYE"), 200)
        await alice.expect(200)

    scenario(DIALOG, name=name, profile="outbound")(run)


calls("call_over_a_flow", "<sip:alice@;ob>")
calls("call_over_no_flow", "<sip:alice@>")


def flagged(name: str, flag: int, contact: str) -> None:
    """A message flag of the settings asks for a token, or for none."""

    async def run(alice: Peer, bob: Peer) -> None:
        alice.invite("sip:bob@oracle.test", ("Contact", contact.replace("@", f"@{alice.at}")))
        await bob.refuse(await bob.expect("INVITE"), 486)
        await alice.expect(486)

    scenario(
        f"""
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        KSR.tm.t_relay()
        return
    KSR.setflag({flag})
    note("record_route", KSR.rr.record_route())
    KSR.pv.sets("$du", "sip:" + at("bob"))
    note("t_relay", KSR.tm.t_relay())
""",
        name=name,
        profile="outbound",
    )(run)


flagged("a_flag_asks_for_a_flow", 5, "<sip:alice@>")
flagged("a_flag_forbids_a_flow", 6, "<sip:alice@;ob>")


def first_route(message: Sip) -> str:
    return message.all("Record-Route")[0]


def spoiled(route: str) -> str:
    """The Route with another first character in its token."""
    head, _, tail = route.partition("sip:")
    return f"{head}sip:{'B' if tail[0] != 'B' else 'C'}{tail[1:]}"


REFUSING = """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0 or KSR.hdr.is_present("Route") > 0:
        result = KSR.rr.loose_route()
        note("loose_route", result)
        pv("$ru", "$du")
        if result == -2:
            KSR.sl.send_reply(403, "Forbidden")
            return
    else:
        note("record_route", KSR.rr.record_route())
        KSR.pv.sets("$du", "sip:" + at("bob"))
    note("t_relay", KSR.tm.t_relay())
"""


def in_dialog(name: str, change: Callable[[str], str], answered: bool) -> None:
    """A request of the callee with the Route that it has changed."""

    async def run(alice: Peer, bob: Peer) -> None:
        alice.invite("sip:bob@oracle.test", ("Contact", f"<sip:alice@{alice.at};ob>"))
        got = await bob.expect("INVITE")
        bob.answer(got, 200)
        ok = await alice.expect(200)
        alice.within("ACK", ok)
        await bob.expect("ACK")
        info = bob.within("INFO", got, send=False)
        headers = tuple((n, change(v) if n == "Route" else v) for n, v in info.headers)
        bob.send(Sip(info.first_line, headers))
        if answered:
            alice.answer(await alice.expect("INFO"), 200)
        await bob.expect(200 if answered else 403)

    scenario(REFUSING, name=name, profile="outbound")(run)


in_dialog("a_token_that_was_changed", spoiled, False)
in_dialog("a_token_that_is_cut", lambda route: route.replace(route[5:12], "", 1), True)
in_dialog("a_user_that_is_no_token", lambda route: "<sip:bob" + route[route.index("@") :], True)
in_dialog("a_route_without_a_token", lambda route: "<sip:" + route[route.index("@") + 1 :], True)


@scenario(REFUSING, profile="outbound")
async def call_by_the_path_of_a_flow(alice: Peer, bob: Peer) -> None:
    """The registrar's request has our Path for its Route."""
    alice.invite("sip:bob@oracle.test", ("Contact", f"<sip:alice@{alice.at};ob>"))
    got = await bob.expect("INVITE")
    await bob.refuse(got, 486)
    await alice.expect(486)
    route = first_route(got).replace(";ftag=alice", "")
    for parameters in (";ob", ""):
        bob.invite(f"sip:alice@{alice.at}", ("Route", route.replace(";lr", f";lr{parameters}")))
        await alice.refuse(await alice.expect("INVITE"), 486)
        await bob.expect(486)


@scenario(DIALOG, profile="outbound")
async def call_over_a_flow_of_tcp(alice: TcpPeer, bob: Peer) -> None:
    alice.invite("sip:bob@oracle.test", ("Contact", f"<{alice.uri};ob>"))
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    bob.within("INFO", got)
    alice.answer(await alice.expect("INFO"), 200)
    await bob.expect(200)
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(DIALOG, profile="outbound")
async def a_flow_that_is_gone(alice: TcpPeer, bob: Peer) -> None:
    alice.invite("sip:bob@oracle.test", ("Contact", f"<{alice.uri};ob>"))
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    alice.close()
    await asyncio.sleep(0.2)
    bob.within("INFO", got)
    await bob.expect(lambda message: message.status is not None)


RECORDED = """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0 or KSR.hdr.is_present("Route") > 0:
        note("loose_route", KSR.rr.loose_route())
        pv("$ru", "$du")
    else:
        KSR.pv.sets("$du", "sip:" + at("bob"))
    if KSR.siputils.has_totag() < 0 and KSR.is_INVITE():
        note("record_route", KSR.rr.record_route())
    note("t_relay", KSR.tm.t_relay())
"""


def called_by_path(name: str, parameters: str) -> None:
    """A dialog that begins with our Path for the Route, and that we record."""

    async def run(alice: Peer, bob: Peer) -> None:
        alice.invite("sip:bob@oracle.test", ("Contact", f"<sip:alice@{alice.at};ob>"))
        got = await bob.expect("INVITE")
        await bob.refuse(got, 486)
        await alice.expect(486)
        route = first_route(got).replace(";ftag=alice", parameters)
        bob.invite(f"sip:alice@{alice.at}", ("Route", route))
        incoming = await alice.expect("INVITE")
        alice.answer(incoming, 200, ("Contact", f"<sip:alice@{alice.at};ob>"))
        ok = await bob.expect(200)
        bob.within("ACK", ok)
        await alice.expect("ACK")
        alice.within("INFO", incoming)
        bob.answer(await bob.expect("INFO"), 200)
        await alice.expect(200)
        bob.within("BYE", ok)
        alice.answer(await alice.expect("BYE"), 200)
        await bob.expect(200)

    scenario(RECORDED, name=name, profile="outbound")(run)


called_by_path("dialog_by_the_path_of_a_flow", ";ob")
called_by_path("dialog_by_the_path_of_a_flow_without_ob", "")


@scenario(DIALOG, profile="outbound")
async def call_from_behind_a_proxy(alice: Peer, bob: Peer) -> None:
    """The user agent that wants a flow is not the one that this proxy has a flow with."""
    vias = (
        ("Via", f"SIP/2.0/UDP {alice.at};branch=z9hG4bK-alice-a"),
        ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK-alice-b"),
    )
    alice.invite("sip:bob@oracle.test", *vias, ("Contact", "<sip:alice@192.0.2.2;ob>"))
    bob.answer(await bob.expect("INVITE"), 200)
    await alice.expect(200)
