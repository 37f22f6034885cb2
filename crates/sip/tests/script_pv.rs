//! Reading and writing pseudo-variables.

mod script_support;

use script_support::*;
use sipwright_sip::script::pv::{self, Format, Index, Spec};
use sipwright_sip::script::{Binding, Context, RouteType, TxView, Value};
use std::sync::Arc;

// checked against Kamailio 5.6
#[test]
fn of_an_invite() {
    check(
        &ctx(INVITE),
        &[
            ("$ru", "'sip:bob:pw@example.com:25070;transport=udp;x=1'"),
            ("$ruri", "'sip:bob:pw@example.com:25070;transport=udp;x=1'"),
            ("$rU", "'bob'"),
            ("$ruri.user", "'bob'"),
            ("$rUl", "3"),
            ("$rd", "'example.com'"),
            ("$ruri.domain", "'example.com'"),
            ("$rp", "'25070'"),
            ("$rP", "'udp'"),
            ("$rz", "'sip'"),
            ("$rm", "'INVITE'"),
            ("$rmid", "1"),
            ("$rv", "'SIP/2.0'"),
            ("$ou", "'sip:bob:pw@example.com:25070;transport=udp;x=1'"),
            ("$oU", "'bob'"),
            ("$oUl", "3"),
            ("$od", "'example.com'"),
            ("$op", "'25070'"),
            ("$oP", "'udp'"),
            ("$du", "None"),
            ("$dd", "None"),
            ("$dp", "None"),
            ("$dP", "None"),
            ("$ds", "None"),
            ("$fu", "'sip:alice@example.com:5070;tp=1'"),
            ("$from", "'sip:alice@example.com:5070;tp=1'"),
            ("$fU", "'alice'"),
            ("$fUl", "5"),
            ("$fd", "'example.com'"),
            ("$fn", "'\"Alice A\"'"),
            ("$ft", "'ft1'"),
            ("$fti", "'ft1'"),
            ("$tu", "'sip:bob@example.org'"),
            ("$tU", "'bob'"),
            ("$td", "'example.org'"),
            ("$tn", "None"),
            ("$tt", "None"),
            ("$tti", "None"),
            ("$AU", "'alice'"),
            ("$Au", "'alice@example.com'"),
            ("$au", "None"),
            ("$ci", "'cid-1'"),
            ("$cs", "'102'"),
            ("$csb", "'102 INVITE'"),
            ("$cT", "'application/sdp'"),
            ("$cl", "5"),
            ("$rb", "'v=0\r\n'"),
            ("$bs", "5"),
            ("$ua", "'test/1'"),
            ("$rs", "None"),
            ("$rr", "None"),
            ("$mt", "1"),
            ("$mts", "'rq'"),
            ("$null", "None"),
            ("$true", "1"),
            ("$rc", "0"),
            ("$?", "0"),
            ("$retcode", "0"),
            ("$route_uri", "None"),
            ("$rdir(id)", "1"),
            ("$rdir(name)", "'downstream'"),
            ("$rr_count", "0"),
            ("$rr_top_count", "0"),
            ("$T_branch_idx", "0"),
            ("$T_reply_code", "0"),
            ("$T_reply_reason", "''"),
            ("$T_reply_last", "None"),
            ("$T_req($ci)", "None"),
            ("$err.class", "None"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn of_a_register() {
    check(
        &ctx(REGISTER),
        &[
            ("$fu", "'sips:alice@example.com'"),
            ("$fn", "'Alice'"),
            ("$tu", "'sip:bob@example.org'"),
            ("$tt", "'xx'"),
            ("$re", "'sip:rp@z.com'"),
            ("$rt", "'sip:ref@r.com'"),
            ("$pu", "'sip:pp@y.com'"),
            ("$(pu[1])", "None"),
            ("$pU", "'pp'"),
            ("$pd", "'y.com'"),
            ("$pn", "None"),
            ("$ai", "'sip:pa@x.com'"),
            ("$(ai[1])", "'tel:+1234'"),
            ("$di", "'sip:div@d.com'"),
            ("$dir", "'unconditional'"),
            ("$dic", "'2'"),
            ("$dip", "'full'"),
            ("$aU", "'au'"),
            ("$au", "'au'"),
            ("$ad", "''"),
            ("$aa", "'MD5'"),
            ("$ar", "'example.com'"),
            ("$adn", "'n1'"),
            ("$adr", "'abc'"),
            ("$adc", "'cn'"),
            ("$ado", "'op'"),
            ("$adu", "'sip:x'"),
            ("$AU", "'alice'"),
            ("$Au", "'alice@example.com'"),
            ("$rU", "None"),
            ("$rp", "'5060'"),
            ("$rP", "'UDP'"),
            ("$rb", "''"),
            ("$rr_count", "1"),
            ("$via0(received)", "'1.2.3.4'"),
            ("$via0(rport)", "'99'"),
            ("$via0(host)", "'10.0.0.1'"),
            ("$via0(port)", "5062"),
            ("$via0(proto)", "'UDP'"),
            ("$via0(protoid)", "1"),
            ("$via0(i)", "'77'"),
            ("$via0(xyz)", "None"),
            ("$via1(host)", "'10.0.0.9'"),
            ("$via1(port)", "5060"),
            ("$viaZ(host)", "'10.0.0.9'"),
            ("$expires(min)", "30"),
            ("$expires(max)", "500"),
            ("$hdr(Subject)", "'sub ject'"),
            ("$hdr(s)", "'sub ject'"),
            ("$hdrc(Route)", "1"),
            ("$hflc(Route)", "2"),
            ("$hfl(Route)", "'<sip:r1@2.2.2.2;lr>'"),
            ("$(hfl(Route)[1])", "'<sip:r2@3.3.3.3;lr>'"),
            ("$(hfl(Route)[-1])", "'<sip:r2@3.3.3.3;lr>'"),
            ("$(hfl(Route)[2])", "None"),
            (
                "$(hfl(Route)[*])",
                "'<sip:r1@2.2.2.2;lr>, <sip:r2@3.3.3.3;lr>'",
            ),
            (
                "$hfl(P-Asserted-Identity)",
                "'\"PA\" <sip:pa@x.com>, <tel:+1234>'",
            ),
            ("$(hfl(P-Asserted-Identity)[1])", "None"),
            ("$(hdr(Route)[0]{nameaddr.uri})", "'sip:r1@2.2.2.2;lr'"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn of_source_and_sockets() {
    let mut ctx = ctx(INVITE);
    check(
        &ctx,
        &[
            ("$si", "'127.0.0.1'"),
            ("$src_ip", "'127.0.0.1'"),
            ("$siz", "'127.0.0.1'"),
            ("$sp", "25080"),
            ("$su", "'sip:127.0.0.1:25080'"),
            ("$sut", "'sip:127.0.0.1:25080;transport=udp'"),
            ("$sas", "'udp:127.0.0.1:25080'"),
            ("$pr", "'udp'"),
            ("$proto", "'udp'"),
            ("$prid", "1"),
            ("$Ri", "'127.0.0.1'"),
            ("$Rp", "25060"),
            ("$Rn", "None"),
            ("$Ru", "'sip:127.0.0.1:25060'"),
            ("$Rut", "'sip:127.0.0.1:25060;transport=udp'"),
            ("$RAi", "'127.0.0.1'"),
            ("$RAp", "25060"),
            ("$RAu", "'sip:127.0.0.1:25060'"),
            ("$RAut", "'sip:127.0.0.1:25060;transport=udp'"),
            ("$Ras", "'udp:127.0.0.1:25060'"),
            ("$conid", "None"),
            ("$fs", "None"),
            ("$fsn", "None"),
            ("$fsp", "0"),
            ("$K(IPv4)", "2"),
            ("$K(IPv6)", "10"),
            ("$K(UDP)", "1"),
            ("$K(TLS)", "3"),
            ("$K(SCTP)", "4"),
            ("$K(WS)", "5"),
            ("$K(WSS)", "6"),
        ],
    );
    ctx.flow.remote = "[::1]:25080".parse().unwrap();
    ctx.flow.socket = 3;
    check(
        &ctx,
        &[
            ("$si", "'::1'"),
            ("$siz", "'[::1]'"),
            ("$su", "'sip:[::1]:25080'"),
            ("$sas", "'udp:[::1]:25080'"),
            ("$Ri", "'::1'"),
            ("$Ru", "'sip:[::1]:25060'"),
            ("$RAi", "'::1'"),
            ("$Ras", "'udp:[::1]:25060'"),
        ],
    );
    ctx.flow.socket = 1;
    check(
        &ctx,
        &[
            ("$Rn", "'ext'"),
            ("$RAi", "'192.0.2.5'"),
            ("$RAp", "5099"),
            ("$Rp", "25062"),
        ],
    );
    // a socket that is gone after a reload
    ctx.flow.socket = 9;
    check(&ctx, &[("$Ri", "None"), ("$RAu", "None")]);
}

// checked against Kamailio 5.6
#[test]
fn of_header_fields() {
    let mut ctx = ctx(INVITE);
    check(
        &ctx,
        &[
            ("$hdr(x-a)", "'one'"),
            ("$(hdr(X-A)[1])", "'two'"),
            ("$(hdr(X-A)[-1])", "'two'"),
            ("$(hdr(X-A)[*])", "'one,two'"),
            ("$(hdr(X-A)[5])", "None"),
            ("$(hdr(X-A)[-3])", "None"),
            ("$hdrc(X-A)", "2"),
            ("$hdrc(Nope)", "0"),
            (
                "$hdr(f)",
                "'\"Alice A\" <sip:alice@example.com:5070;tp=1>;tag=ft1'",
            ),
            ("$hflc(Contact)", "2"),
            ("$(hfl(Via)[1])", "'SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb'"),
            ("$hfl(Nope)", "None"),
            ("$cnt($hdr(X-A))", "2"),
            ("$msg(bodylen)", "5"),
            ("$msg(body)", "'v=0\r\n'"),
            ("$nh(u)", "'sip:bob:pw@example.com:25070;transport=udp;x=1'"),
            ("$nh(U)", "'bob'"),
            ("$nh(d)", "'example.com'"),
            ("$nh(p)", "'25070'"),
            ("$nh(P)", "'udp'"),
            ("$nh(l)", "None"),
        ],
    );
    // the first of several contacts: Kamailio keeps them in another order
    check(
        &ctx,
        &[("$(hfl(Contact)[1])", "'\"B\" <sip:b@10.0.0.3>;q=0.5'")],
    );
    sets(&mut ctx, "$var(hn)", "X-A");
    check(
        &ctx,
        &[
            ("$hdr($var(hn))", "'one'"),
            ("$(hdr($var(hn))[1])", "'two'"),
        ],
    );
}

#[test]
fn parts_of_the_message_cover_it() {
    let ctx = ctx(INVITE);
    let text = String::from_utf8(ctx.msg.bytes().to_vec()).unwrap();
    assert_eq!(get(&ctx, "$mb"), format!("'{text}'"));
    assert_eq!(get(&ctx, "$mbu"), get(&ctx, "$mb"));
    assert_eq!(get(&ctx, "$ml"), text.len().to_string());
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(get(&ctx, "$msg(fpart)"), format!("'{head}'"));
    let (first, headers) = head.split_once("\r\n").unwrap();
    assert_eq!(get(&ctx, "$msg(hdrs)"), format!("'{headers}'"));
    assert_eq!(
        get(&ctx, "$msg(lpart)"),
        format!("'{headers}\r\n\r\n{body}'")
    );
    assert!(first.starts_with("INVITE"));
}

#[test]
fn of_responses_and_transactions() {
    let mut c = ctx(RINGING);
    check(
        &c,
        &[
            ("$rs", "180"),
            ("$rr", "'Ringing'"),
            ("$mt", "2"),
            ("$mts", "'rp'"),
            ("$rm", "'INVITE'"),
            ("$ru", "None"),
            ("$ou", "None"),
            ("$nh(u)", "None"),
            ("$T_reply_code", "180"),
        ],
    );
    c.route = RouteType::TmReply;
    c.original = Some(Arc::new(parse(INVITE)));
    c.tx = Some(Box::new(TxView {
        branch_idx: 2,
        reply_code: 486,
        reply_reason: Some(b"Busy".to_vec()),
        reply_last: Some(180),
        id: (7, 9),
        ..TxView::default()
    }));
    check(
        &c,
        &[
            ("$T_branch_idx", "2"),
            ("$T_reply_code", "486"),
            ("$T_reply_reason", "'Busy'"),
            ("$T_reply_last", "180"),
            (
                "$T_req($ru)",
                "'sip:bob:pw@example.com:25070;transport=udp;x=1'",
            ),
            ("$T_req($hdr(X-A))", "'one'"),
            ("$(T_req($fu){uri.user})", "'alice'"),
            ("$T_rpl($rs)", "None"),
            ("$T(id_index)", "7"),
            ("$T(id_label)", "9"),
            ("$T(branch_index)", "2"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn in_an_onsend_route() {
    let mut c = ctx(INVITE);
    c.route = RouteType::Onsend;
    c.tx = Some(Box::new(TxView {
        branch_idx: 2,
        reply_code: 486,
        ..TxView::default()
    }));
    check(&c, &[("$T_branch_idx", "-1"), ("$T_reply_code", "0")]);
    c.msg = Arc::new(parse(RINGING));
    check(&c, &[("$T_branch_idx", "2"), ("$T_reply_code", "0")]);
    check(&c, &[("$T_reply_reason", "None")]);
    c.tx = None;
    check(&c, &[("$T_branch_idx", "-1"), ("$T_reply_code", "0")]);
    check(&c, &[("$T_reply_reason", "''")]);
}

#[test]
fn of_the_binding_behind_the_destination() {
    let mut c = ctx(INVITE);
    check(&c, &[("$ruid", "None"), ("$location_ua", "None")]);
    c.binding = Some(Box::new(Binding {
        ruid: Some(b"r-1".to_vec()),
        location_ua: Some(b"phone".to_vec()),
        ..Binding::default()
    }));
    check(&c, &[("$ruid", "'r-1'"), ("$location_ua", "'phone'")]);
}

// checked against Kamailio 5.6
#[test]
fn getters_with_defaults() {
    let c = ctx(INVITE);
    let null = Spec::parse(b"$rs").unwrap();
    let text = Spec::parse(b"$fU").unwrap();
    let number = Spec::parse(b"$sp").unwrap();
    let both = Spec::parse(b"$cs").unwrap();
    assert_eq!(show(&pv::gete(&c, &null)), "''");
    assert_eq!(show(&pv::getw(&c, &null)), "'<null>'");
    assert_eq!(show(&pv::get_or(&c, &null, Value::borrowed(b"d"))), "'d'");
    assert_eq!(show(&pv::get_or(&c, &text, Value::Int(7))), "'alice'");
    assert_eq!(show(&pv::getw(&c, &number)), "25080");
    assert_eq!(pv::geti(&c, &number), 25080);
    assert_eq!(pv::geti(&c, &both), 102);
    assert_eq!(pv::geti(&c, &text), 0);
    assert_eq!(pv::geti(&c, &null), 0);
    assert!(pv::is_null(&c, &null));
    assert!(!pv::is_null(&c, &text));
}

#[test]
fn reading_borrows_from_the_message() {
    let c = ctx(INVITE);
    for name in [
        "$ru",
        "$rU",
        "$rd",
        "$fu",
        "$fU",
        "$fd",
        "$ft",
        "$ci",
        "$rm",
        "$ua",
        "$hdr(X-A)",
    ] {
        let spec = Spec::parse(name.as_bytes()).unwrap();
        let value = pv::get(&c, &spec);
        assert!(
            matches!(value, Value::Str(std::borrow::Cow::Borrowed(_))),
            "{name} is a copy"
        );
    }
}

// checked against Kamailio 5.6, where an invalid name is logged and gives None
#[test]
fn malformed_names() {
    for name in [
        "fU",
        "plain",
        "",
        "$",
        "$fU x",
        "$(fU",
        "$(fU}",
        "$(fU {s.len})",
        "$(fU{s.len}x)",
        "$(fU{s.len",
        "$(fU{s.nope})",
        "$(fU{nope.len})",
        "$via0",
        "$hdr",
        "$(avp(x)[y])",
        "$(fU{s.substr,0})",
        "$(fU(x))",
        "$()",
        "$hdr(X",
    ] {
        assert!(Spec::parse(name.as_bytes()).is_err(), "{name}");
    }
    let why = Spec::parse(b"$(fU{s.nope})").unwrap_err();
    assert_eq!(
        why.to_string(),
        "invalid pseudo-variable s.nope: unknown transformation"
    );
}

// checked against Kamailio 5.6
#[test]
fn texts_with_variables() {
    let mut c = ctx(INVITE);
    for (text, expected) in [
        ("$fU$fd", "aliceexample.com"),
        ("$$fU", "$fU"),
        ("$fU;x", "alice;x"),
        ("$(fU)x", "alicex"),
        ("$fU-$rs-", "alice-<null>-"),
        ("a $fU b $sp", "a alice b 25080"),
        ("$hdr(X-A)[1]", "one[1]"),
        ("$var(none)", "0"),
        ("plain", "plain"),
        ("", ""),
        // more lenient than Kamailio, which refuses these
        ("costs 5$", "costs 5$"),
        ("from $fU.", "from alice."),
    ] {
        let format = Format::parse(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(format.eval(&c)).unwrap(),
            expected,
            "{text}"
        );
    }
    assert_eq!(get(&c, "$_s(a $fU b $sp)"), "'a alice b 25080'");
    sets(&mut c, "$var(n)", "2");
    assert_eq!(get(&c, "$(fu{uri.user}{s.substr,0,$var(n)})"), "'al'");
}

#[test]
fn variables_of_other_modules() {
    struct Table;
    impl sipwright_sip::script::ForeignVars for Table {
        fn get(&self, ctx: &Context, var: &pv::Foreign, inner: &[u8]) -> Value<'static> {
            assert_eq!(ctx.msg.call_id(), b"cid-1");
            let inner = String::from_utf8_lossy(inner);
            Value::owned(format!("{}({inner}){:?}", var.class, var.index).into_bytes())
        }
        fn set(&self, ctx: &mut Context, _: &pv::Foreign, inner: &[u8], value: Value<'_>) -> bool {
            ctx.vars.set(inner, value.into_owned());
            true
        }
    }
    let mut settings = env();
    settings.foreign = Some(Arc::new(Table));
    let mut c = ctx_in(settings, INVITE);
    check(
        &c,
        &[
            ("$sht(a=>$si)", "'sht(a=>127.0.0.1)None'"),
            ("$(sht(a=>x)[2])", "'sht(a=>x)At(2)'"),
            ("$tls_peer_subject", "'tls_peer_subject()None'"),
            ("$(dlg_var(k){s.len})", "14"),
        ],
    );
    let spec = Spec::parse(b"$sht(a=>$si)").unwrap();
    assert_eq!(spec.foreign().unwrap().class, "sht");
    assert_eq!(spec.foreign().unwrap().index, Index::None);
    assert!(sets(&mut c, "$sht(a=>$si)", "v"));
    assert_eq!(get(&c, "$var(a=>127.0.0.1)"), "'v'");
    let format = Format::parse(b"$fU $sht(x) $rs $dlg(y)").unwrap();
    let classes: Vec<_> = format.foreign().map(|f| f.class.as_str()).collect();
    assert_eq!(classes, ["sht", "dlg"]);
}

#[test]
fn foreign_ones_are_null_without_their_module() {
    check(
        &ctx(INVITE),
        &[("$sht(a=>b)", "None"), ("$(sht(a=>b){s.len})", "None")],
    );
    assert!(!sets(&mut ctx(INVITE), "$sht(a=>b)", "1"));
    assert!(Spec::parse(b"$ru").unwrap().foreign().is_none());
}

#[test]
fn defines_and_versions() {
    check(
        &ctx(INVITE),
        &[
            ("$def(PORT)", "'5060'"),
            ("$defn(PORT)", "5060"),
            ("$defn(NAME)", "0"),
            ("$def(NONE)", "None"),
            ("$version(num)", "'5.6.3'"),
            ("$ksr(ver)", "'5.6.3'"),
            ("$ksr(verval)", "5006003"),
            ("$C(xg)", "'\x1b[0;39;42m'"),
            ("$C(xx)", "'\x1b[0;39;49m'"),
        ],
    );
}

#[test]
fn onsend_route_knows_where_the_message_goes() {
    let mut c = ctx(INVITE);
    check(&c, &[("$snd(ip)", "None"), ("$sndto(port)", "None")]);
    c.onsend = Some(flow("192.0.2.9:5060"));
    check(
        &c,
        &[
            ("$sndto(ip)", "'192.0.2.9'"),
            ("$sndto(port)", "5060"),
            ("$sndto(proto)", "1"),
            ("$snd(sproto)", "'udp'"),
            ("$sndfrom(ip)", "'127.0.0.1'"),
            ("$sndfrom(port)", "25060"),
        ],
    );
}
