//! The network of an engine in memory: what tests and replays bring and take.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sipwright_engine::core::Core;
use sipwright_engine::net::{Note, TlsFacts, Wire as Inner};
use sipwright_engine::tls::Verdict;
use sipwright_sip::types::{Flow, Proto};

use crate::errors::EngineError;

/// An endpoint as `(address, port)`.
type Endpoint = (IpAddr, u16);

/// What TLS is to have found at a peer: the name that it asked for, its certificate as DER,
/// and what came of verifying that.
type Facts = (Option<String>, Option<Vec<u8>>, String);

/// See [`Wire::take`].
type Taken<'py> = (
    &'static str,
    &'static str,
    u16,
    (String, u16),
    u64,
    Bound<'py, PyBytes>,
);

/// The network and the clock of an engine in memory (`Engine.in_memory`).
#[pyclass(frozen, module = "sipwright._engine")]
pub struct Wire {
    core: Arc<Core>,
    inner: Inner,
}

impl Wire {
    /// That of an engine in memory.
    pub fn new(core: &Arc<Core>) -> Option<Self> {
        let inner = core.bound()?.wire()?;
        let core = Arc::clone(core);
        Some(Self { core, inner })
    }
}

#[pymethods]
impl Wire {
    /// A datagram arrives at a UDP socket of the engine.
    #[pyo3(signature = (socket, source, data, /))]
    fn datagram(&self, socket: u16, source: Endpoint, data: &[u8]) {
        self.inner
            .datagram(socket, source.into(), Bytes::copy_from_slice(data));
    }

    /// A peer connects to a socket by `proto`, `tcp`, `tls`, `ws` or `wss`; handshakes are over, and TLS has
    /// found these facts. The number of the connection; EngineError when it is refused.
    #[pyo3(signature = (proto, socket, source, tls, /))]
    fn connect(
        &self,
        proto: &str,
        socket: u16,
        source: Endpoint,
        tls: Option<Facts>,
    ) -> PyResult<u64> {
        let tls = tls.map(facts).transpose()?;
        let now = self.core.now();
        self.inner
            .connect(self::proto(proto)?, socket, source.into(), tls, now)
            .ok_or_else(|| EngineError::new_err(format!("no {proto} connection is accepted")))
    }

    /// A piece of a stream arrives, or a whole message of WebSocket; False if the connection is gone.
    #[pyo3(signature = (conn, data, /))]
    fn stream(&self, conn: u64, data: &[u8]) -> bool {
        self.inner.stream(conn, &Bytes::copy_from_slice(data))
    }

    /// The peer closes a connection; False if it is gone.
    #[pyo3(signature = (conn, /))]
    fn disconnect(&self, conn: u64) -> bool {
        self.inner.disconnect(conn)
    }

    /// ICMP says that a datagram, which is quoted, did not arrive.
    #[pyo3(signature = (remote, quoted, /))]
    fn unreachable(&self, remote: Endpoint, quoted: &[u8]) {
        self.inner.unreachable(remote.into(), quoted);
    }

    /// Whether connections by `proto` to an address are refused from now on.
    #[pyo3(signature = (proto, remote, refused, /))]
    fn refuse(&self, proto: &str, remote: Endpoint, refused: bool) -> PyResult<()> {
        self.inner
            .refuse(self::proto(proto)?, remote.into(), refused);
        Ok(())
    }

    /// What TLS finds when the engine connects to an address.
    #[pyo3(signature = (remote, tls, /))]
    fn set_tls(&self, remote: Endpoint, tls: Facts) -> PyResult<()> {
        self.inner.set_facts(remote.into(), facts(tls)?);
        Ok(())
    }

    /// Makes names known, by records as zone files write them; ValueError for one that is none.
    #[pyo3(signature = (records, /))]
    fn set_records(&self, records: Vec<String>) -> PyResult<()> {
        let records = records.iter().map(String::as_str);
        self.core
            .dns
            .set_records(records)
            .map_err(PyValueError::new_err)
    }

    /// What the engine did since it was asked last: `("sent" | "opened" | "closed", protocol, its socket, the
    /// peer's address, connection or 0, bytes)`.
    fn take<'py>(&self, py: Python<'py>) -> Vec<Taken<'py>> {
        let row = |what, flow: Flow, bytes: &[u8]| {
            let remote = (flow.remote.ip().to_string(), flow.remote.port());
            let bytes = PyBytes::new(py, bytes);
            let proto = flow.proto.as_str();
            (what, proto, flow.socket, remote, flow.conn, bytes)
        };
        let notes = self.inner.take().into_iter();
        notes
            .map(|note| match note {
                Note::Sent(flow, bytes) => row("sent", flow, &bytes),
                Note::Opened(flow) => row("opened", flow, b""),
                Note::Closed(flow) => row("closed", flow, b""),
            })
            .collect()
    }

    /// Monotonic time in microseconds.
    fn now_us(&self) -> u64 {
        self.core.now_us()
    }

    /// Microseconds since 1970-01-01 UTC.
    fn wall_us(&self) -> u64 {
        self.core.wall_us()
    }

    /// Monotonic time at which the next timer of a transaction runs out, in microseconds; None if none runs.
    fn next_timer_us(&self) -> Option<u64> {
        self.core.next_timeout().map(|ms| ms * 1000)
    }

    /// Turns the clock to that monotonic time; timers wait for `run_timers`.
    #[pyo3(signature = (now_us, /))]
    fn turn_clock(&self, now_us: u64) {
        if let Some(clock) = self.core.clock.as_virtual() {
            clock.turn_to(now_us);
        }
    }

    /// Runs the timers that have run out.
    fn run_timers(&self) {
        self.core.tick();
    }
}

fn proto(name: &str) -> PyResult<Proto> {
    Proto::parse(name.as_bytes())
        .ok_or_else(|| PyValueError::new_err(format!("no transport: {name}")))
}

fn facts((server_name, certificate, verdict): Facts) -> PyResult<TlsFacts> {
    let verdict = match verdict.as_str() {
        "missing" => Verdict::Missing,
        "valid" => Verdict::Valid,
        "revoked" => Verdict::Revoked,
        "expired" => Verdict::Expired,
        "self-signed" => Verdict::SelfSigned,
        "invalid" => Verdict::Invalid,
        other => return Err(PyValueError::new_err(format!("no verdict: {other}"))),
    };
    Ok(TlsFacts {
        server_name,
        certificate: certificate.map(Bytes::from),
        verdict,
    })
}
