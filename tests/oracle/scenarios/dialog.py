"""Module dialog: what is known of a dialog, when its events come, and what goes to its user agents."""

from dataclasses import replace

from oracle.scenario import Net, Peer, scenario
from support.messages import Sip

ROUTE = """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0:
        note("known before", KSR.dialog.is_known_dlg())
        note("loose_route", KSR.rr.loose_route())
        note("known", KSR.dialog.is_known_dlg())
        pv("$DLG_status", "$dlg(state)", "$dlg_var(x)")
        {within}
        if KSR.is_ACK() and KSR.tm.t_check_trans() == 0:
            return 1
    elif KSR.is_INVITE():
        note("dlg_manage", KSR.dialog.dlg_manage())
        {first}
        KSR.rr.record_route()
    elif KSR.is_CANCEL():
        note("known", KSR.dialog.is_known_dlg())
    note("t_relay", KSR.tm.t_relay())
    return 1

def dialog_event(self, msg, event):
    # Kamailio calls it for other changes of the state too, with this name.
    if event == "unknown":
        return 1
    names = ("$rm", "$rs", "$dlg(state)", "$dlg_var(x)", "$DLG_status", "$dlg(from_tag)", "$dlg(from_uri)")
    note(event, *[repr(KSR.pv.get(name)) for name in names])
    return 1
"""


def route(first: str = "pass", within: str = "pass") -> str:
    return ROUTE.format(first=first, within=within)


async def established(alice: Peer, bob: Peer, *codes: int) -> tuple[Sip, Sip]:
    """A call that is answered; the INVITE that the callee got, and the answer that the caller got."""
    alice.invite(bob)
    got = await bob.expect("INVITE")
    for code in codes or (180,):
        bob.answer(got, code)
        await alice.expect(code)
    bob.answer(got, 200)
    answer = await alice.expect(200)
    alice.within("ACK", answer)
    await bob.expect("ACK")
    return got, answer


