//! SipHash-1-3 (Aumasson and Bernstein), with a key.
//!
//! Keys of server transactions are made of what a stranger writes, and branch
//! tokens come back from strangers: without the key nobody can make two of the
//! first collide, or make one of the second.

use crate::scan;

/// A keyed hash under construction. It takes whole words: that is several times
/// faster than a stream of bytes.
#[derive(Clone, Copy)]
pub(super) struct SipHash<const C: usize = 1, const D: usize = 3> {
    v: [u64; 4],
    words: u64,
}

impl<const C: usize, const D: usize> SipHash<C, D> {
    #[inline]
    pub(super) const fn new(k0: u64, k1: u64) -> Self {
        let v = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { v, words: 0 }
    }

    /// Adds a word.
    #[inline]
    pub(super) fn word(&mut self, word: u64) {
        self.words += 1;
        self.absorb(word);
    }

    /// Adds a field: its length too, so that fields cannot run into each other.
    #[inline(always)]
    pub(super) fn field(&mut self, bytes: &[u8]) {
        self.field_with(bytes, 0);
    }

    /// Adds a field whose case does not matter. Bytes that are no letters lose a bit
    /// too, but no two that a host can hold become one.
    #[inline]
    pub(super) fn field_lower(&mut self, bytes: &[u8]) {
        self.field_with(bytes, 0x2020_2020_2020_2020);
    }

    #[inline(always)]
    fn field_with(&mut self, bytes: &[u8], set: u64) {
        self.word(bytes.len() as u64);
        scan::words(bytes, |word| self.word(word | set));
    }

    #[inline]
    pub(super) fn finish(self) -> u64 {
        let words = self.words;
        self.end(words << 59)
    }

    /// Ends with the last word of a message, which holds its length in the top byte.
    #[inline]
    fn end(mut self, last: u64) -> u64 {
        self.absorb(last);
        self.v[2] ^= 0xff;
        for _ in 0..D {
            self.round();
        }
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }

    #[inline]
    fn absorb(&mut self, word: u64) {
        self.v[3] ^= word;
        for _ in 0..C {
            self.round();
        }
        self.v[0] ^= word;
    }

    #[inline]
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
        hash.word(0x0706_0504_0302_0100);
        assert_eq!(hash.end(0x0f0e_0d0c_0b0a_0908), 0xa129_ca61_49be_45e5);
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

    #[test]
    fn every_byte_of_a_field_counts() {
        let hash = |bytes: &[u8]| {
            let mut h = SipHash::<1, 3>::new(1, 2);
            h.field_lower(bytes);
            h.finish()
        };
        for len in 0..20 {
            let text = vec![b'a'; len];
            assert_eq!(hash(&text), hash(&text.to_ascii_uppercase()));
            assert_ne!(hash(&text), hash(&[&text[..], &[0]].concat()));
            for at in 0..len {
                let mut other = text.clone();
                other[at] = b'b';
                assert_ne!(hash(&text), hash(&other), "{at} of {len}");
            }
        }
    }
}
