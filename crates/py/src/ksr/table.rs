//! All KSR functions that the extension provides.

use pyo3::prelude::*;

use super::{Function, builtin};

/// Every function, module by module.
pub fn all() -> impl Iterator<Item = &'static Function> {
    let tables: [&'static [Function]; 23] = [
        super::core::FUNCTIONS,
        super::corex::FUNCTIONS,
        super::hdr::FUNCTIONS,
        super::kx::FUNCTIONS,
        super::maxfwd::FUNCTIONS,
        super::nathelper::FUNCTIONS,
        super::path::FUNCTIONS,
        super::pv::FUNCTIONS,
        super::pvx::FUNCTIONS,
        super::registrar::FUNCTIONS,
        super::rr::FUNCTIONS,
        super::sanity::FUNCTIONS,
        super::siputils::FUNCTIONS,
        super::sl::FUNCTIONS,
        super::textops::FUNCTIONS,
        super::textopsx::FUNCTIONS,
        super::tls::FUNCTIONS,
        super::tm::FUNCTIONS,
        super::tmx::FUNCTIONS,
        super::uac::FUNCTIONS,
        super::websocket::FUNCTIONS,
        super::xhttp::FUNCTIONS,
        super::xlog::FUNCTIONS,
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
