//! Module tmx for scripts: transactions found by Call-ID and sequence number
//! (`t_cancel_callid`, `t_reply_callid`).

use std::sync::Arc;

use sipwright_sip::build::{self, ViaFix};
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::tx::{Transaction, TxId, TxLayer, shard_of_call_id};

use super::TxState;
use crate::core::{Core, SHARDS};
use crate::log::{self, level};

impl Core {
    /// `t_cancel_callid` and `t_cancel_callid_reason`: cancels the INVITE with this
    /// Call-ID and sequence number. Message flag `flag`, unless 0, is set for its
    /// failure route; `code`, unless 0, is the cause that the Reason header of the
    /// CANCELs names (RFC 3326).
    pub fn t_cancel_callid(&self, call_id: &str, cseq: &str, flag: i64, code: i64) -> i32 {
        let Some(tx) = self.find_invite(call_id, cseq) else {
            return -1;
        };
        let reason = cancel_reason(code);
        self.transact(tx, |shard, now, out| {
            let Some(t) = shard.get_mut(tx) else { return };
            if let Ok(bit @ 1..=31) = u32::try_from(flag) {
                t.data.script.flags |= 1 << bit;
            }
            let count = u16::try_from(t.branches().len()).unwrap_or(u16::MAX);
            if t.is_suspended() {
                // There may be nobody else to say 487.
                shard.cancel(now, tx, &reason, out);
            } else {
                shard.cancel_branches(now, tx, 0..count, &reason, out);
            }
        });
        1
    }

    /// `t_reply_callid`: answers the INVITE with this Call-ID and sequence number.
    pub fn t_reply_callid(&self, call_id: &str, cseq: &str, code: u16, reason: &str) -> i32 {
        let Some(tx) = self.find_invite(call_id, cseq) else {
            return -1;
        };
        let headers = self.with_server_header(b"");
        let result = self.transact(tx, |shard, now, out| {
            let (bytes, tx) = answer(shard, tx, code, reason, &headers)?;
            Some(shard.reply(now, tx, code, bytes.into(), out))
        });
        match result {
            Some(Ok(())) => 1,
            Some(Err(why)) => {
                log::log(level::NOTICE, &format!("t_reply_callid({code}): {why}"));
                -1
            }
            None => -1,
        }
    }

    /// Looks through the transactions of one shard.
    fn find_invite(&self, call_id: &str, cseq: &str) -> Option<TxId> {
        let cseq = cseq.trim().parse::<u32>().ok()?;
        let shard = self.shards[usize::from(shard_of_call_id(call_id.as_bytes(), SHARDS))].lock();
        let wanted = |msg: &Message| {
            msg.method() == Method::Invite
                && msg.cseq() == cseq
                && msg.call_id() == call_id.as_bytes()
        };
        let mut all = shard.iter();
        all.find(|t| request_of(t).is_some_and(|msg| wanted(msg)))
            .map(Transaction::id)
    }
}

fn request_of(t: &Transaction<TxState>) -> Option<&Arc<Message>> {
    t.request()
        .or_else(|| t.data.local.as_ref().map(|sent| sent.request()))
}

fn answer(
    shard: &TxLayer<TxState>,
    tx: TxId,
    code: u16,
    reason: &str,
    headers: &[u8],
) -> Option<(Vec<u8>, TxId)> {
    let t = shard.get(tx)?;
    let request = t.request()?;
    let tag = t.to_tag();
    let tag = (request.to_tag().is_none() && code > 100).then_some(tag.as_bytes());
    let fix = ViaFix::for_request(request, t.flow().remote, false);
    let bytes = build::response(request, code, reason.as_bytes(), tag, headers, b"", &fix);
    Some((bytes, tx))
}

fn cancel_reason(code: i64) -> Vec<u8> {
    match code {
        200 => b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n".to_vec(),
        100..=699 => format!("Reason: SIP;cause={code}\r\n").into_bytes(),
        _ => Vec::new(),
    }
}
