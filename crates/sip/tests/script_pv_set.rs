//! Writing pseudo-variables.

mod script_support;

use script_support::*;

// checked against Kamailio 5.6
#[test]
fn request_uri_changes_at_once() {
    let mut c = ctx(INVITE);
    assert!(sets(&mut c, "$rU", "dave"));
    check(
        &c,
        &[("$ru", "'sip:dave:pw@example.com:25070;transport=udp;x=1'")],
    );
    check(
        &c,
        &[("$ou", "'sip:bob:pw@example.com:25070;transport=udp;x=1'")],
    );
    assert!(sets(&mut c, "$rd", "h.net"));
    assert!(seti(&mut c, "$rp", 5099));
    check(&c, &[("$ru", "'sip:dave:pw@h.net:5099;transport=udp;x=1'")]);
    assert!(sets(&mut c, "$rp", "5098"));
    check(&c, &[("$ru", "'sip:dave:pw@h.net:5098;transport=udp;x=1'")]);

    assert!(sets(&mut c, "$ru", "sip:a@b.c:5;p=1"));
    assert!(sets(&mut c, "$rU", ""));
    check(&c, &[("$ru", "'sip:b.c:5;p=1'"), ("$rU", "None")]);
    assert!(sets(&mut c, "$ru", "sip:a@b.c:5;p=1"));
    assert!(unset(&mut c, "$rU"));
    assert!(!unset(&mut c, "$rd"));
    check(&c, &[("$ru", "'sip:b.c:5;p=1'")]);
    assert!(unset(&mut c, "$rp"));
    assert!(!seti(&mut c, "$rU", 77));
    check(&c, &[("$ru", "'sip:b.c;p=1'")]);
    assert!(sets(&mut c, "$rp", ""));

    assert!(!seti(&mut c, "$ru", 4));
    assert!(!unset(&mut c, "$ru"));
    assert!(sets(&mut c, "$ruri", "sip:ok2@x.y"));
    assert!(sets(&mut c, "$ruri.user", "uu"));
    check(&c, &[("$ru", "'sip:uu@x.y'")]);
    assert!(sets(&mut c, "$ru", "junk"));
    check(&c, &[("$ru", "None"), ("$rU", "None"), ("$rd", "None")]);
    assert!(sets(&mut c, "$ru", "tel:+123"));
    check(
        &c,
        &[("$ru", "'tel:+123'"), ("$rU", "'+123'"), ("$rd", "None")],
    );
}

// checked against Kamailio 5.6
#[test]
fn next_hop_changes_at_once() {
    let mut c = ctx(INVITE);
    assert!(sets(&mut c, "$du", "sip:1.2.3.4:5;transport=tcp"));
    check(
        &c,
        &[
            ("$du", "'sip:1.2.3.4:5;transport=tcp'"),
            ("$duri", "'sip:1.2.3.4:5;transport=tcp'"),
            ("$dd", "'1.2.3.4'"),
            ("$dp", "'5'"),
            ("$dP", "'tcp'"),
            ("$nh(d)", "'1.2.3.4'"),
        ],
    );
    assert!(sets(&mut c, "$du", "sip:5.6.7.8"));
    check(&c, &[("$dp", "'5060'"), ("$dP", "'UDP'")]);
    assert!(sets(&mut c, "$du", "notauri"));
    check(&c, &[("$du", "'notauri'"), ("$dd", "None")]);
    assert!(!seti(&mut c, "$du", 4));
    assert!(sets(&mut c, "$du", ""));
    check(&c, &[("$du", "None")]);
    assert!(sets(&mut c, "$duri", "sip:dd"));
    assert!(unset(&mut c, "$du"));
    check(&c, &[("$du", "None")]);
}

