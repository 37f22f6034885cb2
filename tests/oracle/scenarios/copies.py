"""Retransmissions, of requests and of responses, and ACKs."""

from oracle.scenario import Net, Peer, scenario

RELAY = """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
"""


@scenario(RELAY)
async def invite_is_sent_again_until_an_answer(alice: Peer, bob: Peer) -> None:
    """Timer A."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    await bob.expect_copy(got)
    bob.answer(got, 180)
    await alice.expect(180)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(RELAY)
async def message_is_sent_again_until_an_answer(alice: Peer, bob: Peer) -> None:
    """Timer E."""
    alice.request("MESSAGE", bob)
    got = await bob.expect("MESSAGE")
    await bob.expect_copy(got)
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(RELAY)
async def failure_is_sent_again_until_the_ack(alice: Peer, bob: Peer) -> None:
    """Timer G; a copy of the failure from the callee is acknowledged again, not passed on."""
    alice.auto_ack = False
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 486)
    ack = await bob.expect("ACK")
    busy = await alice.expect(486)
    await alice.expect_copy(busy)
    bob.answer(got, 486)
    await bob.expect_copy(ack)
    alice.send(alice.derived("ACK", invite, to=busy["To"]))


@scenario(RELAY)
async def copies_of_an_invite_get_the_last_answer(alice: Peer, bob: Peer) -> None:
    """The route runs once; the last response is repeated (RFC 3261 section 17.2.1)."""
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    trying = await alice.expect(100)
    alice.send(invite)
    await alice.expect_copy(trying)
    bob.answer(got, 180)
    ringing = await alice.expect(180)
    alice.send(invite)
    await alice.expect_copy(ringing)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(RELAY)
async def copies_of_a_message(alice: Peer, bob: Peer) -> None:
    """While it is in work a copy is absorbed; after the answer it is repeated."""
    message = alice.request("MESSAGE", bob)
    got = await bob.expect("MESSAGE")
    alice.send(message)
    await alice.net.quiet(0.1)
    bob.answer(got, 202)
    answer = await alice.expect(202)
    alice.send(message)
    await alice.expect_copy(answer)


@scenario(RELAY)
async def copies_of_a_200_reach_the_caller(alice: Peer, bob: Peer) -> None:
    """Each copy of a 2xx is passed on (RFC 3261 section 13.3.1.4)."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    bob.answer(got, 200)
    await alice.expect_copy(ok)
    alice.within("ACK", ok)
    await bob.expect("ACK")


@scenario(RELAY)
async def copies_of_a_180(alice: Peer, bob: Peer) -> None:
    """Provisional responses are passed on each time."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    ringing = await alice.expect(180)
    bob.answer(got, 180)
    await alice.expect_copy(ringing)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        rc = KSR.tm.t_newtran()
        note("t_newtran", 1)
        if rc > 0:
            note("t_reply", KSR.tm.t_reply(404, "Nobody"))
    elif KSR.is_ACK():
        note("t_check_trans", KSR.tm.t_check_trans())
"""
)
async def copies_of_an_invite_that_was_refused(alice: Peer) -> None:
    alice.auto_ack = False
    invite = alice.invite("sip:x@oracle.test")
    no = await alice.expect(404)
    alice.send(invite)
    await alice.expect_copy(no)
    alice.send(alice.derived("ACK", invite, to=no["To"]))


@scenario(
    """
def ksr_request_route(self, msg):
    pv("$rm", "$tt")
    note("check", KSR.tm.t_check_trans(), "t_relay", KSR.tm.t_relay())
"""
)
async def ack_without_a_transaction(alice: Peer, bob: Peer) -> None:
    """Passed on without state."""
    alice.request("ACK", bob, to_header=f"<{bob.uri}>;tag=bob")
    await bob.expect("ACK")


@scenario(
    """
def ksr_request_route(self, msg):
    rc = KSR.tmx.t_precheck_trans()
    note("precheck", rc)
    if rc > 0:
        note("check", KSR.tm.t_check_trans())
        return
    note("t_relay", KSR.tm.t_relay())
"""
)
async def precheck_as_the_default_script_does(alice: Peer, bob: Peer) -> None:
    """`if t_precheck_trans(): t_check_trans(); exit`"""
    message = alice.request("MESSAGE", bob)
    got = await bob.expect("MESSAGE")
    alice.send(message)
    await alice.net.quiet(0.1)
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(RELAY)
async def nobody_answers_a_message(net: Net, alice: Peer, bob: Peer) -> None:
    """A request other than INVITE that times out."""
    alice.request("MESSAGE", bob)
    await bob.expect("MESSAGE")
    await alice.maybe(408, 1.4)


@scenario(RELAY)
async def late_200_of_the_only_branch(alice: Peer, bob: Peer) -> None:
    """The callee picks up after the 408 went back."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    await alice.expect(408)
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(RELAY)
async def failure_after_a_200(alice: Peer, bob: Peer, carol: Peer) -> None:
    """The callee contradicts itself: absorbed."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    await alice.expect(200)
    bob.answer(got, 486)
    await bob.net.quiet(0.2)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        note("check", KSR.tm.t_check_trans())
    note("t_relay", KSR.tm.t_relay())
"""
)
async def ack_of_a_200(alice: Peer, bob: Peer) -> None:
    """Its own branch: no transaction matches by Via, but it belongs to the INVITE's dialog."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    alice.within("ACK", await alice.expect(200))
    await bob.expect("ACK")
