//! The life of one job in a worker: context made, callbacks run, results applied.
//!
//! A worker has one [`Current`] at a time. It never outlives the callback: what
//! has to last (AVPs, flags, hooks) moves into the transaction.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::script::{Context, RouteType, TxData, forward, uac};
use sipwright_sip::tx::{Hooks, ServerMatch, Transaction, TxId, TxLayer, Watcher};
use sipwright_sip::types::{Flow, Millis, Proto};

use crate::core::{Core, Outputs};
use crate::job::Job;
use crate::log::{self, level};
use crate::net::TxTag;
use crate::onsend::{Upstream, is_failing};
use crate::pending::PendingKey;
use crate::reply::Reply;
use crate::tm::{Told, TxState, show_failure, show_reply};

/// Which function of the script is to be called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Callback {
    /// `ksr_request_route`
    RequestRoute,
    /// `ksr_reply_route`
    ReplyRoute,
    /// `ksr_onsend_route`
    OnsendRoute,
    /// One that the script named, as in `t_on_failure("name")`.
    Named(Arc<str>),
    /// One that gets the name of an event as its second argument.
    Event {
        /// Name of the function.
        name: Arc<str>,
        /// Name of the event.
        event: Cow<'static, str>,
        /// Whether it is an error when the script has no such function.
        required: bool,
    },
}

impl Callback {
    /// Name of the function in the script.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::RequestRoute => "ksr_request_route",
            Self::ReplyRoute => "ksr_reply_route",
            Self::OnsendRoute => "ksr_onsend_route",
            Self::Named(name) | Self::Event { name, .. } => name,
        }
    }

    /// Name of the event that the function is called for.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::Event { event, .. } => Some(event),
            _ => None,
        }
    }

    /// Whether it is an error when the script has no such function.
    #[must_use]
    pub const fn required(&self) -> bool {
        match self {
            Self::RequestRoute | Self::Named(_) => true,
            Self::Event { required, .. } => *required,
            Self::ReplyRoute | Self::OnsendRoute => false,
        }
    }
}

/// What kind of job it is, with what only that kind needs.
#[derive(Debug)]
pub enum Kind {
    /// A request from the network.
    Request {
        /// Its place among the requests in work.
        key: PendingKey,
    },
    /// A response from the network.
    Reply {
        /// The branch it answers.
        target: Option<TxTag>,
    },
    /// The final decision of a transaction was negative.
    Failure {
        /// Branch whose response won.
        branch: u16,
    },
    /// One branch failed.
    BranchFailure {
        /// That branch.
        branch: u16,
    },
    /// A request that was suspended, in the route of `t_continue`.
    Resumed,
    /// An HTTP request.
    Http,
    /// A TLS connection that we opened waits for the script's decision.
    ConnectionOut,
    /// Somebody who watches a transaction is told what happened.
    Watched(Told),
    /// No message of the network: `mod_init`, `child_init`, threads of the script.
    Fake,
}

/// Properties of a transaction that is not made yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wishes {
    /// `t_set_fr`, first timer; 0 for the configured one.
    pub fr_inv_ms: u32,
    /// `t_set_fr`, second timer; 0 for the configured one.
    pub fr_ms: u32,
    /// `t_set_retr`, first interval; 0 for the configured one.
    pub t1_ms: u32,
    /// `t_set_retr`, longest interval; 0 for the configured one.
    pub t2_ms: u32,
    /// `t_set_max_lifetime` for INVITE; 0 for the configured one.
    pub inv_lifetime_ms: u32,
    /// `t_set_max_lifetime` for other requests; 0 for the configured one.
    pub noninv_lifetime_ms: u32,
    /// `t_set_disable_6xx`.
    pub disable_6xx: bool,
    /// `t_set_auto_inv_100`.
    pub auto_trying: Option<bool>,
    /// `t_set_disable_internal_reply`.
    pub no_internal_reply: bool,
    /// Whether the Reason of a CANCEL is passed on (`t_set_no_e2e_cancel_reason`).
    pub cancel_reason: Option<bool>,
    /// `t_set_disable_failover`.
    pub disable_failover: bool,
}

