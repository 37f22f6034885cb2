//! Stream framing: messages, keep-alives, refusals, and independence of the split.

mod message_kit;

use message_kit::{INVITE, RINGING, invite_with, options, request, swap, text};
use sipwright_sip::frame::{Frame, FrameError, Framer};
use sipwright_sip::{ErrorKind, HeaderId};

const MAX: usize = 4096;

/// All frames of a stream, and the error that ended it.
fn frames(framer: &mut Framer, pushes: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
    let mut all = Vec::new();
    for bytes in pushes {
        framer.push(bytes);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(e) => return (all, Some(e)),
            }
        }
    }
    (all, None)
}

/// As above with one push; the same must come out of byte-by-byte input.
fn framed(stream: &str) -> (Vec<Frame>, Option<FrameError>) {
    let whole = frames(&mut Framer::new(MAX), &[stream.as_bytes()]);
    let bytes: Vec<_> = stream.as_bytes().chunks(1).collect();
    let split = frames(&mut Framer::new(MAX), &bytes);
    assert_eq!(whole.0, split.0);
    let kind = |e: &Option<FrameError>| e.as_ref().map(|e| (e.kind, e.status, e.partial.is_some()));
    assert_eq!(kind(&whole.1), kind(&split.1));
    whole
}

fn message(text: &str) -> Frame {
    Frame::Message(bytes::Bytes::copy_from_slice(text.as_bytes()))
}

fn refused(stream: &str) -> FrameError {
    let (all, error) = framed(stream);
    assert!(all.is_empty(), "{all:?}");
    error.expect("an error")
}

#[test]
fn messages_back_to_back() {
    let (all, error) = framed(&format!("{INVITE}{RINGING}{INVITE}"));
    assert!(error.is_none());
    assert_eq!(all, [message(INVITE), message(RINGING), message(INVITE)]);
}

