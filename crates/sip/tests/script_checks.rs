//! Checks: Max-Forwards, sanity, siputils.

mod script_support;

use script_support::*;
use sipwright_sip::script::{Context, maxfwd, sanity, siputils};

fn with_hops(hops: &str) -> Context {
    invite_with("Max-Forwards: 70", &format!("Max-Forwards: {hops}"))
}

// checked against Kamailio 5.6
#[test]
fn max_forwards_counts_down() {
    for (hops, less_than_10, less_than_71, code, then, sent_line) in [
        ("70", -1, 1, 1, "'69'", "Max-Forwards: 69"),
        ("5", 1, 1, 1, "'4'", "Max-Forwards: 4"),
        ("1", 1, 1, 1, "'0'", "Max-Forwards: 0"),
        ("0", 1, 1, -1, "'0'", "Max-Forwards: 0"),
        // above the limit
        ("200", -1, -1, 1, "'70'", "Max-Forwards: 70"),
    ] {
        let mut c = with_hops(hops);
        assert_eq!(maxfwd::is_maxfwd_lt(&mut c, 10), less_than_10, "{hops}");
        assert_eq!(maxfwd::is_maxfwd_lt(&mut c, 71), less_than_71, "{hops}");
        assert_eq!(maxfwd::process_maxfwd(&mut c, 10), code, "{hops}");
        check(&c, &[("$hdr(Max-Forwards)", then)]);
        assert_eq!(lines(&sent(&c), "Max-Forwards"), [sent_line]);
    }
}

// checked against Kamailio 5.6
#[test]
fn max_forwards_counts_again_when_asked_twice() {
    let mut c = with_hops("70");
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), 1);
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), 1);
    assert_eq!(lines(&sent(&c), "Max-Forwards"), ["Max-Forwards: 68"]);
    let mut c = with_hops("1");
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), 1);
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), -1);
}

// checked against Kamailio 5.6
#[test]
fn max_forwards_that_is_no_number() {
    for hops in ["abc", "-3"] {
        let mut c = with_hops(hops);
        assert_eq!(maxfwd::is_maxfwd_lt(&mut c, 10), -3, "{hops}");
        assert_eq!(maxfwd::process_maxfwd(&mut c, 10), -2, "{hops}");
    }
    let mut c = with_hops("");
    assert_eq!(maxfwd::is_maxfwd_lt(&mut c, 10), 1);
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), -1);
}

// checked against Kamailio 5.6
#[test]
fn max_forwards_is_added() {
    let mut c = invite_with("Max-Forwards: 70\n", "");
    assert_eq!(maxfwd::is_maxfwd_lt(&mut c, 10), -2);
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), 2);
    check(&c, &[("$hdr(Max-Forwards)", "None")]);
    assert_eq!(lines(&sent(&c), "Max-Forwards"), ["Max-Forwards: 10"]);
}

#[test]
fn max_forwards_has_a_limit_of_its_own() {
    let mut settings = env();
    settings.max_forwards_limit = 16;
    let mut c = ctx_in(settings.clone(), INVITE);
    assert_eq!(maxfwd::process_maxfwd(&mut c, 10), 1);
    assert_eq!(c.max_forwards, Some(16));
    let mut c = ctx_in(settings, &INVITE.replace("Max-Forwards: 70\n", ""));
    assert_eq!(maxfwd::process_maxfwd(&mut c, 99), 2);
    assert_eq!(c.max_forwards, Some(16));
}

const CHECKS: i64 = 17895;
const URIS: i64 = 7;

fn answer(c: &Context) -> String {
    match &c.sanity_reply {
        None => "fine".into(),
        Some((code, reason)) => format!("{code} {reason}"),
    }
}

// checked against Kamailio 5.6 with the masks that its default configuration has
#[test]
fn sanity_of_requests() {
    for (from, to, expected) in [
        ("one", "one", "fine"),
        (
            "sip:bob:pw@example.com:25070;transport=udp;x=1",
            "tel:+12",
            "fine",
        ),
        ("X-A: one", "Expires: abc", "400 Expires value is illegal"),
        (
            "X-A: one",
            "Expires: 99999999999",
            "400 Expires value is illegal",
        ),
        ("X-A: one", "Expires: 4294967295", "fine"),
        (";tag=ft1", "", "fine"),
        (
            "Contact: <sip:alice@10.0.0.1:5062;transport=udp>;expires=30, ",
            "Contact: <sip:a@:5>, ",
            "fine",
        ),
        ("X-A: one", "Authorization: Digest foo", "fine"),
        ("Supported: ", "Proxy-Require: ", "fine"),
    ] {
        let mut c = invite_with(from, to);
        let code = sanity::sanity_check(&mut c, CHECKS, URIS);
        assert_eq!(answer(&c), expected, "{to}");
        assert_eq!(code, if expected == "fine" { 1 } else { -1 });
    }
}

