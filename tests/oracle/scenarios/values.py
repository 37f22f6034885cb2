"""Pseudo-variables and checks, written into the reply that the peer gets."""

from oracle.scenario import Peer, scenario

# By use in public deployments.
NAMES = (
    "$ru $rU $rd $rp $rP $rz $rm $rb $rv $fu $fU $fd $ft $fn $fti $tu $tU $td $tt $tn $ci $cs $si $sp $sas $su $sut "
    "$Ri $Rp $Rn $RAi $pr $proto $ua $ct $cT $cl $bs $ml $mf $bf $sf $oU $ou $od $op $oP $du $dd $dp $dP $ds $fs "
    "$br $ai $pu $pU $pd $pn $di $dip $re $rn $aU $ad $au $ar $adu $hdr(Subject) $(hdr(X-Two)[1]) $hdrc(X-Two) "
    "$hfl(X-Two) $HN(a) $T_branch_idx $T_reply_code $nh(u) $nh(d) $nh(p) $nh(P) $avp(x) $var(x) $xavp(x=>a) "
    "$vn(x) $msg(len) $msg(hdrs) $route_uri $rt $rc $null $rs $rr $RUT $TV(n) $hu $uu $K(IPv4) $K(UDP) $K(TLS) "
    "$(ru{uri.user}) $(fu{uri.host}) $(ru{s.len}) $(ua{s.substr,0,3}) $(hdr(Subject){s.toupper}) "
    "$(var(y){s.int}) $(hdr(Contact){nameaddr.uri}) $(ru{uri.port}) $(ct{tobody.uri}) $(hdr(X-Two){s.select,0,,}) "
    "$via0(host) $via0(port) $via0(branch) $viaZ(host) $sndto(ip) $rsz $lsock"
)

SHOW = f"""
def ksr_request_route(self, msg):
    KSR.pv.sets("$avp(x)", "avp value")
    KSR.pv.sets("$var(x)", "var value")
    KSR.pv.seti("$var(y)", 42)
    KSR.pv.sets("$xavp(x=>a)", "xavp value")
    for name in {NAMES!r}.split(" "):
        value = KSR.pv.get(name)
        note(name, "=", repr(value))
        if value is not None and not set("\\r\\n") & set(str(value)):
            KSR.hdr.append_to_reply("X-Value: " + name + " = " + str(value) + "\\r\\n")
    KSR.sl.sl_send_reply(200, "OK")
"""

EXTRA = (
    ("User-Agent", "Phone 1.0"),
    ("Contact", '"A" <sip:alice@192.0.2.5:5070;transport=udp>;expires=60;q=0.5'),
    ("Subject", "Lunch"),
    ("X-Two", "first,second"),
    ("X-Two", "third"),
    ("P-Asserted-Identity", "<sip:pai@ims.test>"),
    ("P-Preferred-Identity", '"Pref" <sip:ppi@ims.test>'),
    ("Diversion", "<sip:div@h.test>;reason=unconditional"),
    (
        "Authorization",
        'Digest username="al@realm.test", realm="realm.test", nonce="n", uri="sip:u@h", response="00"',
    ),
)


@scenario(SHOW)
async def values_of_an_invite(alice: Peer) -> None:
    alice.request(
        "INVITE",
        "sip:+123;phone-context=x@oracle.test:5070;transport=udp;user=phone",
        *EXTRA,
        ("Content-Type", "application/sdp"),
        without=("Contact",),
        from_header='"Alice A." <sip:alice:secret@oracle.test:5090;x=y>;tag=alice;p=q',
        to_header="Bob <sip:bob@other.test>",
        body="v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\n",
    )
    await alice.expect(200)


@scenario(SHOW)
async def values_of_a_bare_request(alice: Peer) -> None:
    """Nearly everything is missing."""
    alice.request("OPTIONS", "sip:oracle.test")
    await alice.expect(200)


