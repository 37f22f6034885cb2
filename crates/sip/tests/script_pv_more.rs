//! Shared variables, the static branch, selects and the environment.

mod script_support;

use std::sync::Arc;

use script_support::*;
use sipwright_sip::script::{Context, Value, pvx};

// checked against Kamailio 5.6, apart from `$shvinc`, which is newer
#[test]
fn shared_variables() {
    let mut c = ctx(INVITE);
    check(
        &c,
        &[("$shv(x)", "0"), ("$shvinc(x)", "1"), ("$shvinc(x)", "2")],
    );
    assert!(seti(&mut c, "$shv(x)", 5));
    let other = Context::new(Arc::clone(&c.env), Arc::clone(&c.msg), c.flow, NOW);
    check(&other, &[("$shv(x)", "5")]);
    assert!(sets(&mut c, "$shv(x)", "abc"));
    check(&other, &[("$shv(x)", "'abc'"), ("$shvinc(x)", "None")]);
    assert!(unset(&mut c, "$shv(x)"));
    check(&other, &[("$shv(x)", "''")]);
    assert_eq!(pvx::shv_set(&mut c, b"y", Value::Int(3)), 1);
    assert_eq!(show(&pvx::shvinc_get(&other, b"y")), "4");
    assert_eq!(show(&pvx::shv_get(&other, b"y")), "4");
    assert_eq!(c.env.shared.all().len(), 2);
}

// checked against Kamailio 5.6
#[test]
fn the_static_branch() {
    let mut c = ctx(INVITE);
    check(&c, &[("$sbranch(uri)", "None"), ("$sbranch(count)", "0")]);
    assert_eq!(pvx::sbranch_append(&mut c), -1);
    assert_eq!(pvx::sbranch_set_ruri(&mut c), -1);
    assert!(sets(&mut c, "$sbranch(uri)", "sip:x@y"));
    assert!(sets(&mut c, "$sbranch(dst_uri)", "sip:z@y"));
    assert!(sets(&mut c, "$sbranch(path)", "<sip:p;lr>"));
    assert!(seti(&mut c, "$sbranch(q)", 500));
    assert!(seti(&mut c, "$sbranch(flags)", 3));
    assert!(!sets(&mut c, "$sbranch(nothing)", "x"));
    check(
        &c,
        &[
            ("$sbranch(uri)", "'sip:x@y'"),
            ("$sbranch(path)", "'<sip:p;lr>'"),
            ("$sbranch(q)", "500"),
            ("$sbranch(flags)", "3"),
            ("$sbranch(ruid)", "None"),
            ("$branch(count)", "None"),
        ],
    );
    assert_eq!(pvx::sbranch_append(&mut c), 1);
    check(
        &c,
        &[
            ("$branch(count)", "1"),
            ("$(branch(uri)[0])", "'sip:x@y'"),
            ("$(branch(dst_uri)[0])", "'sip:z@y'"),
        ],
    );
    assert_eq!(pvx::sbranch_set_ruri(&mut c), 1);
    check(
        &c,
        &[("$ru", "'sip:x@y'"), ("$du", "'sip:z@y'"), ("$bf", "3")],
    );
    assert!(unset(&mut c, "$sbranch(uri)"));
    assert_eq!(pvx::sbranch_append(&mut c), -1);
    assert_eq!(pvx::sbranch_reset(&mut c), 1);
    check(
        &c,
        &[("$sbranch(dst_uri)", "None"), ("$branch(count)", "1")],
    );
}

// checked against Kamailio 5.6
#[test]
fn selects() {
    let c = ctx(INVITE);
    check(
        &c,
        &[
            ("$sel(@ruri.user)", "'bob'"),
            ("$sel(ruri.pwd)", "'pw'"),
            ("$sel(@ruri.hostport)", "'example.com:25070'"),
            ("$sel(@ruri.params.x)", "'1'"),
            ("$sel(@ruri.type)", "'sip'"),
            ("$sel(@from.uri.host)", "'example.com'"),
            ("$sel(@from.tag)", "'ft1'"),
            ("$sel(@f.name)", "'\"Alice A\"'"),
            ("$sel(@to.tag)", "None"),
            ("$sel(@to.name)", "None"),
            ("$sel(@via[1].host)", "'10.0.0.1'"),
            ("$sel(@via[2].host)", "'10.0.0.2'"),
            ("$sel(@via[1].params.branch)", "'z9hG4bKa'"),
            ("$sel(@contact.uri)", "'sip:b@10.0.0.3'"),
            ("$sel(@contact.params.q)", "'0.5'"),
            ("$sel(@cseq.num)", "'102'"),
            ("$sel(@cseq.method)", "'INVITE'"),
            ("$sel(@msg.header[\"X-A\"])", "'one'"),
            ("$sel(@msg.header.user_agent)", "'test/1'"),
            ("$sel(@msg.body)", "'v=0\r\n'"),
            ("$sel(@hf_value.x_a)", "'one,two'"),
            ("$sel(@hf_value.x_a[2])", "'two'"),
            ("$sel(@hf_value.supported[-1])", "'timer'"),
            ("$sel(@content_type)", "'application/sdp'"),
            ("$sel(@received.proto)", "'udp'"),
            ("$sel(@branch.count)", "'0'"),
            ("$sel(@nope)", "None"),
            ("$sel(@)", "None"),
            ("$sel(@msg.header[)", "None"),
        ],
    );
}

#[test]
fn the_environment_and_ids() {
    let c = ctx(INVITE);
    let path = std::env::var("PATH").unwrap_or_default();
    check(
        &c,
        &[
            ("$env(PATH)", &*format!("'{path}'")),
            ("$env(NO_SUCH_VARIABLE_HERE)", "None"),
            ("$envn(PATH)", "0"),
            ("$envn(NO_SUCH_VARIABLE_HERE)", "None"),
            ("$cfg(line)", "0"),
            ("$cfg(name)", "None"),
            ("$pcv(value)", "None"),
            ("$rcv(sproto)", "'udp'"),
            ("$rcv(nothing)", "None"),
        ],
    );
    assert_ne!(get(&c, "$sruid"), get(&c, "$sruid"));
    let charged = INVITE.replace(
        "X-A: one\n",
        "P-Charging-Vector: icid-value=\"i 1\";icid-generated-at=1.2.3.4;orig-ioi=home.net\n",
    );
    check(
        &ctx(&charged),
        &[
            ("$pcv(value)", "'i 1'"),
            ("$pcv(genaddr)", "'1.2.3.4'"),
            ("$pcv(orig)", "'home.net'"),
            ("$pcv(term)", "None"),
        ],
    );
}
