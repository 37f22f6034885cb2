//! Searching and editing text: module textops.

mod script_support;

use script_support::*;
use sipwright_sip::script::{Context, forward, textops, textopsx};

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
fn edits_of_the_body_add_up() {
    let mut c = ctx(INVITE);
    assert_eq!(textops::replace_body(&mut c, b"0", b"1234"), 1);
    assert_eq!(textops::subst_body(&mut c, b"/v/w/"), 1);
    let out = sent(&c);
    assert!(out.ends_with("\n\nw=1234\n"), "{out}");
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
    assert_eq!(textops::subst_v(&mut c, b"hello", b"/l+/L/", b"$avp(r)"), 1);
    assert_eq!(get(&c, "$avp(r)"), "'heLo'");
    assert_eq!(textops::subst_v(&mut c, b"hello", b"/z/L/", b"$avp(r)"), -1);
    assert_eq!(textops::subst_v(&mut c, b"hello", b"/l/L/", b"none"), -1);
}

// checked against Kamailio 5.6
#[test]
fn groups_of_a_match() {
    let mut c = ctx(INVITE);
    let mut group = |bounds, text: &[u8], pattern: &[u8]| {
        let code = textops::regex_substring(&mut c, text, pattern, bounds, b"$var(g)");
        (code, get(&c, "$var(g)"))
    };
    let pattern = b"([a-z]+)-([0-9]+)";
    let is = |text: &str| (1, format!("'{text}'"));
    assert_eq!(group((0, 3), b"foo-12-bar-34", pattern), is("foo-12"));
    assert_eq!(group((1, 3), b"foo-12-bar-34", pattern), is("foo"));
    assert_eq!(group((2, 3), b"foo-12-bar-34", pattern), is("12"));
    assert_eq!(group((2, 2), b"foo-12-bar-34", pattern).0, -1);
    assert_eq!(group((0, 1), b"foo", b"([0-9]+)").0, -2);
    assert_eq!(group((0, 1), b"foo", b"([").0, -1);
}

fn body(ctx: &Context) -> String {
    let out = String::from_utf8(forward::applied(ctx).to_vec()).unwrap();
    let head = out.find("\r\n\r\n").unwrap();
    out[head + 4..].to_owned()
}

// checked against Kamailio 5.6, which leaves the last boundary open until another part is added
#[test]
fn bodies_of_several_parts() {
    let mut c = ctx(INVITE);
    let added = textops::set_body_multipart(&mut c, b"hello", b"text/plain", b"delim");
    assert_eq!(added, 1);
    // not before the script sees the new body
    assert_eq!(
        textops::append_body_part(&mut c, b"two", b"text/html", b""),
        -1
    );
    let out = sent(&c);
    assert_eq!(
        lines(&out, "Content-Type")[0],
        "Content-Type: multipart/mixed;boundary=\"delim\""
    );
    assert_eq!(lines(&out, "Mime-Version"), ["Mime-Version: 1.0"]);
    assert_eq!(
        body(&c),
        "--delim\r\nContent-Type: text/plain\r\n\r\nhello\r\n--delim--\r\n"
    );
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    assert_eq!(
        textops::append_body_part(&mut c, b"two", b"text/html", b""),
        1
    );
    let further = b"text/xml\r\nX-H: y";
    let code = textops::append_body_part(&mut c, b"three", further, b"signal;handling=optional");
    assert_eq!(code, 1);
    assert_eq!(
        textops::append_body_part_hex(&mut c, b"41 42 43", b"x/hex", b""),
        1
    );
    assert_eq!(
        textops::append_body_part_hex(&mut c, b"414", b"x/hex", b""),
        -1
    );
    assert_eq!(
        textops::append_body_part_hex(&mut c, b"41 4G", b"x/hex", b""),
        -1
    );
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    assert_eq!(
        body(&c),
        "--delim\r\nContent-Type: text/plain\r\n\r\nhello\r\n--delim\r\nContent-Type: text/html\r\n\r\ntwo\r\n\
         --delim\r\nContent-Type: text/xml\r\nX-H: y\r\nContent-Disposition: signal;handling=optional\r\n\r\nthree\r\n\
         --delim\r\nContent-Type: x/hex\r\n\r\nABC\r\n--delim--\r\n"
    );
    assert_eq!(textops::get_body_part(&mut c, b"text/html", b"$var(p)"), 1);
    assert_eq!(get(&c, "$var(p)"), "'\r\ntwo\r\n'");
    assert_eq!(textops::get_body_part_raw(&mut c, b"x/hex", b"$var(p)"), 1);
    assert_eq!(
        get(&c, "$var(p)"),
        "'Content-Type: x/hex\r\n\r\nABC\r\n--delim--\r\n'"
    );
    assert_eq!(textops::get_body_part(&mut c, b"no/no", b"$var(p)"), -1);
    assert_eq!(textops::remove_body_part(&mut c, b"no/no"), -1);
    assert_eq!(textops::remove_body_part(&mut c, b"text/xml"), 1);
    assert_eq!(textops::remove_body_part(&mut c, b"text/plain"), 1);
    assert_eq!(
        body(&c),
        "--delim\r\nContent-Type: text/html\r\n\r\ntwo\r\n--delim\r\nContent-Type: x/hex\r\n\r\nABC\r\n--delim--\r\n"
    );
    assert_eq!(textops::filter_body(&mut c, b"no/no"), -1);
    assert_eq!(textops::filter_body(&mut c, b"x/hex"), 1);
    assert_eq!(body(&c), "ABC");
}

