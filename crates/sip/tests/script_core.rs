//! Functions of the core: methods, transports, flags, the request-URI, what is ours.

mod script_support;

use script_support::*;
use sipwright_sip::script::core::*;
use sipwright_sip::script::{Context, Env, myself, ruri};
use sipwright_sip::types::Proto;

fn of_method(method: &str) -> Context {
    ctx(&INVITE
        .replacen("INVITE", method, 1)
        .replacen("102 INVITE", &format!("102 {method}"), 1))
}

// checked against Kamailio 5.6
#[test]
fn method_letters_and_numbers() {
    for (method, letter, number) in [
        ("INVITE", "I", 1),
        ("CANCEL", "C", 2),
        ("ACK", "A", 4),
        ("BYE", "B", 8),
        ("INFO", "", 16),
        ("REGISTER", "R", 32),
        ("SUBSCRIBE", "S", 64),
        ("NOTIFY", "N", 128),
        ("MESSAGE", "M", 256),
        ("OPTIONS", "O", 512),
        ("PRACK", "E", 1024),
        ("UPDATE", "U", 2048),
        ("REFER", "F", 4096),
        ("PUBLISH", "P", 8192),
        ("KDMQ", "K", 16384),
        ("GET", "G", 32768),
        ("POST", "T", 65536),
        ("PUT", "V", 131_072),
        ("DELETE", "D", 262_144),
        ("FOO", "", 524_288),
    ] {
        let ctx = of_method(method);
        let letters: String = ('A'..='Z')
            .filter(|c| is_method_in(&ctx, c.to_string().as_bytes()))
            .collect();
        assert_eq!(letters, letter, "{method}");
        assert_eq!(method_bit(&ctx), number, "{method}");
        assert!(is_method(&ctx, method.as_bytes()));
        assert!(is_named(&ctx, method.as_bytes()));
    }
}

// checked against Kamailio 5.6
#[test]
fn methods_by_name() {
    let invite = ctx(INVITE);
    for (name, expected) in [
        ("INVITE", true),
        ("invite", true),
        ("INVITE|ACK", true),
        ("ACK|INVITE", true),
        ("FOO", false),
        ("", false),
    ] {
        assert_eq!(is_method(&invite, name.as_bytes()), expected, "{name}");
    }
    for (letters, expected) in [
        ("BI", true),
        ("i", true),
        ("IABO", true),
        ("AB", false),
        ("", false),
    ] {
        assert_eq!(
            is_method_in(&invite, letters.as_bytes()),
            expected,
            "{letters}"
        );
    }
    assert!(
        is_named(&ctx(RINGING), b"INVITE"),
        "a response has the method of CSeq"
    );
}

#[test]
fn transports() {
    let mut c = ctx(INVITE);
    assert!(is_transport(&c, Proto::Udp) && !is_transport(&c, Proto::Tcp));
    assert!(is_proto(&c, b"TU") && !is_proto(&c, b"tew"));
    assert!(!is_tcpx(&c) && !is_wsx(&c));
    assert!(is_ipv4(&c) && !is_ipv6(&c));
    for (proto, letter, tcpx, wsx) in [
        (Proto::Tcp, b"t", true, false),
        (Proto::Tls, b"e", true, false),
        (Proto::Ws, b"w", true, true),
        (Proto::Wss, b"v", true, true),
    ] {
        c.flow.proto = proto;
        assert!(is_proto(&c, letter));
        assert_eq!((is_tcpx(&c), is_wsx(&c)), (tcpx, wsx), "{proto}");
    }
    c.flow.remote = "[::ffff:192.0.2.1]:5060".parse().unwrap();
    assert!(is_ipv4(&c), "an IPv4 address in IPv6 clothes");
    c.flow.remote = "[2001:db8::1]:5061".parse().unwrap();
    assert!(is_ipv6(&c) && is_src_port(&c, 5061) && !is_src_port(&c, 5060));
    assert!(is_dst_port(&c, 25060) && !is_dst_port(&c, 5061));
}

#[test]
fn where_it_goes_is_known_in_onsend_route() {
    let mut c = ctx(INVITE);
    assert!(!to_transport(&c, Proto::Udp) && !to_ipv4(&c) && !to_ipv6(&c) && !to_wsx(&c));
    let mut out = flow("192.0.2.1:5060");
    out.proto = Proto::Wss;
    c.onsend = Some(out);
    assert!(to_transport(&c, Proto::Wss) && to_wsx(&c) && to_ipv4(&c) && !to_ipv6(&c));
}

