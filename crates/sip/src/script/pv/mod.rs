//! Pseudo-variables: `KSR.pv.get("$ru")` and everything with a `$` in it.
//!
//! A name is parsed once into a [`Spec`], which the caller caches; [`get`] and [`set`]
//! then work on a [`Context`]. Values that are in the message are borrowed from it.

mod addr;
mod auth;
mod avps;
mod branch;
mod header;
mod names;
mod net;
mod parse;
mod read;
mod select;
mod time;
mod transform;
mod tx;
mod write;

use std::borrow::Cow;

use super::context::{Context, Value};
use names::Class;
use parse::{Inner, Piece};
use transform::Transform;
pub(super) use transform::{base64url, from_base64url};

pub(super) use auth::param as digest_param;
pub(super) use avps::{borrow, key as avp_key};
pub(super) use header::at;
pub(super) use net::{addr_uri, proto_id, socket_text};
pub use parse::Format;
pub(super) use read::{environment, parse_number};
pub use time::strftime;

/// Which of the values of a variable: `$(avp(x)[1])`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Index {
    /// None given: the first for reading, a new one for AVPs when writing.
    #[default]
    None,
    /// By position; negative counts from the end.
    At(i32),
    /// `[*]`.
    All,
}

/// A variable that another module owns, such as `$sht(a=>$si)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// Name after the `$`: `sht`, `tls_peer_subject`.
    pub class: String,
    /// Index, if any.
    pub index: Index,
}

/// A parsed variable name.
#[derive(Clone, Debug)]
pub struct Spec {
    var: Var,
    index: Index,
    transforms: Box<[Transform]>,
}

#[derive(Clone, Debug)]
enum Var {
    Plain(Class),
    Inner(Class, Inner),
    Nested(Class, Box<Spec>),
    Foreign(Foreign, Option<Inner>),
}

/// Why a name is no pseudo-variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PvError(pub String);

impl std::fmt::Display for PvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "invalid pseudo-variable {}", self.0)
    }
}

impl std::error::Error for PvError {}

impl Spec {
    /// Parses `$ru`, `$hdr(X-A)`, `$(avp(x)[1])`, `$(ru{uri.host}{s.len})`.
    ///
    /// # Errors
    /// When the syntax is wrong. A name that is not known here is [`Spec::foreign`].
    pub fn parse(name: &[u8]) -> Result<Self, PvError> {
        parse::whole(name)
    }

    /// The variable, if another module owns it.
    #[must_use]
    pub const fn foreign(&self) -> Option<&Foreign> {
        match &self.var {
            Var::Foreign(foreign, _) => Some(foreign),
            _ => None,
        }
    }

    /// Whether a variable of another module has a part in it.
    #[must_use]
    pub fn asks_others(&self) -> bool {
        let var = match &self.var {
            Var::Foreign(..) => true,
            Var::Inner(_, inner) => inner.asks_others(),
            Var::Nested(_, spec) => spec.asks_others(),
            Var::Plain(_) => false,
        };
        var || self.transforms.iter().any(Transform::asks_others)
    }

    fn new(var: Var) -> Self {
        Self {
            var,
            index: Index::None,
            transforms: Box::default(),
        }
    }
}

impl Inner {
    fn asks_others(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Format(format) => format.asks_others(),
        }
    }

    fn eval<'a>(&'a self, ctx: &Context) -> Cow<'a, [u8]> {
        match self {
            Self::Fixed(text) => Cow::Borrowed(text),
            Self::Format(format) => Cow::Owned(format.eval(ctx)),
        }
    }
}

impl Format {
    /// The text with all variables replaced; null ones are `<null>`.
    #[must_use]
    pub fn eval(&self, ctx: &Context) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        for part in &self.parts {
            match part {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Var(spec) => match get(ctx, spec).text() {
                    Some(text) => out.extend_from_slice(&text),
                    None => out.extend_from_slice(b"<null>"),
                },
            }
        }
        out
    }

    /// Whether a variable of another module has a part in it.
    #[must_use]
    pub fn asks_others(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Piece::Var(spec) => spec.asks_others(),
            Piece::Text(_) => false,
        })
    }

    /// The variables in the text that other modules own.
    pub fn foreign(&self) -> impl Iterator<Item = &Foreign> {
        self.parts.iter().filter_map(|part| match part {
            Piece::Var(spec) => spec.foreign(),
            Piece::Text(_) => None,
        })
    }
}