#[test]
fn sanity_checks_that_are_asked_for() {
    use sanity::{message, uri};
    for (from, to, checks, uris, expected) in [
        (
            "X-A: one",
            "Authorization: Digest foo",
            message::DIGEST,
            0,
            "400 Invalid digest credentials",
        ),
        (
            "X-A: one",
            "Authorization: Digest username=\"a\",realm=\"r\",nonce=\"n\",uri=\"u\",response=\"r\"",
            message::DIGEST,
            0,
            "fine",
        ),
        (
            "X-A: one",
            "Authorization: Digest",
            message::AUTH_SCHEME,
            0,
            "400 Invalid Authorization header",
        ),
        (
            "tag=ft1",
            "tag=ft1;tag=2",
            message::DUPLICATE_TAGS,
            0,
            "400 Multiple tags",
        ),
        (
            "tag=ft1",
            "tag=ft1;tagged=2",
            message::DUPLICATE_TAGS,
            0,
            "fine",
        ),
        (
            "<sip:b@10.0.0.3>",
            "<sip:@>",
            message::URIS,
            uri::CONTACT,
            "400 Invalid Contact Header",
        ),
        (
            "<sip:b@10.0.0.3>",
            "<sip:@>",
            message::URIS,
            uri::FROM,
            "fine",
        ),
        // RFC 4475 section 3.3.4
        (
            "<sip:b@10.0.0.3>",
            "<name:John_Smith>",
            message::URIS,
            uri::CONTACT,
            "400 Invalid Contact Header",
        ),
    ] {
        let mut c = invite_with(from, to);
        sanity::sanity_check(&mut c, checks, uris);
        assert_eq!(answer(&c), expected, "{to}");
    }
}

#[test]
fn sanity_of_a_rewritten_request_uri() {
    for (uri, expected) in [
        ("junk", "400 Bad Request URI"),
        ("http:bob", "416 Unsupported URI Scheme in Request URI"),
        ("urn:service:sos", "fine"),
        ("sips:a@b", "fine"),
    ] {
        let mut c = ctx(INVITE);
        sets(&mut c, "$ru", uri);
        sanity::sanity_check(&mut c, sanity::message::RURI_SCHEME, 0);
        assert_eq!(answer(&c), expected, "{uri}");
    }
}

// RFC 3261 section 16.3 step 5
#[test]
fn sanity_of_proxy_require() {
    let mut c = invite_with(
        "Supported: 100rel, timer",
        "Proxy-Require: path, foo\nProxy-Require: bar",
    );
    assert_eq!(sanity::sanity_check_defaults(&mut c), -1);
    assert_eq!(answer(&c), "420 Bad Extension");
    assert_eq!(c.reply_headers, b"Unsupported: foo, bar\r\n");
    let mut c = invite_with("Supported: 100rel, timer", "Proxy-Require: Path");
    assert_eq!(sanity::sanity_check_defaults(&mut c), 1);
}

#[test]
fn sanity_does_not_concern_responses() {
    let mut c = ctx(&RINGING.replace("Content-Length: 0", "Expires: x\nContent-Length: 0"));
    assert_eq!(sanity::sanity_check(&mut c, -1, -1), 1);
    let mut c = invite_with("X-A: one", "Expires: abc");
    assert_eq!(sanity::sanity_check(&mut c, -1, -1), -1);
    assert_eq!(sanity::sanity_check(&mut c, 0, 0), 1);
    assert_eq!(answer(&c), "fine", "the last answer is forgotten");
}

// checked against Kamailio 5.6
#[test]
fn what_kind_of_message() {
    let c = ctx(INVITE);
    assert_eq!(siputils::is_request(&c), 1);
    assert_eq!(siputils::is_reply(&c), -1);
    assert_eq!(siputils::is_first_hop(&c), -1);
    assert_eq!(siputils::has_totag(&c), -1);
    assert_eq!(siputils::is_gruu(&c), -1);
    assert_eq!((siputils::is_sip(&c), siputils::is_http(&c)), (1, -1));
    let c = ctx(REGISTER);
    assert_eq!(siputils::has_totag(&c), 1);
    let c = ctx(RINGING);
    assert_eq!((siputils::is_request(&c), siputils::is_reply(&c)), (-1, 1));
}

