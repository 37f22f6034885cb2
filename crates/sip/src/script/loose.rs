//! Routing by Route header fields (RFC 3261 sections 16.4, 16.6 step 6 and 16.12).

use crate::header::HeaderId;
use crate::nameaddr::parse_nameaddr;
use crate::types::{Proto, SocketId, Span};
use crate::uri::Uri;

use super::context::Context;
use super::hdr::remove_field;
use super::myself::parsed_is_myself;
use super::outbound::{self, Token};
use super::path;
use super::uac;

/// The message was routed by its Route header fields.
const ROUTED: i32 = 1;
/// It has none that say where to go.
const NOT_ROUTED: i32 = -1;
/// Its only Route names this server and the request is outside of a dialog: the rest is
/// up to the request-URI.
const PRELOADED: i32 = -3;
/// The token of a flow in our Route led to a client.
const BY_FLOW: i32 = 2;
/// That token is not one of ours, or was changed.
const FORGED: i32 = -2;

/// A value of Route.
struct RouteValue {
    /// The whole value in the message.
    span: Span,
    uri: Vec<u8>,
}

/// `KSR.rr.loose_route`: takes our own Route off and sets the next hop.
///
/// 1 when the request is routed; -1 when it has no Route; -3 when it is outside of a
/// dialog and had no other Route than ours. With module outbound 2 when it goes over the flow
/// of a client, and -2 when the token of the flow was changed, which is for a 403. Edits of the Route header fields show when
/// the message leaves; request-URI and destination URI change at once.
pub fn loose_route(ctx: &mut Context) -> i32 {
    let routes = routes(ctx);
    if routes.is_empty() {
        return NOT_ROUTED;
    }
    let preloaded = ctx.msg.to_tag().is_none();
    // RFC 3261 section 16.4: a strict router before us put our Route in the request-URI. A
    // GRUU names our domain too, but a client behind us (RFC 5627).
    let is_route = |uri: Uri<'_>| uri.param(b"gr").is_none();
    if !preloaded && names_us(ctx, ctx.uri()).is_some_and(is_route) {
        after_strict(ctx, &routes)
    } else {
        after_loose(ctx, &routes, preloaded)
    }
}

/// `KSR.rr.loose_route_mode`: mode 1 leaves a request-URI that names this server alone.
pub fn loose_route_mode(ctx: &mut Context, mode: i64) -> i32 {
    if mode == 0 {
        return loose_route(ctx);
    }
    let routes = routes(ctx);
    if routes.is_empty() {
        return NOT_ROUTED;
    }
    let preloaded = ctx.msg.to_tag().is_none();
    after_loose(ctx, &routes, preloaded)
}

/// `KSR.rr.loose_route_preloaded`: only for requests outside of a dialog with a Route.
pub fn loose_route_preloaded(ctx: &mut Context) -> i32 {
    let routes = routes(ctx);
    if routes.is_empty() || ctx.msg.to_tag().is_some() {
        return NOT_ROUTED;
    }
    after_loose(ctx, &routes, true)
}

/// `KSR.rr.next_hop_route`: sets the destination URI to the first Route that does not
/// name this server, and edits nothing.
pub fn next_hop_route(ctx: &mut Context) -> i32 {
    let next = routes(ctx)
        .into_iter()
        .find(|r| names_us(ctx, &r.uri).is_none());
    match next {
        Some(route) => {
            ctx.dst_uri = Some(route.uri);
            1
        }
        None => -1,
    }
}

fn routes(ctx: &Context) -> Vec<RouteValue> {
    let msg = &ctx.msg;
    msg.values(HeaderId::Route)
        .filter_map(|span| {
            let uri = parse_nameaddr(msg.get(span)).ok()?.uri.to_vec();
            Some(RouteValue { span, uri })
        })
        .collect()
}

/// The parsed URI, if it names this server.
fn names_us<'u>(ctx: &Context, uri: &'u [u8]) -> Option<Uri<'u>> {
    let ignored = ctx.env.rr.ignore_user.as_bytes();
    Uri::parse(uri)
        .ok()
        .filter(|u| ignored.is_empty() || u.user != Some(ignored))
        .filter(|u| parsed_is_myself(ctx, u))
}

/// The previous hop is a loose router, or the client: our Route is on top.
fn after_loose(ctx: &mut Context, routes: &[RouteValue], preloaded: bool) -> i32 {
    match outbound::token_of_route(ctx, &routes[0].uri) {
        Token::Forged => FORGED,
        Token::To(flow) => {
            route_loosely(ctx, routes, preloaded);
            outbound::go_by(ctx, flow);
            BY_FLOW
        }
        Token::Absent | Token::Own => route_loosely(ctx, routes, preloaded),
    }
}

fn route_loosely(ctx: &mut Context, routes: &[RouteValue], preloaded: bool) -> i32 {
    let ours = take_ours(ctx, routes);
    let rest = &routes[ours..];
    let Some(next) = rest.first() else {
        remove_routes(ctx, routes, ours, None);
        ctx.dst_uri = None;
        path::use_received(ctx);
        return if preloaded { PRELOADED } else { ROUTED };
    };
    if Uri::parse(&next.uri).is_ok_and(|u| u.lr()) {
        remove_routes(ctx, routes, ours, None);
        ctx.dst_uri = Some(next.uri.clone());
        return ROUTED;
    }
    // section 16.6 step 6: the next hop is a strict router; its URI becomes the
    // request-URI, and the request-URI the last Route
    let target = ctx.uri().to_vec();
    remove_routes(ctx, routes, ours + 1, Some(&target));
    ctx.new_uri = Some(next.uri.clone());
    ctx.dst_uri = None;
    ROUTED
}

