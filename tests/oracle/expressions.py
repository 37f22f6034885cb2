"""Tables of expressions that Kamailio and Sipwright evaluate, and where they come to different values."""

from __future__ import annotations

from collections.abc import Iterator

from oracle import edits
from oracle.evaluate import Table

INVITE = b"""INVITE sip:bob:pw@{me};transport=udp;x=1 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{peer};branch=z9hG4bK-1;rport\r
From: "Alice A" <sip:alice@a.test:5090;x=y>;tag=ft1;p=q\r
To: <sip:bob@b.test>\r
Call-ID: {id}\r
CSeq: 7 INVITE\r
Max-Forwards: 70\r
Contact: <sip:alice@192.0.2.5:5070>;expires=60, <sip:c2@h>;q=0.5\r
User-Agent: Phone 1.0\r
X-Two: a,b\r
X-Two: c\r
Content-Type: application/sdp\r
Content-Length: 5\r
\r
v=0\r\n"""

TEXTS = (
    *("abc", "", "a,b,c", "  sp aced  ", "12345", "-17", "AbC dEf", 'a=1;b=two;c;d="q x"', "caf\u00e9"),
    *("sip:bob:pw@h.com:5070;transport=tcp;lr?x=y", "line1\nline2\r\nline3", '"quoted"', "<sip:a@b>", "YWJj", "616263"),
    *("a%20b+c", 'it\'s "q"\\', "a=1&b=2&c"),
)
URIS = (
    "sip:bob:pw@h.com:5070;transport=tcp;lr?x=y",
    "sip:h.com",
    "sips:u@[2001:db8::1]",
    "tel:+123",
    "nouri",
    "sip:+1;ext=2@h;user=phone;ttl=5;maddr=1.2.3.4;method=INVITE;r2=on",
    "sip:a@h;lr=on",
)
ADDRESSES = (
    '"Al X" <sip:a@b:5;x=1>;tag=t1',
    "<sip:a@b>",
    "sip:a@b;tag=q",
    "Al <sip:a:p@b>;p=1;q",
    '"A" <sip:a@b>, <sip:c@d>',
)

# Transformations of texts, without and with arguments.
PLAIN = (
    "len int numeric tolower toupper trim rtrim ltrim rmws unquote unbracket encode.hexa decode.hexa encode.base64 "
    "decode.base64 encode.base58 decode.base58 encode.base64t decode.base64t encode.base64url decode.base64url "
    "encode.base64urlt decode.base64urlt encode.7bit escape.common unescape.common escape.user unescape.user "
    "escape.param unescape.param escape.csv urlencode.param urldecode.param md5 sha256 sha384 sha512 prefixes "
    "prefixes.quoted corehash nope"
)
WITH_ARGUMENTS = {
    "substr": ("0,2", "1,0", "-2,0", "-2,1", "5,2", "0,99", "1,-1", "0,-2", "2,0", "-99,0", "a,b", "1"),
    "select": ("0,,", "1,,", "-1,,", "-2,,", "5,,", "1,=", "0, ", "1,;", "0"),
    "strip": ("2", "0", "99", "-1"),
    "striptail": ("2", "0", "99"),
    "stripto": ("b", "z"),
    "prefixes": ("2", "99"),
    "prefixes.quoted": ("2",),
    "replace": ("b,X", "a,", "a,bb", "z,Q"),
    "rm": ("b", "a", "z", "abc"),
    "before": ("b", ",", "z", "="),
    "after": ("b", ",", "z", "="),
    "rafter": ("b", "z"),
    "count": ("a", ",", "z", "aa"),
    "fmtlines": ("2,0", "99,1"),
    "corehash": ("16", "0", "100"),
    "ftime": ("%Y-%m-%d", "%H:%M"),
    "unquote": ("x",),
}
OF_URIS = (
    "user passwd host port params headers transport ttl uparam maddr method lr r2 scheme tosocket duri saor suri "
    "param,transport param,lr param,zz"
)
OF_PARAMETERS = (
    *("value,a", "value,b", "value,c", "value,d", "value,z", "value,A", "value,a,;", "count", "count,;", "name,0"),
    *("name,1", "name,-1", "name,-4", "name,9", "name,0,;", "valueat,0", "valueat,3", "valueat,-1", "valueat,9"),
    *("in,a", "in,z", "in,A", "value", "in"),
)
WITH_AMPERSAND = ("value,b,&", "count,&", "name,1,&", "in,c,&", "valueat,-1,&")
OF_ADDRESSES = (
    "nameaddr.name nameaddr.uri nameaddr.len tobody.uri tobody.tag tobody.display tobody.params tobody.user tobody.host"
)
OF_LINES = ("count", "at,0", "at,1", "at,-1", "at,9", "sw,line2", "sw,z", "sw,l")
EXPRESSIONS = ("/b/X/", "/b/X/g", "/(b)/[\\1]/", "/B/X/i", "/,/-/g", "/z/X/", "!a!b!")

