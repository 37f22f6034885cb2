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

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sipwright_sip::message::Message;
use sipwright_sip::script::{Context, Env};
use sipwright_sip::tx::{Counts, Output, TxId, TxLayer, shard_of_request};
use sipwright_sip::types::{Flow, Millis};

use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::dns::{Dns, Policy, Target};
use crate::heap;
use crate::job::{Job, Queued};
use crate::log::{self, level};
use crate::net::{How, Net, SendError, Sink, TxTag};
use crate::overload::Lag;
use crate::passed::Passed;
use crate::pending::PendingTable;
use crate::queue::JobQueue;
use crate::record::Recorder;
use crate::repeats::Repeats;
use crate::reply::{SL_TAG_PREFIX, hex16, server_line, sl_tag_prefix};
use crate::route::{self, RouteError};
use crate::session::Callback;
use crate::shift::Shift;
use crate::stats::Stats;
use crate::sync::{OrderedGuard, OrderedMutex, rank};
use crate::tap::Tap;
use crate::tm::{Reported, TxState};
use crate::traffic::Traffic;
use crate::watch::Watch;

/// What transactions want done.
pub(crate) type Outputs = Vec<Output<TxState>>;

/// Independent transaction tables; a call's messages all fall into one, by Call-ID.
pub(crate) const SHARDS: u8 = 8;
/// What the threads free while they tidy up is given back to the system a while later, when they look again.
const TIDY_AGAIN_MS: Millis = 3_000;

/// An INVITE or CANCEL that no worker has finished after this time is served by
/// the engine itself (RFC 3261 section 17.2.1: 100 Trying within 200 ms, of which the
/// timer thread may be late by 40).
const RELIEF_MS: Millis = 160;

/// Process-wide state that transport, transactions and script share.
pub struct Core {
    /// Settings that the engine was started with.
    pub config: EngineConfig,
    /// Requests that the script has not finished.
    pub pending: PendingTable,
    /// Jobs that wait for a worker.
    pub queue: JobQueue<Queued>,
    /// For what goes on in another thread.
    pub(crate) me: Weak<Self>,
    /// Where the servers of domains are.
    pub dns: Dns,
    /// Where it has its time from.
    pub clock: Clock,
    net: OnceLock<Net>,
    dns_policy: OnceLock<Policy>,
    env: OnceLock<Arc<Env>>,
    pub(crate) shards: Vec<OrderedMutex<TxLayer<TxState>>>,
    messages: AtomicU64,
    /// When the heaps are to be tidied once more; 0 for never.
    tidy_at: AtomicU64,
    reply_route: AtomicBool,
    onsend_route: AtomicBool,
    /// Whether any transaction was watched so far.
    pub(crate) watching: AtomicBool,
    /// Requests that begin something new are refused.
    pub(crate) draining: AtomicBool,
    stopping: AtomicBool,
    /// Which worker is at work, so that others are called only when it does not keep up.
    pub(crate) shift: Shift,
    /// Whether messages wait for too long.
    pub(crate) lag: Lag,
    /// Start of the to-tags of stateless replies; ACKs that carry it are ours to absorb.
    pub(crate) sl_tag: [u8; SL_TAG_PREFIX],
    /// The Server header line of responses made here, empty for none.
    pub(crate) server_line: Vec<u8>,
    counters: Counters,
    /// What arrives and leaves, and how long things take.
    pub traffic: Traffic,
    /// What is traced.
    pub tap: Tap,
    /// What was recorded.
    pub recorder: Arc<Recorder>,
    /// What passed in both directions, and how long routes took.
    pub passed: Passed,
    /// Whether interpreter and threads make progress.
    pub watch: Watch,
    /// Names that came to nothing and are in the log already.
    pub(crate) repeats: Repeats,
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
    /// Requests refused with 503 because the queue was full or messages waited too long.
    overload_refused,
    /// Messages dropped because the queue was full and no answer was possible.
    overload_dropped,
    /// 100 Trying sent because no worker was free.
    relief_trying,
    /// CANCELs carried out because no worker was free.
    relief_cancel,
    /// Responses that matched no transaction.
    stray_responses,
    /// Responses dropped because no request of ours can have caused them.
    foreign_responses,
    /// Messages that the transport refused.
    send_errors,
    /// Scripts that ended with an uncaught exception or a missing route.
    script_errors,
    /// HTTP requests given to the script.
    http_requests,
    /// HTTP requests that nobody wants, answered with 404.
    http_not_found,
    /// WebSocket handshakes refused.
    websockets_refused,
    /// Requests whose route ended.
    routed,
    /// Times that Python's control loop did not come round for longer than
    /// `script.stall_after_ms`: a script kept the interpreter to itself.
    interpreter_stalls,
    /// Times that an engine thread took longer than a second for one turn.
    thread_stalls,
}

