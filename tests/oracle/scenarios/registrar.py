"""registrar: save, lookup and their kin, with the answers that clients get."""

from __future__ import annotations

from oracle.scenario import Peer, scenario
from support.messages import Sip

INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
OTHER = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E129>"'
SAVE = """
def ksr_request_route(self, msg):
    if KSR.is_REGISTER():
        if KSR.hdr.is_present("X-Nat") > 0:
            KSR.nathelper.fix_nated_register()
        if KSR.hdr.is_present("X-Flag") > 0:
            KSR.setflag(5)
        if KSR.hdr.is_present("X-Bflag") > 0:
            KSR.setbflag(6)
        for name in ("expires", "q", "max_contacts"):
            value = KSR.hdr.get("X-" + name)
            if value is not None:
                KSR.pv.seti("$xavp(reg=>" + name + ")", int(value))
        kept = KSR.hdr.get("X-Kept")
        if kept is not None:
            KSR.pv.sets("$xavp(ulattrs=>text)", kept)
            KSR.pv.seti("$xavp(ulattrs[0]=>number)", 7)
        note("save", KSR.registrar.save("location", int(KSR.hdr.get("X-Save") or "0")))
        return
"""


class User:
    """A user that no other scenario has, whose phones send REGISTERs."""

    def __init__(self, phone: Peer, name: str = "user", host: str = "oracle.test") -> None:
        self.name = f"{name}-{phone.net.scenario.name}"
        self.host = host

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@{self.host}"

    async def register(self, phone: Peer, contact: str | None, *extra: tuple[str, str], call_id: str = "") -> None:
        """Sends one and waits for its final response, whatever it is."""
        headers = () if contact is None else (("Contact", contact),)
        key = f"{phone.net.scenario.name}-{call_id}@oracle" if call_id else None
        phone.request("REGISTER", f"sip:{self.host}", *headers, *extra, to_header=f"<{self.uri}>", call_id=key)
        await phone.expect(lambda message: (message.status or 0) >= 200)


def registered(name: str, *steps: tuple[str | None, *tuple[tuple[str, str], ...]], profile: str = "registrar") -> None:
    """One phone, one REGISTER after the other: contact and header fields; `CALL` before a contact keeps the Call-ID."""

    async def run(bob: Peer) -> None:
        user = User(bob, "reg")
        for contact, *extra in steps:
            headers = [pair for pair in extra if pair[0] != "CALL"]
            call = next((value for key, value in extra if key == "CALL"), "")
            await user.register(bob, contact, *headers, call_id=call)

    scenario(SAVE, name=name, profile=profile)(run)


SUPPORTED = ("Supported", "outbound, path")
GRUU = ("Supported", "gruu")
PHONE = "<sip:p@192.0.2.1:5060>"
SECOND = "<sip:p@192.0.2.2:5060;transport=tcp>"
THIRD = "<sip:p@192.0.2.3>"
FOURTH = "<sip:p@192.0.2.4>"
STAR = ("Expires", "0")

