//! Names of transactions: inside the process, and in the Via branch.

use std::fmt;

use super::hash::SipHash;
use crate::message::Message;
use crate::scan;

/// Branch number that stands for the server side in [`super::Output::Send`] and
/// [`super::TxLayer::send_failed`].
pub const SERVER: u16 = u16::MAX;

/// Marks a branch parameter of RFC 3261 (section 8.1.1.7), then one of ours.
const COOKIE: &[u8] = b"z9hG4bK";
const MARK: &[u8] = b"sw";
/// shard, slot, generation, branch and check sum in hexadecimal.
const DIGITS: usize = 2 + 8 + 8 + 4 + 16;

/// A transaction. An id outlives what it names: a stale one finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TxId {
    /// Which [`super::TxLayer`].
    pub shard: u8,
    /// Place in its table.
    pub slot: u32,
    /// How often the place was used before.
    pub generation: u32,
}

/// The shard that keeps a request's transaction, of `shards` many. Depends on
/// the Call-ID alone, so that a CANCEL and an ACK find their INVITE.
#[must_use]
pub fn shard_of_request(msg: &Message, shards: u8) -> u8 {
    shard_of_call_id(msg.call_id(), shards)
}

/// The same for a Call-ID alone.
#[must_use]
pub fn shard_of_call_id(call_id: &[u8], shards: u8) -> u8 {
    // No secret is needed to spread calls, and all shards must agree. The product of
    // a word brings every bit of it to the middle, the shift from there to the end.
    let mut hash = 0_u64;
    scan::words(call_id, |word| {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    });
    (hash % u64::from(shards.max(1))) as u8
}

/// The shard that a response's top Via branch names, if the branch looks like
/// one of ours. [`super::TxLayer::respond`] then verifies it.
#[must_use]
pub fn shard_of_response(msg: &Message) -> Option<u8> {
    let digits = digits_of(msg.branch()?)?;
    Some(hex(&digits[..2])? as u8)
}

/// The shard that the beginning of a request of ours names, as [`shard_of_response`].
#[must_use]
pub fn shard_of_datagram(quoted: &[u8]) -> Option<u8> {
    let digits = digits_of(token_in(quoted)?)?;
    Some(hex(&digits[..2])? as u8)
}

/// The token in the top Via of a request of ours that may be cut.
pub(super) fn token_in(quoted: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(quoted, b"z9hG4bKsw")?;
    quoted.get(at..at + COOKIE.len() + MARK.len() + DIGITS)
}

/// Whether a branch parameter is unique by RFC 3261 (section 17.2.3).
pub(super) fn has_cookie(branch: &[u8]) -> bool {
    match branch.split_at_checked(COOKIE.len()) {
        Some((cookie, rest)) if !rest.is_empty() => {
            cookie == COOKIE || cookie.eq_ignore_ascii_case(COOKIE)
        }
        _ => false,
    }
}

/// Makes and checks branch tokens. The secret is never shown, so that tokens
/// cannot be made up, and those of an earlier run do not match.
#[derive(Clone, Copy)]
pub(super) struct Tokens {
    k0: u64,
    k1: u64,
}

impl fmt::Debug for Tokens {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(super) const fn new(secret: u64) -> Self {
        let k1 = secret.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15;
        Self { k0: secret, k1 }
    }

    pub(super) const fn hasher(&self) -> SipHash {
        SipHash::new(self.k0, self.k1)
    }

    /// The value of the Via branch parameter.
    pub(super) fn encode(&self, id: TxId, branch: u16) -> String {
        let mut token = String::with_capacity(COOKIE.len() + MARK.len() + DIGITS);
        token.push_str("z9hG4bKsw");
        push_hex(&mut token, id.shard.into(), 2);
        push_hex(&mut token, id.slot.into(), 8);
        push_hex(&mut token, id.generation.into(), 8);
        push_hex(&mut token, branch.into(), 4);
        push_hex(&mut token, self.check(id, branch), 16);
        token
    }

    /// What a token names, if this instance made it.
    pub(super) fn decode(&self, token: &[u8]) -> Option<(TxId, u16)> {
        let digits = digits_of(token)?;
        let id = TxId {
            shard: hex(&digits[..2])? as u8,
            slot: hex(&digits[2..10])? as u32,
            generation: hex(&digits[10..18])? as u32,
        };
        let branch = hex(&digits[18..22])? as u16;
        (hex(&digits[22..])? == self.check(id, branch)).then_some((id, branch))
    }

    /// To tag for responses that are made here (section 8.2.6.2).
    pub(super) fn tag_of(&self, id: TxId) -> u64 {
        self.check(id, SERVER)
    }

    fn check(&self, id: TxId, branch: u16) -> u64 {
        let mut hash = self.hasher();
        hash.word(u64::from(id.slot) << 32 | u64::from(id.generation));
        hash.word(u64::from(id.shard) << 16 | u64::from(branch));
        hash.finish()
    }
}

fn digits_of(token: &[u8]) -> Option<&[u8]> {
    if !has_cookie(token) {
        return None;
    }
    let (mark, digits) = token[COOKIE.len()..].split_at_checked(MARK.len())?;
    (mark.eq_ignore_ascii_case(MARK) && digits.len() == DIGITS).then_some(digits)
}

/// Appends the last `digits` hexadecimal digits of a number. Every forwarded request
/// has 38 of them, which is too many for the formatting machinery.
pub(super) fn push_hex(out: &mut String, number: u64, digits: u32) {
    for digit in (0..digits).rev() {
        let value = (number >> (4 * digit)) & 15;
        out.push(char::from(b"0123456789abcdef"[value as usize]));
    }
}

/// At most 16 hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, &digit| {
        Some(value << 4 | u64::from((digit as char).to_digit(16)?))
    })
}

#[cfg(test)]
mod tests {
    use super::{Tokens, TxId};

    const ID: TxId = TxId {
        shard: 3,
        slot: 70_000,
        generation: 9,
    };

    #[test]
    fn a_token_names_its_branch() {
        let tokens = Tokens::new(42);
        let token = tokens.encode(ID, 5);
        assert_eq!(tokens.decode(token.as_bytes()), Some((ID, 5)));
        assert_eq!(
            tokens.decode(token.to_uppercase().as_bytes()),
            Some((ID, 5))
        );
    }

    #[test]
    fn every_changed_digit_is_noticed() {
        let tokens = Tokens::new(42);
        let token = tokens.encode(ID, 5).into_bytes();
        for at in 0..token.len() {
            let mut forged = token.clone();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(tokens.decode(&forged), None, "position {at}");
            assert_eq!(tokens.decode(&token[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn tokens_of_another_instance_do_not_match() {
        let token = Tokens::new(42).encode(ID, 5);
        assert_eq!(Tokens::new(43).decode(token.as_bytes()), None);
    }
}
