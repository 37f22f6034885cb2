//! Edits: what nobody touched stays as it was.

mod message_kit;

use message_kit::{INVITE, invite_with, options, parse, span_of, swap, text};
use sipwright_sip::{Edits, HeaderId, Message, Span};

fn applied(edits: &Edits, msg: &Message) -> String {
    let mut out = Vec::new();
    edits.apply(msg, &mut out);
    text(out)
}

/// `INVITE` after the edits that `change` makes.
fn edited(change: impl FnOnce(&mut Edits, &Message)) -> String {
    let msg = parse(INVITE);
    let mut edits = Edits::new();
    change(&mut edits, &msg);
    assert!(!edits.is_empty());
    applied(&edits, &msg)
}

#[test]
fn no_edits_change_nothing() {
    let odd = "\r\nOPTIONS sip:b@h SIP/2.0\nv:  SIP / 2.0/UDP h\r\nf: <sip:a@b>;tag=1\r\nT :\r\n <sip:b@h>\r\n\
               i:c\r\ncseq: 1  OPTIONS\r\n\r\nrest";
    for message in [INVITE, odd, &options("Subject:\r\n  folded\r\n")] {
        let msg = parse(message);
        let edits = Edits::default();
        assert!(edits.is_empty());
        assert_eq!(applied(&edits, &msg), text(msg.bytes()));
    }
    assert_eq!(
        size_of::<Edits>(),
        size_of::<usize>(),
        "one pointer, null when empty"
    );
}

#[test]
fn apply_appends_to_the_buffer() {
    let msg = parse(INVITE);
    let mut out = b"before".to_vec();
    Edits::new().apply(&msg, &mut out);
    assert_eq!(text(out), format!("before{INVITE}"));
}

#[test]
fn remove_insert_replace() {
    let out = edited(|edits, msg| {
        edits.remove(msg.header(HeaderId::Contact).expect("Contact").full);
        edits.insert_at(span_of(msg, "<sip:bob@").start, "x ");
        edits.replace(span_of(msg, "70"), "69");
    });
    let want = invite_with("Contact: <sip:alice@pc33.atlanta.example.com>\r\n", "");
    let want = swap(&swap(&want, "Bob <", "Bob x <"), ": 70", ": 69");
    assert_eq!(out, want);
}

#[test]
fn edits_at_one_place_keep_their_order() {
    let out = edited(|edits, msg| {
        let span = span_of(msg, "Alice");
        edits.insert_at(span.start, "1");
        edits.replace(span, "2");
        edits.insert_at(span.start, "3");
        edits.insert_at(span.end, "4");
    });
    assert_eq!(out, invite_with("Alice", "1234"));
}

#[test]
fn overlapping_removals_are_merged() {
    let out = edited(|edits, msg| {
        let at = span_of(msg, "atlanta.example.com>;tag").start;
        edits.remove(Span::new(at + 4, at + 12));
        edits.remove(Span::new(at, at + 8));
        edits.remove(Span::new(at + 5, at + 6));
        edits.remove(Span::new(at, at + 8));
    });
    assert_eq!(out, invite_with("atlanta.example.com>;tag", "ple.com>;tag"));
}

#[test]
fn insertion_inside_a_removal_appears() {
    let out = edited(|edits, msg| {
        let contact = msg.header(HeaderId::Contact).expect("Contact");
        edits.insert_at(contact.value.start, "Contact: <sip:new>\r\n");
        edits.remove(contact.full);
        edits.insert_at(contact.full.end, "X: after\r\n");
    });
    let old = "Contact: <sip:alice@pc33.atlanta.example.com>\r\n";
    assert_eq!(out, invite_with(old, "Contact: <sip:new>\r\nX: after\r\n"));
}

#[test]
fn prepended_lines_come_last_first() {
    let out = edited(|edits, msg| {
        edits.prepend_header("A: 1\r\n");
        edits.prepend_header("B: 2\r\n");
        edits.remove(msg.headers()[0].full);
    });
    let via = "Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n";
    assert_eq!(out, invite_with(via, "B: 2\r\nA: 1\r\n"));
}

#[test]
fn appended_lines_follow_in_order() {
    let out = edited(|edits, _| {
        edits.append_header("A: 1\r\n");
        edits.append_header("B: 2\r\n");
    });
    assert_eq!(out, invite_with("\r\n\r\n", "\r\nA: 1\r\nB: 2\r\n\r\n"));
}

