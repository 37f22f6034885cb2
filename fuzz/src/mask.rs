//! Messages in the log and in recordings: secrets are covered, lengths stay.

use sipwright_sip::mask::{masked, masked_text};

/// Covering keeps the length, and covering twice is covering once.
pub fn check(data: &[u8]) {
    let shown = masked(data);
    assert_eq!(shown.len(), data.len());
    assert_eq!(masked(&shown), shown);
    let text = masked_text(data);
    assert_eq!(text.len(), data.len());
    assert_eq!(masked_text(&text), text);
}
