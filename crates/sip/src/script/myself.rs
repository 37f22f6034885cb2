//! Whether a host or URI names this server.

use std::net::SocketAddr;

use crate::types::Proto;
use crate::uri::{Uri, host_ip};

use super::context::Context;
use super::env::unbracket;

/// `KSR.is_myself`: a URI, or a host without a port. Transport and port count only
/// where they are written.
#[must_use]
pub fn is_myself(ctx: &Context, what: &[u8]) -> bool {
    if what.is_empty() {
        return false;
    }
    let is_uri = what.len() > 4
        && (what[..4].eq_ignore_ascii_case(b"sip:") || what[..4].eq_ignore_ascii_case(b"sips"));
    if is_uri {
        return uri_is_myself(ctx, what);
    }
    // a colon that is not of an IPv6 address would be a port, which Kamailio takes for
    // a part of the name
    let host = unbracket(what);
    (host_ip(host).is_some() || !host.contains(&b':')) && ctx.env.is_self(host, 0, None)
}

/// Whether a `sip:` or `sips:` URI names this server.
#[must_use]
pub fn uri_is_myself(ctx: &Context, uri: &[u8]) -> bool {
    Uri::parse(uri).is_ok_and(|u| parsed_is_myself(ctx, &u))
}

pub(super) fn parsed_is_myself(ctx: &Context, uri: &Uri<'_>) -> bool {
    uri.is_sip()
        && !uri.host.is_empty()
        && ctx
            .env
            .is_self(uri.host, uri.port.unwrap_or(0), uri.transport())
}

/// `KSR.is_myself_ruri`: the request-URI in force.
#[must_use]
pub fn is_myself_ruri(ctx: &Context) -> bool {
    ctx.is_request() && uri_is_myself(ctx, ctx.uri())
}

/// `KSR.is_myself_duri`: the destination URI; false when there is none.
#[must_use]
pub fn is_myself_duri(ctx: &Context) -> bool {
    ctx.dst_uri
        .as_deref()
        .is_some_and(|u| uri_is_myself(ctx, u))
}

/// `KSR.is_myself_nhuri`: the next hop, destination URI or request-URI.
#[must_use]
pub fn is_myself_nhuri(ctx: &Context) -> bool {
    uri_is_myself(ctx, ctx.next_hop_uri())
}

/// `KSR.is_myself_furi`: the URI of From.
#[must_use]
pub fn is_myself_furi(ctx: &Context) -> bool {
    uri_is_myself(ctx, ctx.msg.get(ctx.msg.from().uri))
}

/// `KSR.is_myself_turi`: the URI of To.
#[must_use]
pub fn is_myself_turi(ctx: &Context) -> bool {
    uri_is_myself(ctx, ctx.msg.get(ctx.msg.to().uri))
}

/// `KSR.is_myself_suri`: source address, port and transport.
#[must_use]
pub fn is_myself_suri(ctx: &Context) -> bool {
    addr_is_myself(ctx, ctx.flow.remote, Some(ctx.flow.proto))
}

/// `KSR.is_myself_srcip`: the source address with any port.
#[must_use]
pub fn is_myself_srcip(ctx: &Context) -> bool {
    addr_is_myself(ctx, SocketAddr::new(ctx.flow.remote.ip(), 0), None)
}

fn addr_is_myself(ctx: &Context, addr: SocketAddr, proto: Option<Proto>) -> bool {
    let host = addr.ip().to_canonical().to_string();
    ctx.env.is_self(host.as_bytes(), addr.port(), proto)
}
