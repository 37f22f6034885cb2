"""Reply, branch and onsend routes."""

from oracle.scenario import Net, Peer, scenario


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def ksr_reply_route(self, msg):
    note(msg.Type, msg.Status, "is_reply", KSR.siputils.is_reply(), "trans", KSR.tm.t_check_trans())

def answer(self, msg):
    pv("$rs", "$rr", "$rm", "$T_branch_idx", "$T_reply_code", "$ru", "$fu", "$tt", "$si", "$sp", "$ct", "$cs")
    note("status", KSR.tm.t_check_status("1[0-9][0-9]"), KSR.tm.t_get_status_code(),
         "reply route", KSR.tmx.t_is_reply_route(), "nat", KSR.nathelper.nat_uac_test(64))
    KSR.hdr.append("X-Reply: seen\\r\\n")
    KSR.hdr.remove("X-Secret")
"""
)
async def what_a_reply_route_sees(alice: Peer, bob: Peer) -> None:
    """The reply route of the core first, then that of the transaction, whose edits are sent on."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180, ("X-Secret", "1"))
    await alice.expect(180)
    bob.answer(got, 200, ("X-Secret", "1"))
    alice.within("ACK", await alice.expect(200))
    await bob.expect("ACK")


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    if KSR.tm.t_check_status("183") > 0:
        KSR.set_drop()
"""
)
async def reply_route_drops_a_183(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 183)
    await alice.net.quiet(0.1)
    bob.answer(got, 180)
    await alice.expect(180)
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    KSR.set_drop()
"""
)
async def reply_route_cannot_drop_a_200(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())

def ksr_reply_route(self, msg):
    pv("$rs")
    if KSR.pv.get("$rs") == "183":
        KSR.set_drop()
"""
)
async def core_reply_route_drops_a_183(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 183)
    await alice.net.quiet(0.1)
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    note(KSR.textopsx.change_reply_status(603, "Declined here"))
"""
)
async def reply_route_changes_the_status(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.tm.t_on_branch("branch")
        KSR.hdr.append("X-All: 1\\r\\n")
        KSR.setbflag(7)
        KSR.pv.sets("$avp(where)", "request")
    note("t_relay", KSR.tm.t_relay())
    pv("$avp(where)", "$ru")

def branch(self, msg):
    pv("$T_branch_idx", "$ru", "$rU", "$avp(where)")
    note("bflag 7", KSR.isbflagset(7), "is branch route", KSR.tmx.t_is_branch_route())
    KSR.hdr.append("X-Branch: " + str(KSR.pv.get("$T_branch_idx")) + "\\r\\n")
    KSR.pv.sets("$avp(where)", "branch")
    if KSR.pv.get("$T_branch_idx") == 1:
        KSR.setuser("changed")
"""
)
async def branch_route_edits_its_branch(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Edits of a branch route are those of one branch."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 180)
    await alice.expect(180)
    carol.answer(to_carol, 200)
    await alice.expect(200)
    await bob.is_cancelled(to_bob)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.corex.append_branch_uri("sip:carol@" + at("carol"))
        KSR.tm.t_on_branch("branch")
    note("t_relay", KSR.tm.t_relay())

def branch(self, msg):
    pv("$T_branch_idx", "$rU")
    if KSR.pv.get("$rU") == "bob":
        KSR.set_drop()
"""
)
async def branch_route_drops_a_branch(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_carol = await carol.expect("INVITE")
    await carol.refuse(to_carol, 486)
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    if KSR.is_INVITE():
        KSR.tm.t_on_branch("branch")
    rc = KSR.tm.t_relay()
    note("t_relay", rc)
    if rc < 0:
        note("sl_reply_error", KSR.sl.sl_reply_error())

def branch(self, msg):
    KSR.set_drop()
"""
)
async def branch_route_drops_the_only_branch(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_branch("branch")
    note("t_relay", KSR.tm.t_relay())

def branch(self, msg):
    KSR.setdsturi("sip:" + at("carol"))
    pv("$du", "$ru")
"""
)
async def branch_route_sets_the_next_hop(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_carol = await carol.expect("INVITE")
    await carol.refuse(to_carol, 486)
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    rc = KSR.tm.t_relay()
    note("t_relay", rc)

def ksr_onsend_route(self, msg):
    KSR.set_drop()
"""
)
async def onsend_route_drops(net: Net, alice: Peer, bob: Peer) -> None:
    """Nothing leaves; the transaction waits for its timer."""
    alice.invite(bob)
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    """
def ksr_request_route(self, msg):
    note("is_set", KSR.tm.t_is_set("failure_route"), KSR.tm.t_is_set("branch_route"),
         KSR.tm.t_is_set("onreply_route"))
    KSR.tm.t_on_failure("failed")
    KSR.tm.t_on_branch("branch")
    KSR.tm.t_on_reply("answer")
    note("is_set", KSR.tm.t_is_set("failure_route"), KSR.tm.t_is_set("branch_route"),
         KSR.tm.t_is_set("onreply_route"))
    KSR.tm.t_on_failure("0")
    note("is_set", KSR.tm.t_is_set("failure_route"))
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    note("failure")

def branch(self, msg):
    note("route", KSR.tmx.t_is_request_route(), KSR.tmx.t_is_branch_route(), KSR.tmx.t_is_failure_route())

def answer(self, msg):
    note("set", KSR.tm.t_is_set("onreply_route"))
""",
    idle=("failed",),
)
async def routes_are_armed_and_disarmed(alice: Peer, bob: Peer) -> None:
    """`if t_is_set("branch_route") < 0: t_on_branch(..)` as in the default script."""
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 404)
    await alice.expect(404)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.tm.t_on_failure("no_such_route")
    KSR.tm.t_on_reply("no_such_route")
    KSR.tm.t_on_branch("no_such_route")
    note("t_relay", KSR.tm.t_relay())
"""
)
async def routes_that_do_not_exist(alice: Peer, bob: Peer) -> None:
    """An error in the log, and the message goes on."""
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 404)
    await alice.expect(404)