#[test]
fn request_uri() {
    let out = edited(|edits, _| {
        edits.set_uri("sip:first");
        edits.set_uri("sip:carol@chicago.example.com");
        assert_eq!(edits.uri(), Some(&b"sip:carol@chicago.example.com"[..]));
    });
    assert_eq!(
        out,
        invite_with("INVITE sip:bob@biloxi", "INVITE sip:carol@chicago")
    );
}

#[test]
fn new_body_corrects_length_and_type() {
    let out = edited(|edits, _| {
        edits.set_body("0123456789", Some(b"application/sdp"));
        assert_eq!(edits.body(), Some(&b"0123456789"[..]));
    });
    let want = swap(INVITE, "text/plain", "application/sdp");
    assert_eq!(
        out,
        swap(
            &want,
            "Content-Length: 4\r\n\r\nbody",
            "Content-Length: 10\r\n\r\n0123456789"
        )
    );
    let kept = edited(|edits, _| edits.set_body("12345", None));
    assert_eq!(
        kept,
        invite_with(
            "Content-Length: 4\r\n\r\nbody",
            "Content-Length: 5\r\n\r\n12345"
        )
    );
    let none = edited(|edits, _| edits.set_body("", None));
    let old = "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(none, invite_with(old, "Content-Length: 0\r\n\r\n"));
}

#[test]
fn new_body_adds_what_is_missing() {
    let msg = parse(options(""));
    let mut edits = Edits::new();
    edits.set_body("hi", Some(b"text/plain"));
    edits.append_header("X: y\r\n");
    let added = "X: y\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n";
    assert_eq!(applied(&edits, &msg), options(added) + "hi");
}

#[test]
fn removed_length_and_type_are_written_anew() {
    let out = edited(|edits, msg| {
        for id in [HeaderId::ContentLength, HeaderId::ContentType] {
            edits.remove(msg.header(id).expect("present").full);
        }
        edits.set_body("hi", Some(b"a/b"));
    });
    let old = "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(
        out,
        invite_with(old, "Content-Length: 2\r\nContent-Type: a/b\r\n\r\nhi")
    );
}

#[test]
fn edits_inside_the_body_correct_the_length() {
    let out = edited(|edits, msg| {
        edits.insert_at(msg.body_offset() as u32, "some");
        edits.replace(span_of(msg, "ody"), "OD");
        edits.insert_at(msg.bytes().len() as u32, "!");
    });
    assert_eq!(
        out,
        invite_with(
            "Content-Length: 4\r\n\r\nbody",
            "Content-Length: 8\r\n\r\nsomebOD!"
        )
    );
}

#[test]
fn set_body_wins_over_edits_inside_the_body() {
    let out = edited(|edits, msg| {
        edits.replace(span_of(msg, "ody"), "OD");
        edits.set_body("new!", None);
    });
    assert_eq!(out, invite_with("body", "new!"));
}

#[test]
fn the_empty_line_always_stays() {
    let out = edited(|edits, msg| {
        let end = msg.bytes().len() as u32;
        let length = msg.header(HeaderId::ContentLength).expect("present");
        edits.replace(Span::new(length.full.start, end), "X: y\r\n");
    });
    let old = "Content-Length: 4\r\n\r\nbody";
    assert_eq!(out, invite_with(old, "X: y\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn removed_tells_what_is_covered() {
    let mut edits = Edits::new();
    assert!(!edits.removed(Span::new(0, 1)));
    edits.remove(Span::new(10, 20));
    edits.replace(Span::new(20, 30), "x");
    edits.insert_at(40, "y");
    for (start, end, removed) in [
        (10, 30, true),
        (15, 25, true),
        (10, 31, false),
        (9, 11, false),
        (40, 41, false),
    ] {
        assert_eq!(
            edits.removed(Span::new(start, end)),
            removed,
            "{start}..{end}"
        );
    }
    assert!(edits.removed(Span::new(12, 12)) && !edits.removed(Span::new(30, 30)));
    edits.clear();
    assert!(edits.is_empty() && !edits.removed(Span::new(10, 20)));
}

#[test]
fn a_clone_is_its_own_list() {
    let msg = parse(INVITE);
    let mut one = Edits::new();
    one.append_header("A: 1\r\n");
    let mut two = one.clone();
    two.append_header("B: 2\r\n");
    assert!(!applied(&one, &msg).contains("B: 2"));
    assert!(applied(&two, &msg).contains("A: 1\r\nB: 2"));
}

#[test]
fn spans_out_of_bounds_are_harmless() {
    let out = edited(|edits, _| {
        edits.remove(Span::new(9_000, 10_000));
        edits.replace(Span::new(20_000, 10), "");
    });
    assert_eq!(out, INVITE);
}
