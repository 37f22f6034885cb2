//! Header fields and bodies: `KSR.hdr`, textops, textopsx.

mod script_support;

use script_support::*;
use sipwright_sip::script::pv::Spec;
use sipwright_sip::script::{Context, forward, hdr, ruri, textops, textopsx};

/// The header part of the request as it leaves, without the Vias.
fn headers(ctx: &Context) -> Vec<String> {
    let sent = sent(ctx);
    let head = sent.split("\n\n").next().unwrap();
    head.lines()
        .skip(1)
        .filter(|l| !l.starts_with("Via:"))
        .map(str::to_owned)
        .collect()
}

/// Where a line is among those that leave.
fn place(lines: &[String], line: &str) -> usize {
    lines
        .iter()
        .position(|l| l == line)
        .unwrap_or_else(|| panic!("{line} is not in {lines:#?}"))
}

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

// checked against Kamailio 5.6
#[test]
fn searching() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::has_body(&c), 1);
    assert_eq!(textops::has_body_type(&c, b"application/sdp"), 1);
    assert_eq!(textops::has_body_type(&c, b"text/plain"), -1);
    assert_eq!(textops::is_present_hf(&c, b"X-A"), 1);
    assert_eq!(textops::is_present_hf(&c, b"nope"), -1);
    assert_eq!(textops::is_present_hf_re(&mut c, b"^X-"), 1);
    assert_eq!(textops::is_present_hf_re(&mut c, b"^Y-"), -1);
    assert_eq!(textops::search(&mut c, b"alice"), 1);
    assert_eq!(textops::search(&mut c, b"ALICE"), 1, "in any case");
    assert_eq!(textops::search(&mut c, b"zzzz"), -1);
    assert_eq!(
        textops::search(&mut c, b"^cseq:"),
        1,
        "^ matches at every line"
    );
    assert_eq!(textops::search_body(&mut c, b"v="), 1);
    assert_eq!(textops::search_body(&mut c, b"alice"), -1);
    assert_eq!(textops::search_hf(&mut c, b"X-A", b"two", b"a"), 1);
    assert_eq!(textops::search_hf(&mut c, b"X-A", b"two", b"f"), -1);
    assert_eq!(textops::search_hf(&mut c, b"X-A", b"two", b"l"), 1);
    assert_eq!(textops::search_str(&mut c, b"abc", b"B"), 1);
    assert!(c.complaints.is_empty());
    assert_eq!(textops::search(&mut c, b"("), -1);
    assert_eq!(c.complaints.len(), 1);
}

// checked against Kamailio 5.6
#[test]
fn comparing_texts() {
    use textops::*;
    assert_eq!(
        [
            cmp_str(b"a", b"a"),
            cmp_str(b"a", b"A"),
            cmp_istr(b"a", b"A")
        ],
        [1, -1, 1]
    );
    assert_eq!(
        [starts_with(b"abc", b"ab"), starts_with(b"abc", b"b")],
        [1, -2]
    );
    assert_eq!([ends_with(b"abc", b"bc"), ends_with(b"abc", b"b")], [1, -2]);
    assert_eq!(
        [in_list(b"b", b"a,b", b","), in_list(b"c", b"a,b", b",")],
        [1, -1]
    );
    assert_eq!(
        [
            in_list_prefix(b"bcd", b"a, b", b","),
            in_list_prefix(b"x", b"a,,b", b",")
        ],
        [1, -1]
    );
    assert_eq!(
        [
            str_find(b"abc", b"b"),
            str_find(b"abc", b"z"),
            str_ifind(b"abc", b"B")
        ],
        [2, -1, 2]
    );
    assert_eq!(
        [str_any_in(b"abc", b"xb"), str_any_in(b"abc", b"x")],
        [1, -1]
    );
    assert_eq!(
        [str_all_in(b"aba", b"ab"), str_all_in(b"abc", b"ab")],
        [1, -1]
    );
}

// checked against Kamailio 5.6
#[test]
fn removing() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::remove_hf(&mut c, b"Supported"), 1);
    assert_eq!(textops::remove_hf(&mut c, b"nope"), 1);
    assert_eq!(textops::remove_hf_re(&mut c, b"^User"), 1);
    assert_eq!(textops::remove_hf_re(&mut c, b"^zzz"), -1);
    assert_eq!(textops::remove_hf_idx(&mut c, b"X-A", 1), 1);
    assert_eq!(textops::remove_hf_idx(&mut c, b"X-A", 2), -1);
    let lines = headers(&c);
    assert!(
        !lines
            .iter()
            .any(|l| l.starts_with("Supported") || l.starts_with("User"))
    );
    assert_eq!(
        lines
            .iter()
            .filter(|l| l.starts_with("X-A"))
            .collect::<Vec<_>>(),
        ["X-A: one"]
    );
}

