//! What modules written in Python ask of the engine besides KSR functions.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pyo3::prelude::*;
use sipwright_engine::config::LogPrefixSettings;
use sipwright_engine::log as sink;
use sipwright_engine::session::{Callback, Current, Kind};
use sipwright_engine::tls::dev_cert::{self, DevKey};
use sipwright_engine::tm::LocalSpec;
use sipwright_sip::script::pv::Index;
use sipwright_sip::script::{Binding, BranchTarget, Value, XavpFields, XavpItem, XavpKind};
use sipwright_sip::tx::{SERVER, Watcher};
use sipwright_sip::types::Proto;

use crate::ksr::{self, Param, Ret};
use crate::location::{LocationTable, RegistrarRules};
use crate::message::{Message, refuse_line_breaks};
use crate::scope::{self, ThreadSlot};
use crate::{env, errors, prefix};

/// The message whose route runs in this thread; outside of any, Kamailio's made-up one.
#[pyfunction]
pub fn current() -> Message {
    scope::message()
}

/// Whether the script dropped the message in work; forgets that it did.
#[pyfunction]
pub fn take_drop() -> bool {
    scope::with(|c| std::mem::take(&mut c.ctx.drop))
}

/// Starts code that runs outside of any message, such as `mod_init`; a message
/// that is in work is laid aside until `end_fake`.
#[pyfunction]
pub fn begin_fake() {
    scope::suspend();
}

/// As `begin_fake`, with these bytes for the message in work, as if they had come from there, for
/// routes that look at what was received or sent. False, and nothing has begun, where the bytes
/// are no SIP message.
#[pyfunction]
#[pyo3(signature = (data, proto, ip, port, /))]
pub fn begin_shown(data: &[u8], proto: &str, ip: &str, port: u16) -> bool {
    let (Some(proto), Ok(ip)) = (Proto::parse(proto.as_bytes()), ip.parse::<IpAddr>()) else {
        return false;
    };
    let Ok(message) = sipwright_sip::Message::parse(Bytes::copy_from_slice(data)) else {
        return false;
    };
    scope::suspend();
    let remote = SocketAddr::new(ip, port);
    scope::enter(Current::shown(&scope::core(), message, proto, remote));
    true
}

/// The branch parameter of the Via that the request in work leaves with next; None while it has
/// no transaction.
#[pyfunction]
pub fn next_branch() -> Option<String> {
    let core = scope::core();
    scope::with(|c| core.next_branch(c))
}

/// Ends what `begin_fake` or `begin_shown` started.
#[pyfunction]
pub fn end_fake() {
    scope::resume();
}

/// Where the main branch goes: request-URI, next hop, Route (path of the
/// binding), branch flags and socket, as `registrar.lookup` sets them.
#[pyfunction]
#[pyo3(signature = (uri, dst_uri, path, bflags, socket, q, /))]
pub fn set_destination(
    uri: &str,
    dst_uri: Option<&str>,
    path: Option<&str>,
    bflags: u32,
    socket: Option<u16>,
    q: Option<u16>,
) -> PyResult<()> {
    check_target(uri, dst_uri, path)?;
    scope::with(|c| {
        let ctx = &mut c.ctx;
        ctx.set_uri(uri.as_bytes().to_vec());
        ctx.dst_uri = bytes(dst_uri);
        ctx.path_vec = bytes(path);
        ctx.bflags = bflags;
        ctx.force_socket = socket.or(ctx.force_socket);
        ctx.q = q;
    });
    Ok(())
}

/// Adds a destination besides the main one; q in thousandths (RFC 3261 section 16.6).
#[pyfunction]
#[pyo3(signature = (uri, dst_uri, path, bflags, socket, q, /))]
pub fn append_branch(
    uri: &str,
    dst_uri: Option<&str>,
    path: Option<&str>,
    bflags: u32,
    socket: Option<u16>,
    q: Option<u16>,
) -> PyResult<()> {
    check_target(uri, dst_uri, path)?;
    let target = BranchTarget {
        uri: uri.as_bytes().to_vec(),
        dst_uri: bytes(dst_uri),
        path: bytes(path),
        flags: bflags,
        socket,
        q,
        ..BranchTarget::default()
    };
    scope::with(|c| c.ctx.branches.push(target));
    Ok(())
}

