"""Parallel forking and the response that goes back (RFC 3261 sections 16.6 and 16.7)."""

from oracle.scenario import Peer, scenario

TO_TWO = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""

TO_THREE = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.corex.append_branch_uri("sip:dave@" + at("dave"))
    note("t_relay", KSR.tm.t_relay())
"""

CHALLENGE = ("WWW-Authenticate", 'Digest realm="one", nonce="1"')
PROXY_CHALLENGE = ("Proxy-Authenticate", 'Digest realm="two", nonce="2"')


@scenario(TO_TWO)
async def first_200_wins(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The other branch, which rings, is cancelled."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    carol.answer(to_carol, 180)
    await alice.expect(180)
    bob.answer(to_bob, 180)
    await alice.expect(180)
    carol.answer(to_carol, 200)
    ok = await alice.expect(200)
    await bob.is_cancelled(to_bob)
    alice.within("ACK", ok)
    await carol.expect("ACK")


@scenario(TO_TWO)
async def both_pick_up(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Each 200 reaches the caller (RFC 3261 section 16.7 step 5)."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 180)
    carol.answer(to_carol, 180)
    await alice.expect(180)
    await alice.expect(180)
    bob.answer(to_bob, 200)
    await alice.expect(200)
    await carol.expect("CANCEL")
    carol.answer(to_carol, 200)
    await alice.expect(200)


@scenario(TO_TWO)
async def late_200_after_a_failure_went_back(alice: Peer, bob: Peer, carol: Peer) -> None:
    """A branch that was given up (fr_timer) picks up after all."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await carol.refuse(to_carol, 486)
    await alice.expect(lambda m: (m.status or 0) >= 300)
    bob.answer(to_bob, 200)
    await alice.expect(200)


@scenario(TO_TWO)
async def best_is_the_lowest_class(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 500)
    await carol.refuse(to_carol, 404)
    await alice.expect(404)


@scenario(TO_TWO)
async def best_of_one_class(alice: Peer, bob: Peer, carol: Peer) -> None:
    """486 before 480: the lower code."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 486)
    await carol.refuse(to_carol, 480)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(TO_TWO)
async def best_of_302_and_404(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 404)
    carol.answer(to_carol, 302, ("Contact", "<sip:elsewhere@h.test>"))
    await carol.expect("ACK")
    await alice.expect(302)


@scenario(TO_TWO)
async def best_of_408_by_timeout_and_480(alice: Peer, bob: Peer, carol: Peer) -> None:
    """A branch that times out counts as a 408."""
    alice.invite(bob)
    await bob.expect("INVITE")
    to_carol = await carol.expect("INVITE")
    await carol.refuse(to_carol, 480)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(TO_TWO)
async def a_603_ends_the_others(alice: Peer, bob: Peer, carol: Peer) -> None:
    """6xx cancels what is pending (section 16.7 step 5)."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 180)
    await alice.expect(180)
    await carol.refuse(to_carol, 603)
    await bob.is_cancelled(to_bob)
    await alice.expect(603)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note("t_set_disable_6xx", KSR.tm.t_set_disable_6xx(1))
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def a_603_leaves_the_others_alone_if_told_so(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 180)
    await alice.expect(180)
    await carol.refuse(to_carol, 603)
    bob.answer(to_bob, 200)
    await alice.expect(200)


@scenario(TO_TWO)
async def a_603_beats_a_486(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 486)
    await carol.refuse(to_carol, 600)
    await alice.expect(600)


