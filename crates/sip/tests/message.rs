//! Parsing of messages: the index, the parts that routing needs, errors and limits.

mod message_kit;

use bytes::Bytes;
use message_kit::{INVITE, RINGING, invite_with, options, parse, request, swap, text};
use sipwright_sip::types::Proto;
use sipwright_sip::via::Rport;
use sipwright_sip::{
    ErrorKind, HeaderId, MAX_HEADERS, MAX_LINE, Message, Method, Params, ParseError, Via,
};

fn error(message: impl AsRef<[u8]>) -> ParseError {
    Message::parse(Bytes::copy_from_slice(message.as_ref())).expect_err("must be refused")
}

// What a valid message gives.

#[test]
fn request_parts() {
    let msg = parse(INVITE);
    assert!(msg.is_request() && msg.is_answerable() && msg.is_complete());
    assert_eq!(msg.method(), Method::Invite);
    assert_eq!(text(msg.method_name()), "INVITE");
    assert_eq!(text(msg.uri()), "sip:bob@biloxi.example.com");
    assert_eq!(msg.status(), 0);
    assert_eq!(msg.reason(), b"");
    assert_eq!(
        text(msg.get(msg.first_line())),
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    );
    assert_eq!(
        text(msg.call_id()),
        "a84b4c76e66710@pc33.atlanta.example.com"
    );
    assert_eq!(msg.cseq(), 314_159);
    assert_eq!(msg.max_forwards(), Some(70));
    assert_eq!(msg.content_length(), Some(4));
    assert_eq!(msg.body(), b"body");
    assert_eq!(&msg.bytes()[msg.headers_end()..msg.body_offset()], b"\r\n");
    assert_eq!(msg.bytes(), INVITE.as_bytes());
}

#[test]
fn response_parts() {
    let msg = parse(RINGING);
    assert!(!msg.is_request() && !msg.is_answerable());
    assert_eq!((msg.status(), msg.reason()), (180, &b"Ringing"[..]));
    assert_eq!(
        (msg.method(), msg.method_name()),
        (Method::Invite, &b"INVITE"[..])
    );
    assert_eq!(msg.uri(), b"");
    assert_eq!(msg.to_tag(), Some(&b"2"[..]));
    assert_eq!(msg.body(), b"");
}

#[test]
fn addresses() {
    let msg = parse(INVITE);
    assert_eq!(msg.from_tag(), Some(&b"1928301774"[..]));
    assert_eq!(msg.to_tag(), None);
    assert_eq!(text(msg.get(msg.to().display)), "Bob");
    assert_eq!(
        text(msg.get(msg.from().uri)),
        "sip:alice@atlanta.example.com"
    );
    let bare = parse(options("").replace("<sip:b@example.com>", "sip:b@example.com;tag=x"));
    assert_eq!(bare.to_tag(), Some(&b"x"[..]));
    assert!(!bare.to().bracketed);
    let empty = parse(options("").replace("<sip:b@example.com>", "<sip:b@example.com>;tag="));
    assert_eq!(empty.to_tag(), None, "an empty tag is none");
}

#[test]
fn unknown_methods_and_headers_are_kept() {
    let msg = parse(request(
        "FOO! sip:b@example.com SIP/2.0",
        "X-Strange: ;;,,\"\r\n",
    ));
    assert_eq!(msg.method(), Method::Other);
    assert_eq!(msg.method_name(), b"FOO!");
    assert_eq!(
        msg.find(b"x-sTRANGE")
            .map(|h| text(msg.get(h.value)))
            .collect::<Vec<_>>(),
        [";;,,\""]
    );
    let lower = parse(request("invite sip:b@example.com SIP/2.0", ""));
    assert_eq!(lower.method(), Method::Other, "methods are case-sensitive");
}

#[test]
fn compact_forms_are_long_forms() {
    let msg = parse(
        "OPTIONS sip:b@example.com sip/2.0\r\nv:SIP/2.0/TLS h;branch=z9hG4bKq\r\nF : sip:a@b;tag=1\r\n\
         t:sip:b@b\r\ni:c\r\ncseq:1\tOPTIONS\r\nm:*\r\nK: path\r\nl:0\r\n\r\n",
    );
    assert_eq!(msg.via().proto, Some(Proto::Tls));
    assert_eq!(msg.call_id(), b"c");
    assert_eq!(msg.content_length(), Some(0));
    assert_eq!(msg.find(b"Contact").count(), 1);
    assert_eq!(msg.find(b"m").count(), 1);
    assert_eq!(msg.value(HeaderId::Supported), Some(&b"path"[..]));
}

