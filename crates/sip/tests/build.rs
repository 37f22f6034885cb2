//! Responses, forwarded messages, ACK and CANCEL, byte for byte.

mod message_kit;

use std::net::SocketAddr;

use message_kit::{INVITE, RINGING, invite_with, options, parse, request, swap, text};
use sipwright_sip::build::{
    Forward, ViaFix, ViaTarget, ack_for, cancel_for, default_reason, forward_request,
    forward_response, response, response_target,
};
use sipwright_sip::{Edits, HeaderId, Message};

const NO_FIX: ViaFix = ViaFix {
    received: None,
    rport: None,
};

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn answer(msg: &Message, code: u16) -> String {
    text(response(msg, code, b"", Some(b"t1"), b"", b"", &NO_FIX))
}

// Responses (RFC 3261 section 8.2.6).

#[test]
fn response_copies_what_it_must() {
    let msg = parse(INVITE);
    let out = response(
        &msg,
        404,
        b"Nobody",
        Some(b"314159"),
        b"Server: x\r\n",
        b"",
        &NO_FIX,
    );
    assert_eq!(
        text(out),
        "SIP/2.0 404 Nobody\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n\
         To: Bob <sip:bob@biloxi.example.com>;tag=314159\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
         CSeq: 314159 INVITE\r\n\
         Server: x\r\n\
         Content-Length: 0\r\n\
         \r\n"
    );
}

#[test]
fn response_with_body() {
    let extra = b"Content-Type: text/plain\r\n";
    let out = text(response(
        &parse(INVITE),
        200,
        b"",
        None,
        extra,
        b"hello",
        &NO_FIX,
    ));
    assert!(out.starts_with("SIP/2.0 200 OK\r\n"));
    assert!(out.ends_with("Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"));
    assert_eq!(parse(&out).body(), b"hello");
}

#[test]
fn to_tag_is_added_once_and_not_to_100() {
    let tagged = parse(swap(
        INVITE,
        "biloxi.example.com>\r\n",
        "biloxi.example.com>;tag=old\r\n",
    ));
    assert_eq!(parse(answer(&tagged, 200)).to_tag(), Some(&b"old"[..]));
    let msg = parse(INVITE);
    assert_eq!(parse(answer(&msg, 100)).to_tag(), None);
    assert_eq!(parse(answer(&msg, 101)).to_tag(), Some(&b"t1"[..]));
    let bare = parse(swap(
        INVITE,
        "Bob <sip:bob@biloxi.example.com>",
        "sip:bob@biloxi.example.com ;x=y",
    ));
    assert!(answer(&bare, 200).contains("To: sip:bob@biloxi.example.com ;x=y;tag=t1\r\n"));
}

#[test]
fn record_route_goes_into_101_to_299_of_dialog_requests() {
    let lines = "Record-Route: <sip:a;lr>\r\nRecord-Route:<sip:b;lr>\r\n";
    let invite = parse(request("INVITE sip:b@h SIP/2.0", lines));
    for (code, copied) in [(100, 0), (180, 2), (200, 2), (302, 0), (404, 0)] {
        let reply = parse(answer(&invite, code));
        assert_eq!(reply.all(HeaderId::RecordRoute).count(), copied, "{code}");
    }
    let other = parse(request("OPTIONS sip:b@h SIP/2.0", lines));
    assert_eq!(
        parse(answer(&other, 200))
            .all(HeaderId::RecordRoute)
            .count(),
        0
    );
}

#[test]
fn timestamp_goes_into_100() {
    let msg = parse(options("Timestamp: 54.2\r\n"));
    assert!(answer(&msg, 100).contains("Timestamp: 54.2\r\n"));
    assert!(!answer(&msg, 200).contains("Timestamp"));
}

#[test]
fn every_via_is_copied_in_order() {
    let msg = parse(options(
        "Via: SIP/2.0/TCP b, SIP/2.0/UDP c\r\nv: SIP/2.0/UDP d\r\n",
    ));
    let source = addr("203.0.113.9:7000");
    let fix = ViaFix::for_request(&msg, source, true);
    let out = text(response(&msg, 200, b"", None, b"", b"", &fix));
    assert!(out.contains(
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;rport=7000;received=203.0.113.9\r\n"
    ));
    assert!(out.contains("Via: SIP/2.0/TCP b, SIP/2.0/UDP c\r\nv: SIP/2.0/UDP d\r\n"));
}

