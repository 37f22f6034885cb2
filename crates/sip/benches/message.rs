//! CPU time of what happens to every message: parse, forward, answer, frame.
//!
//! `cargo bench -p sipwright-sip --bench message` prints nanoseconds of thread CPU
//! time per operation (the best of several rounds, as others share the machine).
//! `-- --once CASE N` runs one case N times and prints nothing: for callgrind, see
//! `bench/micro/README.md`.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::SocketAddr;

use bytes::Bytes;
use sipwright_sip::build::{Forward, ViaFix, forward_request, forward_response, response};
use sipwright_sip::frame::Framer;
use sipwright_sip::tx::{TxConfig, TxLayer, shard_of_request};
use sipwright_sip::types::{Flow, Proto};
use sipwright_sip::{Edits, HeaderId, Message, Uri};

/// 700 bytes, as a phone behind a proxy sends it.
const INVITE: &[u8] = b"INVITE sip:bob@biloxi.example.com;transport=udp SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.101:5060;rport;branch=z9hG4bK74bf9a7c3d11\r\n\
Max-Forwards: 70\r\n\
Route: <sip:ss1.atlanta.example.com;lr>\r\n\
From: \"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
To: \"Bob\" <sip:bob@biloxi.example.com>\r\n\
Call-ID: 3848276298220188511@client.atlanta.example.com\r\n\
CSeq: 1 INVITE\r\n\
Contact: <sip:alice@192.0.2.101:5060;ob>\r\n\
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n\
User-Agent: Softphone/4.2 (build 20260801; audio)\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 151\r\n\
\r\n\
v=0\r\n\
o=alice 2890844526 2890844526 IN IP4 client.atlanta.example.com\r\n\
s=-\r\n\
c=IN IP4 192.0.2.101\r\n\
t=0 0\r\n\
m=audio 49172 RTP/AVP 0\r\n\
a=rtpmap:0 PCMU/8000\r\n";

const OK: &[u8] = b"SIP/2.0 200 OK\r\n\
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKd8f1.1f3a.0\r\n\
Via: SIP/2.0/UDP 192.0.2.101:5060;received=198.51.100.7;rport=5061;branch=z9hG4bK74bf9a7c3d11\r\n\
Record-Route: <sip:192.0.2.1;lr>\r\n\
From: \"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
To: \"Bob\" <sip:bob@biloxi.example.com>;tag=314159\r\n\
Call-ID: 3848276298220188511@client.atlanta.example.com\r\n\
CSeq: 1 INVITE\r\n\
Contact: <sip:bob@192.0.2.201>\r\n\
Content-Length: 0\r\n\
\r\n";

/// A keep-alive of 420 bytes, as load generators and monitors send it.
const OPTIONS: &[u8] = b"OPTIONS sip:ping@203.0.113.10:5060 SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.7:5061;branch=z9hG4bK-1723-41-0\r\n\
From: monitor <sip:monitor@198.51.100.7:5061>;tag=1723SIPpTag0041\r\n\
To: ping <sip:ping@203.0.113.10:5060>\r\n\
Call-ID: 41-1723@198.51.100.7\r\n\
CSeq: 1 OPTIONS\r\n\
Contact: <sip:monitor@198.51.100.7:5061>\r\n\
Max-Forwards: 70\r\n\
User-Agent: monitor/1.0\r\n\
Accept: application/sdp\r\n\
Content-Length: 0\r\n\
\r\n";

const OUR_VIA: &[u8] = b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKd8f1.1f3a.0\r\n";
const SOURCE: &str = "198.51.100.7:5061";

type Case = (&'static str, Box<dyn Fn()>);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let source = SOURCE.parse().expect("an address");
    let mut cases = cases(source);
    cases.extend(options_cases(source));
    if let [flag, name, count] = &args[..]
        && flag == "--once"
    {
        let case = cases.iter().find(|c| c.0 == name).expect("a known case");
        let count: u64 = count.parse().expect("a number");
        return (0..count).for_each(|_| (case.1)());
    }
    println!("INVITE of {} bytes, response of {}", INVITE.len(), OK.len());
    for (name, run) in &cases {
        println!("{name:<18} {:>8.1} ns CPU", best_of(10, run));
    }
}

