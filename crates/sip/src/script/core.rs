//! Functions of the core: `KSR.is_method_in`, flags, wishes about sockets and connections.

use std::net::IpAddr;

use crate::method::Method;
use crate::types::Proto;
use crate::uri::Uri;

use super::context::{BranchTarget, Context};

/// Flags and branch flags are numbered 0 to 31.
const MAX_FLAG: i64 = 31;

/// `KSR.is_method`: whether the request, or the response's CSeq, is of that method in
/// any case. Several names may be given, separated by `|`.
#[must_use]
pub fn is_method(ctx: &Context, names: &[u8]) -> bool {
    let ours = ctx.msg.method_name();
    !names.is_empty()
        && names
            .split(|c| *c == b'|')
            .any(|name| name.trim_ascii().eq_ignore_ascii_case(ours))
}

/// `KSR.is_INVITE()` and its siblings, with the method as text: `is_named(ctx, b"KDMQ")`.
#[must_use]
pub fn is_named(ctx: &Context, name: &[u8]) -> bool {
    ctx.msg.method_name() == name
}

/// `KSR.is_method_in`: whether one of the letters stands for the method.
#[must_use]
pub fn is_method_in(ctx: &Context, letters: &[u8]) -> bool {
    let ours = match ctx.msg.method() {
        Method::Invite => b'I',
        Method::Ack => b'A',
        Method::Cancel => b'C',
        Method::Bye => b'B',
        Method::Options => b'O',
        Method::Register => b'R',
        Method::Prack => b'E',
        Method::Subscribe => b'S',
        Method::Notify => b'N',
        Method::Publish => b'P',
        Method::Refer => b'F',
        Method::Message => b'M',
        Method::Update => b'U',
        // Kamailio has no letter for INFO
        Method::Info => return false,
        Method::Other => match ctx.msg.method_name() {
            b"KDMQ" => b'K',
            b"GET" => b'G',
            b"POST" => b'T',
            b"PUT" => b'V',
            b"DELETE" => b'D',
            _ => return false,
        },
    };
    letters.iter().any(|c| c.to_ascii_uppercase() == ours)
}

/// Value of `$rmid`: Kamailio's number of the method, each a bit of its own.
#[must_use]
pub fn method_bit(ctx: &Context) -> i64 {
    match ctx.msg.method() {
        Method::Invite => 1,
        Method::Cancel => 2,
        Method::Ack => 4,
        Method::Bye => 8,
        Method::Info => 16,
        Method::Register => 32,
        Method::Subscribe => 64,
        Method::Notify => 128,
        Method::Message => 256,
        Method::Options => 512,
        Method::Prack => 1024,
        Method::Update => 2048,
        Method::Refer => 4096,
        Method::Publish => 8192,
        Method::Other => match ctx.msg.method_name() {
            b"KDMQ" => 1 << 14,
            b"GET" => 1 << 15,
            b"POST" => 1 << 16,
            b"PUT" => 1 << 17,
            b"DELETE" => 1 << 18,
            _ => 1 << 19,
        },
    }
}

/// `KSR.is_UDP`, `is_TCP`, `is_TLS`, `is_WS`, `is_WSS`: the transport it came by.
#[must_use]
pub fn is_transport(ctx: &Context, proto: Proto) -> bool {
    ctx.flow.proto == proto
}

/// `KSR.is_TCPX`: any stream.
#[must_use]
pub const fn is_tcpx(ctx: &Context) -> bool {
    ctx.flow.proto.is_reliable()
}

/// `KSR.is_WSX`: WebSocket, with or without TLS.
#[must_use]
pub const fn is_wsx(ctx: &Context) -> bool {
    matches!(ctx.flow.proto, Proto::Ws | Proto::Wss)
}

/// `KSR.is_proto`: whether one of the letters stands for the transport: `u` UDP, `t`
/// TCP, `e` TLS, `w` WS, `v` WSS.
#[must_use]
pub fn is_proto(ctx: &Context, letters: &[u8]) -> bool {
    let ours = match ctx.flow.proto {
        Proto::Udp => b'u',
        Proto::Tcp => b't',
        Proto::Tls => b'e',
        Proto::Ws => b'w',
        Proto::Wss => b'v',
    };
    letters.iter().any(|c| c.to_ascii_lowercase() == ours)
}

/// `KSR.is_IPv4`: whether it came over IPv4.
#[must_use]
pub fn is_ipv4(ctx: &Context) -> bool {
    matches!(ctx.flow.remote.ip().to_canonical(), IpAddr::V4(_))
}

