"""Serial forking by contacts, dropped replies, copies of requests."""

from oracle.scenario import Peer, scenario

SERIAL = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.pv.sets("$ru", "sip:low@" + at("bob"))
        note(KSR.corex.append_branch_uri_q("sip:high@" + at("carol"), "0.9"))
        note(KSR.corex.append_branch_uri_q("sip:middle@" + at("dave"), "0.5"))
        note("load", KSR.tm.t_load_contacts(), "next", KSR.tm.t_next_contacts())
        pv("$ru")
        KSR.tm.t_on_failure("next")
    note("t_relay", KSR.tm.t_relay())

def next(self, msg):
    pv("$T_reply_code")
    rc = KSR.tm.t_next_contacts()
    note("next", rc)
    if rc > 0:
        pv("$ru")
        KSR.tm.t_on_failure("next")
        note("t_relay", KSR.tm.t_relay())
"""


@scenario(SERIAL)
async def contacts_by_q(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    """The highest q first; the next group after a failure."""
    alice.invite("sip:x@oracle.test")
    for _ in range(3):
        await alice.net.quiet(0.2)
        for peer in (bob, carol, dave):
            if got := await peer.maybe("INVITE", 0):
                await peer.refuse(got, 480)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(SERIAL)
async def second_contact_answers(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    """No contact is tried after the call was answered."""
    alice.invite("sip:x@oracle.test")
    refused = False
    for _ in range(3):
        await alice.net.quiet(0.2)
        for peer in (bob, carol, dave):
            if got := await peer.maybe("INVITE", 0):
                peer.answer(got, 200 if refused else 486)
                if refused:
                    await alice.expect(200)
                    return
                await peer.expect("ACK")
                refused = True


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        note("load", KSR.tm.t_load_contacts(), "next", KSR.tm.t_next_contacts(), "again", KSR.tm.t_next_contacts())
    note("t_relay", KSR.tm.t_relay())
"""
)
async def contacts_without_q_are_one_group(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 480)
    await carol.refuse(to_carol, 486)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    KSR.tm.t_drop_replies("a")
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def earlier_failures_are_dropped(alice: Peer, bob: Peer, carol: Peer) -> None:
    """404 would be better than 486, but it does not count any more."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 404)
    await bob.expect("ACK")
    carol.answer(await carol.expect("INVITE"), 486)
    await carol.expect("ACK")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_MESSAGE():
        note("replicate", KSR.tm.t_replicate("sip:" + at("carol")))
        note("send_reply", KSR.tm.t_reply(200, "OK"))
"""
)
async def request_is_replicated(alice: Peer, carol: Peer) -> None:
    """The copy's answer goes nowhere."""
    alice.request("MESSAGE", "sip:x@oracle.test")
    got = await carol.expect("MESSAGE")
    await alice.expect(200)
    carol.answer(got, 404)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    if KSR.tm.t_check_status("183") > 0:
        note("cancel", KSR.tmx.t_cancel_branches("others"))
"""
)
async def other_branches_are_cancelled_by_the_script(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    carol.answer(to_carol, 180)
    await alice.expect(180)
    bob.answer(to_bob, 183)
    await alice.expect(183)
    await carol.is_cancelled(to_carol)
    await bob.refuse(to_bob, 486)
    await alice.expect(lambda m: (m.status or 0) >= 300)
