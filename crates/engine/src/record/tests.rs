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

fn decided(recorder: &Recorder, kind: Kind, began: Instant, texts: [&str; 4]) {
    let [call_id, name, arguments, result] = texts.map(str::as_bytes);
    let shown = [Shown::Text(arguments), Shown::Text(result)];
    made(recorder, (kind, began), [call_id, name], shown);
}

fn made(
    recorder: &Recorder,
    (kind, began): (Kind, Instant),
    [call_id, name]: [&[u8]; 2],
    [arguments, result]: [Shown<'_>; 2],
) {
    let made = Made {
        call_id,
        name,
        arguments,
        result,
    };
    recorder.decided(kind, began, Instant::now().mono_ns, &made);
}

/// Arguments and result of the one decision there is, as readers see them.
fn shown(shown: [Shown<'_>; 2]) -> (String, String) {
    let recorder = recorder(100_000, 10);
    let name = [&b"id"[..], b"KSR.x.y"];
    made(&recorder, (Kind::Function, Instant::now()), name, shown);
    let entry = &all(&recorder).entries[0];
    assert_eq!(&entry.call_id()[..], b"id");
    let found = entry.decision();
    assert_eq!((&found.call_id[..], &found.name[..]), (name[0], name[1]));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&found.arguments), text(&found.result))
}

fn all(recorder: &Recorder) -> Piece {
    recorder.select(0, usize::MAX, |_| true)
}

#[test]
fn what_was_recorded_comes_back_in_order() {
    let recorder = recorder(4_096, 100);
    recorder.message(Kind::Received, at(5), &way(1), b"one");
    recorder.message(Kind::Sent, at(7), &way(2), b"two");
    decided(
        &recorder,
        Kind::Function,
        Instant::now(),
        ["id", "KSR.tm.t_relay", "", "1"],
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
        recorder.message(Kind::Received, at(n.into()), &way(1), &[n; 90]);
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
        recorder.message(Kind::Sent, at(n.into()), &way(1), &[n]);
    }
    assert_eq!(recorder.filled().entries, 3);
    recorder.clear();
    assert_eq!((recorder.filled().entries, recorder.filled().next), (0, 11));
    recorder.message(Kind::Sent, at(1), &way(1), b"x");
    assert_eq!(all(&recorder).entries[0].number, 11);
}

#[test]
fn a_long_message_is_cut_and_says_so() {
    let recorder = recorder(400, 10);
    recorder.message(Kind::Received, at(1), &way(1), &[7; 300]);
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
            &way(1),
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
    let long_ago = at(Instant::now().mono_ns - 600_000_000);
    let now = Instant::now();
    decided(&recorder, Kind::Route, long_ago, ["id", "slow", "", ""]);
    decided(&recorder, Kind::Route, now, ["id", "quick", "", ""]);
    decided(
        &recorder,
        Kind::Error,
        now,
        ["id", "route", "", "Traceback"],
    );
    for _ in 0..20 {
        recorder.message(Kind::Sent, at(1), &way(1), b"x");
    }
    let kept = recorder.notable();
    let names: Vec<_> = kept.iter().map(|e| e.decision().name).collect();
    assert_eq!(names, [&b"slow"[..], b"route"]);
    assert!(kept[0].spent_us >= 600_000);
}

#[test]
fn values_are_shown_as_a_script_writes_them() {
    let arguments = [
        Value::Str(b"location"),
        Value::Int(-42),
        Value::Str("a\n\"\u{e4}".as_bytes()),
    ];
    let given = [Shown::Values(&arguments), Shown::Values(&[Value::Int(1)])];
    let expected = r#""location", -42, "a\n\"ä""#;
    assert_eq!(shown(given), (expected.to_owned(), "1".to_owned()));
    for (value, expected) in [
        (Value::Bool(true), "True"),
        (Value::Bool(false), "False"),
        (Value::Null, "None"),
        (Value::Void, ""),
        (Value::Object, "..."),
        (Value::Raised, "raised"),
        (Value::Str(b"\xff"), "\"\u{fffd}\""),
    ] {
        let given = [Shown::Values(&[]), Shown::Values(&[value])];
        assert_eq!(shown(given), (String::new(), expected.to_owned()));
    }
}

#[test]
fn long_values_are_shortened() {
    for (character, count, is_cut) in [("x", 80, false), ("x", 81, true), ("\u{1f4de}", 90, true)] {
        let text = character.repeat(count);
        let dots = if is_cut { "..." } else { "" };
        let expected = format!("\"{}{dots}\"", character.repeat(80));
        let given = [Value::Str(text.as_bytes())];
        let given = [Shown::Values(&given), Shown::Text(b"")];
        assert_eq!(shown(given).0, expected);
    }
    let many = [Value::Str(&[b'y'; 5_000]); 8];
    let (arguments, _) = shown([Shown::Values(&many), Shown::Text(b"")]);
    assert_eq!(arguments.len(), 512);
    assert!(arguments.starts_with(&format!("\"{}...\", \"y", "y".repeat(80))));
}

#[test]
fn nobody_reads_a_password() {
    let uri = b"sip:alice:hunter2@192.0.2.1";
    let quoted = b"\"sip:alice:hunter2@192.0.2.1\", 1";
    let masked = "\"sip:alice:xxxxxxx@192.0.2.1\"";
    let values = [Value::Str(uri)];
    assert_eq!(
        shown([Shown::Values(&values), Shown::Values(&values)]),
        (masked.to_owned(), masked.to_owned())
    );
    assert_eq!(
        shown([Shown::Text(quoted), Shown::Text(quoted)]),
        (format!("{masked}, 1"), format!("{masked}, 1"))
    );
    // One of which only the beginning is kept, or shown.
    for before in [60, 300, 490, 4_080] {
        let long = [b"x".repeat(before), b" sip:a:hunter2@h".to_vec()].concat();
        let values = [Value::Str(&long)];
        for given in [Shown::Values(&values), Shown::Text(&long)] {
            let (arguments, result) = shown([given, given]);
            assert!(!arguments.contains("hu") && !result.contains("hu"));
        }
    }
}

#[test]
fn what_lies_at_the_end_of_the_memory_is_whole() {
    let recorder = recorder(1_000, 100);
    for n in 0..100_u8 {
        let data = vec![n; usize::from(n) + 1];
        recorder.message(Kind::Sent, at(n.into()), &way(1), &data);
        let entries = all(&recorder).entries;
        let last = &entries[entries.len() - 1];
        assert_eq!(last.data[..], data[..]);
        let kept: usize = entries.iter().map(|e| e.data.len()).sum();
        assert_eq!(recorder.filled().bytes, kept);
        assert!(kept <= 1_000 && (n < 50 || kept > 750));
        for entry in entries {
            let n = u8::try_from(entry.number - 1).unwrap();
            assert_eq!(&entry.data[..], vec![n; usize::from(n) + 1]);
        }
    }
}

#[test]
fn ways_come_back() {
    let recorder = recorder(1_000, 100);
    for (local, remote) in [
        ("192.0.2.1:5060", "255.255.255.255:65535"),
        ("[2001:db8::1]:5061", "[::ffff:192.0.2.1]:1"),
    ] {
        let way = Way {
            proto: Proto::Wss,
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            conn: u64::MAX,
        };
        recorder.clear();
        recorder.message(Kind::Sent, at(1), &way, b"x");
        let entry = &all(&recorder).entries[0];
        assert_eq!((entry.way, entry.spent_us), (way, 0));
    }
    assert_eq!(size_of::<super::ring::Head>(), 80);
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
            &way(1),
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
