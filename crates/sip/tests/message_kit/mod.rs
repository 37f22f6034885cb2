//! Messages for the tests of parsing, editing, building and framing.

// Each test file uses a part of it.
#![allow(dead_code)]

use bytes::Bytes;
use sipwright_sip::{Message, Span};

/// A whole INVITE with a body.
pub const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n\
    Max-Forwards: 70\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:alice@pc33.atlanta.example.com>\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 4\r\n\
    \r\n\
    body";

/// A response that passed two proxies.
pub const RINGING: &str = "SIP/2.0 180 Ringing\r\n\
    Via: SIP/2.0/UDP p2.example.com;branch=z9hG4bKp2\r\n\
    Via: SIP/2.0/TCP p1.example.com:5070;branch=z9hG4bKp1;received=192.0.2.1;rport=4711\r\n\
    From: <sip:a@example.com>;tag=1\r\n\
    To: <sip:b@example.com>;tag=2\r\n\
    Call-ID: x\r\n\
    CSeq: 1 INVITE\r\n\
    Content-Length: 0\r\n\
    \r\n";

/// Parses what must be valid.
pub fn parse(text: impl AsRef<[u8]>) -> Message {
    match Message::parse(Bytes::copy_from_slice(text.as_ref())) {
        Ok(msg) => msg,
        Err(e) => panic!("{:?}: {}", e.kind, e.reason),
    }
}

/// A request with the mandatory header fields and those of `lines`.
pub fn request(first: &str, lines: &str) -> String {
    let method = first.split(' ').next().unwrap_or_default();
    format!(
        "{first}\r\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
         From: <sip:a@example.com>;tag=1\r\n\
         To: <sip:b@example.com>\r\n\
         Call-ID: c\r\n\
         CSeq: 7 {method}\r\n\
         {lines}\r\n"
    )
}

/// An OPTIONS with the header fields of `lines`.
pub fn options(lines: &str) -> String {
    request("OPTIONS sip:b@example.com SIP/2.0", lines)
}

/// `INVITE` with one piece of text in the place of another, which must be there.
pub fn invite_with(old: &str, new: &str) -> String {
    swap(INVITE, old, new)
}

/// `text` with `new` in the place of `old`, which must be there.
pub fn swap(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old:?} is not in the message");
    text.replacen(old, new, 1)
}

/// Where `part` first is in the message.
pub fn span_of(msg: &Message, part: &str) -> Span {
    let at = memchr::memmem::find(msg.bytes(), part.as_bytes()).expect("part of the message");
    Span::new(at as u32, (at + part.len()) as u32)
}

/// As text, for readable failures.
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}