#[test]
fn unfinished_message_waits() {
    let mut framer = Framer::new(MAX);
    let (head, rest) = INVITE.as_bytes().split_at(INVITE.len() - 2);
    assert!(frames(&mut framer, &[head]).0.is_empty());
    assert_eq!(framer.buffered(), head.len());
    assert_eq!(frames(&mut framer, &[rest]).0, [message(INVITE)]);
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn length_in_any_form() {
    for form in [
        "l: 4",
        "CONTENT-LENGTH :\r\n\t4 ",
        "L:0004",
        "Content-Length: 4",
    ] {
        let text = invite_with("Content-Length: 4", form);
        assert_eq!(framed(&text).0, [message(&text)], "{form}");
    }
    let lf = INVITE.replace("\r\n", "\n");
    assert_eq!(framed(&lf).0, [message(&lf)]);
}

#[test]
fn length_in_a_folded_line_or_a_body_is_none() {
    let decoy = invite_with("Max-Forwards: 70", "Subject: x\r\n Content-Length: 99");
    assert_eq!(framed(&decoy).0, [message(&decoy)]);
    let body = invite_with("4\r\n\r\nbody", "10\r\n\r\nl: 3\r\n\r\nx\n");
    assert_eq!(framed(&body).0, [message(&body)]);
}

#[test]
fn keep_alives_between_messages() {
    // RFC 5626 section 4.4.1.
    let (all, _) = framed(&format!("\r\n\r\n{INVITE}\r\n{INVITE}\r\n\r\n\r\n{INVITE}"));
    assert_eq!(
        all,
        [
            Frame::Ping,
            message(INVITE),
            Frame::Pong,
            message(INVITE),
            Frame::Ping,
            Frame::Pong,
            message(INVITE)
        ]
    );
    let (all, error) = framed("\r\n\r\n\r\n\r\n\r\n");
    assert!(error.is_none());
    assert_eq!(all, [Frame::Ping, Frame::Ping], "half a ping waits");
    assert_eq!(
        framed(&format!("\n\n{INVITE}")).0,
        [message(INVITE)],
        "a lone LF is nothing"
    );
}

#[test]
fn missing_length_is_answered_400() {
    let e = refused(&options(""));
    assert_eq!(
        (e.kind, e.status),
        (ErrorKind::Missing(HeaderId::ContentLength), Some(400))
    );
    assert_eq!(
        text(e.partial.expect("a whole header block").call_id()),
        "c"
    );
    let response = swap(RINGING, "Content-Length: 0\r\n", "");
    assert_eq!(refused(&response).status, None);
    let ack = refused(&request("ACK sip:b@example.com SIP/2.0", ""));
    assert!(ack.status.is_none() && ack.partial.is_none());
}

#[test]
fn missing_length_can_be_accepted() {
    let mut framer = Framer::new(MAX).accept_missing_length(true);
    let stream = format!("{}{INVITE}", options(""));
    let (all, error) = frames(&mut framer, &[stream.as_bytes()]);
    assert!(error.is_none());
    assert_eq!(all, [message(&options("")), message(INVITE)]);
    let bad = invite_with("Length: 4", "Length: x");
    let mut framer = Framer::new(MAX).accept_missing_length(true);
    assert!(
        frames(&mut framer, &[bad.as_bytes()]).1.is_some(),
        "malformed is not missing"
    );
}

#[test]
fn malformed_length_is_answered_400() {
    for bad in [
        "-999",
        "4x",
        "",
        "4, 4",
        "99999999999",
        "4\r\nl: 4",
        "4\r\nContent-Length: 5",
    ] {
        let e = refused(&invite_with(
            "Content-Length: 4",
            &format!("Content-Length: {bad}"),
        ));
        assert_eq!(e.status, Some(400), "{bad}");
        assert!(e.partial.is_some(), "{bad}");
    }
}

#[test]
fn a_malformed_line_does_not_end_the_stream() {
    let bad = invite_with("Max-Forwards: 70", "Max-Forwards 70");
    assert_eq!(
        framed(&format!("{bad}{INVITE}")).0,
        [message(&bad), message(INVITE)]
    );
}

#[test]
fn size_is_bounded() {
    let e = refused(&invite_with("Content-Length: 4", "Content-Length: 4000"));
    assert_eq!((e.kind, e.status), (ErrorKind::TooLarge, Some(513)));
    assert!(e.partial.is_some());
    let endless = refused(&options(&"X: y\r\n".repeat(MAX / 6)));
    assert_eq!(
        (endless.kind, endless.status),
        (ErrorKind::TooLarge, Some(513))
    );
    let garbage = refused(&"x".repeat(MAX));
    assert_eq!((garbage.kind, garbage.status), (ErrorKind::TooLarge, None));
}

#[test]
fn exactly_the_largest_message_passes() {
    let fill = MAX - options("S: \r\nl: 0\r\n").len();
    for (extra, passes) in [(0, true), (1, false)] {
        let text = options(&format!("S: {}\r\nl: 0\r\n", "x".repeat(fill + extra)));
        assert_eq!(framed(&text).1.is_none(), passes);
    }
}

#[test]
fn garbage_is_refused_without_answer() {
    let e = refused("GET / HTTP/3.0\r\nHost: x\r\n\r\n");
    assert!(e.partial.is_none());
}

#[test]
fn nothing_follows_an_error() {
    let mut framer = Framer::new(MAX);
    assert!(frames(&mut framer, &[b"x\r\n\r\n"]).1.is_some());
    let (all, error) = frames(&mut framer, &[INVITE.as_bytes()]);
    assert!(all.is_empty() && error.is_none());
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn byte_by_byte_is_not_quadratic() {
    // 4 MB of header in single bytes takes hours when each push scans from the start.
    let big = 4 << 20;
    let head = options(&format!("S: {}\r\nl: 0\r\n", "x".repeat(big)));
    let mut framer = Framer::new(big + 1024);
    let mut found = 0;
    for byte in head.as_bytes() {
        framer.push(std::slice::from_ref(byte));
        found += usize::from(framer.next_frame().expect("valid").is_some());
    }
    assert_eq!(found, 1);
}