registered("bindings_by_q", (f"{PHONE};q=0.5",), (f"{SECOND};q=1.0",), (THIRD,), (None,))
registered("q_changes_the_order", (f"{PHONE};q=0.5",), (f"{SECOND};q=0.9",), (f"{PHONE};q=1",), (None,))
registered(
    "malformed_parameters",
    (f"{PHONE};q=abc",),
    (f"{PHONE};q=1.5",),
    (f"{PHONE};q=0.12345",),
    (f"{PHONE};expires=abc", ("Expires", "120")),
    ("<sip:p@192.0.2.1",),
)
registered(
    "expiry_from_contact_header_and_default",
    (f"{PHONE};expires=120", ("Expires", "300")),
    (PHONE, ("Expires", "300")),
    (PHONE,),
    (PHONE, ("Expires", "abc")),
)
registered("too_brief_gets_423", (f"{PHONE};expires=10",), (f"{PHONE};expires=600",), (f"{PHONE};expires=10",))
registered("more_contacts_than_allowed", (PHONE,), (SECOND,), (THIRD,), (FOURTH,), (f"{PHONE};expires=0, {FOURTH}",))
registered("star_must_expire", (PHONE,), ("*", ("Expires", "10")), ("*",), ("*", STAR), (None,))
registered("removed_one_by_one", (PHONE,), (SECOND,), (f"{PHONE};expires=0",), (SECOND, STAR), (None,))
registered("one_contact_only", (PHONE,), (SECOND,), (THIRD, ("X-Save", "4")), (None,))
registered("cseq_must_rise", (PHONE, ("CALL", "1")), (f"{PHONE};q=0.7", ("CALL", "1"), ("CSeq", "1 REGISTER")), (None,))
registered(
    "cseq_that_falls_is_refused",
    (PHONE, ("CALL", "1"), ("CSeq", "9 REGISTER")),
    (PHONE, ("CALL", "1"), ("CSeq", "8 REGISTER")),
    (PHONE, ("CALL", "2"), ("CSeq", "1 REGISTER")),
)
registered("source_is_told_to_the_client", (PHONE, ("X-Nat", "1")), (SECOND,), (None,))
registered("script_wishes", (PHONE, ("X-expires", "99"), ("X-q", "400")), (SECOND, ("X-max_contacts", "1")))
registered("gruu_only_if_supported", (f"{PHONE};{INSTANCE}",), (f"{PHONE};{INSTANCE}", GRUU), (None, GRUU))
registered("instance_replaces_its_contact", (f"{PHONE};{INSTANCE}",), (f"{SECOND};{INSTANCE}",), (f"{THIRD};{OTHER}",))
registered(
    "flows_of_one_instance",
    (f"{PHONE};{INSTANCE};reg-id=1", SUPPORTED),
    (f"{SECOND};{INSTANCE};reg-id=2", SUPPORTED),
    (f"{THIRD};{INSTANCE};reg-id=1", SUPPORTED),
)
registered("outbound_required_by_the_client", (PHONE, ("Require", "outbound")))
registered(
    "path_is_returned", (PHONE, ("Path", "<sip:p1.test;lr>"), ("Path", "<sip:p2.test;lr>"), ("Supported", "path"))
)
registered("path_is_kept_unsupported", (PHONE, ("Path", "<sip:p1.test;lr>")), (None,))
registered("socket_of_another_server", (PHONE, ("X-Flag", "1"), ("Sock-Info", "udp:192.0.2.9:5070")), (None,))
registered(
    "strict_bounds",
    (f"{PHONE};expires=10",),
    (f"{PHONE};expires=9999",),
    (PHONE, ("X-Nat", "1")),
    ("<sip:a-user-with-a-name-that-is-longer-than-sixty-characters@192.0.2.1>",),
    profile="registrar_strict",
)
registered(
    "matched_by_contact_and_call_id",
    (PHONE, ("CALL", "1"), ("CSeq", "1 REGISTER")),
    (PHONE, ("CALL", "2"), ("CSeq", "1 REGISTER")),
    (PHONE, ("CALL", "1"), ("CSeq", "2 REGISTER")),
    profile="registrar_strict",
)
registered(
    "outbound_is_off",
    (PHONE, ("Require", "outbound")),
    (f"{PHONE};{INSTANCE};reg-id=3", ("Supported", "outbound, gruu")),
    profile="registrar_strict",
)
registered(
    "matched_by_call_id",
    (PHONE, ("CALL", "1"), ("CSeq", "1 REGISTER")),
    (SECOND, ("CALL", "1"), ("CSeq", "2 REGISTER")),
    (THIRD, ("CALL", "2")),
    (None,),
    profile="registrar_newest",
)


