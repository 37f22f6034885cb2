//! Addresses in header fields: Refer-To, Diversion, P-Asserted-Identity and the like.

use crate::header::HeaderId;
use crate::message::Message;
use crate::nameaddr::{NameAddrRef, parse_nameaddr};
use crate::uri::Uri;

use super::super::context::Value;
use super::Index;
use super::read::{host, nonempty, user};

fn first(msg: &Message, id: HeaderId) -> Option<NameAddrRef<'_>> {
    parse_nameaddr(msg.get(msg.values(id).next()?)).ok()
}

/// URI of the first value of that name.
pub(super) fn uri_of(msg: &Message, id: HeaderId) -> Value<'_> {
    Value::opt(first(msg, id).map(|a| a.uri))
}

/// Parameter of the first value of that name.
pub(super) fn param_of<'a>(msg: &'a Message, id: HeaderId, name: &[u8]) -> Value<'a> {
    Value::opt(first(msg, id).and_then(|a| a.param(name)))
}

fn nth(msg: &Message, id: HeaderId, index: Index) -> Option<NameAddrRef<'_>> {
    let at = match index {
        Index::At(i) => usize::try_from(i).ok()?,
        Index::None | Index::All => 0,
    };
    let span = msg.values(id).nth(at)?;
    parse_nameaddr(msg.get(span)).ok()
}

/// URI of the identity at `index` (RFC 3325).
pub(super) fn identity(msg: &Message, id: HeaderId, index: Index) -> Value<'_> {
    Value::opt(nth(msg, id, index).map(|a| a.uri))
}

/// User of that URI.
pub(super) fn identity_user(msg: &Message, id: HeaderId, index: Index) -> Value<'_> {
    user(nth(msg, id, index).and_then(|a| Uri::parse(a.uri).ok()))
}

/// Host of that URI.
pub(super) fn identity_host(msg: &Message, id: HeaderId, index: Index) -> Value<'_> {
    host(nth(msg, id, index).and_then(|a| Uri::parse(a.uri).ok()))
}

/// Display name of that identity.
pub(super) fn identity_name(msg: &Message, id: HeaderId, index: Index) -> Value<'_> {
    nth(msg, id, index).map_or(Value::Null, |a| nonempty(a.display))
}

/// `user@host` of a URI.
pub(super) fn aor(uri: &[u8]) -> Value<'_> {
    let Ok(u) = Uri::parse(uri) else {
        return Value::Null;
    };
    let mut out = u.user.unwrap_or_default().to_vec();
    if !out.is_empty() {
        out.push(b'@');
    }
    out.extend_from_slice(u.host);
    Value::owned(out)
}
