//! Suspended transactions (Kamailio's `t_suspend` and `t_continue`).
//!
//! A suspended request is a *blind* branch: one without a request that was sent.
//! It holds the decision of the response context open like any other, is bounded
//! by Timer B or F (Kamailio's `fr_timer`), counts as 408 when that fires, and
//! takes no part in the choice once the request was resumed. A suspended response
//! is a deadline: when nobody resumes it in that time it goes on as it is.

use bytes::Bytes;

use super::config::TxConfig;
use super::id::TxId;
use super::layer::TxLayer;
use super::machine::Machine;
use super::output::Output;
use super::server::Work;
use super::table::{Kind, Timer};
use super::transaction::{Branch, Outcome, Transaction};
use crate::method::Method;
use crate::types::{Flow, Millis};

/// What there is to resume ([`TxLayer::resume`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resumption {
    /// There is no such transaction any more.
    Gone,
    /// The transaction is not suspended, or not any more.
    NotSuspended,
    /// It was cancelled meanwhile: nothing is to be done.
    Cancelled,
    /// The request: run its route, then call [`TxLayer::resume_done`].
    Request,
    /// The response to this branch: run its route, then call
    /// [`TxLayer::deliver`] or [`TxLayer::discard`].
    Response(u16),
}

/// A response that waits for its route.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldReply {
    branch: u16,
    code: u16,
    until: Millis,
}

impl<D> TxLayer<D> {
    /// Suspends a request: the transaction lives on without branches, until
    /// [`TxLayer::resume`] or its Timer B or F. False when there is nothing to wait
    /// for: it was answered or cancelled, or is gone.
    pub fn suspend(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) -> bool {
        self.with(now, tx, out, |work| work.suspend())
            .unwrap_or(false)
    }

    /// Suspends a response that is to be delivered; the pin of
    /// [`super::ClientMatch::Deliver`] stays. One for each transaction: false when there is
    /// one already. [`Output::HeldReply`] says that nobody resumed it in time.
    pub fn suspend_reply(&mut self, now: Millis, tx: TxId, branch: u16, code: u16) -> bool {
        let done = self.with(now, tx, &mut Vec::new(), |work| {
            work.suspend_reply(branch, code)
        });
        done.unwrap_or(false)
    }

    /// Ends the wait of a suspended transaction.
    pub fn resume(&mut self, now: Millis, tx: TxId) -> Resumption {
        self.with(now, tx, &mut Vec::new(), |work| work.resume())
            .unwrap_or(Resumption::Gone)
    }

    /// The route of a resumed request is over. If it neither answered nor added a
    /// branch the caller gets a 500.
    pub fn resume_done(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| work.resume_done());
    }
}

impl<D> Transaction<D> {
    /// Whether its request waits for [`TxLayer::resume`].
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.branches.iter().any(Branch::is_waiting_blind)
    }

    /// Branch and code of the response that waits for [`TxLayer::resume`].
    #[must_use]
    pub fn held_reply(&self) -> Option<(u16, u16)> {
        self.held_reply.map(|held| (held.branch, held.code))
    }

    /// When a suspended response goes on by itself.
    pub(super) fn held_until(&self) -> Millis {
        self.held_reply.map_or(Millis::MAX, |held| held.until)
    }

    fn own_fr_ms(&self, cfg: &TxConfig) -> u32 {
        let own = self.own.as_ref().map_or(0, |own| own.fr_ms);
        if own == 0 { cfg.fr_timer_ms } else { own }
    }
}

impl Branch {
    /// Whether it stands for a suspended request, and nothing was sent for it.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        self.blind
    }

    fn is_waiting_blind(&self) -> bool {
        self.blind && self.outcome == Outcome::Pending
    }

    fn new_blind(kind: Kind, flow: Flow) -> Self {
        Self {
            // Nothing is retransmitted, as on a reliable transport.
            machine: Machine::new(kind, true),
            flow,
            bytes: Bytes::new(),
            uri: Bytes::new(),
            reply: None,
            extra: None,
            code: 0,
            // Nobody asks for it: it has no destination.
            origin: 0,
            outcome: Outcome::Pending,
            replies: 0,
            timed_out: false,
            blind: true,
        }
    }

    /// Takes a blind branch out of the choice; its machine is over.
    fn end_blind(&mut self, outcome: Outcome) {
        self.machine = Machine::terminated();
        self.outcome = outcome;
    }
}

impl<D> Work<'_, D> {
    fn suspend(&mut self) -> bool {
        let closed = self.tx.final_code != 0 || self.tx.cancelled || self.tx.is_local();
        if closed || self.tx.branches.len() >= usize::from(self.cfg.max_branches) {
            return false;
        }
        let (kind, timer) = match self.tx.method {
            Method::Invite => (Kind::InviteClient, Timer::B),
            _ => (Kind::NonInviteClient, Timer::F),
        };
        let blind = Branch::new_blind(kind, self.tx.flow);
        self.tx.branches.push(blind);
        self.start_wait(self.tx.branches.len() - 1, timer);
        true
    }

    fn suspend_reply(&mut self, branch: u16, code: u16) -> bool {
        if self.tx.held_reply.is_some() {
            return false;
        }
        let until = self.now + Millis::from(self.tx.own_fr_ms(self.cfg));
        self.tx.held_reply = Some(HeldReply {
            branch,
            code,
            until,
        });
        true
    }

    fn resume(&mut self) -> Resumption {
        if let Some(held) = self.tx.held_reply.take() {
            return Resumption::Response(held.branch);
        }
        let mut found = Resumption::NotSuspended;
        for branch in self.tx.branches.iter_mut().filter(|b| b.is_waiting_blind()) {
            branch.end_blind(Outcome::Held);
            found = Resumption::Request;
        }
        let was_suspended = self.tx.cancelled && self.tx.branches.iter().any(Branch::is_blind);
        if found == Resumption::NotSuspended && was_suspended {
            return Resumption::Cancelled;
        }
        found
    }

    fn resume_done(&mut self) {
        for branch in self.tx.branches.iter_mut().filter(|b| b.blind) {
            if branch.outcome == Outcome::Held {
                branch.outcome = Outcome::Dropped;
            }
        }
        if self.tx.branches.iter().any(|b| !b.blind) {
            self.evaluate(true);
        } else if !self.tx.is_suspended() && self.tx.final_code == 0 {
            self.finish(500, 0, None);
        }
    }

    /// A CANCEL ends what is suspended; true if there is nothing else to wait for.
    pub(super) fn cancel_blind(&mut self) -> bool {
        for branch in self.tx.branches.iter_mut() {
            if branch.is_waiting_blind() {
                branch.end_blind(Outcome::Dropped);
            }
        }
        self.tx.branches.iter().all(Branch::is_blind)
    }

    /// Lets a suspended response go on when its time is over.
    pub(super) fn release_held_reply(&mut self) {
        if self.tx.held_until() <= self.now
            && let Some(held) = self.tx.held_reply.take()
        {
            self.out.push(Output::HeldReply {
                tx: self.tx.id,
                branch: held.branch,
            });
        }
    }
}