@scenario(SHOW)
async def values_within_a_dialog(alice: Peer) -> None:
    alice.request("BYE", "sips:u@[2001:db8::1]:5071", to_header="<tel:+49123>;tag=bob", from_header="sip:a@h;tag=alice")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("method", KSR.is_INVITE(), KSR.is_OPTIONS(), KSR.is_method("INVITE|OPTIONS"), KSR.is_method_in("IO"),
         KSR.is_method_in("AB"), KSR.is_REGISTER())
    note("proto", KSR.is_UDP(), KSR.is_TCP(), KSR.is_TLS(), KSR.is_WS(), KSR.is_IPv4(), KSR.is_proto("u"))
    note("first_hop", KSR.siputils.is_first_hop(), "request", KSR.siputils.is_request(), KSR.siputils.is_reply(),
         "totag", KSR.siputils.has_totag())
    note("user", KSR.corex.has_ruri_user(), "agent", KSR.corex.has_user_agent())
    note("uri", KSR.siputils.is_uri("sip:a@b"), KSR.siputils.is_numeric("123"), KSR.siputils.is_numeric("12a"),
         KSR.siputils.is_tel_number("+12"), KSR.siputils.is_alphanum("a1"))
    note("cmp", KSR.siputils.cmp_uri("sip:A@b", "sip:A@B"), KSR.siputils.cmp_aor("sip:a@b", "sip:a@b;x"))
    note("flags", KSR.setflag(5), KSR.isflagset(5), KSR.resetflag(5), KSR.isflagset(5), KSR.isbflagset(1),
         KSR.setbflag(1), KSR.isbflagset(1), KSR.isflagset(40))
    note("du", KSR.isdsturiset(), KSR.setdsturi("sip:x"), KSR.isdsturiset(), KSR.resetdsturi(), KSR.isdsturiset())
    note("nat", [KSR.nathelper.nat_uac_test(1 << bit) for bit in range(9)])
    note("rfc1918", KSR.nathelper.is_rfc1918("10.1.1.1"), KSR.nathelper.is_rfc1918("8.8.8.8"))
    note("pv", KSR.pv.gete("$avp(no)"), KSR.pv.getw("$avp(no)"), KSR.pv.getvs("$avp(no)", "d"),
         KSR.pv.getvn("$avp(no)", 7), KSR.pv.is_null("$avp(no)"), KSR.pv.seti("$avp(n)", 3), KSR.pv.get("$avp(n)"),
         KSR.pv.unset("$avp(n)"), KSR.pv.get("$avp(n)"))
    KSR.sl.sl_send_reply(200, "OK")
"""
)
async def results_of_checks(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:u@oracle.test", ("User-Agent", "x"), ("Contact", "<sip:a@10.0.0.1>"))
    await alice.expect(200)
    alice.request("INVITE", "sip:oracle.test", to_header="<sip:b@h>;tag=bob")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    note("avp", KSR.pv.sets("$avp(s)", "one"), KSR.pv.sets("$avp(s)", "two"))
    pv("$avp(s)", "$(avp(s)[0])", "$(avp(s)[1])", "$(avp(s)[*])")
    KSR.pv.sets("$(avp(s)[0])", "changed")
    pv("$(avp(s)[*])")
    KSR.pv.unset("$avp(s)")
    pv("$(avp(s)[*])")
    KSR.pv.sets("$xavp(r=>k)", "v1")
    KSR.pv.sets("$xavp(r=>k)", "v2")
    KSR.pv.seti("$xavp(r[0]=>n)", 5)
    pv("$xavp(r=>k)", "$xavp(r[1]=>k)", "$xavp(r[0]=>n)", "$xavp(r=>none)")
    KSR.pv.sets("$var(v)", "text")
    pv("$var(v)", "$var(unset)", "$vz(unset)", "$vn(unset)")
    KSR.pv.unset("$var(v)")
    pv("$var(v)")
    note("htable", KSR.htable.sht_sets("t", "a", "x"), KSR.htable.sht_get("t", "a"), KSR.htable.sht_seti("t", "n", 2),
         KSR.htable.sht_inc("t", "n"), KSR.htable.sht_get("t", "none"), KSR.htable.sht_is_null("t", "none"),
         KSR.htable.sht_is_null("t", "a"), KSR.htable.sht_rm("t", "a"), KSR.htable.sht_get("t", "a"))
    KSR.pv.sets("$sht(t=>k)", "through pv")
    pv("$sht(t=>k)", "$sht(t=>none)")
    KSR.sl.sl_send_reply(200, "OK")
"""
)
async def variables_are_set(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:u@oracle.test")
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    rc = KSR.sanity.sanity_check(1511, 7)
    note("sanity_check", rc)
    if rc > 0:
        KSR.sl.sl_send_reply(200, "OK")
"""
)
async def sanity_check_answers(alice: Peer) -> None:
    """What it refuses it answers itself."""
    good = ("OPTIONS", "sip:u@oracle.test")
    alice.request(*good)
    await alice.expect(200)
    alice.request(*good, ("CSeq", "7 INVITE"))
    await alice.expect(lambda m: m.status is not None)
    alice.request(*good, ("Proxy-Require", "unknown-thing"))
    await alice.expect(lambda m: m.status is not None)
    alice.request(*good, ("Expires", "abc"))
    await alice.expect(lambda m: m.status is not None)
    alice.request("OPTIONS", "tel:+123")
    await alice.expect(lambda m: m.status is not None)
