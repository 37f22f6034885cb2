"""Record-Route and Route (RFC 3261 sections 16.4, 16.6, 16.12)."""

from oracle.scenario import Net, Peer, scenario

LOOSE = """
def ksr_request_route(self, msg):
    note("has_totag", KSR.siputils.has_totag())
    note("loose_route", KSR.rr.loose_route())
    pv("$ru", "$du", "$route_uri", "$hdr(Route)")
    if KSR.is_ACK() or KSR.is_INVITE() or KSR.is_BYE() or KSR.is_OPTIONS():
        note("t_relay", KSR.tm.t_relay())
"""


def ours(net: Net) -> str:
    return f"{net.server[0]}:{net.server[1]}"


@scenario(LOOSE)
async def one_route_of_ours(net: Net, alice: Peer, bob: Peer) -> None:
    alice.request("OPTIONS", bob, ("Route", f"<sip:{ours(net)};lr>"), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def ours_and_the_next(net: Net, alice: Peer, bob: Peer) -> None:
    """Ours is taken off; the next one is where it goes."""
    route = f"<sip:{ours(net)};lr>, <sip:{bob.at};lr>"
    alice.request("OPTIONS", "sip:far@192.0.2.1", ("Route", route), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def two_routes_in_two_headers(net: Net, alice: Peer, bob: Peer) -> None:
    routes = (("Route", f"<sip:{ours(net)};lr>"), ("Route", f"<sip:{bob.at};lr;x=y>"), ("Route", "<sip:last.test;lr>"))
    alice.request("OPTIONS", "sip:far@192.0.2.1", *routes, to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def route_of_somebody_else(net: Net, alice: Peer, bob: Peer) -> None:
    """The topmost Route is not ours: it is the next hop."""
    alice.request("OPTIONS", "sip:far@192.0.2.1", ("Route", f"<sip:{bob.at};lr>"), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def next_hop_is_a_strict_router(net: Net, alice: Peer, bob: Peer) -> None:
    """Without lr the next Route becomes the request-URI (section 16.6 step 6)."""
    route = f"<sip:{ours(net)};lr>, <sip:{bob.at}>"
    alice.request("OPTIONS", "sip:far@192.0.2.1", ("Route", route), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def previous_hop_is_a_strict_router(net: Net, alice: Peer, bob: Peer) -> None:
    """The request-URI is ours, the last Route is the target (section 16.4)."""
    route = f"<sip:{bob.uri.removeprefix('sip:')}>"
    alice.request("OPTIONS", f"sip:{ours(net)}", ("Route", route), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def request_uri_is_a_gruu(net: Net, alice: Peer, bob: Peer) -> None:
    """A GRUU has our domain in it (RFC 5627) and is no sign of a strict router."""
    route = f"<sip:{ours(net)};lr>, <sip:{bob.at};lr>"
    alice.request("OPTIONS", f"sip:bob@{ours(net)};gr=urn:uuid:1", ("Route", route), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def previous_strict_then_loose(net: Net, alice: Peer, bob: Peer) -> None:
    route = f"<sip:{bob.at};lr>, <sip:target@192.0.2.7>"
    alice.request("OPTIONS", f"sip:{ours(net)};lr", ("Route", route), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def two_of_ours(net: Net, alice: Peer, bob: Peer) -> None:
    """A double Record-Route (r2=on): both are taken off."""
    route = f"<sip:{ours(net)};r2=on;lr>, <sip:{ours(net)};r2=on;lr>, <sip:{bob.at};lr>"
    alice.request("OPTIONS", "sip:far@192.0.2.1", ("Route", route), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def preloaded_route(net: Net, alice: Peer, bob: Peer) -> None:
    """Outside of a dialog."""
    alice.request("OPTIONS", bob, ("Route", f"<sip:{ours(net)};lr>"))
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def in_dialog_without_a_route(alice: Peer, bob: Peer) -> None:
    alice.request("OPTIONS", bob, to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def route_by_an_alias(net: Net, alice: Peer, bob: Peer) -> None:
    """A name of ours in Route."""
    alice.request("OPTIONS", bob, ("Route", "<sip:oracle.test;lr>"), to_header="<sip:b@h>;tag=bob")
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0:
        note("loose_route", KSR.rr.loose_route())
        note("params", KSR.rr.check_route_param("nat=yes"), KSR.rr.check_route_param("nat=no"),
             KSR.rr.check_route_param("vsf=.*"), "downstream", KSR.rr.is_direction("downstream"),
             "upstream", KSR.rr.is_direction("upstream"))
        pv("$route_uri", "$rdir(id)", "$rdir(name)")
    elif KSR.is_INVITE():
        note("add", KSR.rr.add_rr_param(";nat=yes"))
        note("record_route", KSR.rr.record_route())
        note("add", KSR.rr.add_rr_param(";vsf=abc"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def record_route_parameters(alice: Peer, bob: Peer) -> None:
    """add_rr_param before and after record_route; seen again within the dialog, from both sides."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    bob.within("BYE", got)
    alice.answer(await alice.expect("BYE"), 200)
    await bob.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note("twice", KSR.rr.record_route(), KSR.rr.record_route())
    note("t_relay", KSR.tm.t_relay())
"""
)
async def record_route_twice(alice: Peer, bob: Peer) -> None:
    alice.invite(bob, ("Record-Route", "<sip:192.0.2.3;lr>"))
    got = await bob.expect("INVITE")
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note(KSR.rr.record_route_params(";a=b"))
    elif KSR.is_OPTIONS():
        note(KSR.rr.record_route_preset("192.0.2.1:5070;p=1", ""))
    else:
        note(KSR.rr.record_route_advertised_address("192.0.2.2:5080"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def record_route_variants(alice: Peer, bob: Peer) -> None:
    for method in ("INVITE", "OPTIONS", "SUBSCRIBE"):
        alice.request(method, bob)
        got = await bob.expect(method)
        bob.answer(got, 404)
        await alice.expect(404)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_branch("branch")
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())

def branch(self, msg):
    KSR.rr.add_rr_param(";idx=" + str(KSR.pv.get("$T_branch_idx")))
    note("record_route", KSR.rr.record_route())
"""
)
async def record_route_in_a_branch_route(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Each branch has its own."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 486)
    await carol.refuse(to_carol, 404)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay_to", KSR.tm.t_relay_to_proto_addr("udp", "127.0.0.1", int(at("carol").split(":")[1])))
"""
)
async def relay_to_an_address(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The request-URI stays."""
    alice.request("MESSAGE", bob)
    carol.answer(await carol.expect("MESSAGE"), 202)
    await alice.expect(202)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
"""
)
async def maddr_of_the_request_uri(alice: Peer, bob: Peer) -> None:
    host, port = bob.address
    alice.request("MESSAGE", f"sip:b@127.0.0.9:{port};maddr={host}")
    if got := await bob.maybe("MESSAGE", 0.3):
        bob.answer(got, 200)
    await alice.maybe(408, 1.0)


@scenario(
    """
def ksr_request_route(self, msg):
    rc = KSR.rr.loose_route()
    note("loose_route", rc)
    if rc < 0:
        note("myself", KSR.is_myself_ruri(), KSR.is_myself_furi(), KSR.is_myself_turi(),
             KSR.is_myself("sip:oracle.test"), KSR.is_myself("sip:other.test"), KSR.is_myself("sip:127.0.0.1:1"))
        note("myself srcip", KSR.is_myself_srcip(), "suri", KSR.is_myself_suri())
    KSR.sl.sl_send_reply(200, "OK")
"""
)
async def who_is_myself(net: Net, alice: Peer) -> None:
    for uri in (f"sip:x@{ours(net)}", "sip:x@oracle.test", "sip:x@oracle.test:5099", "sip:x@192.0.2.1", "tel:+123"):
        alice.request("OPTIONS", uri)
        await alice.expect(200)
