//! Extended AVPs and shared variables for modules written in Python, and as Python objects.
//!
//! A value is a str, an int, or a list of `(name, value)`, the newest field first.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyString};
use sipwright_sip::script::pv::Index;
use sipwright_sip::script::{Value, XavpFields, XavpItem, XavpKind, XavpPath};

use crate::ksr::{Out, to_python};
use crate::{env, scope};

const KIND: XavpKind = XavpKind::Plain;
/// Lists within lists that a value may have.
const MAX_DEPTH: usize = 8;

/// Adds a value of `$xavp(name)`: above those that are there, as assigning in a script
/// does, or with `last` below them.
#[pyfunction]
#[pyo3(signature = (name, value, /, *, last = false))]
pub fn xavp_add(name: &str, value: &Bound<'_, PyAny>, last: bool) -> PyResult<()> {
    let item = item_of(value, 0)?;
    named(name)?;
    scope::with(|c| {
        let roots = c.ctx.tx_data.xavps.roots_mut(KIND);
        match last {
            true => roots.push_last(name.as_bytes(), item),
            false => roots.push(name.as_bytes(), item),
        }
    });
    Ok(())
}

/// Sets the one value of `$xavp(name)`; those that are there go.
#[pyfunction]
#[pyo3(signature = (name, value, /))]
pub fn xavp_set(name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let item = item_of(value, 0)?;
    named(name)?;
    scope::with(|c| {
        c.ctx.tx_data.xavps.remove(KIND, &all_of(name));
        let roots = c.ctx.tx_data.xavps.roots_mut(KIND);
        roots.push(name.as_bytes(), item);
    });
    Ok(())
}

/// The value at `index` of `$xavp(name)`, counted from the newest, from the end if negative;
/// None when there is none.
#[pyfunction]
#[pyo3(signature = (name, index = 0, /))]
pub fn xavp_get(py: Python<'_>, name: &str, index: i32) -> PyResult<Py<PyAny>> {
    let item = scope::with(|c| {
        let xavps = &c.ctx.tx_data.xavps;
        xavps.root(KIND, at(name, index)).cloned()
    });
    item.map_or_else(
        || Ok(py.None()),
        |item| object(py, &item).map(Bound::unbind),
    )
}

/// How many values `$xavp(name)` has.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub fn xavp_count(name: &str) -> usize {
    scope::with(|c| {
        let roots = c.ctx.tx_data.xavps.roots(KIND);
        roots.all(KIND, name.as_bytes()).count()
    })
}

/// Removes the value at `index` of `$xavp(name)`; False when there is none.
#[pyfunction]
#[pyo3(signature = (name, index = 0, /))]
pub fn xavp_rm(name: &str, index: i32) -> bool {
    let path = XavpPath {
        root: at(name, index),
        ..XavpPath::root(name.as_bytes())
    };
    scope::with(|c| c.ctx.tx_data.xavps.remove(KIND, &path) > 0)
}

/// Removes all values of `$xavp(name)`; how many there were.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub fn xavp_rm_all(name: &str) -> usize {
    scope::with(|c| c.ctx.tx_data.xavps.remove(KIND, &all_of(name)))
}

// Python objects are made of copies: making one may run code that works on the message.

/// `$shv(..)`: all variables that the workers share.
#[pyfunction]
pub fn shared_vars(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in env::SHARED.all() {
        dict.set_item(text(py, &name)?, to_python(py, value.into())?)?;
    }
    Ok(dict)
}

/// Sets `$shv(name)`.
#[pyfunction]
#[pyo3(signature = (name, value, /))]
pub fn set_shared_var(name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match item_of(value, 0)? {
        XavpItem::Value(value) => env::SHARED.set(name.as_bytes(), value),
        XavpItem::Fields(_) => return Err(PyTypeError::new_err("a value is a str or an int")),
    }
    Ok(())
}

/// Forgets all shared variables.
#[pyfunction]
pub fn clear_shared_vars() {
    env::SHARED.replace([]);
}

