"""Replies that the server makes: stateless, stateful, from each route."""

from oracle.scenario import Peer, scenario


@scenario(
    """
def ksr_request_route(self, msg):
    note(KSR.sl.send_reply(480, "Not here"))
"""
)
async def send_reply_without_a_transaction(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.expect(480)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        note("t_check_trans", KSR.tm.t_check_trans())
        return
    note("t_newtran", KSR.tm.t_newtran())
    note(KSR.sl.send_reply(180, "Ringing"))
    note(KSR.sl.send_reply(480, "Not here"))
    note("again", KSR.sl.send_reply(404, "Twice"))
"""
)
async def send_reply_with_a_transaction(alice: Peer) -> None:
    """Through the transaction, which takes one final response."""
    alice.invite("sip:x@oracle.test")
    await alice.expect(480)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        note(KSR.tm.t_check_trans())
        return
    KSR.hdr.append_to_reply("X-One: 1\\r\\n")
    KSR.hdr.append_to_reply("X-Two: 2\\r\\n")
    KSR.textops.set_reply_body("hello", "text/plain")
    KSR.tm.t_newtran()
    note(KSR.tm.t_reply(488, "Not acceptable"))
"""
)
async def t_reply_with_headers_and_body(alice: Peer) -> None:
    alice.invite("sip:x@oracle.test")
    await alice.expect(488)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_reply", KSR.tm.t_reply(488, "Not acceptable"))
"""
)
async def t_reply_without_a_transaction(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.maybe(488, 0.3)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        KSR.tm.t_check_trans()
        return
    note(KSR.tm.t_newtran())
    KSR.hdr.append_to_reply("Contact: <sip:x@" + at("server") + ">\\r\\n")
    note(KSR.tm.t_reply(200, "OK"))
"""
)
async def t_reply_200_to_an_invite(alice: Peer) -> None:
    """The script picks up itself; the ACK reaches its route."""
    alice.invite("sip:x@oracle.test")
    ok = await alice.expect(200)
    alice.within("ACK", ok)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.hdr.append_to_reply("Retry-After: 5\\r\\n")
    note(KSR.sl.sl_send_reply(503, "Busy"))
"""
)
async def sl_send_reply_with_a_header(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.expect(503)


@scenario(
    """
def ksr_request_route(self, msg):
    note(KSR.sl.sl_send_reply(200, "OK"))
"""
)
async def reply_to_a_request_within_a_dialog(alice: Peer) -> None:
    """The To tag that is there stays; all Vias and Record-Routes are copied."""
    alice.request(
        "OPTIONS",
        "sip:x@oracle.test",
        ("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-far, SIP/2.0/UDP 192.0.2.8"),
        ("Record-Route", "<sip:192.0.2.9;lr>"),
        ("Timestamp", "54"),
        without=("Via",),
        to_header="<sip:x@oracle.test>;tag=alice-peer",
    )
    await alice.net.quiet(0.3)


@scenario(
    """
def ksr_request_route(self, msg):
    note(KSR.sl.sl_send_reply(200, "OK"))
"""
)
async def reply_goes_to_received_and_rport(alice: Peer) -> None:
    """RFC 3581: rport is filled in."""
    alice.request("OPTIONS", "sip:x@oracle.test", ("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-rport;rport"))
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note(KSR.force_rport())
    note(KSR.sl.sl_send_reply(200, "OK"))
"""
)
async def reply_after_force_rport(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:x@oracle.test", ("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-forced"))
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        note("ack")
        return
    note(KSR.sl.sl_send_reply(486, "Busy"))
"""
)
async def ack_of_a_stateless_failure(alice: Peer) -> None:
    """sl absorbs the ACK to its own reply: no route runs for it."""
    alice.invite("sip:x@oracle.test")
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    KSR.hdr.append_to_reply("X-From: failure\\r\\n")
    note("t_send_reply", KSR.tm.t_send_reply(604, "Nowhere"))
    note("t_reply", KSR.tm.t_reply(480, "Second"))
"""
)
async def two_replies_in_a_failure_route(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(604)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    if KSR.tm.t_check_status("180") > 0:
        note("t_reply", KSR.tm.t_reply(183, "From a reply route"))
"""
)
async def t_reply_in_a_reply_route(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    KSR.tm.t_newtran()
    note("release", KSR.tm.t_release())
"""
)
async def t_release_without_a_reply(alice: Peer) -> None:
    """Nothing is answered."""
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.net.quiet(0.4)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    note("lookup", KSR.tm.t_lookup_request(), "check", KSR.tm.t_check_trans(),
         "precheck", KSR.tmx.t_precheck_trans())
    note("t_newtran", KSR.tm.t_newtran(), "again", KSR.tm.t_newtran())
    note("lookup", KSR.tm.t_lookup_request(), "check", KSR.tm.t_check_trans(),
         "precheck", KSR.tmx.t_precheck_trans())
    note(KSR.tm.t_reply(200, "OK"))
"""
)
async def transaction_functions_in_a_request_route(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    rc = KSR.maxfwd.process_maxfwd(10)
    note("process_maxfwd", rc)
    if rc < 0:
        note(KSR.sl.sl_send_reply(483, "Too Many Hops"))
        return
    note("t_relay", KSR.tm.t_relay())
"""
)
async def max_forwards_counts_down(alice: Peer, bob: Peer) -> None:
    """To 0 of 1, refused at 0; added when it is missing."""
    alice.request("OPTIONS", bob, ("Max-Forwards", "1"))
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)
    alice.request("OPTIONS", bob, ("Max-Forwards", "0"))
    await alice.expect(483)
    alice.request("OPTIONS", bob, without=("Max-Forwards",))
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)
    alice.request("OPTIONS", bob, ("Max-Forwards", "255"))
    bob.answer(await bob.expect("OPTIONS"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_branch("branch")
    note("t_relay", KSR.tm.t_relay())

def branch(self, msg):
    note("t_reply", KSR.tm.t_reply(183, "From a branch"))
"""
)
async def t_reply_in_a_branch_route(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    await bob.refuse(got, 486)
    await alice.expect(486)
