//! Settings as scripts see them, and pseudo-variables that Python modules own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use sipwright_engine::config::EngineConfig;
use sipwright_engine::log::{self, level};
use sipwright_engine::tls::vars;
use sipwright_sip::script::pv::{Foreign, Index};
use sipwright_sip::script::{Context, Env, ForeignVars, OwnNames, SharedVars, Value};

use crate::scope;

/// Getter and setter of a variable class.
struct Class {
    get: Py<PyAny>,
    set: Option<Py<PyAny>>,
}

static CLASSES: RwLock<Option<HashMap<String, Class>>> = RwLock::new(None);

/// Adds or replaces a variable class.
pub fn register_pv(cls: &str, get: Py<PyAny>, set: Option<Py<PyAny>>) {
    let mut classes = CLASSES.write().unwrap_or_else(PoisonError::into_inner);
    classes
        .get_or_insert_default()
        .insert(cls.to_owned(), Class { get, set });
}

/// `$shv(..)` of this process.
pub static SHARED: LazyLock<Arc<SharedVars>> = LazyLock::new(Arc::default);

/// Names that modules have learned to be ours.
pub static OWN_NAMES: LazyLock<Arc<OwnNames>> = LazyLock::new(Arc::default);

/// The environment of these settings; the sockets are added once they are bound.
pub fn from_config(config: &EngineConfig) -> Env {
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Env {
        aliases: config.aliases(),
        own_names: Arc::clone(&OWN_NAMES),
        server_header: config.server_header.clone(),
        server_id: config.server_id,
        force_rport: config.force_rport,
        local_rport: config.local_rport,
        xavp_via_params: config.xavp_via_params.clone().into_bytes(),
        xavp_via_fields: config.xavp_via_fields.clone().into_bytes(),
        max_forwards_limit: config.max_forwards_limit,
        sanity: config.sanity.to_sanity(),
        contact_separator: config.siputils.contact_flds_separator.bytes().next(),
        avp_aliases: config
            .avp_aliases
            .iter()
            .map(|(alias, name)| (alias.clone().into_bytes(), name.clone().into_bytes()))
            .collect(),
        options_headers: config.siputils.options_headers(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        utc_offset: utc_offset(),
        rr: config.rr.to_rr(),
        uac: config.uac.to_uac(),
        nat: config.nathelper.to_nat(),
        path: config.path.to_path(),
        outbound: config.outbound.to_outbound(),
        received_avp: Some(config.nathelper.received_avp.clone()).filter(|name| !name.is_empty()),
        mhomed: config.forward.mhomed,
        shared: Arc::clone(&SHARED),
        foreign: Some(Arc::new(PythonVars)),
        ..Env::default()
    }
}

/// Offset of local time from UTC in seconds, as Python's `time` knows it.
fn utc_offset() -> i32 {
    Python::attach(|py| {
        let now = py.import("time")?.call_method0("localtime")?;
        now.getattr("tm_gmtoff")?.extract()
    })
    .unwrap_or(0)
}

/// Looks variables up among those that Python modules registered.
///
/// A getter may itself work on the message, which is not to be had while an expression that
/// reads it is evaluated. So under [`answered`] a variable is not looked up but asked for:
/// the evaluation ends with a made-up null, the getter runs, and the evaluation begins anew
/// with its answer, until nothing is left to ask.
struct PythonVars;

/// Variables of one expression with what their getters said, in the order of evaluation.
#[derive(Default)]
struct Questions {
    answers: Vec<(Foreign, Vec<u8>, Value<'static>)>,
    used: usize,
    open: Option<(Foreign, Vec<u8>)>,
}

/// An expression whose variables change with each look-up is given up after so many.
const MAX_QUESTIONS: usize = 256;

thread_local! {
    static QUESTIONS: RefCell<Option<Questions>> = const { RefCell::new(None) };
}

/// Evaluates an expression that only reads; the getters of its variables run while the
/// message is not taken.
pub fn answered<R>(evaluate: impl Fn() -> R) -> R {
    let mut questions = Questions::default();
    loop {
        questions.used = 0;
        let outer = QUESTIONS.replace(Some(questions));
        let result = evaluate();
        questions = QUESTIONS.replace(outer).unwrap_or_default();
        let Some((var, inner)) = questions.open.take() else {
            return result;
        };
        if questions.answers.len() >= MAX_QUESTIONS {
            return result;
        }
        let value = PythonVars::look_up(&var, &inner);
        questions.answers.truncate(questions.used);
        questions.answers.push((var, inner, value));
    }
}

/// The answer that is there already; a question that has none is noted. `None` where
/// nothing is asked.
fn answer(var: &Foreign, inner: &[u8]) -> Option<Value<'static>> {
    QUESTIONS.with_borrow_mut(|questions| {
        let questions = questions.as_mut()?;
        if questions.open.is_some() {
            return Some(Value::Null);
        }
        match questions.answers.get(questions.used) {
            Some((known, text, value)) if known == var && *text == inner => {
                questions.used += 1;
                Some(value.clone())
            }
            _ => {
                questions.open = Some((var.clone(), inner.to_vec()));
                Some(Value::Null)
            }
        }
    })
}

impl PythonVars {
    /// Calls the getter.
    fn look_up(var: &Foreign, inner: &[u8]) -> Value<'static> {
        let inner = String::from_utf8_lossy(inner);
        let index = match var.index {
            Index::At(i) => Some(i),
            Index::None | Index::All => None,
        };
        Self::call(var, |py, class| {
            let value = class.get.bind(py).call1((inner.as_ref(), index))?;
            if value.is_none() {
                return Ok(Value::Null);
            }
            if let Ok(number) = value.extract::<i64>() {
                return Ok(Value::Int(number));
            }
            Ok(Value::owned(value.extract::<String>()?.into_bytes()))
        })
        .unwrap_or(Value::Null)
    }

    fn call<R>(var: &Foreign, f: impl FnOnce(Python<'_>, &Class) -> PyResult<R>) -> Option<R> {
        Python::attach(|py| {
            let classes = CLASSES.read().unwrap_or_else(PoisonError::into_inner);
            let Some(class) = classes.as_ref().and_then(|c| c.get(&var.class)) else {
                log::log(
                    level::ERR,
                    &format!("invalid pv [${}]: no such variable here", var.class),
                );
                return None;
            };
            let class = Class {
                get: class.get.clone_ref(py),
                set: class.set.as_ref().map(|s| s.clone_ref(py)),
            };
            drop(classes);
            match f(py, &class) {
                Ok(value) => Some(value),
                Err(error) => {
                    log::log(level::ERR, &format!("${}: {error}", var.class));
                    None
                }
            }
        })
    }
}

impl ForeignVars for PythonVars {
    fn get(&self, ctx: &Context, var: &Foreign, inner: &[u8]) -> Value<'static> {
        if var.class == "ltt" {
            let tag = scope::core().local_tag(ctx, &String::from_utf8_lossy(inner));
            return tag.map_or(Value::Null, Value::owned);
        }
        if vars::is_known(&var.class) {
            let inner = String::from_utf8_lossy(inner);
            let info = scope::core()
                .bound()
                .and_then(|net| net.tls_info(ctx.flow.conn));
            let value = info.map(|info| vars::get(&info, &var.class, &inner, var.index));
            return value.unwrap_or(Some(Value::Null)).unwrap_or_else(|| {
                let what = format!("invalid pv [${}({inner})]", var.class);
                log::log(level::ERR, &what);
                Value::Null
            });
        }
        answer(var, inner).unwrap_or_else(|| scope::showing(ctx, || Self::look_up(var, inner)))
    }

    fn set(&self, ctx: &mut Context, var: &Foreign, inner: &[u8], value: Value<'_>) -> bool {
        scope::showing(ctx, || set(var, inner, value))
    }
}

/// Calls the setter of a variable; False when it has none.
pub fn set(var: &Foreign, inner: &[u8], value: Value<'_>) -> bool {
    let inner = String::from_utf8_lossy(inner);
    PythonVars::call(var, |py, class| {
        let Some(set) = &class.set else {
            return Ok(false);
        };
        let set = set.bind(py);
        let done = match value {
            Value::Null => set.call1((inner.as_ref(), py.None()))?,
            Value::Int(n) => set.call1((inner.as_ref(), n))?,
            Value::Str(s) | Value::StrInt(s, _) => {
                set.call1((inner.as_ref(), String::from_utf8_lossy(&s).as_ref()))?
            }
        };
        done.is_truthy()
    })
    .unwrap_or(false)
}
