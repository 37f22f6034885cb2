//! Record-Route (module rr; RFC 3261 section 16.6 step 4) and its parameters.
//!
//! The header field names the socket that the request leaves by, which is known only
//! when it is sent. So the script's wish is kept, and [`record_route_lines`] writes it.

use crate::params::Params;
use crate::types::{Proto, SocketInfo};
use crate::uri::Uri;

use super::context::Context;
use super::core::is_uri_with;
use super::outbound;
use super::regexes::regex;

pub use super::loose::{loose_route, loose_route_mode, loose_route_preloaded, next_hop_route};

/// What the script recorded.
#[derive(Clone, Debug, Default)]
pub struct RrState {
    /// What to write; at most one wish per request.
    wish: Option<Wish>,
    /// Parameters of `add_rr_param`, each with its semicolon.
    params: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Wish {
    kind: Kind,
    /// User part to write before the host.
    user: Vec<u8>,
    /// Parameters of `record_route_params`.
    params: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    /// Our sockets, one or two.
    Sockets,
    /// Host, port and parameters as the script gave them: outermost first.
    Preset(Vec<u8>, Vec<u8>),
    /// A host and port of the script with the transports of our sockets.
    Advertised(Vec<u8>),
}

impl RrState {
    /// Whether the request is to be recorded.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.wish.is_some()
    }
}

/// `KSR.rr.record_route`. A second call for the same message fails.
pub fn record_route(ctx: &mut Context) -> i32 {
    record_route_params(ctx, b"")
}

/// `KSR.rr.record_route_params`: with `;name=value` parameters of its own.
pub fn record_route_params(ctx: &mut Context, params: &[u8]) -> i32 {
    record(ctx, Kind::Sockets, params)
}

/// `KSR.rr.record_route_preset`: host, port and parameters as given. `inner` is a
/// second Record-Route below the first, empty for none.
pub fn record_route_preset(ctx: &mut Context, outer: &[u8], inner: &[u8]) -> i32 {
    record(ctx, Kind::Preset(outer.to_vec(), inner.to_vec()), b"")
}

/// `KSR.rr.record_route_advertised_address`: `host[:port]` instead of that of the sockets.
pub fn record_route_advertised_address(ctx: &mut Context, address: &[u8]) -> i32 {
    record(ctx, Kind::Advertised(address.to_vec()), b"")
}

fn record(ctx: &mut Context, kind: Kind, params: &[u8]) -> i32 {
    let fits = is_params(params)
        && match &kind {
            Kind::Sockets => true,
            Kind::Preset(outer, inner) => {
                is_address(outer) && (inner.is_empty() || is_address(inner))
            }
            Kind::Advertised(address) => is_address(address),
        };
    if !fits {
        ctx.complain("record_route: not a host with port and parameters");
        return -1;
    }
    if ctx.record_route.wish.is_some() {
        ctx.complain("record_route: the message is recorded already");
        return -1;
    }
    // What the script gives as it is gets no token: it may have a user of its own.
    let token = match &kind {
        Kind::Preset(..) => None,
        _ => outbound::token_to_write(ctx),
    };
    let user = if let Some(token) = token {
        token
    } else if ctx.env.rr.add_username {
        let uri = Uri::parse(ctx.uri()).ok();
        uri.and_then(|u| u.user).unwrap_or_default().to_vec()
    } else {
        Vec::new()
    };
    ctx.record_route.wish = Some(Wish {
        kind,
        user,
        params: params.to_vec(),
    });
    1
}

/// `KSR.rr.remove_record_route`: takes back what was recorded for this message.
pub fn remove_record_route(ctx: &mut Context) -> i32 {
    ctx.record_route.wish = None;
    1
}

/// `KSR.rr.add_rr_param`: `;name=value` for the Record-Route, before or after
/// `record_route`.
pub fn add_rr_param(ctx: &mut Context, param: &[u8]) -> i32 {
    let param = param.strip_prefix(b";").unwrap_or(param);
    if param.is_empty() || !is_params(&[b";", param].concat()) {
        ctx.complain("add_rr_param: not a parameter");
        return -1;
    }
    ctx.record_route.params.push(b';');
    ctx.record_route.params.extend_from_slice(param);
    1
}

/// Whether a parameter of that name was added to the Record-Route.
pub(super) fn has_rr_param(ctx: &Context, name: &[u8]) -> bool {
    Params::new(&ctx.record_route.params).has(name)
}

/// `KSR.rr.check_route_param`: whether the parameters of our own Route, after
/// `loose_route`, contain a match of the regular expression.
pub fn check_route_param(ctx: &mut Context, pattern: &[u8]) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    match &ctx.route_params {
        // each parameter is looked at with its semicolon, as it stands in the URI
        Some(params) if re.is_match(params) => 1,
        _ => -1,
    }
}

/// `KSR.rr.is_direction`: `upstream` or `downstream`, by comparing the `ftag` that we
/// recorded with the From tag. Without an `ftag` the direction is downstream.
pub fn is_direction(ctx: &mut Context, direction: &[u8]) -> i32 {
    let upstream = match direction.first().map(u8::to_ascii_lowercase) {
        Some(b'u') => true,
        Some(b'd') => false,
        _ => {
            ctx.complain("is_direction: neither upstream nor downstream");
            return -1;
        }
    };
    if is_upstream(ctx) == upstream { 1 } else { -1 }
}

