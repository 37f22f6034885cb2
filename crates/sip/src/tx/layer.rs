//! The transaction layer: what the engine calls.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::client::With;
use super::config::TxConfig;
use super::id::{SERVER, Tokens, TxId};
use super::keys::{self, KeyMap};
use super::machine::Machine;
use super::output::{BranchError, ClientMatch, Output, ReplyError, ServerMatch};
use super::server::{Work, reply_flow};
use super::slab::Slab;
use super::table::{Event, Kind, State, Timer, Transition};
use super::transaction::{BranchSpec, Outcome, Transaction};
use crate::message::Message;
use crate::method::Method;
use crate::timer::Deadlines;
use crate::types::{Flow, Millis};

/// The transactions of one shard, with `D` for the caller's data on each.
///
/// Not a lock in here: the caller keeps every shard behind one of its own, and
/// carries the outputs out after leaving it.
#[derive(Debug)]
pub struct TxLayer<D> {
    cfg: TxConfig,
    tokens: Tokens,
    slab: Slab<D>,
    requests: KeyMap,
    dialogs: KeyMap,
    deadlines: Deadlines,
    trace: Option<Vec<Transition>>,
}

/// Life, time and looking at transactions.
impl<D> TxLayer<D> {
    /// An empty layer. `instance` is the secret behind branch tokens and To tags:
    /// random at every start, the same for all shards.
    #[must_use]
    pub fn new(shard: u8, instance: u64, cfg: TxConfig) -> Self {
        Self {
            cfg,
            tokens: Tokens::new(instance),
            slab: Slab::new(shard),
            requests: KeyMap::default(),
            dialogs: KeyMap::default(),
            deadlines: Deadlines::new(),
            trace: None,
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &TxConfig {
        &self.cfg
    }

    /// Changes settings; timers that run keep their time.
    pub fn set_config(&mut self, cfg: TxConfig) {
        self.cfg = cfg;
    }

    /// When [`TxLayer::handle_timeout`] is to be called; may be in the past.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.deadlines.next()
    }

    /// Runs all timers that are due. Early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: Millis, out: &mut Vec<Output<D>>) {
        while let Some(slot) = self.deadlines.due(now) {
            match self.slab.at(slot).map(Transaction::id) {
                Some(id) => self.with(now, id, out, |work| work.run_timers()),
                None => {
                    debug_assert!(false, "a deadline of an empty slot");
                    self.deadlines.clear(slot);
                    None
                }
            };
        }
    }

    /// A transaction.
    #[must_use]
    pub fn get(&self, tx: TxId) -> Option<&Transaction<D>> {
        self.slab.get(tx)
    }

    /// A transaction, to arm hooks and to change the caller's data.
    pub fn get_mut(&mut self, tx: TxId) -> Option<&mut Transaction<D>> {
        self.slab.get_mut(tx)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All transactions, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Transaction<D>> {
        self.slab.iter()
    }

    /// Records the steps of all machines from now on, or stops it. For tests and
    /// for looking at a server at work; [`TxLayer::take_trace`] empties it.
    pub fn set_trace(&mut self, on: bool) {
        self.trace = on.then(Vec::new);
    }

    /// The steps recorded since the last call.
    pub fn take_trace(&mut self) -> Vec<Transition> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps a transaction alive until [`TxLayer::unpin`]. False if it is gone.
    pub fn pin(&mut self, tx: TxId) -> bool {
        let found = self.slab.get_mut(tx);
        found.map(|tx| tx.pins += 1).is_some()
    }

    /// Gives a pin back. A request that nobody answered, forwarded or holds on to
    /// is forgotten (Kamailio's "script didn't release transaction").
    pub fn unpin(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| work.unpin());
    }