// checked against Kamailio 5.6
#[test]
fn flags_are_of_0_to_31() {
    type Set = fn(&mut Context, i64) -> bool;
    type Is = fn(&Context, i64) -> bool;
    let kinds: [(Set, Set, Is); 3] = [
        (setflag, resetflag, isflagset),
        (setbflag, resetbflag, isbflagset),
        (setsflag, resetsflag, issflagset),
    ];
    for (set, reset, is) in kinds {
        let mut c = ctx(INVITE);
        for flag in [0, 31] {
            assert!(!is(&c, flag));
            assert!(set(&mut c, flag) && is(&c, flag));
            assert!(reset(&mut c, flag) && !is(&c, flag));
        }
        assert!(c.complaints.is_empty());
        for flag in [-1, 32, 33] {
            assert!(!set(&mut c, flag) && !is(&c, flag) && !reset(&mut c, flag));
        }
        assert_eq!(c.complaints.len(), 6);
    }
}

// checked against Kamailio 5.6
#[test]
fn branch_flags_need_the_branch() {
    let mut c = ctx(INVITE);
    assert!(setbiflag(&mut c, 1, 0) && isbflagset(&c, 1));
    assert!(!setbiflag(&mut c, 1, 2) && !isbiflagset(&c, 1, 2));
    sets(&mut c, "$br", "sip:a@b");
    assert!(setbiflag(&mut c, 4, 1) && isbiflagset(&c, 4, 1) && !isbflagset(&c, 4));
    assert_eq!(c.branches[0].flags, 16);
    assert!(resetbiflag(&mut c, 4, 1) && !isbiflagset(&c, 4, 1));
    assert!(!isbiflagset(&c, 1, -1) && !setbiflag(&mut c, 1, -1));
}

// checked against Kamailio 5.6
#[test]
fn what_is_myself() {
    let c = ctx(INVITE);
    for (what, expected) in [
        ("127.0.0.1", true),
        ("sip:127.0.0.1", true),
        ("sip:127.0.0.1:25060", true),
        ("sip:127.0.0.1:5060", false),
        ("sip:127.0.0.1:25060;transport=tcp", true),
        ("sip:127.0.0.1:25062;transport=tcp", false),
        ("sip:127.0.0.1:25062", true),
        ("sip:[::1]", true),
        ("sip:[::1]:25060", true),
        ("sip:example.com", true),
        ("sip:EXAMPLE.com:99", true),
        ("sip:a@alias.test", true),
        ("sip:a@alias.test:5070", true),
        ("sip:a@alias.test:5071", false),
        ("sip:a@alias.test:5070;transport=tcp", false),
        ("sip:192.0.2.5", true),
        ("sip:192.0.2.5:5099", true),
        ("sip:192.0.2.5:25062", false),
        ("sip:127.0.0.1;transport=tls", false),
        ("tel:123", false),
        ("sips:127.0.0.1:25060", true),
        ("example.com:5060", false),
        ("alias.test", true),
        ("127.0.0.1:25060", false),
        ("::1", true),
        ("[::1]", true),
        ("", false),
        ("sip:a@alias.test;transport=xxx", true),
        ("sip:other.org", false),
        ("sip:@", false),
    ] {
        assert_eq!(myself::is_myself(&c, what.as_bytes()), expected, "{what}");
    }
}

// checked against Kamailio 5.6
#[test]
fn what_is_myself_in_the_message() {
    let mut c = ctx(INVITE);
    assert!(myself::is_myself_ruri(&c));
    assert!(!myself::is_myself_turi(&c));
    assert!(myself::is_myself_furi(&c));
    assert!(!myself::is_myself_duri(&c));
    assert!(myself::is_myself_nhuri(&c));
    assert!(!myself::is_myself_suri(&c));
    assert!(myself::is_myself_srcip(&c));
    ruri::setdsturi(&mut c, b"sip:192.0.2.77");
    assert!(!myself::is_myself_nhuri(&c));
    ruri::setdsturi(&mut c, b"sip:127.0.0.1:25060");
    assert!(myself::is_myself_duri(&c) && myself::is_myself_nhuri(&c));
    ruri::seturi(&mut c, b"sip:a@elsewhere.org");
    assert!(!myself::is_myself_ruri(&c));
    c.flow.remote = "127.0.0.1:25062".parse().unwrap();
    assert!(myself::is_myself_suri(&c));
    assert!(!myself::is_myself_ruri(&ctx(RINGING)));
}

// checked against Kamailio 5.6
#[test]
fn rewriting_the_request_uri() {
    let mut c = ctx(INVITE);
    assert!(ruri::setuser(&mut c, b"new"));
    assert_eq!(c.uri(), b"sip:new:pw@example.com:25070;transport=udp;x=1");
    assert!(ruri::setuser(&mut c, b""));
    assert_eq!(c.uri(), b"sip:example.com:25070;transport=udp;x=1");
    assert!(ruri::sethost(&mut c, b"hh"));
    assert!(ruri::setuser(&mut c, b"x;y=1"));
    assert_eq!(c.uri(), b"sip:x;y=1@hh:25070;transport=udp;x=1");
    assert!(ruri::setport(&mut c, None));
    assert_eq!(c.uri(), b"sip:x;y=1@hh;transport=udp;x=1");
    assert!(ruri::seturi(&mut c, b"tel:+123") && ruri::setuser(&mut c, b"q"));
    assert_eq!(c.uri(), b"tel:q");
    assert!(ruri::seturi(&mut c, b"junk"));
    assert!(!ruri::setuser(&mut c, b"u") && !ruri::sethost(&mut c, b"h"));
    assert!(ruri::seturi(&mut c, b""), "ignored");
    assert_eq!(c.uri(), b"junk");
}