@scenario(TO_TWO)
async def challenges_are_collected(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The 407 takes the challenge of the other branch along (section 16.7 step 7)."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 401, CHALLENGE)
    await carol.refuse(to_carol, 407, PROXY_CHALLENGE)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(TO_THREE)
async def challenges_of_three_branches(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    """A 401, a 407 and a 404, which is no challenge."""
    alice.invite(bob)
    to_bob, to_carol, to_dave = [await peer.expect("INVITE") for peer in (bob, carol, dave)]
    await dave.refuse(to_dave, 404)
    await bob.refuse(to_bob, 401, CHALLENGE)
    carol.answer(to_carol, 407, ("Proxy-Authenticate", 'Digest realm="three", nonce="3"'))
    await carol.expect("ACK")
    await alice.expect(401)


@scenario(TO_TWO)
async def a_503_is_not_relayed_as_it_is(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Section 16.7 step 6; two branches."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 503, ("Retry-After", "10"))
    await bob.expect("ACK")
    await carol.refuse(to_carol, 503)
    await alice.expect(lambda m: (m.status or 0) >= 500)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
"""
)
async def a_503_of_the_only_branch(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 503, ("Retry-After", "10"))
    await bob.expect("ACK")
    await alice.expect(lambda m: (m.status or 0) >= 500)


@scenario(TO_TWO)
async def one_branch_is_silent_the_other_picks_up(alice: Peer, bob: Peer, carol: Peer) -> None:
    """A branch without a provisional response is cancelled when one comes."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    carol.answer(to_carol, 200)
    await alice.expect(200)
    bob.answer(to_bob, 180)
    await bob.is_cancelled(to_bob)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def message_to_two(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Not an INVITE: the first final 2xx goes back, nothing is cancelled."""
    alice.request("MESSAGE", bob, body="x")
    to_bob, to_carol = await bob.expect("MESSAGE"), await carol.expect("MESSAGE")
    bob.answer(to_bob, 404)
    carol.answer(to_carol, 202)
    await alice.expect(202)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note(KSR.corex.append_branch())
        KSR.seturi("sip:second@" + at("carol"))
        KSR.pv.seti("$bf", 0)
    note("t_relay", KSR.tm.t_relay())
"""
)
async def append_branch_keeps_the_first_uri(alice: Peer, bob: Peer, carol: Peer) -> None:
    """append_branch() puts the request-URI of now aside; the new one is the first branch."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 486)
    await carol.refuse(to_carol, 404)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.setdsturi("sip:" + at("carol"))
        note(KSR.corex.append_branch_uri_q("sip:low@" + at("bob"), "0.3"))
        KSR.tm.t_on_branch("each")
    note("t_relay", KSR.tm.t_relay())

def each(self, msg):
    pv("$T_branch_idx", "$ru", "$du", "$nh(u)", "$br")
    note("index", KSR.tm.t_get_branch_index(), "in branch route", KSR.tmx.t_is_branch_route())
"""
)
async def appended_branch_by_the_next_hop(alice: Peer, bob: Peer, carol: Peer) -> None:
    """An appended branch takes the next hop of the main one along."""
    alice.invite("sip:bob@far.test")
    first, second = await carol.expect("INVITE"), await carol.expect("INVITE")
    await carol.refuse(first, 486)
    await carol.refuse(second, 480)
    await alice.expect(lambda m: (m.status or 0) >= 400)


@scenario(TO_TWO)
async def equals_in_order(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Of equal failures that of the first branch goes back, whichever came first."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 486, ("X-Of", "bob"))
    await bob.expect("ACK")
    carol.answer(to_carol, 486, ("X-Of", "carol"))
    await carol.expect("ACK")
    await alice.expect(486)


@scenario(TO_TWO)
async def equals_the_other_way_round(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    carol.answer(to_carol, 486, ("X-Of", "carol"))
    await carol.expect("ACK")
    bob.answer(to_bob, 486, ("X-Of", "bob"))
    await bob.expect("ACK")
    await alice.expect(486)


@scenario(TO_THREE)
async def two_equals_of_three(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    """Neither the worse one that is the first nor the one that came last."""
    alice.invite(bob)
    got = {peer: await peer.expect("INVITE") for peer in (bob, carol, dave)}
    for peer, code in ((dave, 404), (bob, 486), (carol, 404)):
        peer.answer(got[peer], code, ("X-Of", peer.name))
        await peer.expect("ACK")
    await alice.expect(404)


@scenario(TO_THREE)
async def three_equals(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    alice.invite(bob)
    got = {peer: await peer.expect("INVITE") for peer in (bob, carol, dave)}
    for peer in (carol, dave, bob):
        peer.answer(got[peer], 480, ("X-Of", peer.name))
        await peer.expect("ACK")
    await alice.expect(480)


SECOND_SET = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    {wish}
    KSR.seturi("sip:carol@" + at("carol"))
    KSR.corex.append_branch_uri("sip:dave@" + at("dave"))
    note("t_relay", KSR.tm.t_relay())
"""


async def equals_of_two_sets(alice: Peer, bob: Peer, carol: Peer, dave: Peer) -> None:
    """Equals of two sets of branches."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486, ("X-Of", "bob"))
    await bob.expect("ACK")
    to_carol, to_dave = await carol.expect("INVITE"), await dave.expect("INVITE")
    dave.answer(to_dave, 486, ("X-Of", "dave"))
    await dave.expect("ACK")
    carol.answer(to_carol, 486, ("X-Of", "carol"))
    await carol.expect("ACK")
    await alice.expect(486)


for which, wish in {"as_set": "pass", "all": 'KSR.tm.t_drop_replies("a")'}.items():
    scenario(SECOND_SET.format(wish=wish), name=f"equals_of_two_sets_dropping_{which}")(equals_of_two_sets)
