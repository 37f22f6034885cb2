//! How a KSR function is called from Python: one table, one trampoline.
//!
//! Kamailio's rules (`app_python3`): arguments are positional, extra ones are
//! ignored, too few or of the wrong type are an error in the log and the call
//! returns `False`. Sipwright names the script's file and line in that error,
//! and raises `TypeError` instead when `script.strict` is set.
//!
//! All functions share these rules, so they share one C-level entry point
//! (`METH_FASTCALL`), which looks its [`Function`] up in the capsule that Python
//! passes as `self`. That costs no argument tuple and no generated wrapper each.

use std::ffi::{CStr, CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};
use pyo3::{BoundObject, ffi};
use sipwright_engine::log;
use sipwright_engine::record::Value as Recorded;
use sipwright_sip::script::{Context, Value};

use crate::{recording, scope};

mod core;
mod corex;
mod effects;
mod hdr;
pub mod hooks;
mod kx;
mod maxfwd;
mod nathelper;
mod path;
mod pv;
mod pvx;
pub mod registrar;
mod rr;
mod sanity;
mod siputils;
mod sl;
mod table;
mod textops;
mod textopsx;
mod tls;
mod tm;
mod tmx;
mod uac;
mod websocket;
mod xhttp;
mod xlog;
pub use table::{all, register};

/// Type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Param {
    /// `str`
    Str,
    /// `int` (or `bool`)
    Int,
}

/// What a function returns to the script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ret {
    /// `int`, by convention 1 for yes and -1 for no
    Int,
    /// `bool`
    Bool,
    /// nothing; Python sees 0, as with Kamailio
    None,
    /// `str`, `int` or `None`
    Xval,
    /// `list`, `dict` or `None`
    Data,
}

/// One KSR function.
pub struct Function {
    /// Kamailio module, or `core`.
    pub module: &'static str,
    /// Name within the module.
    pub name: &'static str,
    /// `KSR.tm.t_relay`; functions of the core have no module part.
    pub qualified: &'static str,
    /// Names and types of the parameters.
    pub params: &'static [(&'static str, Param)],
    /// What it returns.
    pub ret: Ret,
    /// What it does, with the source of the rule.
    pub doc: &'static str,
    /// Whether it does more than look: the recording shows it.
    pub effect: bool,
    /// The function itself.
    pub call: for<'py> fn(&mut Call<'_, 'py>) -> Out<'py>,
}

/// A value on its way to the script.
#[derive(Debug)]
pub enum Out<'py> {
    /// `int`
    Int(i64),
    /// `bool`
    Bool(bool),
    /// 0: functions without a result
    Void,
    /// `None`
    Null,
    /// `str`; bytes that are not UTF-8 raise `UnicodeDecodeError` in the script, as with Kamailio
    Bytes(Vec<u8>),
    /// a Python object made by the function itself
    Object(Bound<'py, PyAny>),
    /// an exception
    Raise(PyErr),
}

impl From<i32> for Out<'_> {
    fn from(code: i32) -> Self {
        Self::Int(code.into())
    }
}

impl From<i64> for Out<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Out<'_> {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<()> for Out<'_> {
    fn from((): ()) -> Self {
        Self::Void
    }
}

impl<'py> From<PyResult<Self>> for Out<'py> {
    fn from(result: PyResult<Out<'py>>) -> Self {
        result.unwrap_or_else(Self::Raise)
    }
}

impl From<Value<'_>> for Out<'_> {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(n) => Self::Int(n),
            Value::Str(s) | Value::StrInt(s, _) => Self::Bytes(s.into_owned()),
        }
    }
}

/// Arguments that the widest KSR function takes.
const MAX_PARAMS: usize = 8;

#[derive(Clone, Copy)]
enum Arg<'a> {
    Str(&'a str),
    Int(i64),
}

impl<'a> Arg<'a> {
    /// The argument as the recording keeps it.
    const fn recorded(self) -> Recorded<'a> {
        match self {
            Self::Str(text) => Recorded::Str(text.as_bytes()),
            Self::Int(n) => Recorded::Int(n),
        }
    }
}

/// One call in progress: its checked arguments.
pub struct Call<'a, 'py> {
    /// The interpreter, attached.
    pub py: Python<'py>,
    /// The function that is called.
    pub function: &'static Function,
    args: [Arg<'a>; MAX_PARAMS],
}

impl<'a> Call<'a, '_> {
    /// Argument `index`, declared as `str`.
    pub fn str(&self, index: usize) -> &'a str {
        match self.args[index] {
            Arg::Str(s) => s,
            Arg::Int(_) => "",
        }
    }

    /// Argument `index` as bytes.
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        self.str(index).as_bytes()
    }

    /// Argument `index`, declared as `int`.
    pub fn int(&self, index: usize) -> i64 {
        match self.args[index] {
            Arg::Int(n) => n,
            Arg::Str(_) => 0,
        }
    }
}

