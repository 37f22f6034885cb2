//! Modules that want to see requests of dialogs: called after `loose_route`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use pyo3::prelude::*;

use crate::errors;

static ANY: AtomicBool = AtomicBool::new(false);
static HOOKS: RwLock<Vec<(String, Py<PyAny>)>> = RwLock::new(Vec::new());

/// Sets or takes back the function of that name.
pub fn set(name: &str, function: Option<Py<PyAny>>) {
    let mut hooks = HOOKS.write().unwrap_or_else(PoisonError::into_inner);
    hooks.retain(|(known, _)| known != name);
    hooks.extend(function.map(|f| (name.to_owned(), f)));
    ANY.store(!hooks.is_empty(), Ordering::Relaxed);
}

/// Calls the functions after a `loose_route` with this result.
pub fn run(py: Python<'_>, result: i32) -> i32 {
    if result > 0 && ANY.load(Ordering::Relaxed) {
        // Not locked while they run.
        let functions: Vec<_> = {
            let hooks = HOOKS.read().unwrap_or_else(PoisonError::into_inner);
            let copies = hooks
                .iter()
                .map(|(name, f)| (name.clone(), f.clone_ref(py)));
            copies.collect()
        };
        for (name, function) in functions {
            if let Err(error) = function.call0(py) {
                errors::report(py, &name, &error);
            }
        }
    }
    result
}
