//! Functions of modules that run at certain points of KSR functions, in the same thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use pyo3::prelude::*;

use crate::errors;

/// The functions of one such point, by name.
pub struct Hooks {
    any: AtomicBool,
    functions: RwLock<Vec<(String, Py<PyAny>)>>,
}

/// After a `loose_route` that found our own Route: who wants to see requests of dialogs.
pub static LOOSE_ROUTE: Hooks = Hooks::new();
/// Before a function that makes the transaction of a request, or goes on with it.
pub static TRANSACTION: Hooks = Hooks::new();

impl Hooks {
    const fn new() -> Self {
        Self {
            any: AtomicBool::new(false),
            functions: RwLock::new(Vec::new()),
        }
    }

    /// Sets or takes back the function of that name.
    pub fn set(&self, name: &str, function: Option<Py<PyAny>>) {
        let mut functions = self
            .functions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        functions.retain(|(known, _)| known != name);
        functions.extend(function.map(|f| (name.to_owned(), f)));
        self.any.store(!functions.is_empty(), Ordering::Relaxed);
    }

    /// Calls the functions. Where there are none it costs a look at a flag.
    pub fn run(&self, py: Python<'_>) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        // Not locked while they run.
        let functions: Vec<_> = {
            let functions = self
                .functions
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let copies = functions
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
}
