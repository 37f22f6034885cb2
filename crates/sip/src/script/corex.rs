//! Module corex.

use crate::header::HeaderId;
use crate::types::SocketId;
use crate::uri::Uri;

use super::context::{BranchTarget, Context, RouteType};
use super::core::is_token_text;
use super::env::split_port;

/// Branches that a request may have, the main one included.
const MAX_BRANCHES: usize = 31;

/// `KSR.corex.has_ruri_user`: whether the request-URI has a user part.
#[must_use]
pub fn has_ruri_user(ctx: &Context) -> i32 {
    let uri = Uri::parse(ctx.uri()).ok();
    code(uri.and_then(|u| u.user).is_some_and(|u| !u.is_empty()))
}

/// `KSR.corex.has_user_agent`: whether there is a User-Agent with a value.
#[must_use]
pub fn has_user_agent(ctx: &Context) -> i32 {
    let value = ctx.msg.value(HeaderId::UserAgent);
    code(value.is_some_and(|v| !v.is_empty()))
}

/// `KSR.corex.is_faked_msg`: whether the message is none of the network.
#[must_use]
pub fn is_faked_msg(ctx: &Context) -> i32 {
    code(matches!(
        ctx.route,
        RouteType::Fake | RouteType::Failure | RouteType::BranchFailure
    ))
}

/// `KSR.corex.append_branch`: the request-URI in force as a further destination, with the
/// next hop, path, flags and socket, which the main one loses. That it is a destination
/// itself does not change, as in Kamailio 5.6.
pub fn append_branch(ctx: &mut Context) -> i32 {
    let branch = BranchTarget {
        q: ctx.q,
        ..like_main(ctx, ctx.uri())
    };
    let code = push_branch(ctx, branch);
    if code > 0 {
        ctx.dst_uri = None;
        ctx.path_vec = None;
        ctx.bflags = 0;
        ctx.force_socket = None;
    }
    code
}

/// A destination by the next hop, path, flags and socket of the main one.
fn like_main(ctx: &Context, uri: &[u8]) -> BranchTarget {
    BranchTarget {
        dst_uri: ctx.dst_uri.clone(),
        flow: ctx.flow_route.clone(),
        path: ctx.path_vec.clone(),
        socket: ctx.force_socket,
        flags: ctx.bflags,
        uri: uri.to_vec(),
        ..BranchTarget::default()
    }
}

/// `KSR.corex.append_branch_uri`: a further destination, by the next hop of the main one
/// if that is set.
pub fn append_branch_uri(ctx: &mut Context, uri: &[u8]) -> i32 {
    append_branch_uri_q(ctx, uri, b"")
}

/// `KSR.corex.append_branch_uri_q`: a further destination with a q of `0` to `1`.
pub fn append_branch_uri_q(ctx: &mut Context, uri: &[u8], q: &[u8]) -> i32 {
    if uri.is_empty() {
        return append_branch(ctx);
    }
    let q = match q {
        b"" => None,
        text => match parse_q(text) {
            Some(q) => Some(q),
            None => {
                ctx.complain("append_branch: q is not of 0 to 1");
                return -1;
            }
        },
    };
    if !is_token_text(uri) {
        ctx.complain("append_branch: blank or control character in the URI");
        return -1;
    }
    let branch = BranchTarget {
        q,
        ..like_main(ctx, uri)
    };
    push_branch(ctx, branch)
}

/// `$br = uri`: a further destination, with nothing of the main one's.
pub(super) fn append_plain_branch(ctx: &mut Context, uri: &[u8]) -> bool {
    if uri.is_empty() || !is_token_text(uri) {
        ctx.complain("$br: blank or control character in the URI");
        return false;
    }
    let branch = BranchTarget {
        uri: uri.to_vec(),
        ..BranchTarget::default()
    };
    push_branch(ctx, branch) > 0
}

pub(super) fn push_branch(ctx: &mut Context, branch: BranchTarget) -> i32 {
    if ctx.branches.len() + 1 >= MAX_BRANCHES {
        ctx.complain("too many branches");
        return -1;
    }
    ctx.branches.push(branch);
    1
}

/// A q value (RFC 3261 section 25.1, `qvalue`) in thousandths.
#[must_use]
pub fn parse_q(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(i) => (&text[..i], &text[i + 1..]),
        None => (text, &b""[..]),
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = fraction
        .iter()
        .chain(b"000")
        .take(3)
        .fold(0_u16, |sum, c| sum * 10 + u16::from(c - b'0'));
    match (whole, thousandths) {
        (b"0" | b"", n) if !text.is_empty() => Some(n),
        (b"1", 0) => Some(1000),
        _ => None,
    }
}

