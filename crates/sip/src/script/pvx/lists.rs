//! Extended AVPs from lists in texts and back, copies of them, `$var(..)` from and to them.

use super::super::context::{Context, Value};
use super::super::pv::Index;
use super::super::ruri;
use super::super::xavp::{Fields, Item, XavpKind, XavpPath};
use super::assign;
use crate::params::Params;

/// `KSR.pvx.xavp_params_explode`, `xavu_params_explode`: the parameters of a text as the
/// fields of a new value of `name`; -1 when there are none.
pub fn params_explode(ctx: &mut Context, kind: XavpKind, params: &[u8], name: &[u8]) -> i32 {
    let list = Params::new(params).map(|(name, value)| (name, value.unwrap_or_default()));
    add_fields(ctx, kind, list, name)
}

/// `KSR.pvx.xavp_xparams_explode`: as `xavp_params_explode`, with another separator.
pub fn xparams_explode(ctx: &mut Context, params: &[u8], separator: &[u8], name: &[u8]) -> i32 {
    let [separator] = separator else {
        ctx.complain("the separator is one character");
        return -1;
    };
    let list = split_outside_quotes(params, *separator)
        .filter(|item| !item.is_empty())
        .map(|item| match memchr::memchr(b'=', item) {
            Some(i) => (item[..i].trim_ascii(), item[i + 1..].trim_ascii()),
            None => (item, b"".as_slice()),
        });
    add_fields(ctx, XavpKind::Plain, list, name)
}

fn add_fields<'a>(
    ctx: &mut Context,
    kind: XavpKind,
    list: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    name: &[u8],
) -> i32 {
    let mut fields = Fields::default();
    for (field, value) in list {
        let text = Value::owned(unquoted(value).to_vec());
        if kind != XavpKind::Unique || fields.all(kind, field).next().is_none() {
            fields.push_last(field, Item::Value(text));
        }
    }
    if name.is_empty() || fields.iter().next().is_none() {
        return -1;
    }
    if kind == XavpKind::Unique {
        ctx.tx_data.xavps.remove(kind, &XavpPath::root(name));
    }
    let roots = ctx.tx_data.xavps.roots_mut(kind);
    roots.push(name, Item::Fields(fields));
    1
}

/// The texts between separators that are in no quoted string, without blanks around them.
fn split_outside_quotes(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            c => return !quoted && *c == separator,
        }
        false
    })
    .map(<[u8]>::trim_ascii)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// `KSR.pvx.xavp_params_implode` and siblings: the fields of the newest value of `name` as
/// `field=value;..` in a variable. With `quote` values are quoted strings.
pub fn params_implode(
    ctx: &mut Context,
    kind: XavpKind,
    name: &[u8],
    target: &[u8],
    quote: bool,
) -> i32 {
    let Some(fields) = ctx.tx_data.xavps.fields(kind, (name, Index::None)) else {
        return -1;
    };
    let mut out = Vec::new();
    for (field, item) in fields.iter() {
        let Item::Value(value) = item else {
            continue;
        };
        let text = value.text().unwrap_or_default();
        out.extend_from_slice(field);
        if quote {
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(&text);
            out.push(b'"');
        } else if !text.is_empty() {
            out.push(b'=');
            out.extend_from_slice(&text);
        }
        out.push(b';');
    }
    assign(ctx, target, out)
}

/// `KSR.pvx.xavp_slist_explode`: the texts between any of the separators as fields `v` of a
/// new value of `name`, without empty ones; mode `t` takes blanks off.
pub fn slist_explode(
    ctx: &mut Context,
    list: &[u8],
    separators: &[u8],
    mode: &[u8],
    name: &[u8],
) -> i32 {
    let trim = mode.iter().any(|c| matches!(c, b't' | b'T'));
    let mut fields = Fields::default();
    for item in list.split(|c| separators.contains(c)) {
        let item = if trim { item.trim_ascii() } else { item };
        if !item.is_empty() {
            fields.push_last(b"v", Item::Value(Value::owned(item.to_vec())));
        }
    }
    if name.is_empty() || fields.iter().next().is_none() {
        return -1;
    }
    let roots = ctx.tx_data.xavps.roots_mut(XavpKind::Plain);
    roots.push(name, Item::Fields(fields));
    1
}

fn at(index: i64) -> Index {
    Index::At(i32::try_from(index).unwrap_or(i32::MAX))
}

/// `KSR.pvx.xavp_copy`: a copy of the value at an index of `source` becomes the last one of
/// `target`.
pub fn xavp_copy(ctx: &mut Context, source: &[u8], index: i64, target: &[u8]) -> i32 {
    let xavps = &mut ctx.tx_data.xavps;
    let Some(item) = xavps.root(XavpKind::Plain, (source, at(index))).cloned() else {
        return -1;
    };
    xavps.roots_mut(XavpKind::Plain).push_last(target, item);
    1
}