#[test]
fn removing_by_content() {
    for (op, text, left) in [
        ("eq", "one", vec!["X-A: two"]),
        ("ne", "one", vec!["X-A: one"]),
        ("sw", "t", vec!["X-A: one"]),
        ("in", "o", vec![]),
        ("re", "^T", vec!["X-A: one"]),
    ] {
        let mut c = ctx(INVITE);
        assert_eq!(
            textops::remove_hf_match(&mut c, b"x-a", op.as_bytes(), text.as_bytes()),
            1
        );
        let lines = headers(&c);
        assert_eq!(
            lines
                .iter()
                .filter(|l| l.starts_with("X-A"))
                .collect::<Vec<_>>(),
            left,
            "{op}"
        );
    }
    let mut c = ctx(INVITE);
    assert_eq!(
        textops::remove_hf_match(&mut c, b"X-A", b"eq", b"three"),
        -1
    );
    assert_eq!(
        textops::remove_hf_match(&mut c, b"X-A", b"??", b"three"),
        -1
    );
    assert_eq!(textops::remove_hf_exp(&mut c, b"^(X-|User)", b"agent"), 1);
    assert!(headers(&c).iter().any(|l| l.starts_with("User-Agent")));
    assert!(!headers(&c).iter().any(|l| l.starts_with("X-A")));
}

#[test]
fn replacing() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::replace(&mut c, b"test/1", b"test/2"), 1);
    assert_eq!(textops::replace(&mut c, b"nothing", b"x"), -1);
    assert_eq!(textops::replace_hdrs(&mut c, b"^X-A", b"X-B"), 1);
    assert_eq!(textops::replace_body(&mut c, b"0", b"1234"), 1);
    let out = sent(&c);
    assert_eq!(lines(&out, "X-B:"), ["X-B: one", "X-B: two"]);
    assert_eq!(lines(&out, "User-Agent"), ["User-Agent: test/2"]);
    assert!(out.ends_with("\n\nv=1234\n"));
    assert_eq!(lines(&out, "Content-Length"), ["Content-Length: 8"]);

    let mut c = ctx(INVITE);
    assert_eq!(textops::replace_str(&mut c, b"test/1", b"[.*]", b"o"), 1);
    assert_eq!(
        textops::replace_str(&mut c, b"TEST/1", b"x", b"o"),
        -1,
        "in this case only"
    );
    assert_eq!(textops::replace_hdrs_str(&mut c, b"X-A", b"Y", b"a"), 1);
    assert_eq!(textops::replace_body_str(&mut c, b"v", b"w", b"a"), 1);
    let out = sent(&c);
    assert_eq!(lines(&out, "User-Agent"), ["User-Agent: [.*]"]);
    assert_eq!(lines(&out, "Y:").len(), 2);
    assert!(out.ends_with("\n\nw=0\n"));
}

#[test]
fn replacing_everywhere() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::replace_all(&mut c, b"0", b"9"), 1);
    assert!(sent(&c).ends_with("\n\nv=9\n"));
    let mut c = ctx(INVITE);
    assert_eq!(textops::replace_body_all(&mut c, b"[v0]", b"__"), 1);
    assert!(sent(&c).ends_with("\n\n__=__\n"));
    assert_eq!(textops::replace_body_all(&mut ctx(INVITE), b"zz", b"x"), -1);
    let mut c = ctx(INVITE);
    assert_eq!(textops::search_append(&mut c, b"test/1", b" plus"), 1);
    assert_eq!(textops::search_append_body(&mut c, b"v=0", b"!"), 1);
    assert_eq!(lines(&sent(&c), "User-Agent"), ["User-Agent: test/1 plus"]);
    assert!(sent(&c).ends_with("\n\nv=0!\n"));
}

#[test]
fn substitutions() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::subst(&mut c, b"/^(X-A): (.*)$/\\1: <\\2>/g"), 1);
    assert_eq!(textops::subst(&mut c, b"/nothing/x/"), -1);
    assert_eq!(textops::subst_body(&mut c, b"/v=(.)/w=$rm\\1/"), 1);
    let out = sent(&c);
    assert_eq!(lines(&out, "X-A"), ["X-A: <one>", "X-A: <two>"]);
    assert!(out.ends_with("\n\nw=INVITE0\n"), "{out}");

    let mut c = ctx(INVITE);
    assert_eq!(textops::subst_hf(&mut c, b"X-A", b"/o/0/g", b"l"), 1);
    assert_eq!(lines(&sent(&c), "X-A"), ["X-A: one", "X-A: tw0"]);
    let mut c = ctx(INVITE);
    assert_eq!(textops::subst_hf(&mut c, b"X-A", b"/o/0/g", b"a"), 1);
    assert_eq!(lines(&sent(&c), "X-A"), ["X-A: 0ne", "X-A: tw0"]);
    assert_eq!(textops::subst_hf(&mut c, b"X-A", b"/zz/0/g", b"f"), -1);
    assert_eq!(textops::subst_hf(&mut c, b"X-A", b"zz", b"f"), -1);
    assert_eq!(c.complaints.len(), 1);
}

