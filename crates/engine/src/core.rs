//! The heart of the engine: what happens to a message between the transport
//! and the script, and between the script and the transport.
//!
//! ```text
//! transport -> Core::message -> transactions -> queue -> worker (Python)
//!                      |              |                        |
//!                      +--- answers --+---- Outputs ---- tm, sl, forward -> transport
//! ```
//!
//! Everything here runs in whichever thread brings the message: a script worker
//! inside `WorkerPort::wait` or an engine thread. No lock is held while sending.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sipwright_sip::error::{ErrorKind, ParseError};
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::script::{Context, Env, TxData};
use sipwright_sip::tx::{
    ClientMatch, Output, ServerMatch, Transaction, TxId, TxLayer, shard_of_request,
    shard_of_response,
};
use sipwright_sip::types::{Flow, Millis};
use sipwright_sip::{Edits, build};

use crate::config::EngineConfig;
use crate::log::{self, level};
use crate::net::{Net, SendError, Sink, TxTag};
use crate::pending::{PendingKey, PendingTable};
use crate::queue::JobQueue;
use crate::route;
use crate::shift::Shift;
use crate::stats::Stats;
use crate::sync::{OrderedGuard, OrderedMutex, rank};

/// What transactions want done.
pub(crate) type Outputs = Vec<Output<TxData>>;

/// Independent transaction tables; a call's messages all fall into one, by Call-ID.
const SHARDS: u8 = 8;

/// An INVITE or CANCEL that no worker has finished after this time is served by
/// the engine itself (RFC 3261 section 17.2.1: 100 Trying within 200 ms).
const RELIEF_MS: Millis = 200;

/// Work for a script worker.
#[derive(Debug)]
pub enum Job {
    /// Run `ksr_request_route`.
    Request {
        /// The request.
        msg: Arc<Message>,
        /// How it came.
        flow: Flow,
        /// Its place in the table of requests in work.
        key: PendingKey,
    },
    /// Run `ksr_reply_route` and the `t_on_reply` callback, then forward.
    Reply {
        /// The response.
        msg: Arc<Message>,
        /// How it came.
        flow: Flow,
        /// The branch it answers; none for a response without a transaction.
        target: Option<TxTag>,
    },
    /// Run the `t_on_failure` callback.
    Failure {
        /// Transaction.
        tx: TxId,
        /// Branch whose response won.
        branch: u16,
        /// Code of that response, 408 for a timeout.
        code: u16,
        /// Name of the callback.
        callback: Arc<str>,
    },
    /// Run the `t_on_branch_failure` callback.
    BranchFailure {
        /// Transaction.
        tx: TxId,
        /// Branch that failed.
        branch: u16,
        /// Code of its response.
        code: u16,
        /// Name of the callback.
        callback: Arc<str>,
    },
}

