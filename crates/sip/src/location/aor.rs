//! Addresses-of-record in the canonical form by which bindings are kept (RFC 3261 section 10.3 step 5).

use crate::uri::unescape;

/// What of a URI counts.
#[derive(Clone, Debug, Default)]
pub struct AorRules {
    /// The domain is part of it, not only the user.
    pub use_domain: bool,
    /// The user keeps its case.
    pub case_sensitive: bool,
    /// Beginning of a domain that does not count, in lower case; empty for none.
    pub realm_prefix: String,
}

/// The key of a SIP, SIPS or TEL URI: its user, with `@domain` if the rules say so; `None` for any other text.
///
/// Parameters, headers, port and password do not count, escapes are resolved, and the domain is compared without
/// regard to case. A URI without a user stands for its domain.
#[must_use]
pub fn canonical_aor(uri: &[u8], rules: &AorRules) -> Option<Vec<u8>> {
    let colon = memchr::memchr(b':', uri)?;
    let (scheme, rest) = (&uri[..colon], &uri[colon + 1..]);
    if scheme.eq_ignore_ascii_case(b"tel") {
        return number(rest);
    }
    if !scheme.eq_ignore_ascii_case(b"sip") && !scheme.eq_ignore_ascii_case(b"sips") {
        return None;
    }
    // An unescaped "@" occurs only after the user; a user may hold ";" and "?", which end a host.
    let (user, host) = match memchr::memchr(b'@', rest) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&b""[..], rest),
    };
    let domain = host_of(host).to_ascii_lowercase();
    if domain.is_empty() {
        return None;
    }
    let user = &user[..memchr::memchr(b':', user).unwrap_or(user.len())];
    if user.is_empty() {
        return Some(domain);
    }
    let mut key = canonical_user(user);
    if !rules.case_sensitive {
        let text = std::str::from_utf8(&key).ok().map(str::to_lowercase);
        key = text.map_or_else(|| key.to_ascii_lowercase(), String::into_bytes);
    }
    if rules.use_domain {
        key.push(b'@');
        let prefix = rules.realm_prefix.as_bytes();
        key.extend_from_slice(domain.strip_prefix(prefix).unwrap_or(&domain));
    }
    Some(key)
}

/// The user without its escapes, except of control characters and of `%` itself: a key goes into databases, which hold
/// no NUL, and back into headers, whose lines it must not end; two users that differ have keys that do.
fn canonical_user(user: &[u8]) -> Vec<u8> {
    let plain = unescape(user);
    if !plain.iter().any(|&c| c.is_ascii_control() || c == b'%') {
        return plain;
    }
    let mut key = Vec::with_capacity(user.len());
    for c in plain {
        if c.is_ascii_control() || c == b'%' {
            key.extend_from_slice(format!("%{c:02X}").as_bytes());
        } else {
            key.push(c);
        }
    }
    key
}

fn number(rest: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let digits: Vec<u8> = rest[..end]
        .iter()
        .copied()
        .filter(|c| !b"-.()".contains(c))
        .collect();
    (!digits.is_empty()).then_some(digits)
}

fn host_of(text: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b';', b'?', text).unwrap_or(text.len());
    let text = &text[..end];
    if let Some(inner) = text.strip_prefix(b"[") {
        return &inner[..memchr::memchr(b']', inner).unwrap_or(inner.len())];
    }
    &text[..memchr::memchr(b':', text).unwrap_or(text.len())]
}
