"""Edits of header fields and bodies, as they arrive at the next hop and in replies."""

from oracle.scenario import Peer, scenario


def relayed(name: str, script: str, *extra: tuple[str, str], body: str = "") -> None:
    """A request whose edits the callee sees."""

    async def run(alice: Peer, bob: Peer) -> None:
        alice.request("MESSAGE", bob, *extra, body=body)
        bob.answer(await bob.expect("MESSAGE"), 200, ("X-Mine", "answer"))
        await alice.expect(200)

    lines = "".join(f"    {line}\n" for line in script.strip().split("\n"))
    scenario(f"def ksr_request_route(self, msg):\n{lines}    note('t_relay', KSR.tm.t_relay())\n", name=name)(run)


MINE = (("X-Mine", "one"), ("X-Mine", "two"), ("Subject", "hello"), ("X-List", "a, b, c"))

relayed(
    "hdr_append_insert_remove",
    r"""
note(KSR.hdr.append("X-Last: 1\r\n"))
note(KSR.hdr.append("X-Very-Last: 2\r\n"))
note(KSR.hdr.insert("X-First: 3\r\n"))
note(KSR.hdr.append_after("X-After: 4\r\n", "From"))
note(KSR.hdr.insert_before("X-Before: 5\r\n", "To"))
note("remove", KSR.hdr.remove("X-Mine"), KSR.hdr.remove("X-Not-There"))
note("present", KSR.hdr.is_present("X-Mine"), KSR.hdr.is_present("X-Last"), KSR.hdr.is_present("Subject"))
""",
    *MINE,
)
relayed(
    "hdr_get",
    r"""
note(KSR.hdr.get("X-Mine"), KSR.hdr.get("X-Not-There"), repr(KSR.hdr.gete("X-Not-There")), KSR.hdr.getw("X-None"))
note(KSR.hdr.get_idx("X-Mine", 1), KSR.hdr.get_idx("X-Mine", -1), KSR.hdr.get_idx("X-Mine", 5))
note(KSR.hdr.match_content("Subject", "eq", "hello", "f"), KSR.hdr.match_content("Subject", "sw", "hel", "f"),
     KSR.hdr.match_content("X-Mine", "eq", "two", "a"), KSR.hdr.match_content("X-Mine", "eq", "two", "f"))
pv("$hdr(X-Mine)", "$(hdr(X-Mine)[1])", "$(hdr(X-Mine)[-1])", "$hdrc(X-Mine)", "$hdr(subject)", "$hdr(s)")
""",
    *MINE,
)
relayed(
    "hdr_rmappend",
    r"""
note(KSR.hdr.rmappend("X-Mine", "X-Mine: new\r\n"))
note(KSR.hdr.rminsert("Subject", "Subject: other\r\n"))
pv("$hdr(X-Mine)", "$hdr(Subject)")
""",
    *MINE,
)
relayed(
    "edits_are_seen_after_apply",
    r"""
KSR.hdr.append("X-New: 1\r\n")
KSR.hdr.remove("X-Mine")
pv("$hdr(X-New)", "$hdr(X-Mine)")
note("apply", KSR.textopsx.msg_apply_changes())
pv("$hdr(X-New)", "$hdr(X-Mine)")
KSR.hdr.remove("X-New")
KSR.hdr.append("X-Then: 2\r\n")
""",
    *MINE,
)
relayed(
    "textops_remove_and_search",
    r"""
note("re", KSR.textops.remove_hf_re("^X-M"), KSR.textops.remove_hf_re("^Nope"), "hf", KSR.textops.remove_hf("Subject"))
note("search", KSR.textops.search("hello"), KSR.textops.search("HELLO"), KSR.textops.search_body("w[o0]rld"),
     KSR.textops.search_hf("X-List", "b", "a"))
note("has_body", KSR.textops.has_body(), KSR.textops.has_body_type("text/plain"),
     KSR.textops.has_body_type("application/sdp"), "present", KSR.textops.is_present_hf("Subject"),
     KSR.textops.is_present_hf_re("^X-"))
note("cmp", KSR.textops.cmp_str("a", "A"), KSR.textops.cmp_istr("a", "A"), KSR.textops.starts_with("abc", "ab"),
     KSR.textops.ends_with("abc", "bd"), KSR.textops.in_list("b", "a,b", ","))
""",
    *MINE,
    ("Content-Type", "text/plain"),
    body="hello world",
)
relayed(
    "bodies_are_replaced",
    r"""
note(KSR.textops.replace_body("world", "moon"))
note(KSR.textops.subst_body("/ell/ELL/"))
note(KSR.textops.subst_hf("Subject", "/hello/bye/", "a"))
note(KSR.textops.subst_user("/b/B/"))
pv("$ru", "$rb", "$bs", "$rb")
""",
    *MINE,
    ("Content-Type", "text/plain"),
    body="hello world",
)
relayed(
    "set_body",
    r"""
note(KSR.textops.set_body("v=0\r\n", "application/sdp"))
note(KSR.textopsx.msg_apply_changes())
pv("$rb", "$cT", "$bs", "$cl")
""",
)
relayed(
    "remove_body",
    r"""
note(KSR.textopsx.remove_body())
""",
    ("Content-Type", "text/plain"),
    body="hello",
)
relayed(
    "textopsx_lists",
    r"""
note(KSR.textopsx.append_hf_value("X-List", "d"), KSR.textopsx.insert_hf_value("X-List", "z"),
     KSR.textopsx.include_hf_value("X-List", "b"), KSR.textopsx.exclude_hf_value("X-List", "a"),
     KSR.textopsx.hf_value_exists("X-List", "c"), KSR.textopsx.hf_value_exists("X-List", "q"))
note(KSR.textopsx.remove_hf_value("X-Mine"), KSR.textopsx.assign_hf_value("Subject", "assigned"))
""",
    *MINE,
)
relayed(
    "header_iterator",
    r"""
KSR.textopsx.hf_iterator_start("i")
while KSR.textopsx.hf_iterator_next("i") > 0:
    name = KSR.textopsx.hf_iterator_hname("i")
    if name not in ("Via", "Call-ID"):
        note(name, KSR.textopsx.hf_iterator_hbody("i"))
    if name == "Subject":
        note("rm", KSR.textopsx.hf_iterator_rm("i"), "append", KSR.textopsx.hf_iterator_append("i", "X-It: 1\r\n"))
KSR.textopsx.hf_iterator_end("i")
""",
    *MINE,
)
relayed(
    "from_and_to_are_rewritten",
    r"""
note(KSR.pv.sets("$fU", "changed"), KSR.pv.sets("$tn", '"New Name"'))
pv("$fu", "$fU", "$tn", "$tu")
""",
)
relayed(
    "request_uri_is_rewritten",
    r"""
note(KSR.setuser("u2"), KSR.pv.sets("$rp", KSR.pv.get("$rp")))
pv("$ru", "$rU", "$rd", "$rP", "$rz", "$ou", "$oU")
note(KSR.siputils.add_uri_param("x=1"), KSR.siputils.uri_param("x"), KSR.siputils.uri_param_value("x", "1"),
     KSR.siputils.uri_param_rm("x"))
pv("$ru")
""",
)


@scenario(
    r"""
def ksr_request_route(self, msg):
    KSR.tm.t_on_reply("answer")
    note("t_relay", KSR.tm.t_relay())

def answer(self, msg):
    note(KSR.hdr.remove("X-Mine"), KSR.hdr.append("X-Added: by the reply route\r\n"))
    note(KSR.textops.subst_body("/a/b/"), KSR.hdr.rmappend("Contact", "Contact: <sip:other@h.test>\r\n"))
    pv("$rb", "$hdr(X-Mine)", "$ct", "$rm")
"""
)
async def reply_is_edited(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", bob)
    bob.answer(await bob.expect("MESSAGE"), 200, ("X-Mine", "1"), ("Content-Type", "text/plain"), body="aaa")
    await alice.expect(200)