    /// Does something to a transaction, then sees to its timers and its end.
    fn with<R>(
        &mut self,
        now: Millis,
        id: TxId,
        out: &mut Vec<Output<D>>,
        act: impl FnOnce(&mut Work<'_, D>) -> R,
    ) -> Option<R> {
        let tx = self.slab.get_mut(id)?;
        let mut work = Work {
            now,
            cfg: &self.cfg,
            tx,
            out,
            trace: &mut self.trace,
        };
        let result = act(&mut work);
        if work.tx.is_forgotten() {
            work.server_event(Event::Release);
        }
        if work.tx.is_over() {
            self.destroy(id, out);
        } else {
            match work.tx.deadline() {
                Millis::MAX => self.deadlines.clear(id.slot),
                at => self.deadlines.set(id.slot, at),
            }
        }
        Some(result)
    }

    fn destroy(&mut self, id: TxId, out: &mut Vec<Output<D>>) {
        let Some(tx) = self.slab.remove(id) else {
            return;
        };
        self.deadlines.clear(id.slot);
        for (map, key) in [
            (&mut self.requests, tx.key),
            (&mut self.dialogs, tx.dialog_key),
        ] {
            if map.get(&key) == Some(&id.slot) {
                map.remove(&key);
            }
        }
        out.push(Output::Destroyed {
            tx: id,
            code: tx.final_code,
            data: tx.data,
        });
    }
}

/// The server side (RFC 3261 section 17.2).
impl<D> TxLayer<D> {
    /// Matches a request; copies of known ones and ACKs for failures are dealt
    /// with. Call [`TxLayer::create`] under the same lock if the result lets you.
    pub fn lookup(
        &mut self,
        now: Millis,
        msg: &Message,
        flow: &Flow,
        out: &mut Vec<Output<D>>,
    ) -> ServerMatch {
        match msg.method() {
            Method::Ack => self.lookup_ack(now, msg, out),
            Method::Cancel => self
                .repeated(now, msg, flow, out)
                .or_else(|| self.cancelled(msg))
                .unwrap_or(ServerMatch::None),
            _ => self
                .repeated(now, msg, flow, out)
                .or_else(|| self.merged(msg))
                .unwrap_or(ServerMatch::None),
        }
    }

    /// Makes the transaction of a new request, with one pin that the caller gives
    /// back when it has dealt with the request. An ACK has none: forward it statelessly.
    pub fn create(&mut self, now: Millis, msg: Arc<Message>, flow: Flow, data: D) -> TxId {
        let key = keys::request_key(&self.tokens, &msg, true);
        let dialog_key = keys::dialog_key(&self.tokens, &msg);
        let kind = match msg.method() {
            Method::Invite => Kind::InviteServer,
            _ => Kind::NonInviteServer,
        };
        let machine = Machine::new(kind, flow.proto.is_reliable());
        let reply_flow = reply_flow(&msg, flow, false);
        let method = msg.method();
        let id = self.insert(now, method, data, machine, |tx| {
            tx.request = Some(msg);
            tx.flow = flow;
            tx.reply_flow = reply_flow;
            tx.key = key;
            tx.dialog_key = dialog_key;
        });
        self.requests.insert(key, id.slot);
        self.dialogs.entry(dialog_key).or_insert(id.slot);
        self.with(now, id, &mut Vec::new(), |work| work.enter_server());
        id
    }

    /// Sends a response of the user's. Its first final one ends what the branches
    /// were to find out: they are cancelled. A 408 to a request other than INVITE
    /// ends the transaction in silence (RFC 4320 section 4.2).
    ///
    /// # Errors
    /// See [`ReplyError`]; nothing was sent.
    pub fn reply(
        &mut self,
        now: Millis,
        tx: TxId,
        code: u16,
        bytes: Bytes,
        out: &mut Vec<Output<D>>,
    ) -> Result<(), ReplyError> {
        self.with(now, tx, out, |work| work.user_reply(code, bytes))
            .unwrap_or(Err(ReplyError::Gone))
    }

    /// Sends a 100 Trying to an INVITE that got nothing yet. Without this call it
    /// goes out after [`TxConfig::trying_ms`].
    pub fn trying(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| work.send_first_trying());
    }

    /// Makes no 100 by itself (Kamailio's `t_set_auto_inv_100(0)`).
    pub fn suppress_trying(&mut self, now: Millis, tx: TxId) {
        self.with(now, tx, &mut Vec::new(), |work| {
            work.tx.server.stop(Timer::Trying);
        });
    }

