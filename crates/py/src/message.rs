//! The `msg` argument of routes: Kamailio's `Router.msg`, and what modules need.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use sipwright_engine::session::{Callback, Current, Kind};
use sipwright_sip::header::HeaderId;
use sipwright_sip::message::Message as SipMessage;
use sipwright_sip::nameaddr::parse_nameaddr;
use sipwright_sip::script::Context;
use sipwright_sip::types::Flow as SipFlow;
use sipwright_sip::via::Via;

use crate::flow::{Contact, Flow};
use crate::ksr::decode;
use crate::scope;

/// A message during one call of a route; used later, it raises `RuntimeError`.
#[pyclass(frozen, module = "sipwright._engine")]
#[derive(Clone)]
pub struct Message {
    serial: u64,
    number: u64,
    msg: Arc<SipMessage>,
    flow: SipFlow,
    callback: Callback,
    method_known: bool,
}

impl Message {
    /// The message that a worker takes up.
    pub fn new(serial: u64, current: &Current) -> Self {
        Self::nested(serial, current, current.callback.clone())
    }

    /// The same for a route that runs inside a KSR function.
    pub fn nested(serial: u64, current: &Current, callback: Callback) -> Self {
        let msg = Arc::clone(&current.ctx.msg);
        let method_known = msg.is_request() && !matches!(current.kind, Kind::Reply { .. });
        Self {
            serial,
            number: current.ctx.msg_id,
            msg,
            flow: current.ctx.flow,
            callback,
            method_known,
        }
    }

    /// The message of a context that is at work for a variable.
    pub fn of_context(serial: u64, ctx: &Context) -> Self {
        Self {
            serial,
            number: ctx.msg_id,
            msg: Arc::clone(&ctx.msg),
            flow: ctx.flow,
            callback: Callback::RequestRoute,
            method_known: ctx.msg.is_request(),
        }
    }

    fn valid(&self) -> PyResult<&SipMessage> {
        if self.serial == scope::serial() {
            Ok(&self.msg)
        } else {
            Err(PyRuntimeError::new_err(
                "the message is no longer valid: its route has ended",
            ))
        }
    }
}

// `from_*` are names of the From header for Python.
#[allow(clippy::wrong_self_convention)]
#[pymethods]
impl Message {
    /// Number of the message in this process, `$mi`; the routes of one message have the same.
    #[getter]
    const fn number(&self) -> u64 {
        self.number
    }

