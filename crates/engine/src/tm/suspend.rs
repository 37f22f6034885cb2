//! Module tmx for scripts: requests and responses that wait for something
//! outside of SIP (`t_suspend`, `t_continue`).
//!
//! The message in work moves into its transaction when its route ends and comes
//! back with a job of its own. A `t_continue` that comes before the route's end
//! waits for it, so that two routes of one message never run at the same time.

use std::sync::Arc;

use sipwright_sip::script::RouteType;
use sipwright_sip::tx::{Resumption, Transaction, TxId};

use super::state::{Suspension, Then, TxState};
use crate::core::{Core, SHARDS};
use crate::job::Job;
use crate::log::{self, level};
use crate::session::{Callback, Current, Kind};

/// Second argument of routes that `t_continue` runs, as Kamailio gives it.
const EVENT: &str = "tmx:continue";

/// What `t_continue` found.
enum Found {
    /// Nothing that is suspended.
    Nothing(&'static str),
    /// There is nothing to run, now or any more.
    Settled,
    /// The message waits.
    Waiting,
}

impl Core {
    /// `t_suspend`: the message waits for `t_continue` once its route has ended.
    pub fn t_suspend(&self, cur: &mut Current) -> i32 {
        let allowed = match (&cur.kind, cur.ctx.route) {
            (_, RouteType::Branch | RouteType::Onsend) | (Kind::Fake, _) => false,
            (Kind::Reply { target }, _) => {
                return match target {
                    Some(tag) if cur.tx.is_some() => self.suspend_reply(cur, *tag),
                    _ => refuse("only in a route of t_on_reply"),
                };
            }
            _ => true,
        };
        if !allowed {
            return refuse("not in this route");
        }
        if self.t_newtran(cur) != 1 {
            return -1;
        }
        let Some(tx) = cur.tx else {
            return refuse("an ACK has no transaction");
        };
        let (suspended, closed) = self.transact(tx, |shard, now, out| {
            let suspended = shard.suspend(now, tx, out);
            shard.trying(now, tx, out);
            let t = shard.get_mut(tx);
            let closed = t.map(|t| {
                if suspended {
                    t.data.suspension = Some(Box::new(Suspension::Running(None)));
                }
                t.final_code() != 0 || t.is_cancelled()
            });
            (suspended, closed.unwrap_or(false))
        });
        cur.suspended |= suspended;
        if suspended || closed {
            // As Kamailio: suspending what was answered or cancelled changes nothing.
            cur.handled = true;
            1
        } else {
            refuse("the transaction has too many branches")
        }
    }

    fn suspend_reply(&self, cur: &mut Current, (tx, branch): (TxId, u16)) -> i32 {
        let code = cur.ctx.msg.status();
        let suspended = cur.suspended
            || self.transact(tx, |shard, now, _| {
                let free = shard.get(tx).is_some_and(|t| t.data.suspension.is_none());
                let suspended = free && shard.suspend_reply(now, tx, branch, code);
                if let Some(t) = shard.get_mut(tx).filter(|_| suspended) {
                    t.data.suspension = Some(Box::new(Suspension::Running(None)));
                }
                suspended
            });
        cur.suspended |= suspended;
        if suspended {
            1
        } else {
            refuse("another message of the transaction is suspended")
        }
    }

    /// `t_continue`: has a worker run this route with the suspended message that
    /// `$T(id_index)` and `$T(id_label)` name.
    pub fn t_continue(&self, index: i64, label: i64, route: &str) -> i32 {
        let found = match tx_of(index, label) {
            Some(tx) => self.resume_by(tx, Arc::from(route)),
            None => Err("no such transaction"),
        };
        match found {
            Ok(()) => 1,
            Err(why) => {
                log::log(level::WARN, &format!("t_continue({index}, {label}): {why}"));
                -1
            }
        }
    }

    fn resume_by(&self, tx: TxId, callback: Arc<str>) -> Result<(), &'static str> {
        match self.wake(tx, &callback) {
            Found::Nothing(why) => return Err(why),
            Found::Settled => {}
            Found::Waiting => self.queue_event(Job::Resume { tx, callback }),
        }
        Ok(())
    }

    fn wake(&self, tx: TxId, route: &Arc<str>) -> Found {
        self.transact(tx, |shard, now, _| {
            let Some(t) = shard.get_mut(tx) else {
                return Found::Nothing("no such transaction");
            };
            let open = t.is_suspended() || t.held_reply().is_some();
            match t.data.suspension.as_deref_mut() {
                // The layer goes on waiting until the route has ended.
                Some(Suspension::Running(then)) if open => {
                    *then = Some(Then::Run(Arc::clone(route)));
                    return Found::Settled;
                }
                Some(Suspension::Waiting(_)) if open => {}
                _ => t.data.suspension = None,
            }
            match shard.resume(now, tx) {
                Resumption::Request | Resumption::Response(_) => Found::Waiting,
                Resumption::Cancelled => Found::Settled,
                Resumption::Gone | Resumption::NotSuspended => {
                    Found::Nothing("the transaction is not suspended")
                }
            }
        })
    }