/// A job in work.
#[derive(Debug)]
pub struct Current {
    /// What the script sees and has decided.
    pub ctx: Box<Context>,
    /// What kind of job it is.
    pub kind: Kind,
    /// The function to call.
    pub callback: Callback,
    /// The transaction, once known.
    pub tx: Option<TxId>,
    /// Callbacks named before the transaction exists.
    pub hooks: Hooks,
    /// What the script wants of the transaction before it exists.
    pub wishes: Option<Box<Wishes>>,
    /// Who watches the transaction before it exists.
    pub(crate) watchers: Vec<Watcher>,
    /// Whether a response was sent or the request was forwarded.
    pub handled: bool,
    /// Whether `t_suspend` keeps the message once its route has ended.
    pub suspended: bool,
    /// When its function was called, in microseconds of the monotonic clock; 0 for what no
    /// worker took from the queue.
    pub began_us: u64,
    /// What `sl_reply_error` is to say.
    pub error: Option<(u16, &'static str)>,
}

impl Current {
    pub(crate) fn new(ctx: Context, kind: Kind, callback: Callback) -> Self {
        Self {
            ctx: Box::new(ctx),
            kind,
            callback,
            tx: None,
            hooks: Hooks::default(),
            wishes: None,
            watchers: Vec::new(),
            handled: false,
            suspended: false,
            began_us: 0,
            error: None,
        }
    }

    /// What the script wants of the transaction before it exists, to add to.
    pub fn wish(&mut self) -> &mut Wishes {
        self.wishes.get_or_insert_default()
    }

    /// The context of code that runs outside of any message. Kamailio shows such
    /// code a made-up OPTIONS; so do we.
    ///
    /// # Panics
    /// Never: the message is valid.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn fake(core: &Core) -> Self {
        const FAKE: &[u8] = b"OPTIONS sip:you@sipwright.invalid SIP/2.0\r\n\
            Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKfake\r\n\
            From: <sip:server@sipwright.invalid>;tag=fake\r\n\
            To: <sip:you@sipwright.invalid>\r\n\
            Call-ID: aaa-bbb-ccc-ddd\r\n\
            CSeq: 1 OPTIONS\r\n\
            Content-Length: 0\r\n\r\n";
        let msg =
            Message::parse(Bytes::from_static(FAKE)).expect("a constant that the tests parse");
        let remote = std::net::SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = Flow {
            proto: Proto::Udp,
            socket: 0,
            remote,
            conn: 0,
        };
        let mut ctx = core.context(Arc::new(msg), flow);
        ctx.route = RouteType::Fake;
        Self::new(ctx, Kind::Fake, Callback::RequestRoute)
    }

    /// A message for a route to look at, as if it had come from there.
    #[must_use]
    pub fn shown(core: &Core, msg: Message, proto: Proto, remote: std::net::SocketAddr) -> Self {
        let flow = Flow {
            proto,
            socket: 0,
            remote,
            conn: 0,
        };
        let mut ctx = core.context(Arc::new(msg), flow);
        ctx.route = RouteType::Event;
        Self::new(ctx, Kind::Fake, Callback::RequestRoute)
    }
}

/// What a worker does next.
#[derive(Debug)]
pub enum Next {
    /// Call another callback for the same message.
    Again(Box<Current>),
    /// Take the next job.
    Done,
}

