//! `KSR.registrar.lookup`: the look-up that the engine mostly does by itself. The rest of the module is written in Python.

use std::sync::{PoisonError, RwLock};

use pyo3::prelude::*;

use super::{Call, Out, ksr_table};
use crate::location::{LocationTable, RegistrarRules};

/// Who looks up when the engine cannot, and the tables that it may look into.
static LOOKUP: RwLock<Lookup> = RwLock::new(Lookup {
    general: None,
    plain: Vec::new(),
});

struct Lookup {
    general: Option<Py<PyAny>>,
    plain: Vec<Plain>,
}

struct Plain {
    name: String,
    table: Py<LocationTable>,
    rules: Py<RegistrarRules>,
    only_first: bool,
}

/// Sets the function that looks up in general.
pub fn set_general(function: Py<PyAny>) {
    let mut lookup = LOOKUP.write().unwrap_or_else(PoisonError::into_inner);
    lookup.general = Some(function);
}

/// Looks into no table any more.
pub fn forget_plain() {
    let mut lookup = LOOKUP.write().unwrap_or_else(PoisonError::into_inner);
    lookup.plain.clear();
}

/// Lets the engine look into a table by itself.
pub fn add_plain(
    name: String,
    table: Py<LocationTable>,
    rules: Py<RegistrarRules>,
    only_first: bool,
) {
    let mut lookup = LOOKUP.write().unwrap_or_else(PoisonError::into_inner);
    lookup.plain.retain(|known| known.name != name);
    lookup.plain.push(Plain {
        name,
        table,
        rules,
        only_first,
    });
}

ksr_table! { "registrar";
    /// Rewrites the request-URI to the best contact of its user and appends the others as branches: 1 found; -1 no contact; -2 none that allows the method (with `registrar.method_filtering`); -3 error.
    lookup(table: Str) -> Int = lookup;
}

fn lookup<'py>(c: &mut Call<'_, 'py>) -> Out<'py> {
    let name = c.str(0);
    let general = {
        let lookup = LOOKUP.read().unwrap_or_else(PoisonError::into_inner);
        let plain = lookup.plain.iter().find(|plain| plain.name == name);
        let found = plain.and_then(|p| p.rules.get().lookup(p.table.get(), p.only_first));
        match found {
            Some(true) => return Out::Int(1),
            Some(false) => return Out::Int(-1),
            None => lookup.general.as_ref().map(|f| f.clone_ref(c.py)),
        }
    };
    let Some(general) = general else {
        return Out::Int(-3);
    };
    match general.bind(c.py).call1((name,)) {
        // As a number, so that the recording shows it.
        Ok(result) => match result.extract() {
            Ok(code) => Out::Int(code),
            Err(_) => Out::Object(result),
        },
        Err(error) => Out::Raise(error),
    }
}
