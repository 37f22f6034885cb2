//! Small variables and transformations: characters, sockets by name, bytes of the message, parts of
//! sockets and URLs, values for SQL and JSON; numbers at the beginning of texts; names that are ours.

mod script_support;

use script_support::*;
use sipwright_sip::script::Value;
use sipwright_sip::script::pv::{self, Spec};
use sipwright_sip::script::{Alias, XavpKind, corex, forward, myself, pvx};

const REPLY: &str = "\
SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKa
Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb;received=1.2.3.4;rport=99
From: <sip:a@h>;tag=f
To: <sip:b@h>;tag=t
Call-ID: c
CSeq: 1 INVITE
Content-Length: 0

";

#[test]
fn characters_and_states() {
    check(
        &ctx(INVITE),
        &[
            ("$Eb", "'\\'"),
            ("$En", "'\n'"),
            ("$Er", "'\r'"),
            ("$Et", "'\t'"),
            ("$Es", "' '"),
            ("$Ec", "','"),
            ("$Eq", "'\"'"),
            ("$Ek", "'''"),
            ("$Ei", "':'"),
            ("$Ej", "';'"),
            ("$Ev", "'`'"),
            ("$tts", "0"),
            ("$af(INET)", "2"),
            ("$af(INET6)", "10"),
            ("$af(x)", "None"),
            ("$atkv(type)", "None"),
            ("$rpl(duri)", "None"),
        ],
    );
    check(&ctx(REPLY), &[("$tts", "1")]);
}

#[test]
fn where_a_response_goes() {
    check(
        &ctx(REPLY),
        &[
            ("$rpl(cntvia)", "2"),
            ("$rpl(duri)", "'sip:1.2.3.4:99;transport=tcp'"),
            ("$rpl(dhost)", "'1.2.3.4'"),
            ("$rpl(dport)", "99"),
            ("$rpl(dproto)", "'tcp'"),
            ("$rpl(dprotoid)", "2"),
            ("$rpl(x)", "None"),
        ],
    );
}

#[test]
fn listening_sockets() {
    check(
        &ctx(INVITE),
        &[
            ("$lsock(n/ext/listen)", "'udp:127.0.0.1:25062'"),
            ("$lsock(name/ext/advertise)", "'udp:192.0.2.5:5099'"),
            ("$lsock(l/udp:127.0.0.1:25062/name)", "'ext'"),
            ("$lsock(l/tcp:127.0.0.1:25060/i)", "2"),
            ("$lsock(l/tcp:127.0.0.1:25060/a)", "None"),
            ("$lsock(n/none/listen)", "None"),
            ("$lsock(ext)", "None"),
        ],
    );
}

#[test]
fn bytes_of_the_message() {
    let mut c = ctx(INVITE);
    let unset = [("$msgbuf(999999)", "None"), ("$msgbuf(-1)", "None")];
    check(&c, &[("$msgbuf(0)", "'I'"), unset[0], unset[1]]);
    let at = INVITE.replace('\n', "\r\n").find("X-A: one").unwrap() + 5;
    assert!(sets(&mut c, &format!("$msgbuf({at})"), "O"));
    check(&c, &[("$hdr(X-A)", "'One'")]);
    assert!(!sets(&mut c, "$msgbuf(999999)", "x"));
    assert!(!sets(&mut c, "$msgbuf(0)", " "));
    check(&c, &[("$rm", "'INVITE'")]);
}

// checked against Kamailio 5.6, but that it ends at 2147483647
#[test]
fn numbers_that_texts_begin_with() {
    let mut c = ctx(INVITE);
    for (text, number) in [
        ("12ab", 12),
        ("-5", -5),
        ("+5", 5),
        (" 5", 0),
        ("5 ", 5),
        ("0x10", 0),
        ("010", 10),
        ("3000000000", 3_000_000_000),
        ("99999999999999999999", i64::MAX),
        ("", 0),
        ("abc", 0),
    ] {
        assert!(sets(&mut c, "$var(n)", text));
        let spec = Spec::parse(b"$var(n)").unwrap();
        assert_eq!(pv::geti(&c, &spec), number, "{text}");
    }
}

// checked against Kamailio 5.6
#[test]
fn parts_of_sockets() {
    let mut c = ctx(INVITE);
    for (text, parts) in [
        (
            "udp:1.2.3.4:5060",
            "'1.2.3.4' '5060' 'udp' 'sip:1.2.3.4:5060;transport=udp'",
        ),
        (
            "tcp:[2001:db8::1]",
            "'[2001:db8::1]' '' 'tcp' 'sip:[2001:db8::1];transport=tcp'",
        ),
        ("1.2.3.4", "'1.2.3.4' '' '' 'sip:1.2.3.4'"),
        ("xyz:h:1", "None None None None"),
        ("", "None None None None"),
    ] {
        assert!(sets(&mut c, "$var(s)", text));
        let shown: Vec<String> = ["host", "port", "proto", "touri"]
            .iter()
            .map(|part| get(&c, &format!("$(var(s){{sock.{part}}})")))
            .collect();
        assert_eq!(shown.join(" "), parts, "{text}");
    }
}