/// Says of which binding the main destination is, or the one that was added last: its record
/// id, the User-Agent of its registration, instance and reg-id of the user agent (RFC 5626).
#[pyfunction]
#[pyo3(signature = (main, ruid, user_agent, instance, reg_id, /))]
pub fn set_binding(main: bool, ruid: &str, user_agent: &str, instance: &str, reg_id: u32) {
    let text = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    scope::with(|c| match c.ctx.branches.last_mut().filter(|_| !main) {
        Some(branch) => {
            branch.ruid = text(ruid);
            branch.location_ua = text(user_agent);
            branch.instance = text(instance);
            branch.reg_id = reg_id;
        }
        None => {
            c.ctx.binding = Some(Box::new(Binding {
                ruid: text(ruid),
                location_ua: text(user_agent),
                instance: text(instance),
                reg_id,
            }));
        }
    });
}

/// Has the route `name` of a module called with what happens to the transaction of the
/// message in work, or the one made for it: `kinds` are `WATCH_*` added up. `watched` gives
/// `key` back. The message in work is the request; with `shows_message` that of what happened.
#[pyfunction]
#[pyo3(signature = (kinds, name, key, /, *, shows_message=false))]
pub fn watch(kinds: u16, name: &str, key: u64, shows_message: bool) {
    let watcher = Watcher {
        kinds,
        name: name.into(),
        key,
        shows_message,
    };
    let core = scope::core();
    scope::with(|c| core.watch(c, watcher));
}

/// In a route that `watch` named: its key, the code of the response (0 for none) and the
/// branch (None when it is about none). Elsewhere None.
#[pyfunction]
pub fn watched() -> Option<(u64, u16, Option<u16>)> {
    scope::with(|c| match c.kind {
        Kind::Watched(told) => {
            let branch = (told.branch != SERVER).then_some(told.branch);
            Some((told.key, told.code, branch))
        }
        _ => None,
    })
}

/// Has `function()` called after each `loose_route` that found our own Route, in the same
/// thread, with the message in work. One function for each name; None takes it back.
#[pyfunction]
#[pyo3(signature = (name, function, /))]
pub fn on_loose_route(name: &str, function: Option<Py<PyAny>>) {
    ksr::hooks::LOOSE_ROUTE.set(name, function);
}

/// Has `function()` called before each function of the script that makes the transaction of a
/// request or forwards it, in the same thread, with the message in work. One function for each
/// name; None takes it back.
#[pyfunction]
#[pyo3(signature = (name, function, /))]
pub fn on_transaction(name: &str, function: Option<Py<PyAny>>) {
    ksr::hooks::TRANSACTION.set(name, function);
}

/// Has `function(table)` do what `KSR.registrar.lookup` is asked for, wherever the engine does not look by itself.
#[pyfunction]
#[pyo3(signature = (function, /))]
pub fn on_lookup(function: Py<PyAny>) {
    ksr::registrar::set_general(function);
}

/// Has `KSR.registrar.lookup(name)` look into the table itself, by the rules, for the best contact alone or for all; what is
/// not plain still goes to the function of `on_lookup`.
#[pyfunction]
#[pyo3(signature = (name, table, rules, only_first, /))]
pub fn look_up_plainly(
    name: String,
    table: Py<LocationTable>,
    rules: Py<RegistrarRules>,
    only_first: bool,
) {
    ksr::registrar::add_plain(name, table, rules, only_first);
}

/// Takes back every `look_up_plainly`: tables or rules are others from now on.
#[pyfunction]
pub fn forget_plain_tables() {
    ksr::registrar::forget_plain();
}

/// Replaces the names beside the configured ones that are this server's, for `is_myself` and
/// `loose_route`: hosts, compared without regard to case, with any port and transport.
#[pyfunction]
#[pyo3(signature = (names, /))]
pub fn set_own_names(names: Vec<String>) {
    env::OWN_NAMES.set(names);
}

fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    text.map(|t| t.as_bytes().to_vec())
}

fn check_target(uri: &str, dst_uri: Option<&str>, path: Option<&str>) -> PyResult<()> {
    [Some(uri), dst_uri, path]
        .into_iter()
        .flatten()
        .try_for_each(refuse_line_breaks)
}

/// Replaces the body of the message in work when it is sent, and its Content-Type if one is given.
#[pyfunction]
#[pyo3(signature = (body, content_type=None, /))]
pub fn set_body(body: &[u8], content_type: Option<&str>) -> PyResult<()> {
    content_type.map_or(Ok(()), refuse_line_breaks)?;
    scope::with(|c| {
        let kind = content_type.map(str::as_bytes);
        c.ctx.edits.set_body(body.to_vec(), kind);
    });
    Ok(())
}

/// Adds header lines, each with its CRLF, to the next reply built here. What
/// is no complete line raises ValueError.
#[pyfunction]
#[pyo3(signature = (lines, /))]
pub fn append_reply_header(lines: &str) -> PyResult<()> {
    for line in lines.split_inclusive("\r\n") {
        let Some(text) = line.strip_suffix("\r\n").filter(|t| t.contains(':')) else {
            return Err(pyo3::exceptions::PyValueError::new_err(format!(
                "not a header line: {line:?}"
            )));
        };
        refuse_line_breaks(text)?;
    }
    scope::with(|c| c.ctx.reply_headers.extend_from_slice(lines.as_bytes()));
    Ok(())
}

/// Writes one line to the log; levels as Kamailio's, -1 error to 3 debug. Never blocks. With
/// a Call-ID the line is about that call, otherwise about the message in work.
#[pyfunction]
#[pyo3(signature = (level, text, call_id = None, /))]
pub fn log(level: i32, text: &str, call_id: Option<&str>) {
    match call_id {
        Some(call_id) => sink::log_of(level, text, call_id.as_bytes()),
        None => sink::log(level, text),
    }
}

/// Sets the text with pseudo-variables that stands before lines about a message, and whether
/// these are read for each line. ValueError when it has one that cannot be read.
#[pyfunction]
#[pyo3(signature = (text, each_line, /))]
pub fn set_log_prefix(text: String, each_line: bool) -> PyResult<()> {
    let settings = LogPrefixSettings { text, each_line };
    prefix::configure(&settings).map_err(pyo3::exceptions::PyValueError::new_err)
}

/// Sets the highest level that is written.
#[pyfunction]
#[pyo3(signature = (level, /))]
pub fn set_log_level(level: i32) {
    sink::set_level(level);
}

/// Writes log lines as JSON objects.
#[pyfunction]
#[pyo3(signature = (on, /))]
pub fn set_log_json(on: bool) {
    sink::set_json(on);
}

/// Keeps log lines for `take_log` instead of writing them, or ends that.
#[pyfunction]
#[pyo3(signature = (on, /))]
pub fn capture_log(on: bool) {
    sink::capture(on);
}

/// The log lines kept since they were taken last, as `(level, text)`.
#[pyfunction]
pub fn take_log() -> Vec<(i32, String)> {
    sink::take_captured()
}

/// Waits until every log line so far is written, at most `timeout_ms`.
#[pyfunction]
#[pyo3(signature = (timeout_ms, /))]
pub fn flush_log(py: Python<'_>, timeout_ms: u64) {
    py.detach(|| sink::flush(std::time::Duration::from_millis(timeout_ms)));
}

/// Whether a wrong argument of a KSR function raises TypeError.
#[pyfunction]
#[pyo3(signature = (on, /))]
pub fn set_strict(on: bool) {
    ksr::set_strict(on);
}

/// Makes `$cls(...)` a pseudo-variable: `get(inner, index)` gives its value,
/// `set(inner, value)` sets it (None unsets) and says whether it could.
#[pyfunction]
#[pyo3(signature = (cls, get, set, /))]
pub fn register_pv(cls: &str, get: Py<PyAny>, set: Option<Py<PyAny>>) {
    env::register_pv(cls, get, set);
}

