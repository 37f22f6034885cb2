use super::calls::{Calls, State};
use super::*;

fn recorder(max_bytes: usize, max_entries: usize) -> Recorder {
    Recorder::new(&RecordConfig {
        enabled: true,
        max_bytes,
        max_entries,
        slow_ms: 500,
    })
}

fn at(ns: u64) -> Instant {
    Instant {
        mono_ns: ns,
        wall_us: ns / 1000,
    }
}

fn way(port: u16) -> Way {
    Way {
        remote: SocketAddr::from(([192, 0, 2, 1], port)),
        ..Way::NONE
    }
}

fn all(recorder: &Recorder) -> Piece {
    recorder.select(0, usize::MAX, |_| true)
}

#[test]
fn what_was_recorded_comes_back_in_order() {
    let recorder = recorder(4_096, 100);
    recorder.message(Kind::Received, at(5), way(1), b"one");
    recorder.message(Kind::Sent, at(7), way(2), b"two");
    recorder.decided(
        Kind::Function,
        Instant::now(),
        [b"id", b"KSR.tm.t_relay", b"", b"1"],
    );
    let piece = all(&recorder);
    let numbers: Vec<_> = piece.entries.iter().map(|e| e.number).collect();
    assert_eq!(
        (numbers, piece.next, piece.missed, piece.is_end),
        (vec![1, 2, 3], 4, 0, true)
    );
    assert_eq!(&piece.entries[1].data[..], b"two");
    assert_eq!((piece.entries[1].at, piece.entries[1].way), (at(7), way(2)));
    let made = piece.entries[2].decision();
    assert_eq!(
        (&made.call_id[..], &made.name[..], &made.result[..]),
        (&b"id"[..], &b"KSR.tm.t_relay"[..], &b"1"[..])
    );
    assert!(all(&recorder).entries[0].decision().name.is_empty());
}

#[test]
fn memory_is_bounded_and_the_oldest_go() {
    let recorder = recorder(1_000, 100);
    for n in 0..50_u8 {
        recorder.message(Kind::Received, at(n.into()), way(1), &[n; 90]);
    }
    let filled = recorder.filled();
    assert_eq!(
        (filled.entries, filled.bytes, filled.first, filled.next),
        (11, 990, 40, 51)
    );
    for entry in all(&recorder).entries {
        assert_eq!(
            &entry.data[..],
            &[u8::try_from(entry.number - 1).unwrap(); 90]
        );
    }
    let late = recorder.select(10, 3, |_| true);
    assert_eq!(
        (late.missed, late.entries.len(), late.next, late.is_end),
        (30, 3, 43, false)
    );
}

#[test]
fn entries_are_bounded_too() {
    let recorder = recorder(1_000, 3);
    for n in 0..10_u8 {
        recorder.message(Kind::Sent, at(n.into()), way(1), &[n]);
    }
    assert_eq!(recorder.filled().entries, 3);
    recorder.clear();
    assert_eq!((recorder.filled().entries, recorder.filled().next), (0, 11));
    recorder.message(Kind::Sent, at(1), way(1), b"x");
    assert_eq!(all(&recorder).entries[0].number, 11);
}

#[test]
fn a_long_message_is_cut_and_says_so() {
    let recorder = recorder(400, 10);
    recorder.message(Kind::Received, at(1), way(1), &[7; 300]);
    let entry = &all(&recorder).entries[0];
    assert_eq!((entry.size, entry.data.len()), (300, 100));
}

#[test]
fn readers_get_everything_in_pieces() {
    let recorder = recorder(1 << 20, 10_000);
    for n in 0..2_000_u32 {
        recorder.message(
            Kind::Sent,
            at(n.into()),
            way(1),
            &n.to_be_bytes().repeat(30),
        );
    }
    let first = recorder.piece(0);
    assert!(first.entries.len() <= PIECE_ENTRIES && !first.is_end);
    let entries = all(&recorder).entries;
    assert_eq!(entries.len(), 2_000);
    assert!((1..).zip(&entries).all(|(number, e)| e.number == number));
}

