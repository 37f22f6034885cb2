//! Transformations of pseudo-variables.

mod script_support;

use script_support::*;
use sipwright_sip::script::pv::Spec;

// checked against Kamailio 5.6
#[test]
fn of_text() {
    check(
        &ctx(INVITE),
        &[
            ("$(fU{s.len})", "5"),
            ("$(cs{s.len})", "3"),
            ("$(cs{s.int})", "102"),
            ("$(fU{s.int})", "None"),
            ("$(fU{s.numeric})", "''"),
            ("$(fU{s.toupper})", "'ALICE'"),
            ("$(fU{s.trim})", "'alice'"),
            ("$(fU{s.rmws})", "'alice'"),
            ("$(fU{s.substr,1,2})", "'li'"),
            ("$(fU{s.substr,-2,0})", "'ce'"),
            ("$(fU{s.substr,1,0})", "'lice'"),
            ("$(fU{s.select,1,l})", "'ice'"),
            ("$(hdr(Supported){s.select,0,,})", "'100rel'"),
            ("$(hdr(Supported){s.select,1,,})", "' timer'"),
            ("$(hdr(Supported){s.select,-1,,})", "' timer'"),
            ("$(hdr(Supported){s.select,7,,})", "''"),
            ("$(hdr(Supported){s.select,-7,,})", "''"),
            ("$(fU{s.prefixes})", "'a,al,ali,alic,alice'"),
            ("$(fU{s.prefixes,2})", "'a,al'"),
            ("$(fU{s.strip,2})", "'ice'"),
            ("$(fU{s.strip,9})", "''"),
            ("$(fU{s.striptail,2})", "'ali'"),
            ("$(fU{s.replace,i,XX})", "'alXXce'"),
            ("$(fU{s.rm,i})", "'alce'"),
            ("$(fu{s.before,:})", "'sip'"),
            ("$(fu{s.after,:})", "'alice@example.com:5070;tp=1'"),
            ("$(fu{s.count,p})", "3"),
            ("$(fU{s.encode.hexa})", "'616c696365'"),
            ("$(fU{s.encode.hexa}{s.decode.hexa})", "'alice'"),
            ("$(fU{s.encode.base64})", "'YWxpY2U='"),
            ("$(fU{s.encode.base64}{s.decode.base64})", "'alice'"),
            (
                "$(fu{s.escape.common})",
                "'sip:alice@example.com:5070;tp=1'",
            ),
            (
                "$(fu{s.escape.user})",
                "'sip%3aalice%40example.com%3a5070;tp=1'",
            ),
            (
                "$(fu{s.escape.user}{s.unescape.user})",
                "'sip:alice@example.com:5070;tp=1'",
            ),
            (
                "$(fu{s.escape.param})",
                "'sip:alice%40example.com:5070%3btp%3d1'",
            ),
            ("$(fn{s.escape.common})", "'\\\"Alice A\\\"'"),
            ("$(fn{s.escape.common}{s.unescape.common})", "'\"Alice A\"'"),
            ("$(fU{s.unquote})", "'alice'"),
            ("$(fn{s.unquote})", "'Alice A'"),
            ("$(fU{s.urlencode.param})", "'alice'"),
            ("$(hdr(Nope){s.len})", "None"),
            ("$(hdr(Nope){s.toupper})", "None"),
            ("$(hdr(X-A)[1]{s.len})", "3"),
        ],
    );
}

