//! `KSR.tm`: transactions (Kamailio's module tm, RFC 3261 sections 16 and 17).

use std::sync::Arc;

use sipwright_engine::log::{self, level};
use sipwright_engine::route::{self, NextHop};
use sipwright_engine::session::Current;
use sipwright_engine::tm::{HookKind, LocalSpec, RelayFlags};
use sipwright_sip::types::Proto;

use super::sl::status;
use super::{Call, Out, hooks, ksr_table};
use crate::scope::{self, ThreadSlot};

fn core_with<'py, T: Into<Out<'py>>>(
    f: impl FnOnce(&sipwright_engine::core::Core, &mut Current) -> T,
) -> Out<'py> {
    let core = scope::core();
    scope::with(|c| f(&core, c)).into()
}

fn reply<'py>(call: &Call<'_, 'py>) -> Out<'py> {
    let Some(code) = status(call.int(0)) else {
        return Out::Int(-1);
    };
    let reason = call.bytes(1);
    if reason.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Out::Int(-1);
    }
    hooks::TRANSACTION.run(call.py);
    core_with(|core, c| core.t_reply(c, code, reason))
}

/// Arms a callback; an empty name or `"0"` disarms it, as with Kamailio.
fn hook<'py>(call: &Call<'_, 'py>, kind: HookKind) -> Out<'py> {
    let name = match call.str(0) {
        "" | "0" => None,
        name => Some(Arc::from(name)),
    };
    core_with(|core, c| core.set_hook(c, kind, name));
    Out::Int(1)
}

fn relay<'py>(call: &Call<'_, 'py>, hop: Option<Result<NextHop, String>>, flags: i64) -> Out<'py> {
    hooks::TRANSACTION.run(call.py);
    let slot = ThreadSlot { py: call.py };
    let core = scope::core();
    let flags = RelayFlags(flags);
    match hop {
        None => core.t_relay(&slot, flags).into(),
        Some(Ok(hop)) => core.t_relay_to(&slot, hop, flags).into(),
        Some(Err(why)) => {
            log::log(level::ERR, &format!("{}: {why}", call.function.qualified));
            Out::Int(-1)
        }
    }
}

fn proxy(uri: &str) -> Result<NextHop, String> {
    route::next_hop(uri.as_bytes()).map_err(|e| format!("{e}: {uri}"))
}

fn proto_addr(proto: &str, host: &str, port: i64) -> Result<NextHop, String> {
    let proto =
        Proto::parse(proto.as_bytes()).ok_or_else(|| format!("unknown protocol {proto}"))?;
    let port = u16::try_from(port).map_err(|_| format!("bad port {port}"))?;
    let port = Some(port).filter(|port| *port != 0);
    Ok(NextHop::new(host, port, Some(proto)))
}

/// The same next hop over another transport.
fn over(call: &Call<'_, '_>) -> Result<NextHop, String> {
    let proto =
        Proto::parse(call.bytes(0)).ok_or_else(|| format!("unknown protocol {}", call.str(0)))?;
    let uri = scope::with(|c| c.ctx.next_hop_uri().to_vec());
    let hop = route::next_hop(&uri).map_err(|e| e.to_string())?;
    Ok(NextHop {
        proto: Some(proto),
        ..hop
    })
}

fn uac_send<'py>(call: &Call<'_, 'py>) -> Out<'py> {
    let spec = LocalSpec {
        method: call.str(0),
        uri: call.str(1),
        next_hop: call.str(2),
        socket: call.str(3),
        headers: call.str(4),
        body: call.bytes(5),
        then: None,
    };
    let slot = ThreadSlot { py: call.py };
    scope::core().t_uac_send(&slot, &spec).into()
}

