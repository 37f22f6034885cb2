//! Module tm for scripts: the transaction of a request (RFC 3261 section 17.2).

use std::sync::Arc;

use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::script::TxView;
use sipwright_sip::tx::{Hooks, ServerMatch, TxId};
use sipwright_sip::types::{Flow, Millis};

use super::{TxState, id_of};
use crate::core::{Core, Outputs};
use crate::session::{Current, Kind};

impl Core {
    /// What a request is to the transactions; copies of known ones are dealt with.
    pub(crate) fn lookup(&self, now: Millis, msg: &Message, flow: &Flow) -> ServerMatch {
        let mut out = Outputs::new();
        let found = self.shard_of(msg).lookup(now, msg, flow, &mut out);
        self.flush(&mut out);
        found
    }

    /// Finds the transaction of the message in work, if there is one.
    pub(crate) fn find_transaction(&self, cur: &mut Current) -> ServerMatch {
        if let Some(tx) = cur.tx {
            return ServerMatch::Retransmission(tx);
        }
        let found = self.lookup(self.now(), &cur.ctx.msg, &cur.ctx.flow);
        if let (ServerMatch::None, Method::Ack, Kind::Request { key }) =
            (found, cur.ctx.msg.method(), &cur.kind)
            && let Some(tx) = self.pending.ended(*key)
        {
            return ServerMatch::Ack { tx, to_2xx: false };
        }
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
            id: id_of(tx),
            ..TxView::default()
        }));
        1
    }

    fn create_transaction(&self, cur: &mut Current) -> TxId {
        let now = self.now();
        let mut out = Outputs::new();
        let tx = {
            let mut shard = self.shard_of(&cur.ctx.msg);
            let tx = shard.create(
                now,
                Arc::clone(&cur.ctx.msg),
                cur.ctx.flow,
                TxState::new(cur.ctx.tx_data.clone()),
            );
            if cur.ctx.force_rport {
                shard.force_rport(tx);
            }
            if cur.hooks != Hooks::default()
                && let Some(t) = shard.get_mut(tx)
            {
                *t.hooks_mut() = cur.hooks.clone();
            }
            for watcher in cur.watchers.drain(..) {
                shard.watch(tx, watcher);
            }
            if let Some(wishes) = &cur.wishes {
                wishes.apply(&mut shard, now, tx, &mut out);
            }
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
            ServerMatch::Ack { to_2xx: false, .. } => 0,
            // That of a relayed 2xx is the user agents' own affair.
            ServerMatch::Ack { tx, .. } => match self.shard(tx).get(tx) {
                Some(t) if t.is_answered_here() => 0,
                _ => -1,
            },
            ServerMatch::Retransmission(_) if cur.tx.is_some() => 1,
            ServerMatch::Retransmission(_) => 0,
        }
    }

    /// `t_release`: gives the transaction up without an answer.
    pub fn t_release(&self, cur: &mut Current) -> i32 {
        if let Some(tx) = cur.tx {
            self.transact(tx, |shard, now, out| shard.release(now, tx, out));
        }
        1
    }

    /// `t_drop`: as `t_release`; the transaction counts as answered with `code`.
    pub fn t_drop(&self, cur: &mut Current, code: u16) -> i32 {
        let Some(tx) = cur.tx else { return -1 };
        self.transact(tx, |shard, now, out| shard.drop_request(now, tx, code, out));
        cur.handled = true;
        0
    }
}
