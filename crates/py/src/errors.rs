//! The one place where errors of the engine become Python exceptions, and where
//! exceptions of the script become log lines.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use sipwright_engine::log::{self, level};
use sipwright_engine::net::NetError;

create_exception!(
    sipwright._engine,
    EngineError,
    PyException,
    "The engine cannot do what it was asked to."
);
create_exception!(
    sipwright._engine,
    ConfigError,
    EngineError,
    "The engine's settings are wrong."
);
create_exception!(
    sipwright._engine,
    BindError,
    EngineError,
    "A socket or a certificate cannot be used; the message names it."
);

/// A failure of the transport, as Python sees it.
pub fn net(error: &NetError) -> PyErr {
    BindError::new_err(error.to_string())
}

/// Wrong settings, as Python sees them.
pub fn config(error: String) -> PyErr {
    ConfigError::new_err(error)
}

/// Logs an exception of a route that ran inside a KSR function, by the script
/// host's own report, which cuts the traceback to the user's frames.
pub fn report(py: Python<'_>, route: &str, error: &PyErr) {
    let reported = py
        .import("sipwright.script.errors")
        .and_then(|m| m.call_method1("report", (route, error.value(py))));
    if reported.is_err() {
        log::log(level::ERR, &format!("{route}: {error}"));
    }
}