    /// Sends the last response again (Kamailio's `t_retransmit_reply`). False if
    /// there is none.
    pub fn retransmit_reply(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) -> bool {
        self.with(now, tx, out, |work| {
            work.server_event(Event::Request);
            !work.tx.last_reply.is_empty()
        })
        .unwrap_or(false)
    }

    /// Sends responses to the source port even if the Via has no rport (Kamailio's
    /// `force_rport`).
    pub fn force_rport(&mut self, tx: TxId) {
        if let Some(tx) = self.slab.get_mut(tx)
            && let Some(request) = &tx.request
        {
            tx.force_rport = true;
            tx.reply_flow = reply_flow(request, tx.flow, true);
        }
    }

    /// Gives an unanswered request up without a response (Kamailio's `t_release`).
    /// Branches and pins end as they would.
    pub fn release(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            if !work.tx.is_local() {
                work.server_event(Event::Release);
            }
        });
    }

    fn insert(
        &mut self,
        now: Millis,
        method: Method,
        data: D,
        server: Machine,
        fill: impl FnOnce(&mut Transaction<D>),
    ) -> TxId {
        let lifetime = match method {
            Method::Invite => self.cfg.max_inv_lifetime_ms,
            _ => self.cfg.max_noninv_lifetime_ms,
        };
        let tokens = self.tokens;
        self.slab.insert(|id| {
            let mut tx = Transaction::new(id, method, data, server);
            tx.to_tag = tokens.to_tag(id);
            tx.end_of_life = now + Millis::from(lifetime);
            fill(&mut tx);
            tx
        })
    }

    /// The transaction with that key, whose request passes the check.
    fn verified(
        map: &KeyMap,
        slab: &Slab<D>,
        key: u64,
        check: impl FnOnce(&Message) -> bool,
    ) -> Option<TxId> {
        let tx = slab.at(*map.get(&key)?)?;
        check(tx.request.as_ref()?).then_some(tx.id)
    }

    fn repeated(
        &mut self,
        now: Millis,
        msg: &Message,
        flow: &Flow,
        out: &mut Vec<Output<D>>,
    ) -> Option<ServerMatch> {
        let key = keys::request_key(&self.tokens, msg, true);
        let id = Self::verified(&self.requests, &self.slab, key, |known| {
            keys::same_request(known, msg) && keys::same_method(known, msg)
        })?;
        self.with(now, id, out, |work| {
            // The client may have lost its connection and opened another one.
            if flow.proto == work.tx.flow.proto && flow.proto.is_reliable() {
                work.tx.reply_flow = *flow;
            }
            work.server_event(Event::Request);
        });
        Some(ServerMatch::Retransmission(id))
    }

    fn cancelled(&self, msg: &Message) -> Option<ServerMatch> {
        let key = keys::request_key(&self.tokens, msg, false);
        let invite = Self::verified(&self.requests, &self.slab, key, |known| {
            known.method() == Method::Invite && keys::same_request(known, msg)
        })?;
        Some(ServerMatch::Cancel { invite })
    }

    fn merged(&self, msg: &Message) -> Option<ServerMatch> {
        if msg.to_tag().is_some() {
            return None;
        }
        let key = keys::dialog_key(&self.tokens, msg);
        let id = Self::verified(&self.dialogs, &self.slab, key, |known| {
            keys::same_dialog(known, msg)
        })?;
        Some(ServerMatch::Merged(id))
    }

    fn lookup_ack(&mut self, now: Millis, msg: &Message, out: &mut Vec<Output<D>>) -> ServerMatch {
        let key = keys::request_key(&self.tokens, msg, false);
        let invite = Self::verified(&self.requests, &self.slab, key, |known| {
            known.method() == Method::Invite && keys::same_request(known, msg)
        });
        if let Some(tx) = invite {
            let passed = self.with(now, tx, out, |work| {
                work.server_event(Event::Ack) || work.tx.final_code / 100 == 2
            });
            let to_2xx = passed.unwrap_or(false);
            return ServerMatch::Ack { tx, to_2xx };
        }
        let key = keys::dialog_key(&self.tokens, msg);
        let invite = Self::verified(&self.dialogs, &self.slab, key, |known| {
            keys::same_dialog(known, msg)
        });
        match invite.filter(|&tx| self.slab.get(tx).is_some_and(|tx| tx.accepted)) {
            Some(tx) => ServerMatch::Ack { tx, to_2xx: true },
            None => ServerMatch::None,
        }
    }
}

