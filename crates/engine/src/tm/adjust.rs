//! Module tm for scripts: settings of one transaction, or of the one to come.

use sipwright_sip::tx::{DropReplies, TxId, TxLayer};
use sipwright_sip::types::Millis;

use super::TxState;
use crate::core::{Core, Outputs};
use crate::log::{self, level};
use crate::session::{Current, Kind, Wishes};

type Layer = TxLayer<TxState>;

/// A time that a script gives in milliseconds; 0 leaves what is.
fn ms(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

impl Wishes {
    /// Makes a new transaction as the script wants it.
    pub(super) fn apply(&self, shard: &mut Layer, now: Millis, tx: TxId, out: &mut Outputs) {
        if self.fr_inv_ms > 0 || self.fr_ms > 0 {
            shard.set_fr(now, tx, self.fr_inv_ms, self.fr_ms, out);
        }
        if self.t1_ms > 0 || self.t2_ms > 0 {
            shard.set_retr(tx, self.t1_ms, self.t2_ms);
        }
        let invite = shard
            .get(tx)
            .is_some_and(|t| t.method() == sipwright_sip::method::Method::Invite);
        let lifetime = if invite {
            self.inv_lifetime_ms
        } else {
            self.noninv_lifetime_ms
        };
        if lifetime > 0 {
            shard.set_max_lifetime(now, tx, lifetime, out);
        }
        if let Some(on) = self.auto_trying.filter(|_| invite) {
            shard.set_auto_trying(now, tx, on);
        }
        if let Some(t) = shard.get_mut(tx) {
            t.set_disable_6xx(self.disable_6xx);
            t.set_disable_failover(self.disable_failover);
            if let Some(on) = self.cancel_reason {
                t.set_cancel_reason(on);
            }
        }
    }
}

impl Core {
    /// `t_set_fr`: Timers of this transaction, or of the one to come.
    pub fn t_set_fr(&self, cur: &mut Current, fr_inv_ms: i64, fr_ms: i64) -> i32 {
        let (inv, fr) = (ms(fr_inv_ms), ms(fr_ms));
        set(&mut cur.wish().fr_inv_ms, inv);
        set(&mut cur.wish().fr_ms, fr);
        if let Some(tx) = cur.tx {
            self.transact(tx, |shard, now, out| shard.set_fr(now, tx, inv, fr, out));
        }
        1
    }

    /// `t_reset_fr`.
    pub fn t_reset_fr(&self, cur: &mut Current) -> i32 {
        let wish = cur.wish();
        (wish.fr_ms, wish.fr_inv_ms) = (0, 0);
        if let Some(tx) = cur.tx {
            self.transact(tx, |shard, now, out| shard.reset_fr(now, tx, out));
        }
        1
    }

    /// `t_set_retr`: retransmission intervals T1 and T2.
    pub fn t_set_retr(&self, cur: &mut Current, t1_ms: i64, t2_ms: i64) -> i32 {
        let (t1, t2) = (ms(t1_ms), ms(t2_ms));
        set(&mut cur.wish().t1_ms, t1);
        set(&mut cur.wish().t2_ms, t2);
        if let Some(tx) = cur.tx {
            self.shard(tx).set_retr(tx, t1, t2);
        }
        1
    }

    /// `t_reset_retr`.
    pub fn t_reset_retr(&self, cur: &mut Current) -> i32 {
        let wish = cur.wish();
        (wish.t1_ms, wish.t2_ms) = (0, 0);
        if let Some(tx) = cur.tx {
            self.shard(tx).reset_retr(tx);
        }
        1
    }

    /// `t_set_max_lifetime`: how old the branches of an INVITE, or of another request, may get.
    pub fn t_set_max_lifetime(&self, cur: &mut Current, invite_ms: i64, other_ms: i64) -> i32 {
        let (invite, other) = (ms(invite_ms), ms(other_ms));
        set(&mut cur.wish().inv_lifetime_ms, invite);
        set(&mut cur.wish().noninv_lifetime_ms, other);
        self.change_lifetime(
            cur,
            |is_invite| if is_invite { invite } else { other },
            false,
        )
    }

    /// `t_reset_max_lifetime`.
    pub fn t_reset_max_lifetime(&self, cur: &mut Current) -> i32 {
        let wish = cur.wish();
        (wish.inv_lifetime_ms, wish.noninv_lifetime_ms) = (0, 0);
        self.change_lifetime(cur, |_| 0, true)
    }

    fn change_lifetime(&self, cur: &Current, pick: impl FnOnce(bool) -> u32, reset: bool) -> i32 {
        let Some(tx) = cur.tx else { return 1 };
        self.transact(tx, |shard, now, out| {
            let Some(method) = shard.get(tx).map(|t| t.method()) else {
                return;
            };
            let lifetime = pick(method == sipwright_sip::method::Method::Invite);
            if reset || lifetime > 0 {
                shard.set_max_lifetime(now, tx, lifetime, out);
            }
        });
        1
    }

    /// `t_is_expired`: whether the transaction is older than it may get.
    pub fn t_is_expired(&self, cur: &mut Current) -> i32 {
        let now = self.now();
        match self.ask(cur, |t| t.is_expired(now)) {
            Some(true) => 1,
            _ => -1,
        }
    }

    /// `t_set_auto_inv_100`: whether an INVITE gets a 100 by itself.
    pub fn t_set_auto_inv_100(&self, cur: &mut Current, on: bool) -> i32 {
        cur.wish().auto_trying = Some(on);
        if let Some(tx) = cur.tx {
            let now = self.now();
            self.shard(tx).set_auto_trying(now, tx, on);
        }
        1
    }

    /// `t_set_disable_internal_reply`: whether `t_relay` answers when it cannot forward.
    pub fn t_set_disable_internal_reply(&self, cur: &mut Current, on: bool) -> i32 {
        cur.wish().no_internal_reply = on;
        1
    }

    /// `t_set_no_e2e_cancel_reason`: whether the Reason of a CANCEL that comes goes no further.
    pub fn t_set_no_e2e_cancel_reason(&self, cur: &mut Current, on: bool) -> i32 {
        cur.wish().cancel_reason = Some(!on);
        if let Some(tx) = cur.tx
            && let Some(t) = self.shard(tx).get_mut(tx)
        {
            t.set_cancel_reason(!on);
        }
        1
    }

    /// `t_set_disable_failover`.
    pub fn t_set_disable_failover(&self, cur: &mut Current, on: bool) -> i32 {
        cur.wish().disable_failover = on;
        if let Some(tx) = cur.tx
            && let Some(t) = self.shard(tx).get_mut(tx)
        {
            t.set_disable_failover(on);
        }
        1
    }

    /// `t_set_disable_6xx`.
    pub fn t_set_disable_6xx(&self, cur: &mut Current, on: bool) -> i32 {
        cur.wish().disable_6xx = on;
        if let Some(tx) = cur.tx
            && let Some(t) = self.shard(tx).get_mut(tx)
        {
            t.set_disable_6xx(on);
        }
        1
    }

    /// `t_drop_replies`: which failures count once this failure route is over: `n`one is
    /// dropped, `a`ll are, or those before the `l`ast set of branches.
    pub fn t_drop_replies(&self, cur: &mut Current, which: &str) -> i32 {
        let which = match which.as_bytes().first() {
            Some(b'n') => DropReplies::Nothing,
            Some(b'l') => DropReplies::LastSet,
            Some(b'a') | None => DropReplies::All,
            _ => {
                log::log(level::ERR, "t_drop_replies: it is n, a or l");
                return -1;
            }
        };
        let tx = cur.tx.filter(|_| matches!(cur.kind, Kind::Failure { .. }));
        let Some(tx) = tx else {
            log::log(level::NOTICE, "t_drop_replies: only for a failure route");
            return 1;
        };
        if let Some(t) = self.shard(tx).get_mut(tx) {
            t.set_drop_replies(which);
        }
        1
    }
}

fn set(wish: &mut u32, value: u32) {
    if value > 0 {
        *wish = value;
    }
}
