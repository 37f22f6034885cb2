//! The recording as Python reads it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sipwright_engine::record::calls::{Call, Calls};
use sipwright_engine::record::{
    Entry, Instant, Kind, Piece, RecordConfig, Recorder, Shown, Value, Way,
};
use sipwright_engine::session::Current;
use sipwright_sip::types::Proto;
use sipwright_sip::{Message, mask};

use crate::scope;

type Endpoint = (String, u16);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    (addr.ip().to_string(), addr.port())
}

/// A message that passed, or what the script decided.
#[pyclass(frozen, get_all, module = "sipwright._engine")]
pub struct Recorded {
    /// Number in the recording, from 1.
    pub number: u64,
    /// `received`, `sent`, `route`, `function` or `error`.
    pub kind: &'static str,
    /// When it passed or began: monotonic nanoseconds.
    pub mono_ns: u64,
    /// The same in microseconds since 1970.
    pub wall_us: u64,
    /// How long a route or function took, in microseconds.
    pub spent_us: u32,
    /// Transport of a message.
    pub proto: &'static str,
    /// Our address and port: those of the socket that listens.
    pub local: Endpoint,
    /// Address and port of the other side.
    pub remote: Endpoint,
    /// Number of the connection, 0 for none.
    pub connection: u64,
    /// Call-ID; empty when it has none or cannot be read.
    pub call_id: String,
    /// Method of a request, that of CSeq for a response.
    pub method: String,
    /// Code of a response, 0 for a request.
    pub status: u16,
    /// Number of CSeq.
    pub cseq: u32,
    /// Bytes that the message had on the wire.
    pub size: u32,
    /// Name of the route or function.
    pub name: String,
    /// Arguments of a function, or the event of a route.
    pub arguments: String,
    /// What a function returned, how a route ended, or the text of an error.
    pub result: String,
    data: Py<pyo3::types::PyBytes>,
}

impl Recorded {
    fn new(py: Python<'_>, entry: &Entry, masked: bool) -> Self {
        let made = entry.decision();
        let parsed = Some(entry).filter(|e| e.kind.is_message());
        let parsed = parsed.and_then(|e| Message::parse(e.data.clone()).ok());
        let message = parsed.as_ref();
        let of_message =
            |f: fn(&Message) -> &[u8]| message.map_or_else(String::new, |m| text(f(m)));
        let data = match (entry.kind.is_message(), masked) {
            (false, _) => Bytes::new(),
            (true, false) => entry.data.clone(),
            (true, true) => mask::masked(&entry.data).into(),
        };
        Self {
            number: entry.number,
            kind: entry.kind.as_str(),
            mono_ns: entry.at.mono_ns,
            wall_us: entry.at.wall_us,
            spent_us: entry.spent_us,
            proto: if entry.kind.is_message() {
                entry.way.proto.as_str()
            } else {
                ""
            },
            local: endpoint(entry.way.local),
            remote: endpoint(entry.way.remote),
            connection: entry.way.conn,
            call_id: match message {
                Some(m) => text(m.call_id()),
                None => text(&made.call_id),
            },
            method: of_message(Message::method_name),
            status: message.map_or(0, Message::status),
            cseq: message.map_or(0, Message::cseq),
            size: entry.size,
            name: text(&made.name),
            arguments: text(&made.arguments),
            result: text(&made.result),
            data: pyo3::types::PyBytes::new(py, &data).unbind(),
        }
    }
}

/// All messages with one Call-ID, in a few words.
#[pyclass(frozen, get_all, module = "sipwright._engine")]
pub struct RecordedCall {
    /// Call-ID.
    pub call_id: String,
    /// Method of the first request.
    pub method: String,
    /// URI of From, without a password.
    pub from_uri: String,
    /// URI of To, without a password.
    pub to_uri: String,
    /// Request-URI, without a password.
    pub uri: String,
    /// `trying`, `ringing`, `answered`, `ended`, `cancelled`, `failed` or `done`.
    pub state: &'static str,
    /// Last response to the first request, 0 before there is one.
    pub status: u16,
    /// Transport of the first message.
    pub proto: &'static str,
    /// Address and port that it came from or went to.
    pub remote: Endpoint,
    /// Time of the first message, in microseconds since 1970.
    pub began_us: u64,
    /// Microseconds from there to the last message.
    pub lasted_us: u64,
    /// Microseconds from the answer to the end, or to the last message; None before the answer.
    pub talked_us: Option<u64>,
    /// Messages.
    pub messages: u32,
    /// Exceptions of the script.
    pub errors: u32,
}

impl RecordedCall {
    fn new(call: &Call) -> Self {
        let us = |from: u64, to: u64| to.saturating_sub(from) / 1000;
        let uri = |uri: &[u8]| text(&mask::masked_text(uri));
        let end = call.ended_ns.unwrap_or(call.last.mono_ns);
        Self {
            call_id: text(&call.call_id),
            method: text(&call.method),
            from_uri: uri(&call.from),
            to_uri: uri(&call.to),
            uri: uri(&call.uri),
            state: call.state.as_str(),
            status: call.status,
            proto: call.way.proto.as_str(),
            remote: endpoint(call.way.remote),
            began_us: call.began.wall_us,
            lasted_us: us(call.began.mono_ns, call.last.mono_ns),
            talked_us: call.answered_ns.map(|from| us(from, end)),
            messages: call.messages,
            errors: call.errors,
        }
    }
}

/// The last messages and what scripts decided about them; the oldest are overwritten.
#[pyclass(frozen, module = "sipwright._engine")]
pub struct Recording {
    inner: Arc<Recorder>,
}

impl Recording {
    pub fn new_from(inner: &Arc<Recorder>) -> Self {
        Self {
            inner: Arc::clone(inner),
        }
    }
}

