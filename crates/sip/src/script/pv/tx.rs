//! What tm knows: `$T_reply_code`, `$T_branch_idx`, `$T_req(..)`, `$cnt(..)`.

use std::sync::Arc;

use crate::method::Method;

use super::super::context::{Context, RouteType, TxView, Value};
use super::names::Class;
use super::read::int;
use super::{Spec, Var, avps, get, header};

pub(super) fn plain(ctx: &Context, class: Class) -> Value<'_> {
    let tx = ctx.tx.as_deref();
    match class {
        Class::TxBranchIdx => match tx {
            // As in Kamailio there is a branch only if it runs for a response.
            _ if ctx.route == RouteType::Onsend && ctx.msg.is_request() => Value::Int(-1),
            Some(tx) => int(tx.branch_idx),
            // A response that has not been taken to its transaction yet.
            None if matches!(ctx.route, RouteType::Reply | RouteType::Onsend) => Value::Int(-1),
            None => Value::Int(0),
        },
        Class::TxReplyCode => int(reply_code(ctx)),
        Class::TxReplyLast => tx.and_then(|t| t.reply_last).map_or(Value::Null, int),
        Class::TxReplyReason => match tx {
            Some(tx) => Value::opt(tx.reply_reason.as_deref()),
            None if ctx.msg.is_request() || ctx.route == RouteType::Onsend => Value::borrowed(b""),
            None => Value::borrowed(ctx.msg.reason()),
        },
        Class::TxReplyRuid => Value::borrowed(tx.map_or(&[], |t| &t.reply_ruid)),
        _ => Value::Null,
    }
}

fn reply_code(ctx: &Context) -> u16 {
    match ctx.tx.as_deref() {
        _ if ctx.route == RouteType::Onsend => 0,
        Some(tx) => tx.reply_code,
        None => ctx.msg.status(),
    }
}

/// `$T(..)` and `$T_branch(..)`.
pub(super) fn with_inner<'a>(ctx: &'a Context, class: Class, what: &[u8]) -> Value<'a> {
    let tx = ctx.tx.as_deref();
    let known = |f: fn(&TxView) -> i64| tx.map_or(Value::Null, |t| Value::Int(f(t)));
    match (class, what) {
        (Class::TxBranch, b"uri") => Value::opt(tx.and_then(|t| t.branch_uri.as_deref())),
        (Class::TxBranch, b"flags") => match ctx.route {
            RouteType::TmReply | RouteType::Failure | RouteType::BranchFailure => int(ctx.bflags),
            _ => Value::Null,
        },
        (_, b"id_label") => known(|t| i64::try_from(t.id.1).unwrap_or(0)),
        (_, b"id_index") => known(|t| i64::try_from(t.id.0).unwrap_or(0)),
        (_, b"reply_type") => known(|t| i64::from(t.reply_made_up)),
        (_, b"reply_code") => int(reply_code(ctx)),
        (_, b"reply_reason") => plain(ctx, Class::TxReplyReason),
        (_, b"reply_last") => plain(ctx, Class::TxReplyLast),
        (_, b"branch_index") => plain(ctx, Class::TxBranchIdx),
        (_, b"ruid") => plain(ctx, Class::TxReplyRuid),
        _ => Value::Null,
    }
}

/// `$T_req(pv)`, `$T_inv(pv)`, `$T_rpl(pv)` and `$cnt(pv)`.
pub(super) fn nested(ctx: &Context, class: Class, spec: &Spec) -> Value<'static> {
    let tx = ctx.tx.as_deref();
    let msg = match class {
        Class::TxReq => ctx.original.as_ref().filter(|_| !is_cancel(ctx)),
        Class::TxInv => ctx.original.as_ref().filter(|_| is_cancel(ctx)),
        Class::TxRpl => tx.and_then(|t| t.reply.as_ref()),
        _ => return count(ctx, spec),
    };
    let Some(msg) = msg else {
        return Value::Null;
    };
    let mut other = Context::new(Arc::clone(&ctx.env), Arc::clone(msg), ctx.flow, ctx.now);
    other.msg_id = ctx.msg_id;
    get(&other, spec).into_owned()
}

fn is_cancel(ctx: &Context) -> bool {
    ctx.msg.is_request() && ctx.msg.method() == Method::Cancel
}

/// How many values `$avp(x)` or `$hdr(x)` has.
fn count(ctx: &Context, spec: &Spec) -> Value<'static> {
    match &spec.var {
        Var::Inner(Class::Avp, inner) => {
            let key = avps::key_of(ctx, &inner.eval(ctx));
            int(ctx.tx_data.avps.values(&key).count())
        }
        Var::Inner(Class::Hdr, inner) => int(ctx.msg.find(&inner.eval(ctx)).count()),
        Var::Inner(Class::Hfl, inner) => int(header::hfl_values(&ctx.msg, &inner.eval(ctx)).len()),
        _ => Value::Null,
    }
}
