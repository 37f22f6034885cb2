//! What tm knows: `$T_reply_code`, `$T_branch_idx`, `$T_req(..)`, `$cnt(..)`.

use std::sync::Arc;

use super::super::context::{Context, TxView, Value};
use super::names::Class;
use super::read::int;
use super::{Spec, Var, avps, get, header};

pub(super) fn plain(ctx: &Context, class: Class) -> Value<'_> {
    let tx = ctx.tx.as_deref();
    match class {
        Class::TxBranchIdx => int(tx.map_or(0, |t| t.branch_idx)),
        Class::TxReplyCode => int(reply_code(ctx)),
        Class::TxReplyLast => tx.and_then(|t| t.reply_last).map_or(Value::Null, int),
        Class::TxReplyReason => Value::borrowed(tx.map_or(&[], |t| &t.reply_reason)),
        Class::TxReplyRuid => Value::borrowed(tx.map_or(&[], |t| &t.reply_ruid)),
        _ => Value::Null,
    }
}

fn reply_code(ctx: &Context) -> u16 {
    match ctx.tx.as_deref() {
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
        (Class::TxBranch, b"flags") => int(ctx.bflags),
        (_, b"id_label") => known(|t| i64::try_from(t.id.1).unwrap_or(0)),
        (_, b"id_index") => known(|t| i64::try_from(t.id.0).unwrap_or(0)),
        (_, b"reply_code") => int(reply_code(ctx)),
        (_, b"reply_last") => plain(ctx, Class::TxReplyLast),
        (_, b"branch_index") => plain(ctx, Class::TxBranchIdx),
        (_, b"ruid") => plain(ctx, Class::TxReplyRuid),
        _ => Value::Null,
    }
}

/// `$T_req(pv)`, `$T_rpl(pv)` and `$cnt(pv)`.
pub(super) fn nested(ctx: &Context, class: Class, spec: &Spec) -> Value<'static> {
    let tx = ctx.tx.as_deref();
    let msg = match class {
        Class::TxReq => tx.and_then(|t| t.request.as_ref()),
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

/// How many values `$avp(x)` or `$hdr(x)` has.
fn count(ctx: &Context, spec: &Spec) -> Value<'static> {
    match &spec.var {
        Var::Inner(Class::Avp, inner) => {
            let key = avps::key(&inner.eval(ctx));
            int(ctx.tx_data.avps.values(&key).count())
        }
        Var::Inner(Class::Hdr, inner) => int(ctx.msg.find(&inner.eval(ctx)).count()),
        Var::Inner(Class::Hfl, inner) => int(header::hfl_values(&ctx.msg, &inner.eval(ctx)).len()),
        _ => Value::Null,
    }
}
