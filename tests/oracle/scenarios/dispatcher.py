"""Load balancing: which destination is chosen, what is kept for failover, states, sources and call load."""

from __future__ import annotations

from oracle.scenario import Peer, scenario

TOOLS = """
D = KSR.dispatcher

def kept():
    found = [KSR.pv.get("$xavp(_dsdst_[%d]=>uri)" % n) for n in range(6)]
    note("kept", [uri for uri in found if uri], "of", KSR.pv.get("$xavp(_dsctx_=>cnt)"))

def show(result):
    note(result, KSR.pv.get("$ru"), KSR.pv.get("$du"))
    kept()
"""


def script(body: str) -> str:
    """A request route with these lines, which answers 200."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"{TOOLS}\ndef ksr_request_route(self, msg):\n{lines}\n    KSR.sl.sl_send_reply(200, 'OK')\n"


def register(name: str, body: str, method: str = "OPTIONS", profile: str = "dispatcher") -> None:
    """A scenario in which one request runs these lines."""

    @scenario(script(body), name=name, profile=profile)
    async def one_request(alice: Peer) -> None:
        alice.auto_ack = False
        alice.request(method, "sip:bob@oracle.test:5070;user=phone")
        await alice.expect(200)


for algorithm in (0, 1, 2, 3, 7, 8, 14):
    register(
        f"select_by_{algorithm}",
        f"""
KSR.pv.sets("$avp(hash)", "hello, " + KSR.pv.get("$fU"))
show(D.ds_select_dst(1, {algorithm}))
show(D.ds_select_domain(1, {algorithm}))
""",
    )
    register(
        f"select_by_{algorithm}_with_default",
        f"""
KSR.pv.sets("$avp(hash)", "hello, " + KSR.pv.get("$fU"))
show(D.ds_select_dst(1, {algorithm}))
""",
        profile="dispatcher_default",
    )

register("round_robin", "for n in range(5): show(D.ds_select_domain(5, 4))")
register("round_robin_with_default", "for n in range(4): show(D.ds_select_domain(5, 4))", profile="dispatcher_default")
register("round_robin_skips", "for n in range(4): show(D.ds_select_domain(3, 4))")
register("no_credentials_go_round", "for n in range(3): show(D.ds_select_domain(6, 5))")
register("by_latency_without_figures", "for n in range(5): show(D.ds_select_domain(7, 13))")
register("all_weight_on_one", "for n in range(4): show(D.ds_select_domain(8, 9))")
register("all_relative_weight_on_one", "for n in range(4): show(D.ds_select_domain(9, 11))")
register(
    "parallel",
    """
show(D.ds_select_dst(1, 12))
for n in range(4): pv("$(branch(uri)[%d])" % n, "$(branch(dst_uri)[%d])" % n)
""",
)
register(
    "parallel_in_the_request_uri",
    """
show(D.ds_select_domain(1, 12))
for n in range(4): pv("$(branch(uri)[%d])" % n, "$(branch(dst_uri)[%d])" % n)
""",
)
register(
    "limits",
    """
for limit in (0, 1, 2, 9):
    show(D.ds_select_dst_limit(1, 8, limit))
    show(D.ds_select_domain_limit(1, 8, limit))
    show(D.ds_select_limit(1, 8, limit))
""",
)
register(
    "limits_with_default",
    "for limit in (1, 2, 3): show(D.ds_select_domain_limit(1, 8, limit))",
    profile="dispatcher_default",
)
register(
    "rules",
    """
for rules, mode in (("1=8;5=8", "d"), ("99=8;5=8", "r"), ("5=8", "x"), ("99=4", "d"), ("5=8", "z"), ("5=8", "ruri")):
    show(D.ds_select_routes(rules, mode))
for limit in (1, 2, 4):
    show(D.ds_select_routes_limit("1=8;5=8", "x", limit))
""",
)
register(
    "going_on_to_the_next",
    """
show(D.ds_select_dst(1, 8))
for n in range(2): show(D.ds_next_dst())
show(D.ds_set_domain())
for n in range(3): show(D.ds_next_domain())
show(D.ds_set_dst())
""",
)
register(
    "fields_of_the_list",
    """
note(D.ds_select_dst(1, 8))
for n in range(4): pv(*("$xavp(_dsdst_[%d]=>%s)" % (n, field) for field in ("grp", "uri", "attrs", "dstid", "sockname")))
""",
)
register(
    "fields_that_are_left_out",
    """
note(D.ds_select_dst(1, 8))
for n in range(4): pv(*("$xavp(_dsdst_[%d]=>%s)" % (n, field) for field in ("grp", "uri", "attrs", "socket", "sockname")))
""",
    profile="dispatcher_default",
)
register(
    "destination_is_set_already",
    """
KSR.setdsturi("sip:127.0.0.9")
show(D.ds_select_dst(1, 8))
show(D.ds_select_domain(1, 8))
""",
    profile="dispatcher_default",
)
register(
    "sets_that_are_not_there",
    "note(D.ds_select_dst(99, 4), D.ds_list_exists(99), D.ds_list_exists(1), D.ds_is_active(99))",
)

STATES = """
def states():
    note([D.ds_is_active_uri({set}, "sip:127.0.0.1:%d" % port) for port in {ports}], D.ds_is_active({set}))
