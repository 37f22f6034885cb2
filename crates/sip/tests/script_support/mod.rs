//! A server with four sockets and a few messages, for the tests of script functions.
//!
//! Expectations marked "checked against Kamailio 5.6" were produced by running the same
//! calls in a KEMI script on Kamailio 5.6.3 with the same sockets, aliases and messages.
#![allow(dead_code)] // each test file uses a part of it

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::Message;
use sipwright_sip::script::pv::{self, Spec};
use sipwright_sip::script::{Alias, BranchTarget, Context, Env, RrConfig, Value, forward};
use sipwright_sip::types::{Flow, Proto, SocketInfo};

/// Wall clock of all tests: Sun Nov 22 12:53:31 2026 UTC and some microseconds.
pub const NOW: u64 = 1_795_352_011_574_127;

/// The request that most tests look at.
pub const INVITE: &str = "\
INVITE sip:bob:pw@example.com:25070;transport=udp;x=1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport
Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb
Max-Forwards: 70
From: \"Alice A\" <sip:alice@example.com:5070;tp=1>;tag=ft1
To: <sip:bob@example.org>
Call-ID: cid-1
CSeq: 102 INVITE
Contact: <sip:alice@10.0.0.1:5062;transport=udp>;expires=30, \"B\" <sip:b@10.0.0.3>;q=0.5
X-A: one
X-A: two
Supported: 100rel, timer
User-Agent: test/1
Content-Type: application/sdp
Content-Length: 5

v=0
";

/// A registration with many kinds of addresses in it.
pub const REGISTER: &str = "\
REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;received=1.2.3.4;rport=99;alias;i=77, SIP/2.0/TCP 10.0.0.9;branch=zz
Max-Forwards: 70
From: Alice <sips:alice@example.com>;tag=ft1
To: sip:bob@example.org;tag=xx
Call-ID: cid-2
CSeq: 102 REGISTER
Contact: <sip:alice@10.0.0.1:5062;transport=udp>;expires=30;+sip.instance=\"<urn:x>\";reg-id=1
Contact: \"B\" <sip:b@10.0.0.3>;q=0.5
Expires: 500
P-Asserted-Identity: \"PA\" <sip:pa@x.com>, <tel:+1234>
P-Preferred-Identity: <sip:pp@y.com>
Remote-Party-ID: \"RP\" <sip:rp@z.com>;party=calling
Diversion: \"Div\" <sip:div@d.com>;reason=unconditional;privacy=full;counter=2
Refer-To: <sip:ref@r.com>
Privacy: id;user
Subject: sub ject
Record-Route: <sip:rr@1.1.1.1;lr>
Route: <sip:r1@2.2.2.2;lr>, <sip:r2@3.3.3.3;lr>
Path: <sip:p@p.p;lr>
Authorization: Digest username=\"au\", realm=\"example.com\", nonce=\"n1\", uri=\"sip:x\", response=\"abc\", algorithm=MD5, cnonce=\"cn\", qop=auth, nc=00000001, opaque=\"op\"
Content-Length: 0

";

/// A response to a request of ours.
pub const RINGING: &str = "\
SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKours
Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa
From: <sip:alice@example.com>;tag=ft1
To: <sip:bob@example.org>;tag=tt1
Call-ID: cid-1
CSeq: 102 INVITE
Content-Length: 0

";

fn socket(id: u16, proto: Proto, addr: &str) -> SocketInfo {
    SocketInfo {
        id,
        proto,
        addr: addr.parse().unwrap(),
        advertise: None,
        name: None,
    }
}

/// UDP and TCP on 127.0.0.1:25060, UDP on 127.0.0.1:25062 advertised as 192.0.2.5:5099
/// with the name `ext`, UDP on [::1]:25060; alias `example.com`, and `alias.test:5070` for UDP.
pub fn env() -> Env {
    let mut ext = socket(1, Proto::Udp, "127.0.0.1:25062");
    ext.advertise = Some(("192.0.2.5".into(), 5099));
    ext.name = Some("ext".into());
    Env {
        sockets: vec![
            socket(0, Proto::Udp, "127.0.0.1:25060"),
            ext,
            socket(2, Proto::Tcp, "127.0.0.1:25060"),
            socket(3, Proto::Udp, "[::1]:25060"),
        ],
        aliases: vec![
            Alias {
                proto: None,
                host: "example.com".into(),
                port: None,
                subdomains: false,
            },
            Alias {
                proto: Some(Proto::Udp),
                host: "alias.test".into(),
                port: Some(5070),
                subdomains: false,
            },
        ],
        version: "5.6.3".into(),
        server_header: "Sipwright".into(),
        started: 1_795_351_315,
        defines: vec![("PORT".into(), "5060".into()), ("NAME".into(), "x".into())],
        rr: RrConfig {
            enable_full_lr: true,
            ..RrConfig::default()
        },
        ..Env::default()
    }
}

