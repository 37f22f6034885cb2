//! What leaves: destinations, Via, edits of From and To; corex, kx and pvx.

mod script_support;

use bytes::Bytes;
use script_support::*;
use sipwright_sip::Message;
use sipwright_sip::script::{
    Binding, BranchTarget, Context, RouteType, Value, XavpKind, corex, forward, kx, pvx, rr, ruri,
    xlog,
};
use sipwright_sip::types::Proto;

// checked against Kamailio 5.6
#[test]
fn a_request_as_it_leaves() {
    let mut c = ctx(INVITE);
    rr::record_route(&mut c);
    sets(&mut c, "$rU", "dd");
    c.local_rport = true;
    let out = sent(&c);
    let got: Vec<&str> = out.lines().collect();
    assert_eq!(
        got[0],
        "INVITE sip:dd:pw@example.com:25070;transport=udp;x=1 SIP/2.0"
    );
    assert_eq!(
        lines(&out, "Via:"),
        [
            "Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKnew;rport",
            "Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport=25080;received=127.0.0.1",
            "Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb",
        ]
    );
    assert_eq!(
        lines(&out, "Record-Route:"),
        ["Record-Route: <sip:127.0.0.1:25060;lr=on;ftag=ft1>"]
    );
    // nothing else changed
    let untouched = |text: &str| -> Vec<String> {
        text.lines()
            .skip(1)
            .filter(|l| !l.starts_with("Via") && !l.starts_with("Record-Route"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(untouched(&out), untouched(INVITE));
}

#[test]
fn vias_by_socket() {
    let c = ctx(INVITE);
    for (socket, via) in [
        (0, "Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKnew"),
        (1, "Via: SIP/2.0/UDP 192.0.2.5:5099;branch=z9hG4bKnew"),
        (2, "Via: SIP/2.0/TCP 127.0.0.1:25060;branch=z9hG4bKnew"),
        (3, "Via: SIP/2.0/UDP [::1]:25060;branch=z9hG4bKnew"),
    ] {
        assert_eq!(lines(&sent_by(&c, socket), "Via:")[0], via);
    }
}

// RFC 3581 section 4, and what force_rport changes
#[test]
fn the_sender_via_is_completed() {
    let mut c = invite_with(";rport", "");
    assert_eq!(
        lines(&sent(&c), "Via:")[1],
        "Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;received=127.0.0.1"
    );
    c.force_rport = true;
    let via = lines(&sent(&c), "Via:")[1].to_owned();
    assert!(
        via.contains(";rport=25080") && via.contains(";received=127.0.0.1"),
        "{via}"
    );
}

#[test]
fn the_path_of_a_binding_becomes_route() {
    let c = ctx(INVITE);
    let branch = BranchTarget {
        uri: b"sip:bob@192.0.2.4".to_vec(),
        path: Some(b"<sip:edge.example.com;lr>,<sip:inner.example.com;lr>".to_vec()),
        ..BranchTarget::default()
    };
    let out = sent_to(&c, 0, &branch);
    assert!(out.starts_with("INVITE sip:bob@192.0.2.4 SIP/2.0\n"));
    assert_eq!(
        lines(&out, "Route:"),
        ["Route: <sip:edge.example.com;lr>,<sip:inner.example.com;lr>"]
    );
    assert_eq!(forward::next_hop(&branch), b"sip:edge.example.com;lr");
}

#[test]
fn next_hops() {
    let mut branch = BranchTarget {
        uri: b"sip:bob@192.0.2.4".to_vec(),
        ..BranchTarget::default()
    };
    assert_eq!(forward::next_hop(&branch), b"sip:bob@192.0.2.4");
    branch.path = Some(b"\"e\" <sip:edge;lr>;x, <sip:f>".to_vec());
    assert_eq!(forward::next_hop(&branch), b"sip:edge;lr");
    branch.dst_uri = Some(b"sip:192.0.2.9".to_vec());
    assert_eq!(forward::next_hop(&branch), b"sip:192.0.2.9");
    branch = BranchTarget {
        uri: b"sip:bob@192.0.2.4".to_vec(),
        path: Some(b"<".to_vec()),
        ..BranchTarget::default()
    };
    assert_eq!(forward::next_hop(&branch), b"sip:bob@192.0.2.4");
}

#[test]
fn the_main_branch_has_what_the_script_set() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$ru", "sip:x@y");
    sets(&mut c, "$du", "sip:z");
    sets(&mut c, "$fs", "udp:127.0.0.1:25062");
    c.q = Some(700);
    c.bflags = 6;
    c.path_vec = Some(b"<sip:p>".to_vec());
    c.binding = Some(Box::new(Binding {
        ruid: Some(b"r".to_vec()),
        instance: Some(b"i".to_vec()),
        reg_id: 2,
        ..Binding::default()
    }));
    let main = forward::main_branch(&c);
    assert_eq!(
        main,
        BranchTarget {
            uri: b"sip:x@y".to_vec(),
            dst_uri: Some(b"sip:z".to_vec()),
            path: Some(b"<sip:p>".to_vec()),
            q: Some(700),
            flags: 6,
            socket: Some(1),
            instance: Some(b"i".to_vec()),
            reg_id: 2,
            ruid: Some(b"r".to_vec()),
            location_ua: None,
            flow: None,
        }
    );
    assert_eq!(forward::branches(&c), [main]);
}

// checked against Kamailio 5.6
#[test]
fn from_and_to_change_when_it_leaves() {
    let mut c = ctx(INVITE);
    for (name, text) in [
        ("$fU", "carol"),
        ("$tu", "sip:newto@t.com"),
        ("$fn", "\"New\""),
        ("$tn", "\"TName\""),
    ] {
        assert!(sets(&mut c, name, text));
    }
    check(
        &c,
        &[
            ("$fU", "'alice'"),
            ("$fu", "'sip:alice@example.com:5070;tp=1'"),
            ("$tu", "'sip:bob@example.org'"),
            ("$fn", "'\"Alice A\"'"),
        ],
    );
    let out = sent(&c);
    assert_eq!(
        lines(&out, "From:"),
        ["From: \"New\" <sip:carol@example.com:5070;tp=1>;tag=ft1"]
    );
    assert_eq!(lines(&out, "To:"), ["To: \"TName\" <sip:newto@t.com>"]);
}

// Kamailio 5.6 writes both values one after the other; here the last one wins
#[test]
fn the_last_value_of_from_wins() {
    for (assignments, expected) in [
        (
            vec![("$fU", "a1"), ("$fU", "a2")],
            "\"Alice A\" <sip:a2@example.com:5070;tp=1>",
        ),
        (
            vec![("$fu", "sip:u@n"), ("$fd", "dd")],
            "\"Alice A\" <sip:u@dd>",
        ),
        (
            vec![("$fd", "dd"), ("$fu", "sip:u@n")],
            "\"Alice A\" <sip:u@n>",
        ),
        (vec![("$fn", "X"), ("$fu", "sip:u@n")], "X <sip:u@n>"),
        (vec![("$fn", "")], "<sip:alice@example.com:5070;tp=1>"),
        (vec![("$fU", "")], "\"Alice A\" <sip:example.com:5070;tp=1>"),
        (
            vec![("$from.user", "z"), ("$from.domain", "y")],
            "\"Alice A\" <sip:z@y:5070;tp=1>",
        ),
    ] {
        let mut c = ctx(INVITE);
        for (name, text) in &assignments {
            assert!(sets(&mut c, name, text), "{name}");
        }
        assert_eq!(
            lines(&sent(&c), "From:"),
            [format!("From: {expected};tag=ft1")]
        );
    }
}

#[test]
fn an_address_without_brackets_gets_them_when_it_needs_them() {
    for (name, text, expected) in [
        ("$tU", "carl", "To: sip:carl@example.org;tag=xx"),
        ("$tn", "Carl", "To: Carl <sip:bob@example.org>;tag=xx"),
        ("$tu", "sip:x@y;z=1", "To: <sip:x@y;z=1>;tag=xx"),
    ] {
        let mut c = ctx(REGISTER);
        assert!(sets(&mut c, name, text));
        assert_eq!(lines(&sent(&c), "To:"), [expected]);
    }
}

#[test]
fn from_cannot_smuggle_in_header_fields() {
    let mut c = ctx(INVITE);
    for (name, text) in [
        ("$fu", "sip:a@b>\r\nX: y"),
        ("$fn", "a\r\nX: y"),
        ("$fU", "a b"),
        ("$fd", ""),
        ("$tu", ""),
    ] {
        assert!(!sets(&mut c, name, text), "{name}");
    }
    assert!(!seti(&mut c, "$fU", 5));
    assert_eq!(lines(&sent(&c), "From:"), lines(INVITE, "From:"));
}

#[test]
fn a_response_as_it_is_forwarded() {
    let mut c = ctx(RINGING);
    assert!(sets(&mut c, "$tn", "Bob"));
    let out = forward::build_reply(&c);
    let msg = Message::parse(Bytes::from(out)).unwrap();
    assert_eq!(msg.status(), 180);
    assert_eq!(msg.vias().count(), 1);
    assert_eq!(msg.get(msg.to().display), b"Bob");
}

// checked against Kamailio 5.6
#[test]
fn the_main_destination_is_used_once() {
    let mut c = ctx(INVITE);
    c.uri_used = true;
    assert_eq!(forward::branches(&c), []);
    assert!(ruri::setdsturi(&mut c, b"sip:hop"));
    assert_eq!(corex::append_branch(&mut c), 1);
    assert_eq!(
        c.dst_uri, None,
        "the appended branch took the next hop along"
    );
    assert_eq!(
        forward::branches(&c)[0].dst_uri.as_deref(),
        Some(&b"sip:hop"[..])
    );
    assert!(ruri::seturi(&mut c, b"sip:new@h"));
    let uris: Vec<_> = forward::branches(&c).into_iter().map(|b| b.uri).collect();
    assert_eq!(uris[0], b"sip:new@h");
    assert_eq!(uris.len(), 2);
}

// checked against Kamailio 5.6
#[test]
fn corex_functions() {
    let mut c = ctx(INVITE);
    assert_eq!(corex::has_ruri_user(&c), 1);
    assert_eq!(corex::has_user_agent(&c), 1);
    assert_eq!(corex::is_faked_msg(&c), -1);
    assert_eq!(corex::append_branch(&mut c), 1);
    assert_eq!(corex::append_branch_uri(&mut c, b"sip:q@w"), 1);
    assert_eq!(corex::append_branch_uri_q(&mut c, b"sip:q2@w", b"0.7"), 1);
    check(
        &c,
        &[
            (
                "$bR",
                "'sip:bob:pw@example.com:25070;transport=udp;x=1, sip:q@w, <sip:q2@w>;q=0.7'",
            ),
            ("$(branch(q)[2])", "700"),
        ],
    );
    assert_eq!(corex::setxflag(&mut c, 3), 1);
    assert_eq!(corex::isxflagset(&c, 3), 1);
    assert_eq!(corex::setxflag(&mut c, 70), -1);
    assert_eq!(corex::resetxflag(&mut c, 3), 1);
    assert_eq!(corex::isxflagset(&c, 3), -1);
    assert_eq!(corex::isxflagset(&c, -1), -1);
    assert_eq!(corex::is_socket_name(&c, b"ext"), 1);
    assert_eq!(corex::is_socket_name(&c, b"nope"), -1);
    assert_eq!(corex::set_send_socket(&mut c, b"udp:127.0.0.1:25062"), 1);
    check(&c, &[("$fsn", "'ext'")]);
    assert_eq!(corex::set_recv_socket(&mut c, b"udp:127.0.0.1:25062"), 1);
    check(&c, &[("$Rn", "'ext'")]);
    assert_eq!(
        corex::set_recv_socket_name(&mut c, b"nope"),
        1,
        "logged, no error"
    );
    assert_eq!(corex::set_source_address(&mut c, b"udp:1.2.3.4:5"), 1);
    check(&c, &[("$si", "'1.2.3.4'"), ("$sp", "5")]);
    assert_eq!(corex::set_source_address(&mut c, b"nowhere"), -1);
    assert_eq!(c.complaints.len(), 1);
}

#[test]
fn corex_at_its_edges() {
    let mut c = ctx(REGISTER);
    assert_eq!(corex::has_ruri_user(&c), -1);
    assert_eq!(corex::has_user_agent(&c), -1);
    c.route = RouteType::Failure;
    assert_eq!(corex::is_faked_msg(&c), 1);
    assert_eq!(corex::append_branch_uri_q(&mut c, b"sip:a", b"1.5"), -1);
    assert_eq!(corex::append_branch_uri(&mut c, b"sip:a b"), -1);
    while corex::append_branch_uri(&mut c, b"sip:a@b") > 0 {}
    assert_eq!(c.branches.len(), 30, "and the main one");
    for (text, q) in [
        ("1", Some(1000)),
        ("0", Some(0)),
        ("0.5", Some(500)),
        (".25", Some(250)),
        ("1.000", Some(1000)),
        ("0.", Some(0)),
        ("1.001", None),
        ("2", None),
        ("0.1234", None),
        ("", None),
        ("x", None),
        ("0.x", None),
    ] {
        assert_eq!(corex::parse_q(text.as_bytes()), q, "{text}");
    }
}

// checked against Kamailio 5.6
#[test]
fn kx_getters() {
    let mut settings = env();
    settings.defines = vec![("N".into(), "12".into())];
    let c = ctx_in(settings, REGISTER);
    for (value, expected) in [
        (kx::get_au(&c), "'au'"),
        (kx::get_body(&c), "None"),
        (kx::get_callid(&c), "'cid-2'"),
        (kx::get_cturi(&c), "'sip:alice@10.0.0.1:5062;transport=udp'"),
        (kx::get_duri(&c), "None"),
        (kx::get_fhost(&c), "'example.com'"),
        (kx::get_furi(&c), "'sips:alice@example.com'"),
        (kx::get_fuser(&c), "'alice'"),
        (kx::get_method(&c), "'REGISTER'"),
        (kx::get_nhuri(&c), "'sip:example.com'"),
        (kx::get_ouri(&c), "'sip:example.com'"),
        (kx::get_proto(&c), "'udp'"),
        (kx::get_rcv_sock_name(&c), "None"),
        (kx::get_rcvaddr_sock(&c), "'udp:127.0.0.1:25060'"),
        (kx::get_rcvadvip(&c), "'127.0.0.1'"),
        (kx::get_rcvadvport(&c), "25060"),
        (kx::get_rcvip(&c), "'127.0.0.1'"),
        (kx::get_rcvport(&c), "25060"),
        (kx::get_rhost(&c), "'example.com'"),
        (kx::get_ruri(&c), "'sip:example.com'"),
        (kx::get_ruser(&c), "None"),
        (kx::get_send_sock(&c), "None"),
        (kx::get_send_sock_name(&c), "None"),
        (kx::get_srcaddr_sock(&c), "'udp:127.0.0.1:25080'"),
        (kx::get_srcip(&c), "'127.0.0.1'"),
        (kx::get_srcport(&c), "25080"),
        (kx::get_srcuri(&c), "'sip:127.0.0.1:25080'"),
        (kx::get_thost(&c), "'example.org'"),
        (kx::get_turi(&c), "'sip:bob@example.org'"),
        (kx::get_tuser(&c), "'bob'"),
        (kx::get_ua(&c), "None"),
        (kx::gets_status(&c), "None"),
        (kx::e(kx::get_ua(&c)), "''"),
        (kx::w(kx::get_ua(&c)), "'<null>'"),
        (kx::get_def(&c, b"N"), "'12'"),
        (kx::get_def(&c, b"M"), "None"),
    ] {
        assert_eq!(show(&value), expected);
    }
    assert_eq!(kx::get_bodylen(&c), 0);
    assert_eq!(kx::get_conid(&c), -1);
    assert_eq!(kx::get_msgtype(&c), 1);
    assert_eq!(kx::get_protoid(&c), 1);
    assert_eq!(kx::get_send_sock_port(&c), 0);
    assert_eq!(kx::get_status(&c), -1);
    assert_eq!(kx::get_timestamp(&c), 1_795_352_011);
    assert_eq!(kx::get_defn(&c, b"N"), 12);
    assert!(kx::ifdef(&c, b"N") && kx::ifndef(&c, b"M"));
    let c = ctx(RINGING);
    assert_eq!(kx::get_status(&c), 180);
    assert_eq!(show(&kx::gets_status(&c)), "'180'");
    assert_eq!(kx::get_msgtype(&c), 2);
}

#[test]
fn kx_of_connections_and_forced_sockets() {
    let mut c = ctx(INVITE);
    c.flow.conn = 7;
    c.flow.proto = Proto::Tls;
    c.force_socket = Some(1);
    assert_eq!(kx::get_conid(&c), 7);
    assert_eq!(kx::get_protoid(&c), 3);
    assert_eq!(get(&c, "$conid"), "7");
    assert_eq!(
        show(&kx::get_srcuri(&c)),
        "'sip:127.0.0.1:25080;transport=tls'"
    );
    assert_eq!(show(&kx::get_send_sock(&c)), "'udp:127.0.0.1:25062'");
    assert_eq!(show(&kx::get_send_sock_name(&c)), "'ext'");
    assert_eq!(kx::get_send_sock_port(&c), 25062);
    assert_eq!(
        kx::get_msglen(&c),
        i64::try_from(c.msg.bytes().len()).unwrap()
    );
    assert_eq!(show(&kx::get_msgbuf(&c)), get(&c, "$mb"));
}

// checked against Kamailio 5.6
#[test]
fn variables_by_name() {
    let mut c = ctx(INVITE);
    assert_eq!(show(&pvx::var_get(&c, b"v")), "0");
    assert_eq!(pvx::var_set(&mut c, b"v", Value::borrowed(b"x")), 1);
    assert_eq!(get(&c, "$var(v)"), "'x'");
    assert_eq!(pvx::avp_is_null(&c, b"a"), 1);
    assert_eq!(pvx::avp_set(&mut c, b"a", Value::Int(1)), 1);
    assert_eq!(pvx::avp_set(&mut c, b"a", Value::Int(2)), 1);
    assert_eq!(show(&pvx::avp_get(&c, b"a")), "2");
    assert_eq!(get(&c, "$(avp(a)[*])"), "'2, 1'");
    assert_eq!(pvx::avp_rm(&mut c, b"a"), 1);
    assert_eq!(pvx::avp_is_null(&c, b"a"), 1);
}

// checked against Kamailio 5.6
#[test]
fn extended_avps_by_name() {
    let kind = XavpKind::Plain;
    let mut c = ctx(INVITE);
    sets(&mut c, "$xavp(a=>b)", "1");
    assert_eq!(show(&pvx::xavp_child_get(&c, kind, b"a", b"b")), "'1'");
    assert_eq!(
        pvx::xavp_child_set(&mut c, kind, b"a", b"n", Value::borrowed(b"v")),
        1
    );
    assert_eq!(
        pvx::xavp_child_set(&mut c, kind, b"a", b"n", Value::borrowed(b"v2")),
        1
    );
    check(&c, &[("$xavp(a=>n)", "'v2'"), ("$xavp(a=>n[1])", "None")]);
    assert_eq!(show(&pvx::xavp_get(&c, kind, b"a")), "'<<xavp>>'");
    assert_eq!(pvx::xavp_rm(&mut c, kind, b"a"), 1);
    assert_eq!(pvx::xavp_is_null(&c, kind, b"a"), 1);
    assert_eq!(pvx::xavp_set(&mut c, kind, b"r", Value::borrowed(b"x")), 1);
    assert_eq!(pvx::xavp_set(&mut c, kind, b"r", Value::Int(3)), 1);
    assert_eq!(show(&pvx::xavp_get(&c, kind, b"r")), "3");
    assert_eq!(pvx::xavp_child_is_null(&c, kind, b"r", b"x"), 1);
    assert_eq!(pvx::xavp_child_rm(&mut c, kind, b"r", b"q"), 1);
    assert_eq!(pvx::xavp_rm_all(&mut c, kind, b"r"), 1);
    assert_eq!(pvx::xavp_is_null(&c, kind, b"r"), 1);
    assert_eq!(
        pvx::xavp_child_set(&mut c, XavpKind::Unique, b"new", b"f", Value::Int(1)),
        1
    );
    check(&c, &[("$xavu(new=>f)", "1")]);
}

#[test]
fn transaction_data_moves_between_contexts() {
    let mut request = ctx(INVITE);
    sets(&mut request, "$avp(x)", "kept");
    sets(&mut request, "$xavu(y=>z)", "kept too");
    seti(&mut request, "$mf", 4);
    seti(&mut request, "$sf", 4);
    let mut reply = ctx(RINGING);
    reply.tx_data = std::mem::take(&mut request.tx_data);
    check(
        &reply,
        &[
            ("$avp(x)", "'kept'"),
            ("$xavu(y=>z)", "'kept too'"),
            ("$mf", "4"),
            ("$sf", "0"),
        ],
    );
    check(&request, &[("$avp(x)", "None"), ("$mf", "0")]);
}

#[test]
fn texts_for_the_log() {
    let c = ctx(INVITE);
    let format = xlog::parse(b"$rm from $si:$sp ($(fu{uri.user}))\n").unwrap();
    assert_eq!(format.eval(&c), b"INVITE from 127.0.0.1:25080 (alice)\n");
    assert!(xlog::parse(b"$(fU{s.nope})").is_err());
}

#[test]
fn a_new_context_is_empty() {
    let c: Context = ctx(INVITE);
    assert_eq!(c.route, RouteType::Request);
    assert_eq!(ctx(RINGING).route, RouteType::Reply);
    assert!(c.edits.is_empty() && c.addresses.is_empty() && c.branches.is_empty());
    assert_eq!(c.next_hop_uri(), c.msg.uri());
    assert_eq!(forward::applied(&c), c.msg.bytes());
}