/// `KSR.is_IPv6`: whether it came over IPv6.
#[must_use]
pub fn is_ipv6(ctx: &Context) -> bool {
    !is_ipv4(ctx)
}

/// `KSR.is_src_port`: whether it came from that port.
#[must_use]
pub fn is_src_port(ctx: &Context, port: i64) -> bool {
    i64::from(ctx.flow.remote.port()) == port
}

/// `KSR.is_dst_port`: whether it came to that port of ours.
#[must_use]
pub fn is_dst_port(ctx: &Context, port: i64) -> bool {
    ctx.recv_socket()
        .is_some_and(|s| i64::from(s.addr.port()) == port)
}

/// `KSR.to_UDP` and its siblings: the transport it leaves by, in `ksr_onsend_route`.
#[must_use]
pub fn to_transport(ctx: &Context, proto: Proto) -> bool {
    ctx.onsend.is_some_and(|f| f.proto == proto)
}

/// `KSR.to_WSX`.
#[must_use]
pub fn to_wsx(ctx: &Context) -> bool {
    to_transport(ctx, Proto::Ws) || to_transport(ctx, Proto::Wss)
}

/// `KSR.to_IPv4`: whether it leaves over IPv4, in `ksr_onsend_route`.
#[must_use]
pub fn to_ipv4(ctx: &Context) -> bool {
    ctx.onsend
        .is_some_and(|f| f.remote.ip().to_canonical().is_ipv4())
}

/// `KSR.to_IPv6`: whether it leaves over IPv6, in `ksr_onsend_route`.
#[must_use]
pub fn to_ipv6(ctx: &Context) -> bool {
    ctx.onsend
        .is_some_and(|f| f.remote.ip().to_canonical().is_ipv6())
}

/// The bit of a flag, or a complaint.
fn bit(ctx: &mut Context, flag: i64) -> Option<u32> {
    let bit = mask(flag);
    if bit.is_none() {
        ctx.complain(format!("flag {flag} is not of 0 to {MAX_FLAG}"));
    }
    bit
}

const fn mask(flag: i64) -> Option<u32> {
    if 0 <= flag && flag <= MAX_FLAG {
        Some(1 << flag)
    } else {
        None
    }
}

/// `KSR.setflag`: sets a message flag, which the transaction keeps.
pub fn setflag(ctx: &mut Context, flag: i64) -> bool {
    let Some(bit) = bit(ctx, flag) else {
        return false;
    };
    ctx.tx_data.flags |= bit;
    true
}

/// `KSR.resetflag`.
pub fn resetflag(ctx: &mut Context, flag: i64) -> bool {
    let Some(bit) = bit(ctx, flag) else {
        return false;
    };
    ctx.tx_data.flags &= !bit;
    true
}

/// `KSR.isflagset`.
#[must_use]
pub fn isflagset(ctx: &Context, flag: i64) -> bool {
    mask(flag).is_some_and(|bit| ctx.tx_data.flags & bit != 0)
}

/// `KSR.setsflag`: sets a script flag, which is forgotten when the script ends.
pub fn setsflag(ctx: &mut Context, flag: i64) -> bool {
    let Some(bit) = bit(ctx, flag) else {
        return false;
    };
    ctx.sflags |= bit;
    true
}

/// `KSR.resetsflag`.
pub fn resetsflag(ctx: &mut Context, flag: i64) -> bool {
    let Some(bit) = bit(ctx, flag) else {
        return false;
    };
    ctx.sflags &= !bit;
    true
}

/// `KSR.issflagset`.
#[must_use]
pub fn issflagset(ctx: &Context, flag: i64) -> bool {
    mask(flag).is_some_and(|bit| ctx.sflags & bit != 0)
}

/// `KSR.setbflag`: sets a flag of the main branch.
pub fn setbflag(ctx: &mut Context, flag: i64) -> bool {
    setbiflag(ctx, flag, 0)
}

/// `KSR.resetbflag`.
pub fn resetbflag(ctx: &mut Context, flag: i64) -> bool {
    resetbiflag(ctx, flag, 0)
}

/// `KSR.isbflagset`.
#[must_use]
pub fn isbflagset(ctx: &Context, flag: i64) -> bool {
    isbiflagset(ctx, flag, 0)
}

