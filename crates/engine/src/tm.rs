//! Module tm for scripts: transactions, relaying, replies (RFC 3261 section 16).
//!
//! Functions carry the names and return codes of Kamailio's tm: 1 done, 0 stop
//! (a retransmission), negative failed. Branch and onsend routes run in the
//! middle of `t_relay`; [`Slot`] is how this code reaches the message and the
//! script without knowing Python.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::build;
use sipwright_sip::method::Method;
use sipwright_sip::script::{BranchTarget, Context, RouteType, TxView, forward};
use sipwright_sip::tx::{BranchSpec, Hooks, ServerMatch, Transaction, TxId};
use sipwright_sip::types::{Flow, SocketInfo};

use crate::core::Core;
use crate::log::{self, level};
use crate::reply::{Reply, hex16};
use crate::resolve;
use crate::route::{self, NextHop, RouteError};
use crate::session::{Callback, Current, Kind};

pub use crate::tm_query::HookKind;

/// A worker's message in work, as code sees it that must let the script run in
/// between: nothing is borrowed while a callback runs.
pub trait Slot {
    /// Reads and changes the message in work.
    fn with<R>(&self, f: impl FnOnce(&mut Current) -> R) -> R;
    /// Calls a function of the script with the message in work; false if it
    /// raised or does not exist.
    fn run(&self, callback: &Callback) -> bool;
    /// Runs something that may block, with the interpreter released.
    fn blocking<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R;
}

/// A branch ready to leave.
struct Ready {
    index: u16,
    target: BranchTarget,
    flow: Flow,
    bytes: Bytes,
}

impl Core {
    /// Finds the transaction of the message in work, if there is one.
    pub(crate) fn find_transaction(&self, cur: &mut Current) -> ServerMatch {
        if let Some(tx) = cur.tx {
            return ServerMatch::Retransmission(tx);
        }
        let mut out = Vec::new();
        let msg = &cur.ctx.msg;
        let found = self
            .shard_of(msg)
            .lookup(self.now(), msg, &cur.ctx.flow, &mut out);
        self.flush(&mut out);
        found
    }

    /// `t_newtran`: makes the transaction of the request.
    pub fn t_newtran(&self, cur: &mut Current) -> i32 {
        if cur.tx.is_some() {
            return 1;
        }
        if !matches!(cur.kind, Kind::Request { .. }) {
            return -1;
        }
        match self.find_transaction(cur) {
            ServerMatch::None => {}
            ServerMatch::Ack { .. } | ServerMatch::Retransmission(_) => return 0,
            ServerMatch::Cancel { .. } => {}
        }
        if cur.ctx.msg.method() == Method::Ack {
            return 1;
        }
        let tx = self.create_transaction(cur);
        cur.tx = Some(tx);
        cur.ctx.tx = Some(Box::new(TxView {
            id: (tx.slot, tx.generation),
            ..TxView::default()
        }));
        1
    }

    fn create_transaction(&self, cur: &mut Current) -> TxId {
        let now = self.now();
        let mut out = Vec::new();
        let tx = {
            let mut shard = self.shard_of(&cur.ctx.msg);
            let tx = shard.create(
                now,
                Arc::clone(&cur.ctx.msg),
                cur.ctx.flow,
                cur.ctx.tx_data.clone(),
            );
            if cur.ctx.force_rport {
                shard.force_rport(tx);
            }
            if let Some(t) = shard.get_mut(tx) {
                if cur.hooks != Hooks::default() {
                    *t.hooks_mut() = cur.hooks.clone();
                }
                t.set_disable_6xx(cur.wishes.disable_6xx);
            }
            if cur.wishes.fr_inv_ms > 0 || cur.wishes.fr_ms > 0 {
                shard.set_fr(now, tx, cur.wishes.fr_inv_ms, cur.wishes.fr_ms, &mut out);
            }
            shard.trying(now, tx, &mut out);
            tx
        };
        self.flush(&mut out);
        tx
    }

    /// `t_check_trans` and `t_precheck_trans`: whether the message belongs to a
    /// transaction. An ACK that ends here and a retransmission give 0 (stop).
    pub fn t_check_trans(&self, cur: &mut Current) -> i32 {
        if matches!(cur.kind, Kind::Reply { target: Some(_) }) {
            return 1;
        }
        match self.find_transaction(cur) {
            ServerMatch::None => -1,
            ServerMatch::Cancel { .. } => 1,
            ServerMatch::Ack { to_2xx, .. } => {
                if to_2xx {
                    1
                } else {
                    0
                }
            }
            ServerMatch::Retransmission(_) if cur.tx.is_some() => 1,
            ServerMatch::Retransmission(_) => 0,
        }
    }

