"""Accounting: the rows that calls leave in the database are the same, but for ids and times."""

from __future__ import annotations

from oracle.scenario import Net, Peer, scenario
from support.messages import Sip

RECORDS = """
COLUMNS = "method, from_tag, to_tag, sip_code, sip_reason, src_user, via_ua"

def records(name):
    for table in ("acc", "missed_calls"):
        query = "select %s from %s where callid like '%s-%%' order by id" % (COLUMNS, table, name)
        note(table, KSR.sqlops.sql_query("ca", query, table))
        for row in range(KSR.sqlops.sql_num_rows(table)):
            values = [KSR.sqlops.sql_result_get(table, row, column) for column in range(7)]
            note("  method=%s from tag=%s to tag=%s code=%s reason=%s user=%s ua=%s" % tuple(values))
"""
ROUTE = (
    RECORDS
    + """
def ksr_request_route(self, msg):
    if KSR.is_OPTIONS():
        records(KSR.pv.get("$rU"))
        KSR.sl.send_reply(200, "OK")
        return
    if KSR.is_ACK() and KSR.siputils.has_totag() < 0:
        return
    for flag in FLAGS:
        KSR.setflag(flag)
    if KSR.siputils.has_totag() > 0:
        KSR.rr.loose_route()
        KSR.tm.t_relay()
        return
    if KSR.is_CANCEL():
        KSR.tm.t_relay()
        return
    KSR.rr.record_route()
    {action}
"""
)
RELAY = "KSR.tm.t_relay()"


def route(action: str = RELAY, flags: tuple[int, ...] = (1, 2, 3), more: str = "") -> str:
    return ROUTE.replace("{action}", action) + f"\nFLAGS = {flags!r}\n" + more


async def records(net: Net, peer: Peer) -> None:
    """Rows are written within a moment; then the script notes them."""
    await net.quiet(0.6)
    peer.request("OPTIONS", f"sip:{net.scenario.name}@oracle.test", call_id=f"{net.scenario.name}-99@oracle")
    await peer.expect(200)


@scenario(route(), profile="acc")
async def a_call_that_is_answered(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)
    await records(net, alice)


