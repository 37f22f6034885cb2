//! Properties that hold for any message, any edits and any bytes.

mod message_kit;

use bytes::Bytes;
use message_kit::{INVITE, RINGING, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sipwright_sip::build::{
    Forward, ViaFix, ack_for, cancel_for, forward_request, forward_response, response,
    response_target,
};
use sipwright_sip::frame::{Frame, Framer};
use sipwright_sip::nameaddr::parse_nameaddr;
use sipwright_sip::uri::{escape_user, unescape, uri_eq};
use sipwright_sip::{Edits, HeaderId, Message, Params, Span, Uri};

/// A header line: known or not, compact or not, folded or not.
fn header_line() -> impl Strategy<Value = String> {
    let name = select(vec![
        "Subject", "s", "X-Custom", "Accept", "k", "Route", "ALLOW", "P-%!",
    ]);
    let colon = select(vec![":", ": ", " :  ", "\t: "]);
    let value = "[!-~]{0,12}( [!-~]{1,8}|\r\n [!-~]{1,8}){0,3}";
    (name, colon, value).prop_map(|(name, colon, value)| format!("{name}{colon}{value}\r\n"))
}

/// A valid request with a body and Content-Length.
fn request() -> impl Strategy<Value = String> {
    (
        select(vec!["INVITE", "OPTIONS", "NEW-METHOD"]),
        "[a-z0-9.!*]{1,10}",
        vec(header_line(), 0..6),
        vec(header_line(), 0..6),
        "[ -~\r\n]{0,60}",
    )
        .prop_map(|(method, user, before, after, body)| {
            let (before, after) = (before.concat(), after.concat());
            format!(
                "{method} sip:{user}@example.com SIP/2.0\r\n{before}\
                 Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{user}\r\n\
                 From: \"{user}\" <sip:{user}@h>;tag=1\r\nt: <sip:b@h>\r\ni: {user}\r\n\
                 CSeq: 1 {method}\r\n{after}l: {}\r\n\r\n{body}",
                body.len()
            )
        })
}

/// A valid message with some of its bytes changed, removed or repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = select(vec![
        INVITE.as_bytes().to_vec(),
        RINGING.as_bytes().to_vec(),
    ]);
    let change = (
        any::<Index>(),
        0..4u8,
        select(b"\r\n:;,<>\"\\ @/[]%=?0z\xff\0".to_vec()),
    );
    (
        prop_oneof![seeds, request().prop_map(String::into_bytes)],
        vec(change, 1..12),
    )
        .prop_map(|(mut bytes, changes)| {
            for (at, what, byte) in changes {
                let at = at.index(bytes.len().max(1));
                match what {
                    0 if !bytes.is_empty() => drop(bytes.remove(at)),
                    1 if !bytes.is_empty() => bytes[at] = byte,
                    2 => bytes.truncate(at + 1),
                    _ => bytes.insert(at.min(bytes.len()), byte),
                }
            }
            bytes
        })
}

/// Calls whatever takes a message, so that a panic shows.
fn exercise(msg: &Message) {
    let source = "[2001:db8::1]:5060".parse().expect("an address");
    let fix = ViaFix::for_request(msg, source, true);
    let mut edits = Edits::new();
    for header in msg.headers() {
        assert!(header.full.contains(header.value) && header.full.contains(header.name));
        for span in msg.split(header) {
            let _ = parse_nameaddr(msg.get(span));
            edits.remove(span);
        }
        let _ = Params::new(msg.get(header.value)).count();
    }
    edits.set_body("x", Some(b"a/b"));
    let how = Forward {
        uri: None,
        via: b"",
        via_fix: fix,
        top: b"",
        max_forwards: msg.max_forwards(),
        edits: &edits,
    };
    let _ = (
        forward_request(msg, &how),
        forward_response(msg, &edits),
        response_target(msg),
    );
    let _ = response(msg, 400, b"", Some(b"t"), b"", b"", &fix);
    let _ = (ack_for(msg, msg), cancel_for(msg, b""));
    let _ = (
        Uri::parse(msg.uri()),
        msg.vias().count(),
        msg.body(),
        msg.reason(),
        msg.is_complete(),
    );
}

fn parse_any(bytes: &[u8]) {
    match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(msg) => exercise(&msg),
        Err(e) => {
            assert!(e.partial.is_none() || e.status.is_some(), "{e:?}");
            if let Some(partial) = e.partial {
                exercise(&partial);
            }
        }
    }
}

