//! Modules that want to know what happens to a transaction: accounting, dialogs.
//!
//! They name a route of theirs, which a script worker runs for each thing that happened,
//! in order and one at a time. Nothing is noted where nobody watches.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sipwright_sip::build::default_reason;
use sipwright_sip::message::Message;
use sipwright_sip::script::{Context, RouteType, TxData, TxView};
use sipwright_sip::tx::{Happened, SERVER, Transaction, TxId, Watcher, happening};
use sipwright_sip::types::Flow;

use super::TxState;
use super::view::view_of;
use crate::core::Core;
use crate::job::Job;
use crate::session::{Callback, Current, Kind, Next};

/// What a watcher is told, besides the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// What the watcher named when it began to watch.
    pub key: u64,
    /// Code of the response, 0 for none.
    pub code: u16,
    /// The branch; [`SERVER`] when it is about none.
    pub branch: u16,
}

/// A request that somebody watched, and that no transaction was made for.
#[derive(Debug)]
pub struct Unanswered {
    msg: Arc<Message>,
    flow: Flow,
    data: TxData,
    watcher: Watcher,
}

impl Core {
    /// Has a watcher told what happens to the transaction of the message in work, or to
    /// the one that is made for it; that it has none when the route ends counts as its end.
    pub fn watch(&self, cur: &mut Current, watcher: Watcher) {
        self.watching.store(true, Ordering::Relaxed);
        let answered = match cur.kind {
            Kind::Reply { target } => target.map(|(tx, _)| tx),
            _ => None,
        };
        match cur.tx.or(answered) {
            Some(tx) => {
                self.shard(tx).watch(tx, watcher);
            }
            None => cur.watchers.push(watcher),
        }
    }

    /// An ACK or CANCEL came for a transaction.
    pub(crate) fn tell_of(&self, tx: TxId, kind: u16, msg: &Message) {
        if !self.watching.load(Ordering::Relaxed) {
            return;
        }
        self.transact(tx, |shard, now, out| {
            if shard.get(tx).is_some_and(|t| t.is_watched(kind)) {
                let happened = Happened {
                    kind,
                    branch: SERVER,
                    code: 0,
                    message: Some(msg.bytes().clone()),
                };
                shard.happened(now, tx, &happened, out);
            }
        });
    }

    /// The route of a request has ended without a transaction.
    pub(crate) fn tell_unanswered(&self, cur: &mut Current) {
        if cur.tx.is_some() {
            return;
        }
        for watcher in cur.watchers.drain(..) {
            if watcher.kinds & happening::END != 0 {
                self.queue_event(Job::Unanswered(Box::new(Unanswered {
                    msg: Arc::clone(&cur.ctx.msg),
                    flow: cur.ctx.flow,
                    data: cur.ctx.tx_data.clone(),
                    watcher,
                })));
            }
        }
    }

    pub(crate) fn begin_unanswered(&self, request: Unanswered) -> Current {
        let mut ctx = self.context(Arc::clone(&request.msg), request.flow);
        ctx.route = RouteType::Event;
        ctx.tx_data = request.data;
        ctx.original = Some(request.msg);
        let told = Told {
            key: request.watcher.key,
            code: 0,
            branch: SERVER,
        };
        let callback = callback(&request.watcher, happening::END);
        Current::new(ctx, Kind::Watched(told), callback)
    }

    /// Takes the oldest thing that was not told; the message in work is the request, or the
    /// message of what happened if the watcher wants that.
    pub(crate) fn begin_watched(&self, tx: TxId) -> Option<Current> {
        let next = self.shard(tx).next_watched(tx);
        let told = next.and_then(|(watcher, happened)| self.show_watched(tx, &watcher, &happened));
        if told.is_none() {
            self.transact(tx, |shard, now, out| shard.watched_done(now, tx, out));
        }
        told
    }

    fn show_watched(&self, tx: TxId, watcher: &Watcher, happened: &Happened) -> Option<Current> {
        let message = happened.message.clone();
        let message = message.and_then(|bytes| Message::parse(bytes).ok());
        let message = message.map(Arc::new);
        let shard = self.shard(tx);
        let t = shard.get(tx)?;
        let request = t.request()?;
        let data = t.data.script.clone();
        let shown = message.as_ref().filter(|_| watcher.shows_message);
        let mut ctx = match shown {
            Some(msg) => {
                let mut ctx = self.context(Arc::clone(msg), flow_of(t, happened));
                ctx.tx_data = data;
                ctx
            }
            None => self.request_context(t, request, data),
        };
        ctx.route = RouteType::Event;
        ctx.original = Some(Arc::clone(request));
        show(t, happened, message, &mut ctx);
        let told = Told {
            key: watcher.key,
            code: happened.code,
            branch: happened.branch,
        };
        let callback = callback(watcher, happened.kind);
        let mut cur = Current::new(ctx, Kind::Watched(told), callback);
        cur.tx = Some(tx);
        Some(cur)
    }

    /// A watcher was told. What else waits is told at once by the same worker, before jobs
    /// that came later: the ACK of a call after its answer.
    pub(crate) fn watched_done(&self, cur: Current) -> Next {
        let Some(tx) = cur.tx else { return Next::Done };
        drop(cur);
        let next = self.shard(tx).next_watched(tx);
        let told = next.and_then(|(watcher, happened)| self.show_watched(tx, &watcher, &happened));
        match told {
            Some(told) => Next::Again(Box::new(told)),
            None => {
                self.transact(tx, |shard, now, out| shard.watched_done(now, tx, out));
                Next::Done
            }
        }
    }
}

/// Where a response of a branch came from, as far as is known; else where the request did.
fn flow_of(t: &Transaction<TxState>, happened: &Happened) -> Flow {
    let reply = matches!(
        happened.kind,
        happening::RECEIVED | happening::PROVISIONAL | happening::FINAL | happening::FAILED
    );
    let branch = t.branch(happened.branch).filter(|_| reply);
    branch.map_or(*t.flow(), |branch| *branch.flow())
}

fn show(
    t: &Transaction<TxState>,
    happened: &Happened,
    message: Option<Arc<Message>>,
    ctx: &mut Context,
) {
    let mut view: TxView = view_of(t, happened.branch, happened.code, ctx);
    let reply = message.filter(|msg| !msg.is_request());
    view.reply_made_up = reply.is_none();
    view.reply_reason = match &reply {
        Some(reply) => Some(reply.reason().to_vec()),
        None if happened.code != 0 => Some(default_reason(happened.code).into()),
        None => None,
    };
    view.reply_last = (happened.code != 0).then_some(happened.code);
    view.branch_uri = t.branch(happened.branch).map(|b| b.uri().to_vec());
    view.reply = reply;
    ctx.tx = Some(Box::new(view));
}

fn callback(watcher: &Watcher, kind: u16) -> Callback {
    Callback::Event {
        name: Arc::clone(&watcher.name),
        event: Cow::Borrowed(name_of(kind)),
        required: true,
    }
}

/// The second argument of a watcher's route.
const fn name_of(kind: u16) -> &'static str {
    match kind {
        happening::FORWARDED => "forwarded",
        happening::RECEIVED => "received",
        happening::PROVISIONAL => "provisional",
        happening::FINAL => "final",
        happening::FAILED => "failed",
        happening::ACK => "ack",
        happening::CANCEL => "cancel",
        _ => "end",
    }
}
