//! All KSR functions that the extension provides.

use pyo3::prelude::*;

use super::{Function, builtin};

/// Every function, module by module.
pub fn all() -> impl Iterator<Item = &'static Function> {
    let tables: [&'static [Function]; 5] = [
        super::core::FUNCTIONS,
        super::pv::FUNCTIONS,
        super::sl::FUNCTIONS,
        super::tm::FUNCTIONS,
        super::tmx::FUNCTIONS,
    ];
    tables.into_iter().flatten()
}

/// Adds every function to the extension module as `<module>_<function>`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for function in all() {
        let name = format!("{}_{}", function.module, function.name);
        module.add(name, builtin(module.py(), function)?)?;
    }
    Ok(())
}
