//! Session tickets (RFC 5077, RFC 8446 section 2.2) under keys that rotate.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use rustls::TicketRotator;
use rustls::crypto::GetRandomFailed;
use rustls::server::ProducesTickets;

const KEY_LEN: usize = 32;

/// Tickets whose keys make new ones for `lifetime_s` and open old ones as long again.
///
/// # Errors
/// There were no random numbers.
pub fn rotating(lifetime_s: u32) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    Ok(Arc::new(TicketRotator::new(lifetime_s.max(1), key)?))
}

fn key() -> Result<Box<dyn ProducesTickets>, GetRandomFailed> {
    let mut bytes = [0; KEY_LEN];
    rand::fill(&mut bytes).map_err(|_| GetRandomFailed)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| GetRandomFailed)?;
    bytes.fill(0);
    Ok(Box::new(Key(key)))
}

/// One key; a ticket is its nonce and the sealed session.
#[derive(Debug)]
struct Key(RandomizedNonceKey);

impl ProducesTickets for Key {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // The rotator around it says how long.
        0
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::empty(), &mut sealed);
        let mut ticket = nonce.ok()?.as_ref().to_vec();
        ticket.append(&mut sealed);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = ticket.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = sealed.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_with_its_key_only() {
        let (mine, other) = (key().unwrap(), key().unwrap());
        let ticket = mine.encrypt(b"session").unwrap();
        assert_eq!(mine.decrypt(&ticket).unwrap(), b"session");
        assert!(other.decrypt(&ticket).is_none());
        let mut broken = ticket;
        broken[NONCE_LEN] ^= 1;
        assert!(mine.decrypt(&broken).is_none());
        assert!(mine.decrypt(b"short").is_none());
    }
}
