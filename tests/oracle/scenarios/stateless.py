"""Forwarding without a transaction."""

from oracle.scenario import Peer, scenario
from support.messages import Sip

FORWARD = """
def ksr_request_route(self, msg):
    note("forward", KSR.forward())

def ksr_reply_route(self, msg):
    pv("$rs", "$rm")
"""


@scenario(FORWARD)
async def stateless_call(alice: Peer, bob: Peer) -> None:
    """INVITE, 180, 486 and ACK, all passed on."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    bob.answer(got, 486)
    await alice.expect(486)
    await bob.expect("ACK")


@scenario(FORWARD)
async def stateless_cancel(alice: Peer, bob: Peer) -> None:
    """The CANCEL has the branch of its INVITE (RFC 3261 section 16.11)."""
    invite = alice.invite(bob)
    await bob.expect("INVITE")
    alice.cancel(invite)
    cancel = await bob.expect("CANCEL")
    bob.answer(cancel, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("forward_uri", KSR.forward_uri("sip:" + at("carol")))
"""
)
async def forward_to_a_uri(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.request("OPTIONS", bob)
    carol.answer(await carol.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.setdsturi("sip:" + at("carol"))
    KSR.hdr.append("X-Edit: 1\\r\\n")
    KSR.setuser("changed")
    note("forward", KSR.forward())
"""
)
async def stateless_with_edits(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.request("OPTIONS", bob)
    carol.answer(await carol.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(FORWARD)
async def response_of_nobody(alice: Peer, bob: Peer) -> None:
    """A response that belongs to no transaction is passed on by its Via."""
    alice.request("OPTIONS", bob)
    got = await bob.expect("OPTIONS")
    bob.answer(got, 200)
    await alice.expect(200)
    bob.answer(got, 202)
    await alice.expect(202)


@scenario(FORWARD)
async def response_made_up(alice: Peer, bob: Peer) -> None:
    """Its top Via names the server, but with a branch that no request of it had."""
    alice.request("OPTIONS", bob)
    got = await bob.expect("OPTIONS")
    ours, *others = (header for header in got.headers if header[0] == "Via")
    made = ("Via", f"{ours[1].partition(';')[0]};branch=z9hG4bKmade-up")
    bob.answer(Sip(got.first_line, (made, *others, *(h for h in got.headers if h[0] != "Via"))), 202)
    await alice.maybe(202, 0.3)
    bob.answer(got, 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("relayed", KSR.tm.t_relay())

def ksr_reply_route(self, msg):
    pv("$rs")
"""
)
async def response_with_a_foreign_via(alice: Peer, bob: Peer) -> None:
    """Its top Via is not ours: dropped (RFC 3261 section 18.1.2)."""
    sent = alice.request("OPTIONS", bob)
    got = await bob.expect("OPTIONS")
    bob.answer(got, 200)
    await alice.expect(200)
    bob.answer(sent, 202)
    await bob.net.quiet(0.2)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    rc = KSR.forward()
    note("forward", rc)
    if rc < 0:
        note("sl_reply_error", KSR.sl.sl_reply_error())
"""
)
async def stateless_to_nowhere(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:x@nowhere.invalid")
    await alice.expect(lambda m: (m.status or 0) >= 300)