    /// `t_reply`: answers the transaction, making it first if need be.
    pub fn t_reply(&self, cur: &mut Current, code: u16, reason: &[u8]) -> i32 {
        if cur.tx.is_none() && self.t_newtran(cur) != 1 {
            return -1;
        }
        let Some(tx) = cur.tx else { return -1 };
        let body = cur.ctx.reply_body.take();
        let (extra, body) = with_body(take_reply_headers(cur), body.as_ref());
        let extra = self.with_server_header(&extra);
        let mut out = Vec::new();
        let result = {
            let mut shard = self.shard(tx);
            let Some((request, tag)) = shard
                .get(tx)
                .and_then(|t| Some((Arc::clone(t.request()?), t.to_tag())))
            else {
                return -1;
            };
            let tag = (request.to_tag().is_none() && code > 100).then_some(tag.as_bytes());
            let fix = route::via_fix(&request, &cur.ctx.flow, cur.ctx.force_rport);
            let bytes = build::response(&request, code, reason, tag, &extra, body, &fix);
            shard.reply(self.now(), tx, code, bytes.into(), &mut out)
        };
        self.flush(&mut out);
        match result {
            Ok(()) => {
                cur.handled = true;
                1
            }
            Err(error) => {
                log::log(level::NOTICE, &format!("t_reply({code}): {error}"));
                -1
            }
        }
    }

    /// `sl_send_reply`: answers without a transaction.
    pub fn sl_send_reply(&self, cur: &mut Current, code: u16, reason: &[u8]) -> i32 {
        if !cur.ctx.msg.is_request() || cur.ctx.msg.method() == Method::Ack {
            return -1;
        }
        let extra = take_reply_headers(cur);
        let body = cur.ctx.reply_body.take();
        let (extra, body) = with_body(extra, body.as_ref());
        let reply = Reply {
            code,
            reason,
            headers: &extra,
            body,
            force_rport: cur.ctx.force_rport,
        };
        self.reply_stateless(&cur.ctx.msg, &cur.ctx.flow, &reply);
        cur.handled = true;
        1
    }

    /// `sl.send_reply`: through the transaction if there is one, else without.
    pub fn send_reply(&self, cur: &mut Current, code: u16, reason: &[u8]) -> i32 {
        if cur.tx.is_some() {
            self.t_reply(cur, code, reason)
        } else {
            self.sl_send_reply(cur, code, reason)
        }
    }

    /// `sl_reply_error`: answers with what the last failed function had to say.
    pub fn sl_reply_error(&self, cur: &mut Current) -> i32 {
        let (code, reason) = cur
            .error
            .take()
            .unwrap_or((500, "I'm terribly sorry, server error occurred (1/SL)"));
        self.send_reply(cur, code, reason.as_bytes())
    }

    /// `t_reply_error`: as `sl_reply_error`, through the transaction.
    pub fn t_reply_error(&self, cur: &mut Current) -> i32 {
        let (code, reason) = cur
            .error
            .take()
            .unwrap_or((500, "I'm terribly sorry, server error occurred (1/TM)"));
        self.t_reply(cur, code, reason.as_bytes())
    }

    /// `t_release`: gives the transaction up without an answer.
    pub fn t_release(&self, cur: &mut Current) -> i32 {
        let Some(tx) = cur.tx else { return -1 };
        let mut out = Vec::new();
        self.shard(tx).release(self.now(), tx, &mut out);
        self.flush(&mut out);
        1
    }

    /// `sl_forward_reply`: forwards a response by its Via, without transactions.
    pub fn sl_forward_reply(&self, cur: &mut Current) -> i32 {
        if cur.ctx.msg.is_request() {
            return -1;
        }
        self.forward_stray(&cur.ctx);
        1
    }

    /// `t_relay`: forwards the request to where its URIs say, statefully.
    pub fn t_relay<S: Slot>(&self, slot: &S) -> i32 {
        self.relay(slot, None)
    }

    /// `t_relay_to_proto_addr` and its kin: as [`Core::t_relay`], but to this next hop.
    pub fn t_relay_to<S: Slot>(&self, slot: &S, hop: NextHop) -> i32 {
        self.relay(slot, Some(hop))
    }