#[test]
fn every_header_name_is_found_by_both_its_names() {
    for name in [
        "Via",
        "MAX-FORWARDS",
        "p-asserted-identity",
        "WWW-Authenticate",
        "CSeq",
    ] {
        let id = HeaderId::of(name.as_bytes());
        assert!(id.canonical_name().eq_ignore_ascii_case(name), "{name}");
    }
    for letter in b'a'..=b'z' {
        let id = HeaderId::of(&[letter]);
        assert_eq!(id, HeaderId::of(&[letter.to_ascii_uppercase()]));
        if id != HeaderId::Other {
            assert_eq!(id.compact(), Some(letter));
            assert_eq!(HeaderId::of(id.canonical_name().as_bytes()), id);
        }
    }
    assert_eq!(HeaderId::of(b""), HeaderId::Other);
    assert_eq!(HeaderId::of(b"Vias"), HeaderId::Other);
}

#[test]
fn folded_lines_belong_to_their_header() {
    let msg = parse(options(
        "Subject: one\r\n two\r\n\tthree\r\nAccept:\r\n  x/y\r\n",
    ));
    assert_eq!(
        msg.value(HeaderId::Subject),
        Some(&b"one\r\n two\r\n\tthree"[..])
    );
    assert_eq!(msg.value(HeaderId::Accept), Some(&b"x/y"[..]));
    let subject = msg.header(HeaderId::Subject).expect("Subject");
    assert_eq!(
        text(msg.get(subject.full)),
        "Subject: one\r\n two\r\n\tthree\r\n"
    );
    assert_eq!(text(msg.get(subject.name)), "Subject");
}

#[test]
fn empty_header_values() {
    let msg = parse(options("Supported:\r\nSubject :  \r\n"));
    assert_eq!(msg.value(HeaderId::Supported), Some(&b""[..]));
    assert_eq!(msg.value(HeaderId::Subject), Some(&b""[..]));
    assert_eq!(msg.values(HeaderId::Supported).count(), 0);
}

#[test]
fn values_span_headers_and_respect_quotes_and_brackets() {
    let msg = parse(options(
        "Route: <sip:a;x=1,2>, \"Q, \\\" <\" <sip:b>\r\nRoute:,<sip:c>;p=\"d,e\" ,\r\n",
    ));
    let values: Vec<_> = msg
        .values(HeaderId::Route)
        .map(|s| text(msg.get(s)))
        .collect();
    assert_eq!(
        values,
        [
            "<sip:a;x=1,2>",
            "\"Q, \\\" <\" <sip:b>",
            "<sip:c>;p=\"d,e\""
        ]
    );
}

#[test]
fn unbalanced_list_is_one_value() {
    let msg = parse(options(
        "Contact: \"x, <sip:a>\r\nRoute: <sip:a, <sip:b\r\n",
    ));
    assert_eq!(msg.values(HeaderId::Contact).count(), 1);
    assert_eq!(msg.values(HeaderId::Route).count(), 1);
}

#[test]
fn crlfs_before_the_first_line_are_skipped() {
    let msg = parse(format!("\r\n\r\n{INVITE}"));
    assert_eq!(msg.bytes(), INVITE.as_bytes());
    assert_eq!(msg.first_line().start, 0);
}

#[test]
fn lone_lf_ends_lines() {
    let msg = parse(INVITE.replace("\r\n", "\n"));
    assert_eq!(msg.method(), Method::Invite);
    assert_eq!(msg.headers().len(), parse(INVITE).headers().len());
    assert_eq!(msg.body(), b"body");
    assert_eq!(msg.value(HeaderId::MaxForwards), Some(&b"70"[..]));
}

#[test]
fn body_is_cut_by_content_length() {
    let msg = parse(format!("{INVITE} and what follows"));
    assert_eq!(msg.bytes(), INVITE.as_bytes());
    let whole = parse(invite_with("Content-Length: 4\r\n", "") + " to the end");
    assert_eq!(whole.content_length(), None);
    assert_eq!(whole.body(), b"body to the end");
}

