//! Lists, iterators and applying edits: module textopsx.

mod script_support;

use script_support::*;
use sipwright_sip::script::{Context, forward, hdr, ruri, textops, textopsx};

// checked against Kamailio 5.6
#[test]
fn values_of_lists() {
    let mut c = ctx(INVITE);
    assert_eq!(textopsx::append_hf_value(&mut c, b"X-A", b"n1"), 1);
    assert_eq!(textopsx::insert_hf_value(&mut c, b"X-A", b"n0"), 1);
    assert_eq!(textopsx::append_hf_value(&mut c, b"Nope", b"n1"), 1);
    assert_eq!(textopsx::insert_hf_value(&mut c, b"Nope2", b"n2"), 1);
    assert_eq!(textopsx::hf_value_exists(&mut c, b"Supported", b"timer"), 1);
    assert_eq!(textopsx::hf_value_exists(&mut c, b"Supported", b"x"), -1);
    assert_eq!(textopsx::include_hf_value(&mut c, b"Supported", b"zip"), 1);
    assert_eq!(
        textopsx::include_hf_value(&mut c, b"Supported", b"100rel"),
        1
    );
    assert_eq!(
        textopsx::exclude_hf_value(&mut c, b"Supported", b"100rel"),
        1
    );
    let lines = headers(&c);
    let first = place(&lines, "X-A: n0");
    assert_eq!(lines[first + 1], "X-A: one");
    assert_eq!(
        lines[lines.len() - 3..],
        ["X-A: n1", "Nope: n1", "Nope2: n2"]
    );
    place(&lines, "Supported: timer,zip");
}

// checked against Kamailio 5.6
#[test]
fn values_at_an_index() {
    let mut c = ctx(&INVITE.replacen("X-A: one", "X-A: one, b,  c", 1));
    assert_eq!(textopsx::append_hf_value(&mut c, b"Supported[1]", b"v"), 1);
    assert_eq!(textopsx::insert_hf_value(&mut c, b"Supported[2]", b"w"), 1);
    assert_eq!(textopsx::remove_hf_value(&mut c, b"X-A[2]"), 1);
    assert_eq!(textopsx::assign_hf_value(&mut c, b"X-A[4]", b"TWO"), 1);
    assert_eq!(textopsx::remove_hf_value(&mut c, b"X-A[7]"), -1);
    assert_eq!(textopsx::assign_hf_value(&mut c, b"Nope", b"q"), -1);
    let lines = headers(&c);
    place(&lines, "Supported: 100rel,v, w,timer");
    place(&lines, "X-A: one, c");
    place(&lines, "X-A: TWO");
}

// checked against Kamailio 5.6
#[test]
fn positions_that_stand_for_something_else() {
    let text = INVITE.replacen("X-A: one", "X-A: one, b", 1);
    let after = |act: fn(&mut Context) -> i32| {
        let mut c = ctx(&text);
        let code = act(&mut c);
        (code, lines(&sent(&c), "X-A").join(" | "))
    };
    let is = |code, text: &str| (code, text.to_owned());
    assert_eq!(
        after(|c| textopsx::append_hf_value(c, b"X-A[0]", b"n")),
        is(1, "X-A: one, b | X-A: two,n")
    );
    assert_eq!(
        after(|c| textopsx::append_hf_value(c, b"X-A[9]", b"n")),
        is(1, "X-A: one, b | X-A: two | X-A: n")
    );
    assert_eq!(
        after(|c| textopsx::append_hf_value(c, b"X-A[*]", b"n")).0,
        -1
    );
    assert_eq!(
        after(|c| textopsx::insert_hf_value(c, b"X-A[9]", b"n")).0,
        -1
    );
    assert_eq!(
        after(|c| textopsx::insert_hf_value(c, b"X-A[-1]", b"n")),
        is(1, "X-A: one, b | X-A: n,two")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value(c, b"X-A[0]", b"n")),
        is(1, "X-A: n, b | X-A: two")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value(c, b"X-A[*]", b"n")).0,
        -1
    );
    assert_eq!(
        after(|c| textopsx::include_hf_value(c, b"X-A", b"n")),
        is(1, "X-A: one, b,n | X-A: two")
    );
}

