//! What is kept of one request: server side, branches, response context.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::config::DropReplies;
use super::failover::Alternates;
use super::id::{TxId, push_hex};
use super::machine::Machine;
use super::suspend::HeldReply;
use super::table::State;
use super::watch::Watch;
use crate::message::Message;
use crate::method::Method;
use crate::types::{Flow, Millis, Proto, SendOptions};

/// Routes that a script armed for a transaction (Kamailio's `t_on_*`).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Hooks {
    /// Runs for every response, until replaced.
    pub on_reply: Option<Arc<str>>,
    /// Runs once when all branches have failed; taken when it is run.
    pub on_failure: Option<Arc<str>>,
    /// Runs for every branch before it is sent.
    pub on_branch: Option<Arc<str>>,
    /// Default of [`BranchSpec::on_failure`] for new branches.
    pub on_branch_failure: Option<Arc<str>>,
}

/// A branch to add ([`super::TxLayer::add_branch`]).
#[derive(Clone, Debug)]
pub struct BranchSpec {
    /// Its number, for which the token was made: the number of branches so far.
    pub index: u16,
    /// The request as it is to leave, our Via on top with the token as branch.
    pub bytes: Bytes,
    /// Where it goes.
    pub flow: Flow,
    /// Name that a certificate there must be valid for; `None` for the address.
    pub server_name: Option<Arc<str>>,
    /// What is to become of the connection that it leaves by.
    pub options: SendOptions,
    /// Where else and as what it is to leave if the first way cannot be gone, such as by
    /// UDP when there is no connection (RFC 3261 section 18.1.1).
    pub fallback: Option<(Flow, Bytes)>,
    /// Its Request-URI.
    pub uri: Bytes,
    /// Route to run for its responses instead of the transaction's.
    pub on_reply: Option<Arc<str>>,
    /// Route to run when this branch fails; the response context waits for it.
    pub on_failure: Option<Arc<str>>,
    /// Where to try next when it fails (RFC 3263 section 4.3).
    pub next: Option<Box<Alternates>>,
}

/// What became of a branch, as the response context sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// No final response delivered yet.
    Pending,
    /// It failed, and its branch failure route runs.
    Held,
    /// It has a final response, or the 408 or 503 that stands for one.
    Done,
    /// As `Done`, but not to be considered any more: by Kamailio's `t_drop_replies`, or
    /// because the next target is tried.
    Dropped,
}

/// A target of the request, with its client transaction.
#[derive(Debug)]
pub struct Branch {
    pub(super) machine: Machine,
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
    pub(super) uri: Bytes,
    pub(super) reply: Option<Bytes>,
    pub(super) extra: Option<Box<Extra>>,
    pub(super) code: u16,
    pub(super) origin: u16,
    pub(super) outcome: Outcome,
    /// How many responses came, up to 2.
    pub(super) replies: u8,
    pub(super) timed_out: bool,
    /// Stands for a suspended request: nothing was sent.
    pub(super) blind: bool,
}

/// What few branches have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) on_reply: Option<Arc<str>>,
    pub(super) on_failure: Option<Arc<str>>,
    /// See [`BranchSpec::server_name`].
    pub(super) server_name: Option<Arc<str>>,
    /// See [`BranchSpec::options`].
    pub(super) options: SendOptions,
    /// See [`BranchSpec::fallback`]; taken when it is used.
    pub(super) fallback: Option<(Flow, Bytes)>,
    /// Targets that are left.
    pub(super) next: Option<Box<Alternates>>,
    /// The ACK for its failure, for retransmissions.
    pub(super) ack: Option<Bytes>,
    /// Lines for the CANCEL that is to be sent once a provisional response came.
    pub(super) cancel_wanted: Option<Bytes>,
    /// The CANCEL transaction.
    pub(super) cancel: Option<(Machine, Bytes)>,
}

impl Branch {
    /// Number that the user gave it, or the branch whose further target it goes to
    /// (RFC 3263 section 4.3).
    #[must_use]
    pub fn origin(&self) -> u16 {
        self.origin
    }

    /// Request-URI.
    #[must_use]
    pub fn uri(&self) -> &Bytes {
        &self.uri
    }

    /// Where it was sent.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The request as it left.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// State of the client transaction.
    #[must_use]
    pub fn state(&self) -> State {
        self.machine.state()
    }

    /// The client transaction.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// State of the CANCEL transaction, if a CANCEL was sent.
    #[must_use]
    pub fn cancel_state(&self) -> Option<State> {
        let (machine, _) = self.extra.as_ref()?.cancel.as_ref()?;
        Some(machine.state())
    }

    /// Last code delivered, 408 or 503 made here included; 0 for none.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Whether any response came.
    #[must_use]
    pub fn is_replied(&self) -> bool {
        self.replies > 0
    }

    /// Whether any response came before the one that is being processed, or that made
    /// the branch fail (Kamailio's `t_branch_replied`).
    #[must_use]
    pub fn is_replied_before(&self) -> bool {
        self.replies > u8::from(!self.timed_out)
    }