note(D.ds_mark_dst(), D.ds_mark_dst_state("i"))
note(D.ds_select_dst({set}, 8))
for state in {states}:
    note(state, D.ds_mark_dst_state(state))
    states()
"""
register(
    "states",
    STATES.format(set=13, ports=(6121, 6122), states=("i", "i", "t", "a", "d", "t", "a", "zz", "ip", "AP", "tp", "a")),
)
register(
    "states_with_thresholds",
    STATES.format(
        set=13, ports=(6121, 6122), states=("t", "t", "a", "a", "t", "a", "t", "t", "a", "t", "a", "a", "i", "a", "a")
    ),
    profile="dispatcher_default",
)
register(
    "inactive_twice",
    """
note(D.ds_select_dst(6, 8), D.ds_mark_dst(), D.ds_mark_dst(), D.ds_mark_dst_state("a"))
note("inactive twice, active once:", D.ds_is_active_uri(6, "sip:127.0.0.1:6052"))
""",
    profile="dispatcher_default",
)
register("weight_but_not_on_the_first", "note(D.ds_select_dst(14, 9)); note('chosen', KSR.pv.get('$du'))")
register(
    "marked_ones_are_skipped",
    """
show(D.ds_select_dst(10, 8))
note(D.ds_mark_dst())
show(D.ds_select_dst(10, 8))
note(D.ds_mark_dst(), D.ds_is_active(10))
show(D.ds_select_dst(10, 8))
""",
)

SOURCES = """
def found(result):
    note(result, KSR.pv.get("$avp(set)"), KSR.pv.get("$avp(attrs)"))
    KSR.pv.unset("$avp(set)"); KSR.pv.unset("$avp(attrs)")
"""
register(
    "from_a_list",
    SOURCES
    + """
for mode in range(8): found(D.ds_is_from_list_mode(12, mode))
for mode in (1, 3): found(D.ds_is_from_list_mode(1, mode))
for mode in (3, 7): found(D.ds_is_from_list_mode(3, mode))
found(D.ds_is_from_list(12)); found(D.ds_is_from_list(1)); found(D.ds_is_from_list(-1)); found(D.ds_is_from_lists())
""",
)
register(
    "a_uri_from_a_list",
    SOURCES
    + """
for mode in (0, 1, 2, 3):
    for uri in ("sip:127.0.0.1:6011", "sip:127.0.0.1:6011;transport=tcp", "sip:127.0.0.2", "sip:127.0.0.2:5060",
                "sip:127.0.0.2:99", "sips:127.0.0.4", "sip:127.0.0.4;transport=tls", "sip:127.0.0.5:5061;transport=tls",
                "sip:127.0.0.3", "bad"):
        found(D.ds_is_from_list_uri(2, mode, uri))
found(D.ds_is_from_list_uri(-1, 2, "sip:127.0.0.1:6011"))
found(D.ds_is_from_list_uri(12, 2, ""))
""",
)

LOAD = """
if KSR.is_INVITE(): show(D.ds_select_domain(4, 10)); pv("$xavp(_dsdst_=>dstid)")
elif KSR.is_BYE(): note(D.ds_load_update())
elif KSR.is_OPTIONS(): note(D.ds_load_unset(), D.ds_select_dst(3, 10), D.ds_select_dst(4, 10), D.ds_load_unset())
"""


@scenario(script(LOAD), profile="dispatcher")
async def call_load(alice: Peer) -> None:
    """Three calls fill the set; one ends, and there is room again."""
    alice.auto_ack = False
    for call in range(4):
        alice.request("INVITE", "sip:bob@oracle.test", call_id=f"call_load-1{call}@oracle")
        await alice.expect(200)
    alice.request("BYE", "sip:bob@oracle.test", call_id="call_load-11@oracle")
    await alice.expect(200)
    alice.request("INVITE", "sip:bob@oracle.test", call_id="call_load-20@oracle")
    await alice.expect(200)
    alice.request("OPTIONS", "sip:bob@oracle.test")
    await alice.expect(200)


FAILOVER = (
    TOOLS
    + """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        KSR.tm.t_check_trans()
        return
    note(D.ds_select_dst(5, 8))
    KSR.setdsturi("sip:" + at("bob"))
    KSR.tm.t_on_failure("failed")
    KSR.tm.t_relay()

def failed(self, msg):
    note("failed", KSR.tm.t_check_status("5[0-9][0-9]"), D.ds_mark_dst_state("t"))
    note(D.ds_next_dst(), KSR.pv.get("$du"), KSR.pv.get("$xavp(_dsdst_=>uri)"))
    kept()
    KSR.setdsturi("sip:" + at("carol"))
    KSR.tm.t_relay()
"""
)


@scenario(FAILOVER, profile="dispatcher_default")
async def failover_in_a_failure_route(alice: Peer, bob: Peer, carol: Peer) -> None:
    alice.invite("sip:service@oracle.test")
    await bob.refuse(await bob.expect("INVITE"), 500)
    second = await carol.expect("INVITE")
    carol.answer(second, 200)
    got = await alice.expect(200)
    alice.within("ACK", got)
    await carol.net.quiet(0.2)
