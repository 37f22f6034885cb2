"""nathelper: aliases, fixed contacts, tests; and registrar with it."""

from __future__ import annotations

from oracle.scenario import Net, Peer, scenario

SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
PRIVATE = ("Contact", "<sip:alice@10.0.0.9:5062;ob>;q=0.3")


def edited(name: str, call: str, *extra: tuple[str, str], uri: str = "") -> None:
    """What the callee gets after one function of nathelper."""

    async def run(alice: Peer, bob: Peer) -> None:
        sent_to = uri.format(port=bob.address[1]) if uri else bob
        alice.request("INVITE", sent_to, *extra, ("Content-Type", "application/sdp"), body=SDP)
        got = await bob.expect("INVITE")
        await bob.refuse(got, 486)
        await alice.expect(486)

    scenario(
        f"""
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note({call})
        pv("$ru", "$du", "$ct")
    note("t_relay", KSR.tm.t_relay())
""",
        name=name,
    )(run)


edited("set_contact_alias", "KSR.nathelper.set_contact_alias()", PRIVATE)
edited("add_contact_alias", "KSR.nathelper.add_contact_alias()", PRIVATE)
edited("set_contact_alias_trim", "KSR.nathelper.set_contact_alias_trim()", PRIVATE)
edited("add_contact_alias_addr", 'KSR.nathelper.add_contact_alias_addr("192.0.2.1", "5080", "tcp")', PRIVATE)
edited("set_contact_alias_of_a_true_contact", "KSR.nathelper.set_contact_alias()")
edited("fix_nated_contact", "KSR.nathelper.fix_nated_contact()", PRIVATE)
edited("add_rcv_param", "KSR.nathelper.add_rcv_param(0)", PRIVATE)
edited("handle_ruri_alias", "KSR.nathelper.handle_ruri_alias()", uri="sip:bob@10.0.0.7;x=y;alias=127.0.0.1~{port}~1")
edited("handle_ruri_alias_of_none", "KSR.nathelper.handle_ruri_alias()")
edited(
    "nat_uac_test_of_a_private_contact",
    '"tests", [KSR.nathelper.nat_uac_test(1 << bit) for bit in range(9)], KSR.nathelper.nat_uac_test(19)',
    PRIVATE,
)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.rr.record_route()
        KSR.nathelper.set_contact_alias()
        KSR.tm.t_on_reply("answer")
    elif KSR.siputils.has_totag() > 0:
        note("loose_route", KSR.rr.loose_route(), "alias", KSR.nathelper.handle_ruri_alias())
        pv("$ru", "$du")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    note("alias", KSR.nathelper.set_contact_alias())
"""
)
async def aliases_bring_requests_within_a_dialog_home(alice: Peer, bob: Peer) -> None:
    """Both sides are behind NAT; their Contacts carry where they really are."""
    alice.invite(bob, ("Contact", "<sip:alice@10.0.0.9>"))
    got = await bob.expect("INVITE")
    bob.answer(got, 200, ("Contact", "<sip:bob@10.0.0.8>"))
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    bob.within("BYE", got)
    alice.answer(await alice.expect("BYE"), 200)
    await bob.expect(200)


REGISTRAR = """
def ksr_request_route(self, msg):
    if KSR.is_REGISTER():
        if "10.0.0" in KSR.hdr.gete("Contact"):
            note("fix_nated_register", KSR.nathelper.fix_nated_register())
        note("save", KSR.registrar.save("location", 0))
        return
    if KSR.is_INVITE() or KSR.is_MESSAGE():
        rc = KSR.registrar.lookup("location")
        note("lookup", rc)
        pv("$ru", "$du")
        if rc < 0:
            KSR.sl.send_reply(404, "Not Found")
            return
    note("t_relay", KSR.tm.t_relay())
"""


@scenario(REGISTRAR)
async def registered_then_called(alice: Peer, bob: Peer) -> None:
    aor = "<sip:reg1@oracle.test>"
    bob.request("REGISTER", "sip:oracle.test", ("Contact", f"<{bob.uri}>;expires=600"), to_header=aor)
    await bob.expect(200)
    alice.invite("sip:reg1@oracle.test")
    got = await bob.expect("INVITE")
    await bob.refuse(got, 486)
    await alice.expect(486)
    bob.request("REGISTER", "sip:oracle.test", ("Contact", "*"), ("Expires", "0"), to_header=aor)
    await bob.expect(200)
    alice.invite("sip:reg1@oracle.test")
    await alice.expect(404)


@scenario(REGISTRAR)
async def registered_from_behind_nat(alice: Peer, bob: Peer) -> None:
    """The binding goes to where the REGISTER came from."""
    aor = "<sip:reg2@oracle.test>"
    bob.request("REGISTER", "sip:oracle.test", ("Contact", "<sip:b@10.0.0.5>;expires=600"), to_header=aor)
    await bob.expect(200)
    alice.request("MESSAGE", "sip:reg2@oracle.test")
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(REGISTRAR)
async def registered_with_two_contacts(alice: Peer, bob: Peer, carol: Peer) -> None:
    """By q: the best is the main branch; both are tried."""
    aor = "<sip:reg3@oracle.test>"
    bob.request("REGISTER", "sip:oracle.test", ("Contact", f"<{bob.uri}>;q=0.2"), ("Expires", "600"), to_header=aor)
    await bob.expect(200)
    carol.request("REGISTER", "sip:oracle.test", ("Contact", f"<{carol.uri}>;q=0.9;expires=600"), to_header=aor)
    await carol.expect(200)
    alice.invite("sip:reg3@oracle.test")
    to_carol, to_bob = await carol.expect("INVITE"), await bob.expect("INVITE")
    await bob.refuse(to_bob, 404)
    await carol.refuse(to_carol, 486)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(REGISTRAR)
async def registration_is_asked_for_and_refreshed(net: Net, bob: Peer) -> None:
    """Without Contact the bindings are listed; without an expiry the default holds."""
    aor = "<sip:reg4@oracle.test>"
    bob.request("REGISTER", "sip:oracle.test", to_header=aor)
    await bob.expect(200)
    bob.request("REGISTER", "sip:oracle.test", ("Contact", f"<{bob.uri};transport=udp>"), to_header=aor)
    await bob.expect(200)
    bob.request("REGISTER", "sip:oracle.test", to_header=aor)
    await bob.expect(200)
    bob.request("REGISTER", "sip:oracle.test", ("Contact", f"<{bob.uri};transport=udp>;expires=0"), to_header=aor)
    await bob.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_REGISTER():
        note("save", KSR.registrar.save("location", 0))
        return
    note("registered", KSR.registrar.registered("location"), "unregister",
         KSR.registrar.unregister("location", "sip:reg5@oracle.test"), "registered", KSR.registrar.registered("location"))
    KSR.sl.sl_send_reply(200, "OK")
"""
)
async def unregistered_by_the_script(alice: Peer, bob: Peer) -> None:
    aor = "<sip:reg5@oracle.test>"
    bob.request("REGISTER", "sip:oracle.test", ("Contact", f"<{bob.uri}>;expires=600"), to_header=aor)
    await bob.expect(200)
    alice.request("OPTIONS", "sip:reg5@oracle.test")
    await alice.expect(200)