// checked against Kamailio 5.6
#[test]
fn sockets_are_named_by_address_or_name() {
    let mut c = ctx(INVITE);
    assert!(sets(&mut c, "$fs", "udp:127.0.0.1:25062"));
    check(
        &c,
        &[
            ("$fs", "'udp:127.0.0.1:25062'"),
            ("$fsn", "'ext'"),
            ("$fsp", "25062"),
        ],
    );
    assert!(unset(&mut c, "$fs"));
    check(&c, &[("$fs", "None")]);
    assert!(sets(&mut c, "$fsn", "ext"));
    check(&c, &[("$fs", "'udp:127.0.0.1:25062'")]);
    // one that does not exist is a warning
    assert!(sets(&mut c, "$fs", "udp:9.9.9.9:1"));
    assert!(sets(&mut c, "$fsn", "nope"));
    check(&c, &[("$fs", "'udp:127.0.0.1:25062'")]);
    assert_eq!(c.complaints.len(), 2);
    assert!(sets(&mut c, "$fs", "127.0.0.1:25060"));
    check(&c, &[("$fs", "'udp:127.0.0.1:25060'")]);
}

// checked against Kamailio 5.6
#[test]
fn avps_are_lists_with_the_newest_first() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$avp(x)", "a");
    sets(&mut c, "$avp(x)", "b");
    seti(&mut c, "$avp(x)", 3);
    check(
        &c,
        &[
            ("$avp(x)", "3"),
            ("$(avp(x)[0])", "3"),
            ("$(avp(x)[1])", "'b'"),
            ("$(avp(x)[2])", "'a'"),
            ("$(avp(x)[3])", "None"),
            ("$(avp(x)[-1])", "None"),
            ("$(avp(x)[*])", "'3, b, a'"),
            ("$cnt($avp(x))", "3"),
        ],
    );
    assert!(sets(&mut c, "$(avp(x)[1])", "new"));
    check(&c, &[("$(avp(x)[*])", "'new, 3, b, a'")]);
    assert!(sets(&mut c, "$(avp(x)[*])", "only"));
    check(&c, &[("$(avp(x)[*])", "'only'")]);
    assert!(unset(&mut c, "$avp(x)"));
    check(&c, &[("$avp(x)", "None")]);
    sets(&mut c, "$avp(x)", "1");
    sets(&mut c, "$avp(x)", "2");
    assert!(unset(&mut c, "$avp(x)"));
    check(&c, &[("$(avp(x)[*])", "'1'")]);
    assert!(unset(&mut c, "$(avp(x)[*])"));
    check(&c, &[("$avp(x)", "None")]);

    sets(&mut c, "$avp(s:y)", "q");
    sets(&mut c, "$avp(i:5)", "n");
    check(
        &c,
        &[
            ("$avp(y)", "'q'"),
            ("$avp(i:5)", "'n'"),
            ("$avp(5)", "None"),
        ],
    );
    sets(&mut c, "$avp($fU)", "dollar");
    check(&c, &[("$avp(alice)", "'dollar'")]);
}

// checked against Kamailio 5.6
#[test]
fn script_variables() {
    let mut c = ctx(INVITE);
    check(&c, &[("$var(a)", "0"), ("$vn(a)", "None"), ("$vz(a)", "0")]);
    sets(&mut c, "$var(a)", "s");
    check(
        &c,
        &[("$var(a)", "'s'"), ("$vn(a)", "None"), ("$vz(a)", "'s'")],
    );
    seti(&mut c, "$var(a)", 4);
    check(&c, &[("$var(a)", "4")]);
    assert!(unset(&mut c, "$var(a)"));
    check(&c, &[("$var(a)", "0")]);
}

