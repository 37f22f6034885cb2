//! Tests that read like the ladder figures of the RFC, in virtual time.
//!
//! A [`Ladder`] is a stateful proxy between a caller and callees. What the layer
//! wants done is written down in words, such as `INVITE > bob` or `180 > caller`,
//! and read with [`Ladder::seen`] (without times) or [`Ladder::timed`] (with the
//! milliseconds since the beginning). When a ladder ends, all that is left must
//! end by itself: no test leaks a transaction.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::build::{self, Forward, ViaFix};
use sipwright_sip::tx::{
    BranchError, BranchSpec, ClientMatch, DropReplies, Hooks, Output, ReplyError, SERVER,
    ServerMatch, State, Transaction, Transition, TxConfig, TxId, TxLayer,
};
use sipwright_sip::types::{Flow, Millis, Proto};
use sipwright_sip::{Edits, Message};

/// Virtual time at which ladders begin: not 0, to notice absolute times.
const START: Millis = 1_000_000;
/// Longer than any timer.
const FOREVER: Millis = 1_000_000;
const PEERS: [&str; 5] = ["caller", "bob", "carol", "dave", "erin"];

thread_local! {
    static STEPS: RefCell<BTreeSet<Transition>> = const { RefCell::new(BTreeSet::new()) };
}

/// All steps of machines in the ladders of this thread so far.
pub fn steps() -> BTreeSet<Transition> {
    STEPS.with_borrow(Clone::clone)
}

pub struct Ladder {
    pub layer: TxLayer<&'static str>,
    pub now: Millis,
    /// What the caller sent last.
    pub request: Arc<Message>,
    caller: Proto,
    callees: Proto,
    pub out: Vec<Output<&'static str>>,
    log: Vec<(Millis, String)>,
    pinned: BTreeSet<TxId>,
    /// Everything that was sent, with the name of the receiver.
    pub sent: Vec<(String, Bytes)>,
    /// The names that a certificate must be valid for, of all requests.
    pub names: Vec<Option<Arc<str>>>,
}

