//! Path (module path; RFC 3327): this proxy as a hop to the registered client.

use super::context::Context;
use super::core::is_uri_with;
use super::corex::code;
use super::pv::addr_uri;

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
    let Some(socket) = ctx.recv_socket() else {
        return -1;
    };
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
    if ctx.flow.proto.is_reliable() {
        line.extend_from_slice(format!(";transport={}", ctx.flow.proto).as_bytes());
    }
    line.extend_from_slice(b";lr");
    if received {
        // a semicolon in the value would end it
        let uri = addr_uri(ctx.flow.remote, ctx.flow.proto, false).replace(';', "%3b");
        line.extend_from_slice(format!(";received={uri}").as_bytes());
    }
    line.extend_from_slice(separator);
    line.extend_from_slice(params);
    line.extend_from_slice(b">\r\n");
    insert(ctx, line);
    1
}

/// The newest Path comes first (RFC 3327 section 5.3).
fn insert(ctx: &mut Context, line: Vec<u8>) {
    match ctx.msg.header(crate::header::HeaderId::Path).copied() {
        Some(first) => ctx.edits.insert_at(first.full.start, line),
        None => ctx.edits.append_header(line),
    }
}
