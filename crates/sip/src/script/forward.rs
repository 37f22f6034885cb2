//! From a [`Context`] to the bytes that leave.

use bytes::Bytes;

use crate::types::SocketInfo;

use super::context::{BranchTarget, Context};

/// The destinations of the request: the main one, then the appended branches, those
/// with a higher q first (serial forking is up to the caller).
#[must_use]
pub fn branches(ctx: &Context) -> Vec<BranchTarget> {
    let _ = ctx;
    Vec::new()
}

/// The URI to resolve for a branch: its destination URI, the first URI of its path, or
/// its request-URI.
#[must_use]
pub fn next_hop(branch: &BranchTarget) -> &[u8] {
    branch.dst_uri.as_deref().unwrap_or(&branch.uri)
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
    let _ = (ctx, out_socket, via_branch, branch);
    Vec::new()
}

/// The response as it is forwarded: without our Via, with the edits of the script and
/// the status of `change_reply_status`.
#[must_use]
pub fn build_reply(ctx: &Context) -> Vec<u8> {
    let _ = ctx;
    Vec::new()
}

/// The message with all edits applied, as `msg_apply_changes` makes it.
#[must_use]
pub fn applied(ctx: &Context) -> Bytes {
    ctx.msg.bytes().clone()
}