    /// The route that suspended its message has ended. Gives back a response
    /// whose time is over already.
    pub(crate) fn park(&self, mut cur: Current) -> Option<Current> {
        let tx = cur.tx?;
        cur.suspended = false;
        let (back, route) = {
            let mut shard = self.shard(tx);
            let state = &mut shard.get_mut(tx)?.data;
            match state.suspension.take().map(|s| *s) {
                Some(Suspension::Running(Some(Then::GoOn))) => (Some(cur), None),
                Some(Suspension::Running(then)) => {
                    // As Kamailio: the branches that the script appended are gone.
                    cur.ctx.branches.clear();
                    if !matches!(cur.kind, Kind::Reply { .. }) {
                        cur.kind = Kind::Resumed;
                    }
                    state.suspension = Some(Box::new(Suspension::Waiting(cur)));
                    match then {
                        Some(Then::Run(route)) => (None, Some(route)),
                        _ => (None, None),
                    }
                }
                Some(Suspension::Waiting(_)) | None => (None, None),
            }
        };
        if let Some(route) = route {
            // Too late by now is no error of the script's.
            let _ = self.resume_by(tx, route);
        }
        back
    }

    /// Takes a suspended message up again.
    pub(crate) fn begin_resumed(&self, tx: TxId, route: Arc<str>) -> Option<Current> {
        let mut shard = self.shard(tx);
        let t = shard.get_mut(tx)?;
        let mut cur = take_waiting(t)?;
        cur.ctx.tx_data = t.data.script.clone();
        if !matches!(cur.kind, Kind::Reply { .. }) {
            // Kamailio runs it as a failure route.
            cur.ctx.route = RouteType::Failure;
        }
        if let Some(view) = &mut cur.ctx.tx {
            view.reply_code = match cur.kind {
                Kind::Reply { .. } => cur.ctx.msg.status(),
                _ => t.last_code(),
            };
        }
        cur.ctx.drop = false;
        cur.handled = false;
        cur.error = None;
        cur.callback = Callback::Event {
            name: route,
            event: EVENT.into(),
            required: true,
        };
        Some(cur)
    }

    /// The route of a resumed request is over. As with Kamailio a request that it
    /// did nothing for is answered with 500.
    pub(crate) fn finish_resumed(&self, cur: &mut Current) {
        let Some(tx) = cur.tx else { return };
        let idle = self.shard(tx).get(tx).is_some_and(|t| {
            t.final_code() == 0 && !t.is_suspended() && t.branches().iter().all(|b| b.is_blind())
        });
        if idle {
            let sorry = (500, "I'm terribly sorry, server error occurred (1/TM)");
            let (code, reason) = cur.error.take().unwrap_or(sorry);
            self.t_reply(cur, code, reason.as_bytes());
        }
        self.transact(tx, |shard, now, out| shard.resume_done(now, tx, out));
    }

    /// Nobody resumed a response in time: it goes on.
    pub(crate) fn release_reply(&self, tx: TxId) {
        let waiting = {
            let mut shard = self.shard(tx);
            let Some(t) = shard.get_mut(tx) else { return };
            if let Some(Suspension::Running(then)) = t.data.suspension.as_deref_mut() {
                *then = Some(Then::GoOn);
            }
            take_waiting(t)
        };
        if let Some(cur) = waiting {
            log::log(
                level::ERR,
                "t_suspend: nobody resumed a response in time; it goes on",
            );
            // No script can run here.
            let _ = self.end_reply(cur);
        }
    }

    /// `t_is_retr_async_reply`: whether the response repeats the one that is suspended.
    pub fn t_is_retr_async_reply(&self, cur: &Current) -> i32 {
        let Kind::Reply {
            target: Some((tx, branch)),
        } = cur.kind
        else {
            return -1;
        };
        let held = self.shard(tx).get(tx).and_then(Transaction::held_reply);
        if held == Some((branch, cur.ctx.msg.status())) {
            1
        } else {
            -1
        }
    }
}

/// The transaction that `$T(id_index)` and `$T(id_label)` name.
pub(crate) fn tx_of(index: i64, label: i64) -> Option<TxId> {
    let index = u64::try_from(index).ok()?;
    let shards = u64::from(SHARDS);
    Some(TxId {
        shard: u8::try_from(index % shards).ok()?,
        slot: u32::try_from(index / shards).ok()?,
        generation: u32::try_from(label.checked_sub(1)?).ok()?,
    })
}

/// `$T(id_index)` and `$T(id_label)` of a transaction; the label is never 0, which
/// scripts may take for none.
pub(crate) fn id_of(tx: TxId) -> (u64, u64) {
    let index = u64::from(tx.slot) * u64::from(SHARDS) + u64::from(tx.shard);
    (index, u64::from(tx.generation) + 1)
}

fn take_waiting(t: &mut Transaction<TxState>) -> Option<Current> {
    match t.data.suspension.take().map(|s| *s) {
        Some(Suspension::Waiting(cur)) => Some(cur),
        Some(running) => {
            t.data.suspension = Some(Box::new(running));
            None
        }
        None => None,
    }
}

fn refuse(why: &str) -> i32 {
    log::log(level::ERR, &format!("t_suspend: {why}"));
    -1
}
