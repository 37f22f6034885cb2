//! Finding marks in short texts, eight bytes at a time.
//!
//! A header line is some forty bytes, and a name or a parameter ten: the set-up of
//! a vectorised search costs more there than the search. The tests for a byte are
//! those of "Bit Twiddling Hacks" (Anderson): in their result the lowest flag is
//! right, those above it may not be, so only the lowest is looked at.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Flags the bytes of `word` that are `byte`.
#[inline]
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let x = word ^ (ONES * byte as u64);
    x.wrapping_sub(ONES) & !x & HIGH
}

/// Flags the bytes of `word` below `bound`, which is at most 128.
#[inline]
pub(crate) const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * bound as u64) & !word & HIGH
}

/// Offset of the first byte of `text` that `marks` flags.
#[inline]
pub(crate) fn find(text: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let mut rest = text;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let hits = marks(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return Some(text.len() - rest.len() + lowest(hits));
        }
        rest = after;
    }
    // The zeros that fill the last word are found last, and are no part of the text.
    let at = lowest(marks(last_word(text, rest.len())));
    (at < rest.len()).then(|| text.len() - rest.len() + at)
}

/// As [`find`], for marks that are further off: two words at a time.
#[inline]
pub(crate) fn find_far(text: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let mut rest = text;
    while let Some((chunk, after)) = rest.split_first_chunk::<16>() {
        let pair = u128::from_le_bytes(*chunk);
        let (low, high) = (marks(pair as u64), marks((pair >> 64) as u64));
        if low | high != 0 {
            let at = if low != 0 {
                lowest(low)
            } else {
                8 + lowest(high)
            };
            return Some(text.len() - rest.len() + at);
        }
        rest = after;
    }
    let done = text.len() - rest.len();
    find(rest, marks).map(|at| done + at)
}

/// Offset of the first `byte` in `text`.
#[inline]
pub(crate) fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    find(text, |word| equal(word, byte))
}

/// Gives the words of `text`, the last one filled with zeros.
#[inline]
pub(crate) fn words(text: &[u8], mut take: impl FnMut(u64)) {
    let (chunks, rest) = text.as_chunks::<8>();
    chunks.iter().for_each(|c| take(u64::from_le_bytes(*c)));
    if !rest.is_empty() {
        take(last_word(text, rest.len()));
    }
}

/// Whether two texts are the same; for short ones without a call.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() > 16 {
        return a == b;
    }
    // The first and the last word overlap where the length is no multiple of theirs.
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(x), Some(y)) => x == y && a.last_chunk::<8>() == b.last_chunk::<8>(),
        _ => short_word(a) == short_word(b),
    }
}

/// Index of the byte of the lowest flag; 8 when there is none.
const fn lowest(flags: u64) -> usize {
    flags.trailing_zeros() as usize / 8
}

/// The last `len` bytes of `text`, fewer than eight, followed by zeros.
#[inline]
fn last_word(text: &[u8], len: usize) -> u64 {
    match text.last_chunk::<8>() {
        // Two shifts, as one by 64 is not allowed.
        Some(chunk) => u64::from_le_bytes(*chunk) >> (8 * (7 - len)) >> 8,
        None => short_word(text),
    }
}

/// A text of fewer than eight bytes followed by zeros.
#[inline]
fn short_word(text: &[u8]) -> u64 {
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        // They overlap in the same bytes of the word.
        (Some(first), Some(last)) => {
            let shift = 8 * (text.len() as u32 - 4);
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift
        }
        _ => text
            .iter()
            .rev()
            .fold(0, |word, &b| word << 8 | u64::from(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::{below, equal, find, find_byte, find_far, same};

    #[test]
    fn every_byte_at_every_place() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255_u8 {
                    let mut text = vec![byte ^ 1; len];
                    text[at] = byte;
                    assert_eq!(find_byte(&text, byte), Some(at), "{byte} of {len}");
                    assert_eq!(find_byte(&text[..at], byte), None);
                    let far = find_far(&text, |word| equal(word, byte));
                    assert_eq!(far, Some(at), "{byte} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_bound_is_exact() {
        for bound in [1, 14, 33, 128] {
            for byte in 0..=255_u8 {
                let text = [255, 255, byte, 0];
                let expected = if byte < bound { 2 } else { 3 };
                assert_eq!(find(&text, |w| below(w, bound)), Some(expected), "{byte}");
            }
        }
    }

    #[test]
    fn texts_of_every_length_are_compared_whole() {
        for len in 0..40 {
            let text: Vec<u8> = (0..len).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&text[..], b"x"].concat()));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(!same(&text, &other), "{at} of {len}");
            }
        }
    }

    #[test]
    fn the_first_of_several_marks() {
        let marks = |word| equal(word, b';') | below(word, 0x0e);
        assert_eq!(find(b"abcdefghij\tk;", marks), Some(10));
        assert_eq!(find(b"abcdefghij;\r", marks), Some(10));
        assert_eq!(find(b"abcdefg", marks), None);
        assert_eq!(find(b"abcdefgh", marks), None);
    }
}
