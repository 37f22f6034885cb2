//! The engine as the control plane drives it.

use std::net::SocketAddr;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sipwright_engine::config::{EngineConfig, TlsConfig};
use sipwright_engine::dns::{Key, Kind, Target};
use sipwright_engine::engine::Engine as Inner;
use sipwright_engine::net::threads::{self, ThreadInfo};
use sipwright_engine::passed::Times as RouteTimes;
use sipwright_engine::session::Callback;
use sipwright_engine::traffic::BOUNDS_US;
use sipwright_sip::tx::RESPONSE_BOUNDS_MS;

use crate::recording::Recording;
use crate::tls::Endpoint;
use crate::wire::Wire;
use crate::worker::Worker;
use crate::{env, errors, scope, tls};

/// Connection as `(id, proto, remote, local, outbound, state, thread, age_ms)`.
type Connection = (
    u64,
    &'static str,
    String,
    String,
    bool,
    &'static str,
    String,
    u64,
);

/// See [`Engine::traced`].
type Traced<'py> = (
    u64,
    bool,
    u64,
    &'static str,
    Endpoint,
    Endpoint,
    Bound<'py, PyBytes>,
);

/// Messages as `(method or class, received, sent)`.
type Passed = (&'static str, u64, u64);

/// Time spent as `(count, microseconds in all, longest)`.
type Spent = (u64, u64, u64);

/// Time spent in a route as `(name, count, microseconds in all, longest)`.
type SpentInRoute = (String, u64, u64, u64);

/// See [`Engine::traffic`].
type Traffic = (
    Vec<(&'static str, u64)>,
    Vec<(&'static str, [u64; 7])>,
    Vec<(u16, u64)>,
    Vec<(u16, u64)>,
);

/// See [`Engine::times`].
type Times = (Vec<f64>, Vec<u64>, f64);

/// See [`Engine::transactions`].
type TransactionRow = ((u64, u32), [String; 4], u32, bool, usize, u16, u64);

#[allow(
    clippy::cast_precision_loss,
    reason = "times of 285 years would be inexact"
)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// Sockets, TLS threads, timers and transactions of one server.
#[pyclass(frozen, module = "sipwright._engine")]
pub struct Engine {
    inner: Inner,
}

#[pymethods]
impl Engine {
    /// Reads the settings, a JSON object; ConfigError says what is wrong with them.
    #[new]
    #[pyo3(signature = (config, /))]
    fn new(config: &str) -> PyResult<Self> {
        let config = EngineConfig::from_json(config).map_err(errors::config)?;
        crate::prefix::configure(&config.log_prefix).map_err(errors::config)?;
        let inner = Inner::new(config);
        scope::set_core(inner.core());
        Ok(Self { inner })
    }

    /// An engine without sockets and threads, for tests and replays: its clock begins at so
    /// many microseconds since 1970 and is turned by its `wire`, which is its network too.
    #[staticmethod]
    #[pyo3(signature = (config, wall_us, /))]
    fn in_memory(config: &str, wall_us: u64) -> PyResult<Self> {
        let config = EngineConfig::from_json(config).map_err(errors::config)?;
        let inner = Inner::in_memory(config, wall_us);
        scope::set_core(inner.core());
        Ok(Self { inner })
    }

    /// The network of an engine in memory, once it is bound; EngineError for another one.
    fn wire(&self) -> PyResult<Wire> {
        Wire::new(self.inner.core()).ok_or_else(|| {
            errors::EngineError::new_err("this engine is not in memory, or not bound")
        })
    }

    /// Loads certificates and keys and binds every socket; nothing is accepted
    /// yet. BindError names the file or the address.
    fn bind(&self) -> PyResult<()> {
        let env = env::from_config(&self.inner.core().config);
        self.inner.bind(env).map_err(|e| errors::net(&e))
    }

    /// Starts the network, TLS and timer threads, which begin to accept.
    fn start(&self) -> PyResult<()> {
        self.inner.start().map_err(|e| errors::net(&e))
    }

    /// Accepts no further connections.
    fn stop_accepting(&self, py: Python<'_>) {
        py.detach(|| self.inner.stop_accepting());
    }

    /// Waits with the GIL released until what was accepted is done, at most
    /// `timeout_ms`; True when it is.
    #[pyo3(signature = (timeout_ms, /))]
    fn drain(&self, py: Python<'_>, timeout_ms: u64) -> bool {
        py.detach(|| self.inner.drain(Duration::from_millis(timeout_ms)))
    }

    /// Ends the engine's threads with the GIL released and closes its sockets;
    /// `Worker.next` returns None from here on.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| {
            self.inner.stop();
            sipwright_engine::log::flush(Duration::from_millis(500));
        });
    }

    /// The worker of that number, from 1; to be called in its own thread.
    #[pyo3(signature = (index, /))]
    fn worker(&self, index: usize) -> PyResult<Worker> {
        self.inner
            .worker(index)
            .map(Worker::new)
            .map_err(|e| errors::net(&e))
    }

    /// Tells whether the script has `ksr_reply_route` and `ksr_onsend_route`.
    #[pyo3(signature = (reply, onsend, /))]
    fn set_routes(&self, reply: bool, onsend: bool) {
        self.inner.core().set_routes(reply, onsend);
    }

    /// Has a script worker call the method `callback` of the handler with a made-up
    /// message and the name of an event, or a route of one of our modules. Not bounded:
    /// whoever calls it is.
    #[pyo3(signature = (callback, event, /))]
    fn run_event(&self, callback: &str, event: &str) {
        self.inner.core().run_event(Callback::Event {
            name: callback.into(),
            event: event.to_owned().into(),
            required: true,
        });
    }

    /// Listening sockets as `(proto, address, port)`.
    fn sockets(&self) -> Vec<(&'static str, String, u16)> {
        let env = self.inner.core().env();
        env.sockets
            .iter()
            .map(|s| (s.proto.as_str(), s.addr.ip().to_string(), s.addr.port()))
            .collect()
    }

    /// All counters by name.
    fn stats(&self) -> std::collections::BTreeMap<&'static str, u64> {
        let core = self.inner.core();
        let mut all = core.counters().snapshot();
        if let Some(stats) = core.stats() {
            all.extend(stats.snapshot());
        }
        all.extend(core.dns.counters());
        all.push(("dns_cache_entries", core.dns.cached() as u64));
        all.push(("failovers", core.tx_counts().failovers));
        all.push(("transactions", core.transactions() as u64));
        all.push(("queue_length", core.queue.len() as u64));
        all.push(("requests_pending", core.pending.len() as u64));
        all.push(("log_lines_dropped", sipwright_engine::log::dropped()));
        all.into_iter().collect()
    }

    /// What arrived and was answered without a transaction: requests by method, responses by
    /// method and the first digit of their code, responses by code, stateless responses by
    /// code. The method is empty for any other.
    fn traffic(&self) -> Traffic {
        let traffic = &self.inner.core().traffic;
        (
            traffic.requests(),
            traffic.responses(),
            traffic.received_codes(),
            traffic.stateless_codes(),
        )
    }

    /// What transactions count, and how many got which first digit of a final response.
    fn transaction_counts(&self) -> (std::collections::BTreeMap<&'static str, u64>, [u64; 7]) {
        let core = self.inner.core();
        let counts = core.tx_counts();
        let in_work = core.transactions_in_work();
        let waiting = core.transactions().saturating_sub(in_work);
        let named = [
            ("current", core.transactions() as u64),
            ("waiting", waiting as u64),
            ("created", counts.created),
            ("local", counts.local),
            ("freed", counts.freed),
            ("received", counts.received),
            ("generated", counts.generated),
            ("sent", counts.sent),
        ];
        (named.into_iter().collect(), counts.finals)
    }

    /// How long things took, by name: upper bounds of the buckets in seconds, how many fell
    /// into each (one more for the rest), and the sum of all times in seconds.
    fn times(&self) -> std::collections::BTreeMap<&'static str, Times> {
        let core = self.inner.core();
        let mut times = core.traffic.times.snapshot();
        if let Some(net) = core.bound() {
            times.push(("tls_handshake", net.handshake_times().snapshot()));
        }
        let bounds: Vec<f64> = BOUNDS_US.iter().map(|us| seconds(*us)).collect();
        let mut found: std::collections::BTreeMap<_, _> = times
            .into_iter()
            .map(|(name, (buckets, sum))| (name, (bounds.clone(), buckets, seconds(sum))))
            .collect();
        let counts = core.tx_counts();
        let bounds = RESPONSE_BOUNDS_MS.iter().map(|ms| seconds(ms * 1000));
        let sum = seconds(counts.response_sum_ms * 1000);
        let response = (bounds.collect(), counts.response.to_vec(), sum);
        found.insert("response", response);
        found
    }

    /// Transactions, at most `limit`: place and label, then what their requests say, whether
    /// a client sent it, branches, final code, and the milliseconds that are left of their life.
    #[pyo3(signature = (limit, /))]
    fn transactions(&self, limit: usize) -> Vec<TransactionRow> {
        let core = self.inner.core();
        core.transaction_rows(limit)
            .into_iter()
            .map(|row| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (
                    (row.place, row.label),
                    [
                        text(&row.method),
                        text(&row.from),
                        text(&row.to),
                        text(&row.call_id),
                    ],
                    row.cseq,
                    row.by_client,
                    row.branches,
                    row.code,
                    row.left_ms,
                )
            })
            .collect()
    }

    /// What was recorded of calls.
    fn recording(&self) -> Recording {
        Recording::new_from(&self.inner.core().recorder)
    }

    /// Requests by method and responses by class as `(name, received, sent)`, routes as `(name, count,
    /// microseconds in all, longest)`, and the same of waits for a worker.
    fn passed(&self) -> (Vec<Passed>, Vec<Passed>, Vec<SpentInRoute>, Spent) {
        let core = self.inner.core();
        let passed = &core.passed;
        let times = |t: RouteTimes| (t.count, t.total_us, t.longest_us);
        let routes = passed
            .routes()
            .into_iter()
            .map(|(name, t)| (name, t.count, t.total_us, t.longest_us));
        (
            passed.requests(),
            passed.responses(),
            routes.collect(),
            times(core.traffic.times.queue_wait.times()),
        )
    }

    /// Engine threads as `(name, kind, tid, pthread id, turns, busy_ms)`.
    fn threads(&self) -> Vec<(String, &'static str, i32, u64, u64, u64)> {
        let now = self.inner.core().now();
        let row = |t: ThreadInfo| {
            let (turns, busy_ms) = (t.turns(), t.busy_ms(now));
            (t.name, t.kind.as_str(), t.tid, t.pthread, turns, busy_ms)
        };
        threads::list().into_iter().map(row).collect()
    }

    /// Python's control loop has come round, and will again within `limit_ms`, or the
    /// engine logs and counts that the interpreter stands still; 0 ends the watch.
    #[pyo3(signature = (limit_ms, /))]
    fn beat(&self, limit_ms: u64) {
        let core = self.inner.core();
        core.watch.beat(core.now(), limit_ms);
    }

    /// Open connections as `(id, proto, remote, local, outbound, state, thread, age_ms)`.
    fn connections(&self) -> Vec<Connection> {
        let Some(net) = self.inner.core().bound() else {
            return Vec::new();
        };
        let address = |a: std::net::SocketAddr| a.to_string();
        net.conns()
            .into_iter()
            .map(|c| {
                let local = c.local.map_or_else(String::new, address);
                (
                    c.id,
                    c.proto.as_str(),
                    address(c.remote),
                    local,
                    c.outbound,
                    c.state,
                    c.thread,
                    c.age_ms,
                )
            })
            .collect()
    }

    /// Reads certificates, keys and the rest of TLS again; `config` is the part `tls` of
    /// the settings. What the administrator should know of the new profiles; BindError
    /// says why the old ones stay.
    #[pyo3(signature = (config, /))]
    fn reload_tls(&self, py: Python<'_>, config: &str) -> PyResult<Vec<String>> {
        let config = TlsConfig::from_json(config).map_err(errors::config)?;
        py.detach(|| self.inner.reload_tls(&config))
            .map_err(|e| errors::net(&e))
    }

    /// Open TLS connections as `(id, source, local, outbound, state, timeout_ms, queued, thread)`
    /// with `(cipher, version, profile, server_name, verified, resumed, certificate, unverified)`
    /// once the handshake is done: what is to be thought of the peer's certificate, and why.
    fn tls_connections(&self) -> Vec<(tls::Connection, Option<tls::Agreed>)> {
        let Some(net) = self.inner.core().bound() else {
            return Vec::new();
        };
        let of_tls = net.conns().into_iter().filter(|c| c.proto.is_secure());
        of_tls.map(tls::connection).collect()
    }

    /// The certificates of a TLS connection, ours and the peer's, each as `(subject, issuer,
    /// names, serial, not_before, not_after, fingerprint, common_name)` or None when there is none.
    #[pyo3(signature = (conid, /))]
    fn tls_certificates(&self, conid: u64) -> (Option<tls::Certificate>, Option<tls::Certificate>) {
        let net = self.inner.core().bound();
        let Some(info) = net.and_then(|net| net.tls_info(conid)) else {
            return (None, None);
        };
        let own = info
            .profile
            .certificate
            .as_deref()
            .and_then(tls::certificate);
        (
            own,
            info.peer_certificate.as_deref().and_then(tls::certificate),
        )
    }

    /// Flushes and closes a connection; False when there is none of that number.
    #[pyo3(signature = (id, /))]
    fn close_connection(&self, id: u64) -> bool {
        let net = self.inner.core().bound();
        let found = net.filter(|net| net.conn(id).is_some());
        found.inspect(|net| net.close(id)).is_some()
    }

    /// Sends a datagram, such as a keep-alive of four bytes, from the UDP socket of that number; False when it cannot be sent.
    #[pyo3(signature = (socket, ip, port, data, /))]
    fn send_datagram(&self, socket: u16, ip: std::net::IpAddr, port: u16, data: &[u8]) -> bool {
        let flow = sipwright_sip::types::Flow {
            proto: sipwright_sip::types::Proto::Udp,
            remote: std::net::SocketAddr::new(ip, port),
            socket,
            conn: 0,
        };
        let data = bytes::Bytes::copy_from_slice(data);
        let net = self.inner.core().bound();
        net.is_some_and(|net| net.send(&flow, data, None).is_ok())
    }

    /// Workers in a route now, as `(worker, since_ms, route, call_id)`.
    fn busy(&self) -> Vec<(usize, u64, String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.inner
            .busy()
            .into_iter()
            .map(|b| (b.worker, b.for_ms, b.callback, text(b.msg.call_id())))
            .collect()
    }

    /// Routes run by each worker since the start.
    fn done(&self) -> Vec<u64> {
        self.inner.done()
    }

    /// Where a request to a URI would go, as `(proto, address, port)`, best first. Waits
    /// with the GIL released; EngineError says why it would go nowhere.
    #[pyo3(signature = (uri, /))]
    fn locate(&self, py: Python<'_>, uri: &str) -> PyResult<Vec<(&'static str, String, u16)>> {
        let found = py.detach(|| self.inner.core().locate(uri.as_bytes()));
        let targets = found.map_err(|why| errors::EngineError::new_err(why.to_string()))?;
        let shown = |t: Target| (t.proto.as_str(), t.addr.ip().to_string(), t.addr.port());
        Ok(targets.into_iter().map(shown).collect())
    }

    /// The records of a name, as zone files write them, or why there are none. Waits
    /// with the GIL released.
    #[pyo3(signature = (kind, name, /))]
    fn dns_lookup(&self, py: Python<'_>, kind: &str, name: &str) -> PyResult<Vec<String>> {
        let key = key(kind, name)?;
        Ok(py.detach(|| self.inner.core().dns.lookup(&key)).lines())
    }

    /// Cached answers as `(name, type, milliseconds left, records)`.
    fn dns_view(&self) -> Vec<(String, &'static str, u64, Vec<String>)> {
        let all = self.inner.core().dns.dump().into_iter();
        all.map(|(key, records, left)| {
            (
                key.name.to_string(),
                key.kind.as_str(),
                left,
                records.lines(),
            )
        })
        .collect()
    }

    /// Forgets one cached answer; whether there was one.
    #[pyo3(signature = (kind, name, /))]
    fn dns_delete(&self, kind: &str, name: &str) -> PyResult<bool> {
        Ok(self.inner.core().dns.forget(&key(kind, name)?))
    }

    /// Has every message that is received or sent traced, or only those of watched calls.
    #[pyo3(signature = (on, /))]
    fn trace_all(&self, on: bool) {
        self.inner.core().tap.trace_all(on);
    }

    /// Has the messages of a call traced with this key for so many seconds: those with one number of CSeq,
    /// or all. False when too many calls are traced already.
    #[pyo3(signature = (call_id, cseq, key, seconds, /))]
    fn trace_call(&self, call_id: &str, cseq: Option<u32>, key: u64, seconds: u64) -> bool {
        let tap = &self.inner.core().tap;
        tap.watch(call_id.as_bytes(), cseq, key, seconds)
    }

    /// Forgets the traced calls whose time is over, or every one; how many are left.
    #[pyo3(signature = (all, /))]
    fn trace_sweep(&self, all: bool) -> usize {
        let tap = &self.inner.core().tap;
        if all {
            tap.clear();
        }
        tap.sweep()
    }

    /// Messages that were lost to tracing because nobody took those before.
    fn trace_lost(&self) -> u64 {
        self.inner.core().tap.lost.get()
    }

    /// Takes the messages that were traced, and waits at most so long for one: `(key, sent, microseconds
    /// since 1970, protocol, our address, the other's address, bytes)`.
    #[pyo3(signature = (timeout_ms, /))]
    fn traced<'py>(&self, py: Python<'py>, timeout_ms: u64) -> Vec<Traced<'py>> {
        let core = self.inner.core();
        let taken = py.detach(|| core.tap.take(Duration::from_millis(timeout_ms)));
        let endpoint = |a: SocketAddr| (a.ip().to_string(), a.port());
        taken
            .into_iter()
            .map(|t| {
                let ours = core.env().socket(t.flow.socket).map(|s| endpoint(s.addr));
                (
                    t.key,
                    t.sent,
                    t.at,
                    t.flow.proto.as_str(),
                    ours.unwrap_or_default(),
                    endpoint(t.flow.remote),
                    PyBytes::new(py, &t.bytes),
                )
            })
            .collect()
    }

    /// Forgets all cached answers and reads the hosts file again; how many there were.
    fn dns_delete_all(&self) -> usize {
        self.inner.core().dns.forget_all()
    }
}

fn key(kind: &str, name: &str) -> PyResult<Key> {
    Kind::parse(kind)
        .and_then(|kind| Key::new(name, kind))
        .ok_or_else(|| PyValueError::new_err(format!("no query: {kind} {name}")))
}