    fn relay<S: Slot>(&self, slot: &S, forced: Option<NextHop>) -> i32 {
        let method = slot.with(|c| c.ctx.msg.method());
        match method {
            Method::Ack => return self.relay_ack(slot, forced),
            Method::Cancel => {
                if let Some(code) = slot.with(|c| self.relay_cancel(c)) {
                    return code;
                }
            }
            _ => {}
        }
        let made = slot.with(|c| {
            let fresh = c.tx.is_none();
            (self.t_newtran(c), fresh)
        });
        let (1, fresh) = made else { return made.0 };
        let Some(tx) = slot.with(|c| c.tx) else {
            return -1;
        };
        if slot.with(|c| from_failure_route(c) && c.ctx.branches.is_empty()) {
            log::log(
                level::ERR,
                "t_relay: no branches for forwarding; a failure route appends one first",
            );
            return -1;
        }
        let ready = self.prepare_branches(slot, tx, forced.as_ref());
        let sent = self.start_branches(tx, ready.0);
        if sent > 0 {
            slot.with(|c| c.handled = true);
            return 1;
        }
        let (code, reason) = ready
            .1
            .unwrap_or((500, "I'm terribly sorry, server error occurred (TM)"));
        slot.with(|c| {
            c.error = Some((code, reason));
            // A transaction made only for this is answered here, as Kamailio does.
            if fresh {
                self.t_reply(c, code, reason.as_bytes())
            } else {
                -1
            }
        })
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
            0
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
            (hook, u16::try_from(first).unwrap_or(u16::MAX), targets(c))
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
                    log::log(level::ERR, &format!("t_relay: {why}"));
                    error = Some(error_reply(&why));
                }
            }
        }
        // Appended branches are used up.
        slot.with(|c| c.ctx.branches.clear());
        (ready, error)
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
        let (target, dropped) = slot.with(|c| (branch_of(c), c.ctx.drop));
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
        let built = self.build(slot, &target, &token, forced)?;
        Ok(built.map(|(flow, bytes)| Ready {
            index,
            target,
            flow,
            bytes,
        }))
    }

    /// Resolves a target and builds the request as it leaves; `None` if the
    /// onsend route dropped it.
    fn build<S: Slot>(
        &self,
        slot: &S,
        target: &BranchTarget,
        via_branch: &str,
        forced: Option<&NextHop>,
    ) -> Result<Option<(Flow, Bytes)>, RouteError> {
        let hop = match forced {
            Some(hop) => hop.clone(),
            None => route::next_hop(forward::next_hop(target))?,
        };
        let addr = match hop.addr {
            Some(addr) => addr,
            None => slot.blocking(|| resolve::host(&hop.host))?,
        };
        let (flow, bytes) = slot.with(|c| {
            let socket = self.socket_for(c, target, &hop, addr)?;
            let bytes = forward::build_branch(&c.ctx, socket, via_branch, target);
            let remote = SocketAddr::new(addr, hop.port);
            let flow = Flow {
                proto: hop.proto,
                socket: socket.id,
                remote,
                conn: 0,
            };
            Ok((flow, Bytes::from(bytes)))
        })?;
        let dropped = self.has_onsend_route() && onsend_drops(slot, flow);
        Ok((!dropped).then_some((flow, bytes)))
    }

    fn socket_for<'c>(
        &self,
        cur: &'c Current,
        target: &BranchTarget,
        hop: &NextHop,
        addr: IpAddr,
    ) -> Result<&'c SocketInfo, RouteError> {
        let forced = target.socket.or(cur.ctx.force_socket);
        route::out_socket(&cur.ctx.env, hop.proto, addr, forced, cur.ctx.flow.socket)
    }

    fn start_branches(&self, tx: TxId, ready: Vec<Ready>) -> usize {
        let mut out = Vec::new();
        let mut sent = 0;
        {
            let mut shard = self.shard(tx);
            let now = self.now();
            for branch in ready {
                let Ready {
                    index,
                    target,
                    flow,
                    bytes,
                } = branch;
                let spec = BranchSpec {
                    index,
                    bytes,
                    flow,
                    uri: target.uri.into(),
                    on_reply: None,
                    on_failure: None,
                };
                match shard.add_branch(now, tx, spec, &mut out) {
                    Ok(_) => sent += 1,
                    Err(error) => log::log(level::NOTICE, &format!("t_relay: {error}")),
                }
            }
        }
        self.flush(&mut out);
        sent
    }

    /// `KSR.forward`: passes the message on without state (RFC 3261 section 16.11).
    pub fn forward_stateless<S: Slot>(&self, slot: &S, forced: Option<NextHop>) -> i32 {
        let (target, branch) = slot.with(|c| {
            let main = forward::branches(&c.ctx).into_iter().next();
            (main, self.stateless_branch(c))
        });
        let Some(target) = target else { return -1 };
        match self.build(slot, &target, &branch, forced.as_ref()) {
            Ok(Some((flow, bytes))) => {
                self.send(&flow, bytes, None);
                slot.with(|c| c.handled = true);
                1
            }
            Ok(None) => 1,
            Err(why) => {
                log::log(level::ERR, &format!("forward: {why}"));
                slot.with(|c| c.error = Some(error_reply(&why)));
                -1
            }
        }
    }

    /// Branch of a request forwarded without state (RFC 3261 section 16.11).
    fn stateless_branch(&self, cur: &Current) -> String {
        let key = hex16(self.pending.key(&cur.ctx.msg));
        format!("z9hG4bKsl{}", String::from_utf8_lossy(&key))
    }
}