static STRICT: AtomicBool = AtomicBool::new(false);

/// Whether a wrong argument raises `TypeError` (setting `script.strict`).
pub fn set_strict(on: bool) {
    STRICT.store(on, Ordering::Relaxed);
}

const CAPSULE: &CStr = c"sipwright.ksr";

/// Makes the Python builtin of a function. Its memory lives as long as the process.
pub fn builtin<'py>(py: Python<'py>, function: &'static Function) -> PyResult<Bound<'py, PyAny>> {
    let names: Vec<&str> = function
        .params
        .iter()
        .map(|(name, _)| *name)
        .chain(["/"])
        .collect();
    let signature = if function.params.is_empty() {
        String::new()
    } else {
        names.join(", ")
    };
    let flat = format!("{}_{}", function.module, function.name);
    let doc = format!("{flat}({signature})\n--\n\n{}", function.doc);
    let leak = |text: String| CString::new(text).map(|c| &*Box::leak(c.into_boxed_c_str()));
    let def = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: leak(flat)?.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFast: trampoline,
        },
        ml_flags: ffi::METH_FASTCALL,
        ml_doc: leak(doc)?.as_ptr(),
    }));
    let pointer = std::ptr::from_ref(function).cast_mut().cast::<c_void>();
    // SAFETY: the GIL is held; the definition, its strings and `function` are never freed;
    // both calls return a new reference or NULL with an exception set.
    unsafe {
        let capsule =
            Bound::from_owned_ptr_or_err(py, ffi::PyCapsule_New(pointer, CAPSULE.as_ptr(), None))?;
        let module = PyString::new(py, "sipwright._engine");
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyCFunction_NewEx(def, capsule.as_ptr(), module.as_ptr()),
        )
    }
}

unsafe extern "C" fn trampoline(
    capsule: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this with the GIL held, with the capsule made in `builtin`
    // and with `count` valid borrowed references at `args`.
    let (py, function, args) = unsafe {
        let pointer = ffi::PyCapsule_GetPointer(capsule, CAPSULE.as_ptr()).cast::<Function>();
        let len = usize::try_from(count).unwrap_or(0);
        let args = if len == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(args, len)
        };
        (Python::assume_attached(), &*pointer, args)
    };
    let result = catch_unwind(AssertUnwindSafe(|| invoke(py, function, args)));
    let value = result.unwrap_or_else(|_| {
        let what = format!("KSR.{}.{}: internal error", function.module, function.name);
        Err(PyRuntimeError::new_err(what))
    });
    match value {
        Ok(object) => object.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

fn invoke<'py>(
    py: Python<'py>,
    function: &'static Function,
    raw: &[*mut ffi::PyObject],
) -> PyResult<Bound<'py, PyAny>> {
    let expected = function.params.len();
    if raw.len() < expected {
        let what = format!("takes {expected} argument(s), {} given", raw.len());
        return refuse(py, function, &what);
    }
    let mut args = [Arg::Int(0); MAX_PARAMS];
    for (i, (name, kind)) in function.params.iter().enumerate() {
        // SAFETY: a borrowed reference that CPython keeps alive during the call.
        let object = unsafe { Borrowed::from_ptr(py, raw[i]) };
        args[i] = match kind {
            Param::Str => match object.cast::<PyString>() {
                // The buffer belongs to the str, which outlives the call.
                Ok(text) => Arg::Str(utf8(text)?),
                Err(_) => return wrong_type(py, function, i, name, "str", &object),
            },
            Param::Int => match object.cast::<PyInt>() {
                Ok(number) => Arg::Int(number.extract()?),
                Err(_) => return wrong_type(py, function, i, name, "int", &object),
            },
        };
    }
    let mut call = Call { py, function, args };
    let began = function.effect.then(recording::begin).flatten();
    let out = (function.call)(&mut call);
    if let Some(began) = began {
        let arguments = args.map(Arg::recorded);
        recording::builtin(
            began,
            function.qualified,
            &arguments[..expected],
            recorded(&out),
        );
    }
    to_python(py, out)
}

/// A result as the recording keeps it.
fn recorded<'a>(out: &'a Out<'_>) -> Recorded<'a> {
    match out {
        Out::Int(n) => Recorded::Int(*n),
        Out::Bool(yes) => Recorded::Bool(*yes),
        Out::Void => Recorded::Void,
        Out::Null => Recorded::Null,
        Out::Bytes(bytes) => Recorded::Str(bytes),
        Out::Object(_) => Recorded::Object,
        Out::Raise(_) => Recorded::Raised,
    }
}