ksr_table! { "tm";
    /// Forwards the request with a transaction to where its URIs say; 1, 0 for a retransmission, -1 on failure.
    t_relay() -> Int = |c| relay(c, None, 0);
    /// As `t_relay`; the flags, added up, ask not to send 100 (1), not to reply when the request cannot be forwarded and to return -4 instead (2), to try one address only (4).
    t_relay_to_flags(flags: Int) -> Int = |c| relay(c, None, c.int(0));
    /// As `t_relay`, to the next hop that the URI names.
    t_relay_to_proxy(proxy: Str) -> Int = |c| relay(c, Some(proxy(c.str(0))), 0);
    /// As `t_relay_to_proxy` with the flags of `t_relay_to_flags`.
    t_relay_to_proxy_flags(proxy: Str, flags: Int) -> Int = |c| relay(c, Some(proxy(c.str(0))), c.int(1));
    /// As `t_relay`, over this transport.
    t_relay_to_proto(proto: Str) -> Int = |c| relay(c, Some(over(c)), 0);
    /// As `t_relay`, over this transport to this host and port.
    t_relay_to_proto_addr(proto: Str, host: Str, port: Int) -> Int =
        |c| relay(c, Some(proto_addr(c.str(0), c.str(1), c.int(2))), 0);
    /// Makes the transaction of the request; 1, 0 for a retransmission, -1 on failure.
    t_newtran() -> Int = |c| {
        hooks::TRANSACTION.run(c.py);
        core_with(|core, cur| core.t_newtran(cur))
    };
    /// Whether the message belongs to a transaction: 1 yes, -1 no, 0 a retransmission that is dealt with.
    t_check_trans() -> Int = |_| core_with(|core, c| core.t_check_trans(c));
    /// Whether a transaction of the request exists: 1 or -1.
    t_lookup_request() -> Int = |_| core_with(|core, c| core.t_lookup_request(c));
    /// Whether the transaction that this CANCEL is for exists: 1 or -1.
    t_lookup_cancel() -> Int = |_| core_with(|core, c| core.t_lookup_cancel(c, false));
    /// As `t_lookup_cancel`; with flag 1 the message flags of the INVITE hold for the CANCEL too.
    t_lookup_cancel_flags(flags: Int) -> Int = |c| core_with(|core, cur| core.t_lookup_cancel(cur, c.int(0) & 1 != 0));
    /// Whether the message has a transaction, made or found before; nothing is looked up: 1 or -1.
    t_exists() -> Int = |_| core_with(|core, c| core.t_exists(c));
    /// Whether the transaction is older than its longest life (`timers.max_inv_ms`, `timers.max_noninv_ms`).
    t_is_expired() -> Int = |_| core_with(|core, c| core.t_is_expired(c));
    /// Nothing is left to clean: transactions end by themselves; 1.
    t_clean() -> Int = |_| Out::Int(1);
    /// Sends a copy of the request to where the URI says, in a transaction of its own; what comes back ends here. 1 or -1.
    t_replicate(uri: Str) -> Int = |c| {
        let slot = ThreadSlot { py: c.py };
        scope::core().t_replicate(&slot, c.str(0)).into()
    };
    /// Answers the request through its transaction, made first if need be; 1 or -1.
    t_reply(code: Int, reason: Str) -> Int = |c| reply(c);
    /// As `t_reply`.
    t_send_reply(code: Int, reason: Str) -> Int = |c| reply(c);
    /// Answers with what the last failed function had to say, 500 by default.
    t_reply_error() -> Int = |_| core_with(|core, c| core.t_reply_error(c));
    /// Sends the last reply of the transaction once more.
    t_retransmit_reply() -> Int = |_| core_with(|core, c| core.t_retransmit_reply(c));
    /// Gives the transaction up without an answer.
    t_release() -> Int = |_| core_with(|core, c| core.t_release(c));
    /// Names the route to run for each branch before it leaves; `"0"` for none.
    t_on_branch(name: Str) -> Int = |c| hook(c, HookKind::Branch);
    /// Names the route to run for each response of the transaction.
    t_on_reply(name: Str) -> Int = |c| hook(c, HookKind::Reply);
    /// Names the route to run when all branches have failed.
    t_on_failure(name: Str) -> Int = |c| hook(c, HookKind::Failure);
    /// Names the route to run when one branch has failed.
    t_on_branch_failure(name: Str) -> Int = |c| hook(c, HookKind::BranchFailure);
    /// Whether a route is armed: `failure_route`, `branch_route`, `onreply_route` or `branch_failure_route`.
    t_is_set(what: Str) -> Int = |c| core_with(|core, cur| core.t_is_set(cur, c.str(0)));
    /// Whether the transaction was cancelled from upstream: 1 or -1.
    t_is_canceled() -> Int = |_| core_with(|core, c| core.t_is_canceled(c));
    /// Whether the code of the response, or the winning one in a failure route, matches the regular expression.
    t_check_status(pattern: Str) -> Int = |c| core_with(|core, cur| core.t_check_status(cur, c.str(0)));
    /// Whether any branch got exactly this final code.
    t_grep_status(code: Int) -> Int = |c| core_with(|core, cur| core.t_grep_status(cur, c.int(0)));
    /// Code of the current response or of the last reply sent; -1 when there is none.
    t_get_status_code() -> Int = |_| core_with(|core, c| core.t_get_status_code(c));
    /// Index of the branch that runs; 0 outside of a branch.
    t_get_branch_index() -> Int = |_| core_with(|_, c| c.ctx.tx.as_ref().map_or(0, |v| i64::from(v.branch_idx)));
    /// Whether any branch timed out.
    t_any_timeout() -> Int = |_| core_with(|core, c| core.t_any_timeout(c));
    /// Whether any branch got a response before the one at hand.
    t_any_replied() -> Int = |_| core_with(|core, c| core.t_any_replied(c));
    /// Whether the branch that won timed out (failure route).
    t_branch_timeout() -> Int = |_| core_with(|core, c| core.t_branch_timeout(c));
    /// Whether the branch at hand got a response before the one at hand (failure and reply routes).
    t_branch_replied() -> Int = |_| core_with(|core, c| core.t_branch_replied(c));
    /// Whether the response repeats one that is suspended: 1 or -1.
    t_is_retr_async_reply() -> Int = |_| core_with(|core, c| core.t_is_retr_async_reply(c));
    /// Timers of this transaction in milliseconds: until the final response to INVITE, until any response; 0 keeps one.
    t_set_fr(fr_inv_ms: Int, fr_ms: Int) -> Int = |c| core_with(|core, cur| core.t_set_fr(cur, c.int(0), c.int(1)));
    /// As `t_set_fr` for the first timer alone.
    t_set_fr_inv(fr_inv_ms: Int) -> Int = |c| core_with(|core, cur| core.t_set_fr(cur, c.int(0), 0));
    /// Timers of this transaction as configured.
    t_reset_fr() -> Int = |_| core_with(|core, c| core.t_reset_fr(c));
    /// Whether a 6xx leaves the other branches alone (1) or cancels them (0).
    t_set_disable_6xx(on: Int) -> Int = |c| core_with(|core, cur| core.t_set_disable_6xx(cur, c.int(0) != 0));
    /// Retransmission intervals of this transaction in milliseconds: the first, and the longest (T1, T2); 0 keeps one.
    t_set_retr(t1_ms: Int, t2_ms: Int) -> Int = |c| core_with(|core, cur| core.t_set_retr(cur, c.int(0), c.int(1)));
    /// Retransmission intervals as configured.
    t_reset_retr() -> Int = |_| core_with(|core, c| core.t_reset_retr(c));
    /// Longest life of this transaction in milliseconds, if it is an INVITE, or another request; 0 keeps one.
    t_set_max_lifetime(inv_ms: Int, noninv_ms: Int) -> Int =
        |c| core_with(|core, cur| core.t_set_max_lifetime(cur, c.int(0), c.int(1)));
    /// Longest life as configured.
    t_reset_max_lifetime() -> Int = |_| core_with(|core, c| core.t_reset_max_lifetime(c));
    /// Whether an INVITE gets a 100 by itself (1) or not (0); to be called before the transaction is made.
    t_set_auto_inv_100(on: Int) -> Int = |c| core_with(|core, cur| core.t_set_auto_inv_100(cur, c.int(0) != 0));
    /// With 1, `t_relay` does not answer a request that it cannot forward, and returns -4.
    t_set_disable_internal_reply(on: Int) -> Int =
        |c| core_with(|core, cur| core.t_set_disable_internal_reply(cur, c.int(0) != 0));
    /// With 1, the Reason of a CANCEL that comes does not go into the CANCELs that are sent for it.
    t_set_no_e2e_cancel_reason(on: Int) -> Int =
        |c| core_with(|core, cur| core.t_set_no_e2e_cancel_reason(cur, c.int(0) != 0));
    /// Which failures count once this failure route is over: `"n"`one is dropped, `"a"`ll are, or those before the `"l"`ast set of branches.
    t_drop_replies(mode: Str) -> Int = |c| core_with(|core, cur| core.t_drop_replies(cur, c.str(0)));
    /// As `t_drop_replies("a")`.
    t_drop_replies_all() -> Int = |_| core_with(|core, c| core.t_drop_replies(c, "a"));
    /// Failure routes begin with the edits of the message as they are now, not as they are when it is forwarded; 1, -1 without a transaction.
    t_save_lumps() -> Int = |_| core_with(|core, c| core.t_save_lumps(c));
    /// CANCEL and ACK always look like the request that left, so that this changes nothing; 1.
    t_use_uac_headers() -> Int = |_| Out::Int(1);
    /// Puts the destinations aside for `t_next_contacts`, grouped by q; a single one stays. 1.
    t_load_contacts() -> Int = |_| core_with(|core, c| core.t_load_contacts(c, false));
    /// As `t_load_contacts` (0), or in an order drawn with q as weight and one at a time (1).
    ki_t_load_contacts_mode(mode: Int) -> Int = |c| core_with(|core, cur| core.t_load_contacts(cur, c.int(0) == 1));
    /// Makes the contacts of the highest q the destinations; 1, -2 when none is left. Of several flows of one user agent (RFC 5626) only one is.
    t_next_contacts() -> Int = |_| core_with(|core, c| core.t_next_contacts(c));
    /// In a branch failure route: makes another flow of the same user agent the destination; 1, -2 when there is none.
    t_next_contact_flow() -> Int = |_| core_with(|core, c| core.t_next_contact_flow(c));
    /// Whether further targets of a domain are left alone when one fails (1) or tried (0).
    t_set_disable_failover(on: Int) -> Int =
        |c| core_with(|core, cur| core.t_set_disable_failover(cur, c.int(0) != 0));
    /// Sends a request of our own: to the next hop, or where the Request-URI says (`""`), from that socket or any (`""`); the header lines end with CRLF and include From and To. 1, or -1 when it cannot be sent.
    t_uac_send(method: Str, uri: Str, next_hop: Str, socket: Str, headers: Str, body: Str) -> Int = |c| uac_send(c);
}
