"""How a route ends: exit, drop, exceptions, wrong arguments."""

from oracle.scenario import Peer, scenario


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
    sys.exit()
    note("not reached")
"""
)
async def exit_ends_the_route(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    KSR.set_drop()
    note("t_relay", KSR.tm.t_relay())
"""
)
async def set_drop_in_the_request_route(alice: Peer, bob: Peer) -> None:
    """Does nothing there."""
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("nothing")
"""
)
async def route_that_does_nothing(alice: Peer) -> None:
    """The request is dropped."""
    alice.request("MESSAGE", "sip:x@oracle.test")
    await alice.net.quiet(0.3)


@scenario(
    """
def ksr_request_route(self, msg):
    note("before")
    {}["missing"]
""",
    raises=True,
)
async def exception_in_the_request_route(alice: Peer) -> None:
    alice.request("MESSAGE", "sip:x@oracle.test")
    await alice.maybe(500, 0.3)


@scenario(
    """
def ksr_request_route(self, msg):
    note("t_relay", KSR.tm.t_relay())
    {}["missing"]
""",
    raises=True,
)
async def exception_after_relaying(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_reply("answer")
        KSR.tm.t_on_branch("branch")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    note("answer")
    {}["missing"]

def branch(self, msg):
    note("branch")
    {}["missing"]
""",
    raises=True,
)
async def exceptions_in_tm_routes(alice: Peer, bob: Peer) -> None:
    """The message goes on as it is."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(
    """
def ksr_request_route(self, msg):
    note("unknown", KSR.pv.get("$nosuch"), KSR.pv.is_null("$nosuch"))
    note("bad", KSR.hdr.append("no colon"), KSR.textops.search("(unclosed"), KSR.corex.append_branch_uri(""))
    KSR.sl.sl_send_reply(200, "OK")
"""
)
async def arguments_that_make_no_sense(alice: Peer) -> None:
    """Logged, and a negative code."""
    alice.request("OPTIONS", "sip:x@oracle.test")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note(msg.Type, msg.Method, msg.RURI, msg.src_address, msg.getHeader("Call-ID"), msg.getHeader("X-None"))
    msg.rewrite_ruri("sip:other@" + at("bob"))
    note(KSR.pv.get("$ru"), msg.RURI)
    msg.set_dst_uri("sip:" + at("bob"))
    note(KSR.pv.get("$du"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def the_message_object(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", "sip:x@oracle.test")
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)