/// User of the credentials, `$aU`.
pub(super) fn auth_user(ctx: &Context) -> Value<'_> {
    auth::get(&ctx.msg, Class::AuthUserAll)
}

/// The value (`KSR.pv.get`, `getl`).
#[must_use]
pub fn get<'a>(ctx: &'a Context, spec: &'a Spec) -> Value<'a> {
    let mut value = match &spec.var {
        Var::Plain(class) => read::plain(ctx, *class, spec.index),
        Var::Inner(class, inner) => read::with_inner(ctx, *class, inner.eval(ctx), spec.index),
        Var::Nested(class, nested) => tx::nested(ctx, *class, nested),
        Var::Foreign(foreign, inner) => foreign_value(ctx, foreign, inner.as_ref()),
    };
    for transform in &spec.transforms {
        value = transform.apply(ctx, value);
    }
    value
}

fn foreign_value(ctx: &Context, foreign: &Foreign, inner: Option<&Inner>) -> Value<'static> {
    let Some(vars) = ctx.env.foreign.as_ref() else {
        return Value::Null;
    };
    let inner = inner.map(|i| i.eval(ctx)).unwrap_or_default();
    vars.get(ctx, foreign, &inner)
}

/// `KSR.pv.gete`: null is the empty string.
#[must_use]
pub fn gete<'a>(ctx: &'a Context, spec: &'a Spec) -> Value<'a> {
    get_or(ctx, spec, Value::borrowed(b""))
}

/// `KSR.pv.getw`: null is `<null>`.
#[must_use]
pub fn getw<'a>(ctx: &'a Context, spec: &'a Spec) -> Value<'a> {
    get_or(ctx, spec, Value::borrowed(b"<null>"))
}

/// `KSR.pv.getvs` and `getvn`: null is `default`.
#[must_use]
pub fn get_or<'a>(ctx: &'a Context, spec: &'a Spec, default: Value<'a>) -> Value<'a> {
    match get(ctx, spec) {
        Value::Null => default,
        value => value,
    }
}

/// `KSR.pv.geti`: of a text the number that it begins with, or 0.
#[must_use]
pub fn geti(ctx: &Context, spec: &Spec) -> i64 {
    match get(ctx, spec) {
        Value::Str(text) => leading_number(&text),
        value => value.number(),
    }
}

/// The number that a text begins with, within the bounds of an i64; 0 when it begins with none.
fn leading_number(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|c| c.is_ascii_digit());
    let size = digits.fold(0_i64, |sum, c| {
        sum.saturating_mul(10).saturating_add(i64::from(c - b'0'))
    });
    if negative { -size } else { size }
}

/// `KSR.pv.is_null`.
#[must_use]
pub fn is_null(ctx: &Context, spec: &Spec) -> bool {
    get(ctx, spec).is_null()
}

/// The variable of another module that a name means, and its inner name. To set it is the
/// caller's, who may let go of the context before.
#[must_use]
pub fn others<'a>(ctx: &Context, spec: &'a Spec) -> Option<(&'a Foreign, Vec<u8>)> {
    match &spec.var {
        Var::Foreign(foreign, inner) if spec.transforms.is_empty() => {
            let inner = inner.as_ref().map(|i| i.eval(ctx).into_owned());
            Some((foreign, inner.unwrap_or_default()))
        }
        _ => None,
    }
}

/// `KSR.pv.sets`, `seti`, `setl` and, with [`Value::Null`], `unset`. False when the
/// variable is read-only or refuses the value.
pub fn set(ctx: &mut Context, spec: &Spec, value: Value<'_>) -> bool {
    if !spec.transforms.is_empty() {
        return false;
    }
    match &spec.var {
        Var::Plain(class) => write::plain(ctx, *class, value),
        Var::Inner(class, inner) => {
            let inner = inner.eval(ctx);
            write::with_inner(ctx, *class, &inner, spec.index, value)
        }
        Var::Nested(..) => false,
        Var::Foreign(foreign, inner) => {
            let inner = inner.as_ref().map(|i| i.eval(ctx)).unwrap_or_default();
            let Some(vars) = ctx.env.foreign.clone() else {
                return false;
            };
            vars.set(ctx, foreign, &inner, value)
        }
    }
}