// checked against Kamailio 5.6
#[test]
fn a_body_becomes_the_first_part() {
    let mut c = ctx(INVITE);
    assert_eq!(
        textops::get_body_part(&mut c, b"application/sdp", b"$var(p)"),
        1
    );
    assert_eq!(get(&c, "$var(p)"), "'v=0\r\n'");
    assert_eq!(textops::filter_body(&mut c, b"application/sdp"), -1);
    assert_eq!(textops::set_body_multipart(&mut c, b"", b"", b""), 1);
    assert_eq!(
        body(&c),
        "--unique-boundary-1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--unique-boundary-1--\r\n"
    );
    for bad in ["a\"b", "ends ", &"x".repeat(71)] {
        let code = textops::set_body_multipart(&mut c, b"t", b"text/plain", bad.as_bytes());
        assert_eq!(code, -1, "{bad}");
    }
    assert_eq!(textops::set_body_multipart(&mut c, b"t", b"", b"b"), -1);
    assert_eq!(textopsx::remove_body(&mut c), 1);
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    assert_eq!(textops::set_body_multipart(&mut c, b"", b"", b"xx"), -1);
}

#[test]
fn parts_without_an_end() {
    let mut c = ctx(INVITE);
    let text =
        b"preamble\r\n--b1\r\n\r\nplain\r\n--b1x\r\n--b1\r\nContent-Type: a/b;c=d\r\n\r\none";
    assert_eq!(
        textops::set_body(&mut c, text, b"multipart/mixed;boundary=b1"),
        1
    );
    assert_eq!(textopsx::msg_apply_changes(&mut c), 1);
    assert_eq!(textops::get_body_part(&mut c, b"text/plain", b"$var(p)"), 1);
    assert_eq!(get(&c, "$var(p)"), "'\r\nplain\r\n--b1x\r\n'");
    assert_eq!(textops::get_body_part(&mut c, b"A/B", b"$var(p)"), 1);
    assert_eq!(get(&c, "$var(p)"), "'\r\none'");
    assert_eq!(textops::append_body_part(&mut c, b"two", b"x/y", b""), 1);
    assert!(
        body(&c).ends_with("\r\n\r\none\r\n--b1\r\nContent-Type: x/y\r\n\r\ntwo\r\n--b1--\r\n")
    );
}

#[test]
fn bodies_in_hexadecimal_digits() {
    let mut c = ctx(INVITE);
    assert_eq!(
        textops::set_body_hex(&mut c, b"48 656c6c 6f", b"text/plain"),
        1
    );
    assert_eq!(body(&c), "Hello");
    assert_eq!(textops::set_body_hex(&mut c, b"486", b"text/plain"), -1);
    assert_eq!(
        textops::set_reply_body_hex(&mut c, b"zz", b"text/plain"),
        -1
    );
    assert_eq!(
        textops::set_reply_body_hex(&mut c, b"4869", b"text/plain"),
        1
    );
    assert_eq!(c.reply_body, Some((b"Hi".to_vec(), b"text/plain".to_vec())));
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
