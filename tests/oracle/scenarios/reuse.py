"""What makes t_relay send a branch to the request-URI once more: in failure routes, and beside appended branches."""

from __future__ import annotations

from oracle.scenario import Peer, scenario

# In the failure route, before t_relay.
CHANGES = {
    "nothing": "",
    "seturi": 'KSR.seturi("sip:carol@" + at("carol"))',
    "setdsturi": 'KSR.setdsturi("sip:" + at("carol"))',
    "setuser": 'KSR.setuser("other")',
    "sethost": 'KSR.sethost("127.0.0.1")',
    "ru": 'KSR.pv.sets("$ru", "sip:carol@" + at("carol"))',
    "rU": 'KSR.pv.sets("$rU", "other")',
    "du": 'KSR.pv.sets("$du", "sip:" + at("carol"))',
    "du_of_null": 'KSR.pv.sets("$du", "sip:" + at("carol")); KSR.pv.unset("$du")',
    "resetdsturi": "KSR.resetdsturi()",
    "subst_uri": 'KSR.textops.subst_uri("/bob/other/")',
    "append_branch": "KSR.corex.append_branch()",
    "append_branch_uri": 'KSR.corex.append_branch_uri("sip:carol@" + at("carol"))',
    "seturi_append_branch": 'KSR.seturi("sip:carol@" + at("carol")); KSR.corex.append_branch()',
    "setdsturi_append_branch": 'KSR.setdsturi("sip:" + at("carol")); KSR.corex.append_branch()',
    "seturi_append_branch_uri": (
        'KSR.seturi("sip:carol@" + at("carol")); KSR.corex.append_branch_uri("sip:second@" + at("carol"))'
    ),
    "append_branch_seturi": 'KSR.corex.append_branch(); KSR.seturi("sip:carol@" + at("carol"))',
}

AFTER_FAILURE = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    {change}
    pv("$ru", "$du")
    note("t_relay", KSR.tm.t_relay())
"""

AT_ONCE = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        {change}
    note("t_relay", KSR.tm.t_relay())
"""


async def refuse_all(alice: Peer, bob: Peer, carol: Peer) -> None:
    """All INVITEs are refused, in a fixed order, and those of the failure route after them."""
    alice.invite(bob)
    for _ in range(2):
        await alice.net.quiet(0.25)
        for peer in (bob, carol):
            while invite := await peer.maybe("INVITE", 0):
                await peer.refuse(invite, 486 if peer is bob else 404)
    await alice.expect(lambda m: (m.status or 0) >= 300)


for key, change in CHANGES.items():
    scenario(AFTER_FAILURE.format(change=change or "pass"), name=f"failure_route_after_{key}")(refuse_all)
    scenario(AT_ONCE.format(change=change or "pass"), name=f"request_route_after_{key}")(refuse_all)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        KSR.tm.t_on_failure("failed")
    note("t_relay", KSR.tm.t_relay())

def failed(self, msg):
    KSR.pv.sets("$ru", "sip:carol@" + at("carol"))
    KSR.setbflag(3)
    note("append_branch", KSR.corex.append_branch())
    KSR.tm.t_on_branch("each")
    pv("$ru", "$du", "$br")
    note("t_relay", KSR.tm.t_relay())

def each(self, msg):
    pv("$T_branch_idx", "$ru", "$du")
    note("flag", KSR.isbflagset(3))
"""
)
async def voicemail_idiom(alice: Peer, bob: Peer, carol: Peer) -> None:
    """$ru, append_branch, t_relay in a failure route: both branches leave, and one of them picks up."""
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 486)
    await bob.expect("ACK")
    first, second = await carol.expect("INVITE"), await carol.expect("INVITE")
    carol.answer(first, 180)
    await alice.expect(180)
    carol.answer(second, 183)
    await alice.expect(183)
    carol.answer(first, 200)
    ok = await alice.expect(200)
    await carol.is_cancelled(second)
    alice.within("ACK", ok)
    await carol.expect("ACK")
