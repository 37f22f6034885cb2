//! NAT traversal and Path.

mod script_support;

use std::sync::Arc;

use script_support::*;
use sipwright_sip::script::{Context, kx, nathelper, path};
use sipwright_sip::types::Proto;

/// A REGISTER with this sent-by in its Via, this Contact and this body, from 127.0.0.1:25080.
fn register(via: &str, contact: &str, body: &str) -> Context {
    let body = body.replace('\n', "\r\n");
    ctx(&format!(
        "REGISTER sip:example.com SIP/2.0\n\
         Via: SIP/2.0/UDP {via};branch=z9hG4bKa;rport\n\
         Max-Forwards: 70\n\
         From: Alice <sip:alice@example.com>;tag=ft1\n\
         To: <sip:alice@example.com>\n\
         Call-ID: cid-3\n\
         CSeq: 1 REGISTER\n\
         Contact: {contact}\n\
         Content-Type: application/sdp\n\
         Content-Length: {}\n\n{body}",
        body.len()
    ))
}

fn contact_sent(ctx: &Context) -> String {
    lines(&sent(ctx), "Contact: ")[0]["Contact: ".len()..].to_owned()
}

// checked against Kamailio 5.6 up to the SDP, whose session was incomplete there
#[test]
fn signs_of_nat() {
    for (via, contact, body, expected) in [
        ("127.0.0.1:25080", "<sip:a@127.0.0.1:25080>", "", vec![]),
        (
            "10.0.0.1:25080",
            "<sip:a@10.0.0.1:25080>",
            "",
            vec![1, 2, 4],
        ),
        ("8.8.8.8:25080", "<sip:a@8.8.8.8:25080>", "", vec![2]),
        ("8.8.8.8", "<sip:a@127.0.0.1:5>", "", vec![2, 16, 128]),
        (
            "127.0.0.1",
            "<sip:a@host.com;transport=ws>",
            "",
            vec![16, 128],
        ),
        (
            "127.0.0.1",
            "<sip:a@127.0.0.1:25080;alias=1~2~3>",
            "",
            vec![16],
        ),
        (
            "127.0.0.1:25080",
            "<sip:a@127.0.0.1>",
            "c=IN IP4 127.0.0.1\n",
            vec![128],
        ),
        (
            "127.0.0.1:25080",
            "<sip:a@127.0.0.1:25080>",
            "c=IN IP4 10.1.1.1\n",
            vec![8, 256],
        ),
        (
            "127.0.0.1:25080",
            "<sip:a@127.0.0.1:25080>",
            "c=IN IP4 192.0.2.1/127\n",
            vec![256],
        ),
        ("127.0.0.1:25080", "*", "", vec![]),
    ] {
        let c = register(via, contact, body);
        let found: Vec<i64> = (0..9)
            .map(|bit| 1 << bit)
            .filter(|test| nathelper::nat_uac_test(&c, *test) == 1)
            .collect();
        assert_eq!(found, expected, "{via} {contact} {body}");
        let any = if expected.is_empty() { -1 } else { 1 };
        assert_eq!(nathelper::nat_uac_test(&c, 511), any);
    }
    let mut c = register("127.0.0.1:25080", "<sip:a@127.0.0.1:25080>", "");
    c.flow.proto = Proto::Wss;
    assert_eq!(nathelper::nat_uac_test(&c, 64), 1);
    c.flow.remote = "10.0.0.9:25080".parse().unwrap();
    assert_eq!(nathelper::nat_uac_test(&c, 32), 1);
    assert_eq!(nathelper::nat_uac_test(&c, 0), -1);
}

// checked against Kamailio 5.6
#[test]
fn private_addresses() {
    let c = register("127.0.0.1", "<sip:a@10.0.0.1>", "");
    for (address, expected) in [
        ("10.0.0.1", 1),
        ("8.8.8.8", -1),
        ("192.168.1.1", 1),
        ("172.16.0.1", 1),
        ("172.32.0.1", -1),
        ("100.64.0.1", 1),
        ("100.128.0.1", -1),
        ("127.0.0.1", -1),
        ("169.254.1.1", -1),
        ("sip:10.0.0.1", -1),
        ("host", -1),
        ("fc00::1", -1),
        ("198.18.0.1", -1),
        ("192.0.0.1", 1),
    ] {
        assert_eq!(
            nathelper::is_rfc1918(&c, address.as_bytes()),
            expected,
            "{address}"
        );
    }
}