@scenario(
    SAVE
    + """
    note("lookup", KSR.registrar.lookup("location"))
    pv("$ru", "$du", "$branch(count)", "$(branch(uri)[0])", "$bf", "$xavp(rcd=>contact)", "$xavp(rcd=>received)")
    pv("$xavp(rcd=>path)", "$xavp(rcd[1]=>contact)", "$xavp(ulattrs=>text)", "$xavp(ulattrs=>number)")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def lookup_restores_what_was_kept(alice: Peer, bob: Peer) -> None:
    user = User(bob, "kept")
    await user.register(bob, f"{PHONE};q=0.9", ("X-Nat", "1"), ("X-Bflag", "1"), ("X-Kept", "hello"))
    await user.register(bob, f"{SECOND};q=0.1", ("Path", "<sip:p1.test;lr>"), ("Supported", "path"))
    alice.request("MESSAGE", user.uri)
    await alice.expect(200)


@scenario(
    SAVE
    + """
    note("lookup", KSR.registrar.lookup("location"), "other", KSR.registrar.lookup_uri("location", "sip:nobody@h"),
         "no uri", KSR.registrar.lookup_uri("location", "bad"))
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def methods_are_filtered(alice: Peer, bob: Peer) -> None:
    """The contact does not allow MESSAGE; within a dialog that does not matter."""
    user = User(bob, "methods")
    await user.register(bob, PHONE, ("Allow", "INVITE, ACK,BYE"), ("Allow", "OPTIONS"))
    alice.request("OPTIONS", user.uri)
    await alice.expect(200)
    alice.request("MESSAGE", user.uri)
    await alice.expect(200)
    alice.request("MESSAGE", user.uri, to_header=f"<{user.uri}>;tag=there")
    await alice.expect(200)


@scenario(
    SAVE
    + """
    uri = KSR.pv.get("$ru")
    note("registered", KSR.registrar.registered("location"), KSR.registrar.registered_uri("location", "sip:nobody@h"),
         KSR.registrar.registered_uri("location", "bad"))
    pv("$xavp(rcd=>contact)")
    KSR.pv.sets("$xavp(reg=>match_callid)", KSR.hdr.get("X-Call"))
    note("flags", [KSR.registrar.registered_flags("location", uri, flags) for flags in (0, 1, 2, 4)])
    KSR.pv.sets("$xavp(reg=>match_callid)", "another")
    note("flags", [KSR.registrar.registered_flags("location", uri, flags) for flags in (0, 1, 2, 4)])
    KSR.pv.sets("$xavp(reg=>match_contact)", "sip:p@192.0.2.1:5060")
    note("contact", KSR.registrar.registered_flags("location", uri, 4))
    note("action", KSR.registrar.registered_action("location", uri, 4, 0))
    pv("$xavp(ulattrs=>text)")
    note("action", KSR.registrar.registered_action("location", uri, 4, 1))
    pv("$xavp(ulattrs=>text)")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def registered_asks_for_more(alice: Peer, bob: Peer) -> None:
    user = User(bob, "asked")
    await user.register(bob, PHONE, ("X-Kept", "hello"), call_id="7")
    alice.request("OPTIONS", user.uri, ("X-Call", "registered_asks_for_more-7@oracle"))
    await alice.expect(200)


ATTRIBUTES = "aor domain addr path received callid q cseq flags cflags user_agent methods count regid instance conid server_id nope"


@scenario(
    SAVE
    + f"""
    uri = KSR.pv.get("$ru")
    note("fetch", KSR.registrar.reg_fetch_contacts("location", uri, "p"),
         KSR.registrar.reg_fetch_contacts("location", "sip:nobody@h", "q"),
         KSR.registrar.reg_fetch_contacts("location", "bad", "q"))
    for name in {ATTRIBUTES!r}.split():
        pv("$ulc(p=>" + name + ")", "$(ulc(p=>" + name + ")[1])", "$(ulc(p=>" + name + ")[9])")
    pv("$ulc(none=>aor)")
    note("free", KSR.registrar.reg_free_contacts("p"), KSR.registrar.reg_free_contacts("none"))
    pv("$ulc(p=>aor)")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def contacts_are_fetched(alice: Peer, bob: Peer) -> None:
    user = User(bob, "fetched")
    await user.register(bob, f"{PHONE};q=0.3", ("X-Nat", "1"), ("User-Agent", "Phone"), call_id="7")
    await user.register(bob, f"{SECOND};{INSTANCE};reg-id=2", SUPPORTED, ("Allow", "INVITE,FOO"), call_id="8")
    alice.request("OPTIONS", user.uri)
    await alice.expect(200)


@scenario(
    SAVE
    + """
    uri = KSR.pv.get("$ru")
    note("dset", KSR.registrar.lookup_to_dset("location", uri), KSR.registrar.lookup_to_dset("location", "sip:nobody@h"),
         KSR.registrar.lookup_to_dset("location", "bad"))
    pv("$ru", "$branch(count)", "$(branch(uri)[0])", "$(branch(uri)[1])")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def contacts_join_the_destinations(alice: Peer, bob: Peer) -> None:
    user = User(bob, "dset")
    await user.register(bob, f"{PHONE};q=0.3")
    await user.register(bob, f"{SECOND};q=0.2")
    alice.request("OPTIONS", user.uri)
    await alice.expect(200)


@scenario(
    SAVE
    + """
    note("append", KSR.corex.append_branch_uri(KSR.hdr.get("X-Second")))
    note("branches", KSR.registrar.lookup_branches("location"))
    pv("$ru", "$branch(count)", "$(branch(uri)[0])", "$(branch(uri)[1])", "$(branch(uri)[2])")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def branches_are_looked_up_too(alice: Peer, bob: Peer) -> None:
    first, second = User(bob, "first"), User(bob, "second")
    await first.register(bob, PHONE)
    await second.register(bob, SECOND)
    alice.request("OPTIONS", first.uri, ("X-Second", second.uri))
    await alice.expect(200)


@scenario(
    SAVE
    + """
    uri = KSR.pv.get("$ru")
    note("ruid", KSR.registrar.unregister_ruid("location", uri, "none"),
         KSR.registrar.unregister_ruid("location", "sip:nobody@h", "none"))
    KSR.registrar.reg_fetch_contacts("location", uri, "p")
    note("ruid", KSR.registrar.unregister_ruid("location", uri, KSR.pv.get("$ulc(p=>ruid)")))
    note("registered", KSR.registrar.registered("location"))
    note("all", KSR.registrar.unregister("location", uri), KSR.registrar.unregister("location", "sip:nobody@h"),
         KSR.registrar.unregister("location", "bad"))
    note("registered", KSR.registrar.registered("location"))
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def unregistered_one_by_one(alice: Peer, bob: Peer) -> None:
    user = User(bob, "gone")
    await user.register(bob, f"{PHONE};q=0.3")
    await user.register(bob, f"{SECOND};q=0.2")
    alice.request("OPTIONS", user.uri)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("save", KSR.registrar.save("location", 2 + int(KSR.hdr.get("X-Save") or "0")))
    KSR.hdr.append_to_reply("X-Mine: 1\\r\\n")
    note("reply", KSR.registrar.reg_send_reply())
""",
    profile="registrar",
)
async def answered_by_the_script(bob: Peer) -> None:
    user = User(bob, "later")
    await user.register(bob, PHONE)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_REGISTER():
        note("save", KSR.registrar.save_uri("location", 0, "sip:Other.User@sip.oracle.test:5070;x=y"))
        return
    note("lookup", KSR.registrar.lookup("location"))
    pv("$ru", "$branch(count)")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar_strict",
)
async def domains_and_case_count(alice: Peer, bob: Peer) -> None:
    """With use_domain, case_sensitive and realm_prefix; without append_branches."""
    user = User(bob, "ignored")
    await user.register(bob, PHONE)
    await user.register(bob, SECOND)
    for uri in ("sip:Other.User@oracle.test", "sip:other.user@oracle.test", "sip:Other.User@other.test"):
        alice.request("OPTIONS", uri)
        await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_REGISTER():
        note("save", KSR.registrar.save("location", 0))
        return
    note("lookup", KSR.registrar.lookup("location"))
    pv("$ru", "$du", "$bf")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar_newest",
)
async def received_of_the_path_counts(alice: Peer, bob: Peer) -> None:
    """The edge proxy knows where the client is; the newest contact is tried first."""
    user = User(bob, "edge")
    await user.register(bob, f"{PHONE};q=0.9")
    await user.register(bob, f"{SECOND};q=0.1", ("Path", "<sip:edge.test;lr;received=sip:192.0.2.50:4000>"))
    alice.request("OPTIONS", user.uri)
    await alice.expect(200)


@scenario(
    SAVE
    + """
    note("lookup", KSR.registrar.lookup("location"))
    pv("$ru", "$branch(count)")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def a_public_gruu_calls_one_instance(alice: Peer, bob: Peer) -> None:
    """RFC 5627 section 5.3."""
    user = User(bob, "gruu")
    await user.register(bob, f"{PHONE};{INSTANCE}", GRUU)
    await user.register(bob, f"{SECOND};{OTHER}", GRUU)
    for instance in ("00000000-0000-1000-8000-000A95A0E129", "00000000-0000-1000-8000-000000000000"):
        alice.request("OPTIONS", f"{user.uri};gr=urn:uuid:{instance}")
        await alice.expect(200)


@scenario(
    SAVE
    + """
    note("lookup", KSR.registrar.lookup("location"))
    pv("$ru")
    KSR.sl.sl_send_reply(200, "OK")
""",
    profile="registrar",
)
async def a_temporary_gruu_calls_its_contact(alice: Peer, bob: Peer) -> None:
    user = User(bob, "temporary")
    headers = (("Contact", f"{PHONE};{INSTANCE}"), GRUU)
    bob.request("REGISTER", "sip:oracle.test", *headers, to_header=f"<{user.uri}>")
    answer = await bob.expect(200)
    gruu = (answer.get("Contact") or "").partition(';temp-gruu="')[2].partition('"')[0]
    alice.request("OPTIONS", gruu, to_header="<sip:temporary@oracle.test>")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("add_sock_hdr", KSR.registrar.add_sock_hdr("Sock-Info"))
    KSR.setdsturi("sip:" + at("bob"))
    note("t_relay", KSR.tm.t_relay())
"""
)
async def the_socket_in_a_header_field(alice: Peer, bob: Peer) -> None:
    alice.request("REGISTER", "sip:oracle.test", ("Contact", PHONE))
    bob.answer(await bob.expect("REGISTER"), 200)
    await alice.expect(200)


@scenario(SAVE, profile="registrar")
async def flows_by_an_edge_proxy(bob: Peer) -> None:
    """RFC 5626 section 6: the first hop must know flows."""
    user = User(bob)
    for path in ("<sip:edge.test;lr>", "<sip:edge.test;lr;ob>"):
        headers = (("Contact", f"{PHONE};{INSTANCE};reg-id=1"), SUPPORTED, ("Path", path))
        sent = bob.request("REGISTER", "sip:oracle.test", *headers, to_header=f"<{user.uri}>", send=False)
        first, *others = sent.headers
        client = ("Via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK-bob-client")
        bob.send(Sip(sent.first_line, (first, client, *others)))
        await bob.expect(lambda message: (message.status or 0) >= 200)


registered("a_registrar_that_requires_outbound", ("<sip:p@192.0.2.1:5060>",), profile="registrar_outbound")
registered(
    "a_path_that_is_refused",
    ("<sip:p@192.0.2.1:5060>", ("Path", "<sip:edge.test;lr>")),
    (None,),
    profile="registrar_strict",
)
registered(
    "all_contacts_beside_another",
    ("<sip:p@192.0.2.1:5060>",),
    ("*, <sip:p@192.0.2.2:5060>", ("Expires", "0")),
    ("*", ("Contact", "<sip:p@192.0.2.2:5060>"), ("Expires", "0")),
)
