//! `KSR.pv`: pseudo-variables.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use sipwright_engine::log::{self, level};
use sipwright_sip::script::pv::{self, Spec};
use sipwright_sip::script::{Context, Value};

use super::{Call, Out, caller, decode, ksr_table};
use crate::{env, scope};

/// Names kept parsed. Scripts build names such as `$sht(calls=>...)` from what
/// callers send, so the cache is emptied when it is full.
const CACHE_LIMIT: usize = 4096;

thread_local! {
    static SPECS: RefCell<FxHashMap<Box<str>, Rc<Spec>>> = RefCell::default();
}

/// The parsed name, from the cache if it is there. What is no variable is
/// logged with the script's line.
fn spec_of(call: &Call<'_, '_>) -> Option<Rc<Spec>> {
    let name = call.str(0);
    if let Some(spec) = SPECS.with(|s| s.borrow().get(name).cloned()) {
        return Some(spec);
    }
    match Spec::parse(name.as_bytes()) {
        Ok(spec) => {
            let spec = Rc::new(spec);
            SPECS.with(|s| {
                let mut specs = s.borrow_mut();
                if specs.len() >= CACHE_LIMIT {
                    specs.clear();
                }
                specs.insert(name.into(), Rc::clone(&spec));
            });
            Some(spec)
        }
        Err(error) => {
            let place =
                caller(call.py).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
            log::log(
                level::ERR,
                &format!("{place}invalid pv [{name}]: {}", error.0),
            );
            None
        }
    }
}

fn object<'py>(call: &Call<'_, 'py>, value: Value<'_>) -> Out<'py> {
    match value {
        Value::Null => Out::Null,
        Value::Int(n) => Out::Int(n),
        Value::Str(s) | Value::StrInt(s, _) => match decode(call.py, &s) {
            Ok(text) => Out::Object(text),
            Err(error) => Out::Raise(error),
        },
    }
}

fn read<'py>(
    call: &Call<'_, 'py>,
    unknown: Value<'static>,
    get: impl for<'c> Fn(&'c Context, &'c Spec) -> Value<'c>,
) -> Out<'py> {
    match spec_of(call) {
        Some(spec) => evaluate(&spec, |ctx| object(call, get(ctx, &spec))),
        None => object(call, unknown),
    }
}

/// Runs `f` on the message in work, again and again if modules have to be asked.
fn evaluate<R>(spec: &Spec, f: impl Fn(&Context) -> R) -> R {
    let once = || scope::with(|c| f(&c.ctx));
    if spec.asks_others() {
        env::answered(once)
    } else {
        once()
    }
}

fn write(call: &Call<'_, '_>, value: Value<'_>) -> bool {
    let Some(spec) = spec_of(call) else {
        return false;
    };
    match evaluate(&spec, |ctx| pv::others(ctx, &spec)) {
        Some((var, inner)) => env::set(var, &inner, value),
        None => scope::with(|c| pv::set(&mut c.ctx, &spec, value)),
    }
}

fn text<'a>(call: &Call<'a, '_>, index: usize) -> Value<'a> {
    Value::borrowed(call.bytes(index))
}

ksr_table! { "pv";
    /// Value of a pseudo-variable: int or str as Kamailio has it, None when it is null or unknown.
    get(name: Str) -> Xval = |c| read(c, Value::Null, pv::get);
    /// As `get`, but an empty str for null.
    gete(name: Str) -> Xval = |c| read(c, Value::borrowed(b""), pv::gete);
    /// As `get`, but `"<null>"` for null.
    getw(name: Str) -> Xval = |c| read(c, Value::borrowed(b"<null>"), pv::getw);
    /// As `get`; Kamailio's name for long values.
    getl(name: Str) -> Xval = |c| read(c, Value::Null, pv::get);
    /// Value as int, 0 when it has none.
    geti(name: Str) -> Int = |c| {
        spec_of(c).map_or(0, |spec| evaluate(&spec, |ctx| pv::geti(ctx, &spec))).into()
    };
    /// Value, or the given str when it is null.
    getvs(name: Str, default: Str) -> Xval = |c| {
        let default = Value::owned(c.bytes(1).to_vec());
        read(c, default.clone(), |ctx, spec| pv::get_or(ctx, spec, default.clone()))
    };
    /// Value, or the given int when it is null.
    getvn(name: Str, default: Int) -> Xval = |c| {
        let default = Value::Int(c.int(1));
        read(c, default.clone(), |ctx, spec| pv::get_or(ctx, spec, default.clone()))
    };
    /// Sets a pseudo-variable to a str; False when it cannot be set.
    sets(name: Str, value: Str) -> Bool = |c| write(c, text(c, 1)).into();
    /// Sets a pseudo-variable to an int; False when it cannot be set.
    seti(name: Str, value: Int) -> Bool = |c| write(c, Value::Int(c.int(1))).into();
    /// Sets a pseudo-variable to an int; Kamailio's name for long values.
    setl(name: Str, value: Int) -> Bool = |c| write(c, Value::Int(c.int(1))).into();
    /// Removes the value of a pseudo-variable; False when it cannot be removed.
    unset(name: Str) -> Bool = |c| write(c, Value::Null).into();
    /// Whether a pseudo-variable has no value; True for one that is unknown.
    is_null(name: Str) -> Bool = |c| {
        spec_of(c).is_none_or(|spec| evaluate(&spec, |ctx| pv::is_null(ctx, &spec))).into()
    };
}
