//! Digest credentials (RFC 3261 section 22.4): `$au`, `$ar`, `$adn`, ...

use crate::header::HeaderId;
use crate::message::Message;

use super::super::context::Value;
use super::names::Class;

pub(super) fn get(msg: &Message, class: Class) -> Value<'_> {
    let credentials = msg
        .value(HeaderId::Authorization)
        .or_else(|| msg.value(HeaderId::ProxyAuthorization));
    let Some(credentials) = credentials else {
        return Value::Null;
    };
    let field = |name: &str| param(credentials, name.as_bytes());
    let user = field("username").unwrap_or_default();
    let at = user.iter().position(|c| *c == b'@');
    match class {
        Class::AuthUserAll => Value::opt(field("username")),
        Class::AuthUser => Value::borrowed(&user[..at.unwrap_or(user.len())]),
        Class::AuthDomain => Value::borrowed(at.map_or(b"".as_slice(), |i| &user[i + 1..])),
        Class::AuthRealm => Value::opt(field("realm")),
        Class::AuthAlgorithm => Value::opt(field("algorithm")),
        Class::AuthNonce => Value::opt(field("nonce")),
        Class::AuthResponse => Value::opt(field("response")),
        Class::AuthCnonce => Value::opt(field("cnonce")),
        Class::AuthOpaque => Value::opt(field("opaque")),
        Class::AuthUri => Value::opt(field("uri")),
        _ => Value::Null,
    }
}

/// Value of a comma separated `name=value`, without its quotes.
pub(in super::super) fn param<'a>(credentials: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = credentials.trim_ascii();
    // the scheme, `Digest`
    rest = &rest[rest.iter().position(|c| *c == b' ')?..];
    while let Some(eq) = memchr::memchr(b'=', rest) {
        let key = rest[..eq].trim_ascii();
        let value = rest[eq + 1..].trim_ascii_start();
        let (value, after) = if let Some(quoted) = value.strip_prefix(b"\"") {
            let end = memchr::memchr(b'"', quoted)?;
            (&quoted[..end], &quoted[end + 1..])
        } else {
            let end = memchr::memchr(b',', value).unwrap_or(value.len());
            (value[..end].trim_ascii(), &value[end..])
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        let comma = memchr::memchr(b',', after)?;
        rest = &after[comma + 1..];
    }
    None
}
