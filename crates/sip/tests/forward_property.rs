//! A request that the script leaves alone is forwarded byte for byte, but for what a proxy
//! adds and computes (RFC 3261 section 16.6): Via, Record-Route, Max-Forwards, request-URI
//! and Route. Each test takes precisely those away from the output and compares the rest.

mod script_support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use script_support::env;
use sipwright_sip::Message;
use sipwright_sip::script::{Context, forward, maxfwd, rr};
use sipwright_sip::types::{Flow, Proto};

const SOURCE: &str = "192.0.2.50:7777";

/// A request in parts, so that what is expected can be put together without a parser.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    uri: String,
    /// Host of the top Via, and whether it asks for rport.
    via_host: &'static str,
    rport: bool,
    /// How the names of the Via lines are written, and whether the second is in the same line.
    via_name: &'static str,
    joined: bool,
    max_forwards: Option<u8>,
    /// Routes of ours on top: none, one, or the two of a double Record-Route.
    ours: usize,
    /// Further Routes, all loose.
    routes: Vec<String>,
    in_dialog: bool,
    /// Lines in between, of which nothing is known.
    others: [Vec<String>; 3],
    body: String,
}

/// A header line that a proxy has no business with: known or not, compact, folded, odd.
fn line() -> impl Strategy<Value = String> {
    let name = select(vec![
        "Subject",
        "s",
        "X-Custom",
        "Accept",
        "k",
        "ALLOW",
        "P-%!",
        "Contact",
        "Record-Route",
    ]);
    let colon = select(vec![":", ": ", " :  ", "\t: "]);
    let value = "<sip:[a-z]{1,6}@[a-z]{1,6}>(;[a-z]=[a-z0-9]{1,3})?(\r\n [a-z]{1,8})?";
    (name, colon, value).prop_map(|(name, colon, value)| format!("{name}{colon}{value}\r\n"))
}

fn request() -> impl Strategy<Value = Request> {
    let head = (
        select(vec!["INVITE", "MESSAGE", "BYE", "NEW-METHOD"]),
        "sip:[a-z0-9.!*]{1,8}@[a-z]{1,8}\\.example(:[1-9]{4})?(;[a-z]=[a-z0-9]{1,3})?",
        select(vec!["192.0.2.50", "192.0.2.51", "client.example"]),
        any::<bool>(),
        select(vec!["Via", "v", "VIA"]),
        any::<bool>(),
    );
    let tail = (
        proptest::option::of(1..=255_u8),
        0..3_usize,
        vec("sip:[a-z]{1,6}\\.example;lr(;[a-z]=[a-z0-9]{1,3})?", 0..3),
        any::<bool>(),
        [vec(line(), 0..3), vec(line(), 0..3), vec(line(), 0..3)],
        "[ -~\r\n]{0,60}",
    );
    (head, tail).prop_map(|(head, tail)| {
        let (method, uri, via_host, rport, via_name, joined) = head;
        let (max_forwards, ours, routes, in_dialog, others, body) = tail;
        Request {
            method,
            uri,
            via_host,
            rport,
            via_name,
            joined,
            max_forwards,
            ours,
            routes,
            in_dialog,
            others,
            body,
        }
    })
}

/// What differs between the request as it comes and the rest of what leaves.
struct Changed<'a> {
    uri: &'a str,
    received: &'a str,
    rport: &'a str,
    max_forwards: String,
    with_ours: bool,
}

impl Request {
    fn text(&self, changed: &Changed<'_>) -> String {
        let Changed {
            uri,
            received,
            rport,
            max_forwards,
            with_ours,
        } = changed;
        let mut out = format!("{} {uri} SIP/2.0\r\n", self.method);
        out += &self.others[0].concat();
        let (name, host) = (self.via_name, self.via_host);
        out += &format!("{name}: SIP/2.0/UDP {host}{rport};branch=z9hG4bKa{received}");
        out += if self.joined { ",\t" } else { "\r\nVia:" };
        out += "SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb\r\n";
        out += max_forwards;
        if *with_ours {
            out += ["", OURS, OURS_TWICE][self.ours];
        }
        out += &self.others[1].concat();
        for route in &self.routes {
            out += &format!("Route: <{route}>\r\n");
        }
        out += "f: Alice <sip:alice@h>;tag=ft\r\n";
        out += if self.in_dialog {
            "To: <sip:bob@h>;tag=tt\r\n"
        } else {
            "To: <sip:bob@h>\r\n"
        };
        out += &format!("i: call\r\nCSeq:  7 {}\r\n", self.method);
        out += &self.others[2].concat();
        out += &format!("l: {}\r\n\r\n{}", self.body.len(), self.body);
        out
    }