/// Process-wide state that transport, transactions and script share.
pub struct Core {
    /// Settings that the engine was started with.
    pub config: EngineConfig,
    /// Requests that the script has not finished.
    pub pending: PendingTable,
    /// Jobs that wait for a worker.
    pub queue: JobQueue<Job>,
    net: OnceLock<Net>,
    env: OnceLock<Arc<Env>>,
    shards: Vec<OrderedMutex<TxLayer<TxData>>>,
    started: Instant,
    messages: AtomicU64,
    reply_route: AtomicBool,
    onsend_route: AtomicBool,
    /// Requests that begin something new are refused.
    draining: AtomicBool,
    stopping: AtomicBool,
    /// Which worker is at work, so that others are called only when it does not keep up.
    pub(crate) shift: Shift,
    /// Start of the to-tags of stateless replies; ACKs that carry it are ours to absorb.
    sl_tag: [u8; SL_TAG_PREFIX],
    /// The Server header line of responses made here, empty for none.
    server_line: Vec<u8>,
    counters: Counters,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the core counts; see [`Core::stats`].
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: crate::stats::Counter,)* }

        impl Counters {
            /// Every counter by name.
            #[must_use]
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

counters! {
    /// Requests given to the script.
    requests,
    /// Responses received.
    responses,
    /// Messages dropped because they could not be parsed nor answered.
    dropped_malformed,
    /// Requests answered 400 or 505 by the parser.
    answered_malformed,
    /// Request retransmissions absorbed.
    retransmissions,
    /// ACKs to stateless replies absorbed.
    filtered_acks,
    /// Requests refused with 503 because the queue was full.
    overload_refused,
    /// Messages dropped because the queue was full and no answer was possible.
    overload_dropped,
    /// 100 Trying sent because no worker was free.
    relief_trying,
    /// CANCELs carried out because no worker was free.
    relief_cancel,
    /// Responses that matched no transaction.
    stray_responses,
    /// Messages that the transport refused.
    send_errors,
    /// Scripts that ended with an uncaught exception or a missing route.
    script_errors,
    /// Requests whose route ended.
    routed,
}

impl Core {
    /// The core for these settings; nothing is bound yet.
    #[must_use]
    pub fn new(config: EngineConfig) -> Arc<Self> {
        let hasher = RandomState::new();
        let instance = match config.instance_seed {
            0 => hasher.hash_one(std::process::id()),
            seed => seed,
        };
        let timers = config.to_tx();
        let shards = (0..SHARDS)
            .map(|s| {
                OrderedMutex::new(
                    rank::TRANSACTIONS,
                    TxLayer::new(s, instance, timers.clone()),
                )
            })
            .collect();
        Arc::new(Self {
            pending: PendingTable::default(),
            queue: JobQueue::new(config.limits.queue),
            net: OnceLock::new(),
            env: OnceLock::new(),
            shards,
            started: Instant::now(),
            messages: AtomicU64::new(0),
            reply_route: AtomicBool::new(false),
            onsend_route: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            shift: Shift::default(),
            sl_tag: sl_tag_prefix(hasher.hash_one(instance)),
            server_line: server_line(&config.server_header),
            counters: Counters::default(),
            config,
        })
    }

    /// Gives the core its transport and what scripts see of it, once.
    pub fn attach(&self, net: Net, env: Env) {
        let _ = self.net.set(net);
        let _ = self.env.set(Arc::new(env));
    }

    /// Monotonic time.
    #[must_use]
    pub fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The same in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The transport.
    ///
    /// # Panics
    /// Before [`Core::attach`].
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn net(&self) -> &Net {
        self.net.get().expect("bound before anything runs")
    }

    /// The transport, if sockets are bound.
    #[must_use]
    pub fn bound(&self) -> Option<&Net> {
        self.net.get()
    }

    /// Settings as scripts see them; empty before the sockets are bound.
    #[must_use]
    pub fn env(&self) -> Arc<Env> {
        self.env
            .get()
            .map_or_else(|| Arc::new(Env::default()), Arc::clone)
    }

    /// What the core counts.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the transport counts.
    #[must_use]
    pub fn stats(&self) -> Option<&Stats> {
        self.net.get().map(Net::stats)
    }

    /// Tells which routes the script has, so that Python is not asked for what it lacks.
    pub fn set_routes(&self, reply: bool, onsend: bool) {
        self.reply_route.store(reply, Ordering::Relaxed);
        self.onsend_route.store(onsend, Ordering::Relaxed);
    }

    /// Whether the script has a `ksr_reply_route`.
    #[must_use]
    pub fn has_reply_route(&self) -> bool {
        self.reply_route.load(Ordering::Relaxed)
    }

    /// Whether the script has a `ksr_onsend_route`.
    #[must_use]
    pub fn has_onsend_route(&self) -> bool {
        self.onsend_route.load(Ordering::Relaxed)
    }

    /// From here on only what belongs to requests in work is given to the script.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// No further jobs: workers get none once this is set.
    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Whether the engine is ending.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Transactions that are open.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.shards.iter().map(|s| s.lock().len()).sum()
    }

    /// The shard that a request belongs to.
    pub(crate) fn shard_of(&self, msg: &Message) -> OrderedGuard<'_, TxLayer<TxData>> {
        self.shards[usize::from(shard_of_request(msg, SHARDS))].lock()
    }

    /// The shard that a transaction lives in.
    pub(crate) fn shard(&self, tx: TxId) -> OrderedGuard<'_, TxLayer<TxData>> {
        self.shards[usize::from(tx.shard % SHARDS)].lock()
    }

    /// A context for a message.
    #[must_use]
    pub fn context(&self, msg: Arc<Message>, flow: Flow) -> Context {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut ctx = Context::new(
            self.env(),
            msg,
            flow,
            u64::try_from(wall.as_micros()).unwrap_or(0),
        );
        ctx.msg_id = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        ctx
    }

    /// Sends what was decided; to be called without a lock.
    pub(crate) fn flush(&self, outputs: &mut Outputs) {
        for output in outputs.drain(..) {
            match output {
                Output::Send { flow, bytes, tx } => self.send(&flow, bytes, tx),
                Output::Failure {
                    tx,
                    branch,
                    code,
                    route,
                } => {
                    self.queue_event(Job::Failure {
                        tx,
                        branch,
                        code,
                        callback: route,
                    });
                }
                Output::BranchFailure {
                    tx,
                    branch,
                    code,
                    route,
                } => {
                    self.queue_event(Job::BranchFailure {
                        tx,
                        branch,
                        code,
                        callback: route,
                    });
                }
                Output::Local { .. } | Output::Destroyed { .. } => {}
            }
        }
    }

    /// Queues what a transaction waits for; bounded by the transactions there are.
    fn queue_event(&self, job: Job) {
        self.queue.push_unbounded(job);
        self.wake_worker();
    }

    /// Hands bytes to the transport; a refusal is fed back to the transaction.
    pub(crate) fn send(&self, flow: &Flow, bytes: Bytes, tx: Option<TxTag>) {
        if let Err(error) = self.net().send(flow, bytes, tx) {
            self.refused(flow, tx, &error);
        }
    }

    fn refused(&self, flow: &Flow, tx: Option<TxTag>, error: &SendError) {
        self.counters.send_errors.inc();
        if log::enabled(level::WARN) {
            log::log(
                level::WARN,
                &format!("cannot send to {}:{}: {error}", flow.proto, flow.remote),
            );
        }
        self.send_failed(flow, tx);
    }

    fn wake_worker(&self) {
        if Shift::is_own_thread_reading() {
            // This worker is about to take the job itself.
            return;
        }
        let Some(net) = self.net.get() else { return };
        // Either the worker at work sees the job before it rests, or we see it resting.
        if self.shift.is_kept_up(self.now_us()) {
            net.nudge_worker();
        } else {
            net.wake_worker();
        }
    }

    fn queue_job(&self, job: Job) -> Result<(), Job> {
        self.queue.push(job)?;
        self.wake_worker();
        Ok(())
    }

    fn on_request(&self, msg: Message, flow: Flow) {
        if msg.method() == Method::Ack && msg.to_tag().is_some_and(|t| t.starts_with(&self.sl_tag))
        {
            // The ACK of a final response that we sent without a transaction.
            self.counters.filtered_acks.inc();
            return;
        }
        let now = self.now();
        let msg = Arc::new(msg);
        let mut out = Vec::new();
        let found = self.shard_of(&msg).lookup(now, &msg, &flow, &mut out);
        self.flush(&mut out);
        if let ServerMatch::Retransmission(_) = found {
            self.counters.retransmissions.inc();
            return;
        }
        let is_new = !matches!(msg.method(), Method::Ack | Method::Cancel);
        if is_new && self.draining.load(Ordering::Relaxed) {
            self.refuse(&msg, &flow, b"Service Unavailable");
            return;
        }
        let key = self.pending.key(&msg);
        if !self.pending.insert(key, &msg, flow, now) {
            self.counters.retransmissions.inc();
            return;
        }
        self.counters.requests.inc();
        let overloaded = self
            .queue_job(Job::Request {
                msg: Arc::clone(&msg),
                flow,
                key,
            })
            .is_err();
        if overloaded {
            self.pending.remove(key);
            self.refuse_overload(&msg, &flow);
        }
    }

    /// Answers what the queue has no room for.
    fn refuse_overload(&self, msg: &Message, flow: &Flow) {
        if matches!(msg.method(), Method::Ack | Method::Cancel) {
            self.counters.overload_dropped.inc();
            return;
        }
        self.counters.overload_refused.inc();
        self.refuse(msg, flow, b"Server Overloaded");
    }

    /// 503 with Retry-After (RFC 3261 section 21.5.4).
    fn refuse(&self, msg: &Message, flow: &Flow, reason: &[u8]) {
        let retry = format!("Retry-After: {}\r\n", self.config.limits.retry_after_s);
        let reply = Reply {
            headers: retry.as_bytes(),
            ..Reply::new(503, reason)
        };
        self.reply_stateless(msg, flow, &reply);
    }

    /// A tag for replies without a transaction: the same for a retransmission,
    /// another for anything else (RFC 3261 section 8.2.7).
    fn stateless_tag(&self, msg: &Message) -> [u8; SL_TAG] {
        let mut tag = [0; SL_TAG];
        tag[..SL_TAG_PREFIX].copy_from_slice(&self.sl_tag);
        tag[SL_TAG_PREFIX..].copy_from_slice(&hex16(self.pending.key(msg)));
        tag
    }

    /// Sends a response without a transaction (RFC 3261 section 8.2.7).
    pub fn reply_stateless(&self, msg: &Message, flow: &Flow, reply: &Reply<'_>) {
        let tag = (msg.to_tag().is_none() && reply.code > 100).then(|| self.stateless_tag(msg));
        let extra = self.with_server_header(reply.headers);
        let fix = route::via_fix(msg, flow, reply.force_rport);
        let tag = tag.as_ref().map(<[u8; SL_TAG]>::as_slice);
        let bytes = build::response(msg, reply.code, reply.reason, tag, &extra, reply.body, &fix);
        self.send(
            &route::reply_flow(msg, flow, reply.force_rport),
            bytes.into(),
            None,
        );
    }

    /// Header lines of a local response: the given ones and `Server`.
    pub(crate) fn with_server_header<'a>(&'a self, extra: &'a [u8]) -> Cow<'a, [u8]> {
        match (extra.is_empty(), self.server_line.is_empty()) {
            (true, _) => Cow::Borrowed(&self.server_line),
            (false, true) => Cow::Borrowed(extra),
            (false, false) => Cow::Owned([extra, &self.server_line].concat()),
        }
    }

    fn on_malformed(&self, error: &ParseError, flow: &Flow) {
        if error.kind == ErrorKind::Empty {
            return;
        }
        let answer = error.status.zip(error.partial.as_deref());
        let Some((code, partial)) =
            answer.filter(|(_, m)| m.is_request() && m.method() != Method::Ack)
        else {
            self.counters.dropped_malformed.inc();
            log::log(
                level::NOTICE,
                &format!(
                    "dropped a message from {}:{}: {error}",
                    flow.proto, flow.remote
                ),
            );
            return;
        };
        self.counters.answered_malformed.inc();
        log::log(
            level::NOTICE,
            &format!("answered {code} to {}:{}: {error}", flow.proto, flow.remote),
        );
        let reason = match code {
            505 => "Version Not Supported".to_owned(),
            413 => "Request Entity Too Large".to_owned(),
            _ => format!("Bad Request ({})", error.reason),
        };
        self.reply_stateless(partial, flow, &Reply::new(code, reason.as_bytes()));
    }

    fn on_response(&self, msg: Message, flow: Flow) {
        self.counters.responses.inc();
        let now = self.now();
        let msg = Arc::new(msg);
        let mut out = Vec::new();
        let (found, hooked) = self.match_response(now, &msg, &mut out);
        self.flush(&mut out);
        let target = match found {
            ClientMatch::Absorbed(_) => return,
            ClientMatch::Deliver { tx, branch } => Some((tx, branch)),
            ClientMatch::None => None,
        };
        let scripted = self.has_reply_route() || hooked;
        match target {
            // The transaction bounds these: few responses for each branch.
            Some(_) if scripted => self.queue_event(Job::Reply { msg, flow, target }),
            Some(tag) => self.deliver(tag, &msg, build::forward_response(&msg, &Edits::new())),
            None if scripted => {
                if self.queue_job(Job::Reply { msg, flow, target }).is_err() {
                    self.counters.overload_dropped.inc();
                }
            }
            None => self.forward_stray(&self.context(msg, flow)),
        }
    }

    /// What a response is to the transactions, and whether a reply route of the
    /// transaction wants to see it.
    fn match_response(&self, now: Millis, msg: &Message, out: &mut Outputs) -> (ClientMatch, bool) {
        let Some(shard) = shard_of_response(msg).filter(|s| *s < SHARDS) else {
            return (ClientMatch::None, false);
        };
        let mut shard = self.shards[usize::from(shard)].lock();
        let found = shard.respond(now, msg, out);
        let hooked = match found {
            ClientMatch::Deliver { tx, branch } => shard
                .get(tx)
                .is_some_and(|t| crate::session::reply_hook(t, branch).is_some()),
            ClientMatch::None | ClientMatch::Absorbed(_) => false,
        };
        (found, hooked)
    }

    /// Passes a response that its routes are done with to its transaction.
    pub(crate) fn deliver(&self, (tx, branch): TxTag, msg: &Message, bytes: Vec<u8>) {
        let mut out = Vec::new();
        self.shard(tx)
            .deliver(self.now(), tx, branch, msg.status(), bytes.into(), &mut out);
        self.flush(&mut out);
    }

    /// Forwards a response without a transaction by its next Via
    /// (RFC 3261 section 16.7, last paragraphs; section 18.1.2).
    pub(crate) fn forward_stray(&self, ctx: &Context) {
        self.counters.stray_responses.inc();
        let msg = &ctx.msg;
        let via = msg.via();
        let ours = ctx
            .env
            .is_self(msg.get(via.host), via.port_or_default(), via.proto);
        let target = ours.then(|| build::response_target(msg)).flatten();
        let Some(target) = target else {
            log::log(
                level::DBG,
                "dropped a response whose top Via is not ours or that has no other",
            );
            return;
        };
        match route::response_flow(&ctx.env, &target, &ctx.flow) {
            Ok(flow) => self.send(
                &flow,
                sipwright_sip::script::forward::build_reply(ctx).into(),
                None,
            ),
            Err(error) => log::log(
                level::NOTICE,
                &format!("cannot forward a response: {error}"),
            ),
        }
    }

    /// Runs timers and helps out where workers lag; gives the next time to be called.
    pub fn tick(&self) -> Millis {
        let now = self.now();
        let mut out = Vec::new();
        let mut next = now + 1000;
        for shard in &self.shards {
            let mut layer = shard.lock();
            if layer.next_timeout().is_some_and(|t| t <= now) {
                layer.handle_timeout(now, &mut out);
            }
            next = next.min(layer.next_timeout().unwrap_or(u64::MAX));
        }
        self.flush(&mut out);
        for overdue in self.pending.overdue(now, RELIEF_MS) {
            self.relieve(&overdue.msg, &overdue.flow);
        }
        next
    }

    /// Does for a request what cannot wait for the script.
    fn relieve(&self, msg: &Message, flow: &Flow) {
        let now = self.now();
        let mut out = Vec::new();
        let found = self.shard_of(msg).lookup(now, msg, flow, &mut out);
        self.flush(&mut out);
        match (msg.method(), found) {
            (Method::Invite, ServerMatch::None) => {
                self.counters.relief_trying.inc();
                self.reply_stateless(msg, flow, &Reply::new(100, b"Trying"));
            }
            (Method::Cancel, ServerMatch::Cancel { invite }) => {
                self.counters.relief_cancel.inc();
                self.cancel_transaction(invite, msg, flow, b"", false);
            }
            _ => {}
        }
    }

    /// Answers a CANCEL and ends the pending branches (RFC 3261 sections 9.2, 16.10).
    pub(crate) fn cancel_transaction(
        &self,
        invite: TxId,
        msg: &Message,
        flow: &Flow,
        extra: &[u8],
        force_rport: bool,
    ) {
        let now = self.now();
        let mut out = Vec::new();
        let reason = msg
            .find(b"Reason")
            .next()
            .map_or_else(Vec::new, |h| msg.get(h.full).to_vec());
        let tag = {
            let mut shard = self.shard(invite);
            shard.cancel(now, invite, &reason, &mut out);
            shard.get(invite).map(Transaction::to_tag)
        };
        let extra = self.with_server_header(extra);
        let fix = route::via_fix(msg, flow, force_rport);
        let tag = if msg.to_tag().is_some() { None } else { tag };
        let bytes = build::response(
            msg,
            200,
            b"canceling",
            tag.as_deref().map(str::as_bytes),
            &extra,
            b"",
            &fix,
        );
        self.send(
            &route::reply_flow(msg, flow, force_rport),
            bytes.into(),
            None,
        );
        self.flush(&mut out);
    }

    /// Waits until no request is in work and nothing waits to be sent.
    pub fn drain(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while !(self.queue.is_empty()
            && self.pending.is_empty()
            && self.transactions_in_work() == 0)
        {
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.net
            .get()
            .is_none_or(|n| n.drain(end.saturating_duration_since(Instant::now())))
    }

    /// Transactions that nobody has answered yet.
    fn transactions_in_work(&self) -> usize {
        let unanswered = |s: &OrderedMutex<TxLayer<TxData>>| {
            s.lock().iter().filter(|t| t.final_code() == 0).count()
        };
        self.shards.iter().map(unanswered).sum()
    }
}