/// Whether the request goes from callee to caller (`$rdir(id)` is 2).
#[must_use]
pub fn is_upstream(ctx: &Context) -> bool {
    let recorded = ctx
        .route_params
        .as_deref()
        .and_then(|p| Params::new(p).get(b"ftag"));
    match (recorded, ctx.msg.from_tag()) {
        (Some(ftag), Some(tag)) => ftag != tag,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// From and To tag as they were in the request that formed the dialog (`$fti`, `$tti`).
pub(super) fn initial_tags(ctx: &Context) -> (Option<&[u8]>, Option<&[u8]>) {
    let (from, to) = (ctx.msg.from_tag(), ctx.msg.to_tag());
    if is_upstream(ctx) {
        (to, from)
    } else {
        (from, to)
    }
}

/// The Record-Route lines for a request that came in on `inbound` and leaves by
/// `outbound`: two when these differ, the outer one for the side that it goes to.
#[must_use]
pub fn record_route_lines(
    ctx: &Context,
    inbound: Option<&SocketInfo>,
    outbound: &SocketInfo,
) -> Vec<u8> {
    let Some(wish) = &ctx.record_route.wish else {
        return Vec::new();
    };
    let other = inbound.filter(|s| match ctx.env.rr.enable_double_rr {
        0 => false,
        1 => s.id != outbound.id,
        _ => true,
    });
    let mut out = Vec::with_capacity(192);
    match &wish.kind {
        Kind::Sockets => {
            for socket in [Some(outbound), other].into_iter().flatten() {
                // As in Kamailio `set_advertised_address` is for the Via alone: what comes
                // back by a Route must be known as ours.
                let host = format!("{}:{}", socket.host(), socket.port());
                let double = other.is_some();
                let host = with_params(host.as_bytes(), socket.proto, double);
                line(ctx, wish, &host, true, &mut out);
            }
        }
        Kind::Preset(outer, inner) => {
            line(ctx, wish, outer, false, &mut out);
            if !inner.is_empty() {
                line(ctx, wish, inner, false, &mut out);
            }
        }
        // one host, so two lines only where the transports differ
        Kind::Advertised(address) => {
            let other = other.filter(|s| s.proto != outbound.proto);
            for socket in [Some(outbound), other].into_iter().flatten() {
                let host = with_params(address, socket.proto, other.is_some());
                line(ctx, wish, &host, false, &mut out);
            }
        }
    }
    out
}

/// RFC 3261 section 16.6 step 4: a request to a SIPS URI, be it the request-URI or the
/// topmost Route, is recorded with one.
fn scheme(ctx: &Context) -> &'static [u8] {
    let is_sips = |uri: &[u8]| {
        uri.get(..5)
            .is_some_and(|s| s.eq_ignore_ascii_case(b"sips:"))
    };
    if is_sips(ctx.uri()) || ctx.dst_uri.as_deref().is_some_and(is_sips) {
        b"sips:"
    } else {
        b"sip:"
    }
}

fn with_params(host: &[u8], proto: Proto, double: bool) -> Vec<u8> {
    let mut out = host.to_vec();
    if proto != Proto::Udp {
        out.extend_from_slice(b";transport=");
        out.extend_from_slice(proto.as_str().as_bytes());
    }
    if double {
        out.extend_from_slice(b";r2=on");
    }
    out
}

/// One header field; `lr` comes first where Kamailio has it first.
fn line(ctx: &Context, wish: &Wish, host: &[u8], lr_first: bool, out: &mut Vec<u8>) {
    let (before, after) = if lr_first {
        (lr(ctx), &b""[..])
    } else {
        (&b""[..], lr(ctx))
    };
    out.extend_from_slice(b"Record-Route: <");
    out.extend_from_slice(scheme(ctx));
    if !wish.user.is_empty() {
        out.extend_from_slice(&wish.user);
        out.push(b'@');
    }
    out.extend_from_slice(host);
    out.extend_from_slice(before);
    if ctx.env.rr.append_fromtag
        && let Some(tag) = ctx.msg.from_tag()
    {
        out.extend_from_slice(b";ftag=");
        out.extend_from_slice(tag);
    }
    out.extend_from_slice(&wish.params);
    out.extend_from_slice(&ctx.record_route.params);
    out.extend_from_slice(after);
    out.extend_from_slice(b">\r\n");
}

/// Some old user agents take `;lr` for a parameter without a value and drop it, hence `;lr=on`.
fn lr(ctx: &Context) -> &'static [u8] {
    if ctx.env.rr.enable_full_lr {
        b";lr=on"
    } else {
        b";lr"
    }
}

/// `host[:port]`, maybe a user before and parameters after it.
fn is_address(text: &[u8]) -> bool {
    is_uri_with(&[b"sip:", text], |u| u.headers.is_empty())
}

/// Nothing, or URI parameters with their semicolons.
fn is_params(text: &[u8]) -> bool {
    is_uri_with(&[b"sip:h", text], |u| {
        u.host == b"h" && u.port.is_none() && u.headers.is_empty()
    })
}
