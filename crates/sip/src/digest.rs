//! Message digests: MD5 (RFC 1321) and SHA-2 (FIPS 180-4), in lower-case hexadecimal.
//!
//! Scripts make keys and compare values with them; nothing secret rests on them here.

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

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
            Self::Md5 => Md5::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha384 => Sha384::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        };
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n & 15)];
        bytes
            .iter()
            .flat_map(|b| [digit(b >> 4), digit(*b)])
            .collect()
    }
}