/// The client side and the response context (RFC 3261 sections 16.6 to 16.10, 17.1).
impl<D> TxLayer<D> {
    /// Makes a transaction for a request of our own (Kamailio's `t_uac_send`), with
    /// one pin. Add a branch, then give the pin back; responses come as [`Output::Local`].
    pub fn create_local(&mut self, now: Millis, method: Method, data: D) -> TxId {
        self.insert(now, method, data, Machine::terminated(), |_| {})
    }

    /// Value of the Via branch parameter for a branch. It leads its responses back
    /// here; nobody else can make one.
    #[must_use]
    pub fn branch_token(&self, tx: TxId, branch: u16) -> String {
        self.tokens.encode(tx, branch)
    }

    /// Adds a branch and sends its request. Not for a transaction that was
    /// answered or cancelled. Returns the number of the branch.
    ///
    /// # Errors
    /// See [`BranchError`]; nothing was sent.
    pub fn add_branch(
        &mut self,
        now: Millis,
        tx: TxId,
        spec: BranchSpec,
        out: &mut Vec<Output<D>>,
    ) -> Result<u16, BranchError> {
        self.with(now, tx, out, |work| work.try_branch(spec))
            .unwrap_or(Err(BranchError::Gone))
    }

    /// Matches a response as it arrives, before any queue: stops retransmissions,
    /// acknowledges failures hop by hop, sends a CANCEL that had to wait.
    pub fn respond(&mut self, now: Millis, msg: &Message, out: &mut Vec<Output<D>>) -> ClientMatch {
        let token = msg.branch().and_then(|b| self.tokens.decode(b));
        let Some((tx, branch)) = token else {
            return ClientMatch::None;
        };
        let deliver = self.with(now, tx, out, |work| work.match_response(branch, msg));
        match deliver.flatten() {
            None => ClientMatch::None,
            Some(true) => ClientMatch::Deliver { tx, branch },
            Some(false) => ClientMatch::Absorbed(tx),
        }
    }

    /// Gives a response that [`TxLayer::respond`] asked to process to the response
    /// context. `code` is its status, `forward` the response as it goes upstream.
    pub fn deliver(
        &mut self,
        now: Millis,
        tx: TxId,
        branch: u16,
        code: u16,
        forward: Bytes,
        out: &mut Vec<Output<D>>,
    ) {
        self.with(now, tx, out, |work| {
            work.delivered(usize::from(branch), code, forward);
            work.unpin();
        });
    }

    /// As [`TxLayer::deliver`], but the response goes nowhere (Kamailio's
    /// `set_drop` in a reply route). Meant for provisional responses; a branch
    /// whose final one is discarded counts as failed with 500.
    pub fn discard(
        &mut self,
        now: Millis,
        tx: TxId,
        branch: u16,
        code: u16,
        out: &mut Vec<Output<D>>,
    ) {
        self.with(now, tx, out, |work| {
            if code >= 200 {
                work.branch_failed(usize::from(branch), 500, None);
            }
            work.unpin();
        });
    }

