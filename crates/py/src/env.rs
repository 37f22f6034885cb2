//! Settings as scripts see them, and pseudo-variables that Python modules own.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use sipwright_engine::config::EngineConfig;
use sipwright_engine::log::{self, level};
use sipwright_engine::tls::vars;
use sipwright_sip::script::pv::{Foreign, Index};
use sipwright_sip::script::{Context, Env, ForeignVars, Value};

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

/// The environment of these settings; the sockets are added once they are bound.
pub fn from_config(config: &EngineConfig) -> Env {
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Env {
        aliases: config.aliases(),
        server_header: config.server_header.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        utc_offset: utc_offset(),
        rr: config.rr.to_rr(),
        uac: config.uac.to_uac(),
        mhomed: config.forward.mhomed,
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
struct PythonVars;

impl PythonVars {
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
        let inner = String::from_utf8_lossy(inner);
        if vars::is_known(&var.class) {
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
        let index = match var.index {
            Index::At(i) => Some(i),
            Index::None | Index::All => None,
        };
        let getting = || {
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
        };
        scope::showing(ctx, getting).unwrap_or(Value::Null)
    }

    fn set(&self, ctx: &mut Context, var: &Foreign, inner: &[u8], value: Value<'_>) -> bool {
        let inner = String::from_utf8_lossy(inner);
        let setting = || {
            Self::call(var, |py, class| {
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
        };
        scope::showing(ctx, setting).unwrap_or(false)
    }
}