#[test]
fn lines_of_a_response_end_in_crlf() {
    let msg = parse(INVITE.replace("\r\n", "\n"));
    assert_eq!(answer(&msg, 200), answer(&parse(INVITE), 200));
}

#[test]
fn reason_phrase_stays_on_its_line() {
    let out = response(&parse(INVITE), 200, b"OK\r\nX: y", None, b"", b"", &NO_FIX);
    assert!(text(out).starts_with("SIP/2.0 200 OK  X: y\r\nVia"));
}

#[test]
fn reasons_by_code_and_by_class() {
    for (code, reason) in [
        (100, "Trying"),
        (483, "Too Many Hops"),
        (499, "Bad Request"),
        (999, "Unknown"),
    ] {
        assert_eq!(default_reason(code), reason);
    }
}

#[test]
fn malformed_requests_are_answered_from_what_is_there() {
    let broken = invite_with("CSeq: 314159 INVITE\r\n", "");
    let e = Message::parse(broken.into()).expect_err("no CSeq");
    let partial = e.partial.expect("has a Via");
    let out = answer(&partial, 400);
    assert!(out.starts_with("SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP pc33"));
    assert!(!out.contains("CSeq"));
}

// The sender's Via (RFC 3261 section 18.2.1, RFC 3581 section 4).

/// The top Via of a request with `via`, after it came from `source`.
fn fixed(via: &str, source: &str, force_rport: bool) -> String {
    let msg = parse(options("").replace("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", via));
    let fix = ViaFix::for_request(&msg, addr(source), force_rport);
    let out = parse(response(&msg, 200, b"", None, b"", b"", &fix));
    let forwarded = parse(forward_request(&msg, &plain(&Edits::new(), fix)));
    let written = text(out.value(HeaderId::Via).expect("Via"));
    assert_eq!(text(forwarded.value(HeaderId::Via).expect("Via")), written);
    written
}

#[test]
fn received_is_added_when_sent_by_differs() {
    let plain = "SIP/2.0/UDP 192.0.2.1:5061;branch=z";
    assert_eq!(fixed(plain, "192.0.2.1:9", false), plain);
    assert_eq!(
        fixed(plain, "192.0.2.2:9", false),
        format!("{plain};received=192.0.2.2")
    );
    assert_eq!(
        fixed("SIP/2.0/UDP h", "192.0.2.2:9", false),
        "SIP/2.0/UDP h;received=192.0.2.2"
    );
    assert_eq!(
        fixed("SIP/2.0/UDP [2001:db8::9:1]", "[2001:db8::9:255]:1", false),
        "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255"
    );
    assert_eq!(
        fixed("SIP/2.0/UDP [2001:DB8:0::1]", "[2001:db8::1]:1", false),
        "SIP/2.0/UDP [2001:DB8:0::1]"
    );
    assert_eq!(
        fixed(plain, "[::ffff:192.0.2.1]:9", false),
        plain,
        "an IPv4 address all the same"
    );
}

#[test]
fn rport_is_filled_and_brings_received() {
    assert_eq!(
        fixed(
            "SIP/2.0/UDP 192.0.2.1;rport;branch=z",
            "192.0.2.1:9988",
            false
        ),
        "SIP/2.0/UDP 192.0.2.1;rport=9988;branch=z;received=192.0.2.1"
    );
    assert_eq!(
        fixed("SIP/2.0/UDP h;rport=;x", "192.0.2.1:9988", false),
        "SIP/2.0/UDP h;rport=9988;x;received=192.0.2.1"
    );
    assert_eq!(
        fixed("SIP/2.0/UDP 192.0.2.1", "192.0.2.1:9988", true),
        "SIP/2.0/UDP 192.0.2.1;rport=9988;received=192.0.2.1"
    );
}

#[test]
fn what_the_sender_made_up_is_replaced() {
    assert_eq!(
        fixed(
            "SIP/2.0/UDP 192.0.2.1;received=6.6.6.6",
            "192.0.2.1:1",
            false
        ),
        "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1"
    );
    assert_eq!(
        fixed(
            "SIP/2.0/UDP 192.0.2.1;rport=666;received=6.6.6.6",
            "192.0.2.1:5060",
            false
        ),
        "SIP/2.0/UDP 192.0.2.1;rport=5060;received=192.0.2.1"
    );
    assert_eq!(
        fixed(
            "SIP/2.0/UDP 192.0.2.1 ; rport = 666 ; received = [::1]",
            "192.0.2.1:5060",
            false
        ),
        "SIP/2.0/UDP 192.0.2.1 ; rport=5060 ; received = 192.0.2.1"
    );
}

