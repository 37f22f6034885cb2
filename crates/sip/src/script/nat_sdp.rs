//! SDP of clients behind NAT (module nathelper; RFC 8866).

use std::net::IpAddr;

use crate::types::Span;
use crate::uri::host_ip;

use super::context::Context;
use super::hdr::change;

/// Bits of `fix_nated_sdp`.
mod flag {
    /// `a=direction:active` in each media section.
    pub const DIRECTION: i64 = 1;
    /// New addresses in `c=` and `a=rtcp`.
    pub const MEDIA: i64 = 2;
    /// The line that marks the body as changed.
    pub const MARK: i64 = 4;
    /// A new address in `o=`, and in `a=rtcp`.
    pub const ORIGIN: i64 = 8;
}

/// An address in the body, and the type of it before (`IP4`).
struct Place {
    kind: Span,
    address: Span,
}

/// `KSR.nathelper.fix_nated_sdp` and `fix_nated_sdp_ip`: 1 when addresses were replaced, 2 when none were, -1 without a
/// body or with an address that is none. Without an address that of the source is taken.
pub fn fix_nated_sdp(ctx: &mut Context, flags: i64, address: &[u8]) -> i32 {
    let ip = match address {
        b"" => Some(ctx.flow.remote.ip().to_canonical()),
        text => host_ip(text),
    };
    let Some(ip) = ip else {
        ctx.complain("fix_nated_sdp: not an address");
        return -1;
    };
    let msg = std::sync::Arc::clone(&ctx.msg);
    if msg.body().is_empty() {
        return -1;
    }
    let lines = lines(&msg);
    if flags & flag::DIRECTION != 0 {
        add_direction(ctx, &lines);
    }
    let media: &[&[u8]] = if flags & flag::MEDIA != 0 {
        &[b"c=", b"a=rtcp:"]
    } else {
        &[]
    };
    let origin: &[&[u8]] = match (flags & flag::ORIGIN != 0, flags & flag::MEDIA != 0) {
        (true, false) => &[b"o=", b"a=rtcp:"],
        (true, true) => &[b"o="],
        (false, _) => &[],
    };
    let end = end_of_body(&msg);
    if flags & flag::MARK != 0 {
        let mark = ctx.env.nat.mark.clone();
        change(ctx, end, mark);
    }
    let mut replaced = 2;
    for starts in [media, origin] {
        for line in &lines {
            if let Some(place) = place_of(msg.get(*line), *line, starts) {
                replace(ctx, &place, ip, end);
                replaced = 1;
            }
        }
    }
    replaced
}

/// The lines of the body without their ends.
fn lines(msg: &crate::message::Message) -> Vec<Span> {
    let bytes = msg.bytes();
    let mut at = msg.body_offset();
    let mut found = Vec::new();
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n + 1);
        let line = bytes[at..end].trim_ascii_end();
        found.push(span(at, at + line.len()));
        at = end;
    }
    found
}

/// Messages are shorter than 4 GiB.
fn span(start: usize, end: usize) -> Span {
    let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span::new(clip(start), clip(end))
}

fn end_of_body(msg: &crate::message::Message) -> Span {
    let end = msg.body_offset() + msg.body().len();
    span(end, end)
}

/// After each media section.
fn add_direction(ctx: &mut Context, lines: &[Span]) {
    let msg = std::sync::Arc::clone(&ctx.msg);
    let starts: Vec<usize> = (0..lines.len())
        .filter(|n| msg.get(lines[*n]).starts_with(b"m="))
        .collect();
    for next in starts.iter().skip(1).map(|n| lines[*n].start) {
        change(ctx, Span::new(next, next), &b"a=direction:active\r\n"[..]);
    }
    if !starts.is_empty() {
        change(ctx, end_of_body(&msg), &b"a=direction:active\r\n"[..]);
    }
}

/// Where the address is in a line that begins in one of these ways.
fn place_of(text: &[u8], line: Span, starts: &[&[u8]]) -> Option<Place> {
    starts.iter().find(|start| text.starts_with(start))?;
    let kind = text
        .windows(4)
        .position(|w| matches!(w, b" IP4" | b" IP6"))?
        + 1;
    let address = kind + 4;
    let rest = text.get(address..)?;
    let end = address
        + rest
            .iter()
            .position(|c| matches!(c, b' ' | b'/'))
            .unwrap_or(rest.len());
    let part = |from: usize, to: usize| span(line.start as usize + from, line.start as usize + to);
    (end > address).then(|| Place {
        kind: part(kind, kind + 3),
        address: part(address, end),
    })
}

fn replace(ctx: &mut Context, place: &Place, ip: IpAddr, end: Span) {
    let old = ctx.msg.get(place.address).to_vec();
    let kind: &[u8] = if ip.is_ipv4() { b"IP4" } else { b"IP6" };
    if ctx.msg.get(place.kind) != kind {
        change(ctx, place.kind, kind);
    }
    change(ctx, place.address, ip.to_string());
    if ctx.env.nat.tell_old {
        change(ctx, end, [b"a=oldmediaip:", &old[..], b"\r\n"].concat());
    }
}