#[test]
fn max_forwards_is_a_byte() {
    let of = |value: &str| parse(options(&format!("Max-Forwards: {value}\r\n"))).max_forwards();
    assert_eq!(of("0"), Some(0));
    assert_eq!(of("0068"), Some(68));
    assert_eq!(of("255"), Some(255));
    for bad in ["256", "-1", "7 0", "x", ""] {
        assert_eq!(of(bad), None, "{bad}");
    }
}

// Via.

fn via(value: &str) -> Option<(Message, Via)> {
    let msg =
        Message::parse(swap(&options(""), "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", value).into());
    let msg = msg.ok()?;
    let via = *msg.via();
    Some((msg, via))
}

#[test]
fn via_parts() {
    let (msg, via) = via(
        "SIP / 2.0 / tcp  [2001:db8::1] : 5070 ;branch = z9hG4bKx;RECEIVED=192.0.2.9 ;rport; maddr=224.0.1.75;x=\"a;b\", SIP/2.0/UDP other",
    )
    .expect("valid");
    let part = |span| text(msg.get(span));
    assert_eq!(via.proto, Some(Proto::Tcp));
    assert_eq!(part(via.transport), "tcp");
    assert_eq!(part(via.host), "[2001:db8::1]");
    assert_eq!(via.port, Some(5070));
    assert_eq!(part(via.sent_by), "[2001:db8::1] : 5070");
    assert_eq!(via.branch.map(part).as_deref(), Some("z9hG4bKx"));
    assert_eq!(via.received.map(part).as_deref(), Some("192.0.2.9"));
    assert_eq!(via.maddr.map(part).as_deref(), Some("224.0.1.75"));
    assert_eq!(
        (via.rport, part(via.rport_span)),
        (Rport::Empty, "rport".into())
    );
    assert_eq!(
        Params::new(msg.get(via.params)).get(b"x"),
        Some(&b"\"a;b\""[..])
    );
    assert_eq!(msg.vias().count(), 2);
    assert_eq!(
        msg.vias()
            .nth(1)
            .and_then(Result::ok)
            .map(|v| part(v.host))
            .as_deref(),
        Some("other")
    );
}

#[test]
fn via_without_parameters_or_port() {
    let (msg, via) = via("SIP/2.0/TLS-SCTP h_1.example.com").expect("valid");
    assert_eq!((via.proto, via.port, via.branch), (None, None, None));
    assert_eq!(via.rport, Rport::Absent);
    assert_eq!(via.port_or_default(), 5060);
    assert!(via.params.is_empty());
    assert_eq!(msg.branch(), None);
}

#[test]
fn the_first_of_repeated_via_parameters_counts() {
    let (msg, via) =
        via("SIP/2.0/UDP h;branch=;branch=one;branch=two;rport=1;rport=2").expect("valid");
    assert_eq!(via.branch.map(|s| text(msg.get(s))).as_deref(), Some("one"));
    assert_eq!(via.rport, Rport::Port(1));
}

#[test]
fn malformed_via_is_refused() {
    for bad in [
        "SIP/2.0/UDP",
        "SIP/2.0 h",
        "SIP//UDP h",
        "/2.0/UDP h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h:5060x",
        "SIP/2.0/UDP h;;branch=z",
        "SIP/2.0/UDP h;branch=z;",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP [fe80::zz]",
        "SIP/2.0/UDP h;=x",
        "SIP/2.0/UDP h;rport=65536",
        "SIP/2.0/UDP h g",
        "SIP/2.0/UDP;branch=z",
        "",
    ] {
        assert!(via(bad).is_none(), "{bad:?}");
    }
}

// Errors.