impl Core {
    /// The core for these settings; nothing is bound yet.
    #[must_use]
    pub fn new(config: EngineConfig) -> Arc<Self> {
        Self::with_clock(config, Clock::System)
    }

    /// The same with a clock of its own.
    #[must_use]
    pub fn with_clock(config: EngineConfig, clock: Clock) -> Arc<Self> {
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
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            pending: PendingTable::default(),
            queue: JobQueue::new(config.limits.queue),
            dns: Dns::new(config.dns.clone(), hasher.hash_one("dns")),
            clock,
            net: OnceLock::new(),
            dns_policy: OnceLock::new(),
            env: OnceLock::new(),
            shards,
            messages: AtomicU64::new(0),
            tidy_at: AtomicU64::new(0),
            reply_route: AtomicBool::new(false),
            onsend_route: AtomicBool::new(false),
            watching: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            shift: Shift::default(),
            lag: Lag::new(config.limits.queue_wait_us),
            sl_tag: sl_tag_prefix(hasher.hash_one(instance)),
            server_line: server_line(&config.server_header),
            counters: Counters::default(),
            traffic: Traffic::default(),
            tap: Tap::default(),
            recorder: Arc::new(Recorder::new(&config.record)),
            passed: Passed::default(),
            watch: Watch::default(),
            repeats: Repeats::default(),
            config,
        })
    }

    /// Gives the core its transport and what scripts see of it, once.
    pub fn attach(&self, net: Net, env: Env) {
        let sockets = env.sockets.iter().map(|s| (s.proto, s.addr.is_ipv4()));
        let dns = &self.config.dns;
        let _ = self.dns_policy.set(Policy {
            sockets: sockets.collect(),
            naptr: dns.naptr,
            srv: dns.srv,
            prefer_ipv6: dns.prefer_ipv6,
        });
        let _ = self.net.set(net);
        let _ = self.env.set(Arc::new(env));
    }

    /// Monotonic time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The same in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.clock.now_us()
    }

    /// Wall-clock time in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn wall_us(&self) -> u64 {
        self.clock.wall_us()
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

    /// The same without another owner.
    pub(crate) fn env_ref(&self) -> Option<&Env> {
        self.env.get().map(|env| &**env)
    }

    /// Which targets of a domain can be used here; none before the sockets are bound.
    pub(crate) fn dns_policy(&self) -> &Policy {
        static NONE: Policy = Policy {
            sockets: Vec::new(),
            naptr: false,
            srv: false,
            prefer_ipv6: false,
        };
        self.dns_policy.get().unwrap_or(&NONE)
    }

    /// Where a request to a URI would go, best place first; waits for names. For
    /// operators: `t_relay` does the same.
    ///
    /// # Errors
    /// Why it would go nowhere.
    pub fn locate(&self, uri: &[u8]) -> Result<Vec<Target>, RouteError> {
        let hop = route::next_hop(uri)?;
        if let Some(target) = hop.numeric() {
            return Ok(vec![target]);
        }
        self.dns
            .locate(&hop.wanted(), self.dns_policy(), None)
            .unwrap_or_else(|search| self.dns.wait(search))
            .map_err(|why| RouteError::no_target(&hop.host, why))
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

    /// Name of the script's function for events of tm, if one is set.
    pub(crate) fn tm_event_callback(&self) -> Option<Arc<str>> {
        let name = self.config.tm.event_callback.as_str();
        (!name.is_empty()).then(|| name.into())
    }

    /// A name that nothing else in the world has, for tags and Call-IDs.
    pub(crate) fn unique_name(&self) -> String {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        let random = RandomState::new().hash_one((number, self.now_us()));
        format!("{}{number:x}", String::from_utf8_lossy(&hex16(random)))
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

    /// Whether that is so.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
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

    /// What the transactions have counted.
    #[must_use]
    pub fn tx_counts(&self) -> Counts {
        let mut all = Counts::default();
        for shard in &self.shards {
            all.add(shard.lock().counts());
        }
        all
    }

    /// The shard that a request belongs to.
    pub(crate) fn shard_of(&self, msg: &Message) -> OrderedGuard<'_, TxLayer<TxState>> {
        self.shards[usize::from(shard_of_request(msg, SHARDS))].lock()
    }

    /// The shard that a transaction lives in.
    pub(crate) fn shard(&self, tx: TxId) -> OrderedGuard<'_, TxLayer<TxState>> {
        self.shards[usize::from(tx.shard % SHARDS)].lock()
    }

    /// A context for a message.
    #[must_use]
    pub fn context(&self, msg: Arc<Message>, flow: Flow) -> Context {
        let mut ctx = Context::new(self.env(), msg, flow, self.wall_us());
        ctx.msg_id = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        ctx
    }

    /// Sends what was decided; to be called without a lock.
    pub(crate) fn flush(&self, outputs: &mut Outputs) {
        // Few transactions are our own; what ends one may come with its last report.
        let (mut local, mut gone, mut peak_is_over) = (Vec::new(), Vec::new(), false);
        if self.watching.load(Ordering::Relaxed) {
            // Before anything is sent: what comes because of it is a later job.
            self.ask_watchers(outputs);
        }
        for output in outputs.drain(..) {
            match output {
                Output::Send {
                    flow,
                    bytes,
                    tx,
                    server_name,
                    options,
                } => {
                    let how = How {
                        server_name: server_name.as_deref(),
                        options,
                    };
                    self.send(&flow, bytes, tx, how);
                }
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
                Output::HeldReply { tx, .. } => self.release_reply(tx),
                Output::Watched { .. } => {}
                Output::Local {
                    tx,
                    branch,
                    code,
                    reply,
                } => local.push(Reported {
                    tx,
                    branch,
                    code,
                    reply,
                }),
                Output::Destroyed {
                    tx,
                    data,
                    ends_peak,
                    ..
                } => {
                    gone.extend(data.local.map(|sent| (tx, sent)));
                    peak_is_over |= ends_peak;
                }
            }
        }
        if peak_is_over {
            self.tidy_heaps();
            let again = self.now() + TIDY_AGAIN_MS;
            self.tidy_at.store(again, Ordering::Relaxed);
        }
        if !local.is_empty() {
            self.local_responses(local, &gone);
        }
    }

    fn ask_watchers(&self, outputs: &Outputs) {
        for output in outputs {
            if let Output::Watched { tx } = output {
                self.queue_event(Job::Watched { tx: *tx });
            }
        }
    }

    /// Has a worker run a function outside of any message, on a made-up one. Whoever
    /// asks bounds how many there are.
    pub fn run_event(&self, callback: Callback) {
        self.queue_event(Job::Event(callback));
    }

    /// Queues what a transaction waits for; bounded by the transactions there are.
    pub(crate) fn queue_event(&self, job: Job) {
        let at_us = self.now_us();
        self.queue.push_unbounded(Queued { job, at_us });
        self.wake_worker();
    }

    /// Hands bytes to the transport; a refusal is fed back to the transaction.
    /// `server_name` is what TLS asks for and verifies.
    pub(crate) fn send(&self, flow: &Flow, bytes: Bytes, tx: Option<TxTag>, how: How<'_>) {
        self.passes(true, flow, &bytes);
        if let Err(error) = self.net().send_how(flow, bytes, tx, how) {
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

    pub(crate) fn queue_job(&self, job: Job) -> Result<(), Job> {
        let at_us = self.now_us();
        self.queue
            .push(Queued { job, at_us })
            .map_err(|full| full.job)?;
        self.wake_worker();
        Ok(())
    }

    /// When the next timer of a transaction runs out, if any runs.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        let timeouts = self.shards.iter().map(|s| s.lock().next_timeout());
        timeouts.flatten().min()
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
        let tidy_at = self.tidy_at.load(Ordering::Relaxed);
        if tidy_at != 0 && tidy_at <= now {
            self.tidy_at.store(0, Ordering::Relaxed);
            self.tidy_heaps();
        }
        heap::tidy();
        for overdue in self.pending.overdue(now, RELIEF_MS) {
            self.relieve(&overdue.msg, &overdue.flow);
        }
        next
    }

    /// Has every thread give back the memory that a peak has left.
    fn tidy_heaps(&self) {
        heap::peak_is_over();
        if let Some(net) = self.net.get() {
            net.wake_all();
        }
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
    #[must_use]
    pub fn transactions_in_work(&self) -> usize {
        let unanswered = |s: &OrderedMutex<TxLayer<TxState>>| {
            s.lock().iter().filter(|t| t.final_code() == 0).count()
        };
        self.shards.iter().map(unanswered).sum()
    }
}
