//! Header fields: `KSR.hdr`.

mod script_support;

use script_support::*;
use sipwright_sip::script::{Context, hdr, textops, textopsx};

// checked against Kamailio 5.6
#[test]
fn reading() {
    let c = ctx(INVITE);
    for (value, expected) in [
        (hdr::get(&c, b"X-A"), "'one'"),
        (hdr::get(&c, b"nope"), "None"),
        (hdr::gete(&c, b"nope"), "''"),
        (hdr::getw(&c, b"nope"), "'<null>'"),
        (hdr::get_idx(&c, b"X-A", 1), "'two'"),
        (hdr::get_idx(&c, b"X-A", -1), "'two'"),
        (hdr::get_idx(&c, b"X-A", -2), "'one'"),
        (hdr::get_idx(&c, b"X-A", 9), "None"),
        (hdr::get_idx(&c, b"X-A", -9), "None"),
        (hdr::gete_idx(&c, b"X-A", 9), "''"),
        (hdr::getw_idx(&c, b"X-A", 9), "'<null>'"),
        (
            hdr::get(&c, b"f"),
            "'\"Alice A\" <sip:alice@example.com:5070;tp=1>;tag=ft1'",
        ),
    ] {
        assert_eq!(show(&value), expected);
    }
    assert_eq!(hdr::is_present(&c, b"x-a"), 1);
    assert_eq!(hdr::is_present(&c, b"nope"), -1);
}

// checked against Kamailio 5.6, except for `ne`, which never matches there
#[test]
fn comparing_content() {
    let mut c = ctx(INVITE);
    for (op, text, mode, expected) in [
        ("eq", "one", "f", true),
        ("eq", "two", "f", false),
        ("eq", "two", "l", true),
        ("eq", "two", "a", false),
        ("sw", "t", "a", false),
        ("sw", "t", "l", true),
        ("in", "w", "a", false),
        ("in", "o", "a", true),
        ("ne", "two", "f", true),
    ] {
        let matched = hdr::match_content(
            &mut c,
            b"X-A",
            op.as_bytes(),
            text.as_bytes(),
            mode.as_bytes(),
        );
        assert_eq!(matched, expected, "{op} {text} {mode}");
    }
    assert!(!hdr::match_content(&mut c, b"Nope", b"ne", b"x", b"a"));
    assert!(!hdr::match_content(&mut c, b"X-A", b"re", b"^t", b"a"));
    assert_eq!(c.complaints.len(), 1);
}

// checked against Kamailio 5.6
#[test]
fn edits_show_when_the_message_leaves() {
    let mut c = ctx(INVITE);
    assert_eq!(hdr::append(&mut c, b"X-Last: v\r\n"), 1);
    assert_eq!(hdr::append(&mut c, b"X-Last2: v\r\n"), 1);
    assert_eq!(hdr::insert(&mut c, b"X-First: v\r\n"), 1);
    assert_eq!(hdr::insert(&mut c, b"X-First2: v\r\n"), 1);
    assert_eq!(hdr::append_after(&mut c, b"X-After: v\r\n", b"CSeq"), 1);
    assert_eq!(hdr::insert_before(&mut c, b"X-Before: v\r\n", b"CSeq"), 1);
    assert_eq!(hdr::remove(&mut c, b"x-a"), 1);
    assert_eq!(hdr::remove(&mut c, b"X-Nope"), 1, "no error");
    check(&c, &[("$hdr(X-Last)", "None"), ("$hdr(X-A)", "'one'")]);
    assert_eq!(hdr::is_present(&c, b"X-Last"), -1);
    assert_eq!(hdr::is_present(&c, b"X-A"), 1);

    let lines = headers(&c);
    assert!(!lines.iter().any(|l| l.starts_with("X-A:")));
    assert_eq!(
        place(&lines, "X-First: v") + 1,
        place(&lines, "X-First2: v")
    );
    assert!(place(&lines, "X-First: v") < place(&lines, "Max-Forwards: 70"));
    let cseq = place(&lines, "CSeq: 102 INVITE");
    assert_eq!(lines[cseq - 1], "X-Before: v");
    assert_eq!(lines[cseq + 1], "X-After: v");
    assert_eq!(lines[lines.len() - 2..], ["X-Last: v", "X-Last2: v"]);
}