#[test]
fn substitutions_on_the_request_uri() {
    let mut c = ctx(INVITE);
    assert_eq!(
        textops::subst_uri(&mut c, b"/^sip:([a-z]+)(.*)$/sip:X\\1\\2/"),
        1
    );
    assert_eq!(c.uri(), b"sip:Xbob:pw@example.com:25070;transport=udp;x=1");
    assert_eq!(textops::subst_user(&mut c, b"/Z/Y/"), -1);
    assert_eq!(textops::subst_user(&mut c, b"/X/Y/"), 1);
    assert_eq!(c.uri(), b"sip:Ybob:pw@example.com:25070;transport=udp;x=1");
    let target = Spec::parse(b"$avp(r)").unwrap();
    assert_eq!(textops::subst_v(&mut c, b"hello", b"/l+/L/", &target), 1);
    assert_eq!(get(&c, "$avp(r)"), "'heLo'");
}

// checked against Kamailio 5.6
#[test]
fn bodies() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::set_body(&mut c, b"hello", b"text/x"), 1);
    let out = sent(&c);
    assert_eq!(lines(&out, "Content-Type"), ["Content-Type: text/x"]);
    assert_eq!(lines(&out, "Content-Length"), ["Content-Length: 5"]);
    assert!(out.ends_with("\n\nhello"));
    assert_eq!(get(&c, "$rb"), "'v=0\r\n'");

    let mut c = ctx(INVITE);
    assert_eq!(textopsx::remove_body(&mut c), 1);
    let out = sent(&c);
    assert_eq!(lines(&out, "Content-Length"), ["Content-Length: 0"]);
    assert!(out.ends_with("\n\n"));
    assert_eq!(textops::set_body(&mut c, b"", b"text/x"), -1);
    assert_eq!(textops::set_body(&mut c, b"x", b""), -1);
}

#[test]
fn session_descriptions_and_privacy() {
    let sdp = |body: &str| {
        let c = format!(
            "Content-Length: {}\n\n{body}",
            body.replace('\n', "\r\n").len()
        );
        ctx(&INVITE.replacen("Content-Length: 5\n\nv=0\n", &c, 1))
    };
    for (body, held) in [
        ("v=0\nm=audio 1 RTP/AVP 0\na=sendonly\n", 1),
        ("v=0\nm=audio 1 RTP/AVP 0\na=inactive\n", 1),
        ("v=0\nc=IN IP4 0.0.0.0\nm=audio 1 RTP/AVP 0\n", 1),
        ("v=0\nm=audio 1 RTP/AVP 0\na=sendrecv\n", -1),
        ("v=0\nm=video 1 RTP/AVP 0\na=sendonly\n", -1),
    ] {
        assert_eq!(textops::is_audio_on_hold(&sdp(body)), held, "{body}");
    }
    let c = ctx(REGISTER);
    assert_eq!(textops::is_privacy(&c, b"ID"), 1);
    assert_eq!(textops::is_privacy(&c, b"user"), 1);
    assert_eq!(textops::is_privacy(&c, b"none"), -1);
    assert_eq!(textops::has_body(&c), -1);
}

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
    assert_eq!(textopsx::append_hf_value(&mut c, b"Supported[0]", b"v"), 1);
    assert_eq!(textopsx::insert_hf_value(&mut c, b"Supported[1]", b"w"), 1);
    assert_eq!(textopsx::remove_hf_value(&mut c, b"X-A[1]"), 1);
    assert_eq!(textopsx::assign_hf_value(&mut c, b"X-A[3]", b"TWO"), 1);
    assert_eq!(textopsx::remove_hf_value(&mut c, b"X-A[7]"), -1);
    assert_eq!(textopsx::assign_hf_value(&mut c, b"Nope", b"q"), -1);
    let lines = headers(&c);
    place(&lines, "Supported: 100rel,v, w,timer");
    place(&lines, "X-A: one, c");
    place(&lines, "X-A: TWO");
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
