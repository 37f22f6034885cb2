//! `KSR.tmx`: more of transactions (Kamailio's module tmx).

use sipwright_sip::script::RouteType;

use super::sl::status;
use super::{Call, Out, ksr_table};
use crate::scope;

fn in_route<'py>(kinds: &[RouteType]) -> Out<'py> {
    let yes = scope::with(|c| kinds.contains(&c.ctx.route));
    Out::Int(if yes { 1 } else { -1 })
}

fn reply_callid<'py>(call: &Call<'_, 'py>) -> Out<'py> {
    let reason = call.str(3);
    match status(call.int(2)) {
        Some(code) if !reason.contains(['\r', '\n', '\0']) => scope::core()
            .t_reply_callid(call.str(0), call.str(1), code, reason)
            .into(),
        _ => Out::Int(-1),
    }
}

ksr_table! { "tmx";
    /// Whether the request is being worked on or has been already: 1 yes, -1 no, 0 a retransmission that is dealt with.
    t_precheck_trans() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.t_check_trans(c)).into()
    };
    /// Whether a branch route runs: 1 or -1.
    t_is_branch_route() -> Int = |_| in_route(&[RouteType::Branch]);
    /// Whether a failure route runs: 1 or -1.
    t_is_failure_route() -> Int = |_| in_route(&[RouteType::Failure]);
    /// Whether a reply route runs: 1 or -1.
    t_is_reply_route() -> Int = |_| in_route(&[RouteType::Reply, RouteType::TmReply]);
    /// Whether the request route runs: 1 or -1.
    t_is_request_route() -> Int = |_| in_route(&[RouteType::Request]);
    /// Cancels branches: `all`, `others` or `this`.
    t_cancel_branches(which: Str) -> Int = |c| {
        let core = scope::core();
        scope::with(|cur| core.t_cancel_branches(cur, c.str(0))).into()
    };
    /// Keeps the message when its route has ended, until `t_continue`; `$T(id_index)` and `$T(id_label)` name it then. In a request or failure route, or a route of `t_on_reply`; 1 or -1.
    t_suspend() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.t_suspend(c)).into()
    };
    /// Has this route run with the suspended message of that index and label; 1, or -1 when none is suspended.
    t_continue(index: Int, label: Int, route: Str) -> Int =
        |c| scope::core().t_continue(c.int(0), c.int(1), c.str(2)).into();
    /// Cancels the INVITE with this Call-ID and sequence number; message flag `flag` (0 for none) is set for its failure route. 1 or -1.
    t_cancel_callid(call_id: Str, cseq: Str, flag: Int) -> Int =
        |c| scope::core().t_cancel_callid(c.str(0), c.str(1), c.int(2), 0).into();
    /// As `t_cancel_callid`, with a cause for the Reason header of the CANCELs (RFC 3326); 200 means completed elsewhere.
    t_cancel_callid_reason(call_id: Str, cseq: Str, flag: Int, code: Int) -> Int =
        |c| scope::core().t_cancel_callid(c.str(0), c.str(1), c.int(2), c.int(3)).into();
    /// Answers the INVITE with this Call-ID and sequence number, suspended or not; 1 or -1.
    t_reply_callid(call_id: Str, cseq: Str, code: Int, reason: Str) -> Int = |c| reply_callid(c);
    /// Copies the message flags to the transaction.
    t_flush_flags() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.t_flush_flags(c)).into()
    };
    /// Copies the extended flags to the transaction.
    t_flush_xflags() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.t_flush_xflags(c)).into()
    };
    /// Gives the transaction up without an answer, as if it had been answered with 500; 0 (stop), -1 without a transaction.
    t_drop() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.t_drop(c, 500)).into()
    };
    /// As `t_drop`, as if it had been answered with this code.
    t_drop_rcode(code: Int) -> Int = |c| {
        let core = scope::core();
        let code = u16::try_from(c.int(0)).unwrap_or(500);
        scope::with(|cur| core.t_drop(cur, code)).into()
    };
    /// In a branch failure route: makes the destination of the branch the one to try once more; 1 or -1.
    t_reuse_branch() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.t_reuse_branch(c)).into()
    };
}
