"""Failure routes, branch failure routes and what they do next."""

from oracle.scenario import Peer, scenario


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("busy")
    note("t_relay", KSR.tm.t_relay())

def busy(self, msg):
    note("status", KSR.tm.t_get_status_code(), "486?", KSR.tm.t_check_status("486|408"),
         "failure route", KSR.tmx.t_is_failure_route())
    pv("$T_reply_code", "$rs", "$ru", "$rm", "$T_branch_idx")
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def busy_goes_to_voicemail(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The commonest failure route: seturi, t_relay."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    to_carol = await carol.expect("INVITE")
    carol.answer(to_carol, 200)
    alice.within("ACK", await alice.expect(200))
    await carol.expect("ACK")


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("next")
    note("t_relay", KSR.tm.t_relay())

def next(self, msg):
    note("timeout", KSR.tm.t_branch_timeout(), "any", KSR.tm.t_any_timeout(), "replied", KSR.tm.t_any_replied())
    pv("$T_reply_code")
    KSR.seturi("sip:carol@" + at("carol"))
    KSR.tm.t_on_failure("last")
    note("t_relay", KSR.tm.t_relay())

def last(self, msg):
    note("status", KSR.tm.t_get_status_code())
"""
)
async def failover_after_a_timeout(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Two gateways; the first is silent, the second refuses; the best of both goes back."""
    alice.invite(bob)
    await bob.expect("INVITE")
    carol.answer(await carol.expect("INVITE"), 503)
    await carol.expect("ACK")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("status", KSR.tm.t_get_status_code())
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def failure_route_without_append_branch(alice: Peer, bob: Peer, carol: Peer) -> None:
    """A new URI is a new branch."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    carol.answer(await carol.expect("INVITE"), 404)
    await carol.expect("ACK")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("t_reply", KSR.tm.t_reply(480, "Later"))
"""
)
async def failure_route_replies(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(480)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    KSR.hdr.append_to_reply("Contact: <sip:elsewhere@h.test>\\r\\n")
    note("send_reply", KSR.sl.send_reply(302, "Moved"))
"""
)
async def failure_route_redirects(alice: Peer, bob: Peer) -> None:
    """sl.send_reply answers through the transaction."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(302)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("dropping")
    KSR.set_drop()
"""
)
async def failure_route_with_set_drop(alice: Peer, bob: Peer) -> None:
    """drop does nothing in a failure route."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("redirected")
    note("t_relay", KSR.tm.t_relay())

def redirected(self, msg):
    note("3xx", KSR.tm.t_check_status("3[0-9][0-9]"))
    KSR.seturi("sip:carol@" + at("carol"))
    KSR.tm.t_on_reply("answer")
    KSR.tm.t_on_branch("branch")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    pv("$rs", "$T_branch_idx", "$rr")

def branch(self, msg):
    pv("$T_branch_idx", "$ru")
"""
)
async def redirect_is_followed(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Branch and reply routes armed in the failure route."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 302, ("Contact", "<sip:c@h.test>"))
    await bob.expect("ACK")
    to_carol = await carol.expect("INVITE")
    carol.answer(to_carol, 180)
    await alice.expect(180)
    carol.answer(to_carol, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.tm.t_on_branch_failure("one_failed")
        KSR.tm.t_on_failure("all_failed")
    note("t_relay", KSR.tm.t_relay())

def one_failed(self, msg):
    pv("$T_branch_idx", "$T_reply_code", "$ru", "$rm")

def all_failed(self, msg):
    pv("$T_reply_code", "$T_branch_idx")
"""
)
async def branch_failure_then_failure(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 404)
    await carol.refuse(to_carol, 486)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("6xx", KSR.tm.t_check_status("6[0-9][0-9]"))
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def a_new_branch_after_603(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Voicemail after Decline depends on it."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 603)
    await bob.expect("ACK")
    carol.answer(await carol.expect("INVITE"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    pv("$T_reply_code")
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def failover_of_a_message(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.request("MESSAGE", bob, body="x")
    bob.answer(await bob.expect("MESSAGE"), 503)
    carol.answer(await carol.expect("MESSAGE"), 202)
    await alice.expect(202)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("grep 404", KSR.tm.t_grep_status(404), "grep 486", KSR.tm.t_grep_status(486),
         "grep 500", KSR.tm.t_grep_status(500), "status", KSR.tm.t_get_status_code())
    if KSR.tm.t_is_set("failure_route") > 0:
        note("armed again")
"""
)
async def codes_of_all_branches(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 404)
    await carol.refuse(to_carol, 486)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_set_fr(3000, 300)
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    pv("$T_reply_code")
    note("reset", KSR.tm.t_reset_fr())
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def shorter_timer_for_one_call(alice: Peer, bob: Peer, carol: Peer) -> None:
    """t_set_fr: the failover comes before fr_timer."""
    alice.invite(bob)
    await bob.expect("INVITE")
    carol.answer(await carol.expect("INVITE", 0.65), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
        KSR.hdr.append("X-First: 1\\r\\n")
        KSR.setflag(3)
        KSR.pv.sets("$avp(kept)", "value")
        KSR.pv.sets("$xavp(a=>b)", "deep")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("flag", KSR.isflagset(3), "other", KSR.isflagset(4))
    pv("$avp(kept)", "$xavp(a=>b)", "$hdr(X-First)", "$hdr(X-Mine)", "$fu", "$tu", "$ci", "$si", "$sp", "$cs")
    KSR.hdr.append("X-Second: 2\\r\\n")
    KSR.hdr.remove("X-Mine")
    KSR.seturi("sip:carol@" + at("carol"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def what_a_failure_route_sees(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The request with the edits made so far, flags and AVPs; its own edits go to the new branch only."""
    alice.invite(bob, ("X-Mine", "original"))
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    to_carol = await carol.expect("INVITE")
    await carol.refuse(to_carol, 486)
    await alice.expect(486)


REASONS = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.tm.t_on_failure("failed")
        KSR.tm.t_on_branch_failure("one")
        KSR.tm.t_on_reply("answer")
        pv("$T_reply_reason")
        KSR.tm.t_newtran()
        pv("$T_reply_code", "$T_reply_reason")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    pv("$T_reply_code", "$T_reply_reason")

def one(self, msg):
    pv("$T_reply_code", "$T_reply_reason")

def failed(self, msg):
    pv("$T_reply_code", "$T_reply_reason", "$T_rpl($rr)")
"""


@scenario(REASONS)
async def reason_of_the_winning_response(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 180)
    await alice.expect(180)
    await bob.refuse(to_bob, 404)
    await carol.refuse(to_carol, 486)
    await alice.expect(404)


@scenario(REASONS)
async def reason_of_a_timeout(alice: Peer, bob: Peer, carol: Peer) -> None:
    """A 408 that nobody sent."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    carol.answer(to_carol, 180)
    await alice.expect(180)
    await carol.refuse(to_carol, 480)
    bob.answer(to_bob, 100)
    await alice.expect(408)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("branch_replied", KSR.tm.t_branch_replied(), "any", KSR.tm.t_any_replied())
    pv("$T_reply_reason", "$T_reply_code")
"""
)
async def earlier_responses_of_a_branch(alice: Peer, bob: Peer) -> None:
    """t_branch_replied does not count the response that ended the branch."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(486)
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    await bob.refuse(got, 480)
    await alice.expect(480)
