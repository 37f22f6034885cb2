//! The Contact header field that tells a client its bindings.

use std::io::Write;

use super::binding::{Binding, NO_Q};

/// What of a binding a client is told.
#[derive(Clone, Debug, Default)]
pub struct ReplyRules {
    /// Name of the parameter with the URI of the NAT; empty for none.
    pub received_param: String,
}

/// Appends the Contact line of the bindings that have not ended, with its CRLF; nothing when there are none.
///
/// `gruu` is user and host of the address-of-record when the client is to be told its GRUUs (RFC 5627).
pub fn push_contacts<'a>(
    out: &mut Vec<u8>,
    bindings: impl IntoIterator<Item = &'a Binding>,
    rules: &ReplyRules,
    gruu: Option<(&[u8], &[u8])>,
    now: i64,
) {
    let mut separator: &[u8] = b"Contact: ";
    for binding in bindings.into_iter().filter(|b| b.is_live(now)) {
        out.extend_from_slice(separator);
        separator = b", ";
        push_contact(out, binding, rules, gruu, now);
    }
    if separator == b", " {
        out.extend_from_slice(b"\r\n");
    }
}

fn push_contact(
    out: &mut Vec<u8>,
    binding: &Binding,
    rules: &ReplyRules,
    gruu: Option<(&[u8], &[u8])>,
    now: i64,
) {
    out.push(b'<');
    out.extend_from_slice(binding.uri.as_bytes());
    out.push(b'>');
    if binding.q != NO_Q {
        push_q(out, binding.q);
    }
    let left = match binding.expires_at {
        0 => i64::from(i32::MAX),
        at => at - now,
    };
    push_text(out, &[b";expires="], Some(left));
    if !binding.received.is_empty() && !rules.received_param.is_empty() {
        let name = rules.received_param.as_bytes();
        push_text(
            out,
            &[b";", name, b"=\"", binding.received.as_bytes(), b"\""],
            None,
        );
    }
    if binding.instance.is_empty() {
        return;
    }
    if let Some((user, host)) = gruu {
        let instance = binding.instance.trim_matches(['<', '>']).as_bytes();
        push_text(
            out,
            &[
                b";pub-gruu=\"sip:",
                user,
                b"@",
                host,
                b";gr=",
                instance,
                b"\"",
            ],
            None,
        );
        let ruid = binding.ruid.as_bytes();
        push_text(
            out,
            &[b";temp-gruu=\"sip:", ruid, b"@", host, b";gr\""],
            None,
        );
    }
    push_text(
        out,
        &[b";+sip.instance=\"", binding.instance.as_bytes(), b"\""],
        None,
    );
    if binding.reg_id > 0 {
        push_text(out, &[b";reg-id="], Some(binding.reg_id.into()));
    }
}

fn push_text(out: &mut Vec<u8>, pieces: &[&[u8]], number: Option<i64>) {
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    if let Some(number) = number {
        // Writing to a vector does not fail.
        let _ = write!(out, "{number}");
    }
}

/// `;q=0.5`: no more digits than it needs.
fn push_q(out: &mut Vec<u8>, q: i16) {
    if q >= 1000 {
        out.extend_from_slice(b";q=1");
        return;
    }
    let text = format!("{q:03}");
    let digits = text.trim_end_matches('0');
    let point: &[u8] = if digits.is_empty() { b"" } else { b"." };
    push_text(out, &[b";q=0", point, digits.as_bytes()], None);
}