/// Where the request goes. From a failure route only to appended branches: the
/// main one has been tried (Kamailio says "no branches for forwarding" otherwise).
fn targets(cur: &Current) -> Vec<BranchTarget> {
    if from_failure_route(cur) {
        cur.ctx.branches.clone()
    } else {
        forward::branches(&cur.ctx)
    }
}

const fn from_failure_route(cur: &Current) -> bool {
    matches!(cur.kind, Kind::Failure { .. } | Kind::BranchFailure { .. })
}

fn take_reply_headers(cur: &mut Current) -> Vec<u8> {
    std::mem::take(&mut cur.ctx.reply_headers)
}

fn with_body(mut extra: Vec<u8>, body: Option<&(Vec<u8>, Vec<u8>)>) -> (Vec<u8>, &[u8]) {
    match body {
        Some((body, content_type)) => {
            extra.extend_from_slice(b"Content-Type: ");
            extra.extend_from_slice(content_type);
            extra.extend_from_slice(b"\r\n");
            (extra, body)
        }
        None => (extra, b""),
    }
}

/// What Kamailio answers when a request cannot be forwarded.
const fn error_reply(why: &RouteError) -> (u16, &'static str) {
    match why {
        RouteError::BadUri | RouteError::Scheme | RouteError::Transport => {
            (478, "Unresolvable destination (478/TM)")
        }
        RouteError::Unresolved(_) => (478, "Unresolvable destination (478/TM)"),
        RouteError::NoSocket(_) => (500, "I'm terribly sorry, server error occurred (7/TM)"),
    }
}

/// Runs `ksr_onsend_route` for a request that leaves; whether it called `set_drop`.
fn onsend_drops<S: Slot>(slot: &S, flow: Flow) -> bool {
    let (route, drop) = slot.with(|c| {
        c.ctx.onsend = Some(flow);
        let route = std::mem::replace(&mut c.ctx.route, RouteType::Onsend);
        (route, std::mem::replace(&mut c.ctx.drop, false))
    });
    slot.run(&Callback::OnsendRoute);
    slot.with(|c| {
        c.ctx.onsend = None;
        c.ctx.route = route;
        std::mem::replace(&mut c.ctx.drop, drop)
    })
}

/// Shows the branch to its route; gives what its changes must not touch.
fn enter_branch(cur: &mut Current, target: BranchTarget, index: u16) -> Box<Context> {
    let aside = cur.ctx.clone();
    let ctx = &mut cur.ctx;
    ctx.new_uri = Some(target.uri);
    ctx.dst_uri = target.dst_uri;
    ctx.path_vec = target.path;
    ctx.bflags = target.flags;
    ctx.force_socket = target.socket;
    ctx.route = RouteType::Branch;
    ctx.drop = false;
    if let Some(view) = &mut ctx.tx {
        view.branch_idx = index;
    }
    aside
}

/// The branch as its route left it.
fn branch_of(cur: &Current) -> BranchTarget {
    let ctx = &cur.ctx;
    BranchTarget {
        uri: ctx.uri().to_vec(),
        dst_uri: ctx.dst_uri.clone(),
        path: ctx.path_vec.clone(),
        flags: ctx.bflags,
        socket: ctx.force_socket,
        ..BranchTarget::default()
    }
}

/// Takes back all that the branch route did to its branch alone. AVPs, flags and
/// variables are the transaction's and the worker's.
fn leave_branch(cur: &mut Current, aside: Box<Context>) {
    let mut branch = std::mem::replace(&mut cur.ctx, aside);
    cur.ctx.tx_data = std::mem::take(&mut branch.tx_data);
    cur.ctx.vars = std::mem::take(&mut branch.vars);
    cur.ctx.complaints.append(&mut branch.complaints);
}