#[test]
fn of_text_at_its_edges() {
    check(
        &ctx(INVITE),
        &[
            // nothing to find: the whole text before, none after
            ("$(fU{s.rbefore,:})", "'alice'"),
            ("$(fU{s.rafter,:})", "''"),
            ("$(fu{s.rbefore,:})", "'sip:alice@example.com'"),
            ("$(fu{s.rafter,:})", "'5070;tp=1'"),
            ("$(fU{s.stripto,i})", "'ice'"),
            ("$(fU{s.substr,6,0})", "None"),
            ("$(fU{s.substr,-6,0})", "None"),
            ("$(fU{s.substr,2,9})", "None"),
            ("$(fU{s.replace,,x})", "'alice'"),
            ("$(fU{s.decode.hexa})", "None"),
            ("$(fn{s.decode.base64})", "None"),
            ("$(fn{s.urlencode.param})", "'%22Alice+A%22'"),
            (
                "$(fn{s.urlencode.param}{s.urldecode.param})",
                "'\"Alice A\"'",
            ),
            ("$(hdr(To){s.unbracket})", "'sip:bob@example.org'"),
            ("$(fU{s.quote})", "'\"alice\"'"),
            ("$(ft{s.int})", "None"),
            ("$(ft{s.numeric})", "'1'"),
            ("$(sp{s.strip,2})", "'080'"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn of_uris() {
    check(
        &ctx(INVITE),
        &[
            ("$(fu{uri.user})", "'alice'"),
            ("$(fu{uri.host})", "'example.com'"),
            ("$(fu{uri.host}{s.len})", "11"),
            ("$(fu{uri.port})", "5070"),
            ("$(tu{uri.port})", "0"),
            ("$(fu{uri.params})", "'tp=1'"),
            ("$(tu{uri.params})", "''"),
            ("$(fu{uri.param,tp})", "'1'"),
            ("$(tu{uri.param,x})", "''"),
            ("$(ru{uri.transport})", "'udp'"),
            ("$(tu{uri.transport})", "''"),
            ("$(ru{uri.passwd})", "'pw'"),
            ("$(ru{uri.scheme})", "'sip'"),
            ("$(tu{uri.uparam})", "''"),
            ("$(fu{uri.lr})", "''"),
            ("$(fU{uri.host})", "None"),
            ("$(ct{nameaddr.uri}{uri.host})", "'10.0.0.1'"),
        ],
    );
}

#[test]
fn of_uris_put_together() {
    check(
        &ctx(INVITE),
        &[
            ("$(ru{uri.saor})", "'sip:bob@example.com'"),
            ("$(ru{uri.duri})", "'sip:example.com:25070;transport=udp'"),
            (
                "$(ru{uri.suri})",
                "'sip:bob@example.com:25070;transport=udp'",
            ),
            ("$(ru{uri.tosocket})", "'udp:example.com:25070'"),
            ("$(fu{uri.suri})", "'sip:alice@example.com:5070'"),
        ],
    );
}

// checked against Kamailio 5.6, except for names: it keeps the blank after them
#[test]
fn of_addresses() {
    check(
        &ctx(INVITE),
        &[
            ("$(hdr(From){nameaddr.name})", "'\"Alice A\"'"),
            (
                "$(hdr(From){nameaddr.uri})",
                "'sip:alice@example.com:5070;tp=1'",
            ),
            ("$(hdr(From){nameaddr.len})", "43"),
            (
                "$(hdr(From){tobody.uri})",
                "'sip:alice@example.com:5070;tp=1'",
            ),
            ("$(hdr(From){tobody.display})", "'\"Alice A\"'"),
            ("$(hdr(From){tobody.tag})", "'ft1'"),
            ("$(hdr(From){tobody.params})", "'tag=ft1'"),
            (
                "$(hdr(Contact){nameaddr.uri})",
                "'sip:alice@10.0.0.1:5062;transport=udp'",
            ),
        ],
    );
}

#[test]
fn of_addresses_in_detail() {
    check(
        &ctx(INVITE),
        &[
            ("$(hdr(From){tobody.user})", "'alice'"),
            ("$(hdr(From){tobody.host})", "'example.com'"),
            ("$(hdr(To){tobody.tag})", "''"),
            ("$(fn{tobody.uri})", "None"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn of_parameters_and_lines() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$var(pl)", "a=1;b=\"q x\";c");
    check(
        &c,
        &[
            ("$(var(pl){param.value,a})", "'1'"),
            ("$(var(pl){param.name,1})", "'b'"),
            ("$(var(pl){param.valueat,1})", "'q x'"),
            ("$(var(pl){param.count})", "3"),
            ("$(var(pl){param.value,zz})", "''"),
            ("$(var(pl){param.in,a})", "1"),
            ("$(fu{param.value,tp})", "'1'"),
            ("$(mb{line.sw,CSeq})", "'CSeq: 102 INVITE'"),
            (
                "$(mb{line.at,1})",
                "'Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport'",
            ),
            ("$(mb{line.count})", "'17'"),
        ],
    );
    sets(&mut c, "$var(pl)", "a=1, b=2");
    check(
        &c,
        &[
            ("$(var(pl){param.value,b,,})", "'2'"),
            ("$(var(pl){param.in,zz,,})", "0"),
            ("$(var(pl){param.name,-1})", "'a'"),
            ("$(mb{line.at,99})", "''"),
            ("$(mb{line.at,-1})", "'v=0'"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn by_regular_expressions() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$var(x)", "Z");
    check(
        &c,
        &[
            (
                "$(fu{re.subst,/a/b/g})",
                "'sip:blice@exbmple.com:5070;tp=1'",
            ),
            (
                "$(fu{re.subst,/^sip:(.*)@(.*)$/\\2-\\1/})",
                "'example.com:5070;tp=1-alice'",
            ),
            (
                "$(fu{re.subst,/nothing/b/})",
                "'sip:alice@example.com:5070;tp=1'",
            ),
            ("$(fU{re.subst,/A/b/i})", "'blice'"),
            ("$(fU{re.subst,/A/b/})", "'alice'"),
            ("$(fU{re.subst,/a/$var(x)/})", "'Zlice'"),
            (
                "$(fu{re.subst,#sip:#sips:#})",
                "'sips:alice@example.com:5070;tp=1'",
            ),
            (
                "$(fu{re.subst,/sip\\:/a\\/b/})",
                "'a/balice@example.com:5070;tp=1'",
            ),
        ],
    );
    for bad in ["/a/b", "/(/b/", "", "/a/b/z", "/a/b/c/d"] {
        let name = format!("$(fu{{re.subst,{bad}}})");
        assert!(Spec::parse(name.as_bytes()).is_err(), "{name}");
    }
}

#[test]
fn of_values_that_are_missing() {
    check(
        &ctx(INVITE),
        &[
            ("$(rs{val.ne})", "''"),
            ("$(rs{val.n0})", "0"),
            ("$(fU{val.ne})", "'alice'"),
            ("$(rs{val.n0}{s.len})", "1"),
        ],
    );
}
