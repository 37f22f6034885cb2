"""t_suspend and t_continue: a request is kept until another message's route resumes it."""

from oracle.scenario import Peer, scenario

ROUTE = """
def ksr_request_route(self, msg):
    if KSR.is_OPTIONS():
        index, label = KSR.htable.sht_get("t", {name!r} + "i"), KSR.htable.sht_get("t", {name!r} + "l")
        note("t_continue", KSR.tmx.t_continue(index, label, "resumed"))
        KSR.sl.sl_send_reply(200, "OK")
        return
    if KSR.is_ACK():
        KSR.tm.t_check_trans()
    if KSR.is_INVITE():
        {before}
        note("t_suspend", KSR.tmx.t_suspend())
        KSR.htable.sht_seti("t", {name!r} + "i", KSR.pv.get("$T(id_index)"))
        KSR.htable.sht_seti("t", {name!r} + "l", KSR.pv.get("$T(id_label)"))

def resumed(self, msg, *event):
    pv("$rm", "$ru", "$si", "$avp(kept)", "$hdr(X-Before)")
    {after}

def failed(self, msg):
    pv("$T_reply_code", "$rm")
    {failed}
"""


def route(name: str, before: str = "pass", after: str = "pass", failed: str = "pass") -> str:
    return ROUTE.format(name=name, before=before, after=after, failed=failed)


@scenario(
    route(
        "relay",
        'KSR.pv.sets("$avp(kept)", "yes"); KSR.hdr.append("X-Before: 1\\r\\n")',
        'note("t_relay", KSR.tm.t_relay())',
    ),
    idle=("failed",),
)
async def suspended_then_relayed(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite(bob)
    await carol.net.quiet(0.2)
    carol.request("OPTIONS", "sip:x@oracle.test")
    await carol.expect(200)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(route("reply", "KSR.tm.t_newtran()", 'note("t_reply", KSR.tm.t_reply(404, "Nobody"))'), idle=("failed",))
async def suspended_then_answered(alice: Peer, carol: Peer) -> None:
    alice.invite("sip:x@oracle.test")
    await carol.net.quiet(0.2)
    carol.request("OPTIONS", "sip:x@oracle.test")
    await carol.expect(200)
    await alice.expect(404)


@scenario(route("forgotten", 'KSR.tm.t_newtran(); KSR.tm.t_on_failure("failed")'), idle=("resumed",))
async def suspended_and_forgotten(alice: Peer) -> None:
    """fr_timer runs out: the failure route sees a 408."""
    alice.invite("sip:x@oracle.test")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(
    route(
        "redirect",
        'KSR.tm.t_newtran(); KSR.tm.t_on_failure("failed")',
        failed='KSR.seturi("sip:bob@" + at("bob")); note("t_relay", KSR.tm.t_relay())',
    ),
    idle=("resumed",),
)
async def suspended_and_forwarded_by_the_failure_route(alice: Peer, bob: Peer) -> None:
    alice.invite("sip:x@oracle.test")
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    await alice.expect(lambda m: (m.status or 0) >= 300)


@scenario(route("twice", "KSR.tm.t_newtran()", 'note("t_reply", KSR.tm.t_reply(404, "Nobody"))'), idle=("failed",))
async def resumed_twice(alice: Peer, carol: Peer) -> None:
    """The second t_continue finds nothing."""
    alice.invite("sip:x@oracle.test")
    await carol.net.quiet(0.2)
    for _ in range(2):
        carol.request("OPTIONS", "sip:x@oracle.test")
        await carol.expect(200)
        await alice.maybe(404, 0.5)
        await carol.net.quiet(0.1)
