//! Requests of our own, and the ACK for a 2xx to an INVITE of ours.

use bytes::Bytes;
use sipwright_sip::Message;
use sipwright_sip::build::{LocalError, LocalRequest, ack_for_2xx, local_request};

const VIA: &[u8] = b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx\r\n";

fn spec<'a>(headers: &'a str) -> LocalRequest<'a> {
    LocalRequest {
        method: b"OPTIONS",
        uri: b"sip:bob@example.com",
        headers: headers.as_bytes(),
        body: b"",
        via: VIA,
        from_tag: b"tag",
        call_id: b"callid",
        user_agent: b"UA",
    }
}

fn text(request: &LocalRequest<'_>) -> Result<String, LocalError> {
    let bytes = local_request(request)?;
    Message::parse(Bytes::from(bytes.clone())).expect("valid");
    Ok(String::from_utf8(bytes).expect("text"))
}

#[test]
fn what_is_missing_is_made_up() {
    let made = text(&spec(
        "From: <sip:a@x>\r\nTo: <sip:b@y>\r\nX-Own: 1,\r\n 2\r\n",
    ));
    let expected = "OPTIONS sip:bob@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx\r\n\
        To: <sip:b@y>\r\nFrom: <sip:a@x>;tag=tag\r\nCSeq: 10 OPTIONS\r\nCall-ID: callid\r\n\
        Max-Forwards: 70\r\nUser-Agent: UA\r\nX-Own: 1,\r\n 2\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(made.as_deref(), Ok(expected));
}

#[test]
fn what_is_given_is_kept() {
    let given = "f: A <sip:a@x>;x=y;tag=mine\r\nt: <sip:b@y>;tag=theirs\r\ni: own@id\r\n\
        CSeq: 77  OPTIONS\r\nMax-Forwards: 5\r\nUser-Agent: Mine\r\nVia: SIP/2.0/UDP evil\r\n\
        c: text/plain\r\nl: 999\r\n";
    let request = LocalRequest {
        body: b"hello",
        ..spec(given)
    };
    let expected = "To: <sip:b@y>;tag=theirs\r\nFrom: A <sip:a@x>;x=y;tag=mine\r\nCSeq: 77 OPTIONS\r\n\
        Call-ID: own@id\r\nMax-Forwards: 5\r\nUser-Agent: Mine\r\nc: text/plain\r\n\
        Content-Length: 5\r\n\r\nhello";
    let made = text(&request).expect("valid");
    let (_, after) = made.split_once("branch=z9hG4bKx\r\n").expect("our Via");
    assert_eq!(after, expected);
}

#[test]
fn what_cannot_be_sent() {
    let both = "From: <sip:a@x>\r\nTo: <sip:b@y>\r\n";
    for (headers, why) in [
        ("", LocalError::To),
        ("To: <sip:b@y>\r\n", LocalError::From),
        ("From: <sip:a@x>\r\n", LocalError::To),
        ("From: <sip:a@x>\r\nTo: <sip:b@y>", LocalError::Header),
        ("From: <sip:a@x>\nTo: <sip:b@y>\r\n", LocalError::Header),
        (
            "From: <sip:a@x>\r\n\r\nTo: <sip:b@y>\r\n",
            LocalError::Header,
        ),
        ("bad header\r\n", LocalError::Header),
        (": x\r\n", LocalError::Header),
        ("X: a\rb\r\n", LocalError::Header),
    ] {
        assert_eq!(local_request(&spec(headers)), Err(why), "{headers:?}");
    }
    for cseq in [
        "CSeq: 77",
        "CSeq: 1 INVITE",
        "CSeq: x OPTIONS",
        "CSeq: 12345678901 OPTIONS",
    ] {
        let headers = format!("{both}{cseq}\r\n");
        assert_eq!(
            local_request(&spec(&headers)),
            Err(LocalError::CSeq),
            "{cseq}"
        );
    }
    let base = spec(both);
    let body = LocalRequest { body: b"x", ..base };
    assert_eq!(local_request(&body), Err(LocalError::ContentType));
    for uri in ["notauri", "sip:a@b\r\nX: y", "sip:a b@c", ""] {
        let uri = LocalRequest {
            uri: uri.as_bytes(),
            ..base
        };
        assert_eq!(local_request(&uri), Err(LocalError::Uri));
    }
    for method in ["", "A B", "X\r\nY"] {
        let method = LocalRequest {
            method: method.as_bytes(),
            ..base
        };
        assert_eq!(local_request(&method), Err(LocalError::Method));
    }
}

fn invite() -> Message {
    let headers = "From: <sip:a@x>;tag=f\r\nTo: <sip:b@y>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n";
    let request = LocalRequest {
        method: b"INVITE",
        ..spec(headers)
    };
    Message::parse(local_request(&request).expect("valid").into()).expect("valid")
}

fn acked(lines: &str) -> (String, String) {
    let reply = format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=f\r\n\
         To: <sip:b@y>;tag=t\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    let reply = Message::parse(reply.into_bytes().into()).expect("valid");
    let (bytes, hop) = ack_for_2xx(&invite(), &reply, VIA);
    Message::parse(bytes.clone().into()).expect("valid");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(bytes), text(hop))
}

#[test]
fn ack_goes_to_the_contact() {
    let (ack, hop) = acked("Contact: <sip:bob@10.0.0.9:5070>\r\n");
    let expected = "ACK sip:bob@10.0.0.9:5070 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=f\r\n\
        To: <sip:b@y>;tag=t\r\nCall-ID: c\r\nCSeq: 7 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        (ack.as_str(), hop.as_str()),
        (expected, "sip:bob@10.0.0.9:5070")
    );
}

#[test]
fn ack_without_a_contact_goes_where_the_invite_went() {
    let (ack, hop) = acked("");
    assert!(ack.starts_with("ACK sip:bob@example.com SIP/2.0\r\n"));
    assert_eq!(hop, "sip:bob@example.com");
}

/// Section 12.1.2: the route set of the caller is the Record-Route in reverse.
#[test]
fn ack_follows_the_record_route() {
    let lines = "Contact: <sip:bob@h>\r\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\r\n";
    let (ack, hop) = acked(lines);
    assert_eq!(hop, "sip:p1;lr");
    assert!(ack.starts_with("ACK sip:bob@h SIP/2.0\r\n"));
    assert!(
        ack.contains("Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nFrom"),
        "{ack}"
    );
}

/// Section 12.2.1.1: a strict router takes the place of the Request-URI.
#[test]
fn ack_through_a_strict_router() {
    let lines = "Contact: <sip:bob@h>\r\nRecord-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1>\r\n";
    let (ack, hop) = acked(lines);
    assert_eq!(hop, "sip:p1");
    assert!(ack.starts_with("ACK sip:p1 SIP/2.0\r\n"));
    assert!(
        ack.contains("Route: <sip:p2;lr>\r\nRoute: <sip:bob@h>\r\nFrom"),
        "{ack}"
    );
}