    /// The failure route of [`Output::Failure`] is over.
    pub fn failure_done(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| work.failure_done());
    }

    /// The branch failure route of [`Output::BranchFailure`] is over.
    pub fn branch_failure_done(
        &mut self,
        now: Millis,
        tx: TxId,
        branch: u16,
        out: &mut Vec<Output<D>>,
    ) {
        self.with(now, tx, out, |work| {
            if usize::from(branch) < work.tx.branches.len() {
                work.branch_failure_done(usize::from(branch));
            }
        });
    }

    /// Cancels an INVITE, as upstream or the user wants (section 16.10): no more
    /// branches, and 487 upstream once they have ended. `lines` (with CRLF) go into
    /// the CANCELs. Without effect once a final response went upstream, and on other requests.
    pub fn cancel(&mut self, now: Millis, tx: TxId, lines: &[u8], out: &mut Vec<Output<D>>) {
        let lines = Bytes::copy_from_slice(lines);
        self.with(now, tx, out, |work| work.cancel_all(&lines));
    }

    /// Cancels some branches of an INVITE only (Kamailio's `t_cancel_branches`).
    pub fn cancel_branches(
        &mut self,
        now: Millis,
        tx: TxId,
        branches: Range<u16>,
        lines: &[u8],
        out: &mut Vec<Output<D>>,
    ) {
        let lines = Bytes::copy_from_slice(lines);
        self.with(now, tx, out, |work| {
            let end = usize::from(branches.end).min(work.tx.branches.len());
            for branch in usize::from(branches.start)..end {
                work.cancel_branch(branch, &lines);
            }
        });
    }

    /// Leaves failures that are there out of the choice of the best (Kamailio's
    /// `t_drop_replies`).
    pub fn drop_replies(&mut self, tx: TxId, branches: Range<u16>) {
        if let Some(tx) = self.slab.get_mut(tx) {
            tx.drop_replies(branches);
        }
    }

    /// Sets Timers B and F, and C, of this transaction in milliseconds; 0 leaves
    /// one as it is. Those that run start anew (Kamailio's `t_set_fr`).
    pub fn set_fr(
        &mut self,
        now: Millis,
        tx: TxId,
        fr_inv_ms: u32,
        fr_ms: u32,
        out: &mut Vec<Output<D>>,
    ) {
        self.with(now, tx, out, |work| work.set_fr(fr_inv_ms, fr_ms));
    }

    /// Sets the age at which branches end, counted from now (Kamailio's
    /// `t_set_max_lifetime`).
    pub fn set_max_lifetime(&mut self, now: Millis, tx: TxId, ms: u32, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            work.tx.end_of_life = now + Millis::from(ms);
            work.restart_final_timers();
        });
    }

    /// What [`Output::Send`] named could not be sent.
    pub fn send_failed(&mut self, now: Millis, tx: TxId, branch: u16, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            if branch == SERVER {
                if !work.tx.is_local() {
                    work.server_event(Event::TransportError);
                }
            } else if usize::from(branch) < work.tx.branches.len() {
                work.client_event(usize::from(branch), Event::TransportError, With::Nothing);
            }
        });
    }
}

impl<D> Work<'_, D> {
    fn unpin(&mut self) {
        debug_assert!(self.tx.pins > 0, "a pin was given back twice");
        self.tx.pins = self.tx.pins.saturating_sub(1);
    }

    fn try_branch(&mut self, spec: BranchSpec) -> Result<u16, BranchError> {
        let index = self.tx.branches.len() as u16;
        if self.tx.cancelled {
            return Err(BranchError::Cancelled);
        }
        if self.tx.final_code != 0 || !self.tx.is_local() && self.tx.state() == State::Terminated {
            return Err(BranchError::Replied);
        }
        if index >= self.cfg.max_branches {
            return Err(BranchError::TooMany);
        }
        if spec.index != index {
            return Err(BranchError::Index);
        }
        self.start_branch(spec);
        Ok(index)
    }

    /// `None`: no such branch, or not its method. Else whether to deliver, with a pin.
    fn match_response(&mut self, branch: u16, msg: &Message) -> Option<bool> {
        let branch = usize::from(branch);
        let this = self.tx.branches.get(branch)?;
        if msg.method() == Method::Cancel && self.tx.method != Method::Cancel {
            this.cancel_state()?;
            let event = match msg.status() {
                ..200 => Event::Response1xx,
                _ => Event::ResponseFinal,
            };
            self.cancel_event(branch, event);
            return Some(false);
        }
        if msg.method() != self.tx.method {
            return None;
        }
        let pending = this.outcome == Outcome::Pending;
        let success = (200..300).contains(&msg.status());
        // A failure is no news to a context that has given the branch up.
        let deliver = self.response(branch, msg) && (pending || success);
        self.tx.pins += u16::from(deliver);
        Some(deliver)
    }

    fn set_fr(&mut self, fr_inv_ms: u32, fr_ms: u32) {
        if fr_inv_ms != 0 {
            self.tx.fr_inv_ms = fr_inv_ms;
        }
        if fr_ms != 0 {
            self.tx.fr_ms = fr_ms;
        }
        self.restart_final_timers();
    }
}
