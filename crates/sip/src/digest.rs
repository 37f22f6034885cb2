//! Message digests: MD5 (RFC 1321) and SHA-2 (FIPS 180-4), in lower-case hexadecimal.
//!
//! Scripts make keys and compare values with them; nothing secret rests on them here.

/// Which digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Digest {
    /// 128 bits
    Md5,
    /// 256 bits
    Sha256,
    /// 384 bits
    Sha384,
    /// 512 bits
    Sha512,
}

impl Digest {
    /// The digest of a text in hexadecimal.
    #[must_use]
    pub fn hex(self, text: &[u8]) -> Vec<u8> {
        let bytes = match self {
            Self::Md5 => md5(text).to_vec(),
            Self::Sha256 => sha256(text).to_vec(),
            Self::Sha384 => sha512(text, &SHA384_START)[..48].to_vec(),
            Self::Sha512 => sha512(text, &SHA512_START).to_vec(),
        };
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n & 15)];
        bytes
            .iter()
            .flat_map(|b| [digit(b >> 4), digit(*b)])
            .collect()
    }
}

/// The text with a one bit, zeros and its length in bits, in whole blocks.
fn padded(text: &[u8], block: usize, length: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    out.push(0x80);
    while !(out.len() + length.len()).is_multiple_of(block) {
        out.push(0);
    }
    out.extend_from_slice(length);
    out
}

fn bits(text: &[u8]) -> u64 {
    u64::try_from(text.len())
        .unwrap_or(u64::MAX)
        .wrapping_mul(8)
}

fn md5(text: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    // floor(2^32 * |sin(i + 1)|)
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let table: [u32; 64] =
        std::array::from_fn(|i| ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32);
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for chunk in padded(text, 64, &bits(text).to_le_bytes()).chunks(64) {
        let word = |i: usize| {
            let at = i * 4;
            u32::from_le_bytes([chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (mix, at) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), (7 * i) % 16),
            };
            let sum = a
                .wrapping_add(mix)
                .wrapping_add(table[i])
                .wrapping_add(word(at));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (old, new) in state.iter_mut().zip([a, b, c, d]) {
            *old = old.wrapping_add(new);
        }
    }
    let mut out = [0; 16];
    for (place, word) in out.chunks_mut(4).zip(state) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    out
}

const SHA384_START: [u64; 8] = [
    0xcbbb_9d5d_c105_9ed8,
    0x629a_292a_367c_d507,
    0x9159_015a_3070_dd17,
    0x152f_ecd8_f70e_5939,
    0x6733_2667_ffc0_0b31,
    0x8eb4_4a87_6858_1511,
    0xdb0c_2e0d_64f9_8fa7,
    0x47b5_481d_befa_4fa4,
];
const SHA512_START: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// Fractional bits of the cube roots of the first 80 primes, exactly: the constants of SHA-512,
/// whose upper halves are those of SHA-256.
fn round_constants() -> &'static [u64; 80] {
    static TABLE: std::sync::OnceLock<[u64; 80]> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        let mut primes = (2_u64..).filter(|n| (2..*n).all(|d| n % d != 0));
        std::array::from_fn(|_| cube_root_fraction(primes.next().unwrap_or(2)))
    })
}

/// The first 64 bits after the point of the cube root of a small number: the root of
/// `n * 2^192` by bisection, in arithmetic of 256 bits.
fn cube_root_fraction(n: u64) -> u64 {
    let mut root: u128 = 0;
    for bit in (0..68).rev() {
        let guess = root | 1 << bit;
        if cube_is_at_most(guess, n) {
            root = guess;
        }
    }
    #[allow(clippy::cast_possible_truncation)]
    {
        root as u64
    }
}

/// Whether `guess^3 <= n * 2^192`, for a guess of at most 68 bits.
fn cube_is_at_most(guess: u128, n: u64) -> bool {
    const MASK: u128 = u64::MAX as u128;
    // the square has at most 136 bits: a low word of 64 bits and the rest
    let (low, high) = (guess & MASK, guess >> 64);
    let low_square = low * low;
    let middle = 2 * low * high + (low_square >> 64);
    let square = [
        low_square & MASK,
        middle & MASK,
        (middle >> 64) + high * high,
    ];
    // times the guess, in words of 64 bits
    let mut product = [0_u128; 5];
    for (i, word) in square.iter().enumerate() {
        product[i] += (word * low) & MASK;
        product[i + 1] += (word * low) >> 64;
        product[i + 1] += word * high;
    }
    for i in 0..4 {
        product[i + 1] += product[i] >> 64;
        product[i] &= MASK;
    }
    let above = product[3] + (product[4] << 64);
    let limit = u128::from(n);
    above < limit || above == limit && product[..3] == [0, 0, 0]
}

fn sha256(text: &[u8]) -> [u8; 32] {
    let mut state = SHA512_START.map(upper);
    for chunk in padded(text, 64, &bits(text).to_be_bytes()).chunks(64) {
        let mut words = [0_u32; 64];
        for (word, bytes) in words.iter_mut().zip(chunk.chunks(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for i in 16..64 {
            let (x, y) = (words[i - 15], words[i - 2]);
            let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
            let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
            words[i] = words[i - 16]
                .wrapping_add(s0)
                .wrapping_add(words[i - 7])
                .wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (constant, word) in round_constants().iter().zip(words) {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t1 = h
                .wrapping_add(s1)
                .wrapping_add((e & f) ^ (!e & g))
                .wrapping_add(upper(*constant))
                .wrapping_add(word);
            let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
            (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
        }
        for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *old = old.wrapping_add(new);
        }
    }
    let mut out = [0; 32];
    for (place, word) in out.chunks_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[allow(clippy::cast_possible_truncation)]
const fn upper(word: u64) -> u32 {
    (word >> 32) as u32
}

fn sha512(text: &[u8], start: &[u64; 8]) -> [u8; 64] {
    let mut state = *start;
    let length = u128::from(bits(text)).to_be_bytes();
    for chunk in padded(text, 128, &length).chunks(128) {
        let mut words = [0_u64; 80];
        for (word, bytes) in words.iter_mut().zip(chunk.chunks(8)) {
            *word = bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
        }
        for i in 16..80 {
            let (x, y) = (words[i - 15], words[i - 2]);
            let s0 = x.rotate_right(1) ^ x.rotate_right(8) ^ (x >> 7);
            let s1 = y.rotate_right(19) ^ y.rotate_right(61) ^ (y >> 6);
            words[i] = words[i - 16]
                .wrapping_add(s0)
                .wrapping_add(words[i - 7])
                .wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (constant, word) in round_constants().iter().zip(words) {
            let s1 = e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41);
            let s0 = a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39);
            let t1 = h
                .wrapping_add(s1)
                .wrapping_add((e & f) ^ (!e & g))
                .wrapping_add(*constant)
                .wrapping_add(word);
            let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
            (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
        }
        for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *old = old.wrapping_add(new);
        }
    }
    let mut out = [0; 64];
    for (place, word) in out.chunks_mut(8).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out
}
