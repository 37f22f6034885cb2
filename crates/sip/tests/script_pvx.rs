//! `KSR.pvx`: lists in texts and extended AVPs.

mod script_support;

use script_support::*;
use sipwright_sip::script::{Context, XavpKind, pvx};

const XAVP: XavpKind = XavpKind::Plain;
const XAVU: XavpKind = XavpKind::Unique;

fn explode(c: &mut Context, params: &str, name: &str) -> i32 {
    pvx::params_explode(c, XAVP, params.as_bytes(), name.as_bytes())
}

// checked against Kamailio 5.6
#[test]
fn parameters_become_fields_and_back() {
    let mut c = ctx(INVITE);
    let params = r#"a=1;b=two;c;d="q x";a=5"#;
    assert_eq!(explode(&mut c, params, "p"), 1);
    check(
        &c,
        &[
            ("$xavp(p=>a)", "'1'"),
            ("$xavp(p=>a[1])", "'5'"),
            ("$xavp(p=>c)", "''"),
            ("$xavp(p=>d)", "'q x'"),
        ],
    );
    assert_eq!(explode(&mut c, "x=1", "p"), 1);
    check(&c, &[("$xavp(p=>x)", "'1'"), ("$xavp(p[1]=>a)", "'1'")]);
    assert_eq!(explode(&mut c, "", "q"), -1);
    assert_eq!(explode(&mut c, "x=1", ""), -1);

    let implode = |c: &mut Context, name: &[u8], target: &[u8], quote| {
        pvx::params_implode(c, XAVP, name, target, quote)
    };
    seti(&mut c, "$xavp(i=>n)", 5);
    sets(&mut c, "$xavp(i[0]=>s)", "a b");
    assert_eq!(implode(&mut c, b"i", b"$var(o)", false), 1);
    check(&c, &[("$var(o)", "'s=a b;n=5;'")]);
    assert_eq!(implode(&mut c, b"i", b"$var(o)", true), 1);
    check(&c, &[("$var(o)", r#"'s="a b";n="5";'"#)]);
    assert_eq!(implode(&mut c, b"none", b"$var(o)", false), -1);
    assert_eq!(implode(&mut c, b"i", b"no variable", false), -1);
    assert_eq!(implode(&mut c, b"i", b"$ci", false), -1);
}

#[test]
fn parameters_with_another_separator() {
    let mut c = ctx(INVITE);
    let text = br#"a=1| b = "x|y" ||c"#;
    assert_eq!(pvx::xparams_explode(&mut c, text, b"|", b"x"), 1);
    check(
        &c,
        &[
            ("$xavp(x=>a)", "'1'"),
            ("$xavp(x=>b)", "'x|y'"),
            ("$xavp(x=>c)", "''"),
        ],
    );
    assert_eq!(pvx::xparams_explode(&mut c, b"a=1", b"", b"x"), -1);
    assert_eq!(pvx::params_explode(&mut c, XAVU, b"a=1;b=2;a=3", b"u"), 1);
    assert_eq!(pvx::params_explode(&mut c, XAVU, b"a=7", b"u"), 1);
    check(&c, &[("$xavu(u=>a)", "'7'"), ("$xavu(u=>b)", "None")]);
}

// checked against Kamailio 5.6
#[test]
fn lists_become_fields() {
    let mut c = ctx(INVITE);
    assert_eq!(
        pvx::slist_explode(&mut c, b"a, b ,,c;", b",;", b"t", b"s"),
        1
    );
    check(
        &c,
        &[("$xavp(s=>v[*])", "'a, b, c'"), ("$xavp(s=>v[1])", "'b'")],
    );
    assert_eq!(pvx::slist_explode(&mut c, b"a, b", b",", b"", b"k"), 1);
    check(&c, &[("$xavp(k=>v[1])", "' b'")]);
    assert_eq!(pvx::slist_explode(&mut c, b",", b",", b"", b"k"), -1);
}

// checked against Kamailio 5.6, apart from `xavp_lshift`, which is newer
#[test]
fn values_are_copied_and_turned() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$xavp(a=>x)", "0");
    sets(&mut c, "$xavp(a=>x)", "1");
    assert_eq!(pvx::xavp_copy(&mut c, b"a", 0, b"b"), 1);
    assert_eq!(pvx::xavp_copy(&mut c, b"a", 1, b"b"), 1);
    assert_eq!(pvx::xavp_copy(&mut c, b"a", 2, b"b"), -1);
    check(&c, &[("$xavp(b=>x)", "'1'"), ("$xavp(b[1]=>x)", "'0'")]);
    assert_eq!(pvx::xavp_copy_dst(&mut c, b"a", 1, b"b", 0), 1);
    assert_eq!(pvx::xavp_copy_dst(&mut c, b"a", 1, b"b", 2), -1);
    check(&c, &[("$xavp(b=>x)", "'0'"), ("$xavp(b[1]=>x)", "'0'")]);

    for n in [10, 20, 30] {
        seti(&mut c, "$xavp(n)", n);
    }
    let order = |c: &Context| [0, 1, 2].map(|i| get(c, &format!("$xavp(n[{i}])")));
    assert_eq!(pvx::xavp_lshift(&mut c, b"n", 1), 1);
    assert_eq!(order(&c), ["20", "10", "30"]);
    assert_eq!(pvx::xavp_lshift(&mut c, b"n", -1), 1);
    assert_eq!(order(&c), ["30", "20", "10"]);
    assert_eq!(pvx::xavp_lshift(&mut c, b"n", 4), 1);
    assert_eq!(order(&c), ["20", "10", "30"]);
    assert_eq!(pvx::xavp_lshift(&mut c, b"none", 1), -1);
}

#[test]
fn a_destination_of_fields() {
    let mut c = ctx(INVITE);
    explode(&mut c, r#"uri="sip:a@h";dsturi="sip:p@q:5061""#, "d");
    assert_eq!(pvx::xavp_push_dst(&mut c, b"d"), 1);
    check(&c, &[("$ru", "'sip:a@h'"), ("$du", "'sip:p@q:5061'")]);
    explode(&mut c, "socket=udp:203.0.113.77:9", "d");
    assert_eq!(pvx::xavp_push_dst(&mut c, b"d"), -1);
    assert_eq!(pvx::xavp_push_dst(&mut c, b"none"), -1);
}

// checked against Kamailio 5.6
#[test]
fn variables_and_fields() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$var(a)", "1");
    seti(&mut c, "$var(b)", 2);
    sets(&mut c, "$vn(other)", "3");
    assert_eq!(pvx::var_to_xavp(&mut c, b"a", b"x"), 1);
    check(&c, &[("$xavp(x=>a)", "'1'"), ("$xavp(x=>b)", "None")]);
    assert_eq!(pvx::var_to_xavp(&mut c, b"*", b"x"), 1);
    check(&c, &[("$xavp(x=>b)", "2"), ("$xavp(x[1]=>a)", "None")]);
    assert_eq!(pvx::var_to_xavp(&mut c, b"none", b"x"), -1);
    explode(&mut c, "q=7;a=8", "y");
    assert_eq!(pvx::xavp_to_var(&mut c, b"y"), 1);
    check(&c, &[("$var(q)", "'7'"), ("$var(a)", "'8'")]);
    assert_eq!(pvx::xavp_to_var(&mut c, b"none"), -1);
    assert_eq!(
        pvx::print(&c, XAVP),
        [
            "y =>",
            "  q = \"7\"",
            "  a = \"8\"",
            "x =>",
            "  b = 2",
            "  a = \"1\""
        ]
    );
}

#[test]
fn texts_are_evaluated_twice() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$var(x)", "test");
    sets(&mut c, "$var(y)", "$var(x)");
    assert_eq!(pvx::evalx(&mut c, b"$var(z)", b"$var(y) one"), 1);
    check(&c, &[("$var(z)", "'test one'")]);
    assert_eq!(pvx::evalx(&mut c, b"$ci", b"$var(y)"), -1);
    assert_eq!(c.complaints.len(), 1);
}
