"""Expressions of edits: lists in header fields, bodies of several parts, contacts; each table has its own message."""

from __future__ import annotations

from collections.abc import Iterator

from oracle.evaluate import Table

CREDENTIALS = b"""INVITE sip:bob@b.test SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{peer};branch=z9hG4bK-1;rport\r
From: "Alice A" <sip:alice@a.test:5090;x=y>;tag=ft1;p=q\r
To: <sip:bob@b.test>\r
Call-ID: {id}\r
CSeq: 7 INVITE\r
Max-Forwards: 70\r
Authorization: Digest username="al", realm="r.test", qop=auth\r
Authorization: Digest username="b2", realm="r2"\r
Expires: soon\r
Content-Length: 0\r
\r\n"""

# Of X-Two: `a,b` and `c`, and a Contact with two values.
LISTS = """
append_hf_value("X-Two[0]", "n") | append_hf_value("X-Two[1]", "n") | append_hf_value("X-Two[3]", "n")
append_hf_value("X-Two[4]", "n") | append_hf_value("X-Two[-1]", "n") | append_hf_value("X-New[1]", "n")
append_hf_value("X-Two[*]", "n") | insert_hf_value("X-Two[0]", "n") | insert_hf_value("X-Two[2]", "n")
insert_hf_value("X-Two[4]", "n") | insert_hf_value("X-Two[-1]", "n") | insert_hf_value("X-Two", "n")
insert_hf_value("X-New[1]", "n") | remove_hf_value("X-Two") | remove_hf_value("X-Two[0]") | remove_hf_value("X-Two[1]")
remove_hf_value("X-Two[2]") | remove_hf_value("X-Two[3]") | remove_hf_value("X-Two[4]") | remove_hf_value("X-Two[-4]")
remove_hf_value("X-Two[*]") | remove_hf_value("X-New") | remove_hf_value("Contact.expires")
remove_hf_value("Contact[2].q") | remove_hf_value("Contact[*].q") | remove_hf_value("Contact.none")
assign_hf_value("X-Two", "n") | assign_hf_value("X-Two[1]", "n") | assign_hf_value("X-Two[2]", "n")
assign_hf_value("X-Two[-1]", "n") | assign_hf_value("X-Two[4]", "n") | assign_hf_value("X-New", "n")
assign_hf_value("X-Two[*]", "n") | assign_hf_value("Contact.expires", "5") | assign_hf_value("Contact[2].q", "1")
assign_hf_value("Contact[*].q", "1") | assign_hf_value("Contact.lr", "") | assign_hf_value("Contact[2].expires", "9")
assign_hf_value("Contact.expires", "") | assign_hf_value("X-Two[2].par", "v") | include_hf_value("X-Two", "z")
include_hf_value("X-Two", "b") | include_hf_value("X-New", "b") | exclude_hf_value("X-Two", "b")
exclude_hf_value("X-Two", "c") | exclude_hf_value("X-New", "z")
"""
OF_CREDENTIALS = r"""
assign_hf_value2("Authorization.i-p", "\"yes\"") | assign_hf_value2("Authorization.realm", "\"new\"")
assign_hf_value2("Authorization[2].realm", "\"new\"") | assign_hf_value2("Authorization[*].realm", "\"new\"")
assign_hf_value2("Authorization.realm", "") | assign_hf_value2("Authorization[2]", "xx")
assign_hf_value2("Authorization[3]", "xx") | assign_hf_value2("Authorization[-1].nn", "xx")
"""
SHOWN = "$hdr(X-Two) $(hdr(X-Two)[1]) $(hdr(X-Two)[2]) $hdr(X-New) $hdr(Contact) $hdr(Authorization) $(hdr(Authorization)[1])"

