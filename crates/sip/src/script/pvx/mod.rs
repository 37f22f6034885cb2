//! `KSR.pvx`: AVPs, extended AVPs and script variables by name.

mod lists;

use super::avp::AvpKey;
use super::context::{Binding, Context, Value};
use super::corex::{code, push_branch};
use super::pv::{self, Format, Index, Spec, avp_key, borrow};
use super::xavp::{XavpKind, XavpPath};

pub use lists::*;

/// `KSR.pvx.var_get`: a script variable, 0 when it was never set.
#[must_use]
pub fn var_get<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    ctx.vars.get(name).map_or(Value::Int(0), borrow)
}

/// `KSR.pvx.var_sets`, `var_seti`.
pub fn var_set(ctx: &mut Context, name: &[u8], value: Value<'_>) -> i32 {
    ctx.vars.set(name, value.into_owned());
    1
}

/// `KSR.pvx.avp_get`: the newest value of an AVP.
#[must_use]
pub fn avp_get<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    let value = ctx.tx_data.avps.first(&avp_key(name));
    value.map_or(Value::Null, borrow)
}

/// `KSR.pvx.avp_sets`, `avp_seti`: adds a value.
pub fn avp_set(ctx: &mut Context, name: &[u8], value: Value<'_>) -> i32 {
    let key: AvpKey = avp_key(name);
    ctx.tx_data.avps.push(&key, value.into_owned());
    1
}

/// `KSR.pvx.avp_rm`: removes all values of an AVP.
pub fn avp_rm(ctx: &mut Context, name: &[u8]) -> i32 {
    ctx.tx_data.avps.clear(&avp_key(name));
    1
}

/// `KSR.pvx.avp_is_null`.
#[must_use]
pub fn avp_is_null(ctx: &Context, name: &[u8]) -> i32 {
    code(avp_get(ctx, name).is_null())
}

/// `KSR.pvx.xavp_get`, `xavu_get`, `xavi_get`.
#[must_use]
pub fn xavp_get<'a>(ctx: &'a Context, kind: XavpKind, name: &[u8]) -> Value<'a> {
    ctx.tx_data.xavps.get(kind, &XavpPath::root(name))
}

/// `KSR.pvx.xavp_sets`, `xavp_seti` and siblings: a new value on top.
pub fn xavp_set(ctx: &mut Context, kind: XavpKind, name: &[u8], value: Value<'_>) -> i32 {
    let path = XavpPath::root(name);
    code(!name.is_empty() && ctx.tx_data.xavps.set(kind, &path, value.into_owned()))
}

/// `KSR.pvx.xavp_is_null` and siblings.
#[must_use]
pub fn xavp_is_null(ctx: &Context, kind: XavpKind, name: &[u8]) -> i32 {
    code(xavp_get(ctx, kind, name).is_null())
}

/// `KSR.pvx.xavp_rm` and siblings: the newest value of that name.
pub fn xavp_rm(ctx: &mut Context, kind: XavpKind, name: &[u8]) -> i32 {
    ctx.tx_data.xavps.remove(kind, &XavpPath::root(name));
    1
}

/// `KSR.pvx.xavp_rm_all` and siblings: all values of that name.
pub fn xavp_rm_all(ctx: &mut Context, kind: XavpKind, name: &[u8]) -> i32 {
    let path = XavpPath {
        root: (name, Index::All),
        ..XavpPath::root(name)
    };
    ctx.tx_data.xavps.remove(kind, &path);
    1
}

/// `KSR.pvx.xavp_child_get` and siblings: a field of the newest value of that name.
#[must_use]
pub fn xavp_child_get<'a>(
    ctx: &'a Context,
    kind: XavpKind,
    name: &[u8],
    field: &[u8],
) -> Value<'a> {
    ctx.tx_data.xavps.get(kind, &XavpPath::child(name, field))
}

/// `KSR.pvx.xavp_child_sets`, `xavp_child_seti` and siblings: sets or replaces a field.
pub fn xavp_child_set(
    ctx: &mut Context,
    kind: XavpKind,
    name: &[u8],
    field: &[u8],
    value: Value<'_>,
) -> i32 {
    if name.is_empty() || field.is_empty() {
        return -1;
    }
    let xavps = &mut ctx.tx_data.xavps;
    xavps.set_child(kind, name, field, value.into_owned());
    1
}

