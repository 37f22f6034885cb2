//! Forking that does not get out of hand (RFC 5393): loops are noticed, and a request
//! has no more branches at a time, here and further on, than its Max-Breadth.

use bytes::Bytes;
use sipwright_sip::Edits;
use sipwright_sip::message::Message;
use sipwright_sip::tx::{Outcome, TxId};

use crate::core::Core;
use crate::session::Current;

const MAX_BREADTH: &[u8] = b"Max-Breadth";

/// Whether a request may be forwarded to so many branches at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Breadth {
    /// As it is: it does not fork and says nothing of it.
    Free,
    /// These are to be shared by its branches.
    Share(u32),
    /// There are not enough (440).
    Exhausted,
}

impl Core {
    /// Whether the request was here before, with all that decides where it goes
    /// (RFC 5393 section 4).
    pub(super) fn is_loop(&self, cur: &Current) -> bool {
        // Our Via is below another one in a request that comes back.
        self.config.tm.loop_detection
            && cur.ctx.msg.vias().nth(1).is_some()
            && self
                .shard_of(&cur.ctx.msg)
                .is_loop(&cur.ctx.msg, &cur.ctx.flow)
    }

    /// What the request may still fork to (RFC 5393 section 5.3.3).
    pub(super) fn breadth(&self, cur: &Current, tx: TxId, branches: usize) -> Breadth {
        let limit = self.config.tm.max_breadth;
        let given = cur.ctx.msg.find(MAX_BREADTH).next();
        if limit == 0 || branches == 0 || branches == 1 && given.is_none() {
            return Breadth::Free;
        }
        let given = given.and_then(|h| number(cur.ctx.msg.get(h.value)));
        let left = given
            .unwrap_or(limit)
            .min(limit)
            .saturating_sub(self.in_use(tx));
        match u32::try_from(branches) {
            Ok(n) if n <= left => Breadth::Share(left),
            _ => Breadth::Exhausted,
        }
    }

    /// What the branches have that are still out.
    fn in_use(&self, tx: TxId) -> u32 {
        let shard = self.shard(tx);
        let branches = shard.get(tx).map_or(&[][..], |t| t.branches());
        let pending = branches.iter().filter(|b| b.outcome() == Outcome::Pending);
        let shares = pending.map(|b| {
            let sent = Message::parse(b.bytes().clone()).ok();
            let share = sent.and_then(|m| number(m.get(m.find(MAX_BREADTH).next()?.value)));
            share.unwrap_or(1)
        });
        shares.sum()
    }
}

/// The part of the branch with that number among so many.
pub(super) fn share(left: u32, index: usize, branches: usize) -> u32 {
    let n = u32::try_from(branches).unwrap_or(u32::MAX).max(1);
    let more = u32::try_from(index).is_ok_and(|i| i < left % n);
    left / n + u32::from(more)
}

/// The request with this Max-Breadth.
pub(super) fn with_breadth(bytes: &Bytes, breadth: u32) -> Bytes {
    let Ok(msg) = Message::parse(bytes.clone()) else {
        return bytes.clone();
    };
    let mut edits = Edits::new();
    for line in msg.find(MAX_BREADTH) {
        edits.remove(line.full);
    }
    edits.append_header(format!("Max-Breadth: {breadth}\r\n"));
    let mut out = Vec::with_capacity(bytes.len() + 20);
    edits.apply(&msg, &mut out);
    out.into()
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n\
        Max-Breadth: 60\r\nFrom: <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\n\
        CSeq: 1 OPTIONS\r\nmax-breadth: 5\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn shares_add_up() {
        for (left, branches) in [(60, 1), (60, 7), (3, 3), (4, 3), (61, 60)] {
            let shares: Vec<_> = (0..branches).map(|i| share(left, i, branches)).collect();
            assert_eq!(shares.iter().sum::<u32>(), left);
            assert!(
                shares.iter().all(|s| *s >= 1),
                "{left} by {branches}: {shares:?}"
            );
            let (most, least) = (shares.iter().max(), shares.iter().min());
            assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }

    #[test]
    fn the_header_is_replaced() {
        let out = with_breadth(&Bytes::from_static(REQUEST.as_bytes()), 7);
        let msg = Message::parse(out).unwrap();
        let values: Vec<_> = msg.find(MAX_BREADTH).map(|h| msg.get(h.value)).collect();
        assert_eq!(values, [b"7"]);
    }

    #[test]
    fn numbers() {
        assert_eq!(number(b" 60 "), Some(60));
        assert_eq!(number(b"sixty"), None);
        assert_eq!(number(b"-1"), None);
    }
}
