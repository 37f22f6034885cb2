//! SipHash-1-3 (Aumasson and Bernstein), with a key.
//!
//! Keys of server transactions are made of what a stranger writes, and branch
//! tokens come back from strangers: without the key nobody can make two of the
//! first collide, or make one of the second.

/// A keyed hash under construction.
#[derive(Clone, Copy)]
pub(super) struct SipHash<const C: usize = 1, const D: usize = 3> {
    v: [u64; 4],
    tail: u64,
    len: u64,
}

impl<const C: usize, const D: usize> SipHash<C, D> {
    pub(super) const fn new(k0: u64, k1: u64) -> Self {
        let v = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { v, tail: 0, len: 0 }
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.tail |= u64::from(byte) << (8 * (self.len & 7));
            self.len += 1;
            if self.len & 7 == 0 {
                self.absorb();
            }
        }
    }

    /// Adds a field: its length too, so that fields cannot run into each other.
    pub(super) fn field(&mut self, bytes: &[u8]) {
        self.write(&(bytes.len() as u32).to_le_bytes());
        self.write(bytes);
    }

    /// Adds a field whose case does not matter.
    pub(super) fn field_lower(&mut self, bytes: &[u8]) {
        self.write(&(bytes.len() as u32).to_le_bytes());
        for byte in bytes {
            self.write(&[byte.to_ascii_lowercase()]);
        }
    }

    pub(super) fn finish(mut self) -> u64 {
        self.tail |= self.len << 56;
        self.absorb();
        self.v[2] ^= 0xff;
        for _ in 0..D {
            self.round();
        }
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }

    fn absorb(&mut self) {
        self.v[3] ^= self.tail;
        for _ in 0..C {
            self.round();
        }
        self.v[0] ^= self.tail;
        self.tail = 0;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32);
        c = c.wrapping_add(b);
        a = a.wrapping_add(d);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::SipHash;

    /// The test vectors of the SipHash paper are of SipHash-2-4.
    #[test]
    fn paper_vector() {
        let k0 = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7]);
        let k1 = u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15]);
        let mut hash = SipHash::<2, 4>::new(k0, k1);
        hash.write(&(0..15).collect::<Vec<u8>>());
        assert_eq!(hash.finish(), 0xa129_ca61_49be_45e5);
        assert_eq!(SipHash::<2, 4>::new(k0, k1).finish(), 0x726f_db47_dd0e_0e31);
    }

    #[test]
    fn fields_do_not_run_together() {
        let hash = |fields: &[&[u8]]| {
            let mut h = SipHash::<1, 3>::new(1, 2);
            fields.iter().for_each(|f| h.field(f));
            h.finish()
        };
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }
}
