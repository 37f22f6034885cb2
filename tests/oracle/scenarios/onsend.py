"""ksr_onsend_route: for which messages it runs, what it sees, what dropping does."""

from oracle.scenario import Net, Peer, scenario

SEES = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def ksr_reply_route(self, msg):
    pass

def answer(self, msg):
    KSR.hdr.append("X-Answer: 1\\r\\n")

def ksr_onsend_route(self, msg):
    note(msg.Type)
    pv("$ru", "$rm", "$rs", "$rr", "$sndto(ip)", "$sndto(port)", "$sndto(proto)", "$sndfrom(ip)", "$snd(ip)")
    pv("$si", "$sp", "$T_reply_code", "$T_branch_idx", "$du", "$hdr(X-Answer)", "$cs", "$pr")
    note("v4", KSR.to_IPv4(), "reply", KSR.siputils.is_reply(), "route", KSR.tmx.t_is_reply_route(),
         KSR.tmx.t_is_request_route(), "status", KSR.tm.t_get_status_code())
    KSR.hdr.append("X-Onsend: 1\\r\\n")
"""


@scenario(SEES)
async def what_an_onsend_route_sees(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(SEES)
async def onsend_route_of_a_call(alice: Peer, bob: Peer) -> None:
    """The 200 is relayed twice; ACK and BYE have no route of the transaction."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    bob.answer(got, 200)
    await alice.expect_copy(ok)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


BRIEF = """
def ksr_request_route(self, msg):
    {request}
{more}
def ksr_onsend_route(self, msg):
    pv("$rs", "$tt", "$sndto(port)", "$T_branch_idx", "$T_reply_code", "$T_reply_reason", "$T_reply_last")
    if KSR.siputils.is_reply() > 0 and KSR.pv.get("$rs") == {drop}:
        KSR.set_drop()
"""
RELAY = 'note("t_relay", KSR.tm.t_relay())'


def brief(request: str = RELAY, *, more: str = "", drop: int = 0) -> str:
    return BRIEF.format(request=request, more=more, drop=drop)


FORK = 'KSR.is_INVITE() and KSR.corex.append_branch_uri("sip:carol@" + at("carol")); ' + RELAY
FAILED = "def failed(self, msg):\n    pass\n"
DROPS = "def ksr_reply_route(self, msg):\n    KSR.set_drop()\n"


@scenario(brief(FORK))
async def onsend_route_of_the_best_failure(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The response that goes back is not the one that has come."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 404)
    await carol.refuse(to_carol, 486)
    await alice.expect(404)


@scenario(brief(FORK.replace("KSR.is_INVITE()", 'KSR.is_INVITE() and KSR.tm.t_on_failure("failed")'), more=FAILED))
async def onsend_route_after_a_failure_route(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 404)
    await carol.refuse(to_carol, 486)
    await alice.expect(404)


@scenario(brief(FORK))
async def onsend_route_of_a_timeout_beside_a_failure(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The timeout of one branch ends the other's wait."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    await bob.refuse(to_bob, 404)
    carol.answer(to_carol, 100)
    await alice.expect(404)


@scenario(brief())
async def onsend_route_of_a_timeout(alice: Peer, bob: Peer) -> None:
    """A 408 that nobody sent."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 100)
    await alice.expect(408)


@scenario(brief())
async def onsend_route_of_a_cancelled_call(alice: Peer, bob: Peer) -> None:
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(brief("note('t_newtran', KSR.tm.t_newtran(), KSR.tm.t_reply(404, 'No'))"), idle=("ksr_onsend_route",))
async def onsend_route_of_a_reply_of_the_script(alice: Peer) -> None:
    alice.request("MESSAGE", "sip:x@oracle.test")
    await alice.expect(404)


@scenario(brief('KSR.sl.sl_send_reply(404, "No")'), idle=("ksr_onsend_route",))
async def onsend_route_of_a_stateless_reply(alice: Peer) -> None:
    alice.request("MESSAGE", "sip:x@oracle.test")
    await alice.expect(404)


@scenario(brief('note("forward", KSR.forward())'))
async def onsend_route_without_state(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(brief('note("forward", KSR.forward())', drop=200))
async def onsend_route_drops_without_state(net: Net, alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200)
    await net.quiet(0.3)


@scenario(brief(drop=180))
async def onsend_route_drops_a_180(net: Net, alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await net.quiet(0.2)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(brief(drop=200))
async def onsend_route_drops_a_200(net: Net, alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200)
    await net.quiet(0.5)


@scenario(brief(drop=486))
async def onsend_route_drops_a_486(net: Net, alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await net.quiet(0.7)


@scenario(brief(more=DROPS))
async def onsend_route_and_a_reply_route_that_drops(net: Net, alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await net.quiet(0.2)


@scenario(brief(FORK))
async def onsend_route_of_two_answers(alice: Peer, bob: Peer, carol: Peer) -> None:
    """Both pick up: each 200 goes back."""
    alice.invite(bob)
    to_bob, to_carol = await bob.expect("INVITE"), await carol.expect("INVITE")
    bob.answer(to_bob, 180)
    await alice.expect(180)
    carol.answer(to_carol, 180)
    await alice.expect(180)
    carol.answer(to_carol, 200)
    await alice.expect(200)
    await bob.expect("CANCEL")
    bob.answer(to_bob, 200)
    await alice.expect(200)