/// Lines with LF become lines with CRLF, except in bodies that say otherwise.
pub fn parse(text: &str) -> Message {
    let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n");
    Message::parse(Bytes::from(bytes.into_bytes())).expect("a message")
}

/// A flow over UDP from `remote` to our socket 0.
pub fn flow(remote: &str) -> Flow {
    Flow {
        proto: Proto::Udp,
        socket: 0,
        remote: remote.parse::<SocketAddr>().unwrap(),
        conn: 0,
    }
}

/// `text` as received on 127.0.0.1:25060 from 127.0.0.1:25080.
pub fn ctx(text: &str) -> Context {
    ctx_in(env(), text)
}

/// The same with other settings.
pub fn ctx_in(env: Env, text: &str) -> Context {
    Context::new(
        Arc::new(env),
        Arc::new(parse(text)),
        flow("127.0.0.1:25080"),
        NOW,
    )
}

/// [`INVITE`] with one piece of its text replaced.
pub fn invite_with(from: &str, to: &str) -> Context {
    assert!(INVITE.contains(from), "{from} is not in INVITE");
    ctx(&INVITE.replacen(from, to, 1))
}

/// A value as Python prints it.
pub fn show(value: &Value<'_>) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Int(n) => n.to_string(),
        Value::Str(s) | Value::StrInt(s, _) => format!("'{}'", String::from_utf8_lossy(s)),
    }
}

/// `repr(KSR.pv.get(name))`.
pub fn get(ctx: &Context, name: &str) -> String {
    let spec = Spec::parse(name.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    show(&pv::get(ctx, &spec))
}

/// `KSR.pv.sets(name, text)`.
pub fn sets(ctx: &mut Context, name: &str, text: &str) -> bool {
    let spec = Spec::parse(name.as_bytes()).unwrap();
    pv::set(ctx, &spec, Value::borrowed(text.as_bytes()))
}

/// `KSR.pv.seti(name, number)`.
pub fn seti(ctx: &mut Context, name: &str, number: i64) -> bool {
    let spec = Spec::parse(name.as_bytes()).unwrap();
    pv::set(ctx, &spec, Value::Int(number))
}

/// `KSR.pv.unset(name)`.
pub fn unset(ctx: &mut Context, name: &str) -> bool {
    let spec = Spec::parse(name.as_bytes()).unwrap();
    pv::set(ctx, &spec, Value::Null)
}

/// Checks a table of variables and what they print.
pub fn check(ctx: &Context, table: &[(&str, &str)]) {
    for (name, expected) in table {
        assert_eq!(get(ctx, name), *expected, "{name}");
    }
}

/// The request as it leaves by our socket 0 to the main destination, with LF.
pub fn sent(ctx: &Context) -> String {
    sent_by(ctx, 0)
}

/// The request as it leaves by one of our sockets, with LF.
pub fn sent_by(ctx: &Context, socket: usize) -> String {
    let branch = forward::main_branch(ctx);
    sent_to(ctx, socket, &branch)
}

/// The request as it leaves to a destination, with LF.
pub fn sent_to(ctx: &Context, socket: usize, branch: &BranchTarget) -> String {
    let socket = ctx.env.sockets[socket].clone();
    let bytes = forward::build_branch(ctx, &socket, "z9hG4bKnew", branch);
    assert!(
        Message::parse(bytes.clone().into()).is_ok(),
        "what leaves is a message"
    );
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// Lines of `text` that begin with `start`.
pub fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|l| l.starts_with(start)).collect()
}

/// The header part of the request as it leaves, without the Vias.
pub fn headers(ctx: &Context) -> Vec<String> {
    let sent = sent(ctx);
    let head = sent.split("\n\n").next().unwrap();
    head.lines()
        .skip(1)
        .filter(|l| !l.starts_with("Via:"))
        .map(str::to_owned)
        .collect()
}

/// Where a line is among those that leave.
pub fn place(lines: &[String], line: &str) -> usize {
    lines
        .iter()
        .position(|l| l == line)
        .unwrap_or_else(|| panic!("{line} is not in {lines:#?}"))
}