@scenario(route('KSR.pv.sets("$dlg_var(x)", "kept")'), profile="dialog")
async def dialog_from_invite_to_bye(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(route('KSR.pv.sets("$dlg_var(x)", "kept")'), profile="dialog")
async def dialog_ended_by_the_callee(alice: Peer, bob: Peer) -> None:
    got, _ = await established(alice, bob)
    bob.within("BYE", got)
    alice.answer(await alice.expect("BYE"), 200)
    await bob.expect(200)


@scenario(route(), profile="dialog")
async def dialog_refused(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    await bob.refuse(got, 486)
    await alice.expect(486)


@scenario(route(), profile="dialog")
async def dialog_cancelled(alice: Peer, bob: Peer) -> None:
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await alice.expect(200)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(
    route(within='pv("$dlg(from_contact)", "$dlg(to_contact)", "$dlg(to_uri)", "$dlg(to_tag)")'), profile="dialog"
)
async def dialog_with_a_second_invite(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob, 183, 180)
    alice.within("INVITE", answer, ("Contact", "<sip:elsewhere@127.0.0.1:9>"))
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    again = await alice.expect(200)
    alice.within("ACK", again)
    await bob.expect("ACK")
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


PROFILES = """
        note("set", KSR.dialog.set_dlg_profile("caller", {name!r}), KSR.dialog.set_dlg_profile("undefined", "x"))
        note("in", KSR.dialog.is_in_profile("caller", {name!r}), KSR.dialog.is_in_profile("caller", "other"))
        KSR.pv.seti("$var(size)", 7)
        note("size", KSR.dialog.get_profile_size("caller", {name!r}, "$var(size)"), KSR.pv.get("$var(size)"))
        note("size", KSR.dialog.get_profile_size("caller", "nobody", "$var(size)"), KSR.pv.get("$var(size)"))
        note("unset", KSR.dialog.unset_dlg_profile("caller", "other"), KSR.dialog.unset_dlg_profile("caller", {name!r}))
        note("in", KSR.dialog.is_in_profile("caller", {name!r}), KSR.dialog.is_in_profile_static("caller"))
        note("set", KSR.dialog.set_dlg_profile_static("plain"), KSR.dialog.is_in_profile_static("plain"))
"""


@scenario(
    route(PROFILES.format(name="profiles"), 'note("in", KSR.dialog.is_in_profile_static("plain"))'), profile="dialog"
)
async def dialog_profiles(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


FLAGS = """
        note("flags", KSR.dialog.dlg_isflagset(1), KSR.dialog.dlg_setflag(1), KSR.dialog.dlg_isflagset(1))
        note("flags", KSR.dialog.dlg_resetflag(1), KSR.dialog.dlg_isflagset(1))
        note("timeout", KSR.dialog.dlg_set_timeout(100), KSR.pv.get("$dlg(lifetime)"))
        note("property", KSR.dialog.dlg_set_property("ka-src"), KSR.dialog.dlg_set_property("nonsense"))
        note("property", KSR.dialog.dlg_reset_property("ka-src"), KSR.dialog.dlg_set_property("timeout-noreset"))
        note("var", KSR.dialog.var_sets("a", "1"), KSR.dialog.var_get("a"), KSR.dialog.var_gete("b"))
        note("var", KSR.dialog.var_getw("b"), KSR.dialog.var_is_null("a"), KSR.dialog.var_is_null("b"))
        note("var", KSR.dialog.var_rm("a"), KSR.dialog.var_rm("a"), KSR.dialog.var_get("a"))
        pv("$dlg(state)", "$dlg(to_tag)", "$dlg(from_cseq)", "$dlg(to_cseq)", "$dlg(start_ts)", "$dlg(sflags)")
        pv("$dlg(from_contact)", "$dlg(to_contact)", "$dlg(from_rs)", "$dlg(to_rs)", "$dlg(from_bindaddr)", "$dlg(h_entry)")
"""


@scenario(route(FLAGS), profile="dialog")
async def dialog_flags_properties_variables(alice: Peer, bob: Peer) -> None:
    await established(alice, bob)


@scenario(route(within='KSR.dialog.dlg_bye("all") if KSR.is_INFO() else None'), profile="dialog")
async def dialog_ended_from_here(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("INFO", answer)
    for peer in (alice, bob):
        peer.answer(await peer.expect("BYE"), 200)
    bob.answer(await bob.expect("INFO"), 200)
    await alice.expect(200)


@scenario(route(), profile="dialog")
async def dialog_of_a_request_without_the_cookie(alice: Peer, bob: Peer, net: Net) -> None:
    _, answer = await established(alice, bob)
    bye = alice.within("BYE", answer, send=False)
    bare = f"<sip:{net.server[0]}:{net.server[1]};lr>"
    headers = tuple((name, bare if name == "Route" else value) for name, value in bye.headers)
    alice.send(type(bye)(bye.first_line, headers, bye.body))
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(route(), profile="dialog")
async def dialog_nobody_answers(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    cancel = await bob.expect("CANCEL")
    bob.answer(cancel, 200)
    await alice.expect(408)
    await bob.refuse(got, 487)


@scenario(route(), profile="dialog")
async def dialog_whose_bye_is_refused(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 480)
    await alice.expect(480)


ROUTES = 'pv("$dlg(from_rs)", "$dlg(to_rs)", "$dlg(from_cseq)", "$dlg(to_cseq)", "$dlg(state)")'


@scenario(route(within=f"{ROUTES} if KSR.is_BYE() else None"), profile="dialog")
async def dialog_among_other_proxies(alice: Peer, bob: Peer) -> None:
    alice.invite(bob, ("Record-Route", "<sip:192.0.2.7;lr>, <sip:192.0.2.8;lr>"))
    got = await bob.expect("INVITE")
    # A proxy between the server and Bob has recorded itself first.
    bob.answer(replace(got, headers=(("Record-Route", "<sip:192.0.2.9;lr>"), *got.headers)), 200)
    answer = await alice.expect(200)
    alice.within("ACK", without_others(answer))
    await bob.expect("ACK")
    alice.within("BYE", without_others(answer))
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


def without_others(message: Sip) -> Sip:
    """Without the routes of proxies that are not there."""
    kept = tuple((name, value) for name, value in message.headers if name != "Record-Route" or "192.0.2" not in value)
    return Sip(message.first_line, kept, message.body)


SPIRAL = """
        if KSR.hdr.get("X-Passed") is None:
            KSR.hdr.append("X-Passed: once\\r\\n")
            KSR.pv.sets("$du", "sip:" + at("server"))
"""


@scenario(route(SPIRAL), profile="dialog")
async def dialog_of_a_spiral(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(route(), profile="dialog")
async def dialog_answered_by_two(alice: Peer, bob: Peer) -> None:
    alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    answer = await alice.expect(200)
    second = Sip(
        "SIP/2.0 200 OK",
        tuple((name, f"{got['To']};tag=second" if name == "To" else value) for name, value in answer_of(got, bob)),
    )
    bob.send(second)
    await alice.expect(200)
    alice.within("ACK", answer)
    await bob.expect("ACK")
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


def answer_of(got: Sip, bob: Peer) -> tuple[tuple[str, str], ...]:
    copied = ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")
    return (*((n, v) for n, v in got.headers if n in copied), ("Contact", f"<{bob.uri}>"))


@scenario(route(), profile="dialog")
async def dialog_answered_while_it_is_cancelled(alice: Peer, bob: Peer) -> None:
    invite = alice.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    bob.answer(await bob.expect("CANCEL"), 200)
    await alice.expect(200)
    bob.answer(got, 200)
    answer = await alice.expect(200)
    alice.within("ACK", answer)
    await bob.expect("ACK")
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


FLAGGED = route("KSR.setflag(4)").replace('note("dlg_manage", KSR.dialog.dlg_manage())', "pass")


@scenario(FLAGGED, profile="dialog_flag")
async def dialog_by_its_flag(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(FLAGGED.replace("KSR.setflag(4)", "pass"), profile="dialog_flag", idle=("dialog_event",))
async def dialog_without_its_flag(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("BYE", answer)
    bob.answer(await bob.expect("BYE"), 200)
    await alice.expect(200)


@scenario(route(), profile="dialog_timeout", quiet_s=1.0)
async def dialog_whose_timeout_passes(alice: Peer, bob: Peer) -> None:
    await established(alice, bob)
    # Kamailio sends none to the second if the first one has answered by then.
    byes = [await peer.expect("BYE", 8) for peer in (alice, bob)]
    for peer, bye in zip((alice, bob), byes, strict=True):
        peer.answer(bye, 200)


@scenario(route(within='note(KSR.dialog.dlg_bye("callee")) if KSR.is_INFO() else None'), profile="dialog")
async def dialog_ended_from_here_on_one_side(alice: Peer, bob: Peer) -> None:
    _, answer = await established(alice, bob)
    alice.within("INFO", answer)
    bob.answer(await bob.expect("BYE"), 200)
    bob.answer(await bob.expect("INFO"), 200)
    await alice.expect(200)