/// `KSR.pvx.xavp_copy_dst`: a copy takes the place of the value at an index of `target`.
pub fn xavp_copy_dst(
    ctx: &mut Context,
    source: &[u8],
    index: i64,
    target: &[u8],
    target_index: i64,
) -> i32 {
    let xavps = &mut ctx.tx_data.xavps;
    let Some(item) = xavps.root(XavpKind::Plain, (source, at(index))).cloned() else {
        return -1;
    };
    let roots = xavps.roots_mut(XavpKind::Plain);
    match roots.get_mut(XavpKind::Plain, (target, at(target_index))) {
        Some(place) => *place = item,
        None => return -1,
    }
    1
}

/// `KSR.pvx.xavp_lshift`: turns the values of `name` so that the one at `index` is first.
pub fn xavp_lshift(ctx: &mut Context, name: &[u8], index: i64) -> i32 {
    let roots = ctx.tx_data.xavps.roots_mut(XavpKind::Plain);
    let mut values = roots.all_mut(XavpKind::Plain, name);
    let Ok(len) = i64::try_from(values.len()) else {
        return -1;
    };
    if len == 0 {
        return -1;
    }
    let by = usize::try_from(index.rem_euclid(len)).unwrap_or(0);
    let mut items: Vec<_> = values.iter().map(|v| (**v).clone()).collect();
    items.rotate_left(by);
    for (place, item) in values.iter_mut().zip(items) {
        **place = item;
    }
    1
}

/// `KSR.pvx.xavp_push_dst`: request-URI, next hop and socket from the fields `uri`,
/// `dsturi` and `socket` of the newest value of `name`.
pub fn xavp_push_dst(ctx: &mut Context, name: &[u8]) -> i32 {
    let kind = XavpKind::Plain;
    if ctx
        .tx_data
        .xavps
        .fields(kind, (name, Index::None))
        .is_none()
    {
        return -1;
    }
    let text = |field: &[u8]| {
        let value = super::xavp_child_get(ctx, kind, name, field).into_owned();
        value.text().filter(|t| !t.is_empty()).map(|t| t.to_vec())
    };
    let (uri, next_hop, socket) = (text(b"uri"), text(b"dsturi"), text(b"socket"));
    if uri.is_some_and(|uri| !ruri::seturi(ctx, &uri))
        || next_hop.is_some_and(|uri| !ruri::setdsturi(ctx, &uri))
    {
        return -1;
    }
    if let Some(socket) = socket {
        let Some(id) = ctx.env.find_socket(&socket).map(|s| s.id) else {
            ctx.complain(format!("no socket is {}", String::from_utf8_lossy(&socket)));
            return -1;
        };
        ctx.force_socket = Some(id);
    }
    1
}

/// `KSR.pvx.pv_var_to_xavp`: `$var(name)`, or all of them for `*`, as fields of `target`,
/// which loses what it had.
pub fn var_to_xavp(ctx: &mut Context, name: &[u8], target: &[u8]) -> i32 {
    let mut fields = Fields::default();
    for (var, value) in ctx.vars.iter().filter(|(var, _)| !var.starts_with(b"\0")) {
        if name == b"*" || name == var {
            fields.push(var, Item::Value(value.clone()));
        }
    }
    if fields.iter().next().is_none() {
        return -1;
    }
    super::xavp_rm_all(ctx, XavpKind::Plain, target);
    let roots = ctx.tx_data.xavps.roots_mut(XavpKind::Plain);
    roots.push(target, Item::Fields(fields));
    1
}

/// `KSR.pvx.pv_xavp_to_var`: the fields of the newest value of `name` as `$var(..)`.
pub fn xavp_to_var(ctx: &mut Context, name: &[u8]) -> i32 {
    let xavps = &ctx.tx_data.xavps;
    let Some(fields) = xavps.fields(XavpKind::Plain, (name, Index::None)) else {
        return -1;
    };
    for (field, item) in fields.iter() {
        if let Item::Value(value) = item {
            ctx.vars.set(field, value.clone());
        }
    }
    1
}

/// `KSR.pvx.pv_xavp_print` and siblings: all of them, one line each, for the log.
#[must_use]
pub fn print(ctx: &Context, kind: XavpKind) -> Vec<String> {
    let mut out = Vec::new();
    print_fields(ctx.tx_data.xavps.roots(kind), "", &mut out);
    out
}

fn print_fields(fields: &Fields, indent: &str, out: &mut Vec<String>) {
    for (name, item) in fields.iter() {
        let name = String::from_utf8_lossy(name);
        match item {
            Item::Fields(inner) => {
                out.push(format!("{indent}{name} =>"));
                print_fields(inner, &format!("{indent}  "), out);
            }
            Item::Value(Value::Int(n)) => out.push(format!("{indent}{name} = {n}")),
            Item::Value(value) => {
                let text = value.text().unwrap_or_default();
                out.push(format!(
                    "{indent}{name} = {:?}",
                    String::from_utf8_lossy(&text)
                ));
            }
        }
    }
}