VARIABLES = """
$xavp(none) | $hdr(X-Two) | $(hdr(X-Two)[1]) | $(hdr(X-Two)[-1]) | $(hdr(X-Two)[*]) | $(hdr(X-Two)[5]) | $hdrc(X-Two)
$hdrc(None) | $hflc(X-Two) | $(hfl(X-Two)[1]) | $hfl(X-Two) | $(hfl(X-Two)[2]) | $expires(min) | $expires(max) | $rdir(id)
$env(HOME) | $env(NO_SUCH_ONE) | $envn(HOME) | $envn(NO_SUCH_ONE) | $cfg(line) | $cfg(name) | $pcv(orig) | $null | $bs
$K(IPv4) | $K(UDP) | $K(WSS) | $K(x) | $defv(X) | $msg(x) | $via0(x) | $TV(x) | $conid | $avp(i:5) | $avp(s:x) | $nope
$sel(@ruri.user) | $sel(ruri.user) | $sel(@ruri.pwd) | $sel(@ruri.params) | $sel(@ruri.params.x) | $sel(@ruri.type)
$sel(@from) | $sel(@from.uri) | $sel(@from.uri.host) | $sel(@from.uri.port) | $sel(@from.params.p) | $sel(@from.tag)
$sel(@from.name) | $sel(@f.uri) | $sel(@t.uri) | $sel(@to) | $sel(@to.tag) | $sel(@to.name) | $sel(@via[1].host)
$sel(@via[-1].host) | $sel(@via[1].transport) | $sel(@via[1].params.branch) | $sel(@v[1].branch) | $sel(@contact)
$sel(@contact.uri) | $sel(@contact.uri.host) | $sel(@contact.name) | $sel(@contact.params.q) | $sel(@m.uri)
$sel(@msg.type) | $sel(@msg.body) | $sel(@msg.header.user_agent) | $sel(@msg.header["User-Agent"]) | $sel(@content_length)
$sel(@content_type) | $sel(@user_agent) | $sel(@max_forwards) | $sel(@event) | $sel(@rr) | $sel(@route) | $sel(@dst_uri)
$sel(@src.ip) | $sel(@dst.ip) | $sel(@received.ip) | $sel(@received.proto) | $sel(@hf_value.user_agent)
$sel(@hf_value.x_two) | $sel(@hf_value.x_two[2]) | $sel(@sys.server_id) | $sel(@branch.count) | $sel(@cseq)
$sel(@cseq.num) | $sel(@cseq.method) | $sel(@method) | $sel(@call_id) | $sel(@nope) | $(rb{line.count})
$(avp(none){s.len}) | $(var(s0){s}) | $(var(s0){}) | $(var(s0){nope.x}) | $(var(s0){s.len}{s.len})
$(var(s3){s.trim}{s.len})
"""