fn frames(stream: &[u8], cuts: &[usize]) -> (Vec<Frame>, bool) {
    let mut framer = Framer::new(2_000);
    let mut all = Vec::new();
    let mut rest = stream;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let (now, later) = rest.split_at(cut.min(rest.len()));
        rest = later;
        framer.push(now);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(_) => return (all, true),
            }
        }
    }
    (all, false)
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes in vec(any::<u8>(), 0..300)) {
        parse_any(&bytes);
        let _ = Uri::parse(&bytes);
        let _ = parse_nameaddr(&bytes);
    }

    #[test]
    fn parsing_a_mutated_message_never_panics(bytes in mutated()) {
        parse_any(&bytes);
    }

    #[test]
    fn what_was_parsed_is_what_was_sent(text in request()) {
        let msg = parse(&text);
        prop_assert_eq!(msg.bytes(), text.as_bytes());
        let mut joined = msg.get(msg.first_line()).to_vec();
        for header in msg.headers() {
            joined.extend_from_slice(msg.get(header.full));
        }
        joined.extend_from_slice(&msg.bytes()[msg.headers_end()..]);
        prop_assert_eq!(joined, text.as_bytes());
        let mut out = Vec::new();
        Edits::new().apply(&msg, &mut out);
        prop_assert_eq!(out, text.into_bytes());
    }

    #[test]
    fn forwarding_changes_only_the_request_line_and_via(text in request()) {
        let msg = parse(&text);
        let via = "Via: SIP/2.0/TCP p;branch=z9hG4bKp\r\n";
        let how = Forward {
            uri: Some(b"sip:new"), via: via.as_bytes(), via_fix: ViaFix::default(),
            top: b"", max_forwards: None, edits: &Edits::new(),
        };
        let out = forward_request(&msg, &how);
        let first = msg.first_line().range().end;
        let method = String::from_utf8_lossy(msg.method_name()).into_owned();
        let want = format!("{method} sip:new SIP/2.0\r\n{via}{}", &text[first..]);
        prop_assert_eq!(String::from_utf8_lossy(&out), want);
    }

    #[test]
    fn a_removed_header_is_gone_and_the_others_stay(text in request(), which in any::<Index>()) {
        let msg = parse(&text);
        let header = msg.headers()[which.index(msg.headers().len())];
        let mut edits = Edits::new();
        edits.remove(header.full);
        let mut out = Vec::new();
        edits.apply(&msg, &mut out);
        let range = header.full.range();
        prop_assert_eq!(out, [&text.as_bytes()[..range.start], &text.as_bytes()[range.end..]].concat());
    }

    #[test]
    fn edits_in_the_head_match_a_naive_model(
        text in request(),
        ops in vec((any::<Index>(), 0..9u32, "[a-z]{0,3}"), 0..8),
    ) {
        let msg = parse(&text);
        let end = msg.headers_end();
        let mut edits = Edits::new();
        let mut kept = vec![true; end];
        let mut inserted = vec![String::new(); end + 1];
        for (at, len, new) in ops {
            let start = at.index(end) as u32;
            let stop = (start + len).min(end as u32);
            edits.replace(Span::new(start, stop), new.as_bytes());
            kept[start as usize..stop as usize].fill(false);
            inserted[start as usize].push_str(&new);
        }
        let mut want = Vec::new();
        for pos in 0..end {
            want.extend_from_slice(inserted[pos].as_bytes());
            if kept[pos] {
                want.push(msg.bytes()[pos]);
            }
        }
        want.extend_from_slice(&msg.bytes()[end..]);
        let mut out = Vec::new();
        edits.apply(&msg, &mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&want));
    }

    #[test]
    fn a_new_body_is_read_back(text in request(), body in vec(any::<u8>(), 0..50)) {
        let msg = parse(&text);
        let mut edits = Edits::new();
        edits.set_body(body.clone(), Some(b"a/b"));
        let mut out = Vec::new();
        edits.apply(&msg, &mut out);
        let again = parse(&out);
        prop_assert_eq!(again.body(), &body[..]);
        prop_assert_eq!(again.value(HeaderId::ContentType), Some(&b"a/b"[..]));
    }

    #[test]
    fn the_split_of_a_stream_does_not_matter(
        parts in vec(prop_oneof![
            3 => request().prop_map(String::into_bytes),
            1 => select(vec![b"\r\n".to_vec(), b"\r\n\r\n".to_vec(), b"\n".to_vec()]),
            1 => mutated(),
        ], 1..5),
        cuts in vec(0..40usize, 0..60),
    ) {
        let stream = parts.concat();
        let whole = frames(&stream, &[]);
        prop_assert_eq!(&frames(&stream, &cuts), &whole);
        prop_assert_eq!(&frames(&stream, &vec![1; stream.len()]), &whole);
    }

    #[test]
    fn framed_messages_come_out_as_they_went_in(texts in vec(request(), 1..5)) {
        let (all, failed) = frames(texts.concat().as_bytes(), &[7, 100]);
        prop_assert!(!failed);
        let want: Vec<_> = texts.into_iter().map(|t| Frame::Message(t.into())).collect();
        prop_assert_eq!(all, want);
    }

    #[test]
    fn escaping_is_undone(user in vec(any::<u8>(), 0..30)) {
        let escaped = escape_user(&user);
        prop_assert_eq!(unescape(&escaped), user);
    }

    #[test]
    fn comparison_is_reflexive_and_symmetric(
        a in "sip:([a-z%;]{1,4}@)?h(:[1-9])?(;[a-c]=[xX]|;lr|;user=[xy]){0,3}(\\?[a-b]=1)?",
        b in "sip:([a-z%;]{1,4}@)?h(:[1-9])?(;[a-c]=[xX]|;lr|;user=[xy]){0,3}(\\?[a-b]=1)?",
    ) {
        let (a, b) = (Uri::parse(a.as_bytes()).expect("valid"), Uri::parse(b.as_bytes()).expect("valid"));
        prop_assert!(uri_eq(&b, &b) || b.params().count() > 1, "a repeated parameter may differ from the first");
        prop_assert_eq!(uri_eq(&a, &b), uri_eq(&b, &a));
    }
}
