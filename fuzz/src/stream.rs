//! A TCP or TLS stream: SIP, HTTP requests and keep-alives in any pieces.

use sipwright_sip::Message;
use sipwright_sip::frame::{Frame, FrameError, Framer};

use crate::{cut, pieces};

const MAX_MESSAGE: usize = 20_000;

/// The same messages come out however the bytes were split, and memory stays bounded.
pub fn check(data: &[u8]) {
    let (stream, cuts) = pieces(data);
    let whole = frames(stream, &[usize::MAX]);
    let step = cuts.first().map_or(1, |n| n % 7 + 1);
    assert_eq!(frames(stream, &cuts), whole);
    assert_eq!(frames(stream, &[step]), whole);
    for frame in whole.0 {
        match frame {
            Frame::Message(bytes) => drop(Message::parse(bytes)),
            Frame::Http(bytes) => drop(Message::parse_http(bytes)),
            Frame::Ping | Frame::Pong => {}
        }
    }
}

/// What comes of a stream in pieces of these lengths, in turn, and how it was lost.
fn frames(stream: &[u8], cuts: &[usize]) -> (Vec<Frame>, Option<(Option<u16>, &'static str)>) {
    let mut framer = Framer::new(MAX_MESSAGE).accept_missing_length(stream.len().is_multiple_of(2));
    let mut all = Vec::new();
    for now in cut(stream, cuts) {
        framer.push(now);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(FrameError { status, reason, .. }) => return (all, Some((status, reason))),
            }
        }
        // A message that is not whole, and what was pushed after it at most.
        assert!(framer.buffered() <= MAX_MESSAGE + 512 + now.len());
    }
    (all, None)
}