@scenario(route(), profile="acc")
async def a_bye_of_the_callee(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    bob.within("BYE", got)
    alice.answer(await alice.expect("BYE"), 200)
    await bob.expect(200)
    await records(net, alice)


@scenario(route(), profile="acc")
async def a_call_that_is_refused(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    await records(net, alice)


@scenario(route(flags=(1, 2)), profile="acc")
async def failures_are_missed_but_not_accounted(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    await records(net, alice)


@scenario(route(flags=()), profile="acc")
async def without_flags_nothing_is_accounted(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    await records(net, alice)


@scenario(route(), profile="acc")
async def a_call_that_is_cancelled(alice: Peer, bob: Peer, net: Net) -> None:
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await bob.is_cancelled(got)
    await alice.expect(487)
    await records(net, alice)


# In a server of its own: Kamailio's timer is another process, and SQLite has one writer at a time.
@scenario(route(), profile="acc_timeout")
async def a_call_that_nobody_answers(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.expect("INVITE")
    await alice.expect(408)
    await records(net, alice)


@scenario(route('KSR.tm.t_newtran()\n    KSR.tm.t_reply(480, "Not now")'), profile="acc")
async def a_call_that_the_script_refuses(alice: Peer, net: Net) -> None:
    alice.invite("sip:x@oracle.test")
    await alice.expect(480)
    await records(net, alice)


@scenario(route('KSR.sl.sl_send_reply(404, "Not here")'), profile="acc")
async def a_stateless_refusal_is_not_accounted(alice: Peer, net: Net) -> None:
    alice.invite("sip:x@oracle.test")
    await alice.expect(404)
    await records(net, alice)


@scenario(route(), profile="acc")
async def requests_outside_of_calls(alice: Peer, bob: Peer, net: Net) -> None:
    for code in (200, 404):
        alice.request("MESSAGE", bob)
        bob.answer(await bob.expect("MESSAGE"), code)
        await alice.expect(code)
    await records(net, alice)


@scenario(
    route(
        'KSR.tm.t_on_failure("ksr_failure_route")\n    KSR.tm.t_relay()',
        more="""
def ksr_failure_route(self, msg):
    if KSR.tm.t_is_canceled() > 0 or KSR.isflagset(9):
        return
    KSR.setflag(9)
    KSR.setflag(2)
    KSR.pv.sets("$ru", "sip:carol@" + at("carol"))
    KSR.tm.t_relay()
""",
    ),
    profile="acc",
)
async def each_attempt_is_missed(alice: Peer, bob: Peer, carol: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await carol.refuse(await carol.expect("INVITE"), 603)
    await alice.expect(603)
    await records(net, alice)


@scenario(
    route(
        'note(KSR.acc.acc_log_request("404 in the log"), KSR.acc.acc_db_request("404 in the table", "acc"))\n'
        '    KSR.sl.sl_send_reply(404, "Not here")'
    ),
    profile="acc",
)
async def records_of_the_script(alice: Peer, net: Net) -> None:
    alice.invite("sip:x@oracle.test")
    await alice.expect(404)
    await records(net, alice)


# ---- records of calls ----------------------------------------------------------------------------------------------

CDR = """
def records(name):
    columns = "caller, ifnull(code, ''), cast(duration + 0.3 as integer), duration > 0, end_time >= start_time"
    query = "select %s from acc_cdrs where callid like '%s-%%' order by id" % (columns, name)
    note("cdrs", KSR.sqlops.sql_query("ca", query, "cdrs"))
    for row in range(KSR.sqlops.sql_num_rows("cdrs")):
        values = [str(KSR.sqlops.sql_result_get("cdrs", row, column)) for column in range(5)]
        note("  caller=%s method=%s seconds=%s is long=%s in order=%s" % tuple(values))

def ksr_request_route(self, msg):
    if KSR.is_OPTIONS():
        records(KSR.pv.get("$rU"))
        KSR.sl.send_reply(200, "OK")
        return
    if KSR.siputils.has_totag() > 0:
        KSR.rr.loose_route()
        {within}
        KSR.tm.t_relay()
        return
    if KSR.is_INVITE():
        {first}
        KSR.dialog.dlg_manage()
        KSR.pv.sets("$dlg_var(callid)", KSR.pv.get("$ci"))
        KSR.pv.sets("$dlg_var(caller)", KSR.pv.get("$fU"))
        {then}
        KSR.rr.record_route()
    KSR.tm.t_relay()
"""


def cdr(first: str = "pass", then: str = "pass", within: str = "pass") -> str:
    return CDR.replace("{first}", first).replace("{then}", then).replace("{within}", within)


async def call(alice: Peer, bob: Peer) -> Sip:
    alice.invite(bob)
    bob.answer(await bob.expect("INVITE"), 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    return ok


@scenario(cdr(), profile="cdr")
async def record_of_a_call(alice: Peer, bob: Peer, net: Net) -> None:
    ok = await call(alice, bob)
    await net.quiet(1.1)
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)
    await records(net, alice)


@scenario(cdr(), profile="cdr")
async def record_of_a_call_that_is_refused(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    await records(net, alice)


@scenario(cdr(then='KSR.pv.sets("$dlg_var(nocdr)", "1")'), profile="cdr")
async def no_record_of_a_call_that_is_skipped(alice: Peer, bob: Peer, net: Net) -> None:
    ok = await call(alice, bob)
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)
    await records(net, alice)


@scenario(cdr(within='KSR.dialog.dlg_bye("all") if KSR.is_INFO() else None'), profile="cdr")
async def record_of_a_call_that_is_ended_from_here(alice: Peer, bob: Peer, net: Net) -> None:
    ok = await call(alice, bob)
    await net.quiet(1.1)
    alice.within("INFO", ok)
    for peer in (alice, bob):
        peer.answer(await peer.expect("BYE"), 200)
    bob.answer(await bob.expect("INFO"), 200)
    await alice.expect(200)
    await records(net, alice)


@scenario(cdr(first='KSR.pv.seti("$avp(timeout)", 1)'), profile="cdr")
async def no_record_of_a_call_that_expires(alice: Peer, bob: Peer, net: Net) -> None:
    await call(alice, bob)
    await net.quiet(3.0)
    await records(net, alice)


@scenario(cdr(first='KSR.pv.seti("$avp(timeout)", 1)'), profile="cdr_expired")
async def record_of_a_call_that_expires(alice: Peer, bob: Peer, net: Net) -> None:
    await call(alice, bob)
    await net.quiet(3.0)
    await records(net, alice)


@scenario(cdr(), profile="cdr_expired")
async def no_record_of_a_failure(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    await records(net, alice)


@scenario(cdr(), profile="cdr_expired")
async def record_that_begins_with_the_ack(alice: Peer, bob: Peer, net: Net) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await net.quiet(1.1)
    bob.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    # Longer than a second from the ACK, longer than two from the INVITE: the column tells which one the call began with.
    await net.quiet(1.1)
    alice.within("BYE", ok)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)
    await records(net, alice)
