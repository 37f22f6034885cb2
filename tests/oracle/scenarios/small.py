"""Small functions on the wire: parameters of our Via, answers to OPTIONS, contacts, where responses go, settings."""

from oracle.scenario import Peer, scenario


@scenario(
    r"""
def ksr_request_route(self, msg):
    KSR.pv.sets("$xavp(vp=>srv)", "one")
    KSR.pv.sets("$xavp(vp[0]=>more)", "x.y")
    note(KSR.corex.via_add_srvid(1), KSR.corex.via_add_xavp_params(1), KSR.pv.get("$sid"))
    if KSR.pv.get("$rm") == "MESSAGE":
        note(KSR.corex.via_add_srvid(0), KSR.corex.via_add_xavp_params(0))
    KSR.tm.t_relay()
""",
    profile="via",
)
async def our_via_as_the_script_wants_it(alice: Peer, bob: Peer) -> None:
    for method in ("OPTIONS", "MESSAGE"):
        alice.request(method, bob)
        bob.answer(await bob.expect(method), 200)
        await alice.expect(200)


@scenario(
    r"""
def ksr_request_route(self, msg):
    note(KSR.siputils.options_reply())
    if KSR.pv.get("$rU") is not None or not KSR.is_OPTIONS():
        KSR.sl.sl_send_reply(404, "Nobody")
"""
)
async def options_for_the_server(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:oracle.test")
    await alice.expect(200)
    alice.request("OPTIONS", "sip:bob@oracle.test")
    await alice.expect(404)
    alice.request("MESSAGE", "sip:oracle.test")
    await alice.expect(404)


@scenario(
    r"""
def ksr_request_route(self, msg):
    note(KSR.siputils.contact_param_encode("hid", "sip:oracle.test;transport=udp"))
    KSR.tm.t_on_reply("answered")
    KSR.tm.t_relay()

def answered(self, msg):
    note(KSR.siputils.contact_param_rm("gone"))

def ksr_reply_route(self, msg):
    note(KSR.pv.get("$rpl(cntvia)"), KSR.pv.get("$rpl(dproto)"), KSR.pv.get("$rpl(dprotoid)"), KSR.pv.get("$rpl(dhost)"))
    note(KSR.pv.get("$rpl(duri)") == "sip:127.0.0.1:%s;transport=udp" % KSR.pv.get("$rpl(dport)"), KSR.pv.get("$rpl(x)"))
"""
)
async def contacts_hidden_on_the_way(alice: Peer, bob: Peer) -> None:
    alice.request("SUBSCRIBE", bob, ("Contact", '"A" <sip:alice@192.0.2.5:5070;x=1>;q=0.5'), without=("Contact",))
    bob.answer(await bob.expect("SUBSCRIBE"), 200, ("Contact", "<sip:bob@192.0.2.6;gone=1;kept>"))
    await alice.expect(200)


@scenario(
    r"""
def ksr_request_route(self, msg):
    note(KSR.sanity.sanity_check(256, 0), KSR.sanity.sanity_reply())
    if KSR.sanity.sanity_check(512, 0) < 0:
        note("proxy require")
""",
    profile="via",
)
async def checks_that_the_script_answers(alice: Peer) -> None:
    alice.request("MESSAGE", "sip:bob@oracle.test", ("Expires", "soon"))
    await alice.expect(400)


@scenario(
    r"""
def ksr_request_route(self, msg):
    note(KSR.is_myself("sip:a@sub.domain.test"), KSR.is_myself("sip:domain.test"), KSR.is_myself("sip:xdomain.test"),
         KSR.is_myself("sip:a.port.test:5061"), KSR.is_myself("sip:a.port.test:5062"), KSR.pv.get("$shv(n)"),
         KSR.pv.get("$var(gw)"))
    KSR.pv.sets("$avp(other)", "x")
    note(KSR.pv.get("$avp(name)"), KSR.maxfwd.process_maxfwd(10), KSR.pv.get("$hdr(Max-Forwards)"))
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="via",
)
async def what_settings_say(alice: Peer) -> None:
    alice.request("MESSAGE", "sip:bob@oracle.test")
    await alice.expect(200)
