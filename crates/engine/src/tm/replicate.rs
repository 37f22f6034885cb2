//! Module tm for scripts: copies of a request for somebody else (`t_replicate`).

use sipwright_sip::method::Method;
use sipwright_sip::script::{BranchTarget, forward};
use sipwright_sip::tx::shard_of_request;

use super::{Slot, TxState};
use crate::core::{Core, SHARDS};
use crate::log::{self, level};
use crate::route::RouteError;

impl Core {
    /// `t_replicate`: sends a copy of the request to where a URI says, in a transaction
    /// of its own, retransmitted like any other. Whatever comes back ends here.
    pub fn t_replicate<S: Slot>(&self, slot: &S, uri: &str) -> i32 {
        let method = slot.with(|c| c.ctx.msg.method());
        if matches!(method, Method::Ack | Method::Cancel) || !slot.with(|c| c.ctx.is_request()) {
            log::log(
                level::ERR,
                "t_replicate: only for a request other than ACK and CANCEL",
            );
            return -1;
        }
        match self.replicate(slot, method, uri) {
            Ok(()) => 1,
            Err(why) => {
                log::log(level::ERR, &format!("t_replicate: {why}: {uri}"));
                -1
            }
        }
    }

    fn replicate<S: Slot>(&self, slot: &S, method: Method, uri: &str) -> Result<(), RouteError> {
        let (target, index) = slot.with(|c| {
            let target = BranchTarget {
                dst_uri: Some(uri.as_bytes().to_vec()),
                path: None,
                ..forward::main_branch(&c.ctx)
            };
            (target, shard_of_request(&c.ctx.msg, SHARDS))
        });
        let (tx, token) = {
            let mut shard = self.shards[usize::from(index)].lock();
            let tx = shard.create_local(self.now(), method, TxState::default());
            (tx, shard.branch_token(tx, 0))
        };
        let built = self.build(slot, &target, &token, Some(0), None);
        let (outgoing, result) = match built {
            Ok(outgoing) => (outgoing, Ok(())),
            Err(why) => (None, Err(why)),
        };
        self.transact(tx, |shard, now, out| {
            if let Some(outgoing) = outgoing {
                let spec = outgoing.into_branch(0, target.uri);
                // A new transaction takes its first branch.
                let _ = shard.add_branch(now, tx, spec, out);
            }
            shard.unpin(now, tx, out);
        });
        result
    }
}