// checked against Kamailio 5.6
#[test]
fn extended_avps() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$xavp(a=>b)", "v1");
    sets(&mut c, "$xavp(a=>c)", "v2");
    check(
        &c,
        &[
            ("$xavp(a=>b)", "None"),
            ("$xavp(a=>c)", "'v2'"),
            ("$xavp(a[1]=>b)", "'v1'"),
        ],
    );
    assert!(sets(&mut c, "$xavp(a[0]=>b)", "v3"));
    check(
        &c,
        &[
            ("$xavp(a=>b)", "'v3'"),
            ("$xavp(a[0]=>b[0])", "'v3'"),
            ("$xavp(a=>b[1])", "None"),
            ("$xavp(a=>b[*])", "'v3'"),
        ],
    );
    sets(&mut c, "$xavp(a[0]=>b)", "v4");
    check(&c, &[("$xavp(a=>b)", "'v4'"), ("$xavp(a=>b[1])", "'v3'")]);
    sets(&mut c, "$xavp(z)", "x");
    check(&c, &[("$xavp(z)", "'x'")]);
    assert!(unset(&mut c, "$xavp(a)"));
    check(&c, &[("$xavp(a=>c)", "None"), ("$xavp(a=>b)", "'v1'")]);

    sets(&mut c, "$xavu(a=>b)", "v1");
    sets(&mut c, "$xavu(a=>b)", "v2");
    seti(&mut c, "$xavu(q)", 3);
    check(&c, &[("$xavu(a=>b)", "'v2'"), ("$xavu(q)", "3")]);
    assert!(sets(&mut c, "$xavu(a)", "s"));
    check(&c, &[("$xavu(a=>b)", "None"), ("$xavu(a)", "'s'")]);

    sets(&mut c, "$xavi(Root=>Field)", "v");
    check(
        &c,
        &[
            ("$xavi(root=>FIELD)", "'v'"),
            ("$xavp(Root=>Field)", "None"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn indexes_of_extended_avps() {
    let mut c = ctx(INVITE);
    for n in 1..=3 {
        seti(&mut c, "$xavp(a)", n);
    }
    check(
        &c,
        &[
            ("$xavp(a[-1])", "1"),
            ("$xavp(a[-3])", "3"),
            ("$xavp(a[-4])", "None"),
            ("$xavp(a[*])", "3"),
            ("$(xavp(a)[1])", "2"),
        ],
    );
    assert!(seti(&mut c, "$xavp(a[1])", 22));
    assert!(!seti(&mut c, "$xavp(a[-1])", 1));
    assert!(!seti(&mut c, "$xavp(a[*])", 1));
    assert!(!seti(&mut c, "$xavp(a[7])", 1));
    assert!(!sets(&mut c, "$xavp(a[0]=>field)", "of a value"));
    check(
        &c,
        &[
            ("$xavp(a)", "3"),
            ("$xavp(a[1])", "22"),
            ("$xavp(a[2])", "1"),
        ],
    );
    assert!(unset(&mut c, "$xavp(a[1])"));
    check(&c, &[("$xavp(a[1])", "1"), ("$xavp(a[2])", "None")]);
    assert!(unset(&mut c, "$xavp(a[*])"));
    check(&c, &[("$xavp(a)", "None")]);

    sets(&mut c, "$xavp(r=>f)", "1");
    sets(&mut c, "$xavp(r[0]=>f)", "2");
    sets(&mut c, "$xavp(r[0]=>f)", "3");
    check(
        &c,
        &[
            ("$xavp(r=>f[*])", "'3, 2, 1'"),
            ("$xavp(r[0]=>f[-1])", "'1'"),
            ("$(xavp(r=>f)[1])", "'2'"),
        ],
    );
    assert!(sets(&mut c, "$xavp(r[0]=>f[1])", "X"));
    assert!(sets(&mut c, "$xavp(r[0]=>none[1])", "lost"));
    assert!(sets(&mut c, "$xavp(nothing[0]=>f)", "lost"));
    check(
        &c,
        &[
            ("$xavp(r=>f[*])", "'3, X, 1'"),
            ("$xavp(r=>none)", "None"),
            ("$xavp(nothing=>f)", "None"),
        ],
    );
    sets(&mut c, "$xavp(r=>f)", "n");
    assert!(unset(&mut c, "$xavp(r[*]=>f)"));
    check(
        &c,
        &[("$xavp(r[0]=>f)", "None"), ("$xavp(r[1]=>f[*])", "'X, 1'")],
    );
    assert!(unset(&mut c, "$xavp(r[1]=>f[*])"));
    check(&c, &[("$xavp(r[1]=>f)", "None")]);
}

// checked against Kamailio 5.6
#[test]
fn levels_of_extended_avps() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$xavp(n=>a=>b)", "third");
    check(
        &c,
        &[("$xavp(n=>a)", "'third'"), ("$xavp(n=>a=>c)", "'third'")],
    );
    sets(&mut c, "$xavu(u=>a)", "two");
    sets(&mut c, "$xavu(u=>a=>c)", "three");
    sets(&mut c, "$xavu(u=>a=>c=>d)", "also three");
    check(
        &c,
        &[("$xavu(u=>a)", "'two'"), ("$xavu(u=>a=>c)", "'also three'")],
    );
    assert!(unset(&mut c, "$xavu(u=>a=>c)"));
    check(&c, &[("$xavu(u=>a=>c)", "None"), ("$xavu(u=>a)", "'two'")]);
    assert!(unset(&mut c, "$xavu(u)"));
    check(&c, &[("$xavu(u=>a)", "None")]);
}

// checked against Kamailio 5.6
#[test]
fn flags() {
    let mut c = ctx(INVITE);
    check(
        &c,
        &[
            ("$mf", "0"),
            ("$mF", "'00000000'"),
            ("$bF", "'00000000'"),
            ("$sF", "'00000000'"),
        ],
    );
    c.tx_data.flags = 0x8000_0002;
    check(
        &c,
        &[
            ("$mf", "-2147483646"),
            ("$mF", "'80000002'"),
            ("$Mf(1)", "1"),
            ("$Mf(2)", "0"),
        ],
    );
    assert!(seti(&mut c, "$mf", 5));
    check(&c, &[("$mf", "5"), ("$Mf(2)", "1")]);
    assert!(seti(&mut c, "$bf", 6));
    check(&c, &[("$bf", "6"), ("$Bf(1)", "1"), ("$Bf(0)", "0")]);
    assert!(seti(&mut c, "$sf", 1));
    assert!(seti(&mut c, "$Sf(3)", 1));
    check(&c, &[("$sf", "9")]);
    assert!(seti(&mut c, "$Sf(3)", 0));
    assert!(!seti(&mut c, "$Sf(32)", 1));
    check(&c, &[("$sf", "1"), ("$Sf(32)", "None")]);
}

// checked against Kamailio 5.6
#[test]
fn appended_branches() {
    let mut c = ctx(INVITE);
    check(
        &c,
        &[("$br", "None"), ("$bR", "None"), ("$branch(count)", "None")],
    );
    assert!(sets(&mut c, "$br", "sip:b1@x"));
    assert!(sets(&mut c, "$br", "sip:b2@x"));
    check(
        &c,
        &[
            ("$br", "'sip:b1@x'"),
            ("$bR", "'sip:b1@x, sip:b2@x'"),
            ("$branch(uri)", "'sip:b1@x'"),
            ("$(branch(uri)[1])", "'sip:b2@x'"),
            ("$(branch(uri)[-1])", "'sip:b2@x'"),
            ("$branch(count)", "2"),
            ("$(branch(path)[0])", "None"),
            ("$(branch(flags)[0])", "0"),
            ("$(branch(uri)[7])", "None"),
        ],
    );
    assert!(sets(&mut c, "$(branch(dst_uri)[0])", "sip:d@x"));
    assert!(!sets(&mut c, "$(branch(q)[0])", "0.5"));
    assert!(seti(&mut c, "$(branch(q)[0])", 50));
    assert!(seti(&mut c, "$(branch(flags)[0])", 3));
    assert!(sets(
        &mut c,
        "$(branch(send_socket)[0])",
        "udp:127.0.0.1:25062"
    ));
    check(
        &c,
        &[
            ("$(branch(dst_uri)[0])", "'sip:d@x'"),
            ("$(branch(q)[0])", "50"),
            ("$(branch(flags)[0])", "3"),
            ("$(branch(send_socket)[0])", "'udp:127.0.0.1:25062'"),
            ("$bR", "'<sip:b1@x>;q=0.05, sip:b2@x'"),
        ],
    );
    assert!(unset(&mut c, "$(branch(uri)[0])"));
    check(&c, &[("$bR", "'sip:b2@x'")]);
    assert!(!sets(&mut c, "$(branch(uri)[4])", "sip:x"));
}

#[test]
fn read_only_ones_refuse_to_be_set() {
    let mut c = ctx(INVITE);
    for name in [
        "$si",
        "$rm",
        "$ci",
        "$hdr(X-A)",
        "$rs",
        "$null",
        "$(fU{s.len})",
        "$ft",
    ] {
        assert!(!sets(&mut c, name, "1"), "{name}");
    }
}
