//! Encodings that transformations make and read.

use super::text::replace;

pub(super) fn hex(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|c| [digit(c >> 4), digit(c & 15)])
        .collect()
}

const fn digit(n: u8) -> u8 {
    b"0123456789abcdef"[(n & 15) as usize]
}

/// Bytes of pairs of digits; a digit that has no partner is left out.
pub(super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let value = |c: u8| {
        let digit = char::from(c).to_digit(16);
        digit.and_then(|d| u8::try_from(d).ok())
    };
    text.chunks_exact(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
        .collect()
}

const PLAIN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Which base64 (RFC 4648).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Base64 {
    /// The alphabet that may stand in a URL.
    pub url: bool,
    /// With `=` up to a multiple of four.
    pub padded: bool,
}

impl Base64 {
    const fn alphabet(self) -> &'static [u8; 64] {
        if self.url { URL } else { PLAIN }
    }

    pub(super) fn encode(self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len().div_ceil(3) * 4);
        for chunk in text.chunks(3) {
            let [a, b, c] = [0, 1, 2].map(|i| u32::from(chunk.get(i).copied().unwrap_or(0)));
            let bits = a << 16 | b << 8 | c;
            for i in 0..=chunk.len() {
                out.push(self.alphabet()[(bits >> (18 - 6 * i) & 63) as usize]);
            }
            if self.padded {
                out.resize(out.len().next_multiple_of(4), b'=');
            }
        }
        out
    }

    /// Null when a character is none of the alphabet's. Plain base64 is whole groups of four,
    /// and that of URLs is not empty.
    pub(super) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        if self.url && text.is_empty() {
            return None;
        }
        if self.padded && !self.url && !text.len().is_multiple_of(4) {
            return None;
        }
        let text = text.trim_ascii_end();
        let mut out = Vec::with_capacity(text.len() / 4 * 3);
        let (mut bits, mut have) = (0_u32, 0);
        let end = text.iter().rposition(|c| *c != b'=').map_or(0, |i| i + 1);
        for c in &text[..end] {
            let value = self.alphabet().iter().position(|b| b == c)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
            have += 6;
            if have >= 8 {
                have -= 8;
                out.push(u8::try_from(bits >> have & 0xff).ok()?);
            }
        }
        Some(out)
    }
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Base 58 takes time with the square of the length.
const MAX_BASE58: usize = 4096;

/// Digits of a number in another base, most significant first. Zeros in front are kept,
/// as many as there are.
fn rebase(digits: impl Iterator<Item = u8> + Clone, from: u32, to: u32) -> Vec<u8> {
    let zeros = digits.clone().take_while(|d| *d == 0).count();
    // least significant first
    let mut number: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u32::from(digit);
        for place in &mut number {
            carry += u32::from(*place) * from;
            *place = u8::try_from(carry % to).unwrap_or(0);
            carry /= to;
        }
        while carry > 0 {
            number.push(u8::try_from(carry % to).unwrap_or(0));
            carry /= to;
        }
    }
    number.resize(number.len() + zeros, 0);
    number.reverse();
    number
}

/// Null for a text that is too long.
pub(super) fn base58(text: &[u8]) -> Option<Vec<u8>> {
    let digits = (text.len() <= MAX_BASE58).then(|| rebase(text.iter().copied(), 256, 58))?;
    Some(digits.iter().map(|d| BASE58[usize::from(*d)]).collect())
}

/// Null for a text that is too long or has other characters.
pub(super) fn unbase58(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > MAX_BASE58 {
        return None;
    }
    let digits: Option<Vec<u8>> = text
        .iter()
        .map(|c| u8::try_from(BASE58.iter().position(|b| b == c)?).ok())
        .collect();
    Some(rebase(digits?.iter().copied(), 58, 256))
}

/// Septets packed into octets as in short messages (3GPP 23.038 section 6.1.2.1), in
/// hexadecimal.
pub(super) fn pack_septets(text: &[u8]) -> Vec<u8> {
    let (mut bits, mut have, mut out) = (0_u32, 0, Vec::new());
    for c in text {
        bits |= u32::from(c & 0x7f) << have;
        have += 7;
        if have >= 8 {
            out.push(u8::try_from(bits & 0xff).unwrap_or(0));
            bits >>= 8;
            have -= 8;
        }
    }
    if have > 0 {
        out.push(u8::try_from(bits & 0xff).unwrap_or(0));
    }
    hex(&out).to_ascii_uppercase()
}

/// The opposite; null for what is not hexadecimal.
pub(super) fn unpack_septets(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut have, mut out) = (0_u32, 0, Vec::new());
    for octet in unhex(text)? {
        bits |= u32::from(octet) << have;
        have += 8;
        while have >= 7 {
            out.push(u8::try_from(bits & 0x7f).unwrap_or(0));
            bits >>= 7;
            have -= 7;
        }
    }
    // the rest of the last octet
    if out.len().is_multiple_of(8) && out.last() == Some(&0) {
        out.pop();
    }
    Some(out)
}

/// A quoted field (RFC 4180).
pub(super) fn csv(text: &[u8]) -> Vec<u8> {
    [b"\"", &*replace(text, b"\"", b"\"\""), b"\""].concat()
}

/// The hash that Kamailio's core has for texts, of a table with so many slots if `size` is
/// above 1. It is made for sizes that are powers of two.
pub(super) fn core_hash(text: &[u8], size: i64) -> u32 {
    let mut sum = 0_u32;
    let mut add = |bytes: &[u8]| {
        // bytes count as signed
        let word = bytes.iter().fold(0_u32, |word, b| {
            (word << 8).wrapping_add(i32::from(b.cast_signed()).cast_unsigned())
        });
        sum = sum.wrapping_add(word ^ (word >> 3));
    };
    let mut words = text.chunks_exact(4);
    words.by_ref().for_each(&mut add);
    add(words.remainder());
    let mixed = sum
        .wrapping_add(sum >> 11)
        .wrapping_add(sum >> 13)
        .wrapping_add(sum >> 23);
    match u32::try_from(size) {
        Ok(size) if size > 1 => mixed & (size - 1),
        _ => mixed,
    }
}

/// Backslashes before quotes, backslashes and zero bytes.
pub(super) fn escape_common(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text {
        match c {
            b'\'' | b'"' | b'\\' => out.extend([b'\\', *c]),
            0 => out.extend_from_slice(b"\\0"),
            c => out.push(*c),
        }
    }
    out
}

pub(super) fn unescape_common(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(c) = bytes.next() {
        match (c, bytes.as_slice().first()) {
            (b'\\', Some(b'0')) => {
                bytes.next();
                out.push(0);
            }
            (b'\\', Some(next @ (b'\'' | b'"' | b'\\'))) => {
                bytes.next();
                out.push(*next);
            }
            _ => out.push(*c),
        }
    }
    out
}

/// `mark` and `user-unreserved` of RFC 3261 section 25.1.
pub(super) const USER: &[u8] = b"-_.!~*'()&=+$,;?/";
/// `mark` and `param-unreserved` of RFC 3261 section 25.1.
pub(super) const PARAM: &[u8] = b"-_.!~*'()[]/:&+$";

pub(super) fn percent(text: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text {
        if c.is_ascii_alphanumeric() || plain.contains(c) {
            out.push(*c);
        } else {
            out.extend([b'%', digit(c >> 4), digit(*c)]);
        }
    }
    out
}

/// `unreserved` of RFC 3986 section 2.3.
const UNRESERVED: &[u8] = b"-_.~";

pub(super) fn url_encode(text: &[u8]) -> Vec<u8> {
    percent(text, UNRESERVED)
}
