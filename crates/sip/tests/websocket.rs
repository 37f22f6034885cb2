//! WebSocket frames of clients: what RFC 6455 allows and forbids, case by case, in the order
//! in which conformance suites go: framing, pings, reserved bits, opcodes, fragments, UTF-8,
//! closing, limits.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use sipwright_sip::ws::{self, Event, Fault, Opcode, Reader};

const MAX: usize = 70_000;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it.
fn sent(first: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match data.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(data.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    out
}

fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<u16>) {
    let mut reader = Reader::new(MAX, BytesMut::new());
    let mut all = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_event() {
                Ok(Some(event)) => all.push(event),
                Ok(None) => break,
                Err(Fault { code, .. }) => return (all, Some(code)),
            }
        }
    }
    (all, None)
}

/// The same whether the bytes come at once or one by one.
fn read(frames: &[Vec<u8>]) -> (Vec<Event>, Option<u16>) {
    let stream = frames.concat();
    let whole = events([&stream[..]]);
    if stream.len() < 2000 {
        assert_eq!(whole, events(stream.chunks(1)));
    }
    whole
}

fn message(data: &[u8]) -> Event {
    Event::Message(Bytes::copy_from_slice(data))
}

fn fault(frames: &[Vec<u8>]) -> Option<u16> {
    read(frames).1
}

#[test]
fn messages_of_all_lengths() {
    for len in [0, 1, 125, 126, 127, 128, 65_535, 65_536, MAX] {
        let data = vec![b'a'; len];
        for first in [0x81, 0x82] {
            assert_eq!(
                read(&[sent(first, &data)]),
                (vec![message(&data)], None),
                "{len}"
            );
        }
    }
    assert_eq!(fault(&[sent(0x82, &vec![0; MAX + 1])]), Some(1009));
}

#[test]
fn the_length_has_its_shortest_form_and_is_no_promise() {
    let head = |rest: &[u8]| [&[0x82], rest, &MASK].concat();
    assert_eq!(fault(&[head(&[0xfe, 0, 125])]), Some(1002));
    assert_eq!(
        fault(&[head(&[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])]),
        Some(1002)
    );
    // Refused before a byte of it has come.
    assert_eq!(
        fault(&[head(&[
            0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
        ])]),
        Some(1009)
    );
}

#[test]
fn pings_and_pongs() {
    let data = [7; 125];
    let ping = Event::Ping(Bytes::copy_from_slice(&data));
    let pong = Event::Pong(Bytes::from_static(b"x"));
    assert_eq!(
        read(&[sent(0x89, &data), sent(0x8a, b"x")]),
        (vec![ping, pong], None)
    );
    assert_eq!(fault(&[sent(0x89, &[0; 126])]), Some(1002));
    assert_eq!(fault(&[sent(0x09, b"")]), Some(1002));
}

#[test]
fn a_frame_has_a_mask() {
    assert_eq!(fault(&[vec![0x81, 1, b'a']]), Some(1002));
}

#[test]
fn reserved_bits_and_opcodes() {
    for bit in [0x10, 0x20, 0x40] {
        assert_eq!(fault(&[sent(0x81 | bit, b"a")]), Some(1002));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(fault(&[sent(0x80 | opcode, b"")]), Some(1002), "{opcode}");
    }
}

#[test]
fn fragments() {
    let parts = [sent(0x01, b"ab"), sent(0x00, b""), sent(0x80, b"cd")];
    assert_eq!(read(&parts), (vec![message(b"abcd")], None));
    // Control frames may come in between.
    let between = [sent(0x01, b"ab"), sent(0x89, b"p"), sent(0x80, b"cd")];
    let ping = Event::Ping(Bytes::from_static(b"p"));
    assert_eq!(read(&between), (vec![ping, message(b"abcd")], None));
    assert_eq!(fault(&[sent(0x80, b"ab")]), Some(1002));
    assert_eq!(fault(&[sent(0x01, b"ab"), sent(0x81, b"cd")]), Some(1002));
    let (half, more) = (vec![b'a'; MAX / 2 + 1], vec![b'a'; MAX / 2 + 1]);
    assert_eq!(fault(&[sent(0x01, &half), sent(0x80, &more)]), Some(1009));
}

#[test]
fn fragments_without_end_are_bounded() {
    let mut stream = sent(0x01, b"");
    for _ in 0..5000 {
        stream.extend(sent(0x00, b""));
    }
    assert_eq!(events([&stream[..]]), (vec![], Some(1009)));
}

