//! The client side of the layer: branches, their responses, failure routes, CANCEL.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

use super::id::{SERVER, TxId};
use super::layer::TxLayer;
use super::machine::Machine;
use super::output::{BranchError, ClientMatch, Output};
use super::server::Work;
use super::table::{Event, State};
use super::transaction::{BranchSpec, Outcome};
use crate::message::Message;
use crate::method::Method;
use crate::types::Millis;

/// The client side and the response context (RFC 3261 sections 16.6 to 16.10, 17.1).
impl<D> TxLayer<D> {
    /// Makes a transaction for a request of our own (Kamailio's `t_uac_send`), with
    /// one pin. Add a branch, then give the pin back; responses come as [`Output::Local`].
    pub fn create_local(&mut self, now: Millis, method: Method, data: D) -> TxId {
        self.counts.local += 1;
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

    /// Whether a branch parameter is one of ours, whatever has become of its transaction.
    #[must_use]
    pub fn made(&self, branch: &[u8]) -> bool {
        self.tokens.decode(branch).is_some()
    }

    /// Matches a response as it arrives, before any queue: stops retransmissions,
    /// acknowledges failures hop by hop, sends a CANCEL that had to wait.
    pub fn respond(&mut self, now: Millis, msg: &Message, out: &mut Vec<Output<D>>) -> ClientMatch {
        let token = msg.branch().and_then(|b| self.tokens.decode(b));
        let Some((tx, branch)) = token else {
            return ClientMatch::None;
        };
        let deliver = self.with(now, tx, out, |work| work.match_response(branch, msg));
        let deliver = deliver.flatten();
        self.counts.received += u64::from(deliver.is_some());
        match deliver {
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

    /// Sets Timers B and F, and C, back to the configured ones (Kamailio's `t_reset_fr`).
    pub fn reset_fr(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            if let Some(own) = &mut work.tx.own {
                (own.fr_ms, own.fr_inv_ms) = (0, 0);
                work.restart_final_timers();
            }
        });
    }

    /// Sets T1 and T2 of this transaction in milliseconds for retransmissions that
    /// start from now on; 0 leaves one as it is (Kamailio's `t_set_retr`).
    pub fn set_retr(&mut self, tx: TxId, t1_ms: u32, t2_ms: u32) {
        if let Some(tx) = self.slab.get_mut(tx) {
            let own = tx.own();
            own.t1_ms = if t1_ms == 0 { own.t1_ms } else { t1_ms };
            own.t2_ms = if t2_ms == 0 { own.t2_ms } else { t2_ms };
        }
    }

    /// Sets T1 and T2 back to the configured ones (Kamailio's `t_reset_retr`).
    pub fn reset_retr(&mut self, tx: TxId) {
        if let Some(own) = self.slab.get_mut(tx).and_then(|tx| tx.own.as_mut()) {
            (own.t1_ms, own.t2_ms) = (0, 0);
        }
    }

    /// Sets the age at which branches end, counted from now; 0 for the configured one
    /// (Kamailio's `t_set_max_lifetime` and `t_reset_max_lifetime`).
    pub fn set_max_lifetime(&mut self, now: Millis, tx: TxId, ms: u32, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            let ms = if ms == 0 {
                work.cfg.lifetime_ms(work.tx.method)
            } else {
                ms
            };
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
                work.unreachable(usize::from(branch));
            }
        });
    }
}

impl<D> Work<'_, D> {
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
        let origin = spec.index;
        let spec = Self::settled(spec);
        let spec = match spec.index.cmp(&index) {
            Ordering::Equal => spec,
            // A target that failed has given way to the next one meanwhile.
            Ordering::Less => self.renumbered(spec).ok_or(BranchError::Index)?,
            Ordering::Greater => return Err(BranchError::Index),
        };
        self.start_branch(spec);
        self.tx.branches[usize::from(index)].origin = origin;
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
        let held = self.tx.held_reply();
        let held = held.is_some_and(|(b, code)| usize::from(b) == branch && code / 100 == 2);
        let this = &mut self.tx.branches[branch];
        this.replies = (this.replies + 1).min(2);
        let pending = this.outcome == Outcome::Pending;
        let success = (200..300).contains(&msg.status());
        // A failure is no news to a context that has given the branch up.
        let deliver = self.response(branch, msg) && (pending || success);
        // The callee repeats the 2xx that is suspended here.
        let deliver = deliver && !(held && success);
        self.tx.pins += u32::from(deliver);
        Some(deliver)
    }

    fn set_fr(&mut self, fr_inv_ms: u32, fr_ms: u32) {
        let own = self.tx.own();
        if fr_inv_ms != 0 {
            own.fr_inv_ms = fr_inv_ms;
        }
        if fr_ms != 0 {
            own.fr_ms = fr_ms;
        }
        self.restart_final_timers();
    }
}
