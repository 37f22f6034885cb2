"""TCP and UDP together."""

from oracle.scenario import Net, Peer, TcpPeer, scenario

LOOSE = """
def ksr_request_route(self, msg):
    note("proto", KSR.is_TCP(), KSR.is_UDP(), KSR.pv.get("$pr"), KSR.pv.get("$proto"))
    if KSR.siputils.has_totag() > 0:
        note("loose_route", KSR.rr.loose_route())
        pv("$ru", "$du")
    elif KSR.is_INVITE():
        note("record_route", KSR.rr.record_route())
    note("t_relay", KSR.tm.t_relay())
"""


@scenario(LOOSE)
async def tcp_caller_udp_callee(alice: TcpPeer, bob: Peer) -> None:
    """Two Record-Routes, one for each side (r2=on)."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(lambda m: m.status == 200 and m.method == "BYE")


@scenario(LOOSE)
async def udp_caller_tcp_callee(alice: Peer, bob: TcpPeer) -> None:
    """The server connects to the callee; the callee hangs up."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
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
    KSR.hdr.append_to_reply("X-From: " + KSR.pv.get("$proto") + "\\r\\n")
    note(KSR.sl.sl_send_reply(200, "OK"))
"""
)
async def reply_over_tcp(alice: TcpPeer) -> None:
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay_to_proto("tcp"))
"""
)
async def relay_by_another_transport(alice: Peer, bob: TcpPeer) -> None:
    alice.request("MESSAGE", f"sip:bob@{bob.at}")
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        KSR.tm.t_check_trans()
        return
    rc = KSR.tm.t_relay()
    note("t_relay", rc > 0)
"""
)
async def tcp_callee_is_not_there(net: Net, alice: Peer) -> None:
    """The connection is refused."""
    alice.invite("sip:x@127.0.0.1:9;transport=tcp")
    await alice.expect(lambda m: (m.status or 0) >= 300)
