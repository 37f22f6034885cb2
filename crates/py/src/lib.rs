//! Python bindings of the Sipwright engine.

use pyo3::prelude::*;

/// The engine of Sipwright.
#[pymodule]
mod _engine {
    /// Version of the engine.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