fn utf8<'a>(text: Borrowed<'a, '_, PyString>) -> PyResult<&'a str> {
    let mut len: ffi::Py_ssize_t = 0;
    // SAFETY: `text` is a str; the buffer is cached in it and lives as long as it does, that
    // is 'a; CPython guarantees it to be UTF-8 of `len` bytes. NULL comes with an exception.
    unsafe {
        let data = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut len);
        if data.is_null() {
            return Err(PyErr::fetch(text.py()));
        }
        let bytes =
            std::slice::from_raw_parts(data.cast::<u8>(), usize::try_from(len).unwrap_or(0));
        Ok(std::str::from_utf8_unchecked(bytes))
    }
}

/// The Python object of a result.
pub fn to_python<'py>(py: Python<'py>, out: Out<'py>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match out {
        Out::Int(n) => n.into_pyobject(py)?.into_any(),
        Out::Bool(b) => PyBool::new(py, b).into_bound().into_any(),
        Out::Void => 0i32.into_pyobject(py)?.into_any(),
        Out::Null => py.None().into_bound(py),
        Out::Bytes(bytes) => decode(py, &bytes)?,
        Out::Object(object) => object,
        Out::Raise(error) => return Err(error),
    })
}

/// `str` of bytes, strictly UTF-8 as Kamailio decodes them.
pub fn decode<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    PyString::from_bytes(py, bytes).map(Bound::into_any)
}

fn wrong_type<'py>(
    py: Python<'py>,
    function: &'static Function,
    index: usize,
    name: &str,
    expected: &str,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let got = object
        .get_type()
        .name()
        .map_or_else(|_| "?".to_owned(), |n| n.to_string());
    refuse(
        py,
        function,
        &format!(
            "argument {} ({name}) must be {expected}, not {got}",
            index + 1
        ),
    )
}

fn refuse<'py>(
    py: Python<'py>,
    function: &'static Function,
    what: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let name = function.qualified;
    if STRICT.load(Ordering::Relaxed) {
        return Err(PyTypeError::new_err(format!("{name} {what}")));
    }
    let place = caller(py).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
    log::log(
        log::level::ERR,
        &format!("{place}{name} {what}; it returns False"),
    );
    Ok(PyBool::new(py, false).into_bound().into_any())
}

/// File and line of the Python code that is calling.
pub fn caller(py: Python<'_>) -> Option<(String, u32)> {
    let frame = py
        .import("sys")
        .ok()?
        .call_method1("_getframe", (0,))
        .ok()?;
    let file = frame
        .getattr("f_code")
        .ok()?
        .getattr("co_filename")
        .ok()?
        .extract()
        .ok()?;
    let line = frame.getattr("f_lineno").ok()?.extract().ok()?;
    Some((file, line))
}

/// Runs a function over the context of the message in work; what it complains
/// about is logged with the script's file and line.
pub fn on_context<'py, T: Into<Out<'py>>>(
    call: &Call<'_, 'py>,
    f: impl FnOnce(&mut Context) -> T,
) -> Out<'py> {
    let (out, complaints) = scope::with(|c| {
        let out = f(&mut c.ctx).into();
        (out, std::mem::take(&mut c.ctx.complaints))
    });
    if !complaints.is_empty() {
        let place =
            caller(call.py).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
        for what in complaints {
            log::log(
                log::level::ERR,
                &format!("{place}{}: {what}", call.function.qualified),
            );
        }
    }
    out
}

/// Runs a function that only looks at the context of the message in work.
pub fn read<'py>(f: impl FnOnce(&Context) -> Out<'py>) -> Out<'py> {
    scope::with(|c| f(&c.ctx))
}

/// Declares a table of KSR functions of one Kamailio module.
macro_rules! ksr_table {
    ($module:tt; $( $(#[doc = $doc:literal])+ $name:ident ( $($arg:ident : $ty:ident),* ) -> $ret:ident = $body:expr; )*) => {
        /// The functions of this Kamailio module.
        pub static FUNCTIONS: &[$crate::ksr::Function] = &[ $(
            $crate::ksr::Function {
                module: $module,
                name: stringify!($name),
                qualified: $crate::ksr::qualified!($module $name),
                params: &[ $( (stringify!($arg), $crate::ksr::Param::$ty) ),* ],
                ret: $crate::ksr::Ret::$ret,
                doc: concat!($($doc, "\n"),+),
                effect: $crate::ksr::effects::has($module, stringify!($name)),
                call: $body,
            }
        ),* ];
    };
}
pub(crate) use ksr_table;

/// `KSR.tm.t_relay`; functions of the core have no module part.
macro_rules! qualified {
    ("core" $name:ident) => {
        concat!("KSR.", stringify!($name))
    };
    ($module:tt $name:ident) => {
        concat!("KSR.", $module, ".", stringify!($name))
    };
}
pub(crate) use qualified;
