//! WebSocket frames of a client (RFC 6455), in any pieces.

use bytes::BytesMut;
use sipwright_sip::ws::{self, Event, Fault, Reader};

use crate::{cut, pieces};

const MAX_MESSAGE: usize = 20_000;

/// The same events come out however the bytes were split, and what we write is one frame.
pub fn check(data: &[u8]) {
    let (stream, cuts) = pieces(data);
    let whole = events(stream, &[usize::MAX]);
    assert_eq!(events(stream, &cuts), whole);
    assert_eq!(events(stream, &[1]), whole);
    for event in whole.0 {
        if let Event::Message(message) = event {
            assert!(message.len() <= MAX_MESSAGE);
            let sent = ws::message(&message);
            assert!(sent.ends_with(&message) && sent.len() <= message.len() + 10);
        }
    }
    let reason = String::from_utf8_lossy(stream);
    assert!(ws::close(Some(1000), &reason).len() <= 127);
}

/// What comes of a stream in pieces of these lengths, in turn, and the code that ended it.
fn events(stream: &[u8], cuts: &[usize]) -> (Vec<Event>, Option<u16>) {
    let mut reader = Reader::new(MAX_MESSAGE, BytesMut::new());
    let mut all = Vec::new();
    for now in cut(stream, cuts) {
        reader.push(now);
        loop {
            match reader.next_event() {
                Ok(Some(event)) => all.push(event),
                Ok(None) => break,
                Err(Fault { code, .. }) => return (all, Some(code)),
            }
        }
        assert!(reader.buffered() <= MAX_MESSAGE * 2 + 14 + now.len());
    }
    (all, None)
}