#[test]
fn only_the_first_of_several_values_is_fixed() {
    assert_eq!(
        fixed(
            "SIP/2.0/UDP a;branch=z , SIP/2.0/UDP b",
            "192.0.2.1:1",
            false
        ),
        "SIP/2.0/UDP a;branch=z;received=192.0.2.1 , SIP/2.0/UDP b"
    );
}

// Forwarded requests (RFC 3261 section 16.6).

const OUR_VIA: &[u8] = b"Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKours\r\n";

fn plain(edits: &Edits, via_fix: ViaFix) -> Forward<'_> {
    Forward {
        uri: None,
        via: b"",
        via_fix,
        top: b"",
        max_forwards: None,
        edits,
    }
}

#[test]
fn untouched_request_is_forwarded_as_it_came() {
    let msg = parse(INVITE);
    assert_eq!(
        text(forward_request(&msg, &plain(&Edits::new(), NO_FIX))),
        INVITE
    );
}

#[test]
fn a_proxy_adds_its_own_and_nothing_else() {
    let msg = parse(INVITE);
    let how = Forward {
        uri: Some(b"sip:bob@192.0.2.4"),
        via: OUR_VIA,
        via_fix: ViaFix::for_request(&msg, addr("192.0.2.1:5060"), false),
        top: b"Record-Route: <sip:p;lr>\r\n",
        max_forwards: Some(69),
        edits: &Edits::new(),
    };
    let want = invite_with("sip:bob@biloxi.example.com SIP", "sip:bob@192.0.2.4 SIP");
    let want = swap(
        &want,
        "Via: ",
        &(text(OUR_VIA) + "Record-Route: <sip:p;lr>\r\nVia: "),
    );
    let want = swap(&want, "K776asdhds", "K776asdhds;received=192.0.2.1");
    assert_eq!(
        text(forward_request(&msg, &how)),
        swap(&want, ": 70", ": 69")
    );
}

#[test]
fn max_forwards_and_length_are_added_when_missing() {
    let msg = parse(options(""));
    let edits = Edits::new();
    let how = Forward {
        via: OUR_VIA,
        max_forwards: Some(70),
        ..plain(&edits, NO_FIX)
    };
    let want = swap(
        &options("Content-Length: 0\r\n"),
        "Via",
        &(text(OUR_VIA) + "Max-Forwards: 70\r\nVia"),
    );
    assert_eq!(text(forward_request(&msg, &how)), want);
}

#[test]
fn max_forwards_of_the_script_wins() {
    let msg = parse(INVITE);
    let header = *msg.header(HeaderId::MaxForwards).expect("present");
    let mut edits = Edits::new();
    edits.replace(header.value, "10");
    let how = Forward {
        max_forwards: Some(69),
        ..plain(&edits, NO_FIX)
    };
    assert_eq!(
        text(forward_request(&msg, &how)),
        invite_with(": 70", ": 10")
    );
    let mut gone = Edits::new();
    gone.remove(header.full);
    let how = Forward {
        max_forwards: Some(69),
        ..plain(&gone, NO_FIX)
    };
    let want = invite_with("Max-Forwards: 70\r\n", "");
    assert_eq!(
        text(forward_request(&msg, &how)),
        swap(&want, "Via", "Max-Forwards: 69\r\nVia")
    );
}

#[test]
fn order_on_top_is_via_then_lines_then_edits() {
    let msg = parse(INVITE);
    let mut edits = Edits::new();
    edits.prepend_header("X-Edit: 1\r\n");
    edits.set_uri("sip:edits");
    let how = Forward {
        via: OUR_VIA,
        top: b"Route: <sip:r;lr>\r\n",
        ..plain(&edits, NO_FIX)
    };
    let out = text(forward_request(&msg, &how));
    let top = text(OUR_VIA) + "Route: <sip:r;lr>\r\nX-Edit: 1\r\nVia: SIP/2.0/UDP pc33";
    assert!(
        out.starts_with(&format!("INVITE sip:edits SIP/2.0\r\n{top}")),
        "{out}"
    );
    let how = Forward {
        uri: Some(b"sip:forward"),
        ..how
    };
    assert!(text(forward_request(&msg, &how)).starts_with("INVITE sip:forward SIP/2.0\r\n"));
}

