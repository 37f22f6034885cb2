//! Module tm for scripts, continued: what asks about a transaction or adjusts it.

use std::sync::Arc;

use regex::bytes::Regex;
use sipwright_sip::method::Method;
use sipwright_sip::script::{Context, RouteType};
use sipwright_sip::tx::{Branch, ServerMatch, Transaction, TxId};

use super::TxState;
use super::suspend::tx_of;
use crate::core::Core;
use crate::log::{self, level};
use crate::net::How;
use crate::session::{Current, Kind};

/// The callbacks that a script can name for a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HookKind {
    /// `t_on_branch`
    Branch,
    /// `t_on_reply`
    Reply,
    /// `t_on_failure`
    Failure,
    /// `t_on_branch_failure`
    BranchFailure,
}

const fn code(yes: bool) -> i32 {
    if yes { 1 } else { -1 }
}

impl Core {
    /// The branch parameter that the request will leave with next; `None` without a transaction.
    #[must_use]
    pub fn next_branch(&self, cur: &Current) -> Option<String> {
        let tx = cur.tx?;
        let shard = self.shard(tx);
        let index = match (cur.ctx.route, &cur.ctx.tx) {
            (RouteType::Branch, Some(view)) => view.branch_idx,
            _ => u16::try_from(shard.get(tx)?.branches().len()).ok()?,
        };
        Some(shard.branch_token(tx, index))
    }

    /// `$ltt(which)`: the To tag of responses made here, `s` without a transaction, `t` of the
    /// transaction, `x` of it if there is one.
    #[must_use]
    pub fn local_tag(&self, ctx: &Context, which: &str) -> Option<Vec<u8>> {
        let of_transaction = || {
            let (index, label) = ctx.tx.as_deref()?.id;
            let tx = tx_of(i64::try_from(index).ok()?, i64::try_from(label).ok()?)?;
            let tag = self.shard(tx).get(tx).map(Transaction::to_tag);
            tag.map(|tag| tag.as_bytes().to_vec())
        };
        let stateless = || Some(self.stateless_tag(&ctx.msg).to_vec());
        match which {
            "s" => stateless(),
            "t" => of_transaction(),
            "x" => of_transaction().or_else(stateless),
            _ => None,
        }
    }

    /// Arms or disarms a callback of the transaction, or of the one to come.
    pub fn set_hook(&self, cur: &mut Current, kind: HookKind, name: Option<Arc<str>>) {
        let change = |hooks: &mut sipwright_sip::tx::Hooks| match kind {
            HookKind::Branch => hooks.on_branch = name,
            HookKind::Reply => hooks.on_reply = name,
            HookKind::Failure => hooks.on_failure = name,
            HookKind::BranchFailure => hooks.on_branch_failure = name,
        };
        match cur.tx {
            Some(tx) => {
                if let Some(t) = self.shard(tx).get_mut(tx) {
                    change(t.hooks_mut());
                }
            }
            None => change(&mut cur.hooks),
        }
    }

    /// `t_is_set`: whether a callback of that kind is armed.
    pub fn t_is_set(&self, cur: &Current, what: &str) -> i32 {
        let armed = cur
            .tx
            .and_then(|tx| self.shard(tx).get(tx).and_then(|t| t.hooks().cloned()))
            .unwrap_or_else(|| cur.hooks.clone());
        let hook = match what {
            "failure_route" => armed.on_failure,
            "branch_route" => armed.on_branch,
            "onreply_route" => armed.on_reply,
            "branch_failure_route" => armed.on_branch_failure,
            _ => {
                log::log(
                    level::ERR,
                    &format!("t_is_set: unknown kind of route {what}"),
                );
                return -1;
            }
        };
        code(hook.is_some())
    }

    /// The transaction of the message in work, by lookup if need be.
    fn transaction_of(&self, cur: &mut Current) -> Option<TxId> {
        if let Kind::Reply {
            target: Some((tx, _)),
        } = cur.kind
        {
            return Some(tx);
        }
        match self.find_transaction(cur) {
            ServerMatch::Retransmission(tx) | ServerMatch::Ack { tx, .. } => Some(tx),
            ServerMatch::Cancel { invite } => Some(invite),
            ServerMatch::None => None,
        }
    }

    pub(super) fn ask<R>(
        &self,
        cur: &mut Current,
        f: impl FnOnce(&Transaction<TxState>) -> R,
    ) -> Option<R> {
        let tx = self.transaction_of(cur)?;
        self.shard(tx).get(tx).map(f)
    }

    fn branch_index(cur: &Current) -> Option<u16> {
        match cur.kind {
            Kind::Failure { branch } | Kind::BranchFailure { branch } => Some(branch),
            Kind::Reply { target } => target.map(|(_, branch)| branch),
            Kind::Watched(told) => Some(told.branch),
            Kind::Request { .. }
            | Kind::Resumed
            | Kind::Http
            | Kind::ConnectionOut
            | Kind::Fake => None,
        }
    }

    /// `t_lookup_request`.
    pub fn t_lookup_request(&self, cur: &mut Current) -> i32 {
        code(self.transaction_of(cur).is_some())
    }

    /// `t_exists`: whether the message in work is known to belong to a transaction.
    pub fn t_exists(&self, cur: &Current) -> i32 {
        code(cur.tx.is_some() || matches!(cur.kind, Kind::Reply { target: Some(_) }))
    }