    /// Whether a final response did not come in time (Kamailio's `t_branch_timeout`).
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// What the response context has of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Its failure as it would be forwarded, until one went upstream; `None` when
    /// the code was made here.
    #[must_use]
    pub fn reply(&self) -> Option<&Bytes> {
        self.reply.as_ref()
    }

    /// Route for its responses, if it has one of its own.
    #[must_use]
    pub fn on_reply(&self) -> Option<&Arc<str>> {
        self.extra.as_ref()?.on_reply.as_ref()
    }

    pub(super) fn note_provisional(&mut self, code: u16) {
        if self.outcome == Outcome::Pending {
            self.code = code;
        }
    }

    /// It needs no further target any more.
    pub(super) fn forget_targets(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.next = None;
        }
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// When one of its machines wants to hear of time again.
    pub(super) fn deadline(&self) -> Millis {
        let cancel = self.extra.as_ref().and_then(|e| e.cancel.as_ref());
        cancel
            .map_or(Millis::MAX, |(machine, _)| machine.deadline())
            .min(self.machine.deadline())
    }

    /// Whether none of its machines runs.
    pub(super) fn is_over(&self) -> bool {
        let cancel = self.extra.as_ref().and_then(|e| e.cancel.as_ref());
        self.machine.is_terminated() && cancel.is_none_or(|(m, _)| m.is_terminated())
    }
}

/// One request and all that came of it.
#[derive(Debug)]
pub struct Transaction<D> {
    /// The caller's own.
    pub data: D,
    pub(super) id: TxId,
    /// `None` for a request of our own.
    pub(super) request: Option<Arc<Message>>,
    pub(super) server: Machine,
    pub(super) flow: Flow,
    pub(super) reply_flow: Flow,
    pub(super) last_reply: Bytes,
    pub(super) branches: Vec<Branch>,
    pub(super) hooks: Option<Box<Hooks>>,
    pub(super) held_reply: Option<HeldReply>,
    pub(super) watch: Option<Box<Watch>>,
    pub(super) key: u64,
    pub(super) dialog_key: u64,
    pub(super) to_tag: u64,
    pub(super) began: Millis,
    pub(super) end_of_life: Millis,
    pub(super) own: Option<Box<Own>>,
    pub(super) last_code: u16,
    pub(super) final_code: u16,
    pub(super) pins: u32,
    /// While a failure route runs: how many branches there were before it, plus 1.
    pub(super) deciding: u16,
    /// First branch of the last set: those that were added since a failure route ran.
    pub(super) last_set: u16,
    pub(super) method: Method,
    /// A 2xx to INVITE went upstream.
    pub(super) accepted: bool,
    pub(super) cancelled: bool,
    pub(super) disable_6xx: bool,
    pub(super) disable_failover: bool,
    pub(super) force_rport: bool,
    /// What is to become of the connection that its replies leave by.
    pub(super) reply_options: SendOptions,
    /// The 2xx that went upstream is the user's own and is repeated until its ACK.
    pub(super) repeats: bool,
    /// No 100 by ourselves.
    pub(super) silent: bool,
}

/// What few transactions have: settings of their own. Times in milliseconds, 0 for
/// the configured one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    pub(super) fr_ms: u32,
    pub(super) fr_inv_ms: u32,
    pub(super) t1_ms: u32,
    pub(super) t2_ms: u32,
    pub(super) drop_replies: Option<DropReplies>,
    pub(super) cancel_reason: Option<bool>,
}