// checked against Kamailio 5.6
#[test]
fn aliases_of_contacts() {
    for (contact, set, add) in [
        (
            "<sip:a@10.0.0.1:5;x=1>;expires=3",
            "<sip:a@10.0.0.1:5;x=1;alias=127.0.0.1~25080~1>;expires=3",
            "<sip:a@10.0.0.1:5;alias=127.0.0.1~25080~1;x=1>;expires=3",
        ),
        (
            "sip:a@10.0.0.1",
            "<sip:a@10.0.0.1;alias=127.0.0.1~25080~1>",
            "<sip:a@10.0.0.1;alias=127.0.0.1~25080~1>",
        ),
        (
            "\"B\" <sip:a@127.0.0.1:25080>",
            "\"B\" <sip:a@127.0.0.1:25080;alias=127.0.0.1~25080~1>",
            "\"B\" <sip:a@127.0.0.1:25080;alias=127.0.0.1~25080~1>",
        ),
        (
            "<sip:a@1.1.1.1;alias=1.1.1.1~5~1;z=1>, <sip:b@2.2.2.2>",
            "<sip:a@1.1.1.1;alias=1.1.1.1~5~1;z=1>, <sip:b@2.2.2.2;alias=127.0.0.1~25080~1>",
            "<sip:a@1.1.1.1;alias=1.1.1.1~5~1;z=1>, <sip:b@2.2.2.2;alias=127.0.0.1~25080~1>",
        ),
    ] {
        let mut c = register("127.0.0.1", contact, "");
        assert_eq!(nathelper::set_contact_alias(&mut c), 1);
        assert_eq!(contact_sent(&c), set);
        let mut c = register("127.0.0.1", contact, "");
        assert_eq!(nathelper::set_contact_alias_trim(&mut c), 1);
        assert_eq!(contact_sent(&c), set);
        let mut c = register("127.0.0.1", contact, "");
        assert_eq!(nathelper::add_contact_alias(&mut c), 1);
        assert_eq!(contact_sent(&c), add);
    }
    let mut c = register("127.0.0.1", "*", "");
    assert_eq!(nathelper::set_contact_alias(&mut c), -1);
    assert_eq!(nathelper::add_contact_alias(&mut c), -1);
}

// checked against Kamailio 5.6
#[test]
fn set_contact_alias_shows_at_once_to_the_registrar() {
    let mut c = register("127.0.0.1", "<sip:a@10.0.0.1:5>", "");
    assert_eq!(nathelper::set_contact_alias(&mut c), 1);
    check(&c, &[("$ct", "'<sip:a@10.0.0.1:5>'")]);
    assert_eq!(
        show(&kx::get_cturi(&c)),
        "'sip:a@10.0.0.1:5;alias=127.0.0.1~25080~1'"
    );
    assert_eq!(
        c.contact_aliases[0].1,
        b"sip:a@10.0.0.1:5;alias=127.0.0.1~25080~1"
    );
    let mut c = register("127.0.0.1", "<sip:a@10.0.0.1:5>", "");
    assert_eq!(nathelper::add_contact_alias(&mut c), 1);
    assert_eq!(show(&kx::get_cturi(&c)), "'sip:a@10.0.0.1:5'");
}

#[test]
fn aliases_of_other_addresses() {
    let mut c = register("127.0.0.1", "<sip:a@10.0.0.1>", "");
    assert_eq!(
        nathelper::add_contact_alias_addr(&mut c, b"7.7.7.7", b"88", b"tls"),
        1
    );
    assert_eq!(contact_sent(&c), "<sip:a@10.0.0.1;alias=7.7.7.7~88~3>");
    for (ip, port, proto) in [
        ("x", "88", "udp"),
        ("7.7.7.7", "x", "udp"),
        ("7.7.7.7", "88", "x"),
    ] {
        let code = nathelper::add_contact_alias_addr(
            &mut c,
            ip.as_bytes(),
            port.as_bytes(),
            proto.as_bytes(),
        );
        assert_eq!(code, -1);
    }
    assert_eq!(c.complaints.len(), 3);

    let mut c = register("127.0.0.1", "<sip:a@10.0.0.1?X=y>", "");
    c.flow.remote = "[2001:db8::5]:5060".parse().unwrap();
    assert_eq!(nathelper::set_contact_alias(&mut c), 1);
    assert_eq!(
        contact_sent(&c),
        "<sip:a@10.0.0.1;alias=[2001:db8::5]~5060~1?X=y>"
    );
}

