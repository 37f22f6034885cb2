//! The best of several failures (RFC 3261 section 16.7 steps 6 and 7).

use bytes::Bytes;

use super::transaction::{Branch, Outcome};
use crate::edit::Edits;
use crate::header::HeaderId;
use crate::message::Message;

/// The branch whose failure goes upstream: of a 6xx if there is one, else of the
/// lowest class; in class 4xx those first that tell the caller how to try again.
/// Equals: the lower code, then the earlier branch.
pub(super) fn choose(branches: &[Branch]) -> Option<usize> {
    let done = (0..)
        .zip(branches)
        .filter(|(_, b)| b.outcome == Outcome::Done);
    done.min_by_key(|&(index, b)| (rank(b.code), b.code, index))
        .map(|(index, _)| index)
}

/// Smaller is better. The order inside class 4xx is Kamailio's.
const fn rank(code: u16) -> u16 {
    match code {
        600.. => 0,
        401 | 407 => 40,
        415 => 41,
        420 => 42,
        484 => 43,
        400..=499 => 44,
        _ => code / 100 * 10,
    }
}

/// The bytes of a 401 or 407 with the challenges of all other branches added, so
/// that the caller can answer each (step 7).
pub(super) fn with_challenges(branches: &[Branch], best: usize) -> Option<Bytes> {
    let reply = branches[best].reply.as_ref()?;
    let mut lines = Vec::new();
    for (index, branch) in branches.iter().enumerate() {
        if index != best && branch.outcome == Outcome::Done && matches!(branch.code, 401 | 407) {
            lines.extend(
                branch
                    .reply
                    .as_ref()
                    .and_then(challenges)
                    .unwrap_or_default(),
            );
        }
    }
    if lines.is_empty() {
        return Some(reply.clone());
    }
    let Ok(msg) = Message::parse(reply.clone()) else {
        return Some(reply.clone());
    };
    let mut edits = Edits::new();
    edits.append_header(lines);
    let mut out = Vec::new();
    edits.apply(&msg, &mut out);
    Some(out.into())
}

/// The header lines of a response that challenge the caller.
fn challenges(reply: &Bytes) -> Option<Vec<u8>> {
    let msg = Message::parse(reply.clone()).ok()?;
    let ids = [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate];
    let lines = msg.headers().iter().filter(|h| ids.contains(&h.id));
    Some(lines.flat_map(|h| msg.get(h.full)).copied().collect())
}

/// The same response with another status line.
pub(super) fn with_status(reply: &Bytes, code: u16, reason: &str) -> Option<Bytes> {
    let rest = &reply[memchr::memchr(b'\n', reply)? + 1..];
    let mut out = format!("SIP/2.0 {code} {reason}\r\n").into_bytes();
    out.extend_from_slice(rest);
    Some(out.into())
}