/// Sends a request of our own; ValueError says why it cannot be sent. `headers` are
/// lines with CRLF, From and To among them. The method `callback` of the handler gets
/// the final response, or the request when none came, and the name `event`.
#[pyfunction]
#[pyo3(signature = (method, uri, headers, body, /, *, next_hop="", socket="", callback="", event=""))]
#[allow(clippy::too_many_arguments)]
pub fn send_request(
    py: Python<'_>,
    method: &str,
    uri: &str,
    headers: &str,
    body: &[u8],
    next_hop: &str,
    socket: &str,
    callback: &str,
    event: &str,
) -> PyResult<()> {
    let then = (!callback.is_empty()).then(|| Callback::Event {
        name: callback.into(),
        event: event.to_owned().into(),
        required: true,
    });
    let spec = LocalSpec {
        method,
        uri,
        next_hop,
        socket,
        headers,
        body,
        then,
    };
    scope::core()
        .send_request(&ThreadSlot { py }, &spec)
        .map_err(|why| pyo3::exceptions::PyValueError::new_err(why.to_string()))
}

/// A development authority and a server certificate for these hosts, in
/// `directory`, kept while they are valid; gives the paths of authority,
/// certificate and key.
#[pyfunction]
#[pyo3(signature = (directory, hosts, /))]
pub fn make_dev_certificates(
    py: Python<'_>,
    directory: &str,
    hosts: Vec<String>,
) -> PyResult<(String, String, String)> {
    let made = py.detach(|| dev_cert::ensure(Path::new(directory), &hosts, DevKey::default()));
    let files = made.map_err(|e| errors::BindError::new_err(e.to_string()))?;
    let text = |p: PathBuf| p.to_string_lossy().into_owned();
    Ok((
        text(files.ca),
        text(files.certificate),
        text(files.private_key),
    ))
}

/// A KSR function as `(module, name, parameters, result, description)`.
type Described = (
    &'static str,
    &'static str,
    Vec<(&'static str, &'static str)>,
    &'static str,
    &'static str,
);

/// The KSR functions that the extension provides, for `app_python.api_list`,
/// `sipwright check` and the reference.
#[pyfunction]
pub fn ksr_functions() -> Vec<Described> {
    let kind = |p: &Param| match p {
        Param::Str => "str",
        Param::Int => "int",
    };
    let describe = |f: &'static ksr::Function| {
        let params = f.params.iter().map(|(name, p)| (*name, kind(p))).collect();
        let ret = match f.ret {
            Ret::Int => "int",
            Ret::Bool => "bool",
            Ret::None => "none",
            Ret::Xval => "xval",
            Ret::Data => "data",
        };
        (f.module, f.name, params, ret, f.doc.trim())
    };
    ksr::all().map(describe).collect()
}

/// The fields of the newest `$xavp(root)`, the one that was set first first.
#[pyfunction]
#[pyo3(signature = (root, /))]
pub fn xavp_fields<'py>(
    py: Python<'py>,
    root: &str,
) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    scope::with(|c| {
        let step = (root.as_bytes(), Index::None);
        let fields = c.ctx.tx_data.xavps.fields(XavpKind::Plain, step);
        let pairs = fields.into_iter().flat_map(XavpFields::iter);
        let mut found = pairs
            .filter_map(|(name, item)| {
                let value = match item {
                    XavpItem::Value(Value::Int(number)) => {
                        number.into_pyobject(py).ok()?.into_any()
                    }
                    XavpItem::Value(Value::Str(text) | Value::StrInt(text, _)) => {
                        return Some(
                            ksr::decode(py, text).and_then(|t| Ok((ksr::decode(py, name)?, t))),
                        );
                    }
                    XavpItem::Value(Value::Null) | XavpItem::Fields(_) => return None,
                };
                Some(ksr::decode(py, name).map(|name| (name, value)))
            })
            .collect::<PyResult<Vec<_>>>()?;
        found.reverse();
        Ok(found)
    })
}