/// Names of the fields of a value (`KSR.pvx.xavp_get_keys`).
pub fn keys<'py>(py: Python<'py>, kind: XavpKind, name: &str, index: i32) -> PyResult<Out<'py>> {
    let Some(fields) = fields(kind, name, index) else {
        return Ok(Out::Null);
    };
    let keys = PyList::empty(py);
    for (name, _) in fields.iter() {
        keys.append(text(py, name)?)?;
    }
    Ok(Out::Object(keys.into_any()))
}

/// A value as a dict (`KSR.pvx.xavp_getd_p1`).
pub fn dict<'py>(py: Python<'py>, kind: XavpKind, name: &str, index: i32) -> PyResult<Out<'py>> {
    match fields(kind, name, index) {
        Some(fields) => Ok(Out::Object(dict_of(py, &fields)?.into_any())),
        None => Ok(Out::Null),
    }
}

/// All values of a name that have fields, as dicts (`KSR.pvx.xavp_getd`).
pub fn dicts<'py>(py: Python<'py>, kind: XavpKind, name: &str) -> PyResult<Out<'py>> {
    let items: Vec<XavpItem> = scope::with(|c| {
        let roots = c.ctx.tx_data.xavps.roots(kind);
        roots.all(kind, name.as_bytes()).cloned().collect()
    });
    let list = PyList::empty(py);
    for item in &items {
        if let XavpItem::Fields(fields) = item {
            list.append(dict_of(py, fields)?)?;
        }
    }
    if list.is_empty() {
        return Ok(Out::Null);
    }
    Ok(Out::Object(list.into_any()))
}

fn fields(kind: XavpKind, name: &str, index: i32) -> Option<XavpFields> {
    scope::with(|c| {
        let xavps = &c.ctx.tx_data.xavps;
        xavps.fields(kind, at(name, index)).cloned()
    })
}

fn dict_of<'py>(py: Python<'py>, fields: &XavpFields) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, item) in fields.iter() {
        let name = text(py, name)?;
        let values = match dict.get_item(&name)? {
            Some(values) => values.cast_into::<PyList>()?,
            None => {
                let values = PyList::empty(py);
                dict.set_item(&name, &values)?;
                values
            }
        };
        values.append(match item {
            XavpItem::Value(value) => to_python(py, value.clone().into())?,
            XavpItem::Fields(inner) => dict_of(py, inner)?.into_any(),
        })?;
    }
    Ok(dict)
}

fn text<'py>(py: Python<'py>, name: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, Value::borrowed(name).into())
}

fn object<'py>(py: Python<'py>, item: &XavpItem) -> PyResult<Bound<'py, PyAny>> {
    let fields = match item {
        XavpItem::Value(value) => return to_python(py, value.clone().into()),
        XavpItem::Fields(fields) => fields,
    };
    let list = PyList::empty(py);
    for (name, item) in fields.iter() {
        list.append((text(py, name)?, object(py, item)?))?;
    }
    Ok(list.into_any())
}

fn item_of(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<XavpItem> {
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str()?.as_bytes().to_vec();
        return Ok(XavpItem::Value(Value::owned(text)));
    }
    if let Ok(number) = value.cast::<PyInt>() {
        return Ok(XavpItem::Value(Value::Int(number.extract()?)));
    }
    if depth > MAX_DEPTH {
        return Err(PyValueError::new_err("lists are nested too deep"));
    }
    let pairs: Vec<(String, Bound<'_, PyAny>)> = value.extract().map_err(|_| {
        let kind = value.get_type();
        PyTypeError::new_err(format!(
            "a value is a str, an int or a list of (name, value), not {kind}"
        ))
    })?;
    let mut fields = XavpFields::default();
    for (name, value) in pairs.iter().rev() {
        named(name)?;
        fields.push(name.as_bytes(), item_of(value, depth + 1)?);
    }
    Ok(XavpItem::Fields(fields))
}

fn named(name: &str) -> PyResult<()> {
    if name.is_empty() {
        return Err(PyValueError::new_err("the name is empty"));
    }
    Ok(())
}

const fn at(name: &str, index: i32) -> (&[u8], Index) {
    (name.as_bytes(), Index::At(index))
}

const fn all_of(name: &str) -> XavpPath<'_> {
    XavpPath {
        root: (name.as_bytes(), Index::All),
        ..XavpPath::root(name.as_bytes())
    }
}
