//! Pseudo-variables: `KSR.pv.get("$ru")` and everything with a `$` in it.
//!
//! A name is parsed once into a [`Spec`], which the caller caches; [`get`] and [`set`]
//! then work on a [`Context`]. Values that are in the message are borrowed from it.

use super::context::{Context, Value};

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
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Name after the `$`: `sht`, `tls_peer_subject`.
    pub class: String,
    /// Index, if any.
    pub index: Index,
}

/// A parsed variable name.
#[derive(Clone, Debug)]
pub struct Spec {}

/// Why a name is no pseudo-variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PvError(pub String);

impl Spec {
    /// Parses `$ru`, `$hdr(X-A)`, `$(avp(x)[1])`, `$(ru{uri.host}{s.len})`.
    ///
    /// # Errors
    /// When the syntax is wrong. A name that is not known here is [`Spec::foreign`].
    pub fn parse(name: &[u8]) -> Result<Self, PvError> {
        Err(PvError(String::from_utf8_lossy(name).into_owned()))
    }

    /// The variable, if another module owns it.
    #[must_use]
    pub fn foreign(&self) -> Option<&Foreign> {
        None
    }
}

/// The value (`KSR.pv.get`, `getl`).
#[must_use]
pub fn get<'a>(ctx: &'a Context, spec: &'a Spec) -> Value<'a> {
    let _ = (ctx, spec);
    Value::Null
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

/// `KSR.pv.geti`: what is not a number is 0.
#[must_use]
pub fn geti(ctx: &Context, spec: &Spec) -> i64 {
    get(ctx, spec).number()
}

/// `KSR.pv.is_null`.
#[must_use]
pub fn is_null(ctx: &Context, spec: &Spec) -> bool {
    get(ctx, spec).is_null()
}

/// `KSR.pv.sets`, `seti`, `setl` and, with [`Value::Null`], `unset`. False when the
/// variable is read-only or refuses the value.
pub fn set(ctx: &mut Context, spec: &Spec, value: Value<'_>) -> bool {
    let _ = (ctx, spec, value);
    false
}
