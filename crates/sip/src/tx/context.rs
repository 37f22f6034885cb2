//! The response context: what of the branches' responses goes upstream, and when
//! (RFC 3261 section 16.7).

use bytes::Bytes;

use super::best;
use super::config::DropReplies;
use super::output::Output;
use super::server::Work;
use super::table::{Event, Kind};
use super::transaction::Outcome;
use super::watch::happening;
use crate::method::Method;

impl<D> Work<'_, D> {
    /// A response that the user has processed, as it would be forwarded.
    pub(super) fn delivered(&mut self, branch: usize, code: u16, forward: Bytes) {
        if code > 100 {
            self.tell(happening::RECEIVED, branch, code, Some(&forward));
        }
        match code {
            ..=100 => self.tx.branches[branch].note_provisional(code),
            101..200 => self.provisional(branch, code, forward),
            200..300 => self.success(branch, code, forward),
            _ => self.branch_failed(branch, code, Some(forward)),
        }
    }

    /// A branch ended without success: with a response, or with a 408 or 503 that
    /// stands for one (sections 16.8 and 16.9).
    pub(super) fn branch_failed(&mut self, branch: usize, code: u16, reply: Option<Bytes>) {
        let undecided = self.tx.final_code == 0;
        let id = self.tx.id;
        let this = &self.tx.branches[branch];
        if this.outcome != Outcome::Pending || self.fail_over(branch, code, reply.is_some()) {
            return;
        }
        let this = &mut self.tx.branches[branch];
        this.code = code;
        this.reply = reply.filter(|_| undecided);
        this.outcome = Outcome::Done;
        this.forget_targets();
        let route = this.extra.as_mut().and_then(|e| e.on_failure.take());
        if let Some(route) = route.filter(|_| undecided) {
            this.outcome = Outcome::Held;
            let branch = branch as u16;
            self.out.push(Output::BranchFailure {
                tx: id,
                branch,
                code,
                route,
            });
        }
        if code >= 600 && !self.tx.disable_6xx {
            let lines = self.cancel_reason(code);
            self.cancel_branches(Some(branch), &lines);
        }
        self.evaluate(true);
    }

    /// Upstream cancelled the request (section 16.10), or the user did.
    pub(super) fn cancel_all(&mut self, lines: &Bytes) {
        if self.tx.method != Method::Invite || self.tx.final_code != 0 || self.tx.cancelled {
            return;
        }
        self.tx.cancelled = true;
        self.cancel_branches(None, lines);
        if self.cancel_blind() {
            self.finish(487, 0, None);
        }
    }

    /// A failure route is over. Without a new branch or a reply of its own the best
    /// response goes upstream.
    pub(super) fn failure_done(&mut self) {
        let before = std::mem::take(&mut self.tx.deciding);
        if before != 0 {
            let added = self.tx.branches.len() >= usize::from(before);
            self.drop_replies(before - 1, added);
            self.evaluate(added);
        }
    }

    /// Leaves earlier failures out of the choice of the best, as the route or the
    /// settings want it. `before` branches were there when the route began.
    fn drop_replies(&mut self, before: u16, added: bool) {
        let own = self.tx.own.as_mut().and_then(|own| own.drop_replies.take());
        let range = match own.unwrap_or(self.cfg.drop_replies) {
            DropReplies::Nothing => 0..0,
            DropReplies::All => 0..before,
            DropReplies::LastSet => self.tx.last_set..before,
            DropReplies::IfNewBranch if added => 0..before,
            DropReplies::IfNewBranch => 0..0,
        };
        self.tx.drop_replies(range);
        if added {
            self.tx.last_set = before;
        }
    }

    /// A branch failure route is over.
    pub(super) fn branch_failure_done(&mut self, branch: usize) {
        let this = &mut self.tx.branches[branch];
        if this.outcome == Outcome::Held {
            this.outcome = Outcome::Done;
            self.evaluate(true);
        }
    }

    /// Step 5: every provisional response but a 100 goes upstream at once; of
    /// requests other than INVITE none does (RFC 4320 section 4.1), and none once
    /// upstream has cancelled (as Kamailio has it).
    fn provisional(&mut self, branch: usize, code: u16, forward: Bytes) {
        self.tx.branches[branch].note_provisional(code);
        if self.tx.is_local() {
            self.report(branch, code, Some(forward));
        } else if self.tx.method == Method::Invite && !self.tx.cancelled {
            self.pass(branch, code, forward);
        }
    }

    /// Step 5: every 2xx to INVITE goes upstream at once, also after a final
    /// response; of a 2xx to another request only the first does. Step 10: the
    /// other branches are cancelled.
    fn success(&mut self, branch: usize, code: u16, forward: Bytes) {
        let this = &mut self.tx.branches[branch];
        let repeated = this.outcome == Outcome::Done && (200..300).contains(&this.code);
        this.code = code;
        this.reply = None;
        this.outcome = Outcome::Done;
        this.forget_targets();
        if self.tx.is_local() {
            let first = self.tx.final_code == 0;
            if first || self.tx.method == Method::Invite {
                self.tx.final_code = code;
                self.report(branch, code, Some(forward));
            }
        } else {
            if repeated {
                self.send_reply(code, forward);
            } else {
                self.pass(branch, code, forward);
            }
            self.decided(code);
        }
        let lines = self.cancel_reason(code);
        self.cancel_branches(Some(branch), &lines);
    }

    /// Step 6: once every branch has ended and nothing final went upstream, the
    /// best failure does, unless a failure route wants to see it first.
    pub(super) fn evaluate(&mut self, may_route: bool) {
        let waiting = |o: Outcome| matches!(o, Outcome::Pending | Outcome::Held);
        let branches = &self.tx.branches;
        if self.tx.final_code != 0
            || self.tx.deciding != 0
            || branches.is_empty()
            || branches.iter().any(|b| waiting(b.outcome))
        {
            return;
        }
        let best = best::choose(branches);
        let (branch, code) = best.map_or((0, 500), |b| (b, branches[b].code));
        if may_route && self.tx.is_watched(happening::FAILED) {
            let reply = best.and_then(|b| branches[b].reply.clone());
            self.tell(happening::FAILED, branch, code, reply.as_ref());
        }
        let route = self.tx.hooks.as_mut().filter(|_| may_route);
        if let Some(route) = route.and_then(|h| h.on_failure.take()) {
            self.tx.deciding = self.tx.branches.len() as u16 + 1;
            let (tx, branch) = (self.tx.id, branch as u16);
            self.out.push(Output::Failure {
                tx,
                branch,
                code,
                route,
            });
            return;
        }
        if may_route && self.is_silence(code) {
            self.decided(code);
            self.server_event(Event::Release);
            return;
        }
        self.forward_failure(best, code);
    }

    /// Whether the only branch of an INVITE has not said a word, and nobody is to
    /// be told (Kamailio's `noisy_ctimer`).
    fn is_silence(&self, code: u16) -> bool {
        code == 408
            && !self.cfg.answer_silence
            && self.tx.server.kind() == Kind::InviteServer
            && self.tx.branches.len() == 1
            && !self.tx.branches[0].is_replied()
    }

    /// Step 7 (all challenges), and step 6's rule for 503.
    fn forward_failure(&mut self, best: Option<usize>, code: u16) {
        let index = best.unwrap_or(0);
        let reply = match (best, code) {
            (Some(b), 401 | 407) => best::with_challenges(&self.tx.branches, b),
            (Some(b), _) => self.tx.branches[b].reply.clone(),
            (None, _) => None,
        };
        // Whoever cancelled is told so, whether or not the branch could say it.
        if reply.is_none() && code == 408 && self.tx.cancelled {
            return self.finish(487, index, None);
        }
        if code == 503 && self.cfg.remap_503 && !self.tx.is_local() {
            let reply = reply.and_then(|r| best::with_status(&r, 500, "Server Internal Error"));
            return self.finish(500, index, reply);
        }
        self.finish(code, index, reply);
    }

    /// Sends the final failure upstream, or reports it.
    pub(super) fn finish(&mut self, code: u16, branch: usize, reply: Option<Bytes>) {
        self.decided(code);
        if self.tx.is_local() {
            return self.report(branch, code, reply);
        }
        let bytes = reply.unwrap_or_else(|| self.local_reply(code));
        self.pass(branch, code, bytes);
    }

    /// Sends a response upstream, of which watchers are told.
    fn pass(&mut self, branch: usize, code: u16, bytes: Bytes) {
        let kind = if code < 200 {
            happening::PROVISIONAL
        } else {
            happening::FINAL
        };
        let kept = self.tx.is_watched(kind).then(|| bytes.clone());
        if self.send_reply(code, bytes) {
            self.tell(kind, branch, code, kept.as_ref());
        }
    }

    fn report(&mut self, branch: usize, code: u16, reply: Option<Bytes>) {
        let (tx, branch) = (self.tx.id, branch as u16);
        self.out.push(Output::Local {
            tx,
            branch,
            code,
            reply,
        });
    }

    /// Why the other branches are cancelled (RFC 3326).
    pub(super) fn cancel_reason(&self, code: u16) -> Bytes {
        match code {
            _ if !self.cfg.cancel_reason => Bytes::new(),
            200..300 => {
                Bytes::from_static(b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n")
            }
            _ => format!("Reason: SIP;cause={code}\r\n").into(),
        }
    }
}
