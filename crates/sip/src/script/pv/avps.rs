//! `$avp(..)`, `$xavp(..)`, `$xavu(..)`, `$xavi(..)`.

use std::borrow::Cow;

use super::super::avp::AvpKey;
use super::super::context::{Context, Value};
use super::super::xavp::{XavpKind, XavpPath};
use super::Index;
use super::names::Class;
use super::read::parse_number;

/// The key of `$avp(inner)`.
pub(in super::super) fn key(inner: &[u8]) -> AvpKey {
    let name = inner.strip_prefix(b"$").unwrap_or(inner);
    match name {
        [b's' | b'S', b':', name @ ..] => AvpKey::Name(name.into()),
        [b'i' | b'I', b':', number @ ..] => AvpKey::Id(parse_number(number).unwrap_or(0)),
        name => AvpKey::Name(name.into()),
    }
}

/// The key of `$avp(inner)`, which may be an alias (`avp_aliases` of module pv).
pub(super) fn key_of(ctx: &Context, inner: &[u8]) -> AvpKey {
    let aliases = &ctx.env.avp_aliases;
    let name = aliases.iter().find(|(alias, _)| alias == inner);
    key(name.map_or(inner, |(_, name)| name))
}

pub(super) fn avp<'a>(ctx: &'a Context, inner: &[u8], index: Index) -> Value<'a> {
    let key = key_of(ctx, inner);
    let avps = &ctx.tx_data.avps;
    match index {
        Index::None => avps.first(&key).map_or(Value::Null, borrow),
        // Kamailio has no negative indexes here
        Index::At(i) => usize::try_from(i)
            .ok()
            .and_then(|i| avps.nth(&key, i))
            .map_or(Value::Null, borrow),
        Index::All => {
            let texts: Vec<_> = avps.values(&key).filter_map(Value::text).collect();
            if texts.is_empty() {
                Value::Null
            } else {
                Value::owned(texts.join(b", ".as_slice()))
            }
        }
    }
}

/// Assigning adds a value, whatever the index, except `[*]`, which replaces all.
pub(super) fn set_avp(ctx: &mut Context, inner: &[u8], index: Index, value: Value<'_>) -> bool {
    let key = key_of(ctx, inner);
    let avps = &mut ctx.tx_data.avps;
    match (value.is_null(), index) {
        (true, Index::All) => drop(avps.clear(&key)),
        (true, _) => drop(avps.pop(&key)),
        (false, _) => {
            if index == Index::All {
                avps.clear(&key);
            }
            avps.push(&key, value.into_owned());
        }
    }
    true
}

pub(super) const fn kind(class: Class) -> XavpKind {
    match class {
        Class::Xavu => XavpKind::Unique,
        Class::Xavi => XavpKind::NoCase,
        _ => XavpKind::Plain,
    }
}

pub(super) fn xavp<'a>(ctx: &'a Context, class: Class, inner: &[u8], index: Index) -> Value<'a> {
    let kind = kind(class);
    let path = XavpPath::parse(kind, inner);
    path.map_or(Value::Null, |path| {
        ctx.tx_data.xavps.get(kind, &path.at(index))
    })
}

pub(super) fn set_xavp(
    ctx: &mut Context,
    class: Class,
    inner: &[u8],
    index: Index,
    value: Value<'_>,
) -> bool {
    let kind = kind(class);
    let Some(path) = XavpPath::parse(kind, inner).map(|path| path.at(index)) else {
        return false;
    };
    let xavps = &mut ctx.tx_data.xavps;
    if value.is_null() {
        xavps.remove(kind, &path);
        true
    } else {
        xavps.set(kind, &path, value.into_owned())
    }
}

/// A stored value without a copy of its text.
pub(in super::super) fn borrow<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Str(s) => Value::Str(Cow::Borrowed(s)),
        Value::StrInt(s, n) => Value::StrInt(Cow::Borrowed(s), *n),
        Value::Int(n) => Value::Int(*n),
        Value::Null => Value::Null,
    }
}