/// `KSR.setbiflag`: sets a flag of branch 0 (main), 1 (first appended) and so on.
/// False when there is no such branch.
pub fn setbiflag(ctx: &mut Context, flag: i64, branch: i64) -> bool {
    let Some(bit) = bit(ctx, flag) else {
        return false;
    };
    branch_flags(ctx, branch)
        .map(|flags| *flags |= bit)
        .is_some()
}

/// `KSR.resetbiflag`.
pub fn resetbiflag(ctx: &mut Context, flag: i64, branch: i64) -> bool {
    let Some(bit) = bit(ctx, flag) else {
        return false;
    };
    branch_flags(ctx, branch)
        .map(|flags| *flags &= !bit)
        .is_some()
}

/// `KSR.isbiflagset`.
#[must_use]
pub fn isbiflagset(ctx: &Context, flag: i64, branch: i64) -> bool {
    let flags = match branch {
        0 => Some(ctx.bflags),
        n => appended(n).and_then(|i| ctx.branches.get(i).map(|b: &BranchTarget| b.flags)),
    };
    mask(flag).is_some_and(|bit| flags.is_some_and(|f| f & bit != 0))
}

fn branch_flags(ctx: &mut Context, branch: i64) -> Option<&mut u32> {
    match branch {
        0 => Some(&mut ctx.bflags),
        n => appended(n)
            .and_then(|i| ctx.branches.get_mut(i))
            .map(|b| &mut b.flags),
    }
}

fn appended(branch: i64) -> Option<usize> {
    usize::try_from(branch).ok()?.checked_sub(1)
}

/// `KSR.force_rport`: treat the client's Via as if it had `;rport` (RFC 3581).
pub fn force_rport(ctx: &mut Context) -> bool {
    ctx.force_rport = true;
    true
}

/// `KSR.add_local_rport`: put `;rport` into our Via.
pub fn add_local_rport(ctx: &mut Context) -> bool {
    ctx.local_rport = true;
    true
}

/// `KSR.set_advertised_address`: host of our Via for this message.
pub fn set_advertised_address(ctx: &mut Context, host: &[u8]) -> i32 {
    if !is_uri_with(&[b"sip:", host], |u| u.host == host) {
        ctx.complain("set_advertised_address: not a host");
        return -1;
    }
    ctx.advertised_host = Some(host.to_vec());
    1
}

/// `KSR.set_advertised_port`: port of our Via for this message.
pub fn set_advertised_port(ctx: &mut Context, port: &[u8]) -> i32 {
    let port = std::str::from_utf8(port).ok().and_then(|p| p.parse().ok());
    match port {
        Some(0) | None => {
            ctx.complain("set_advertised_port: not a port");
            -1
        }
        Some(port) => {
            ctx.advertised_port = Some(port);
            1
        }
    }
}

/// `KSR.set_drop`: the message is not to go on, in routes where that is possible.
pub fn set_drop(ctx: &mut Context) -> i32 {
    ctx.drop = true;
    0
}

/// `KSR.set_reply_close`: close the connection after the reply.
pub fn set_reply_close(ctx: &mut Context) -> bool {
    ctx.send_flags.reply_close = true;
    true
}

/// `KSR.set_reply_no_connect`: reply only over the connection that is there.
pub fn set_reply_no_connect(ctx: &mut Context) -> bool {
    ctx.send_flags.reply_no_connect = true;
    true
}

/// `KSR.set_forward_close`: close the connection after the forwarded message.
pub fn set_forward_close(ctx: &mut Context) -> bool {
    ctx.send_flags.forward_close = true;
    true
}

/// `KSR.set_forward_no_connect`: forward only over a connection that is there.
pub fn set_forward_no_connect(ctx: &mut Context) -> bool {
    ctx.send_flags.forward_no_connect = true;
    true
}

/// Whether a text may stand in a URI or header without ending it: no controls, no blanks.
pub(super) fn is_token_text(text: &[u8]) -> bool {
    text.iter().all(|c| *c > b' ' && *c != 0x7f)
}

/// Whether pieces of text make a URI of which `holds` is true, with nothing in it that
/// ends the angle brackets around it.
pub(super) fn is_uri_with(pieces: &[&[u8]], holds: impl Fn(&Uri<'_>) -> bool) -> bool {
    let text = pieces.concat();
    is_token_text(&text)
        && !text.iter().any(|c| matches!(c, b'<' | b'>' | b'"'))
        && Uri::parse(&text).is_ok_and(|u| holds(&u))
}
