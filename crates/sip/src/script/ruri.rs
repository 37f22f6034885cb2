//! The request-URI and the next hop: `KSR.seturi`, `KSR.setdsturi` and the like.

use crate::uri::{Scheme, Uri};

use super::context::Context;
use super::core::is_token_text;

/// `KSR.seturi`: replaces the request-URI. As in Kamailio an empty one is ignored and a
/// malformed one is taken; reading it back then gives null.
pub fn seturi(ctx: &mut Context, uri: &[u8]) -> bool {
    if !is_token_text(uri) {
        ctx.complain("seturi: blank or control character in the URI");
        return false;
    }
    if !uri.is_empty() {
        ctx.set_uri(uri.to_vec());
    }
    true
}

/// `KSR.setuser`: replaces the user part; an empty one removes it and the password.
pub fn setuser(ctx: &mut Context, user: &[u8]) -> bool {
    rewrite(ctx, Part::User(user))
}

/// `KSR.sethost`: replaces the host; the port stays.
pub fn sethost(ctx: &mut Context, host: &[u8]) -> bool {
    rewrite(ctx, Part::Host(host))
}

/// `$rp = ..`: replaces the port; `None` removes it.
pub fn setport(ctx: &mut Context, port: Option<u16>) -> bool {
    rewrite(ctx, Part::Port(port))
}

/// `KSR.setdsturi`: sets the next hop; empty for none. What is not a URI is found out when
/// it is resolved. A destination that was used does not become one again by it, as in
/// Kamailio; by `$du = ..` it does.
pub fn setdsturi(ctx: &mut Context, uri: &[u8]) -> bool {
    if !is_token_text(uri) {
        ctx.complain("setdsturi: blank or control character in the URI");
        return false;
    }
    ctx.dst_uri = (!uri.is_empty()).then(|| uri.to_vec());
    true
}

/// `KSR.resetdsturi`.
pub fn resetdsturi(ctx: &mut Context) -> bool {
    ctx.dst_uri = None;
    true
}

/// `KSR.isdsturiset`.
#[must_use]
pub const fn isdsturiset(ctx: &Context) -> bool {
    ctx.dst_uri.is_some()
}

/// A part of a URI with its new text.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// User; empty to remove it together with the password.
    User(&'a [u8]),
    /// Host.
    Host(&'a [u8]),
    /// Port; `None` to remove it.
    Port(Option<u16>),
}

fn rewrite(ctx: &mut Context, part: Part<'_>) -> bool {
    match with_part(ctx.uri(), part) {
        Some(uri) => {
            ctx.set_uri(uri);
            true
        }
        None => {
            ctx.complain("cannot rewrite the request-URI: it or the new part is malformed");
            false
        }
    }
}

/// `uri` with one part replaced. `None` when it is no URI, or the part unfit for one.
pub(super) fn with_part(uri: &[u8], part: Part<'_>) -> Option<Vec<u8>> {
    let mut u = Uri::parse(uri).ok()?;
    match part {
        Part::User(text) if is_token_text(text) => {
            u.user = (!text.is_empty()).then_some(text);
            if text.is_empty() {
                u.password = None;
            }
        }
        Part::Host(text) if is_token_text(text) && !text.is_empty() && u.is_sip() => u.host = text,
        Part::Port(port) if u.is_sip() => u.port = port,
        _ => return None,
    }
    composed(&u)
}

/// The text of a URI, if that text means its parts.
pub(super) fn composed(u: &Uri<'_>) -> Option<Vec<u8>> {
    let text = compose(u);
    let parsed = Uri::parse(&text).ok()?;
    let same = |p: &Uri<'_>| {
        (p.host, p.port, p.params, p.headers) == (u.host, u.port, u.params, u.headers)
    };
    same(&parsed).then_some(text)
}

/// The text of a URI from its parts.
fn compose(u: &Uri<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(u.raw.len() + 16);
    out.extend_from_slice(u.scheme_name);
    out.push(b':');
    if let Some(user) = u.user {
        out.extend_from_slice(user);
        if let Some(password) = u.password {
            out.push(b':');
            out.extend_from_slice(password);
        }
        if matches!(u.scheme, Scheme::Sip | Scheme::Sips) {
            out.push(b'@');
        }
    }
    out.extend_from_slice(u.host);
    if let Some(port) = u.port {
        out.push(b':');
        out.extend_from_slice(port.to_string().as_bytes());
    }
    if !u.params.is_empty() {
        out.push(b';');
        out.extend_from_slice(u.params);
    }
    if !u.headers.is_empty() {
        out.push(b'?');
        out.extend_from_slice(u.headers);
    }
    out
}
