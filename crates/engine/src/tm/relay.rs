//! Module tm for scripts: relaying a request to its branches (RFC 3261 section 16.6).

use std::sync::Arc;

use sipwright_sip::method::Method;
use sipwright_sip::script::{BranchTarget, Context, RouteType, forward, serial};
use sipwright_sip::tx::{ServerMatch, Transaction, TxId};

use super::Slot;
use super::breadth::{self, Breadth};
use super::outgoing::{Outgoing, error_reply};
use super::reply::take_reply_headers;
use super::state::BranchNote;
use crate::core::Core;
use crate::log::{self, level};
use crate::route::{NextHop, RouteError};
use crate::session::{Callback, Current};

/// `t_relay` could not forward and left the answer to the script, as it was told to.
const NOT_ANSWERED: i32 = -4;

/// What `t_relay_to_flags` is to leave undone, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RelayFlags(pub i64);

impl RelayFlags {
    /// 1: no 100 to an INVITE.
    const fn no_trying(self) -> bool {
        self.0 & 1 != 0
    }

    /// 2: no answer when the request cannot be forwarded.
    const fn no_reply(self) -> bool {
        self.0 & 2 != 0
    }
}

/// A branch ready to leave.
struct Ready {
    index: u16,
    target: BranchTarget,
    out: Outgoing,
}

impl Core {
    /// `t_relay`: forwards the request to where its URIs say, statefully.
    pub fn t_relay<S: Slot>(&self, slot: &S, flags: RelayFlags) -> i32 {
        self.relay(slot, None, flags)
    }

    /// `t_relay_to_proto_addr` and its kin: as [`Core::t_relay`], but to this next hop.
    pub fn t_relay_to<S: Slot>(&self, slot: &S, hop: NextHop, flags: RelayFlags) -> i32 {
        self.relay(slot, Some(hop), flags)
    }

    fn relay<S: Slot>(&self, slot: &S, forced: Option<NextHop>, flags: RelayFlags) -> i32 {
        match slot.with(|c| c.ctx.msg.method()) {
            Method::Ack => return self.relay_ack(slot, forced),
            Method::Cancel => {
                if let Some(code) = slot.with(|c| self.relay_cancel(c)) {
                    return code;
                }
                match self.config.tm.unmatched_cancel {
                    1 => return self.forward_stateless(slot, forced),
                    2 => return 1,
                    _ => {}
                }
            }
            _ => {}
        }
        let made = slot.with(|c| {
            let fresh = c.tx.is_none();
            if flags.no_trying() {
                c.wish().auto_trying = Some(false);
            }
            (self.t_newtran(c), fresh)
        });
        let (1, fresh) = made else { return made.0 };
        let Some(tx) = slot.with(|c| c.tx) else {
            return -1;
        };
        if slot.with(|c| c.ctx.uri_used && c.ctx.branches.is_empty()) {
            log::log(
                level::ERR,
                "t_relay: no branches for forwarding; set the request-URI or the next hop, or append a branch",
            );
            return -1;
        }
        if fresh && slot.with(|c| self.is_loop(c)) {
            let error = Some((482, "Loop Detected"));
            return slot.with(|c| self.relay_failed(c, error, fresh, flags));
        }
        let (mut ready, mut error) = self.prepare_branches(slot, tx, forced.as_ref());
        if !slot.with(|c| self.divide_breadth(c, tx, &mut ready)) {
            ready.clear();
            error = Some((440, "Max-Breadth Exceeded"));
        }
        slot.with(|c| {
            self.keep(c, ready.iter().map(|r| (r.index, &r.target)));
            self.keep_reply_options(c, tx);
        });
        if self.start_branches(tx, ready) > 0 {
            slot.with(|c| c.handled = true);
            return 1;
        }
        slot.with(|c| self.relay_failed(c, error, fresh, flags))
    }

    /// Gives each branch its part of the Max-Breadth; false if there is too little.
    fn divide_breadth(&self, cur: &Current, tx: TxId, ready: &mut [Ready]) -> bool {
        let count = ready.len();
        match self.breadth(cur, tx, count) {
            Breadth::Free => true,
            Breadth::Exhausted => false,
            Breadth::Share(left) => {
                for (index, branch) in ready.iter_mut().enumerate() {
                    let share = breadth::share(left, index, count);
                    branch.out.bytes = breadth::with_breadth(&branch.out.bytes, share);
                    if let Some((_, bytes)) = &mut branch.out.fallback {
                        *bytes = breadth::with_breadth(bytes, share);
                    }
                }
                true
            }
        }
    }