#[test]
fn top_routes_are_removed_by_edits() {
    let lines = "Route: <sip:me;lr>, <sip:next;lr>\r\nRoute: <sip:last;lr>\r\n";
    let msg = parse(options(lines));
    let routes: Vec<_> = msg.values(HeaderId::Route).collect();
    let mut edits = Edits::new();
    edits.remove(sipwright_sip::Span::new(routes[0].start, routes[1].start));
    let out = text(forward_request(&msg, &plain(&edits, NO_FIX)));
    assert_eq!(
        out,
        options("Route: <sip:next;lr>\r\nRoute: <sip:last;lr>\r\nContent-Length: 0\r\n")
    );
    edits.remove(msg.header(HeaderId::Route).expect("Route").full);
    let out = text(forward_request(&msg, &plain(&edits, NO_FIX)));
    assert_eq!(
        out,
        options("Route: <sip:last;lr>\r\nContent-Length: 0\r\n")
    );
}

#[test]
fn a_removed_via_is_not_fixed() {
    let msg = parse(options("Via: SIP/2.0/UDP second\r\nContent-Length: 0\r\n"));
    let mut edits = Edits::new();
    edits.remove(msg.header(HeaderId::Via).expect("Via").full);
    let fix = ViaFix::for_request(&msg, addr("9.9.9.9:9"), true);
    let out = text(forward_request(&msg, &plain(&edits, fix)));
    assert!(!out.contains("9.9.9.9"), "{out}");
}

// Forwarded responses (RFC 3261 section 16.7).

#[test]
fn top_via_of_a_response_goes() {
    let msg = parse(RINGING);
    let want = swap(
        RINGING,
        "Via: SIP/2.0/UDP p2.example.com;branch=z9hG4bKp2\r\n",
        "",
    );
    assert_eq!(text(forward_response(&msg, &Edits::new())), want);
}

#[test]
fn only_the_first_value_goes_when_one_header_holds_several() {
    let joined = swap(
        RINGING,
        "K p2\r\nVia: ".replace("K ", "K").as_str(),
        "Kp2 ,\r\n ",
    );
    let msg = parse(&joined);
    let want = swap(
        &joined,
        "SIP/2.0/UDP p2.example.com;branch=z9hG4bKp2 ,\r\n ",
        "",
    );
    assert_eq!(text(forward_response(&msg, &Edits::new())), want);
}

#[test]
fn edits_of_a_response() {
    let msg = parse(RINGING);
    let mut edits = Edits::new();
    edits.append_header("X: y\r\n");
    edits.remove(msg.header(HeaderId::Via).expect("Via").full);
    let want = swap(
        RINGING,
        "Via: SIP/2.0/UDP p2.example.com;branch=z9hG4bKp2\r\n",
        "",
    );
    let want = swap(&want, "\r\n\r\n", "\r\nX: y\r\n\r\n");
    assert_eq!(text(forward_response(&msg, &edits)), want);
}

// Where a response goes (RFC 3261 section 18.2.2).

#[test]
fn target_is_the_second_via() {
    let msg = parse(RINGING);
    let target = response_target(&msg).expect("two Vias");
    assert_eq!(text(target.host), "p1.example.com");
    assert_eq!((target.port, target.rport), (Some(5070), Some(4711)));
    assert_eq!(target.addr(), Some(addr("192.0.2.1:4711")));
    let ours = parse(forward_response(&msg, &Edits::new()));
    assert!(response_target(&ours).is_none());
    let broken = parse(swap(RINGING, "SIP/2.0/TCP p1", "SIP/2.0 p1"));
    assert!(response_target(&broken).is_none());
}