impl<D> Transaction<D> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> TxId {
        self.id
    }

    /// Says what is to become of the connection of its replies; it is closed by the first
    /// final one only.
    pub fn set_reply_options(&mut self, options: SendOptions) {
        self.reply_options = options;
    }

    /// The request as received; `None` for a request of our own.
    #[must_use]
    pub fn request(&self) -> Option<&Arc<Message>> {
        self.request.as_ref()
    }

    /// Whether it is a request of our own ([`super::TxLayer::create_local`]).
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.request.is_none()
    }

    /// Method of the request.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// How the request came.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Where responses go (RFC 3261 section 18.2.2, RFC 3581).
    #[must_use]
    pub fn reply_flow(&self) -> &Flow {
        &self.reply_flow
    }

    /// State of the server transaction.
    #[must_use]
    pub fn state(&self) -> State {
        self.server.state()
    }

    /// Code of the last response sent upstream, 0 for none.
    #[must_use]
    pub fn last_code(&self) -> u16 {
        self.last_code
    }

    /// Code of the first final response sent upstream, 0 for none. For our own
    /// request: the final code reported.
    #[must_use]
    pub fn final_code(&self) -> u16 {
        self.final_code
    }

    /// The last response sent upstream; empty for none.
    #[must_use]
    pub fn last_reply(&self) -> &Bytes {
        &self.last_reply
    }

    /// To tag for responses made here; the same for all of this transaction.
    #[must_use]
    pub fn to_tag(&self) -> String {
        let mut tag = String::with_capacity(16);
        push_hex(&mut tag, self.to_tag, 16);
        tag
    }

    /// The branches in the order they were added.
    #[must_use]
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// One branch.
    #[must_use]
    pub fn branch(&self, branch: u16) -> Option<&Branch> {
        self.branches.get(usize::from(branch))
    }

    /// The armed routes; `None` if there never were any.
    #[must_use]
    pub fn hooks(&self) -> Option<&Hooks> {
        self.hooks.as_deref()
    }

    /// The armed routes, to change.
    pub fn hooks_mut(&mut self) -> &mut Hooks {
        self.hooks.get_or_insert_default()
    }

    /// Whether upstream cancelled it (Kamailio's `t_is_canceled`).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Whether the 2xx to an INVITE that went upstream is the user's own.
    #[must_use]
    pub fn is_answered_here(&self) -> bool {
        self.repeats
    }

    /// Whether a failure route runs.
    #[must_use]
    pub fn is_deciding(&self) -> bool {
        self.deciding != 0
    }

    /// When its branches have to end.
    #[must_use]
    pub fn end_of_life(&self) -> Millis {
        self.end_of_life
    }

    /// Whether it is older than it may get; its branches end then (Kamailio's
    /// `t_is_expired`).
    #[must_use]
    pub fn is_expired(&self, now: Millis) -> bool {
        self.end_of_life <= now
    }

    /// Whether responses go to the source port whatever the Via asks (Kamailio's
    /// `force_rport`).
    #[must_use]
    pub fn force_rport(&self) -> bool {
        self.force_rport
    }

    /// Whether the Reason of a CANCEL that comes goes into ours, where the user has said
    /// so (Kamailio's `t_set_no_e2e_cancel_reason`).
    #[must_use]
    pub fn cancel_reason(&self) -> Option<bool> {
        self.own.as_ref()?.cancel_reason
    }

    /// Sets [`Transaction::cancel_reason`].
    pub fn set_cancel_reason(&mut self, on: bool) {
        self.own().cancel_reason = Some(on);
    }

    /// Which earlier failures count after the failure route that runs, or the next one
    /// (Kamailio's `t_drop_replies`).
    pub fn set_drop_replies(&mut self, which: DropReplies) {
        self.own().drop_replies = Some(which);
    }

    /// Whether no further targets of a URI are tried (Kamailio's `t_set_disable_failover`).
    pub fn set_disable_failover(&mut self, disable: bool) {
        self.disable_failover = disable;
    }

    /// Whether a 6xx does not cancel the other branches (Kamailio's `t_set_disable_6xx`).
    pub fn set_disable_6xx(&mut self, disable: bool) {
        self.disable_6xx = disable;
    }

    pub(super) fn new(id: TxId, method: Method, data: D, server: Machine) -> Self {
        let nowhere = Flow {
            proto: Proto::Udp,
            socket: 0,
            remote: SocketAddr::from(([0, 0, 0, 0], 0)),
            conn: 0,
        };
        Self {
            data,
            id,
            request: None,
            server,
            flow: nowhere,
            reply_flow: nowhere,
            last_reply: Bytes::new(),
            branches: Vec::new(),
            hooks: None,
            held_reply: None,
            watch: None,
            key: 0,
            dialog_key: 0,
            to_tag: 0,
            began: 0,
            end_of_life: 0,
            own: None,
            last_code: 0,
            final_code: 0,
            pins: 1,
            deciding: 0,
            last_set: 0,
            method,
            accepted: false,
            cancelled: false,
            disable_6xx: false,
            disable_failover: false,
            force_rport: false,
            reply_options: SendOptions::default(),
            repeats: false,
            silent: false,
        }
    }

    pub(super) fn own(&mut self) -> &mut Own {
        self.own.get_or_insert_default()
    }

    /// When one of its machines wants to hear of time again.
    pub(super) fn deadline(&self) -> Millis {
        let branches = self.branches.iter().map(Branch::deadline);
        branches.fold(self.server.deadline().min(self.held_until()), Millis::min)
    }

    /// Whether all machines have terminated and nobody holds on to it.
    pub(super) fn is_over(&self) -> bool {
        self.pins == 0
            && self.deciding == 0
            && self.server.is_terminated()
            && self.branches.iter().all(Branch::is_over)
            && self.branches.iter().all(|b| b.outcome != Outcome::Held)
    }

    /// Whether nothing can answer its request any more.
    pub(super) fn is_forgotten(&self) -> bool {
        self.pins == 0
            && self.final_code == 0
            && self.branches.is_empty()
            && !self.server.is_terminated()
    }

    /// Lets go of what was kept for a choice that is made.
    pub(super) fn forget_failures(&mut self) {
        for branch in &mut self.branches {
            branch.reply = None;
        }
    }

    pub(super) fn drop_replies(&mut self, branches: Range<u16>) {
        let range = usize::from(branches.start)..usize::from(branches.end).min(self.branches.len());
        for branch in self.branches.get_mut(range).unwrap_or_default() {
            if branch.outcome == Outcome::Done {
                branch.outcome = Outcome::Dropped;
                branch.reply = None;
            }
        }
    }
}