/// `KSR.pvx.xavp_child_is_null` and siblings.
#[must_use]
pub fn xavp_child_is_null(ctx: &Context, kind: XavpKind, name: &[u8], field: &[u8]) -> i32 {
    code(xavp_child_get(ctx, kind, name, field).is_null())
}

/// `KSR.pvx.xavp_child_rm` and siblings.
pub fn xavp_child_rm(ctx: &mut Context, kind: XavpKind, name: &[u8], field: &[u8]) -> i32 {
    let path = XavpPath::child(name, field);
    ctx.tx_data.xavps.remove(kind, &path);
    1
}

/// `KSR.pvx.evalx`: evaluates the variables in a text, and those in what comes out.
pub fn evalx(ctx: &mut Context, target: &[u8], text: &[u8]) -> i32 {
    let evaluate = |text: &[u8], ctx: &Context| Format::parse(text).map(|f| f.eval(ctx));
    match evaluate(text, ctx).and_then(|once| evaluate(&once, ctx)) {
        Ok(text) => assign(ctx, target, text),
        Err(why) => {
            ctx.complain(why.to_string());
            -1
        }
    }
}

/// Puts a text into the variable that a parameter names.
pub(super) fn assign(ctx: &mut Context, target: &[u8], text: Vec<u8>) -> i32 {
    match Spec::parse(target) {
        Ok(spec) if pv::set(ctx, &spec, Value::owned(text)) => 1,
        Ok(_) => {
            ctx.complain(format!("cannot set {}", String::from_utf8_lossy(target)));
            -1
        }
        Err(why) => {
            ctx.complain(why.to_string());
            -1
        }
    }
}

/// `KSR.pvx.shv_get`: a shared variable, 0 when it was never set.
#[must_use]
pub fn shv_get(ctx: &Context, name: &[u8]) -> Value<'static> {
    ctx.env.shared.get(name)
}

/// `KSR.pvx.shv_sets`, `shv_seti`.
pub fn shv_set(ctx: &mut Context, name: &[u8], value: Value<'_>) -> i32 {
    ctx.env.shared.set(name, value.into_owned());
    1
}

/// `KSR.pvx.shvinc_get`: adds one and gives the sum.
#[must_use]
pub fn shvinc_get(ctx: &Context, name: &[u8]) -> Value<'static> {
    ctx.env.shared.increment(name)
}

/// `KSR.pvx.sbranch_append`: `$sbranch(..)` as a further destination.
pub fn sbranch_append(ctx: &mut Context) -> i32 {
    match ctx.static_branch.as_deref().filter(|b| !b.uri.is_empty()) {
        Some(branch) => {
            let branch = branch.clone();
            push_branch(ctx, branch)
        }
        None => -1,
    }
}

/// `KSR.pvx.sbranch_set_ruri`: `$sbranch(..)` as the main destination.
pub fn sbranch_set_ruri(ctx: &mut Context) -> i32 {
    let Some(branch) = ctx.static_branch.clone().filter(|b| !b.uri.is_empty()) else {
        return -1;
    };
    ctx.set_uri(branch.uri);
    ctx.dst_uri = branch.dst_uri;
    ctx.path_vec = branch.path;
    ctx.q = branch.q;
    ctx.bflags = branch.flags;
    ctx.force_socket = branch.socket.or(ctx.force_socket);
    if branch.ruid.is_some() || branch.location_ua.is_some() || branch.instance.is_some() {
        ctx.binding = Some(Box::new(Binding {
            ruid: branch.ruid,
            location_ua: branch.location_ua,
            instance: branch.instance,
            reg_id: branch.reg_id,
        }));
    }
    1
}

/// `KSR.pvx.sbranch_reset`: `$sbranch(..)` has nothing any more.
pub fn sbranch_reset(ctx: &mut Context) -> i32 {
    ctx.static_branch = None;
    1
}
