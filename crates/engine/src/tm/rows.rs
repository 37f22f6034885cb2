//! Transactions as an operator sees them (`tm.list` of Kamailio).

use std::sync::Arc;

use sipwright_sip::message::Message;
use sipwright_sip::tx::Transaction;

use super::TxState;
use crate::core::Core;

/// One transaction.
#[derive(Debug)]
pub struct TxRow {
    /// Where it is.
    pub place: u64,
    /// What tells it from another that was there before.
    pub label: u32,
    /// Method of the request.
    pub method: Vec<u8>,
    /// Value of From.
    pub from: Vec<u8>,
    /// Value of To.
    pub to: Vec<u8>,
    /// Value of Call-ID.
    pub call_id: Vec<u8>,
    /// Number of `CSeq`.
    pub cseq: u32,
    /// Whether a client sent the request, not we.
    pub by_client: bool,
    /// Branches.
    pub branches: usize,
    /// Final response; 0 before there is one.
    pub code: u16,
    /// Milliseconds until its branches have to end.
    pub left_ms: u64,
}

impl Core {
    /// The transactions that there are, at most `limit`.
    #[must_use]
    pub fn transaction_rows(&self, limit: usize) -> Vec<TxRow> {
        let now = self.now();
        let mut rows = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let left = limit.saturating_sub(rows.len());
            rows.extend(shard.iter().take(left).map(|t| row(t, now)));
        }
        rows
    }
}

fn row(t: &Transaction<TxState>, now: u64) -> TxRow {
    let id = t.id();
    let sent = || {
        let branch = t.branches().first()?;
        Message::parse(branch.bytes().clone()).ok().map(Arc::new)
    };
    let request = t.request().cloned().or_else(sent);
    let header = |name: &[u8]| {
        let msg = request.as_ref()?;
        let found = msg.find(name).next()?;
        Some(msg.get(found.value).to_vec())
    };
    TxRow {
        place: u64::from(id.slot) << 8 | u64::from(id.shard),
        label: id.generation,
        method: request
            .as_ref()
            .map_or_else(Vec::new, |msg| msg.method_name().to_vec()),
        from: header(b"From").unwrap_or_default(),
        to: header(b"To").unwrap_or_default(),
        call_id: request
            .as_ref()
            .map_or_else(Vec::new, |msg| msg.call_id().to_vec()),
        cseq: request.as_ref().map_or(0, |msg| msg.cseq()),
        by_client: !t.is_local(),
        branches: t.branches().len(),
        code: t.final_code(),
        left_ms: t.end_of_life().saturating_sub(now),
    }
}