impl Sink for Core {
    fn message(&self, bytes: Bytes, flow: Flow) {
        match Message::parse(bytes) {
            Ok(msg) if msg.is_request() => self.on_request(msg, flow),
            Ok(msg) => self.on_response(msg, flow),
            Err(error) => self.on_malformed(&error, &flow),
        }
    }

    fn send_failed(&self, _flow: &Flow, tx: Option<TxTag>) {
        let Some((tx, branch)) = tx else { return };
        let mut out = Vec::new();
        self.shard(tx).send_failed(self.now(), tx, branch, &mut out);
        self.flush(&mut out);
    }

    fn jobs_pending(&self) -> bool {
        !self.queue.is_empty()
    }
}

/// A response to be made here.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Status code.
    pub code: u16,
    /// Reason phrase.
    pub reason: &'a [u8],
    /// Header lines, each with its CRLF.
    pub headers: &'a [u8],
    /// Body; its Content-Type is among the header lines.
    pub body: &'a [u8],
    /// Answer to the source port whatever the Via asks (RFC 3581).
    pub force_rport: bool,
}

impl<'a> Reply<'a> {
    /// A response without further header lines and without a body.
    #[must_use]
    pub const fn new(code: u16, reason: &'a [u8]) -> Self {
        Self {
            code,
            reason,
            headers: b"",
            body: b"",
            force_rport: false,
        }
    }
}

/// Eight digits of the instance and a hyphen.
const SL_TAG_PREFIX: usize = 9;
/// The prefix and sixteen digits of the request.
const SL_TAG: usize = SL_TAG_PREFIX + 16;

fn sl_tag_prefix(instance: u64) -> [u8; SL_TAG_PREFIX] {
    let mut prefix = [b'-'; SL_TAG_PREFIX];
    prefix[..8].copy_from_slice(&hex16(instance)[..8]);
    prefix
}

fn server_line(server: &str) -> Vec<u8> {
    if server.is_empty() {
        Vec::new()
    } else {
        format!("Server: {server}\r\n").into_bytes()
    }
}

/// A number as sixteen hexadecimal digits.
pub(crate) fn hex16(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (i, byte) in number.to_be_bytes().into_iter().enumerate() {
        text[2 * i] = DIGITS[usize::from(byte >> 4)];
        text[2 * i + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}