#[test]
fn what_is_unfinished_is_counted() {
    let mut reader = Reader::new(MAX, BytesMut::from(&sent(0x01, b"abc")[..]));
    assert_eq!(reader.next_event(), Ok(None));
    assert_eq!(reader.buffered(), 3);
    reader.push(&sent(0x80, b"")[..3]);
    assert_eq!(reader.next_event(), Ok(None));
    assert_eq!(reader.buffered(), 6);
    let mut empty = Reader::new(MAX, BytesMut::from(&sent(0x01, b"")[..]));
    assert_eq!(empty.next_event(), Ok(None));
    assert_eq!(empty.buffered(), 1);
}

#[test]
fn text_is_utf8() {
    assert_eq!(
        read(&[sent(0x81, "Grüße €".as_bytes())]).0,
        [message("Grüße €".as_bytes())]
    );
    // A character may be cut by a fragment, but not by the end.
    let euro = "€".as_bytes();
    assert_eq!(
        read(&[sent(0x01, &euro[..1]), sent(0x80, &euro[1..])]).0,
        [message(euro)]
    );
    for bad in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        &euro[..2],
    ] {
        assert_eq!(fault(&[sent(0x81, bad)]), Some(1007), "{bad:x?}");
        assert_eq!(read(&[sent(0x82, bad)]).0, [message(bad)]);
    }
}

#[test]
fn closing() {
    assert_eq!(read(&[sent(0x88, b"")]).0, [Event::Close(None)]);
    assert_eq!(
        read(&[sent(0x88, b"\x03\xe8bye")]).0,
        [Event::Close(Some(1000))]
    );
    // Nothing counts after it.
    assert_eq!(read(&[sent(0x88, b""), sent(0x81, b"late")]).0.len(), 1);
    assert_eq!(fault(&[sent(0x88, b"\x03")]), Some(1002));
    assert_eq!(fault(&[sent(0x88, b"\x03\xe8\xff")]), Some(1007));
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        assert_eq!(
            fault(&[sent(0x88, &code.to_be_bytes())]),
            Some(1002),
            "{code}"
        );
    }
    for code in [1001_u16, 1003, 1007, 1011, 3000, 4999] {
        assert_eq!(
            read(&[sent(0x88, &code.to_be_bytes())]).0,
            [Event::Close(Some(code))]
        );
    }
}

#[test]
fn frames_of_the_server() {
    assert_eq!(&ws::frame(Opcode::Text, b"Hello")[..], b"\x81\x05Hello");
    assert_eq!(&ws::frame(Opcode::Pong, b"")[..], b"\x8a\x00");
    assert_eq!(
        &ws::frame(Opcode::Binary, &[0; 256])[..4],
        b"\x82\x7e\x01\x00"
    );
    assert_eq!(
        &ws::frame(Opcode::Binary, &[0; 65_536])[..10],
        b"\x82\x7f\0\0\0\0\0\x01\0\0"
    );
    assert_eq!(ws::message(b"text")[0], 0x81);
    assert_eq!(ws::message(b"\xff")[0], 0x82);
    assert_eq!(&ws::close(None, "x")[..], b"\x88\x00");
    let long = ws::close(Some(1000), &"€".repeat(60));
    assert_eq!(long.len(), 2 + 2 + 123);
    assert!(std::str::from_utf8(&long[4..]).is_ok());
}

proptest! {
    /// Any bytes, in any pieces: the same events, no panic, and nothing larger than allowed.
    #[test]
    fn any_split_gives_the_same(
        frames in prop::collection::vec(
            prop_oneof![
                (any::<u8>(), prop::collection::vec(any::<u8>(), 0..140)).prop_map(|(f, d)| sent(f, &d)),
                prop::collection::vec(any::<u8>(), 0..200).prop_map(|d| sent(0x82, &d)),
                prop::collection::vec(any::<u8>(), 0..20),
            ],
            0..8,
        ),
        cut in 1_usize..40,
    ) {
        let stream = frames.concat();
        prop_assert_eq!(events([&stream[..]]), events(stream.chunks(cut)));
    }

    /// What was sent comes out, however it was cut into frames.
    #[test]
    fn messages_come_through(data in prop::collection::vec(any::<u8>(), 0..600), cuts in prop::collection::vec(1_usize..200, 1..6)) {
        let mut frames = Vec::new();
        let (mut rest, mut cut, mut first) = (&data[..], cuts.iter().cycle(), true);
        loop {
            let (piece, next) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
            rest = next;
            let opcode = if std::mem::take(&mut first) { 2 } else { 0 };
            frames.push(sent(if rest.is_empty() { 0x80 } else { 0 } | opcode, piece));
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(events([&frames.concat()[..]]), (vec![message(&data)], None));
    }
}