    fn as_sent(&self) -> String {
        self.text(&Changed {
            uri: &self.uri,
            received: "",
            rport: if self.rport { ";rport" } else { "" },
            max_forwards: match self.max_forwards {
                Some(hops) => format!("Max-Forwards: {hops}\r\n"),
                None => String::new(),
            },
            with_ours: true,
        })
    }

    /// The request as it is to leave, without the lines that are ours.
    fn as_left(&self, counted: bool) -> String {
        let needed = self.rport || self.via_host != "192.0.2.50";
        self.text(&Changed {
            uri: &self.uri,
            received: if needed { ";received=192.0.2.50" } else { "" },
            rport: if self.rport { ";rport=7777" } else { "" },
            max_forwards: match self.max_forwards {
                // Module maxfwd grants no more than its max_limit of 70.
                Some(hops) if counted => format!("Max-Forwards: {}\r\n", (hops - 1).min(70)),
                Some(hops) => format!("Max-Forwards: {hops}\r\n"),
                None => String::new(),
            },
            with_ours: false,
        })
    }
}

const OURS: &str = "Route: <sip:127.0.0.1:25060;lr>\r\n";
const OURS_TWICE: &str = "Route: <sip:127.0.0.1:25060;r2=on;lr>\r\nRoute: <sip:127.0.0.1:25060;transport=tcp;r2=on;lr>\r\n";

fn context(text: &str) -> Context {
    let flow = Flow {
        proto: Proto::Udp,
        socket: 0,
        remote: SOURCE.parse().expect("an address"),
        conn: 0,
    };
    let msg = Message::parse(text.as_bytes().to_vec().into()).expect("valid");
    Context::new(env().into(), msg.into(), flow, script_support::NOW)
}

/// Takes the lines that start so from below the first line, and says how many there were.
fn take<'t>(text: &'t str, start: &str) -> (Vec<&'t str>, String) {
    let (first, mut rest) = text.split_once("\r\n").expect("a first line");
    let mut taken = Vec::new();
    while rest.starts_with(start) {
        let (line, below) = rest.split_once("\r\n").expect("a whole line");
        taken.push(line);
        rest = below;
    }
    (taken, format!("{first}\r\n{rest}"))
}

proptest! {
    #[test]
    fn serialised_and_parsed_again_it_is_the_same(request in request()) {
        let text = request.as_sent();
        let ctx = context(&text);
        let applied = forward::applied(&ctx);
        prop_assert_eq!(&applied[..], text.as_bytes());
    }

    /// The script does nothing but relay.
    #[test]
    fn left_alone_it_gains_a_via(request in request()) {
        let request = Request { ours: 0, ..request };
        let ctx = context(&request.as_sent());
        let target = forward::main_branch(&ctx);
        let out = forward::build_branch(&ctx, &ctx.env.sockets[0], "z9hG4bKour", &target);
        let out = String::from_utf8(out).expect("text");
        let (via, rest) = take(&out, "Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKour");
        prop_assert_eq!(via.len(), 1);
        prop_assert_eq!(rest, request.as_left(false));
    }

    /// The script does what every proxy does: counts hops, follows Routes, records itself.
    #[test]
    fn as_a_proxy_forwards_it(request in request(), by_tcp in any::<bool>()) {
        let mut ctx = context(&request.as_sent());
        maxfwd::process_maxfwd(&mut ctx, 70);
        let followed = rr::loose_route(&mut ctx);
        let alone = request.ours == 0 && request.routes.is_empty();
        let only_ours = request.ours > 0 && request.routes.is_empty() && !request.in_dialog;
        let expected = if alone { -1 } else if only_ours { -3 } else { 1 };
        prop_assert_eq!(followed, expected);
        prop_assert_eq!(rr::record_route(&mut ctx), 1);
        let target = forward::main_branch(&ctx);
        let next = request.routes.first().map(|r| r.as_bytes().to_vec());
        prop_assert_eq!(&target.dst_uri, &next);
        let socket = if by_tcp { 2 } else { 0 };
        let out = forward::build_branch(&ctx, &ctx.env.sockets[socket], "z9hG4bKour", &target);
        let out = String::from_utf8(out).expect("text");
        let name = if by_tcp { "TCP" } else { "UDP" };
        let (via, rest) = take(&out, &format!("Via: SIP/2.0/{name} 127.0.0.1:25060;branch=z9hG4bKour"));
        prop_assert_eq!(via.len(), 1);
        let (recorded, mut rest) = take(&rest, "Record-Route: <sip:127.0.0.1:25060;");
        prop_assert_eq!(recorded.len(), if by_tcp { 2 } else { 1 });
        if request.max_forwards.is_none() {
            let added = "Max-Forwards: 70\r\n";
            prop_assert_eq!(rest.matches(added).count(), 1);
            rest = rest.replacen(added, "", 1);
        }
        prop_assert_eq!(rest, request.as_left(true));
    }
}
