//! A datagram: parsing, and whatever is done to a message that parsed.

use bytes::Bytes;
use sipwright_sip::build::{
    Forward, ViaFix, ack_for, cancel_for, forward_request, forward_response, response,
    response_target,
};
use sipwright_sip::nameaddr::parse_nameaddr;
use sipwright_sip::{Edits, HeaderId, Message, Params, Span, Uri};

use crate::sample::source;

/// What parses can be written and parsed again, and is then the same; what does not parse has an
/// answer that is a message, or none.
pub fn check(data: &[u8]) {
    match Message::parse(Bytes::copy_from_slice(data)) {
        Ok(msg) => {
            round_trip(&msg);
            exercise(&msg);
        }
        Err(error) => {
            assert!(
                error.partial.is_none() || error.status.is_some(),
                "{error:?}"
            );
            if let Some(partial) = error.partial {
                exercise(&partial);
            }
        }
    }
}

/// The index covers all bytes, and reading what was written gives the same.
fn round_trip(msg: &Message) {
    let mut joined = msg.get(msg.first_line()).to_vec();
    for header in msg.headers() {
        joined.extend_from_slice(msg.get(header.full));
    }
    joined.extend_from_slice(&msg.bytes()[msg.headers_end()..]);
    assert_eq!(joined, msg.bytes()[..], "the index leaves nothing out");
    let mut written = Vec::new();
    Edits::new().apply(msg, &mut written);
    assert_eq!(written, msg.bytes()[..], "nothing was changed");
    let again = Message::parse(written.into()).expect("what parsed parses again");
    same(msg, &again);
    assert_eq!(msg.headers().len(), again.headers().len());
    assert_eq!(msg.body_offset(), again.body_offset());
}

/// What a forwarded message keeps (RFC 3261 section 16.6).
fn same(a: &Message, b: &Message) {
    assert_eq!(a.is_request(), b.is_request());
    assert_eq!(
        (a.method_name(), a.uri(), a.status(), a.reason()),
        (b.method_name(), b.uri(), b.status(), b.reason())
    );
    assert_eq!((a.call_id(), a.cseq()), (b.call_id(), b.cseq()));
    assert_eq!(
        (a.from_tag(), a.to_tag(), a.body()),
        (b.from_tag(), b.to_tag(), b.body())
    );
    assert_eq!(a.get(a.from().uri), b.get(b.from().uri));
    assert_eq!(a.get(a.to().uri), b.get(b.to().uri));
}

fn exercise(msg: &Message) {
    for header in msg.headers() {
        assert!(header.full.contains(header.value) && header.full.contains(header.name));
        for span in msg.split(header) {
            assert!(header.value.contains(span) || span.is_empty());
            let _ = parse_nameaddr(msg.get(span));
        }
        let _ = Params::new(msg.get(header.value)).count();
    }
    let _ = (
        Uri::parse(msg.uri()),
        msg.vias().count(),
        msg.max_forwards(),
    );
    let _ = response_target(msg).map(|target| (target.addr(), target.host_port()));
    let fix = ViaFix::for_request(msg, source(), true);
    if msg.is_request() {
        forwarded(msg, &fix);
        answered(msg, &fix);
        let _ = (ack_for(msg, msg), cancel_for(msg, b""));
    } else {
        let _ = forward_response(msg, &Edits::new());
    }
    edited(msg);
}

/// A complete request leaves as one, with our Via on top.
fn forwarded(msg: &Message, fix: &ViaFix) {
    let edits = Edits::new();
    let how = Forward {
        uri: None,
        via: b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfuzz\r\n",
        via_fix: *fix,
        top: b"",
        max_forwards: msg.max_forwards().map(|n| n.saturating_sub(1)),
        edits: &edits,
    };
    let sent = forward_request(msg, &how);
    if Message::parse(msg.bytes().clone()).is_err()
        || msg.headers().len() + 3 > sipwright_sip::MAX_HEADERS
    {
        return;
    }
    let again = Message::parse(sent.into()).expect("what leaves is a message");
    same(msg, &again);
    assert_eq!(again.branch(), Some(&b"z9hG4bKfuzz"[..]));
    assert!(again.content_length().is_some(), "streams need it");
}

/// An answer to what may be answered is a response that belongs to it.
fn answered(msg: &Message, fix: &ViaFix) {
    let sent = response(msg, 400, b"Bad\r\nRequest", Some(b"tag"), b"", b"", fix);
    let is_sound = Message::parse(msg.bytes().clone()).is_ok();
    match Message::parse(sent.into()) {
        Ok(answer) => {
            assert_eq!((answer.status(), answer.body()), (400, &b""[..]));
            if is_sound {
                assert_eq!(answer.call_id(), msg.call_id());
                assert_eq!(answer.branch(), msg.branch());
            }
        }
        Err(error) => assert!(!is_sound, "{error:?}"),
    }
}

fn edited(msg: &Message) {
    let mut edits = Edits::new();
    for header in msg.headers() {
        edits.remove(header.value);
    }
    edits.insert_at(0, *b"x");
    edits.replace(Span::new(1, 3), *b"yz");
    edits.set_body(*b"body", Some(b"text/plain"));
    edits.append_header(*b"X-Fuzz: 1\r\n");
    let _ = edits.removed(msg.via().span);
    let mut out = Vec::new();
    edits.apply(msg, &mut out);
    assert!(out.len() <= msg.bytes().len() + 200);
    let _ = msg.value(HeaderId::Contact);
}
