//! From a [`Context`] to the bytes that leave.

use std::borrow::Cow;

use bytes::Bytes;

use crate::build::{self, Forward, ViaFix};
use crate::edit::Edits;
use crate::nameaddr::parse_nameaddr;
use crate::types::{Flow, SocketInfo, push_decimal};

use super::context::{BranchTarget, Context, ViaWishes};
use super::pv::Index;
use super::rr::record_route_lines;
use super::xavp::{Item, XavpKind, XavpPath};

/// The destinations of the request: the main one, unless it was used before, then the
/// appended branches in the order of their making.
#[must_use]
pub fn branches(ctx: &Context) -> Vec<BranchTarget> {
    let mut all = Vec::with_capacity(1 + ctx.branches.len());
    if !ctx.uri_used {
        all.push(main_branch(ctx));
    }
    all.extend(ctx.branches.iter().cloned());
    all
}

/// The main destination: request-URI and destination URI in force.
#[must_use]
pub fn main_branch(ctx: &Context) -> BranchTarget {
    let binding = ctx.binding.as_deref();
    BranchTarget {
        uri: ctx.uri().to_vec(),
        dst_uri: ctx.dst_uri.clone(),
        path: ctx.path_vec.clone(),
        q: ctx.q,
        flags: ctx.bflags,
        socket: ctx.force_socket,
        instance: binding.and_then(|b| b.instance.clone()),
        reg_id: binding.map_or(0, |b| b.reg_id),
        ruid: binding.and_then(|b| b.ruid.clone()),
        location_ua: binding.and_then(|b| b.location_ua.clone()),
        flow: ctx.flow_route.clone(),
    }
}

/// The URI to resolve for a branch: its destination URI, the first URI of its path, or
/// its request-URI.
#[must_use]
pub fn next_hop(branch: &BranchTarget) -> &[u8] {
    if let Some(uri) = &branch.dst_uri {
        return uri;
    }
    let path = branch.path.as_deref().and_then(first_uri);
    path.unwrap_or(&branch.uri)
}

/// The flow that a branch leaves by, if its destination URI is still the one that stands for it.
#[must_use]
pub fn flow_of(branch: &BranchTarget) -> Option<Flow> {
    let route = branch.flow.as_deref()?;
    (branch.dst_uri.as_deref() == Some(&route.uri[..])).then_some(route.flow)
}

/// URI of the first value of a Path.
fn first_uri(path: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'>', path).map_or(path.len(), |i| i + 1);
    parse_nameaddr(&path[..end]).ok().map(|a| a.uri)
}

/// The request as it leaves by `out_socket` (RFC 3261 section 16.6): new Request-URI,
/// our Via on top with `via_branch`, the sender's Via completed, Record-Route for this
/// socket, the path of the branch as Route, and the edits of the script.
#[must_use]
pub fn build_branch(
    ctx: &Context,
    out_socket: &SocketInfo,
    via_branch: &str,
    branch: &BranchTarget,
) -> Vec<u8> {
    build_below(ctx, &head(ctx, out_socket, via_branch, branch), branch)
}

/// The header lines with CRLF that a request has first: all that depends on the socket it
/// leaves by.
#[must_use]
pub fn head(
    ctx: &Context,
    out_socket: &SocketInfo,
    via_branch: &str,
    branch: &BranchTarget,
) -> Vec<u8> {
    let mut top = via_line(ctx, out_socket, via_branch);
    top.extend_from_slice(&record_route_lines(ctx, ctx.recv_socket(), out_socket));
    if let Some(path) = branch.path.as_deref().filter(|p| !p.is_empty()) {
        top.extend_from_slice(b"Route: ");
        top.extend_from_slice(path);
        top.extend_from_slice(b"\r\n");
    }
    top
}

/// The request below such a [`head`].
#[must_use]
pub fn build_below(ctx: &Context, head: &[u8], branch: &BranchTarget) -> Vec<u8> {
    build::forward_request(
        &ctx.msg,
        &Forward {
            uri: Some(&branch.uri),
            via: head,
            via_fix: via_fix(ctx),
            top: b"",
            max_forwards: ctx.max_forwards,
            edits: &final_edits(ctx),
        },
    )
}