// checked against Kamailio 5.6
#[test]
fn parameters_of_values() {
    let text = INVITE.replacen("X-A: one", "X-A: <sip:a@b;q=9>;q=1;e=2, b", 1);
    let after = |act: fn(&mut Context) -> i32| {
        let mut c = ctx(&text);
        let code = act(&mut c);
        (code, lines(&sent(&c), "X-A")[0].to_owned())
    };
    let is = |code, text: &str| (code, format!("X-A: {text}"));
    let untouched = "<sip:a@b;q=9>;q=1;e=2, b";
    assert_eq!(
        after(|c| textopsx::remove_hf_value(c, b"X-A.q")),
        is(1, "<sip:a@b;q=9>;e=2, b")
    );
    assert_eq!(
        after(|c| textopsx::remove_hf_value(c, b"X-A[2].q")),
        is(-1, untouched)
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value(c, b"X-A[*].E", b"7")),
        is(1, "<sip:a@b;q=9>;q=1;E=7, b;E=7")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value(c, b"X-A.e", b"")),
        is(1, "<sip:a@b;q=9>;q=1, b")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value(c, b"X-A.lr", b"")),
        is(-1, untouched)
    );
}

// checked against Kamailio 5.6, but for remove_hf_value2, which it does not let scripts call
#[test]
fn parameters_of_credentials() {
    let text = INVITE.replacen("X-A: one", "X-A: Digest u=\"a, b\", r=\"x\", q=auth", 1);
    let after = |act: fn(&mut Context) -> i32| {
        let mut c = ctx(&text);
        let code = act(&mut c);
        (code, lines(&sent(&c), "X-A").join(" | "))
    };
    let is = |text: &str| (1, format!("X-A: {text}"));
    assert_eq!(
        after(|c| textopsx::assign_hf_value2(c, b"X-A.i-p", b"\"yes\"")),
        is("Digest u=\"a, b\", r=\"x\", q=auth,i-p=\"yes\" | X-A: two")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value2(c, b"X-A.u", b"\"new\"")),
        is("Digest u=\"new\", r=\"x\", q=auth | X-A: two")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value2(c, b"X-A.r", b"")),
        is("Digest u=\"a, b\", q=auth | X-A: two")
    );
    assert_eq!(
        after(|c| textopsx::assign_hf_value2(c, b"X-A[2]", b"n")),
        is("Digest u=\"a, b\", r=\"x\", q=auth | X-A: n")
    );
    assert_eq!(
        after(|c| textopsx::remove_hf_value2(c, b"X-A.u")),
        is("Digest r=\"x\", q=auth | X-A: two")
    );
    assert_eq!(
        after(|c| textopsx::remove_hf_value2(c, b"X-A[1]")),
        is("two")
    );
    assert_eq!(after(|c| textopsx::remove_hf_value2(c, b"X-A[3]")).0, -1);
}

