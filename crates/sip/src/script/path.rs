//! Path (module path; RFC 3327): this proxy as a hop to the registered client.

use crate::params::unquote;
use crate::types::SocketInfo;
use crate::uri::{Uri, unescape};

use super::context::Context;
use super::core::is_uri_with;
use super::corex::code;
use super::nathelper::{alias_uri, alias_value};
use super::outbound;
use super::pv::addr_uri;

/// Settings of module path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct PathConfig {
    /// `loose_route` goes where `received` of our own Route says.
    pub use_received: bool,
    /// `received` is `address~port~transport`, not a URI.
    pub as_alias: bool,
    /// Name of that parameter; empty stands for `received`.
    pub received_name: String,
    /// Two Path header fields, the upper one for the side that the request goes to.
    pub double: bool,
    /// The name of the socket in `sn`.
    pub name_socket: bool,
}

impl PathConfig {
    fn received(&self) -> &str {
        match self.received_name.as_str() {
            "" => "received",
            name => name,
        }
    }
}

/// After `loose_route`: with `use_received` the next hop is where the client really is, unless there is another Route.
pub(super) fn use_received(ctx: &mut Context) {
    let path = &ctx.env.path;
    if !path.use_received {
        return;
    }
    let Some(params) = ctx.route_params.clone() else {
        return;
    };
    let text = [b"sip:h", &params[..]].concat();
    let value = Uri::parse(&text).ok().and_then(|uri| {
        let value = unquote(uri.param(path.received().as_bytes())?);
        if path.as_alias {
            alias_uri(&value)
        } else {
            Some(unescape(&value))
        }
    });
    if let Some(uri) = value.filter(|uri| Uri::parse(uri).is_ok_and(|u| u.is_sip())) {
        ctx.set_dst_uri(uri);
    }
}

/// `KSR.path.add_path`: adds our Path header field to a REGISTER.
pub fn add_path(ctx: &mut Context) -> i32 {
    add(ctx, b"", b"", false, b"")
}

/// `KSR.path.add_path_user`: with a user part.
pub fn add_path_user(ctx: &mut Context, user: &[u8]) -> i32 {
    add(ctx, b"", user, false, b"")
}

/// `KSR.path.add_path_user_params`: with a user part and `;name=value` parameters.
pub fn add_path_user_params(ctx: &mut Context, user: &[u8], params: &[u8]) -> i32 {
    add(ctx, b"", user, false, params)
}

/// `KSR.path.add_path_received`: with the source address in `;received=`.
pub fn add_path_received(ctx: &mut Context) -> i32 {
    add(ctx, b"", b"", true, b"")
}

/// `KSR.path.add_path_received_user`.
pub fn add_path_received_user(ctx: &mut Context, user: &[u8]) -> i32 {
    add(ctx, b"", user, true, b"")
}

/// `KSR.path.add_path_received_user_params`.
pub fn add_path_received_user_params(ctx: &mut Context, user: &[u8], params: &[u8]) -> i32 {
    add(ctx, b"", user, true, params)
}

/// `KSR.path.add_path_advertised_address` and its siblings: `host[:port]` instead of our
/// socket.
pub fn add_path_advertised_address(
    ctx: &mut Context,
    address: &[u8],
    user: &[u8],
    received: bool,
    params: &[u8],
) -> i32 {
    code(!address.is_empty() && add(ctx, address, user, received, params) > 0)
}

fn add(ctx: &mut Context, address: &[u8], user: &[u8], received: bool, params: &[u8]) -> i32 {
    let host = if address.is_empty() { b"h" } else { address };
    let at: &[u8] = if user.is_empty() { b"" } else { b"@" };
    let separator: &[u8] = if params.is_empty() || params[0] == b';' {
        b""
    } else {
        b";"
    };
    let pieces = [b"sip:", user, at, host, separator, params];
    if !is_uri_with(&pieces, |u| {
        u.user.unwrap_or_default() == user && u.headers.is_empty()
    }) {
        ctx.complain("add_path: not a user, host or parameters");
        return -1;
    }
    let Some(inner) = ctx.recv_socket() else {
        return -1;
    };
    let token = outbound::token_to_write(ctx);
    let user = token.as_deref().unwrap_or(user);
    let config = &ctx.env.path;
    let line = |socket: &SocketInfo| {
        let mut line = b"Path: <sip:".to_vec();
        if !user.is_empty() {
            line.extend_from_slice(user);
            line.push(b'@');
        }
        if address.is_empty() {
            line.extend_from_slice(format!("{}:{}", socket.host(), socket.port()).as_bytes());
        } else {
            line.extend_from_slice(address);
        }
        if socket.proto.is_reliable() {
            line.extend_from_slice(format!(";transport={}", socket.proto).as_bytes());
        }
        line.extend_from_slice(b";lr");
        if token.is_some() {
            line.extend_from_slice(b";ob");
        }
        if received {
            line.extend_from_slice(format!(";{}=", config.received()).as_bytes());
            line.extend_from_slice(&received_value(ctx));
        }
        line.extend_from_slice(separator);
        line.extend_from_slice(params);
        if let Some(name) = socket.name.as_ref().filter(|_| config.name_socket) {
            line.extend_from_slice(format!(";sn={name}").as_bytes());
        }
        if config.double {
            line.extend_from_slice(b";r2=on");
        }
        line.extend_from_slice(b">\r\n");
        line
    };
    let outer = ctx
        .force_socket
        .and_then(|id| ctx.env.socket(id))
        .unwrap_or(inner);
    let lines = if config.double {
        [line(outer), line(inner)].concat()
    } else {
        line(inner)
    };
    insert(ctx, lines);
    1
}

/// Where the request came from, as `received` has it.
fn received_value(ctx: &Context) -> Vec<u8> {
    if ctx.env.path.as_alias {
        return alias_value(ctx.flow.remote, ctx.flow.proto);
    }
    // a semicolon in the value would end it
    let uri = addr_uri(ctx.flow.remote, ctx.flow.proto, false);
    uri.replace(';', "%3b").into_bytes()
}

/// The newest Path comes first (RFC 3327 section 5.3).
fn insert(ctx: &mut Context, line: Vec<u8>) {
    match ctx.msg.header(crate::header::HeaderId::Path).copied() {
        Some(first) => ctx.edits.insert_at(first.full.start, line),
        None => ctx.edits.append_header(line),
    }
}