/// A request of the caller.
pub fn request(method: &str) -> String {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKcaller\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=a\r\n\
         To: <sip:bob@example.com>\r\n\
         Call-ID: ladder\r\n\
         CSeq: 7 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

pub fn parse(text: impl Into<Vec<u8>>) -> Message {
    Message::parse(Bytes::from(text.into())).expect("a valid message")
}

impl Ladder {
    pub fn udp() -> Self {
        Self::over(Proto::Udp, Proto::Udp)
    }

    pub fn tcp() -> Self {
        Self::over(Proto::Tcp, Proto::Tcp)
    }

    pub fn over(caller: Proto, callees: Proto) -> Self {
        Self::with(caller, callees, TxConfig::default())
    }

    pub fn with(caller: Proto, callees: Proto, cfg: TxConfig) -> Self {
        let mut layer = TxLayer::new(1, 0x5eed, cfg);
        layer.set_trace(true);
        Self {
            layer,
            now: START,
            request: Arc::new(parse(request("INVITE"))),
            caller,
            callees,
            out: Vec::new(),
            log: Vec::new(),
            pinned: BTreeSet::new(),
            sent: Vec::new(),
            names: Vec::new(),
        }
    }

    pub fn flow(&self, peer: &str) -> Flow {
        let host = PEERS.iter().position(|&p| p == peer).expect("a known peer") as u8;
        let proto = if host == 0 { self.caller } else { self.callees };
        Flow {
            proto,
            socket: 0,
            remote: SocketAddr::from(([10, 0, host, 1], 5060)),
            conn: u64::from(host),
        }
    }

    // The caller.

    /// A new request of that method comes and gets a transaction.
    pub fn get(&mut self, method: &str) -> TxId {
        self.receive_new(&request(method))
    }

    pub fn receive_new(&mut self, text: &str) -> TxId {
        assert_eq!(self.receive(text), ServerMatch::None);
        self.create()
    }

    /// The request last received gets a transaction.
    pub fn create(&mut self) -> TxId {
        let flow = self.flow("caller");
        let tx = self
            .layer
            .create(self.now, self.request.clone(), flow, "data");
        self.pinned.insert(tx);
        self.pump();
        tx
    }

    /// A request comes.
    pub fn receive(&mut self, text: &str) -> ServerMatch {
        self.request = Arc::new(parse(text));
        let flow = self.flow("caller");
        let found = self
            .layer
            .lookup(self.now, &self.request, &flow, &mut self.out);
        self.pump();
        found
    }

    /// The transaction of the request last received by another path.
    pub fn merged(&self) -> Option<TxId> {
        self.layer.merged(&self.request)
    }

    /// The request last received comes again.
    pub fn again(&mut self, tx: TxId) {
        let flow = self.flow("caller");
        let found = self
            .layer
            .lookup(self.now, &self.request.clone(), &flow, &mut self.out);
        assert_eq!(found, ServerMatch::Retransmission(tx));
        self.pump();
    }

    /// An ACK with the branch of the INVITE comes.
    pub fn ack(&mut self) -> ServerMatch {
        let ack = parse(request("ACK"));
        let flow = self.flow("caller");
        let found = self.layer.lookup(self.now, &ack, &flow, &mut self.out);
        self.pump();
        found
    }

    /// An ACK for a 2xx comes: another transaction of the same call.
    pub fn ack_2xx(&mut self, branch: &str, to_tag: &str) -> ServerMatch {
        let text = request("ACK").replace("z9hG4bKcaller", branch).replace(
            "To: <sip:bob@example.com>",
            &format!("To: <sip:bob@example.com>;tag={to_tag}"),
        );
        let flow = self.flow("caller");
        let found = self
            .layer
            .lookup(self.now, &parse(text), &flow, &mut self.out);
        self.pump();
        found
    }

    // The script.

    /// A new INVITE, forwarded to these callees.
    pub fn invite(&mut self, callees: &[&str]) -> TxId {
        let tx = self.get("INVITE");
        self.relay(tx, callees);
        tx
    }

    /// Branches to these callees; the script is done then.
    pub fn relay(&mut self, tx: TxId, callees: &[&str]) {
        for callee in callees {
            self.add(tx, callee).expect("a branch");
        }
        self.done(tx);
    }

    pub fn add(&mut self, tx: TxId, callee: &str) -> Result<u16, BranchError> {
        let index = self.layer.get(tx).map_or(0, |t| t.branches().len() as u16);
        let spec = self.spec(tx, index, callee);
        self.add_spec(tx, spec)
    }

    pub fn add_spec(&mut self, tx: TxId, spec: BranchSpec) -> Result<u16, BranchError> {
        let added = self.layer.add_branch(self.now, tx, spec, &mut self.out);
        self.pump();
        added
    }

    pub fn spec(&self, tx: TxId, index: u16, callee: &str) -> BranchSpec {
        let token = self.layer.branch_token(tx, index);
        let via = format!(
            "Via: SIP/2.0/{} proxy:5060;branch={token}\r\n",
            self.callees.via_str()
        );
        let uri = format!("sip:{callee}@example.com");
        let bytes = build::forward_request(
            &self.request,
            &Forward {
                uri: Some(uri.as_bytes()),
                via: via.as_bytes(),
                via_fix: ViaFix::default(),
                top: b"",
                max_forwards: Some(69),
                edits: &Edits::new(),
            },
        );
        BranchSpec {
            index,
            bytes: bytes.into(),
            flow: self.flow(callee),
            uri: uri.into(),
            server_name: None,
            fallback: None,
            options: sipwright_sip::types::SendOptions::default(),
            on_reply: None,
            on_failure: None,
            next: None,
        }
    }

    /// The script has dealt with the request.
    pub fn done(&mut self, tx: TxId) {
        if self.pinned.remove(&tx) {
            self.layer.unpin(self.now, tx, &mut self.out);
        }
        self.pump();
    }

    pub fn reply(&mut self, tx: TxId, code: u16) -> Result<(), ReplyError> {
        let tag = self
            .layer
            .get(tx)
            .map(Transaction::to_tag)
            .unwrap_or_default();
        let fix = ViaFix::default();
        let bytes = build::response(
            &self.request,
            code,
            b"",
            Some(tag.as_bytes()),
            b"",
            b"",
            &fix,
        );
        let result = self
            .layer
            .reply(self.now, tx, code, bytes.into(), &mut self.out);
        self.pump();
        result
    }

    pub fn hooks(&mut self, tx: TxId) -> &mut Hooks {
        self.layer.get_mut(tx).expect("a transaction").hooks_mut()
    }

    pub fn arm_failure(&mut self, tx: TxId) {
        self.hooks(tx).on_failure = Some("FAIL".into());
    }

    pub fn drop_replies(&mut self, tx: TxId, which: DropReplies) {
        if let Some(tx) = self.layer.get_mut(tx) {
            tx.set_drop_replies(which);
        }
    }

    pub fn failure_done(&mut self, tx: TxId) {
        self.layer.failure_done(self.now, tx, &mut self.out);
        self.pump();
    }

    pub fn branch_failure_done(&mut self, tx: TxId, branch: u16) {
        self.layer
            .branch_failure_done(self.now, tx, branch, &mut self.out);
        self.pump();
    }

    pub fn suspend(&mut self, tx: TxId) -> bool {
        let suspended = self.layer.suspend(self.now, tx, &mut self.out);
        self.pump();
        suspended
    }

    pub fn resume_done(&mut self, tx: TxId) {
        self.layer.resume_done(self.now, tx, &mut self.out);
        self.pump();
    }

    pub fn cancel(&mut self, tx: TxId) {
        self.layer.cancel(self.now, tx, b"", &mut self.out);
        self.pump();
    }

    pub fn cancel_branch(&mut self, tx: TxId, branch: u16) {
        let range = branch..branch + 1;
        self.layer
            .cancel_branches(self.now, tx, range, b"", &mut self.out);
        self.pump();
    }

    pub fn release(&mut self, tx: TxId) {
        self.layer.release(self.now, tx, &mut self.out);
        self.pump();
    }

    pub fn trying(&mut self, tx: TxId) {
        self.layer.trying(self.now, tx, &mut self.out);
        self.pump();
    }

    pub fn set_fr(&mut self, tx: TxId, fr_inv_ms: u32, fr_ms: u32) {
        self.layer
            .set_fr(self.now, tx, fr_inv_ms, fr_ms, &mut self.out);
        self.pump();
    }

    // The callees.

    /// A callee's response arrives, goes through the reply route and on.
    pub fn answer(&mut self, tx: TxId, branch: u16, code: u16) {
        let found = self.arrive(tx, branch, code);
        assert_eq!(found, ClientMatch::Deliver { tx, branch }, "{code}");
        self.deliver(tx, branch, code);
    }

    /// A callee's response arrives and is absorbed.
    pub fn absorbed(&mut self, tx: TxId, branch: u16, code: u16) {
        assert_eq!(
            self.arrive(tx, branch, code),
            ClientMatch::Absorbed(tx),
            "{code}"
        );
    }

    /// A callee's response arrives; if to be delivered, that is left to the test.
    pub fn arrive(&mut self, tx: TxId, branch: u16, code: u16) -> ClientMatch {
        let response = self.response(tx, branch, code, "");
        self.arrive_message(&response)
    }

    pub fn arrive_message(&mut self, response: &Message) -> ClientMatch {
        let found = self.layer.respond(self.now, response, &mut self.out);
        self.pump();
        found
    }

    pub fn deliver(&mut self, tx: TxId, branch: u16, code: u16) {
        let response = self.response(tx, branch, code, "");
        self.deliver_message(tx, branch, &response);
    }

    pub fn deliver_message(&mut self, tx: TxId, branch: u16, response: &Message) {
        let forward = build::forward_response(response, &Edits::new());
        let code = response.status();
        self.layer
            .deliver(self.now, tx, branch, code, forward.into(), &mut self.out);
        self.pump();
    }

    pub fn discard(&mut self, tx: TxId, branch: u16, code: u16) {
        self.layer
            .discard(self.now, tx, branch, code, &mut self.out);
        self.pump();
    }

    /// What a callee says to the request of a branch; `lines` are added to it.
    pub fn response(&self, tx: TxId, branch: u16, code: u16, lines: &str) -> Message {
        let transaction = self.layer.get(tx).expect("a transaction");
        let request = transaction.branch(branch).expect("a branch").bytes();
        let request = Message::parse(request.clone()).expect("our own request");
        let tag = format!("callee{branch}");
        parse(build::response(
            &request,
            code,
            b"",
            Some(tag.as_bytes()),
            lines.as_bytes(),
            b"",
            &ViaFix::default(),
        ))
    }

    /// The answer to the last CANCEL sent to that callee.
    pub fn answer_cancel(&mut self, callee: &str, code: u16) -> ClientMatch {
        let (_, cancel) = self
            .sent
            .iter()
            .rfind(|(to, bytes)| to == callee && bytes.starts_with(b"CANCEL"))
            .expect("a CANCEL");
        let cancel = Message::parse(cancel.clone()).expect("our own CANCEL");
        let fix = ViaFix::default();
        let answer = build::response(&cancel, code, b"", Some(b"x"), b"", b"", &fix);
        self.arrive_message(&parse(answer))
    }

    // The transport.

    pub fn send_failed(&mut self, tx: TxId, branch: u16) {
        self.layer.send_failed(self.now, tx, branch, &mut self.out);
        self.pump();
    }

    /// ICMP sends the beginning of a datagram back.
    pub fn unreachable(&mut self, remote: SocketAddr, quoted: &[u8]) {
        self.layer
            .unreachable(self.now, remote, quoted, &mut self.out);
        self.pump();
    }

    pub fn reply_failed(&mut self, tx: TxId) {
        self.send_failed(tx, SERVER);
    }

    // Time, and what was seen.

    /// Lets time pass, jumping from timer to timer.
    pub fn wait(&mut self, ms: Millis) {
        let end = self.now + ms;
        while let Some(at) = self.layer.next_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now, &mut self.out);
            self.pump();
        }
        self.now = end;
    }

    /// Everything since the last look.
    #[track_caller]
    pub fn seen(&mut self, expected: &[&str]) {
        let seen: Vec<String> = self.log.drain(..).map(|(_, what)| what).collect();
        assert_eq!(seen, expected);
    }

    /// Everything since the last look, with milliseconds since the beginning.
    #[track_caller]
    pub fn timed(&mut self, expected: &[(Millis, &str)]) {
        let log = std::mem::take(&mut self.log);
        let seen: Vec<_> = log
            .iter()
            .map(|(at, what)| (at - START, what.as_str()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[track_caller]
    pub fn nothing(&mut self) {
        self.seen(&[]);
    }

    pub fn forget(&mut self) {
        self.log.clear();
    }

    pub fn tx(&self, tx: TxId) -> &Transaction<&'static str> {
        self.layer.get(tx).expect("a transaction")
    }

    pub fn state(&self, tx: TxId) -> State {
        self.tx(tx).state()
    }

    pub fn branch_state(&self, tx: TxId, branch: u16) -> State {
        self.tx(tx).branch(branch).expect("a branch").state()
    }

    /// The last message sent to a peer.
    pub fn last_to(&self, peer: &str) -> Message {
        let (_, bytes) = self
            .sent
            .iter()
            .rfind(|(to, _)| to == peer)
            .expect("a message");
        Message::parse(bytes.clone()).expect("a valid message")
    }

    pub fn pump(&mut self) {
        for output in std::mem::take(&mut self.out) {
            let words = match output {
                Output::Send {
                    flow,
                    bytes,
                    server_name,
                    ..
                } => {
                    self.names.push(server_name);
                    self.note_send(flow, bytes)
                }
                Output::Failure {
                    branch,
                    code,
                    route,
                    ..
                } => {
                    format!("{route} {code} of {branch}")
                }
                Output::BranchFailure {
                    branch,
                    code,
                    route,
                    ..
                } => {
                    format!("branch {route} {code} of {branch}")
                }
                Output::Local {
                    branch,
                    code,
                    reply,
                    ..
                } => {
                    let made = if reply.is_none() { "made " } else { "" };
                    format!("local {made}{code} of {branch}")
                }
                Output::HeldReply { branch, .. } => format!("held reply of {branch}"),
                Output::Watched { .. } => "watched".to_owned(),
                Output::Destroyed { code, data, .. } => {
                    assert_eq!(data, "data");
                    format!("gone {code}")
                }
            };
            self.log.push((self.now, words));
        }
    }

    fn note_send(&mut self, flow: Flow, bytes: Bytes) -> String {
        let peer = PEERS.iter().find(|p| self.flow(p).remote == flow.remote);
        let peer = peer.map_or_else(|| flow.remote.to_string(), ToString::to_string);
        let msg = Message::parse(bytes.clone()).expect("what is sent is valid");
        let what = match msg.is_request() {
            true => String::from_utf8_lossy(msg.method_name()).into_owned(),
            false => msg.status().to_string(),
        };
        self.sent.push((peer.clone(), bytes));
        format!("{what} > {peer}")
    }
}

impl Drop for Ladder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for tx in std::mem::take(&mut self.pinned) {
            self.layer.unpin(self.now, tx, &mut self.out);
        }
        self.wait(FOREVER);
        assert_eq!(self.layer.len(), 0, "a transaction is left for ever");
        assert_eq!(self.layer.next_timeout(), None, "a timer is left");
        STEPS.with_borrow_mut(|steps| steps.extend(self.layer.take_trace()));
    }
}