#[test]
fn parts_of_urls() {
    let mut c = ctx(INVITE);
    for (text, path, query) in [
        ("/path/to/?this=is&the=q", "'/path/to/'", "'this=is&the=q'"),
        ("/path", "'/path'", "''"),
        ("/?", "'/'", "''"),
    ] {
        assert!(sets(&mut c, "$var(u)", text));
        let parts = [
            ("$(var(u){url.path})", path),
            ("$(var(u){url.querystring})", query),
        ];
        check(&c, &parts);
    }
}

// checked against Kamailio 5.6
#[test]
fn values_for_sql() {
    let mut c = ctx(INVITE);
    assert!(sets(&mut c, "$var(q)", r#"it's \ a "q""#));
    assert!(seti(&mut c, "$var(n)", 5));
    let quoted = r#"''it\'s \\ a \"q\"''"#;
    check(
        &c,
        &[
            ("$(var(q){sql.val})", quoted),
            ("$(var(q){sql.val.int})", quoted),
            ("$(var(n){sql.val})", "'5'"),
            ("$(var(n){sql.val.str})", "'5'"),
            ("$(avp(none){sql.val})", "'NULL'"),
            ("$(avp(none){sql.val.int})", "'0'"),
            ("$(avp(none){sql.val.str})", "''''"),
        ],
    );
    assert!(Spec::parse(b"$(var(q){sql.x})").is_err());
}

#[test]
fn values_for_json() {
    let mut c = ctx(INVITE);
    assert!(sets(&mut c, "$var(j)", "\"A\" <sip:a@b>\t\x01"));
    assert!(seti(&mut c, "$var(n)", 5));
    check(
        &c,
        &[
            ("$(var(j){val.json})", r#"'\"A\" <sip:a@b>\t\u0001'"#),
            ("$(var(j){val.jsonqe})", r#"'"\"A\" <sip:a@b>\t\u0001"'"#),
            ("$(var(n){val.jsonqe})", "'5'"),
            ("$(avp(none){val.jsonqe})", "'\"\"'"),
            ("$(avp(none){val.json})", "''"),
        ],
    );
}

#[test]
fn names_below_an_alias_and_domains_of_a_table() {
    let mut settings = env();
    settings.aliases.push(Alias {
        proto: None,
        host: "sub.test".into(),
        port: None,
        subdomains: true,
    });
    settings.own_names.set(["Table.test"]);
    let c = ctx_in(settings, INVITE);
    for (uri, is_ours) in [
        ("sip:a@sub.test", true),
        ("sip:a@x.SUB.test:9", true),
        ("sip:a@xsub.test", false),
        ("sip:a@sub.test.org", false),
        ("sip:table.TEST", true),
        ("sip:x.table.test", false),
    ] {
        assert_eq!(myself::is_myself(&c, uri.as_bytes()), is_ours, "{uri}");
    }
}

#[test]
fn our_via_as_the_script_wants_it() {
    let mut settings = env();
    settings.server_id = 7;
    settings.xavp_via_params = b"vp".to_vec();
    settings.xavp_via_fields = b"vf".to_vec();
    let mut c = ctx_in(settings, INVITE);
    for (root, field, value) in [
        ("vp", "a", "1"),
        ("vp", "bad;x", "1"),
        ("vp", "b", "x y"),
        ("vf", "address", "sip.example.net"),
        ("vf", "port", "5099"),
    ] {
        let value = Value::borrowed(value.as_bytes());
        let (root, field) = (root.as_bytes(), field.as_bytes());
        pvx::xavp_child_set(&mut c, XavpKind::Plain, root, field, value);
    }
    let via = |c: &_| {
        let line = forward::via_line(c, &env().sockets[0], "z9hG4bKx");
        String::from_utf8(line).unwrap()
    };
    let plain = "Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKx\r\n";
    assert_eq!(via(&c), plain);
    corex::via_add_srvid(&mut c, 1);
    corex::via_add_xavp_params(&mut c, 1);
    corex::via_use_xavp_fields(&mut c, 1);
    assert_eq!(
        via(&c),
        "Via: SIP/2.0/UDP sip.example.net:5099;branch=z9hG4bKx;srvid=7;a=1\r\n"
    );
    corex::via_add_srvid(&mut c, 0);
    corex::via_add_xavp_params(&mut c, 0);
    corex::via_use_xavp_fields(&mut c, 0);
    assert_eq!(via(&c), plain);
}