#[test]
fn uris_cannot_smuggle_in_header_fields() {
    let mut c = ctx(INVITE);
    for bad in ["sip:a@b\r\nX: y", "sip:a b@c", "sip:a@b\0"] {
        assert!(!ruri::seturi(&mut c, bad.as_bytes()), "{bad:?}");
        assert!(!ruri::setdsturi(&mut c, bad.as_bytes()), "{bad:?}");
    }
    assert!(!ruri::setuser(&mut c, b"a\r\nb") && !ruri::sethost(&mut c, b"a b"));
    assert!(!ruri::sethost(&mut c, b""));
    assert_eq!(c.new_uri, None);
    assert_eq!(c.complaints.len(), 9);
}

// checked against Kamailio 5.6
#[test]
fn destination_uri() {
    let mut c = ctx(INVITE);
    assert!(!ruri::isdsturiset(&c));
    assert!(ruri::setdsturi(&mut c, b"sip:5.6.7.8") && ruri::isdsturiset(&c));
    assert!(ruri::setdsturi(&mut c, b"bad") && ruri::isdsturiset(&c));
    assert!(ruri::resetdsturi(&mut c) && !ruri::isdsturiset(&c));
}

// checked against Kamailio 5.6
#[test]
fn wishes_for_sending() {
    let mut c = ctx(INVITE);
    assert_eq!(set_advertised_address(&mut c, b"7.7.7.7"), 1);
    assert_eq!(set_advertised_port(&mut c, b"77"), 1);
    assert_eq!(set_drop(&mut c), 0);
    assert!(set_reply_close(&mut c) && set_reply_no_connect(&mut c));
    assert!(set_forward_close(&mut c) && set_forward_no_connect(&mut c));
    assert!(force_rport(&mut c) && add_local_rport(&mut c));
    assert!(c.drop && c.force_rport && c.local_rport);
    let flags = c.send_flags;
    assert!(flags.reply_close && flags.reply_no_connect);
    assert!(flags.forward_close && flags.forward_no_connect);
    assert_eq!(
        lines(&sent(&c), "Via:")[0],
        "Via: SIP/2.0/UDP 7.7.7.7:77;branch=z9hG4bKnew;rport"
    );
}

#[test]
fn wishes_that_make_no_sense_are_refused() {
    let mut c = ctx(INVITE);
    assert_eq!(set_advertised_address(&mut c, b""), -1);
    assert_eq!(set_advertised_address(&mut c, b"a b"), -1);
    for port in ["", "0", "65536", "x"] {
        assert_eq!(set_advertised_port(&mut c, port.as_bytes()), -1, "{port}");
    }
    assert_eq!(c.complaints.len(), 6);
}

#[test]
fn the_environment_finds_sockets() {
    let e = env();
    let id = |text: &str| e.find_socket(text.as_bytes()).map(|s| s.id);
    assert_eq!(id("udp:127.0.0.1:25060"), Some(0));
    assert_eq!(id("tcp:127.0.0.1:25060"), Some(2));
    assert_eq!(id("127.0.0.1:25062"), Some(1));
    assert_eq!(id("udp:[::1]:25060"), Some(3));
    assert_eq!(id("[::1]"), Some(3));
    assert_eq!(id("tls:127.0.0.1:25060"), None);
    assert_eq!(id("udp:127.0.0.1:x"), None);
    assert_eq!(id(""), None);
    assert_eq!(e.named_socket(b"ext").map(|s| s.id), Some(1));
    assert!(e.named_socket(b"").is_none());
    assert!(e.socket(4).is_none());
    assert!(!Env::default().is_self(b"127.0.0.1", 0, None));
}

#[test]
fn learned_names_are_ours_until_they_are_replaced() {
    let env = Env::default();
    assert!(!env.is_self(b"one.test", 0, None));
    env.own_names.set(["One.Test", "two.test"]);
    for (host, port, proto) in [
        (&b"one.test"[..], 0, None),
        (b"ONE.test", 5070, Some(Proto::Tcp)),
        (b"two.test", 0, None),
    ] {
        assert!(env.is_self(host, port, proto));
    }
    assert!(!env.is_self(b"three.test", 0, None));
    env.own_names.set(["three.test"]);
    assert!(env.is_self(b"three.test", 0, None) && !env.is_self(b"one.test", 0, None));
    env.own_names.set::<&str>([]);
    assert!(!env.is_self(b"three.test", 0, None));
}