/// Our Via with CRLF (RFC 3261 section 18.1.1; `rport` by RFC 3581 when asked for).
#[must_use]
pub fn via_line(ctx: &Context, socket: &SocketInfo, branch: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + branch.len());
    out.extend_from_slice(b"Via: SIP/2.0/");
    out.extend_from_slice(socket.proto.via_str().as_bytes());
    out.push(b' ');
    let field = |name| {
        let used = ctx.via.fields && !ctx.env.xavp_via_fields.is_empty();
        let value = used.then(|| via_field(ctx, &ctx.env.xavp_via_fields, name))?;
        value.filter(|text| is_plain(text))
    };
    match field(b"address").as_ref().or(ctx.advertised_host.as_ref()) {
        Some(host) => out.extend_from_slice(host),
        None => socket.push_host(&mut out),
    }
    let port = field(b"port").and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
    let port = port
        .or(ctx.advertised_port)
        .unwrap_or_else(|| socket.port());
    out.push(b':');
    push_decimal(&mut out, port);
    out.extend_from_slice(b";branch=");
    out.extend_from_slice(branch.as_bytes());
    if ctx.local_rport {
        out.extend_from_slice(b";rport");
    }
    if ctx.via != ViaWishes::default() {
        push_wishes(ctx, &mut out);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A field of an extended AVP, as text.
fn via_field(ctx: &Context, root: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let path = XavpPath::child(root, name);
    let value = ctx.tx_data.xavps.get(XavpKind::Plain, &path);
    value.text().map(Cow::into_owned)
}

/// Further parameters of our Via; what would be no parameter is left out.
fn push_wishes(ctx: &Context, out: &mut Vec<u8>) {
    if ctx.via.srvid && ctx.env.server_id > 0 {
        out.extend_from_slice(format!(";srvid={}", ctx.env.server_id).as_bytes());
    }
    let root = &ctx.env.xavp_via_params;
    if !ctx.via.params || root.is_empty() {
        return;
    }
    let Some(fields) = ctx
        .tx_data
        .xavps
        .fields(XavpKind::Plain, (root, Index::None))
    else {
        return;
    };
    for (name, item) in fields.iter() {
        let Item::Value(value) = item else { continue };
        let value = value.text().unwrap_or_default();
        let good = |c: &u8| c.is_ascii_graphic() && !b";,".contains(c);
        if is_plain(name) && value.iter().all(good) {
            out.push(b';');
            out.extend_from_slice(name);
            if !value.is_empty() {
                out.push(b'=');
                out.extend_from_slice(&value);
            }
        }
    }
}

/// A name or a host: no blank and nothing that separates parts of a Via.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || b"-._[]:".contains(c))
}

/// What goes into the Via of the sender, in requests that are forwarded and in
/// responses that are made here.
#[must_use]
pub fn via_fix(ctx: &Context) -> ViaFix {
    ViaFix::for_request(&ctx.msg, ctx.flow.remote, ctx.force_rport)
}

/// All edits of the script, those to From and To included.
#[must_use]
pub fn final_edits(ctx: &Context) -> Cow<'_, Edits> {
    if ctx.addresses.is_empty() {
        return Cow::Borrowed(&ctx.edits);
    }
    let mut edits = ctx.edits.clone();
    ctx.addresses.write(&ctx.msg, &mut edits);
    Cow::Owned(edits)
}

/// The response as it is forwarded: without our Via, with the edits of the script and
/// the status of `change_reply_status`.
#[must_use]
pub fn build_reply(ctx: &Context) -> Vec<u8> {
    build::forward_response(&ctx.msg, &reply_edits(ctx))
}

fn reply_edits(ctx: &Context) -> Cow<'_, Edits> {
    let edits = final_edits(ctx);
    let Some((code, reason)) = &ctx.reply_status else {
        return edits;
    };
    let mut line = format!("SIP/2.0 {code} ").into_bytes();
    line.extend_from_slice(reason);
    line.extend_from_slice(b"\r\n");
    let mut edits = edits.into_owned();
    edits.overwrite(ctx.msg.first_line(), line);
    Cow::Owned(edits)
}

/// The message with all edits applied, as `msg_apply_changes` makes it: no Via is added
/// or removed.
#[must_use]
pub fn applied(ctx: &Context) -> Bytes {
    if !ctx.is_request() {
        let mut out = Vec::with_capacity(ctx.msg.bytes().len() + 64);
        reply_edits(ctx).apply(&ctx.msg, &mut out);
        return out.into();
    }
    let how = Forward {
        uri: ctx.new_uri.as_deref(),
        via: b"",
        via_fix: ViaFix::default(),
        top: b"",
        max_forwards: ctx.max_forwards,
        edits: &final_edits(ctx),
    };
    build::forward_request(&ctx.msg, &how).into()
}