    /// `t_lookup_cancel`; with `copy_flags` the message flags of the INVITE hold for the
    /// CANCEL too.
    pub fn t_lookup_cancel(&self, cur: &mut Current, copy_flags: bool) -> i32 {
        if cur.ctx.msg.method() != Method::Cancel {
            return -1;
        }
        let ServerMatch::Cancel { invite } = self.find_transaction(cur) else {
            return -1;
        };
        let flags = self.shard(invite).get(invite).map(|t| t.data.script.flags);
        if let Some(flags) = flags.filter(|_| copy_flags) {
            cur.ctx.tx_data.flags = flags;
        }
        1
    }

    /// `t_is_canceled`.
    pub fn t_is_canceled(&self, cur: &mut Current) -> i32 {
        code(self.ask(cur, Transaction::is_cancelled).unwrap_or(false))
    }

    /// `t_check_status`: the code of the response at hand, or of the reply sent last.
    pub fn t_check_status(&self, cur: &mut Current, pattern: &str) -> i32 {
        let Ok(pattern) = Regex::new(pattern) else {
            log::log(
                level::ERR,
                &format!("t_check_status: not a regular expression: {pattern}"),
            );
            return -1;
        };
        match self.status_code(cur) {
            Some(status) => code(pattern.is_match(status.to_string().as_bytes())),
            None => -1,
        }
    }

    /// `t_get_status_code`.
    pub fn t_get_status_code(&self, cur: &mut Current) -> i32 {
        self.status_code(cur).map_or(-1, i32::from)
    }

    fn status_code(&self, cur: &mut Current) -> Option<u16> {
        match cur.ctx.route {
            RouteType::Reply | RouteType::TmReply => Some(cur.ctx.msg.status()),
            RouteType::Failure | RouteType::BranchFailure => {
                cur.ctx.tx.as_ref().map(|v| v.reply_code)
            }
            RouteType::Onsend => None,
            _ => self.ask(cur, Transaction::last_code).filter(|c| *c != 0),
        }
    }

    /// `t_grep_status`: whether a branch ended with this code.
    pub fn t_grep_status(&self, cur: &mut Current, wanted: i64) -> i32 {
        let found = self.ask(cur, |t| {
            t.branches().iter().any(|b| i64::from(b.code()) == wanted)
        });
        code(found.unwrap_or(false))
    }

    /// `t_any_timeout`.
    pub fn t_any_timeout(&self, cur: &mut Current) -> i32 {
        let found = self.ask(cur, |t| t.branches().iter().any(Branch::is_timed_out));
        code(found.unwrap_or(false))
    }

    /// `t_any_replied`.
    pub fn t_any_replied(&self, cur: &mut Current) -> i32 {
        let current = Self::branch_index(cur).map(usize::from);
        let found = self.ask(cur, |t| {
            let mut branches = t.branches().iter().enumerate();
            branches.any(|(index, b)| match Some(index) == current {
                true => b.is_replied_before(),
                false => b.is_replied(),
            })
        });
        code(found.unwrap_or(false))
    }

    /// `t_branch_timeout`.
    pub fn t_branch_timeout(&self, cur: &mut Current) -> i32 {
        let Some(index) = Self::branch_index(cur) else {
            return -1;
        };
        let found = self.ask(cur, |t| t.branch(index).is_some_and(Branch::is_timed_out));
        code(found.unwrap_or(false))
    }

    /// `t_branch_replied`.
    pub fn t_branch_replied(&self, cur: &mut Current) -> i32 {
        let Some(index) = Self::branch_index(cur) else {
            return -1;
        };
        code(
            self.ask(cur, |t| {
                t.branch(index).is_some_and(Branch::is_replied_before)
            })
            .unwrap_or(false),
        )
    }

    /// `t_retransmit_reply`.
    pub fn t_retransmit_reply(&self, cur: &mut Current) -> i32 {
        let last = self.ask(cur, |t| (*t.reply_flow(), t.last_reply().clone()));
        match last {
            Some((flow, bytes)) if !bytes.is_empty() => {
                self.send(&flow, bytes, None, How::default());
                1
            }
            _ => -1,
        }
    }

    /// `t_cancel_branches`: `all`, `others` or `this`.
    pub fn t_cancel_branches(&self, cur: &mut Current, which: &str) -> i32 {
        let Some(tx) = cur.tx.or_else(|| self.transaction_of(cur)) else {
            return -1;
        };
        let this = Self::branch_index(cur);
        self.transact(tx, |shard, now, out| {
            let count = shard.get(tx).map_or(0, |t| t.branches().len());
            for index in (0..count).filter_map(|i| u16::try_from(i).ok()) {
                let wanted = match which {
                    "this" => this == Some(index),
                    "others" => this != Some(index),
                    _ => true,
                };
                if wanted {
                    shard.cancel_branches(now, tx, index..index + 1, b"", out);
                }
            }
        });
        1
    }

    /// `t_flush_flags`: message flags into the transaction.
    pub fn t_flush_flags(&self, cur: &mut Current) -> i32 {
        let Some(tx) = cur.tx else { return -1 };
        let flags = cur.ctx.tx_data.flags;
        match self.shard(tx).get_mut(tx) {
            Some(t) => {
                t.data.script.flags = flags;
                1
            }
            None => -1,
        }
    }

    /// `t_flush_xflags`: extended flags into the transaction.
    pub fn t_flush_xflags(&self, cur: &mut Current) -> i32 {
        let Some(tx) = cur.tx else { return -1 };
        let xflags = cur.ctx.tx_data.xflags;
        match self.shard(tx).get_mut(tx) {
            Some(t) => {
                t.data.script.xflags = xflags;
                1
            }
            None => -1,
        }
    }
}