/// The previous hop is a strict router: the request-URI is our own Route, the last
/// Route the target.
fn after_strict(ctx: &mut Context, routes: &[RouteValue]) -> i32 {
    let own = ctx.uri().to_vec();
    set_route_params(ctx, &own);
    // with two Record-Routes of ours the second one is still on top
    let ours = match routes.first().and_then(|r| names_us(ctx, &r.uri)) {
        Some(uri) if uri.params().has(b"r2") && routes.len() > 1 => {
            force_socket(ctx, &routes[0].uri);
            1
        }
        _ => 0,
    };
    let rest = &routes[ours..];
    let (Some(next), Some(target)) = (rest.first(), rest.last()) else {
        return NOT_ROUTED;
    };
    if Uri::parse(&next.uri).is_ok_and(|u| u.lr()) {
        // section 16.4: the last Route becomes the request-URI again
        ctx.dst_uri = Some(next.uri.clone());
        ctx.new_uri = Some(target.uri.clone());
        remove_routes(ctx, routes, ours, None);
        remove_last(ctx, routes, ours);
    } else {
        ctx.new_uri = Some(next.uri.clone());
        ctx.dst_uri = None;
        remove_routes(ctx, routes, ours + 1, None);
    }
    ROUTED
}

/// How many Routes on top are ours: none, one, or the two of a double Record-Route.
fn take_ours(ctx: &mut Context, routes: &[RouteValue]) -> usize {
    let Some(first) = names_us(ctx, &routes[0].uri) else {
        return 0;
    };
    let double = first.params().has(b"r2");
    set_route_params(ctx, &routes[0].uri);
    uac::on_route(ctx);
    match routes.get(1) {
        Some(second) if double => {
            force_socket(ctx, &second.uri);
            2
        }
        _ => 1,
    }
}

fn set_route_params(ctx: &mut Context, uri: &[u8]) {
    ctx.route_params = Uri::parse(uri).ok().map(|u| {
        let mut params = Vec::with_capacity(u.params.len() + 1);
        params.push(b';');
        params.extend_from_slice(u.params);
        params
    });
}

/// The inner one of our two Record-Routes names the socket of the other side.
fn force_socket(ctx: &mut Context, uri: &[u8]) {
    if !ctx.env.rr.force_send_socket {
        return;
    }
    let socket = Uri::parse(uri).ok().and_then(|u| socket_of(ctx, &u));
    match socket {
        Some(id) => ctx.force_socket = Some(id),
        None => ctx.complain(format!(
            "no socket for the second Route of ours, {}",
            String::from_utf8_lossy(uri)
        )),
    }
}

/// Our socket that a Route of ours names. `sips` is TLS, unless we recorded it on a
/// socket without, for want of another.
fn socket_of(ctx: &Context, uri: &Uri<'_>) -> Option<SocketId> {
    let protos: &[Proto] = match uri.transport() {
        Some(proto) => &[proto],
        None if uri.is_sips() => &[Proto::Tls, Proto::Udp],
        None => &[Proto::Udp],
    };
    let port = |proto: Proto| uri.port.unwrap_or_else(|| proto.default_port());
    protos.iter().find_map(|proto| {
        let mut sockets = ctx.env.sockets.iter();
        let found =
            sockets.find(|s| s.proto == *proto && ctx.env.socket_is(s, uri.host, port(*proto)))?;
        Some(found.id)
    })
}

/// Removes the first `count` values and adds `last` below all others.
///
/// A header field of which all values go is removed as a whole; of the one that is cut,
/// what stays is written anew.
fn remove_routes(ctx: &mut Context, routes: &[RouteValue], count: usize, last: Option<&[u8]>) {
    let msg = std::sync::Arc::clone(&ctx.msg);
    for header in msg.all(HeaderId::Route) {
        let inside: Vec<_> = (0..routes.len())
            .filter(|i| header.value.contains(routes[*i].span))
            .collect();
        let gone = inside.iter().filter(|i| **i < count).count();
        if gone == 0 {
            continue;
        }
        if gone == inside.len() {
            remove_field(ctx, header.full);
        } else {
            let keep = routes[inside[gone]].span.start;
            ctx.edits.remove(Span::new(header.value.start, keep));
        }
    }
    if let Some(uri) = last {
        let mut line = b"Route: <".to_vec();
        line.extend_from_slice(uri);
        line.extend_from_slice(b">\r\n");
        // below the Routes that stay
        let end = msg.all(HeaderId::Route).last().map(|h| h.full.end);
        if let Some(end) = end {
            ctx.edits.insert_at(end, line);
        }
    }
}

/// Removes the last value, of those after the first `kept_from`.
fn remove_last(ctx: &mut Context, routes: &[RouteValue], kept_from: usize) {
    let Some(at) = routes.len().checked_sub(1).filter(|i| *i >= kept_from) else {
        return;
    };
    let msg = std::sync::Arc::clone(&ctx.msg);
    let span = routes[at].span;
    let Some(header) = msg.all(HeaderId::Route).find(|h| h.value.contains(span)) else {
        return;
    };
    let previous = at
        .checked_sub(1)
        .filter(|p| *p >= kept_from && header.value.contains(routes[*p].span));
    match previous {
        Some(p) => ctx
            .edits
            .remove(Span::new(routes[p].span.end, header.value.end)),
        None => remove_field(ctx, header.full),
    }
}
