"""Calls and other requests as the shortest scripts relay them."""

from oracle.scenario import Peer, scenario

RELAY = """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
"""

LOOSE = """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0:
        note("loose_route", KSR.rr.loose_route())
    elif KSR.is_INVITE():
        note("record_route", KSR.rr.record_route())
    note("t_relay", KSR.tm.t_relay())
"""


@scenario(LOOSE)
async def call_is_answered_and_ended(alice: Peer, bob: Peer) -> None:
    """A call with Record-Route: INVITE, 180, 200, ACK, BYE."""
    alice.invite(bob, body="v=0\r\n")
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    bob.answer(got, 200, body="v=0\r\n")
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(LOOSE)
async def callee_hangs_up(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    alice.within("ACK", await alice.expect(200))
    await bob.expect("ACK")
    bob.within("BYE", got)
    alice.answer(await alice.expect("BYE"), 200)
    await bob.expect(200)


@scenario(RELAY)
async def call_is_refused(alice: Peer, bob: Peer) -> None:
    """The failure is acknowledged hop by hop."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    await bob.expect("ACK")


@scenario(RELAY)
async def message_is_relayed(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob, ("Content-Type", "text/plain"), body="hello")
    bob.answer(await bob.expect("MESSAGE"), 202)
    await alice.expect(202)


@scenario(RELAY)
async def nobody_answers(alice: Peer, bob: Peer) -> None:
    """fr_timer runs out."""
    alice.invite(bob)
    await bob.expect("INVITE")
    await alice.expect(408)


@scenario(RELAY)
async def nobody_picks_up(alice: Peer, bob: Peer) -> None:
    """fr_inv_timer runs out."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await bob.is_cancelled(got)
    await alice.expect(408)


@scenario(
    """
def ksr_request_route(self, msg):
    note("sl_send_reply", KSR.sl.sl_send_reply(404, "Nobody here"))
"""
)
async def stateless_reply(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:nobody@oracle.test")
    await alice.expect(404)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    rc = KSR.tm.t_relay()
    note("t_relay", rc)
    if rc < 0:
        note("sl_reply_error", KSR.sl.sl_reply_error())
"""
)
async def unresolvable_next_hop(alice: Peer) -> None:
    """t_relay fails, and the script answers as the default script does."""
    alice.invite("sip:bob@far.invalid")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    note("t_newtran", KSR.tm.t_newtran())
    rc = KSR.tm.t_relay()
    note("t_relay", rc)
    if rc < 0:
        note("sl_reply_error", KSR.sl.sl_reply_error())
"""
)
async def unresolvable_next_hop_after_newtran(alice: Peer) -> None:
    alice.invite("sip:bob@far.invalid")
    await alice.expect(lambda m: (m.status or 0) >= 300)