#[test]
fn target_addresses() {
    for (via, want) in [
        ("SIP/2.0/UDP 192.0.2.7", Ok("192.0.2.7:5060")),
        ("SIP/2.0/TLS 192.0.2.7", Ok("192.0.2.7:5061")),
        (
            "SIP/2.0/UDP 192.0.2.7:99;received=192.0.2.8",
            Ok("192.0.2.8:99"),
        ),
        (
            "SIP/2.0/UDP h;received=2001:db8::8;rport=77",
            Ok("[2001:db8::8]:77"),
        ),
        (
            "SIP/2.0/UDP h;received=[2001:db8::8]",
            Ok("[2001:db8::8]:5060"),
        ),
        (
            "SIP/2.0/UDP 192.0.2.7:99;received=192.0.2.8;maddr=192.0.2.9",
            Ok("192.0.2.8:99"),
        ),
        (
            "SIP/2.0/TCP 192.0.2.7:99;received=192.0.2.8;maddr=224.2.0.1",
            Ok("192.0.2.8:99"),
        ),
        ("SIP/2.0/UDP h:99;received=bad", Err(("h", 99))),
        ("SIP/2.0/UDP h;maddr=192.0.2.9", Err(("h", 5060))),
    ] {
        let msg = parse(options("").replace("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", via));
        let target = ViaTarget::of(&msg, msg.via());
        match want {
            Ok(want) => assert_eq!(target.addr(), Some(addr(want)), "{via}"),
            Err((host, port)) => {
                assert_eq!(target.addr(), None, "{via}");
                assert_eq!(target.host_port(), (host.as_bytes(), port), "{via}");
            }
        }
    }
}

// ACK and CANCEL.

const SENT: &str = "INVITE sip:bob@192.0.2.4 SIP/2.0\r\n\
    Via: SIP/2.0/UDP p;branch=z9hG4bKp , SIP/2.0/UDP c;branch=z9hG4bKc\r\n\
    Via: SIP/2.0/UDP d\r\n\
    Max-Forwards: 12\r\n\
    Record-Route: <sip:p;lr>\r\n\
    Route: <sip:r1;lr>\r\n\
    f: Alice <sip:alice@h>;tag=88sja8x\r\n\
    To: Bob <sip:bob@h>\r\n\
    route: <sip:r2;lr>\r\n\
    Call-ID: 987asjd97y7atg\r\n\
    CSeq: 986759 INVITE\r\n\
    Proxy-Require: foo\r\n\
    Content-Length: 0\r\n\
    \r\n";

#[test]
fn ack_for_a_final_response() {
    // RFC 3261 section 17.1.1.3.
    let busy = parse(swap(RINGING, "180 Ringing", "486 Busy Here"));
    assert_eq!(
        text(ack_for(&parse(SENT), &busy)),
        "ACK sip:bob@192.0.2.4 SIP/2.0\r\n\
         Via: SIP/2.0/UDP p;branch=z9hG4bKp\r\n\
         Max-Forwards: 12\r\n\
         Route: <sip:r1;lr>\r\n\
         f: Alice <sip:alice@h>;tag=88sja8x\r\n\
         To: <sip:b@example.com>;tag=2\r\n\
         route: <sip:r2;lr>\r\n\
         Call-ID: 987asjd97y7atg\r\n\
         CSeq: 986759 ACK\r\n\
         Content-Length: 0\r\n\
         \r\n"
    );
}

#[test]
fn a_cancel_has_max_forwards_even_if_its_request_had_none() {
    // RFC 3261 section 8.1.1.6.
    let sent = parse(swap(SENT, "Max-Forwards: 12\r\n", ""));
    let cancel = text(cancel_for(&sent, b""));
    assert!(cancel.contains("\r\nMax-Forwards: 70\r\n"), "{cancel}");
}

#[test]
fn cancel_for_a_pending_request() {
    // RFC 3261 section 9.1.
    let reason = b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    assert_eq!(
        text(cancel_for(&parse(SENT), reason)),
        "CANCEL sip:bob@192.0.2.4 SIP/2.0\r\n\
         Via: SIP/2.0/UDP p;branch=z9hG4bKp\r\n\
         Max-Forwards: 12\r\n\
         Route: <sip:r1;lr>\r\n\
         f: Alice <sip:alice@h>;tag=88sja8x\r\n\
         To: Bob <sip:bob@h>\r\n\
         route: <sip:r2;lr>\r\n\
         Call-ID: 987asjd97y7atg\r\n\
         CSeq: 986759 CANCEL\r\n\
         Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n\
         Content-Length: 0\r\n\
         \r\n"
    );
}
