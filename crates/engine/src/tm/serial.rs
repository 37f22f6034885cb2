//! Module tm for scripts: what a transaction keeps for its failure routes, and serial
//! forking.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use sipwright_sip::script::BranchTarget;
use sipwright_sip::script::serial::{self, Order};
use sipwright_sip::tx::{Branch, Hooks};

use crate::core::Core;
use crate::log::{self, level};
use crate::session::{Current, Kind};

impl Core {
    /// `t_load_contacts`: puts the destinations aside for `t_next_contacts`, in the order
    /// of their q; `proportional` draws them with q as weight.
    pub fn t_load_contacts(&self, cur: &mut Current, proportional: bool) -> i32 {
        if proportional {
            serial::load_contacts(&mut cur.ctx, Order::ByChance(&mut random_below))
        } else {
            serial::load_contacts(&mut cur.ctx, Order::ByQ)
        }
    }

    /// `t_next_contacts`: the next set of destinations.
    pub fn t_next_contacts(&self, cur: &mut Current) -> i32 {
        serial::next_contacts(&mut cur.ctx)
    }

    /// `t_next_contact_flow`: another flow of the user agent that failed.
    pub fn t_next_contact_flow(&self, cur: &mut Current) -> i32 {
        match self.failed_branch(cur, "t_next_contact_flow") {
            Some(branch) => serial::next_contact_flow(&mut cur.ctx, branch),
            None => -1,
        }
    }

    /// `t_reuse_branch`: the branch that failed is the destination once more.
    pub fn t_reuse_branch(&self, cur: &mut Current) -> i32 {
        match self.failed_branch(cur, "t_reuse_branch") {
            Some(branch) => serial::reuse_branch(&mut cur.ctx, branch),
            None => -1,
        }
    }

    /// The branch that failed, by the number that its destination is kept under.
    fn failed_branch(&self, cur: &Current, function: &str) -> Option<u16> {
        let Kind::BranchFailure { branch } = cur.kind else {
            let what = format!("{function}: only for a branch failure route");
            log::log(level::ERR, &what);
            return None;
        };
        let shard = self.shard(cur.tx?);
        let failed = shard.get(cur.tx?)?.branch(branch);
        failed.map(Branch::origin)
    }

    /// `t_save_lumps`: failure routes begin with the edits as they are now.
    pub fn t_save_lumps(&self, cur: &mut Current) -> i32 {
        if cur.tx.is_none() || !matches!(cur.kind, Kind::Request { .. }) {
            log::log(level::ERR, "t_save_lumps: there is no transaction yet");
            return -1;
        }
        let snapshot = Arc::new(cur.ctx.snapshot());
        let kept = cur.ctx.tx_data.kept();
        kept.request = Some(snapshot);
        kept.edits_settled = true;
        1
    }

    /// Keeps of a request that is about to leave what its failure routes will begin
    /// with, if any is armed; and gives the transaction the AVPs and flags of now,
    /// because its routes may run before this one has ended.
    pub(super) fn keep<'b>(
        &self,
        cur: &mut Current,
        branches: impl Iterator<Item = (u16, &'b BranchTarget)>,
    ) {
        let Some(tx) = cur.tx else { return };
        let mut shard = self.shard(tx);
        let Some(t) = shard.get_mut(tx) else { return };
        let Some(hooks) = t.hooks().filter(|h| **h != Hooks::default()) else {
            return;
        };
        let one = hooks.on_branch_failure.is_some();
        if one || hooks.on_failure.is_some() {
            keep_request(cur, t.branches().is_empty());
        }
        if one {
            let branches = branches.map(|(index, b)| (index, b.clone()));
            cur.ctx.tx_data.kept().branches.extend(branches);
        }
        if t.data.script.revision == cur.ctx.tx_data.revision {
            t.data.script = cur.ctx.tx_data.clone();
        }
    }
}

/// As Kamailio does: URIs of the first forwarding count, and edits of then or of
/// `t_save_lumps`. What a failure route changes is for the branches it adds alone.
fn keep_request(cur: &mut Current, first: bool) {
    let kept = cur.ctx.tx_data.kept.as_deref();
    let old = kept.and_then(|k| k.request.clone());
    let settled = kept.is_some_and(|k| k.edits_settled);
    if old.is_some() && !(settled && first) {
        return;
    }
    let mut snapshot = cur.ctx.snapshot();
    if let Some(old) = old {
        snapshot.edits_of(&old);
    }
    cur.ctx.tx_data.kept().request = Some(Arc::new(snapshot));
}

fn random_below(limit: u32) -> u32 {
    let random = RandomState::new().hash_one(limit);
    u32::try_from(random % u64::from(limit.max(1))).unwrap_or(0)
}