#[test]
fn first_hops() {
    let one_via = "Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb\n";
    let c = invite_with(one_via, "");
    assert_eq!(siputils::is_first_hop(&c), 1);
    assert_eq!(
        siputils::is_first_hop_mode(&c, 1),
        -1,
        "the source is not the Via's host"
    );
    let mut c = invite_with(one_via, "");
    c.flow.remote = "10.0.0.1:5062".parse().unwrap();
    assert_eq!(siputils::is_first_hop_mode(&c, 1), 1);
    assert_eq!(siputils::is_first_hop(&ctx(RINGING)), 1);
    let recorded =
        |uri: &str| ctx(&RINGING.replace("Call-ID", &format!("Record-Route: <{uri};lr>\nCall-ID")));
    assert_eq!(siputils::is_first_hop(&recorded("sip:127.0.0.1:25060")), 1);
    assert_eq!(siputils::is_first_hop(&recorded("sip:10.9.9.9")), -1);
}

// checked against Kamailio 5.6
#[test]
fn kinds_of_text() {
    for (text, expected) in [
        ("sip:a@b", 1),
        ("a@b", -1),
        ("sip:", -1),
        ("tel:1", 1),
        ("sips:x", 1),
        ("http:x", -1),
    ] {
        assert_eq!(siputils::is_uri(text.as_bytes()), expected, "{text}");
    }
    for (text, numeric, tel, alphanum, with_plus) in [
        ("123", 1, 1, 1, 1),
        ("+123", -2, 1, -3, 1),
        ("12a", -2, -2, 1, 1),
        ("", -2, -2, -2, -2),
        ("-1", -2, -2, -3, -3),
    ] {
        let text = text.as_bytes();
        assert_eq!(siputils::is_numeric(text), numeric);
        assert_eq!(siputils::is_tel_number(text), tel);
        assert_eq!(siputils::is_alphanum(text), alphanum);
        assert_eq!(siputils::is_alphanumex(text, b"+"), with_plus);
    }
}

// checked against Kamailio 5.6
#[test]
fn uri_parameters() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$ru", "sip:u@h;transport=udp;x=1;q");
    assert_eq!(siputils::uri_param(&c, b"transport"), -1, "has a value");
    assert_eq!(siputils::uri_param(&c, b"q"), 1);
    assert_eq!(siputils::uri_param_value(&c, b"x", b"1"), 1);
    assert_eq!(siputils::uri_param_value(&c, b"x", b"2"), -1);
    assert_eq!(siputils::uri_param_any(&c, b"x"), 1);
    assert_eq!(siputils::uri_param_any(&c, b"zz"), -1);
    assert_eq!(siputils::add_uri_param(&mut c, b"nn=2"), 1);
    assert_eq!(c.uri(), b"sip:u@h;transport=udp;x=1;q;nn=2");
    assert_eq!(siputils::uri_param_rm(&mut c, b"X"), 1);
    assert_eq!(siputils::uri_param_rm(&mut c, b"x"), -1);
    assert_eq!(c.uri(), b"sip:u@h;transport=udp;q;nn=2");
    assert_eq!(siputils::add_uri_param(&mut c, b"a b"), -1);
    sets(&mut c, "$ru", "sip:u@h");
    assert_eq!(siputils::add_uri_param(&mut c, b";a=1"), 1);
    assert_eq!(c.uri(), b"sip:u@h;a=1");
    sets(&mut c, "$ru", "sip:u@h;gr=x");
    assert_eq!(siputils::is_gruu(&c), 1);
    sets(&mut c, "$ru", "sip:u@h;gr");
    assert_eq!(siputils::is_gruu(&c), 2);
    sets(&mut c, "$ru", "junk");
    assert_eq!(siputils::add_uri_param(&mut c, b"a=1"), -1);
}

// checked against Kamailio 5.6
#[test]
fn comparisons() {
    use siputils::{cmp_aor, cmp_hdr_name, cmp_uri};
    assert_eq!(cmp_uri(b"sip:A@b.c", b"sip:A@B.C"), 1);
    assert_eq!(cmp_uri(b"sip:A@b.c;x=1", b"sip:A@B.C"), 1);
    assert_eq!(cmp_uri(b"sip:A@b.c", b"sip:a@b.c"), -1);
    assert_eq!(cmp_uri(b"junk", b"junk"), -1);
    assert_eq!(cmp_aor(b"sip:A@b.c;x=1", b"sip:A@B.C"), 1);
    assert_eq!(cmp_aor(b"sip:A@b.c", b"sip:b@B.C"), -1);
    assert_eq!(cmp_hdr_name(b"f", b"From"), 1);
    assert_eq!(cmp_hdr_name(b"X-a", b"x-A"), 1);
    assert_eq!(cmp_hdr_name(b"fx", b"From"), -1);
    assert_eq!(siputils::is_user(&ctx(REGISTER), b"au"), 1);
    assert_eq!(siputils::is_user(&ctx(REGISTER), b"other"), -1);
    assert_eq!(siputils::is_user(&ctx(INVITE), b"alice"), -1);
}
