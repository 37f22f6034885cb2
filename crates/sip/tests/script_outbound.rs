//! Tokens of flows (RFC 5626) in Path, Record-Route and Route.

mod script_support;

use script_support::*;
use sipwright_sip::script::rr::{loose_route, record_route};
use sipwright_sip::script::{Context, Env, OutboundConfig, forward, path};
use sipwright_sip::types::{Flow, Proto};

const CLIENT: &str = "\
INVITE sip:bob@example.org SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa
From: <sip:alice@example.com>;tag=ft1
To: <sip:bob@example.org>
Call-ID: cid-1
CSeq: 1 INVITE
Contact: <sip:alice@10.0.0.1:5062;ob>
Content-Length: 0

";

fn edge() -> Env {
    Env {
        outbound: OutboundConfig {
            enabled: true,
            force_flag: Some(5),
            forbid_flag: Some(6),
            secret: b"secret".to_vec(),
        },
        ..env()
    }
}

fn from_client(text: &str, flow: Flow) -> Context {
    let mut c = ctx_in(edge(), text);
    c.flow = flow;
    c
}

fn tcp(remote: &str, conn: u64) -> Flow {
    Flow {
        proto: Proto::Tcp,
        socket: 2,
        conn,
        ..flow(remote)
    }
}

/// The user part of our first Record-Route; empty without one.
fn token(c: &Context) -> String {
    let sent = sent(c);
    let line = lines(&sent, "Record-Route:")[0].to_owned();
    let user = line.split_once("sip:").unwrap().1.split_once('@');
    user.map_or(String::new(), |(user, _)| user.to_owned())
}

fn recorded(flow: Flow) -> String {
    let mut c = from_client(CLIENT, flow);
    assert_eq!(record_route(&mut c), 1);
    token(&c)
}

/// What comes back from elsewhere with this user part in our Route.
fn returned(user: &str) -> (i32, Context) {
    let text = CLIENT
        .replace("bob@example.org>", "bob@example.org>;tag=tt")
        .replace("Contact: <sip:alice@10.0.0.1:5062;ob>\n", "")
        .replacen(
            "From:",
            &format!("Route: <sip:{user}@127.0.0.1:25060;lr>\nFrom:"),
            1,
        );
    let mut c = from_client(&text, flow("192.0.2.77:5060"));
    let result = loose_route(&mut c);
    (result, c)
}

#[test]
fn a_token_leads_back_to_its_flow() {
    let six = Flow {
        socket: 3,
        ..flow("[2001:db8::1]:5062")
    };
    for (flow, uri) in [
        (
            flow("203.0.113.9:1024"),
            "sip:203.0.113.9:1024;transport=udp",
        ),
        (
            tcp("203.0.113.9:65535", 1 << 40 | 7),
            "sip:203.0.113.9:65535;transport=tcp",
        ),
        (six, "sip:[2001:db8::1]:5062;transport=udp"),
    ] {
        let (result, mut c) = returned(&recorded(flow));
        assert_eq!((result, c.dst_uri.as_deref()), (2, Some(uri.as_bytes())));
        assert_eq!(c.force_socket, Some(flow.socket));
        assert_eq!(forward::flow_of(&forward::main_branch(&c)), Some(flow));
        // another next hop is another way
        c.dst_uri = Some(b"sip:198.51.100.1".to_vec());
        assert_eq!(forward::flow_of(&forward::main_branch(&c)), None);
    }
}

#[test]
fn its_own_flow_is_no_destination() {
    let flow = tcp("203.0.113.9:4000", 9);
    let text = CLIENT
        .replace("bob@example.org>", "bob@example.org>;tag=tt")
        .replacen(
            "From:",
            &format!("Route: <sip:{}@127.0.0.1:25060;lr>\nFrom:", recorded(flow)),
            1,
        );
    let mut c = from_client(&text, flow);
    assert_eq!((loose_route(&mut c), c.dst_uri), (1, None));
}

#[test]
fn any_change_of_a_token_is_seen() {
    let good = recorded(tcp("203.0.113.9:4000", 9));
    // the last character has bits that stand for nothing
    for place in 0..good.len() - 1 {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let (result, c) = returned(&String::from_utf8(bytes).unwrap());
        assert_eq!((result, c.dst_uri), (-2, None), "character {place}");
    }
    let mut other = edge();
    other.outbound.secret = b"another".to_vec();
    let mut c = ctx_in(other, CLIENT);
    assert_eq!(record_route(&mut c), 1);
    assert_eq!(returned(&token(&c)).0, -2);
    for user in ["bob", "x", &good[1..], &format!("{good}AAAA")] {
        assert_eq!(returned(user).0, 1, "{user} is no token");
    }
}

#[test]
fn who_gets_a_token() {
    let cases = [
        ("Contact", "Contact", 0, true),
        (";ob>", ">", 0, false),
        (";ob>", ">", 1 << 5, true),
        ("Contact", "Contact", 1 << 6, false),
        (
            "From:",
            "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb\nFrom:",
            0,
            false,
        ),
    ];
    for (old, new, flags, has) in cases {
        let mut c = ctx_in(edge(), &CLIENT.replacen(old, new, 1));
        c.tx_data.flags = flags;
        assert_eq!(record_route(&mut c), 1);
        assert_eq!(token(&c).is_empty(), !has, "{new} {flags}");
    }
    let mut off = ctx_in(env(), CLIENT);
    assert_eq!(record_route(&mut off), 1);
    assert_eq!(token(&off), "");
}

#[test]
fn path_of_a_flow() {
    let register = CLIENT
        .replace("INVITE", "REGISTER")
        .replace(";ob>", ";ob>;reg-id=1");
    for (text, has) in [
        (register.clone(), true),
        (register.replace(";reg-id=1", ""), false),
    ] {
        let mut c = ctx_in(edge(), &text);
        assert_eq!(path::add_path(&mut c), 1);
        let sent = sent(&c);
        let line = lines(&sent, "Path:")[0];
        assert_eq!(line.contains('@'), has, "{line}");
        assert_eq!(line.contains(";ob"), has, "{line}");
    }
}