/// What is wrong, with the line of `INVITE` that is changed for it.
const REFUSED: &[(&str, &str, ErrorKind)] = &[
    (
        "INVITE sip:bob@biloxi.example.com SIP/2.0",
        "INVITE sip:bob@biloxi.example.com",
        ErrorKind::StartLine,
    ),
    ("INVITE sip:bob", "INVITE  sip:bob", ErrorKind::StartLine),
    ("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia", ErrorKind::StartLine),
    ("INVITE sip:", "IN@VITE sip:", ErrorKind::StartLine),
    (" SIP/2.0\r\nVia", " HTTP/1.1\r\nVia", ErrorKind::StartLine),
    (" SIP/2.0\r\nVia", " SIP/2\r\nVia", ErrorKind::StartLine),
    (" SIP/2.0\r\nVia", " SIP/2.1\r\nVia", ErrorKind::Version),
    (
        "sip:bob@biloxi.example.com SIP",
        "<sip:bob@biloxi.example.com> SIP",
        ErrorKind::RequestUri,
    ),
    (
        "sip:bob@biloxi.example.com SIP",
        "sip:b@h?Route=x SIP",
        ErrorKind::RequestUri,
    ),
    (
        "sip:bob@biloxi.example.com SIP",
        "sip:b@ SIP",
        ErrorKind::RequestUri,
    ),
    ("Max-Forwards: 70", "Max-Forwards 70", ErrorKind::HeaderLine),
    ("Max-Forwards: 70", ": 70", ErrorKind::HeaderLine),
    (
        "Max-Forwards: 70",
        "Max@Forwards: 70",
        ErrorKind::HeaderLine,
    ),
    (
        "Max-Forwards: 70",
        "Max-Forwards\r\n : 70",
        ErrorKind::HeaderLine,
    ),
    (
        "Max-Forwards: 70",
        "Subject: x\rRoute: <sip:evil>",
        ErrorKind::HeaderLine,
    ),
    (
        "CSeq: 314159 INVITE",
        "CSeq: 1 INVITE\r\nCSeq: 1 INVITE",
        ErrorKind::Duplicate(HeaderId::CSeq),
    ),
    (
        "Content-Length: 4",
        "Content-Length: 4\r\nl: 4",
        ErrorKind::Duplicate(HeaderId::ContentLength),
    ),
    (
        "Call-ID: a84b4c76e66710@pc33.atlanta.example.com",
        "Call-ID:",
        ErrorKind::Header(HeaderId::CallId),
    ),
    (
        "CSeq: 314159 INVITE",
        "CSeq: 314159 ACK",
        ErrorKind::MethodMismatch,
    ),
    (
        "CSeq: 314159 INVITE",
        "CSeq: INVITE",
        ErrorKind::Header(HeaderId::CSeq),
    ),
    (
        "CSeq: 314159 INVITE",
        "CSeq: 1INVITE",
        ErrorKind::Header(HeaderId::CSeq),
    ),
    (
        "CSeq: 314159 INVITE",
        "CSeq: 2147483648 INVITE",
        ErrorKind::Header(HeaderId::CSeq),
    ),
    (
        "CSeq: 314159 INVITE",
        "CSeq: 36893488147419103232 INVITE",
        ErrorKind::Header(HeaderId::CSeq),
    ),
    (
        "Content-Length: 4",
        "Content-Length: -4",
        ErrorKind::Header(HeaderId::ContentLength),
    ),
    (
        "Content-Length: 4",
        "Content-Length: 4294967300",
        ErrorKind::Header(HeaderId::ContentLength),
    ),
    (
        "Content-Length: 4",
        "Content-Length: 4 4",
        ErrorKind::Header(HeaderId::ContentLength),
    ),
    (
        "Content-Length: 4",
        "Content-Length: 5",
        ErrorKind::Truncated,
    ),
    (
        "To: Bob <sip:bob@biloxi.example.com>",
        "To: \"Bob <sip:bob@b>",
        ErrorKind::Header(HeaderId::To),
    ),
    (
        "To: Bob <sip:bob@biloxi.example.com>",
        "To: Bob <sip:bob@b",
        ErrorKind::Header(HeaderId::To),
    ),
    (
        "To: Bob <sip:bob@biloxi.example.com>",
        "To: Bob",
        ErrorKind::Header(HeaderId::To),
    ),
    (
        "To: Bob <sip:bob@biloxi.example.com>",
        "To: <sip:b@b> x",
        ErrorKind::Header(HeaderId::To),
    ),
    (
        "To: Bob <sip:bob@biloxi.example.com>",
        "To: sip:b@b?x=y",
        ErrorKind::Header(HeaderId::To),
    ),
    (
        "To: Bob <sip:bob@biloxi.example.com>",
        "To: <>",
        ErrorKind::Header(HeaderId::To),
    ),
];

