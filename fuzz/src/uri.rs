//! URIs: Request-URI, addresses, Contacts.

use sipwright_sip::Uri;
use sipwright_sip::uri::{escape_user, host_eq, host_ip, unescape, uri_eq};

/// Parts lie within the text; comparison is symmetric; escaping is undone.
pub fn check(data: &[u8]) {
    let (a, b) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, data),
    };
    assert_eq!(unescape(&escape_user(a)), a);
    let _ = host_ip(a);
    assert_eq!(host_eq(a, b), host_eq(b, a));
    let (Ok(a), Ok(b)) = (Uri::parse(a), Uri::parse(b)) else {
        return;
    };
    assert_eq!(uri_eq(&a, &b), uri_eq(&b, &a));
    let _ = (a.transport(), a.lr(), a.host_ip(), a.port_or_default());
    assert!(a.params().count() <= data.len());
    let aor = a.aor();
    assert!(aor.len() <= data.len() + 8, "no address grows");
    let _ = Uri::parse(&aor);
}