    /// Nothing could be forwarded. A transaction made only for this is answered here,
    /// unless the script wants to do that itself.
    fn relay_failed(
        &self,
        cur: &mut Current,
        error: Option<(u16, &'static str)>,
        fresh: bool,
        flags: RelayFlags,
    ) -> i32 {
        let (code, reason) =
            error.unwrap_or((500, "I'm terribly sorry, server error occurred (6/TM)"));
        cur.error = Some((code, reason));
        if flags.no_reply() || cur.wishes.as_ref().is_some_and(|w| w.no_internal_reply) {
            return NOT_ANSWERED;
        }
        if fresh {
            self.t_reply(cur, code, reason.as_bytes())
        } else {
            -1
        }
    }

    /// A CANCEL for a request of ours; `None` when there is no such request.
    fn relay_cancel(&self, cur: &mut Current) -> Option<i32> {
        let ServerMatch::Cancel { invite } = self.find_transaction(cur) else {
            return None;
        };
        let extra = take_reply_headers(cur);
        let (msg, flow) = (Arc::clone(&cur.ctx.msg), cur.ctx.flow);
        self.cancel_transaction(invite, &msg, &flow, &extra, cur.ctx.force_rport);
        cur.handled = true;
        Some(1)
    }

    /// An ACK has no transaction of its own (RFC 3261 section 17.1): one for a
    /// failure ends here, one for a 2xx is passed on without state.
    fn relay_ack<S: Slot>(&self, slot: &S, forced: Option<NextHop>) -> i32 {
        let ends_here = slot.with(|c| {
            matches!(
                self.find_transaction(c),
                ServerMatch::Ack { to_2xx: false, .. }
            )
        });
        if ends_here {
            1
        } else {
            self.forward_stateless(slot, forced)
        }
    }

    /// Gives each target its branch route, resolves it and builds its bytes.
    fn prepare_branches<S: Slot>(
        &self,
        slot: &S,
        tx: TxId,
        forced: Option<&NextHop>,
    ) -> (Vec<Ready>, Option<(u16, &'static str)>) {
        let (hook, first, targets) = slot.with(|c| {
            let shard = self.shard(tx);
            let t = shard.get(tx);
            let hook = t
                .and_then(Transaction::hooks)
                .and_then(|h| h.on_branch.clone());
            let first = t.map_or(0, |t| t.branches().len());
            (
                hook,
                u16::try_from(first).unwrap_or(u16::MAX),
                forward::branches(&c.ctx),
            )
        });
        let mut ready = Vec::with_capacity(targets.len());
        let mut error = None;
        for target in targets {
            let index = first.saturating_add(u16::try_from(ready.len()).unwrap_or(u16::MAX));
            let built = match &hook {
                Some(name) => self.prepare_in_branch_route(slot, tx, index, target, name, forced),
                None => self.prepare(slot, tx, index, target, forced),
            };
            match built {
                Ok(Some(branch)) => ready.push(branch),
                Ok(None) => {}
                Err(why) => {
                    self.complain(&why);
                    error = Some(error_reply(&why));
                }
            }
        }
        // Destinations are used up.
        slot.with(|c| {
            c.ctx.branches.clear();
            c.ctx.uri_used = true;
        });
        (ready, error)
    }

    /// One line for each branch, but one a minute for a name: name servers that are down fail every request.
    fn complain(&self, why: &RouteError) {
        let hidden = match why {
            RouteError::Unresolved(host) => self.repeats.admit(host, self.now()),
            _ => Some(0),
        };
        match hidden {
            None => {}
            Some(0) => log::log(level::ERR, &format!("t_relay: {why}")),
            Some(n) => {
                let line = format!("t_relay: {why} ({n} more since the last line)");
                log::log(level::ERR, &line);
            }
        }
    }

    fn prepare_in_branch_route<S: Slot>(
        &self,
        slot: &S,
        tx: TxId,
        index: u16,
        target: BranchTarget,
        name: &Arc<str>,
        forced: Option<&NextHop>,
    ) -> Result<Option<Ready>, RouteError> {
        let aside = slot.with(|c| enter_branch(c, target, index));
        slot.run(&Callback::Named(Arc::clone(name)));
        let (target, dropped) = slot.with(|c| (forward::main_branch(&c.ctx), c.ctx.drop));
        let built = if dropped {
            Ok(None)
        } else {
            self.prepare(slot, tx, index, target, forced)
        };
        slot.with(|c| leave_branch(c, aside));
        built
    }

    fn prepare<S: Slot>(
        &self,
        slot: &S,
        tx: TxId,
        index: u16,
        target: BranchTarget,
        forced: Option<&NextHop>,
    ) -> Result<Option<Ready>, RouteError> {
        let token = self.shard(tx).branch_token(tx, index);
        let built = self.build(slot, &target, &token, Some(index), forced)?;
        Ok(built.map(|out| Ready { index, target, out }))
    }

    fn start_branches(&self, tx: TxId, ready: Vec<Ready>) -> usize {
        self.transact(tx, |shard, now, out| {
            shard.trying(now, tx, out);
            let mut sent = 0;
            for branch in ready {
                let Ready {
                    index,
                    mut target,
                    out: outgoing,
                } = branch;
                let note = BranchNote::of(&mut target);
                let spec = outgoing.into_branch(index, target.uri);
                match shard.add_branch(now, tx, spec, out) {
                    Ok(index) => {
                        sent += 1;
                        if let (Some(note), Some(t)) = (note, shard.get_mut(tx)) {
                            t.data.notes.push((index, note));
                        }
                    }
                    Err(error) => log::log(level::NOTICE, &format!("t_relay: {error}")),
                }
            }
            sent
        })
    }
}

/// Shows the branch to its route; gives what its changes must not touch.
fn enter_branch(cur: &mut Current, target: BranchTarget, index: u16) -> Box<Context> {
    let aside = cur.ctx.clone();
    let ctx = &mut cur.ctx;
    serial::set_main(ctx, target);
    ctx.route = RouteType::Branch;
    ctx.drop = false;
    if let Some(view) = &mut ctx.tx {
        view.branch_idx = index;
        let ruid = ctx.binding.as_ref().and_then(|b| b.ruid.clone());
        view.reply_ruid = ruid.unwrap_or_default();
        if ctx.msg.method() == Method::Invite && view.reply_code == 0 {
            view.reply_code = 100;
        }
    }
    aside
}

/// Takes back all that the branch route did to its branch alone. AVPs, flags and
/// variables are the transaction's and the worker's.
fn leave_branch(cur: &mut Current, aside: Box<Context>) {
    let mut branch = std::mem::replace(&mut cur.ctx, aside);
    cur.ctx.tx_data = std::mem::take(&mut branch.tx_data);
    cur.ctx.vars = std::mem::take(&mut branch.vars);
    cur.ctx.complaints.append(&mut branch.complaints);
}