fn cases(source: SocketAddr) -> Vec<Case> {
    let request = Bytes::from_static(INVITE);
    let reply = Bytes::from_static(OK);
    let parsed = Message::parse(request.clone()).expect("a valid INVITE");
    let parsed_reply = Message::parse(reply.clone()).expect("a valid response");
    let (for_route, for_response) = (request.clone(), parsed.clone());
    vec![
        (
            "parse_invite",
            Box::new(move || drop(black_box(Message::parse(request.clone())))),
        ),
        (
            "parse_response",
            Box::new(move || drop(black_box(Message::parse(reply.clone())))),
        ),
        (
            "parse_and_route",
            Box::new(move || parse_and_route(&for_route)),
        ),
        (
            "forward_request",
            Box::new(move || {
                let how = Forward {
                    uri: Some(b"sip:bob@192.0.2.201:5060"),
                    via: OUR_VIA,
                    via_fix: ViaFix::for_request(&parsed, source, false),
                    top: b"Record-Route: <sip:192.0.2.1;lr>\r\n",
                    max_forwards: Some(69),
                    edits: &Edits::new(),
                };
                black_box(forward_request(&parsed, &how));
            }),
        ),
        (
            "forward_response",
            Box::new(move || {
                black_box(forward_response(&parsed_reply, &Edits::new()));
            }),
        ),
        (
            "answer_100",
            Box::new(move || {
                let fix = ViaFix::for_request(&for_response, source, false);
                black_box(response(&for_response, 100, b"", None, b"", b"", &fix));
            }),
        ),
        ("frame_ten", Box::new(frame_ten)),
    ]
}

/// What a keep-alive goes through that a script answers without a transaction.
fn options_cases(source: SocketAddr) -> Vec<Case> {
    let request = Bytes::from_static(OPTIONS);
    let parsed = Message::parse(request.clone()).expect("a valid OPTIONS");
    let (for_fix, for_shard) = (parsed.clone(), parsed.clone());
    let (for_empty, for_busy) = (parsed.clone(), parsed.clone());
    let (empty, busy) = (
        RefCell::new(transactions(0)),
        RefCell::new(transactions(100)),
    );
    let flow = flow_from(source);
    let lookup = move |layer: &RefCell<TxLayer<()>>, msg: &Message| {
        black_box(layer.borrow_mut().lookup(1, msg, &flow, &mut Vec::new()));
    };
    vec![
        (
            "parse_options",
            Box::new(move || drop(black_box(Message::parse(request.clone())))),
        ),
        (
            "answer_options",
            Box::new(move || {
                let fix = ViaFix::default();
                let tag = Some(&b"8f3a.1"[..]);
                black_box(response(&parsed, 200, b"OK", tag, b"", b"", &fix));
            }),
        ),
        (
            "via_fix",
            Box::new(move || {
                black_box(ViaFix::for_request(&for_fix, source, false));
            }),
        ),
        (
            "shard",
            Box::new(move || {
                black_box(shard_of_request(&for_shard, 2));
            }),
        ),
        ("lookup_empty", Box::new(move || lookup(&empty, &for_empty))),
        ("lookup_miss", Box::new(move || lookup(&busy, &for_busy))),
    ]
}

/// A layer with that many transactions.
fn transactions(count: usize) -> TxLayer<()> {
    let mut layer = TxLayer::new(0, 42, TxConfig::default());
    let invite = String::from_utf8_lossy(INVITE);
    for n in 0..count {
        let text = invite.replace("z9hG4bK", &format!("z9hG4bK{n}."));
        let msg = Message::parse(text.into()).expect("a valid INVITE");
        let flow = flow_from(SOURCE.parse().expect("an address"));
        layer.create(0, msg.into(), flow, ());
    }
    layer
}

const fn flow_from(remote: SocketAddr) -> Flow {
    Flow {
        proto: Proto::Udp,
        socket: 0,
        remote,
        conn: 0,
    }
}

/// What a proxy looks at before it knows where the request goes.
fn parse_and_route(bytes: &Bytes) {
    let msg = Message::parse(bytes.clone()).expect("valid");
    let uri = Uri::parse(msg.uri()).expect("valid");
    let route = msg.values(HeaderId::Route).next();
    black_box((
        uri.host,
        uri.transport(),
        route,
        msg.max_forwards(),
        msg.branch(),
    ));
}

fn frame_ten() {
    let mut framer = Framer::new(65_536);
    for _ in 0..10 {
        framer.push(INVITE);
    }
    while let Ok(Some(frame)) = framer.next_frame() {
        black_box(frame);
    }
}

/// Nanoseconds per call in the best of `rounds`.
fn best_of(rounds: u32, run: &dyn Fn()) -> f64 {
    const CALLS: u32 = 50_000;
    (0..rounds)
        .map(|_| {
            let start = cpu_ns();
            (0..CALLS).for_each(|_| run());
            (cpu_ns() - start) as f64 / f64::from(CALLS)
        })
        .fold(f64::INFINITY, f64::min)
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the one struct that the call writes.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