impl Core {
    /// Makes the context of a job; `None` when there is nothing left to do for it.
    pub fn begin(&self, job: Job) -> Option<Current> {
        match job {
            Job::Request { msg, flow, key } => {
                if msg.method() == Method::Cancel && self.pending.is_relieved(key) {
                    self.pending.remove(key);
                    return None;
                }
                let mut ctx = self.context(msg, flow);
                if ctx.msg.method() == Method::Cancel {
                    ctx.original = self.invite_of(&ctx);
                }
                Some(Current::new(
                    ctx,
                    Kind::Request { key },
                    Callback::RequestRoute,
                ))
            }
            Job::Reply { msg, flow, target } => {
                let ctx = self.context(msg, flow);
                let mut cur = Current::new(ctx, Kind::Reply { target }, Callback::ReplyRoute);
                if let Some((tx, _)) = target {
                    self.restore_addresses(tx, &mut cur.ctx);
                }
                if self.has_reply_route() {
                    cur.ctx.original = target.and_then(|(tx, _)| self.request_of(tx));
                    return Some(cur);
                }
                match self.enter_tm_reply(&mut cur) {
                    true => Some(cur),
                    false => match self.end_reply(cur) {
                        Next::Again(cur) => Some(*cur),
                        Next::Done => None,
                    },
                }
            }
            Job::Failure {
                tx,
                branch,
                code,
                callback,
            } => self.begin_failure(
                tx,
                branch,
                code,
                callback,
                Kind::Failure { branch },
                RouteType::Failure,
            ),
            Job::BranchFailure {
                tx,
                branch,
                code,
                callback,
            } => {
                let kind = Kind::BranchFailure { branch };
                self.begin_failure(tx, branch, code, callback, kind, RouteType::BranchFailure)
            }
            Job::Resume { tx, callback } => self.begin_resumed(tx, callback),
            Job::Http { msg, flow } => Some(self.begin_http(msg, flow)),
            Job::WebSocketClosed { flow } => Some(self.begin_websocket_closed(flow)),
            Job::TlsConnectionOut { flow } => Some(self.begin_connection_out(flow)),
            Job::Local(done) => Some(self.begin_local(*done)),
            Job::Watched { tx } => self.begin_watched(tx),
            Job::Unanswered(request) => Some(self.begin_unanswered(*request)),
            Job::Event(callback) => Some(self.begin_event(callback)),
        }
    }

    fn request_of(&self, tx: TxId) -> Option<Arc<Message>> {
        self.shard(tx).get(tx)?.request().cloned()
    }

    /// The INVITE that a CANCEL is for.
    fn invite_of(&self, ctx: &Context) -> Option<Arc<Message>> {
        match self.lookup(self.now(), &ctx.msg, &ctx.flow) {
            ServerMatch::Cancel { invite } => self.request_of(invite),
            _ => None,
        }
    }

    /// As in Kamailio the message of an event outside of messages is made up.
    fn begin_event(&self, callback: Callback) -> Current {
        let mut cur = Current::fake(self);
        cur.ctx.route = RouteType::Event;
        cur.callback = callback;
        cur
    }

    /// The path of the made-up message is the connection, so that `$tls_*` tell of it.
    fn begin_connection_out(&self, flow: Flow) -> Current {
        let mut cur = self.begin_event(Callback::Event {
            name: self.config.tls.event_callback.as_str().into(),
            event: "tls:connection-out".into(),
            required: true,
        });
        cur.ctx.flow = flow;
        cur.kind = Kind::ConnectionOut;
        cur
    }

    /// Failure routes see the request as it was when it was forwarded; nothing is known
    /// of that when the route was named only later.
    fn begin_failure(
        &self,
        tx: TxId,
        branch: u16,
        code: u16,
        callback: Arc<str>,
        kind: Kind,
        route: RouteType,
    ) -> Option<Current> {
        let ctx = {
            let mut shard = self.shard(tx);
            let t = shard.get_mut(tx)?;
            if !t.is_suspended() {
                // Nobody can resume it any more.
                t.data.suspension = None;
            }
            let request = Arc::clone(t.request()?);
            let data = t.data.script.clone();
            let mut ctx = self.request_context(t, &request, data);
            ctx.route = route;
            ctx.original = Some(request);
            show_failure(t, branch, code, &mut ctx);
            ctx
        };
        let mut cur = Current::new(ctx, kind, Callback::Named(callback));
        cur.tx = Some(tx);
        Some(cur)
    }

    /// The request of a transaction, as it was when it was forwarded if that is known.
    pub(crate) fn request_context(
        &self,
        t: &Transaction<TxState>,
        request: &Arc<Message>,
        data: TxData,
    ) -> Context {
        let kept = data.kept.as_ref().and_then(|k| k.request.as_deref());
        let mut ctx = kept.map_or_else(
            || self.context(Arc::clone(request), *t.flow()),
            Context::clone,
        );
        ctx.now = self.wall_us();
        ctx.uri_used = true;
        ctx.tx_data = data;
        ctx
    }