#[test]
fn errors_and_slow_routes_outlive_the_traffic() {
    let recorder = recorder(1_000, 10);
    let long_ago = at(sys::monotonic_ns() - 600_000_000);
    recorder.decided(Kind::Route, long_ago, [b"id", b"slow", b"", b""]);
    recorder.decided(Kind::Route, Instant::now(), [b"id", b"quick", b"", b""]);
    recorder.decided(
        Kind::Error,
        Instant::now(),
        [b"id", b"route", b"", b"Traceback"],
    );
    for _ in 0..20 {
        recorder.message(Kind::Sent, at(1), way(1), b"x");
    }
    let kept = recorder.notable();
    let names: Vec<_> = kept.iter().map(|e| e.decision().name).collect();
    assert_eq!(names, [&b"slow"[..], b"route"]);
    assert!(kept[0].spent_us >= 600_000);
}

fn message(first: &str, cseq: &str, to_tag: bool) -> Vec<u8> {
    let tag = if to_tag { ";tag=2" } else { "" };
    format!(
        "{first}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:b@h>{tag}\r\nCall-ID: c\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// State and status after messages as `(direction, first line, CSeq, has a tag in To)`.
fn after(messages: &[(Kind, &str, &str, bool)]) -> (State, u16) {
    let recorder = recorder(100_000, 100);
    for ((kind, first, cseq, tag), n) in messages.iter().zip(1_u64..) {
        recorder.message(
            *kind,
            at(n * 1_000_000),
            way(1),
            &message(first, cseq, *tag),
        );
    }
    let calls = Calls::of(&recorder).latest(10);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].messages as usize, messages.len());
    (calls[0].state, calls[0].status)
}

const INVITE: &str = "INVITE sip:b@h SIP/2.0";
const IN: Kind = Kind::Received;
const OUT: Kind = Kind::Sent;

#[test]
fn states_of_a_call() {
    let invite = (IN, INVITE, "1 INVITE", false);
    let ok = (OUT, "SIP/2.0 200 OK", "1 INVITE", true);
    let ringing = (OUT, "SIP/2.0 180 Ringing", "1 INVITE", true);
    assert_eq!(after(&[invite]), (State::Trying, 0));
    assert_eq!(
        after(&[invite, (OUT, "SIP/2.0 100 Trying", "1 INVITE", false)]),
        (State::Trying, 100)
    );
    assert_eq!(after(&[invite, ringing]), (State::Ringing, 180));
    assert_eq!(after(&[invite, ringing, ok]), (State::Answered, 200));
    let bye = (IN, "BYE sip:b@h SIP/2.0", "2 BYE", true);
    assert_eq!(
        after(&[invite, ok, bye, (OUT, "SIP/2.0 200 OK", "2 BYE", true)]),
        (State::Ended, 200)
    );
    assert_eq!(
        after(&[invite, (OUT, "SIP/2.0 487 Gone", "1 INVITE", true)]),
        (State::Cancelled, 487)
    );
    assert_eq!(
        after(&[invite, (OUT, "SIP/2.0 404 No", "1 INVITE", true)]),
        (State::Failed, 404)
    );
}

#[test]
fn a_branch_that_failed_does_not_end_the_call() {
    let invite = (IN, INVITE, "1 INVITE", false);
    let forwarded = (OUT, INVITE, "1 INVITE", false);
    let busy = (IN, "SIP/2.0 486 Busy", "1 INVITE", true);
    assert_eq!(after(&[invite, forwarded, busy]), (State::Trying, 0));
}

#[test]
fn credentials_begin_a_call_anew() {
    let challenge = (OUT, "SIP/2.0 407 Auth", "1 INVITE", true);
    let first = (IN, INVITE, "1 INVITE", false);
    assert_eq!(after(&[first, challenge]), (State::Failed, 407));
    assert_eq!(
        after(&[first, challenge, (IN, INVITE, "2 INVITE", false)]),
        (State::Trying, 0)
    );
}

#[test]
fn a_request_of_our_own() {
    let sent = (OUT, "OPTIONS sip:b@h SIP/2.0", "1 OPTIONS", false);
    assert_eq!(after(&[sent]), (State::Trying, 0));
    assert_eq!(
        after(&[sent, (IN, "SIP/2.0 200 OK", "1 OPTIONS", true)]),
        (State::Done, 200)
    );
}