#[pymethods]
impl Recording {
    /// An empty one, for messages of a file.
    #[new]
    #[pyo3(signature = (max_bytes, max_entries, /))]
    fn new(max_bytes: usize, max_entries: usize) -> Self {
        let config = RecordConfig {
            enabled: true,
            max_bytes,
            max_entries,
            ..RecordConfig::default()
        };
        Self {
            inner: Arc::new(Recorder::new(&config)),
        }
    }

    /// Adds a message that passed at that time, in microseconds since 1970. ValueError for
    /// another protocol than udp, tcp, tls, ws or wss.
    #[pyo3(signature = (wall_us, sent, proto, local, remote, data, /))]
    fn add(
        &self,
        wall_us: u64,
        sent: bool,
        proto: &str,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
        data: &[u8],
    ) -> PyResult<()> {
        let proto = Proto::parse(proto.as_bytes())
            .ok_or_else(|| PyValueError::new_err(format!("unknown protocol {proto}")))?;
        let kind = if sent { Kind::Sent } else { Kind::Received };
        let way = Way {
            proto,
            local: local.into(),
            remote: remote.into(),
            conn: 0,
        };
        let at = Instant {
            mono_ns: wall_us * 1000,
            wall_us,
        };
        self.inner.message(kind, at, &way, data);
        Ok(())
    }

    /// At most `limit` entries from number `start` on, of one call or all, the number to go
    /// on with, how many were overwritten before they were read, and whether that is the end
    /// for now. Credentials are masked unless asked otherwise. The GIL is released.
    #[pyo3(signature = (start, limit, /, *, call_id=None, masked=true))]
    fn read(
        &self,
        py: Python<'_>,
        start: u64,
        limit: usize,
        call_id: Option<&str>,
        masked: bool,
    ) -> (Vec<Recorded>, u64, u64, bool) {
        let wanted = |e: &Entry| call_id.is_none_or(|id| e.call_id() == id.as_bytes());
        let Piece {
            entries,
            next,
            missed,
            is_end,
        } = py.detach(|| self.inner.select(start, limit, wanted));
        let shown = entries.iter().map(|e| Recorded::new(py, e, masked));
        (shown.collect(), next, missed, is_end)
    }

    /// The calls whose last message came last, first. The GIL is released.
    #[pyo3(signature = (limit, /))]
    fn calls(&self, py: Python<'_>, limit: usize) -> Vec<RecordedCall> {
        let found = py.detach(|| Calls::of(&self.inner).latest(limit));
        found.iter().map(RecordedCall::new).collect()
    }

    /// Script errors and slow routes, the oldest first; they are kept longer than what is around them.
    fn notable(&self, py: Python<'_>) -> Vec<Recorded> {
        let found = self.inner.notable();
        found.iter().map(|e| Recorded::new(py, e, true)).collect()
    }

    /// Whether it records, entries, their bytes, number of the oldest and of the next entry.
    fn status(&self) -> (bool, usize, usize, u64, u64) {
        let filled = self.inner.filled();
        let on = self.inner.is_on();
        (on, filled.entries, filled.bytes, filled.first, filled.next)
    }

    /// Begins or ends to record.
    #[pyo3(signature = (on, /))]
    fn switch(&self, on: bool) {
        self.inner.switch(on);
    }

    /// Routes that take longer than so many milliseconds are kept longer from now on.
    #[pyo3(signature = (slow_ms, /))]
    fn set_slow_ms(&self, slow_ms: u64) {
        self.inner.set_slow_ms(slow_ms);
    }

    /// Forgets everything; numbers go on.
    fn clear(&self) {
        self.inner.clear();
    }
}

#[pymethods]
impl Recorded {
    /// The message; empty for a decision.
    #[getter]
    fn data(&self, py: Python<'_>) -> Py<pyo3::types::PyBytes> {
        self.data.clone_ref(py)
    }
}

/// What `record_call` needs to know of the time: monotonic nanoseconds and microseconds since
/// 1970; None while nothing is recorded.
#[pyfunction]
pub fn record_begin() -> Option<(u64, u64)> {
    let at = begin()?;
    Some((at.mono_ns, at.wall_us))
}

/// Records that the script called a function, with its arguments and result as text.
#[pyfunction]
#[pyo3(signature = (began, name, arguments, result, /))]
pub fn record_call(began: (u64, u64), name: &str, arguments: &str, result: &str) {
    let began = Instant {
        mono_ns: began.0,
        wall_us: began.1,
    };
    note(
        Kind::Function,
        began,
        name,
        [arguments, result].map(text_of),
    );
}

/// Records an exception of the script: where, and its text with the traceback.
#[pyfunction]
#[pyo3(signature = (place, text, /))]
pub fn record_error(place: &str, text: &str) {
    note(Kind::Error, Instant::now(), place, ["", text].map(text_of));
}

const fn text_of(text: &str) -> Shown<'_> {
    Shown::Text(text.as_bytes())
}

fn note(kind: Kind, began: Instant, name: &str, shown: [Shown<'_>; 2]) {
    let times = (began, Instant::now().mono_ns);
    let core = scope::core();
    scope::with(|c: &mut Current| core.decided(c, kind, times, name.as_bytes(), shown));
}

/// Since when a call that begins now runs; None while nothing is recorded.
pub fn begin() -> Option<Instant> {
    scope::with_core(|core| core.recorder.is_on()).then(Instant::now)
}

/// Records a call of a builtin.
pub fn builtin(began: Instant, name: &str, arguments: &[Value<'_>], result: Value<'_>) {
    let shown = [Shown::Values(arguments), Shown::Values(&[result])];
    note(Kind::Function, began, name, shown);
}