// checked against Kamailio 5.6, which names WS for WSS
#[test]
fn aliases_of_the_request_uri() {
    for (uri, code, ruri, du) in [
        (
            "sip:a@1.1.1.1;alias=2.2.2.2~5070~1",
            1,
            "sip:a@1.1.1.1",
            "'sip:2.2.2.2:5070'",
        ),
        (
            "sip:a@1.1.1.1:99;x=1;alias=2.2.2.2~5070~2;y=2",
            1,
            "sip:a@1.1.1.1:99;x=1;y=2",
            "'sip:2.2.2.2:5070;transport=tcp'",
        ),
        (
            "sip:a@1.1.1.1;alias=[::1]~5070~3",
            1,
            "sip:a@1.1.1.1",
            "'sip:[::1]:5070;transport=tls'",
        ),
        (
            "sip:a@1.1.1.1;alias=2.2.2.2~5070~5",
            1,
            "sip:a@1.1.1.1",
            "'sip:2.2.2.2:5070;transport=ws'",
        ),
        (
            "sip:a@1.1.1.1;alias=2.2.2.2~5070~6",
            1,
            "sip:a@1.1.1.1",
            "'sip:2.2.2.2:5070;transport=wss'",
        ),
        ("sip:a@1.1.1.1", 2, "sip:a@1.1.1.1", "None"),
        (
            "sip:a@1.1.1.1;alias=junk",
            2,
            "sip:a@1.1.1.1;alias=junk",
            "None",
        ),
        (
            "sip:a@1.1.1.1;ALIAS=2.2.2.2~5070~1",
            2,
            "sip:a@1.1.1.1;ALIAS=2.2.2.2~5070~1",
            "None",
        ),
        (
            "sip:a@1.1.1.1;alias=2.2.2.2~5070",
            -1,
            "sip:a@1.1.1.1;alias=2.2.2.2~5070",
            "None",
        ),
        (
            "sip:a@1.1.1.1;alias=2.2.2.2~5070~9",
            -1,
            "sip:a@1.1.1.1;alias=2.2.2.2~5070~9",
            "None",
        ),
    ] {
        let mut c = ctx(INVITE);
        sets(&mut c, "$ru", uri);
        assert_eq!(nathelper::handle_ruri_alias(&mut c), code, "{uri}");
        assert_eq!(String::from_utf8_lossy(c.uri()), ruri);
        assert_eq!(get(&c, "$du"), du, "{uri}");
    }
    let mut c = ctx(INVITE);
    sets(&mut c, "$du", "sip:9.9.9.9");
    sets(&mut c, "$ru", "sip:a@1.1.1.1;alias=2.2.2.2~5070~1");
    assert_eq!(nathelper::handle_ruri_alias(&mut c), 1);
    assert_eq!(
        get(&c, "$du"),
        "'sip:2.2.2.2:5070'",
        "replaces what was there"
    );
}

#[test]
fn the_last_alias_in_mode_1() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$ru", "sip:a@b;alias=2.2.2.2~1~1;alias=3.3.3.3~2~2");
    assert_eq!(nathelper::handle_ruri_alias_mode(&mut c, 1), 1);
    check(
        &c,
        &[
            ("$ru", "'sip:a@b;alias=2.2.2.2~1~1'"),
            ("$du", "'sip:3.3.3.3:2;transport=tcp'"),
        ],
    );
}

#[test]
fn an_alias_leads_back_to_the_connection() {
    let mut registered = register("10.0.0.1", "<sip:a@10.0.0.1;transport=tcp>", "");
    registered.flow.proto = Proto::Tcp;
    nathelper::set_contact_alias(&mut registered);
    let mut c = ctx(INVITE);
    let uri = String::from_utf8(registered.contact_aliases[0].1.clone()).unwrap();
    sets(&mut c, "$ru", &uri);
    assert_eq!(nathelper::handle_ruri_alias(&mut c), 1);
    check(
        &c,
        &[
            ("$ru", "'sip:a@10.0.0.1;transport=tcp'"),
            ("$du", "'sip:127.0.0.1:25080;transport=tcp'"),
        ],
    );
}

// checked against Kamailio 5.6, which does it to one contact only
#[test]
fn fixing_contacts() {
    for (contact, expected) in [
        (
            "<sip:a@10.0.0.1:5;x=1>;expires=3",
            "<sip:a@127.0.0.1:25080;x=1>;expires=3",
        ),
        ("sip:a@10.0.0.1", "sip:a@127.0.0.1:25080"),
        (
            "\"B\" <sip:a@127.0.0.1:25080>",
            "\"B\" <sip:a@127.0.0.1:25080>",
        ),
        (
            "<sip:a@1.1.1.1>, <sip:b@2.2.2.2>",
            "<sip:a@127.0.0.1:25080>, <sip:b@127.0.0.1:25080>",
        ),
    ] {
        let mut c = register("127.0.0.1", contact, "");
        assert_eq!(nathelper::fix_nated_contact(&mut c), 1);
        assert_eq!(contact_sent(&c), expected);
    }
    assert_eq!(
        nathelper::fix_nated_contact(&mut register("127.0.0.1", "*", "")),
        -1
    );
}

