"""CANCEL in all its moments (RFC 3261 section 9)."""

from oracle.scenario import Net, Peer, scenario

RELAY = """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
"""


@scenario(RELAY)
async def cancel_while_it_rings(alice: Peer, bob: Peer) -> None:
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(RELAY)
async def cancel_after_100_only(alice: Peer, bob: Peer) -> None:
    """A 100 of the callee is not relayed, but the CANCEL may go out at once."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 100)
    await alice.net.quiet(0.1)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(RELAY)
async def cancel_and_the_callee_never_says_a_word(alice: Peer, bob: Peer) -> None:
    invite = alice.invite(bob)
    await bob.expect("INVITE")
    alice.cancel(invite)
    await alice.expect(200)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(RELAY)
async def cancel_crosses_200(alice: Peer, bob: Peer) -> None:
    """The callee picked up: the call exists, and the caller must know it."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    cancel = await bob.expect("CANCEL")
    bob.answer(got, 200)
    bob.answer(cancel, 200)
    ok = await alice.expect(lambda m: m.status == 200 and m.method == "INVITE")
    alice.within("ACK", ok)
    await bob.expect("ACK")


@scenario(RELAY)
async def cancel_with_reason(alice: Peer, bob: Peer) -> None:
    """Reason (RFC 3326) goes along."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite, ("Reason", 'SIP;cause=200;text="Call completed elsewhere"'))
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(RELAY)
async def cancel_without_its_invite(alice: Peer, bob: Peer) -> None:
    """There is no transaction to cancel: the script relays the CANCEL itself."""
    invite = alice.request("INVITE", bob, send=False)
    alice.cancel(invite)
    cancel = await bob.expect("CANCEL")
    bob.answer(cancel, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_CANCEL():
        rc = KSR.tm.t_check_trans()
        note("t_check_trans", rc, "is_canceled", KSR.tm.t_is_canceled())
        if rc > 0:
            note("t_relay", KSR.tm.t_relay())
        return
    note("t_check_trans", KSR.tm.t_check_trans())
    note("t_relay", KSR.tm.t_relay())
"""
)
async def cancel_as_the_default_script_does(alice: Peer, bob: Peer) -> None:
    """`if is_method("CANCEL") { if t_check_trans() t_relay(); exit; }`"""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_CANCEL():
        note("t_check_trans", KSR.tm.t_check_trans())
        return
    KSR.tm.t_relay()
"""
)
async def cancel_nobody_knows(alice: Peer, bob: Peer) -> None:
    """The script drops a CANCEL without a transaction."""
    invite = alice.request("INVITE", bob, send=False)
    alice.cancel(invite)
    await alice.net.quiet(0.3)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.corex.append_branch_uri("sip:dave@" + at("dave"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def cancel_of_three_branches(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    """One rings, one has failed, one has said nothing."""
    invite = alice.invite(bob)
    to_bob, to_carol, to_dave = [await peer.expect("INVITE") for peer in (bob, carol, dave)]
    bob.answer(to_bob, 180)
    await alice.expect(180)
    await carol.refuse(to_carol, 486)
    alice.cancel(invite)
    await alice.expect(200)
    await bob.is_cancelled(to_bob)
    await dave.maybe("CANCEL", 0.2)
    await dave.refuse(to_dave, 487)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("is_canceled", KSR.tm.t_is_canceled(), "status", KSR.tm.t_get_status_code(),
         "check 487", KSR.tm.t_check_status("487"))
    if KSR.tm.t_is_canceled() > 0:
        return
    KSR.tm.t_reply(500, "not reached")
"""
)
async def failure_route_after_cancel(alice: Peer, bob: Peer) -> None:
    """`if t_is_canceled() exit;` as in most failure routes."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note("loose_route", KSR.rr.loose_route())
    note("t_relay", KSR.tm.t_relay())
"""
)
async def cancel_keeps_the_route(net: Net, alice: Peer, bob: Peer) -> None:
    """CANCEL and ACK of a hop go where its INVITE went, with its Route."""
    invite = alice.invite(
        "sip:bob@far.test", ("Route", f"<sip:{bob.at};lr;next=carol>, <sip:carol@far.test;lr>"), ("Max-Forwards", "20")
    )
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(RELAY)
async def cancel_before_any_answer(alice: Peer, bob: Peer) -> None:
    """The CANCEL waits for a provisional response (RFC 3261 section 9.1)."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    alice.cancel(invite)
    await alice.expect(200)
    bob.answer(got, 180)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(RELAY)
async def cancel_after_200(alice: Peer, bob: Peer) -> None:
    """Too late: answered, and without effect."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    await alice.expect(200)
    alice.cancel(invite)
    await alice.expect(lambda m: m.status == 200 and m.method == "CANCEL")