# Statements and what is read between them.
STEPS = """
KSR.pv.seti("$xavp(a)", 1) | KSR.pv.sets("$xavp(a)", "two") | KSR.pv.seti("$xavp(a)", 3) | $xavp(a) | $xavp(a[1])
$xavp(a[-1]) | $xavp(a[-4]) | $xavp(a[*]) | KSR.pv.seti("$xavp(a[1])", 22) | $xavp(a[1]) | KSR.pv.seti("$xavp(a[-1])", 1)
KSR.pv.seti("$xavp(a[*])", 4) | KSR.pv.seti("$xavp(a[7])", 4) | KSR.pv.sets("$xavp(a[0]=>k)", "x") | $xavp(a[0]=>k)
KSR.pv.unset("$xavp(a[7])") | KSR.pv.unset("$xavp(a[1])") | $xavp(a[1]) | KSR.pv.unset("$xavp(a[*])") | $xavp(a)
KSR.pv.sets("$xavp(r=>f)", "1") | KSR.pv.sets("$xavp(r=>g)", "2") | $xavp(r=>f) | $xavp(r=>g) | $xavp(r[1]=>f)
KSR.pv.sets("$xavp(r[0]=>f)", "3") | KSR.pv.sets("$xavp(r[0]=>f)", "4") | $xavp(r=>f[*]) | $xavp(r=>f[1])
KSR.pv.sets("$xavp(r[0]=>f[1])", "X") | KSR.pv.sets("$xavp(r[0]=>z[3])", "5") | KSR.pv.sets("$xavp(q[0]=>z)", "5")
$xavp(r=>f[*]) | $xavp(r=>z) | $xavp(q=>z) | KSR.pv.unset("$xavp(r[*]=>f)") | $xavp(r=>f) | $xavp(r[1]=>f)
KSR.pv.unset("$xavp(r)") | $xavp(r=>f) | KSR.pv.sets("$xavp(n=>a=>b)", "nested") | $xavp(n=>a=>b) | $xavp(n=>a)
KSR.pv.sets("$xavp( sp )", "1") | $xavp(sp) | $xavp() | $xavp(=>b) | $xavp(a=>) | $xavp(a[) | $xavp(a[x])
KSR.pv.sets("$xavu(u)", "1") | KSR.pv.sets("$xavu(u)", "2") | $xavu(u) | KSR.pv.sets("$xavu(u=>a)", "3") | $xavu(u=>a)
KSR.pv.sets("$xavu(u=>a=>c)", "6") | $xavu(u=>a=>c) | $xavu(u=>a) | KSR.pv.unset("$xavu(u=>a=>c)") | $xavu(u=>a=>c)
KSR.pv.unset("$xavu(u)") | $xavu(u=>a) | KSR.pv.sets("$xavi(Hdr=>Sub)", "1") | $xavi(hdr=>sub) | $xavi(HDR[0]=>SUB[0])
KSR.pv.sets("$xavi(hdr[0]=>sub)", "2") | $xavi(hdr=>sub) | $xavi(Hdr=>Sub[1]) | $xavp(hdr=>sub)
KSR.pvx.xavp_sets("v", "1") | KSR.pvx.xavp_seti("v", 2) | KSR.pvx.xavp_get("v") | KSR.pvx.xavp_gete("zz")
KSR.pvx.xavp_getw("zz") | KSR.pvx.xavp_is_null("zz") | KSR.pvx.xavp_is_null("v") | KSR.pvx.xavp_child_sets("w", "x", "1")
KSR.pvx.xavp_child_seti("w", "x", 2) | KSR.pvx.xavp_child_get("w", "x") | KSR.pvx.xavp_child_gete("w", "zz")
KSR.pvx.xavp_child_getw("w", "zz") | KSR.pvx.xavp_child_is_null("w", "x") | KSR.pvx.xavp_child_is_null("w", "zz")
KSR.pvx.xavp_child_rm("w", "x") | KSR.pvx.xavp_child_get("w", "x") | KSR.pvx.xavp_rm("v") | KSR.pvx.xavp_get("v")
KSR.pvx.xavp_sets("", "1") | KSR.pvx.xavp_params_explode("a=1;b=two;c;d=\\"q x\\";a=5", "pe") | $xavp(pe=>a) | $xavp(pe=>a[1])
$xavp(pe=>c) | $xavp(pe=>d) | KSR.pvx.xavp_params_explode("", "pf") | KSR.pvx.xavp_params_explode("x=1", "")
KSR.pvx.xavp_params_explode("x=1", "pe") | $xavp(pe=>x) | $xavp(pe[1]=>a) | KSR.pvx.xavp_params_implode("pe", "$var(i)")
$var(i) | KSR.pvx.xavp_params_implode("zz", "$var(j)") | KSR.pvx.xavp_params_implode("pe", "bad")
KSR.pvx.xavp_slist_explode("a, b ,,c", ",", "t", "sf") | $xavp(sf=>v[0]) | $xavp(sf=>v[1]) | $xavp(sf=>v[2])
KSR.pvx.xavp_copy("pe", 0, "cp") | KSR.pvx.xavp_copy("pe", 1, "cp") | $xavp(cp=>x) | $xavp(cp[1]=>a)
KSR.pvx.xavp_copy("zz", 0, "cp") | KSR.pvx.xavp_copy("pe", 5, "cp") | KSR.pvx.xavp_copy_dst("pe", 0, "cp", 1)
$xavp(cp[1]=>x) | KSR.pvx.pv_var_to_xavp("i", "vx") | $xavp(vx=>i) | KSR.pvx.pv_var_to_xavp("nope", "vz")
KSR.pvx.pv_xavp_to_var("pe") | $var(x) | KSR.pvx.pv_xavp_to_var("zz") | KSR.pvx.pv_xavp_print() | KSR.pvx.evalx("$var(e)", "$rU")
$var(e) | $shv(x) | KSR.pv.seti("$shv(x)", 5) | $shv(x) | KSR.pv.sets("$shv(x)", "abc") | $shv(x) | KSR.pvx.shv_get("x")
KSR.pv.unset("$shv(x)") | $shv(x) | KSR.pvx.shv_get("nope") | $sbranch(uri) | KSR.pvx.sbranch_append()
KSR.pvx.sbranch_set_ruri() | KSR.pv.sets("$sbranch(uri)", "sip:x@y") | KSR.pv.sets("$sbranch(dst_uri)", "sip:z@y")
KSR.pv.sets("$sbranch(path)", "<sip:p;lr>") | KSR.pv.seti("$sbranch(q)", 500) | KSR.pv.seti("$sbranch(flags)", 3)
$sbranch(uri) | $sbranch(dst_uri) | $sbranch(path) | $sbranch(q) | $sbranch(flags) | $sbranch(ruid) | $branch(count)
KSR.pvx.sbranch_append() | $branch(count) | $(branch(uri)[0]) | $(branch(dst_uri)[0]) | KSR.pvx.sbranch_set_ruri() | $ru | $du
KSR.pvx.sbranch_reset() | $sbranch(uri) | KSR.pv.sets("$(avp(q)[*])", "v") | KSR.pv.sets("$avp(q)", "w") | $(avp(q)[*])
$(avp(q)[-1]) | $(avp(q)[1]) | KSR.pv.sets("$(avp(q)[1])", "z") | $(avp(q)[*]) | $cnt($avp(q)) | $cnt(avp(q))
"""