    /// Gives a response the From and To that the client sent, where the script replaced them.
    fn restore_addresses(&self, tx: TxId, ctx: &mut Context) {
        let shard = self.shard(tx);
        let Some(t) = shard.get(tx).filter(|t| t.data.script.restore != 0) else {
            return;
        };
        if let Some(request) = t.request() {
            uac::restore_response(ctx, request, t.data.script.restore);
        }
    }

    /// Turns to the `t_on_reply` callback, if the transaction has one.
    fn enter_tm_reply(&self, cur: &mut Current) -> bool {
        let Kind::Reply {
            target: Some((tx, branch)),
        } = cur.kind
        else {
            return false;
        };
        let shard = self.shard(tx);
        let Some((t, name)) = shard
            .get(tx)
            .and_then(|t| reply_hook(t, branch).map(|name| (t, name)))
        else {
            return false;
        };
        cur.ctx.route = RouteType::TmReply;
        cur.ctx.tx_data = t.data.script.clone();
        cur.ctx.original = t.request().cloned();
        show_reply(t, branch, &mut cur.ctx);
        cur.tx = Some(tx);
        cur.callback = Callback::Named(name);
        true
    }

    /// Counts how long the function took that has ended.
    fn note_time(&self, cur: &mut Current) {
        if cur.began_us == 0 {
            return;
        }
        let now_us = self.now_us();
        let times = &self.traffic.times;
        let histogram = match cur.kind {
            Kind::Request { .. } | Kind::Resumed => &times.request_route,
            Kind::Reply { .. } => &times.reply_route,
            Kind::Failure { .. } | Kind::BranchFailure { .. } => &times.failure_route,
            Kind::Http | Kind::ConnectionOut | Kind::Watched(_) | Kind::Fake => &times.event_route,
        };
        histogram.note(now_us.saturating_sub(cur.began_us));
        cur.began_us = now_us;
    }

    /// Applies what the script decided; to be called after each callback.
    pub fn finish(&self, mut cur: Current) -> Next {
        self.note_time(&mut cur);
        for what in cur.ctx.complaints.drain(..) {
            log::log(level::ERR, &what);
        }
        match cur.kind {
            Kind::Request { key } => {
                self.counters().routed.inc();
                self.save_data(&mut cur);
                self.tell_unanswered(&mut cur);
                let tx = cur.tx;
                if cur.suspended {
                    self.park(cur);
                }
                if let Some(tx) = tx {
                    // The pin that `create` gave.
                    self.transact(tx, |shard, now, out| shard.unpin(now, tx, out));
                }
                self.pending.remove(key);
                Next::Done
            }
            Kind::Reply { .. } => self.finish_reply(cur),
            Kind::Failure { .. } => {
                self.finish_failure(cur, |shard, now, tx, out| shard.failure_done(now, tx, out))
            }
            Kind::BranchFailure { branch } => self.finish_failure(cur, |shard, now, tx, out| {
                shard.branch_failure_done(now, tx, branch, out);
            }),
            Kind::Resumed => {
                self.save_data(&mut cur);
                self.finish_resumed(&mut cur);
                if cur.suspended {
                    self.park(cur);
                }
                Next::Done
            }
            Kind::Http => {
                self.finish_http(&cur);
                Next::Done
            }
            Kind::ConnectionOut => {
                let conn = cur.ctx.flow.conn;
                self.net().release(conn, !cur.ctx.drop);
                Next::Done
            }
            Kind::Watched(_) => {
                self.save_data(&mut cur);
                self.watched_done(cur)
            }
            Kind::Fake => Next::Done,
        }
    }

