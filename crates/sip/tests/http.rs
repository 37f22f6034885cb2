//! HTTP requests between SIP messages: framing, parsing, and independence of the split.

mod message_kit;

use bytes::Bytes;
use message_kit::INVITE;
use proptest::prelude::*;
use sipwright_sip::frame::{Frame, FrameError, Framer};
use sipwright_sip::{HeaderId, Message, Method};

const MAX: usize = 4096;
const GET: &str = "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &str = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
const CHUNKED: &str = "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

/// All frames of a stream that comes in such pieces, and the error that ended it.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = Framer::new(MAX);
    let mut all = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(error) => return (all, Some(error)),
            }
        }
    }
    (all, None)
}

/// The frames of a stream, the same whether it comes at once or byte by byte.
fn framed(stream: &str) -> (Vec<Frame>, Option<(u16, bool)>) {
    let whole = frames([stream.as_bytes()]);
    let split = frames(stream.as_bytes().chunks(1));
    assert_eq!(whole.0, split.0);
    let status = |e: Option<FrameError>| e.map(|e| (e.status.unwrap_or(0), e.is_http));
    let (ended, other) = (status(whole.1), status(split.1));
    assert_eq!(ended, other);
    (whole.0, ended)
}

fn http(text: &str) -> Frame {
    Frame::Http(Bytes::copy_from_slice(text.as_bytes()))
}

fn sip(text: &str) -> Frame {
    Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn requests_and_messages_on_one_stream() {
    let stream = format!("{GET}{INVITE}{POST}{CHUNKED}{INVITE}{GET}");
    let chunked = "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nabc";
    let expected = [
        http(GET),
        sip(INVITE),
        http(POST),
        http(chunked),
        sip(INVITE),
        http(GET),
    ];
    assert_eq!(framed(&stream), (expected.to_vec(), None));
}

#[test]
fn only_the_first_line_makes_it_http() {
    // A SIP message that mentions HTTP stays one, and still needs its Content-Length.
    let message = "OPTIONS sip:a@b SIP/2.0\r\nSubject: GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(framed(message), (vec![sip(message)], None));
    for line in [
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
    ] {
        let (all, ended) = framed(&format!("{line}\r\nHost: h\r\n\r\n"));
        assert!(
            all.is_empty() && ended.is_some_and(|(_, is_http)| !is_http),
            "{line}: {ended:?}"
        );
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for (headers, status) in [
        ("Content-Length: 3\r\nContent-Length: 3", 400),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", 400),
        ("Content-Length: 3x", 400),
        ("Content-Length: -1", 400),
        ("Content-Length : 3", 400),
        ("no colon", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            501,
        ),
        ("Content-Length: 9999", 413),
    ] {
        let stream = format!("POST / HTTP/1.1\r\n{headers}\r\n\r\nabc");
        assert_eq!(framed(&stream), (vec![], Some((status, true))), "{headers}");
    }
}

#[test]
fn chunks_are_checked() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, status) in [
        ("x\r\n", 400),
        ("\r\n", 400),
        ("-1\r\n", 400),
        ("3\nabc\r\n", 400),
        ("3\r\nabcd\r\n", 400),
        ("123456789\r\n", 400),
        ("ffff\r\n", 413),
    ] {
        let stream = format!("{head}{body}0\r\n\r\n");
        assert_eq!(framed(&stream), (vec![], Some((status, true))), "{body:?}");
    }
    let long = format!("{head}3;{}\r\n", "x".repeat(300));
    assert_eq!(framed(&long).1, Some((400, true)));
    let trailers = format!("{head}0\r\n{}", "A: b\r\n".repeat(3000));
    assert_eq!(framed(&trailers).1, Some((431, true)));
    let fields = format!("{head}3;a=b\r\nabc\r\n00\r\nA: b\r\n\r\n{GET}");
    assert_eq!(framed(&fields).0, [http(&format!("{head}abc")), http(GET)]);
}

#[test]
fn a_header_block_without_end_is_bounded() {
    let stream = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(MAX));
    assert_eq!(framed(&stream), (vec![], Some((431, true))));
}

#[test]
fn the_parts_of_a_request() {
    let text = "POST /p?q=%20 HTTP/1.0\r\nHost: h\r\nVia: 1.1 proxy\r\nVia: 1.1 other\r\nTo: me\r\nContent-Length: 3\r\n\r\nabc";
    let msg = Message::parse_http(Bytes::from_static(text.as_bytes())).unwrap();
    assert!(msg.is_http() && msg.is_request() && !msg.is_answerable());
    assert_eq!(msg.method(), Method::Other);
    assert_eq!(
        (msg.method_name(), msg.uri()),
        (&b"POST"[..], &b"/p?q=%20"[..])
    );
    assert_eq!((msg.version(), msg.body()), (&b"HTTP/1.0"[..], &b"abc"[..]));
    assert_eq!(msg.value(HeaderId::Via), Some(&b"1.1 proxy"[..]));
    assert_eq!(msg.content_length(), Some(3));
    assert!(msg.call_id().is_empty() && msg.to().uri.is_empty() && msg.vias().count() == 2);
}

#[test]
fn malformed_requests() {
    for text in [
        "GET  /x HTTP/1.1\r\n\r\n",
        "GET HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b",
    ] {
        assert!(
            Message::parse_http(Bytes::from_static(text.as_bytes())).is_err(),
            "{text:?}"
        );
    }
}

#[test]
fn what_follows_an_upgrade_is_given_back() {
    let mut framer = Framer::new(MAX);
    framer.push(format!("{GET}\u{1}frames").as_bytes());
    assert_eq!(framer.next_frame().unwrap(), Some(http(GET)));
    assert_eq!(&framer.into_rest()[..], b"\x01frames");
}

fn part() -> impl Strategy<Value = String> {
    let chunk = ("[a-z]{1,40}").prop_map(|d| format!("{:x}\r\n{d}\r\n", d.len()));
    let chunked = prop::collection::vec(chunk, 0..4).prop_map(|chunks| {
        let chunks = chunks.concat();
        format!("PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    });
    let post = "[ -~]{0,60}".prop_map(|body| {
        format!(
            "POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    prop_oneof![
        Just(GET.to_owned()),
        Just(INVITE.to_owned()),
        Just("\r\n".to_owned()),
        Just("\r\n\r\n".to_owned()),
        "[ -~\r\n]{0,20}",
        chunked,
        post,
    ]
}

proptest! {
    /// What comes out depends on the bytes alone, whatever they are.
    #[test]
    fn any_split_gives_the_same(
        parts in prop::collection::vec(part(), 0..8),
        cuts in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let stream = parts.concat().into_bytes();
        let mut pieces = Vec::new();
        let (mut rest, mut cut) = (&stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, next) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
            pieces.push(piece);
            rest = next;
        }
        let (whole, split) = (frames([&stream[..]]), frames(pieces));
        prop_assert_eq!(whole.0, split.0);
        prop_assert_eq!(whole.1.map(|e| e.status), split.1.map(|e| e.status));
    }

    /// SIP messages come out as before, whatever HTTP is between them.
    #[test]
    fn http_hides_no_message(bodies in prop::collection::vec("[a-zA-Z \r\n/.:]{0,80}", 1..5)) {
        let request = |b: &String| format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{b}", b.len());
        let stream: String = bodies.iter().map(|b| request(b) + INVITE).collect();
        let (all, error) = frames([stream.as_bytes()]);
        prop_assert!(error.is_none());
        let expected: Vec<Frame> = bodies.iter().flat_map(|b| [http(&request(b)), sip(INVITE)]).collect();
        prop_assert_eq!(all, expected);
    }
}