    /// Name of the route to call, such as `ksr_request_route`.
    #[getter]
    fn callback<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        // The two that run for every message are kept.
        static REQUEST: PyOnceLock<Py<PyString>> = PyOnceLock::new();
        static REPLY: PyOnceLock<Py<PyString>> = PyOnceLock::new();
        let kept = match self.callback {
            Callback::RequestRoute => &REQUEST,
            Callback::ReplyRoute => &REPLY,
            Callback::OnsendRoute | Callback::Named(_) | Callback::Event { .. } => {
                return PyString::intern(py, self.callback.name());
            }
        };
        kept.get_or_init(py, || PyString::intern(py, self.callback.name()).unbind())
            .bind(py)
            .clone()
    }

    /// Name of the event, the second argument of event routes; None for others.
    #[getter]
    fn event(&self) -> Option<&str> {
        self.callback.event()
    }

    /// Whether it is an error if the script lacks the route.
    #[getter]
    const fn required(&self) -> bool {
        self.callback.required()
    }

    /// `"SIP_REQUEST"` or `"SIP_REPLY"`.
    #[getter(Type)]
    fn kind(&self) -> PyResult<&'static str> {
        Ok(if self.valid()?.is_request() {
            "SIP_REQUEST"
        } else {
            "SIP_REPLY"
        })
    }

    /// Method of a request; RuntimeError for a response.
    #[getter(Method)]
    fn method<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let msg = self.valid()?;
        if !self.method_known {
            return Err(PyRuntimeError::new_err(
                "Not a request message - no method available.",
            ));
        }
        decode(py, msg.method_name())
    }

    /// Status code of a response as str; RuntimeError for a request.
    #[getter(Status)]
    fn status(&self) -> PyResult<String> {
        let msg = self.valid()?;
        if msg.is_request() {
            return Err(PyRuntimeError::new_err(
                "Not a non-request message - no status available.",
            ));
        }
        Ok(msg.status().to_string())
    }

    /// Request-URI of the first line, as received; RuntimeError for a response.
    #[getter(RURI)]
    fn ruri<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let msg = self.valid()?;
        if !msg.is_request() {
            return Err(PyRuntimeError::new_err(
                "Not a request message - RURI is not available.",
            ));
        }
        decode(py, msg.uri())
    }

    /// `(ip, port)` of the sender.
    #[getter]
    fn src_address(&self) -> PyResult<(String, u16)> {
        self.valid()?;
        Ok((self.flow.remote.ip().to_string(), self.flow.remote.port()))
    }

    /// `(ip, port)` of our socket.
    #[getter]
    fn dst_address(&self) -> PyResult<(String, u16)> {
        self.valid()?;
        let socket = scope::with(|c| c.ctx.recv_socket().map(|s| s.addr));
        Ok(socket.map_or_else(|| (String::new(), 0), |a| (a.ip().to_string(), a.port())))
    }

    /// The message itself, as Kamailio's `copy` gives another handle to it.
    fn copy(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().valid()?;
        Ok(slf)
    }

    /// Sets the request-URI.
    #[pyo3(signature = (uri, /))]
    fn rewrite_ruri(&self, uri: &str) -> PyResult<bool> {
        self.valid()?;
        refuse_line_breaks(uri)?;
        scope::with(|c| c.ctx.set_uri(uri.as_bytes().to_vec()));
        Ok(true)
    }

    /// Sets the next hop.
    #[pyo3(signature = (uri, /))]
    fn set_dst_uri(&self, uri: &str) -> PyResult<bool> {
        self.valid()?;
        refuse_line_breaks(uri)?;
        scope::with(|c| c.ctx.set_dst_uri(uri.as_bytes().to_vec()));
        Ok(true)
    }

    /// Value of the first header field of that name, or None (Kamailio's `getHeader`).
    #[pyo3(name = "getHeader", signature = (name, /))]
    fn get_header<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.header(py, name)
    }

    /// Calls a KSR function by name, as Kamailio's `msg.call_function` does.
    #[pyo3(signature = (name, *args))]
    fn call_function<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        args: &Bound<'py, pyo3::types::PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.valid()?;
        let mut target = py.import("KSR")?.into_any();
        for part in name.split('.') {
            target = target.getattr(part)?;
        }
        target.call1(args)
    }

    /// Value of the first header field of that name (compact forms too), or None.
    #[pyo3(signature = (name, /))]
    fn header<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let msg = self.valid()?;
        msg.find(name.as_bytes())
            .next()
            .map(|h| decode(py, msg.get(h.value)))
            .transpose()
    }

    /// Values of all header fields of that name, in order, comma lists not split.
    #[pyo3(signature = (name, /))]
    fn headers<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let msg = self.valid()?;
        msg.find(name.as_bytes())
            .map(|h| decode(py, msg.get(h.value)))
            .collect()
    }

    /// All Contact values, in order (RFC 3261 section 20.10). ValueError when one is malformed.
    fn contacts(&self) -> PyResult<Vec<Contact>> {
        let msg = self.valid()?;
        msg.values(HeaderId::Contact)
            .map(|span| {
                let value = msg.get(span);
                if value == b"*" {
                    return Ok(Contact::all());
                }
                parse_nameaddr(value)
                    .map(|c| Contact::new(&c))
                    .map_err(|e| {
                        pyo3::exceptions::PyValueError::new_err(format!(
                            "{e}: {}",
                            String::from_utf8_lossy(value)
                        ))
                    })
            })
            .collect()
    }

    /// URI of From.
    #[getter]
    fn from_uri<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let msg = self.valid()?;
        decode(py, msg.get(msg.from().uri))
    }

    /// Tag of From, empty when there is none.
    #[getter]
    fn from_tag<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decode(py, self.valid()?.from_tag().unwrap_or_default())
    }

    /// URI of To.
    #[getter]
    fn to_uri<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let msg = self.valid()?;
        decode(py, msg.get(msg.to().uri))
    }

    /// Tag of To, empty when there is none.
    #[getter]
    fn to_tag<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decode(py, self.valid()?.to_tag().unwrap_or_default())
    }

    /// Call-ID.
    #[getter]
    fn call_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decode(py, self.valid()?.call_id())
    }

    /// Sequence number of CSeq.
    #[getter]
    fn cseq(&self) -> PyResult<u32> {
        Ok(self.valid()?.cseq())
    }

    /// The path that the message came by.
    #[getter]
    fn source(&self) -> PyResult<Flow> {
        self.valid()?;
        let socket = scope::with(|c| {
            c.ctx
                .recv_socket()
                .map(|s| format!("{}:{}", s.proto, s.addr))
        });
        Ok(Flow::new(&self.flow, socket.unwrap_or_default()))
    }

    /// URI of where a registering client really is, after `fix_nated_register`; else None.
    #[getter]
    fn received<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.valid()?;
        let uri = scope::with(|c| c.ctx.received.clone());
        uri.map(|uri| decode(py, &uri)).transpose()
    }

    /// The response of what happened, in a route that `watch` named, or the best failure in
    /// a failure route; None when there is none.
    #[getter]
    fn response(&self) -> PyResult<Option<Self>> {
        self.valid()?;
        Ok(scope::with(|c| {
            let reply = c.ctx.tx.as_ref()?.reply.clone()?;
            Some(Self {
                serial: self.serial,
                number: self.number,
                msg: reply,
                flow: self.flow,
                callback: self.callback.clone(),
                method_known: false,
            })
        }))
    }

    /// The request of the transaction, where the message in work is a response to it or
    /// something else that happened to it; else None.
    #[getter]
    fn request(&self) -> PyResult<Option<Self>> {
        self.valid()?;
        Ok(scope::with(|c| {
            let request = c.ctx.original.clone()?;
            Some(Self {
                serial: self.serial,
                number: self.number,
                msg: request,
                flow: self.flow,
                callback: self.callback.clone(),
                method_known: true,
            })
        }))
    }

    /// Branch parameters of all Via values, the topmost first; empty for one that has none.
    fn via_branches<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let msg = self.valid()?;
        msg.values(HeaderId::Via)
            .map(|span| {
                let branch = Via::parse(msg.bytes(), span).ok().and_then(|v| v.branch);
                decode(py, branch.map(|b| msg.get(b)).unwrap_or_default())
            })
            .collect()
    }

    /// The body as it came, or as of the last `msg_apply_changes`.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyBytes>> {
        self.valid()?;
        let body = scope::with(|c| pyo3::types::PyBytes::new(py, c.ctx.msg.body()).unbind());
        Ok(body.into_bound(py))
    }

    /// The whole message as it came.
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyBytes>> {
        Ok(pyo3::types::PyBytes::new(py, self.valid()?.bytes()))
    }
}

/// Nothing that a script writes may start a header line of its own.
pub fn refuse_line_breaks(text: &str) -> PyResult<()> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(pyo3::exceptions::PyValueError::new_err(
            "line breaks are not allowed here",
        ));
    }
    Ok(())
}