def cells(table: str) -> list[str]:
    return [cell.strip() for line in table.strip().splitlines() for cell in line.split(" | ")]


def transformations() -> Iterator[str]:
    for index in range(len(TEXTS)):
        yield from (f"$(var(s{index}){{s.{name}}})" for name in PLAIN.split())
    for name, arguments in WITH_ARGUMENTS.items():
        for argument in arguments:
            yield from (f"$(var(s{index}){{s.{name},{argument}}})" for index in (0, 1, 2, 3, 4, 8))
    for index in range(len(URIS)):
        yield from (f"$(var(u{index}){{uri.{name}}})" for name in OF_URIS.split())
    for index in (1, 7):
        yield from (f"$(var(s{index}){{param.{name}}})" for name in OF_PARAMETERS)
    yield from (f"$(var(s17){{param.{name}}})" for name in WITH_AMPERSAND)
    for index in range(len(ADDRESSES)):
        yield from (f"$(var(n{index}){{{name}}})" for name in OF_ADDRESSES.split())
    for index in (0, 1, 10):
        yield from (f"$(var(s{index}){{line.{name}}})" for name in OF_LINES)
    for index in (0, 1, 2):
        yield from (f"$(var(s{index}){{re.subst,{expression}}})" for expression in EXPRESSIONS)
    yield from (f"$(var(u{index}){{urialias.encode}})" for index in (0, 1))


def settings() -> list[str]:
    """What gives the variables their values."""
    named = {"s": TEXTS, "u": URIS, "n": ADDRESSES}
    return [
        f'KSR.pv.sets("$var({letter}{index})", {value!r})'
        for letter, values in named.items()
        for index, value in enumerate(values)
    ]


TABLES = (
    Table("transformations", INVITE, [*settings(), *transformations()]),
    Table("variables", INVITE, [*settings(), *cells(VARIABLES)]),
    Table("steps", INVITE, cells(STEPS)),
    *edits.tables(INVITE),
)

# What a line matches from its beginning on, and why its values differ.
DIFFERENCES = {
    **edits.DIFFERENCES,
    r"\$xavp\(cp\[1\]=>x\)": "Kamailio's `xavp_copy_dst` does not put the copy at the index that it is given",
    r"\$\(var\(s\d+\)\{s\.decode\.base64t?\}": "Kamailio decodes characters that are none of base64's as zeros; here it is null",
    r"\$\(var\(s\d+\)\{s\.decode\.base58\}": "Kamailio loses zeros in front and adds some behind",
    r"\$\(var\(s8\)\{s\.encode\.7bit\}": "a character of eight bits fills septets that are not its own in Kamailio",
    r"\$\(var\(s\d\)\{s\.rafter": "Kamailio's is always empty, against its description",
    r"\$\(var\(s\d\)\{s\.fmtlines": "Kamailio breaks lines elsewhere than its description says",
    r"\$\(var\(u\d\)\{uri\.(duri|saor|suri)\}": "Kamailio puts a character of other memory behind the scheme",
}
