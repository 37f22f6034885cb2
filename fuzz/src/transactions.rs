//! The transaction layer: requests and responses of anybody, in any order and at any time.

use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::build::{Forward, ViaFix, forward_request, forward_response, response};
use sipwright_sip::tx::{BranchSpec, ClientMatch, Output, ServerMatch, TxConfig, TxId, TxLayer};
use sipwright_sip::types::{Flow, Millis, Proto, SendOptions};
use sipwright_sip::{Edits, Message, Method};

use crate::sample::flow;

/// What messages in an input have instead of the branch of our own last Via.
const OURS: &[u8] = b"z9hG4bKOURS";
/// Longer than any timer.
const FOREVER: Millis = 1_000_000;

/// Steps between NUL bytes: `+n` lets time pass, `!n` answers the last request with a code, `x`
/// cancels it, anything else is a message. In the end no transaction is left.
pub fn check(data: &[u8]) {
    let mut world = World {
        layer: TxLayer::new(0, 0x5eed, TxConfig::default()),
        now: 1_000_000,
        last: None,
        out: Vec::new(),
    };
    for step in data.split(|byte| *byte == 0).take(64) {
        match step {
            [b'+', rest @ ..] => world.wait(number(rest)),
            [b'!', rest @ ..] => world.reply(100 + (number(rest) % 600) as u16),
            b"x" => world.cancel(),
            text => world.message(text),
        }
        world.out.clear();
    }
    for _ in 0..4 {
        world.wait(FOREVER);
    }
    assert!(world.layer.is_empty(), "every transaction ends");
}

fn number(digits: &[u8]) -> Millis {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse::<u32>().map_or(500, Millis::from)
}

struct World {
    layer: TxLayer<()>,
    now: Millis,
    /// The transaction that was made last, and its request.
    last: Option<(TxId, Arc<Message>)>,
    out: Vec<Output<()>>,
}

impl World {
    fn wait(&mut self, ms: Millis) {
        let end = self.now + ms;
        while let Some(next) = self.layer.next_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.layer.handle_timeout(self.now, &mut self.out);
        }
        self.now = end;
    }

    fn reply(&mut self, code: u16) {
        if let Some((tx, request)) = &self.last {
            let fix = ViaFix::default();
            let bytes = response(request, code, b"", Some(b"us"), b"", b"", &fix);
            let _ = self
                .layer
                .reply(self.now, *tx, code, bytes.into(), &mut self.out);
        }
    }

    fn cancel(&mut self) {
        if let Some((tx, _)) = &self.last {
            self.layer.cancel(self.now, *tx, b"", &mut self.out);
        }
    }

    fn message(&mut self, text: &[u8]) {
        let text = self.with_our_branch(text);
        let Ok(msg) = Message::parse(text.into()) else {
            return;
        };
        if msg.is_request() {
            self.request(Arc::new(msg));
        } else {
            self.response(&msg);
        }
    }

    /// Nobody can guess our branches; a fuzzer neither.
    fn with_our_branch(&self, text: &[u8]) -> Vec<u8> {
        let Some((tx, _)) = self.last else {
            return text.to_vec();
        };
        let Some(at) = text.windows(OURS.len()).position(|part| part == OURS) else {
            return text.to_vec();
        };
        let token = self.layer.branch_token(tx, 0);
        [&text[..at], token.as_bytes(), &text[at + OURS.len()..]].concat()
    }

    fn request(&mut self, msg: Arc<Message>) {
        let proto = msg.via().proto.unwrap_or(Proto::Udp);
        let flow = flow(proto);
        match self.layer.lookup(self.now, &msg, &flow, &mut self.out) {
            ServerMatch::Cancel { invite } => {
                self.layer.cancel(self.now, invite, b"", &mut self.out);
            }
            ServerMatch::None if !matches!(msg.method(), Method::Ack | Method::Cancel) => {
                self.relay(msg, flow);
            }
            _ => {}
        }
    }

    /// A stateful proxy: one branch, then the script is done.
    fn relay(&mut self, msg: Arc<Message>, flow: Flow) {
        let _ = (self.layer.merged(&msg), self.layer.is_loop(&msg, &flow));
        let tx = self.layer.create(self.now, msg.clone(), flow, ());
        let token = self.layer.branch_token(tx, 0);
        let via = format!("Via: SIP/2.0/UDP 192.0.2.1;branch={token}\r\n");
        let how = Forward {
            uri: None,
            via: via.as_bytes(),
            via_fix: ViaFix::default(),
            top: b"",
            max_forwards: Some(69),
            edits: &Edits::new(),
        };
        let spec = BranchSpec {
            index: 0,
            bytes: forward_request(&msg, &how).into(),
            flow: crate::sample::flow(flow.proto),
            uri: Bytes::copy_from_slice(msg.uri()),
            server_name: None,
            fallback: None,
            options: SendOptions::default(),
            on_reply: None,
            on_failure: None,
            next: None,
        };
        let _ = self.layer.add_branch(self.now, tx, spec, &mut self.out);
        self.layer.unpin(self.now, tx, &mut self.out);
        self.last = Some((tx, msg));
    }

    fn response(&mut self, msg: &Message) {
        let found = self.layer.respond(self.now, msg, &mut self.out);
        if let ClientMatch::Deliver { tx, branch } = found {
            let forward = forward_response(msg, &Edits::new());
            let code = msg.status();
            self.layer
                .deliver(self.now, tx, branch, code, forward.into(), &mut self.out);
        }
    }
}