PARTS = r"""
KSR.textops.set_body_multipart("hello", "text/plain", "delim") | KSR.textops.append_body_part("two", "text/html")
KSR.textopsx.msg_apply_changes() | KSR.textops.append_body_part("two", "text/html")
KSR.textops.append_body_part_cd("three", "text/xml\r\nX-H: y", "signal;handling=optional") | KSR.textopsx.msg_apply_changes()
KSR.textops.append_body_part_hex("41 42 43", "x/hex") | KSR.textopsx.msg_apply_changes() | $rb | $cT | $hdr(Mime-Version)
KSR.textops.append_body_part_hex_cd("414G", "x/hex", "signal") | KSR.textops.append_body_part_hex_cd("414", "x/hex", "s")
KSR.textops.get_body_part("text/html", "$var(a)") | $var(a) | KSR.textops.get_body_part_raw("x/hex", "$var(a)") | $var(a)
KSR.textops.get_body_part("no/no", "$var(a)") | KSR.textops.remove_body_part("no/no")
KSR.textops.remove_body_part("text/xml") | KSR.textopsx.msg_apply_changes() | $rb | KSR.textops.remove_body_part("text/plain")
KSR.textopsx.msg_apply_changes() | $rb | KSR.textops.filter_body("no/no") | KSR.textops.filter_body("x/hex")
KSR.textopsx.msg_apply_changes() | $rb
"""
WHOLE = """
KSR.textops.append_body_part("two", "text/html") | KSR.textops.get_body_part("application/sdp", "$var(b)") | $var(b)
KSR.textops.get_body_part_raw("application/sdp", "$var(b)") | $var(b) | KSR.textops.remove_body_part("application/sdp")
KSR.textops.filter_body("application/sdp") | KSR.textops.set_body_multipart_mode() | KSR.textopsx.msg_apply_changes()
KSR.textops.append_body_part("two", "text/html") | KSR.textopsx.msg_apply_changes() | $rb | $cT
KSR.textops.replace_body_atonce("[0-9]", "N")
KSR.textops.regex_substring("foo-12-bar-34", "([a-z]+)-([0-9]+)", 0, 3, "$var(rs)") | $var(rs)
KSR.textops.regex_substring("foo-12-bar-34", "([a-z]+)-([0-9]+)", 2, 3, "$var(rs)") | $var(rs)
KSR.textops.regex_substring("foo-12-bar-34", "([a-z]+)-([0-9]+)", 2, 2, "$var(rs)")
KSR.textops.regex_substring("foo", "([0-9]+)", 0, 1, "$var(rs)") | KSR.textops.regex_substring("foo", "([", 0, 1, "$var(rs)")
"""
LINES = r"""
KSR.textops.set_body("l1\r\nl2\r\nl3\r\n", "text/plain") | KSR.textopsx.msg_apply_changes()
KSR.textopsx.bl_iterator_start("b") | KSR.textopsx.bl_iterator_insert("b", "zero\r\n") | KSR.textopsx.bl_iterator_next("b")
KSR.textopsx.bl_iterator_insert("b", "before\r\n") | KSR.textopsx.bl_iterator_append("b", "after\r\n")
KSR.textopsx.bl_iterator_next("b") | KSR.textopsx.bl_iterator_rm("b") | KSR.textopsx.bl_iterator_value("b")
KSR.textopsx.bl_iterator_next("b") | KSR.textopsx.bl_iterator_append("b", "end") | KSR.textopsx.bl_iterator_next("b")
KSR.textopsx.bl_iterator_append("b", "past") | KSR.textopsx.bl_iterator_rm("c") | KSR.textopsx.msg_apply_changes() | $rb
"""
CONTACTS = """
KSR.siputils.contact_param_encode("ksu", "sip:1.2.3.4:5060;transport=tcp") | KSR.textopsx.msg_apply_changes()
$hdr(Contact) | KSR.siputils.contact_param_rm("transport") | KSR.textopsx.msg_apply_changes() | $hdr(Contact)
KSR.siputils.contact_param_decode("none") | KSR.siputils.contact_param_decode("ksu") | KSR.textopsx.msg_apply_changes()
$hdr(Contact) | KSR.siputils.encode_contact("pfx", "9.9.9.9") | KSR.textopsx.msg_apply_changes() | $hdr(Contact)
KSR.siputils.decode_contact_header() | KSR.textopsx.msg_apply_changes() | $hdr(Contact)
KSR.pv.sets("$ru", "sip:x@1.2.3.4;ksu=c2lwOmFsaWNlQGg;y=1") | KSR.siputils.contact_param_decode_ruri("ksu") | $ru
KSR.siputils.contact_param_decode_ruri("ksu") | KSR.pv.sets("$ru", "sip:pfx*alice**192.0.2.5*5070*udp@9.9.9.9")
KSR.siputils.decode_contact() | $ru | KSR.siputils.decode_contact() < 0 | KSR.siputils.hdr_date_check(10)
KSR.siputils.options_reply() | KSR.hdr.append("Date: Thu, 21 Feb 2002 13:02:03 GMT") | KSR.textopsx.msg_apply_changes()
KSR.siputils.hdr_date_check(10) | KSR.siputils.hdr_date_check(2000000000)
"""
SMALL = """
KSR.pv.sets("$var(a)", "12ab") | KSR.pv.geti("$var(a)") | KSR.pv.sets("$var(a)", "-5") | KSR.pv.geti("$var(a)")
KSR.pv.sets("$var(a)", "+5") | KSR.pv.geti("$var(a)") | KSR.pv.sets("$var(a)", " 5") | KSR.pv.geti("$var(a)")
KSR.pv.sets("$var(a)", "0x10") | KSR.pv.geti("$var(a)") | KSR.pv.sets("$var(a)", "010") | KSR.pv.geti("$var(a)")
KSR.pv.sets("$var(big)", "3000000000") | KSR.pv.geti("$var(big)") | KSR.pv.sets("$ru", "sip:12345@h") | KSR.pv.geti("$rU")
KSR.pv.geti("$fU") | KSR.pv.geti("$rd") | KSR.pv.geti("$rp") | KSR.pv.sets("$var(s)", "udp:1.2.3.4:5060")
$(var(s){sock.host}) | $(var(s){sock.port}) | $(var(s){sock.proto}) | $(var(s){sock.touri})
KSR.pv.sets("$var(s)", "tcp:[2001:db8::1]") | $(var(s){sock.host}) | $(var(s){sock.port}) | $(var(s){sock.touri})
KSR.pv.sets("$var(s)", "1.2.3.4") | $(var(s){sock.host}) | $(var(s){sock.proto}) | $(var(s){sock.touri})
KSR.pv.sets("$var(s)", "xyz:h:1") | $(var(s){sock.host}) | $(var(s){sock.touri}) | $(var(s){sock.nope}) | $ltt(t) | $ltt(y)
$rpl(cntvia) | $msgbuf(300000) | $msgbuf(-1) | KSR.pv.sets("$msgbuf(300000)", "x") | $af(INET) | $lsock(n/s0/listen)
KSR.kx.get_env("HOME") | KSR.kx.get_env("NO_SUCH_ONE") | KSR.corex.file_read("/nowhere/text") | KSR.corex.file_write("/nowhere/text", "x")
KSR.corex.send_data("nouri", "x") | KSR.corex.via_add_srvid(1) | KSR.corex.via_add_xavp_params(1)
KSR.corex.via_use_xavp_fields(0) | KSR.sanity.sanity_check(512, 7) | KSR.sanity.sanity_check_defaults() | KSR.sanity.sanity_reply()
"""