/// `KSR.corex.setxflag`: sets one of 64 extended message flags.
pub fn setxflag(ctx: &mut Context, flag: i64) -> i32 {
    xflag(flag).map_or(-1, |bit| {
        ctx.tx_data.xflags |= bit;
        1
    })
}

/// `KSR.corex.resetxflag`.
pub fn resetxflag(ctx: &mut Context, flag: i64) -> i32 {
    xflag(flag).map_or(-1, |bit| {
        ctx.tx_data.xflags &= !bit;
        1
    })
}

/// `KSR.corex.isxflagset`.
#[must_use]
pub fn isxflagset(ctx: &Context, flag: i64) -> i32 {
    code(xflag(flag).is_some_and(|bit| ctx.tx_data.xflags & bit != 0))
}

fn xflag(flag: i64) -> Option<u64> {
    (0..64).contains(&flag).then(|| 1 << flag)
}

/// `KSR.corex.is_socket_name`: whether a listening socket has that name.
#[must_use]
pub fn is_socket_name(ctx: &Context, name: &[u8]) -> i32 {
    code(ctx.env.named_socket(name).is_some())
}

/// `KSR.corex.set_send_socket`: `proto:host:port` of the socket to send from. As in
/// Kamailio one that does not exist is logged and no error.
pub fn set_send_socket(ctx: &mut Context, socket: &[u8]) -> i32 {
    match ctx.env.find_socket(socket).map(|s| s.id) {
        Some(id) => ctx.force_socket = Some(id),
        None => no_socket(ctx, socket),
    }
    1
}

/// `KSR.corex.set_send_socket_name`.
pub fn set_send_socket_name(ctx: &mut Context, name: &[u8]) -> i32 {
    match ctx.env.named_socket(name).map(|s| s.id) {
        Some(id) => ctx.force_socket = Some(id),
        None => no_socket(ctx, name),
    }
    1
}

/// `KSR.corex.set_recv_socket`: the socket that the message is to count as received on.
pub fn set_recv_socket(ctx: &mut Context, socket: &[u8]) -> i32 {
    let id = ctx.env.find_socket(socket).map(|s| s.id);
    set_received(ctx, id, socket)
}

/// `KSR.corex.set_recv_socket_name`.
pub fn set_recv_socket_name(ctx: &mut Context, name: &[u8]) -> i32 {
    let id = ctx.env.named_socket(name).map(|s| s.id);
    set_received(ctx, id, name)
}

fn set_received(ctx: &mut Context, id: Option<SocketId>, what: &[u8]) -> i32 {
    match id {
        Some(id) => ctx.flow.socket = id,
        None => no_socket(ctx, what),
    }
    1
}

fn no_socket(ctx: &mut Context, what: &[u8]) {
    ctx.complain(format!("no socket is {}", String::from_utf8_lossy(what)));
}

/// `KSR.corex.set_source_address`: `proto:address:port` that the message is to count as
/// received from.
pub fn set_source_address(ctx: &mut Context, address: &[u8]) -> i32 {
    let rest = memchr::memchr(b':', address)
        .filter(|i| crate::types::Proto::parse(&address[..*i]).is_some())
        .map_or(address, |i| &address[i + 1..]);
    let parsed = split_port(rest).and_then(|(host, port)| {
        let ip = crate::uri::host_ip(host)?;
        Some(std::net::SocketAddr::new(ip, port.unwrap_or(5060)))
    });
    match parsed {
        Some(addr) => {
            ctx.flow.remote = addr;
            1
        }
        None => -1,
    }
}

/// `KSR.corex.via_add_srvid`: whether our own Via names this server's number. 1.
pub fn via_add_srvid(ctx: &mut Context, on: i64) -> i32 {
    ctx.via.srvid = on != 0;
    1
}

/// `KSR.corex.via_add_xavp_params`: whether our own Via has the fields of the extended AVP that
/// `xavp_via_params` names as parameters. 1.
pub fn via_add_xavp_params(ctx: &mut Context, on: i64) -> i32 {
    ctx.via.params = on != 0;
    1
}

/// `KSR.corex.via_use_xavp_fields`: whether our own Via has host and port from the extended AVP
/// that `xavp_via_fields` names. 1.
pub fn via_use_xavp_fields(ctx: &mut Context, on: i64) -> i32 {
    ctx.via.fields = on != 0;
    1
}

/// 1 or -1.
pub(super) const fn code(yes: bool) -> i32 {
    if yes { 1 } else { -1 }
}