#[test]
fn places_that_are_not_there() {
    let mut c = ctx(INVITE);
    assert_eq!(hdr::append_after(&mut c, b"X-1: v\r\n", b"Nope"), 1);
    assert_eq!(hdr::insert_before(&mut c, b"X-2: v\r\n", b"Nope"), 1);
    assert_eq!(hdr::rmappend(&mut c, b"X-A", b"X-3: v\r\n"), 1);
    assert_eq!(hdr::rminsert(&mut c, b"Supported", b"X-4: v\r\n"), 1);
    let lines = headers(&c);
    assert_eq!(lines[..2], ["X-2: v", "X-4: v"]);
    assert_eq!(lines[lines.len() - 2..], ["X-1: v", "X-3: v"]);
    assert!(
        !lines
            .iter()
            .any(|l| l.starts_with("X-A") || l.starts_with("Supp"))
    );
}

#[test]
fn only_whole_header_lines_are_taken() {
    let mut c = ctx(INVITE);
    for (text, line) in [
        ("X-1: no line end", "X-1: no line end"),
        ("X-2: LF\n", "X-2: LF"),
        ("X-3:\r\n", "X-3:"),
        ("X-4: a\r\nX-5: b\r\n", "X-5: b"),
        ("X-6: a\r\n folded\r\n", " folded"),
        (
            "X-7 : blank before the colon",
            "X-7 : blank before the colon",
        ),
    ] {
        assert_eq!(hdr::append(&mut c, text.as_bytes()), 1, "{text:?}");
        place(&headers(&c), line);
    }
    assert!(c.complaints.is_empty());
    for text in [
        "",
        "NoColon",
        ": no name",
        "X: a\r\n\r\nbody",
        "X: a\rb",
        "X: \0",
        " folded: x",
        "X y: z",
        "\r\n",
    ] {
        assert_eq!(hdr::append(&mut c, text.as_bytes()), -1, "{text:?}");
        assert_eq!(hdr::insert(&mut c, text.as_bytes()), -1, "{text:?}");
        assert_eq!(
            hdr::append_to_reply(&mut c, text.as_bytes()),
            -1,
            "{text:?}"
        );
    }
    assert_eq!(c.complaints.len(), 27);
}

#[test]
fn lines_for_responses_made_here() {
    let mut c = ctx(INVITE);
    assert_eq!(hdr::append_to_reply(&mut c, b"X-R: 1\r\n"), 1);
    assert_eq!(hdr::append_to_reply(&mut c, b"X-S: 2"), 1);
    assert_eq!(c.reply_headers, b"X-R: 1\r\nX-S: 2\r\n");
    assert_eq!(textops::set_reply_body(&mut c, b"hi", b"text/plain"), 1);
    assert_eq!(textops::set_reply_body(&mut c, b"hi", b"a\r\nb"), -1);
    assert_eq!(c.reply_body, Some((b"hi".to_vec(), b"text/plain".to_vec())));
}

#[test]
fn nothing_is_left_of_a_removed_header_field() {
    let acts: [fn(&mut Context) -> i32; 4] = [
        |c| textopsx::assign_hf_value(c, b"X-A[0]", b"new"),
        |c| textopsx::append_hf_value(c, b"X-A[0]", b"more"),
        |c| textops::subst_hf(c, b"X-A", b"/o/0/g", b"a"),
        |c| textops::replace_hdrs(c, b"one|two", b"three"),
    ];
    for act in acts {
        let mut c = ctx(INVITE);
        act(&mut c);
        hdr::remove(&mut c, b"X-A");
        assert_eq!(lines(&sent(&c), "X-A"), [""; 0], "edited, then removed");
        assert!(!sent(&c).contains("three") && !sent(&c).contains("more"));
    }
    for act in &acts[..1] {
        let mut c = ctx(INVITE);
        hdr::remove(&mut c, b"X-A");
        assert_eq!(act(&mut c), -1, "removed, then edited");
    }
    for act in &acts[2..] {
        let mut c = ctx(INVITE);
        hdr::remove(&mut c, b"X-A");
        act(&mut c);
        assert_eq!(sent(&c).matches("X-A").count(), 0);
        assert!(!sent(&c).contains("three"));
    }
    // lines beside it stay
    let mut c = ctx(INVITE);
    hdr::append_after(&mut c, b"X-B: 1\r\n", b"X-A");
    hdr::insert_before(&mut c, b"X-C: 1\r\n", b"X-A");
    hdr::remove(&mut c, b"X-A");
    assert_eq!(lines(&sent(&c), "X-"), ["X-C: 1", "X-B: 1"]);
}