#[test]
fn malformed_requests_can_be_answered() {
    for (old, new, kind) in REFUSED {
        let e = error(invite_with(old, new));
        assert_eq!(e.kind, *kind, "{new:?}");
        let status = if *kind == ErrorKind::Version {
            505
        } else {
            400
        };
        assert_eq!(e.status, Some(status), "{new:?}");
        let partial = e.partial.expect("has a usable Via");
        assert!(partial.is_complete(), "{new:?}");
        assert_eq!(
            text(partial.get(partial.via().host)),
            "pc33.atlanta.example.com"
        );
    }
}

#[test]
fn missing_header_fields() {
    for (line, id) in [
        (
            "From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n",
            HeaderId::From,
        ),
        ("To: Bob <sip:bob@biloxi.example.com>\r\n", HeaderId::To),
        (
            "Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n",
            HeaderId::CallId,
        ),
        ("CSeq: 314159 INVITE\r\n", HeaderId::CSeq),
    ] {
        let e = error(invite_with(line, ""));
        assert_eq!((e.kind, e.status), (ErrorKind::Missing(id), Some(400)));
        assert!(!e.partial.expect("still has a Via").is_complete());
    }
    let e = error(invite_with(
        "Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n",
        "",
    ));
    assert_eq!(e.kind, ErrorKind::Missing(HeaderId::Via));
    assert!(e.partial.is_none(), "nobody to answer");
}

#[test]
fn malformed_responses_and_acks_are_dropped() {
    for (old, new, kind) in [
        ("180 Ringing", "4294967301 big", ErrorKind::Status),
        ("180 Ringing", "99 low", ErrorKind::Status),
        ("180 Ringing", "0180 long", ErrorKind::Status),
        ("180 Ringing", "700 high", ErrorKind::Status),
        ("SIP/2.0 180", "SIP/3.0 180", ErrorKind::Version),
        ("180 Ringing", "180 Ring\ring", ErrorKind::HeaderLine),
        (
            "CSeq: 1 INVITE",
            "CSeq: 9292394834772304023312 INVITE",
            ErrorKind::Header(HeaderId::CSeq),
        ),
        (
            "Content-Length: 0",
            "Content-Length: 1",
            ErrorKind::Truncated,
        ),
    ] {
        let e = error(swap(RINGING, old, new));
        assert_eq!((e.kind, e.status), (kind, None), "{new}");
        assert!(e.partial.is_none());
    }
    let ack = error(request(
        "ACK sip:b@example.com SIP/2.0",
        "Content-Length: 9\r\n",
    ));
    assert_eq!(ack.status, None);
    assert!(ack.partial.is_none());
}

#[test]
fn reason_phrase_may_be_missing() {
    assert_eq!(parse(swap(RINGING, "180 Ringing", "180 ")).reason(), b"");
    assert_eq!(parse(swap(RINGING, "180 Ringing", "180")).status(), 180);
}

#[test]
fn nothing_but_crlfs_is_empty() {
    for keep_alive in ["", "\r\n", "\r\n\r\n", "\n"] {
        let e = error(keep_alive);
        assert_eq!((e.kind, e.status), (ErrorKind::Empty, None));
    }
}

#[test]
fn header_block_must_end() {
    let e = error(&INVITE[..INVITE.len() - 6]);
    assert_eq!((e.kind, e.status), (ErrorKind::Unterminated, Some(400)));
    assert!(e.partial.is_some());
    assert_eq!(error("INVITE").kind, ErrorKind::StartLine);
}

#[test]
fn first_error_is_reported() {
    let two = swap(
        &invite_with("SIP/2.0\r\nVia", "SIP/9.0\r\nVia"),
        "Content-Length: 4",
        "Content-Length: x",
    );
    assert_eq!(error(two).kind, ErrorKind::Version);
}

#[test]
fn limits() {
    let many = "X: y\r\n".repeat(MAX_HEADERS);
    assert_eq!(error(options(&many)).kind, ErrorKind::TooManyHeaders);
    parse(options(&"X: y\r\n".repeat(MAX_HEADERS - 5)));
    let long = format!("X: {}\r\n", "y".repeat(MAX_LINE));
    let e = error(options(&long));
    assert_eq!((e.kind, e.status), (ErrorKind::TooLarge, Some(513)));
    let folded = format!("X: {}\r\n", "y\r\n ".repeat(MAX_LINE / 4));
    assert_eq!(error(options(&folded)).kind, ErrorKind::TooLarge);
}