def cells(table: str) -> list[str]:
    return [cell.strip() for line in table.strip().splitlines() for cell in line.split(" | ")]


def edits(request: bytes, name: str, table: str) -> Iterator[Table]:
    """A table for each edit of a list, with what came of it."""
    read = ["KSR.textopsx.msg_apply_changes()", *SHOWN.replace(") $", ")\n$").split("\n")]
    for number, call in enumerate(cells(table)):
        yield Table(f"{name}-{number}", request, [f"KSR.textopsx.{call}", *read])


def tables(invite: bytes) -> tuple[Table, ...]:
    """All tables; `invite` is the request of those that need no other."""
    named = {"parts": PARTS, "whole": WHOLE, "lines": LINES, "contacts": CONTACTS, "small": SMALL}
    return (
        *edits(invite, "lists", LISTS),
        *edits(CREDENTIALS, "credentials", OF_CREDENTIALS),
        *(Table(name, invite, cells(text)) for name, text in named.items()),
    )


DIFFERENCES = {
    r"\$af\(": "Kamailio's gives no value",
    r"KSR\.kx\.get_env\(.NO_SUCH_ONE": "a variable that is not there is None, as `$env(..)`; Kamailio's is empty",
    r"KSR\.siputils\.contact_param_decode_ruri": "Kamailio gives 1 also when there is no such parameter",
    r"KSR\.pv\.geti\(.\$var\(big\)": "Kamailio's numbers end at 2147483647 here",
}