// checked against Kamailio 5.6
#[test]
fn fixing_registrations() {
    let mut c = register("10.0.0.1", "<sip:a@10.0.0.1:5>", "");
    assert_eq!(nathelper::fix_nated_register(&mut c), 1);
    assert_eq!(c.received.as_deref(), Some(&b"sip:127.0.0.1:25080"[..]));
    assert_eq!(contact_sent(&c), "<sip:a@10.0.0.1:5>");
    let mut settings = env();
    settings.received_avp = Some("s:rcv".into());
    c.env = Arc::new(settings);
    c.flow.proto = Proto::Tls;
    assert_eq!(nathelper::fix_nated_register(&mut c), 1);
    assert_eq!(get(&c, "$avp(rcv)"), "'sip:127.0.0.1:25080;transport=tls'");
}

// checked against Kamailio 5.6
#[test]
fn received_as_a_parameter() {
    let mut c = register("10.0.0.1", "<sip:a@1.1.1.1>;q=1, <sip:b@2.2.2.2>", "");
    assert_eq!(nathelper::add_rcv_param(&mut c, 0), 1);
    assert_eq!(
        contact_sent(&c),
        "<sip:a@1.1.1.1>;q=1;received=\"sip:127.0.0.1:25080\", <sip:b@2.2.2.2>;received=\"sip:127.0.0.1:25080\""
    );
    let mut c = register("10.0.0.1", "<sip:a@1.1.1.1>", "");
    assert_eq!(nathelper::add_rcv_param(&mut c, 1), 1);
    assert_eq!(
        contact_sent(&c),
        "<sip:a@1.1.1.1;received=sip%3a127.0.0.1%3a25080>"
    );
    assert_eq!(
        nathelper::add_rcv_param(&mut register("1.1.1.1", "*", ""), 0),
        -1
    );
}

// checked against Kamailio 5.6
#[test]
fn path_of_registrations() {
    type Add = fn(&mut Context) -> i32;
    let table: [(Add, &str); 7] = [
        (path::add_path, "<sip:127.0.0.1:25060;lr>"),
        (
            |c| path::add_path_user(c, b"bob"),
            "<sip:bob@127.0.0.1:25060;lr>",
        ),
        (
            path::add_path_received,
            "<sip:127.0.0.1:25060;lr;received=sip:127.0.0.1:25080>",
        ),
        (
            |c| path::add_path_received_user(c, b"bob"),
            "<sip:bob@127.0.0.1:25060;lr;received=sip:127.0.0.1:25080>",
        ),
        (
            |c| path::add_path_user_params(c, b"u", b";ob"),
            "<sip:u@127.0.0.1:25060;lr;ob>",
        ),
        (
            |c| path::add_path_received_user_params(c, b"u", b"ob"),
            "<sip:u@127.0.0.1:25060;lr;received=sip:127.0.0.1:25080;ob>",
        ),
        (
            |c| path::add_path_advertised_address(c, b"8.8.8.8:5", b"", false, b""),
            "<sip:8.8.8.8:5;lr>",
        ),
    ];
    for (add, value) in table {
        let mut c = register("10.0.0.1", "<sip:a@1.1.1.1>", "");
        assert_eq!(add(&mut c), 1);
        assert_eq!(lines(&sent(&c), "Path:"), [format!("Path: {value}")]);
    }
}

#[test]
fn path_over_streams_and_above_other_paths() {
    let mut c = ctx(REGISTER);
    c.flow.proto = Proto::Tcp;
    c.flow.socket = 2;
    assert_eq!(path::add_path_received(&mut c), 1);
    assert_eq!(
        lines(&sent(&c), "Path:"),
        [
            "Path: <sip:127.0.0.1:25060;transport=tcp;lr;received=sip:127.0.0.1:25080%3btransport=tcp>",
            "Path: <sip:p@p.p;lr>",
        ]
    );
    assert_eq!(path::add_path_user(&mut c, b"a\r\nb"), -1);
    assert_eq!(
        path::add_path_advertised_address(&mut c, b"", b"", false, b""),
        -1
    );
}