// checked against Kamailio 5.6
#[test]
fn edits_at_lines_of_the_body() {
    let mut c = ctx(INVITE);
    assert_eq!(
        textops::set_body(&mut c, b"l1\r\nl2\r\nl3\r\n", b"text/plain"),
        1
    );
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    assert_eq!(textopsx::bl_iterator_start(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_insert(&mut c, b"b", b"zero\r\n"), -1);
    assert_eq!(textopsx::bl_iterator_next(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_insert(&mut c, b"b", b"before\r\n"), 1);
    assert_eq!(textopsx::bl_iterator_append(&mut c, b"b", b"after\r\n"), 1);
    assert_eq!(textopsx::bl_iterator_next(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_rm(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_next(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_append(&mut c, b"b", b"end"), 1);
    assert_eq!(textopsx::bl_iterator_next(&mut c, b"b"), -1);
    assert_eq!(textopsx::bl_iterator_append(&mut c, b"b", b"past"), -1);
    assert_eq!(textopsx::bl_iterator_rm(&mut c, b"none"), -1);
    let out = forward::applied(&c);
    assert!(out.ends_with(b"\r\n\r\nbefore\r\nl1\r\nafter\r\nl3\r\nend"));
}

#[test]
fn the_last_value_takes_its_header_field_along() {
    let mut c = ctx(INVITE);
    assert_eq!(textopsx::remove_hf_value(&mut c, b"X-A"), 1);
    assert_eq!(
        textopsx::exclude_hf_value(&mut c, b"Supported", b"TIMER"),
        1
    );
    assert_eq!(textopsx::exclude_hf_value(&mut c, b"Supported", b"nope"), 1);
    let out = headers(&c);
    place(&out, "Supported: 100rel");
    assert!(!out.contains(&"X-A: one".to_owned()));
    place(&out, "X-A: two");
    assert_eq!(textopsx::remove_hf_value(&mut c, b"X-A[*]"), 1);
    assert!(!headers(&c).iter().any(|l| l.starts_with("X-A")));
    for bad in ["", "X A", "X[", "X[y]", "X]"] {
        assert_eq!(
            textopsx::append_hf_value(&mut c, bad.as_bytes(), b"v"),
            -1,
            "{bad}"
        );
    }
    assert_eq!(textopsx::append_hf_value(&mut c, b"X", b"a\r\nb"), -1);
}

// checked against Kamailio 5.6
#[test]
fn iterating_over_header_fields() {
    let mut c = ctx(INVITE);
    assert_eq!(textopsx::hf_iterator_start(&mut c, b"i1"), 1);
    assert_eq!(show(&textopsx::hf_iterator_hname(&c, b"i1")), "None");
    let mut seen = Vec::new();
    while textopsx::hf_iterator_next(&mut c, b"i1") > 0 {
        seen.push((get(&c, "$hfitname(i1)"), get(&c, "$hfitbody(i1)")));
    }
    assert_eq!(seen.len(), 14);
    assert_eq!(seen[2], ("'Max-Forwards'".into(), "'70'".into()));
    assert_eq!(seen[13], ("'Content-Length'".into(), "'5'".into()));
    assert_eq!(textopsx::hf_iterator_next(&mut c, b"i1"), -1);
    assert_eq!(show(&textopsx::hf_iterator_hname(&c, b"i1")), "None");
    assert_eq!(textopsx::hf_iterator_prev(&mut c, b"i1"), 1);
    assert_eq!(get(&c, "$hfitname(i1)"), "'Content-Length'");
    assert_eq!(textopsx::hf_iterator_end(&mut c, b"i1"), 1);
    assert_eq!(textopsx::hf_iterator_next(&mut c, b"nope"), -1);
    assert_eq!(show(&textopsx::hf_iterator_hbody(&c, b"nope")), "None");
    assert_eq!(textopsx::hf_iterator_end(&mut c, b"nope"), -1);
}

#[test]
fn editing_at_an_iterator() {
    let mut c = ctx(INVITE);
    textopsx::hf_iterator_start(&mut c, b"i");
    assert_eq!(
        textopsx::hf_iterator_rm(&mut c, b"i"),
        -1,
        "not on a header field yet"
    );
    while textopsx::hf_iterator_next(&mut c, b"i") > 0 {
        if get(&c, "$hfitname(i)") == "'X-A'" {
            if get(&c, "$hfitbody(i)") == "'one'" {
                assert_eq!(textopsx::hf_iterator_rm(&mut c, b"i"), 1);
            } else {
                assert_eq!(textopsx::hf_iterator_append(&mut c, b"i", b"X-C: 1\r\n"), 1);
                assert_eq!(textopsx::hf_iterator_insert(&mut c, b"i", b"X-B: 1\r\n"), 1);
                assert_eq!(textopsx::hf_iterator_insert(&mut c, b"i", b"bad"), -1);
            }
        }
    }
    let lines = headers(&c);
    let b = place(&lines, "X-B: 1");
    assert_eq!(lines[b + 1..b + 3], ["X-A: two", "X-C: 1"]);
    assert!(!lines.contains(&"X-A: one".to_owned()));
}

// checked against Kamailio 5.6
#[test]
fn iterating_over_body_lines() {
    let mut c = ctx(INVITE);
    assert_eq!(textopsx::bl_iterator_start(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_next(&mut c, b"b"), 1);
    assert_eq!(get(&c, "$blitval(b)"), "'v=0\r\n'");
    assert_eq!(textopsx::bl_iterator_next(&mut c, b"b"), -1);
    assert_eq!(textopsx::bl_iterator_end(&mut c, b"b"), 1);
    assert_eq!(textopsx::bl_iterator_end(&mut c, b"b"), -1);
}

// checked against Kamailio 5.6
#[test]
fn applying_changes() {
    let mut c = ctx(INVITE);
    hdr::append(&mut c, b"X-Last: v\r\n");
    hdr::remove(&mut c, b"X-A");
    sets(&mut c, "$fU", "carol");
    sets(&mut c, "$rU", "dd");
    sets(&mut c, "$du", "sip:127.0.0.1:25070");
    c.tx_data.flags = 8;
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    check(
        &c,
        &[
            ("$fU", "'carol'"),
            ("$hdr(X-A)", "None"),
            ("$hdr(X-Last)", "'v'"),
            ("$ru", "'sip:dd:pw@example.com:25070;transport=udp;x=1'"),
            ("$ou", "'sip:dd:pw@example.com:25070;transport=udp;x=1'"),
            ("$du", "'sip:127.0.0.1:25070'"),
            ("$Mf(3)", "1"),
            (
                "$(hdr(Via)[0])",
                "'SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport'",
            ),
        ],
    );
    // further edits work on the new message
    sets(&mut c, "$fn", "\"Again\"");
    hdr::append(&mut c, b"X-Z: v\r\n");
    let lines = headers(&c);
    place(
        &lines,
        "From: \"Again\" <sip:carol@example.com:5070;tp=1>;tag=ft1",
    );
    assert_eq!(lines[lines.len() - 2..], ["X-Last: v", "X-Z: v"]);
}

// checked against Kamailio 5.6
#[test]
fn changes_cannot_be_applied_after_record_route() {
    let mut c = ctx(INVITE);
    hdr::append(&mut c, b"X-Last: v\r\n");
    sipwright_sip::script::rr::record_route(&mut c);
    assert_eq!(textopsx::msg_apply_changes(&mut c), -1);
    assert_eq!(get(&c, "$hdr(X-Last)"), "None");
    assert_eq!(c.complaints.len(), 1);
}

#[test]
fn a_changed_message_that_is_none_is_refused() {
    let mut c = ctx(INVITE);
    textops::replace_hdrs(&mut c, b"^CSeq:.*$", b"X: y");
    assert_eq!(textopsx::msg_apply_changes(&mut c), -1);
    assert_eq!(get(&c, "$cs"), "'102'");
    assert_eq!(textopsx::msg_set_buffer(&mut c, b"junk"), -1);
    ruri::seturi(&mut c, b"sip:x@y");
    let other = INVITE.replace("cid-1", "cid-9").replace('\n', "\r\n");
    assert_eq!(textopsx::msg_set_buffer(&mut c, other.as_bytes()), 1);
    check(&c, &[("$ci", "'cid-9'"), ("$rU", "'bob'")]);
}

#[test]
fn changing_responses() {
    let mut c = ctx(RINGING);
    assert_eq!(hdr::append(&mut c, b"X-R: v\r\n"), 1);
    assert_eq!(
        textopsx::change_reply_status(&mut c, 183, b"Session Progress"),
        1
    );
    let out = String::from_utf8(forward::build_reply(&c)).unwrap();
    assert!(
        out.starts_with("SIP/2.0 183 Session Progress\r\nVia: SIP/2.0/UDP 10.0.0.1:5062"),
        "{out}"
    );
    assert!(out.contains("X-R: v\r\n"));
    assert_eq!(textopsx::change_reply_status_code(&mut c, 182), 1);
    assert_eq!(c.reply_status, Some((182, b"Ringing".to_vec())));
    for (code, reason) in [
        (200, "OK"),
        (486, "x"),
        (99, "x"),
        (700, "x"),
        (183, "a\r\nb"),
    ] {
        assert_eq!(
            textopsx::change_reply_status(&mut c, code, reason.as_bytes()),
            -1,
            "{code}"
        );
    }
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    check(
        &c,
        &[
            ("$rs", "182"),
            ("$rr", "'Ringing'"),
            ("$hdr(X-R)", "'v'"),
            ("$hflc(Via)", "2"),
        ],
    );
    // checked against Kamailio 5.6
    assert_eq!(
        textopsx::change_reply_status(&mut ctx(INVITE), 200, b"x"),
        -1
    );
}

#[test]
fn keeping_only_what_is_needed() {
    let mut c = ctx(INVITE);
    assert_eq!(textopsx::keep_hf_re(&mut c, b"^supp"), 1);
    let lines = headers(&c);
    assert!(lines.iter().any(|l| l.starts_with("Supported")));
    assert!(
        !lines
            .iter()
            .any(|l| l.starts_with("X-A") || l.starts_with("User-Agent"))
    );
    assert_eq!(lines.len(), 9);
    assert_eq!(textopsx::keep_hf(&mut c), 1);
    assert_eq!(headers(&c).len(), 8);
}

// 0 for a match: checked against Kamailio 5.6
#[test]
fn shell_patterns() {
    for (text, pattern, matched) in [
        ("abc", "a*", true),
        ("abc", "b*", false),
        ("abc", "*", true),
        ("", "*", true),
        ("", "?", false),
        ("abc", "a?c", true),
        ("abc", "*b*", true),
        ("abcbc", "*bc", true),
        ("abc", "a[bx]c", true),
        ("abc", "a[a-c]c", true),
        ("abc", "a[!b]c", false),
        ("axc", "a[!b]c", true),
        ("a*c", "a\\*c", true),
        ("abc", "a\\*c", false),
        ("a[c", "a[c", true),
        ("abc", "ABC", false),
        ("a]c", "a[]]c", true),
    ] {
        let code = textopsx::fnmatch(text.as_bytes(), pattern.as_bytes());
        assert_eq!(code, if matched { 0 } else { -1 }, "{text} {pattern}");
    }
    assert_eq!(textopsx::fnmatch_ex(b"abc", b"A*", b"i"), 0);
    // many stars do not take exponential time
    let text = vec![b'a'; 5000];
    assert_eq!(textopsx::fnmatch(&text, b"*a*a*a*a*a*a*a*a*b"), -1);
}

// Kamailio 5.6 writes both values, or the new value without its header field
#[test]
fn the_last_edit_of_a_value_wins() {
    let mut c = ctx(INVITE);
    for value in ["first", "second"] {
        assert_eq!(
            textopsx::assign_hf_value(&mut c, b"X-A", value.as_bytes()),
            1
        );
    }
    assert_eq!(lines(&sent(&c), "X-A"), ["X-A: second", "X-A: two"]);
    assert_eq!(textopsx::append_hf_value(&mut c, b"X-A[1]", b"more"), 1);
    assert_eq!(lines(&sent(&c), "X-A"), ["X-A: second,more", "X-A: two"]);
}
