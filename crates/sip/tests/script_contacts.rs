//! Contacts hidden in others, dates, answers to OPTIONS: module siputils.

mod script_support;

use script_support::*;
use sipwright_sip::script::{Context, ruri, siputils, textopsx};

const CONTACTS: &str =
    "Contact: <sip:alice@10.0.0.1:5062;transport=udp>;expires=30, \"B\" <sip:b@10.0.0.3>;q=0.5";

/// The Contact lines that leave, after which the edits show.
fn contacts(c: &mut Context) -> Vec<String> {
    let out = sent(c);
    assert_eq!(textopsx::msg_apply_changes(c), 1);
    lines(&out, "Contact")
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

// checked against Kamailio 5.6
#[test]
fn contacts_in_a_parameter() {
    let mut c = ctx(INVITE);
    let address = b"sip:1.2.3.4:5060;transport=tcp";
    assert_eq!(siputils::contact_param_encode(&mut c, b"ksu", address), 1);
    assert_eq!(
        contacts(&mut c),
        [
            "Contact: <sip:1.2.3.4:5060;transport=tcp;ksu=c2lwOmFsaWNlQDEwLjAuMC4xOjUwNjI7dHJhbnNwb3J0PXVkcA>;expires=30, \
          \"B\" <sip:1.2.3.4:5060;transport=tcp;ksu=c2lwOmJAMTAuMC4wLjM>;q=0.5"
        ]
    );
    assert_eq!(siputils::contact_param_check(&c, b"ksu"), 1);
    assert_eq!(siputils::contact_param_check(&c, b"none"), -1);
    assert_eq!(siputils::contact_param_rm(&mut c, b"transport"), 1);
    assert!(contacts(&mut c)[0].starts_with("Contact: <sip:1.2.3.4:5060;ksu=c2lw"));
    assert_eq!(siputils::contact_param_decode(&mut c, b"none"), 1);
    assert_eq!(siputils::contact_param_decode(&mut c, b"ksu"), 1);
    assert_eq!(contacts(&mut c), [CONTACTS]);
    assert_eq!(siputils::contact_param_encode(&mut c, b"", address), -1);
    assert_eq!(
        siputils::contact_param_encode(&mut c, b"ksu", b"nothing"),
        -1
    );
}

// checked against Kamailio 5.6, which only looks at the first Contact header field
#[test]
fn contacts_without_brackets_and_in_several_header_fields() {
    let text = INVITE.replacen(
        CONTACTS,
        "Contact: sip:al@1.1.1.1:99;tag=x\nContact: <sip:b@h>;q=1",
        1,
    );
    let mut c = ctx(&text);
    assert_eq!(
        siputils::contact_param_encode(&mut c, b"k", b"sip:9.9.9.9"),
        1
    );
    assert_eq!(
        contacts(&mut c),
        [
            "Contact: <sip:9.9.9.9;k=c2lwOmFsQDEuMS4xLjE6OTk>;tag=x",
            "Contact: <sip:9.9.9.9;k=c2lwOmJAaA>;q=1"
        ]
    );
    let mut star = ctx(&INVITE.replacen(CONTACTS, "Contact: *", 1));
    assert_eq!(
        siputils::contact_param_encode(&mut star, b"k", b"sip:9.9.9.9"),
        1
    );
    assert_eq!(siputils::encode_contact(&mut star, b"p", b"h.h"), 1);
    assert_eq!(contacts(&mut star), ["Contact: *"]);
}

// checked against Kamailio 5.6
#[test]
fn the_request_uri_in_a_parameter() {
    let mut c = ctx(INVITE);
    let mut after = |uri: &[u8]| {
        assert!(ruri::seturi(&mut c, uri));
        let code = siputils::contact_param_decode_ruri(&mut c, b"ksu");
        (code, String::from_utf8(c.uri().to_vec()).unwrap())
    };
    assert_eq!(
        after(b"sip:x@1.2.3.4;ksu=c2lwOmFsaWNlQGg;y=1"),
        (1, "sip:alice@h".to_owned())
    );
    for unusable in ["sip:x@h", "sip:x@h;ksu=c2lw!", "sip:x@h;ksu=YWJj"] {
        assert_eq!(after(unusable.as_bytes()), (-1, unusable.to_owned()));
    }
}

// checked against Kamailio 5.6
#[test]
fn contacts_in_a_user() {
    let mut c = ctx(INVITE);
    assert_eq!(siputils::encode_contact(&mut c, b"pfx", b"9.9.9.9"), 1);
    assert_eq!(
        contacts(&mut c),
        [
            "Contact: <sip:pfx*alice**10.0.0.1*5062*udp@9.9.9.9>;expires=30, \"B\" <sip:pfx*b**10.0.0.3**@9.9.9.9>;q=0.5"
        ]
    );
    assert_eq!(siputils::decode_contact_header(&mut c), 1);
    assert_eq!(contacts(&mut c), [CONTACTS]);
    assert!(ruri::seturi(
        &mut c,
        b"sip:pfx*alice*pw*192.0.2.5*5070*udp@9.9.9.9"
    ));
    assert_eq!(siputils::decode_contact(&mut c), 1);
    assert_eq!(c.uri(), b"sip:alice:pw@192.0.2.5:5070;transport=udp");
    assert!(siputils::decode_contact(&mut c) < 0);
    let mut other = env();
    other.contact_separator = Some(b'-');
    let mut c = ctx_in(other, INVITE);
    assert_eq!(siputils::encode_contact(&mut c, b"p", b"h"), 1);
    assert!(contacts(&mut c)[0].starts_with("Contact: <sip:p-alice--10.0.0.1-5062-udp@h>"));
    let mut none = ctx(&INVITE.replacen(&format!("{CONTACTS}\n"), "", 1));
    assert_eq!(siputils::encode_contact(&mut none, b"p", b"h"), -1);
    assert_eq!(siputils::decode_contact_header(&mut none), -1);
    assert_eq!(siputils::contact_param_encode(&mut none, b"p", b"sip:h"), 1);
}

// checked against Kamailio 5.6; now is Sun, 22 Nov 2026 12:53:31 GMT
#[test]
fn dates() {
    for (date, seconds, code) in [
        ("Sun, 22 Nov 2026 12:53:31 GMT", 0, 1),
        ("Sun, 22 Nov 2026 12:53:20 GMT", 10, -4),
        ("Sun, 22 Nov 2026 12:53:20 GMT", 11, 1),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1_795_352_010, 1),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1_795_352_009, -4),
        ("Tue, 29 Feb 2028 00:00:00 GMT", 0, 1),
        ("Thu, 21 Feb 2002 13:02:03 GMT", i64::MAX, 1),
        ("xx", 10, -1),
        ("Sun, 22 Nov 2026 12:53:31 CET", 10, -1),
        ("Sun, 22 Nov 2026 25:53:31 GMT", 10, -1),
        ("Sun, 40 Nov 2026 12:53:31 GMT", 10, -1),
    ] {
        let c = ctx(&INVITE.replacen("X-A: one", &format!("Date: {date}"), 1));
        assert_eq!(
            siputils::hdr_date_check(&c, seconds),
            code,
            "{date} {seconds}"
        );
    }
    assert_eq!(siputils::hdr_date_check(&ctx(INVITE), 10), -1);
}

// checked against Kamailio 5.6
#[test]
fn what_options_is_answered_with() {
    let options = INVITE
        .replacen(
            "INVITE sip:bob:pw@example.com:25070;transport=udp;x=1",
            "OPTIONS sip:example.com",
            1,
        )
        .replacen("102 INVITE", "102 OPTIONS", 1);
    let mut with_lines = env();
    with_lines.options_headers = b"Accept: */*\r\n".to_vec();
    let mut c = ctx_in(with_lines, &options);
    assert_eq!(siputils::options_headers(&mut c), 1);
    assert_eq!(c.reply_headers, b"Accept: */*\r\n");
    assert_eq!(siputils::options_headers(&mut ctx(INVITE)), -1);
    let with_user = options.replacen("sip:example.com", "sip:bob@example.com", 1);
    assert_eq!(siputils::options_headers(&mut ctx(&with_user)), -1);
}