    fn finish_failure(
        &self,
        mut cur: Current,
        done: impl FnOnce(&mut TxLayer<TxState>, Millis, TxId, &mut Outputs),
    ) -> Next {
        self.save_data(&mut cur);
        let tx = cur.tx;
        if cur.suspended {
            self.park(cur);
        }
        let Some(tx) = tx else { return Next::Done };
        let relayed = self.transact(tx, |shard, now, out| {
            done(shard, now, tx, out);
            let t = shard.get_mut(tx)?;
            let by = t.data.failed_by.take()?;
            if is_failing(out) {
                t.data.failed_by = Some(by);
                return None;
            }
            Some((by, Upstream::of(out, t, 0)?))
        });
        relayed.map_or(Next::Done, |(by, way)| self.onsend_after_failure(*by, way))
    }

    fn finish_reply(&self, mut cur: Current) -> Next {
        if cur.callback == Callback::OnsendRoute {
            self.save_data(&mut cur);
            return Next::Done;
        }
        if cur.callback == Callback::ReplyRoute {
            if cur.ctx.drop {
                self.drop_reply(&cur);
                return Next::Done;
            }
            if self.enter_tm_reply(&mut cur) {
                return Next::Again(Box::new(cur));
            }
        } else {
            self.save_data(&mut cur);
            if cur.suspended {
                return match self.park(cur) {
                    Some(cur) => self.end_reply(cur),
                    None => Next::Done,
                };
            }
            // Only a provisional response can be dropped here; a final one ends the branch.
            if cur.ctx.drop && cur.ctx.msg.status() < 200 {
                self.drop_reply(&cur);
                return Next::Done;
            }
        }
        self.end_reply(cur)
    }

    /// Forwards a response that its routes are done with; its onsend route may follow.
    pub(crate) fn end_reply(&self, cur: Current) -> Next {
        let Kind::Reply { target } = cur.kind else {
            return Next::Done;
        };
        let ctx = &cur.ctx;
        let way = match target {
            Some(tag) => self.deliver(tag, &ctx.msg, &ctx.flow, forward::build_reply(ctx)),
            None => self.forward_stray(ctx).map(Upstream::stray),
        };
        self.enter_onsend(cur, way)
    }

    /// `set_drop`: the response goes nowhere. The branch of a final one fails
    /// with 500, since it cannot be un-received.
    fn drop_reply(&self, cur: &Current) {
        let Kind::Reply {
            target: Some((tx, branch)),
        } = cur.kind
        else {
            return;
        };
        let status = cur.ctx.msg.status();
        self.transact(tx, |shard, now, out| {
            shard.discard(now, tx, branch, status, out)
        });
    }

    /// The script raised or had no such route: 500 to a request that nothing was
    /// done for (setting `script.on_error`).
    pub fn failed(&self, cur: &mut Current, answer: bool) {
        self.counters().script_errors.inc();
        if !answer
            || cur.handled
            || !matches!(
                cur.kind,
                Kind::Request { .. } | Kind::Failure { .. } | Kind::Resumed | Kind::Http
            )
        {
            return;
        }
        if cur.ctx.msg.method() == Method::Ack {
            return;
        }
        let reason = b"Server Internal Error";
        if matches!(cur.kind, Kind::Http) {
            self.xhttp_reply(cur, 500, reason, b"", b"");
            return;
        }
        match cur.tx {
            Some(_) => {
                self.t_reply(cur, 500, reason);
            }
            None => {
                let (msg, flow) = (Arc::clone(&cur.ctx.msg), cur.ctx.flow);
                let reply = Reply {
                    force_rport: cur.ctx.force_rport,
                    ..Reply::new(500, reason)
                };
                self.reply_stateless(&msg, &flow, &reply);
            }
        }
    }

    fn save_data(&self, cur: &mut Current) {
        let Some(tx) = cur.tx else { return };
        let mut data = std::mem::take(&mut cur.ctx.tx_data);
        if let Some(t) = self.shard(tx).get_mut(tx)
            && t.data.script.revision == data.revision
        {
            data.revision += 1;
            t.data.script = data;
        }
    }
}

/// The route for the responses of a branch.
pub(crate) fn reply_hook(t: &Transaction<TxState>, branch: u16) -> Option<Arc<str>> {
    let own = t.branch(branch).and_then(|b| b.on_reply());
    own.or_else(|| t.hooks().and_then(|h| h.on_reply.as_ref()))
        .cloned()
}
