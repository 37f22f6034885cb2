//! Sockets, connections and the threads that serve them.
//!
//! ```text
//! sw-net-N / sw-tls-N (M threads)          script worker (N threads, GIL released)
//!   Reactor: listeners, connections          WorkerPort = Reactor: UDP sockets,
//!            relief reader (thread 0)                     job wake-ups, connections (modes 0, 1)
//!              \                                  /
//!               ConnTable, Mailboxes (short locks, see docs/explain/concurrency.md)
//! ```
//!
//! Every connection belongs to one reactor at a time, which alone touches its
//! socket and its TLS state. Anyone may queue bytes for it ([`Net::send`]).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sipwright_sip::types::{ConnId, Flow, Proto, SocketInfo};

use crate::config::EngineConfig;
use crate::stats::Stats;

/// A transaction, until the transaction layer exports its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TxId {
    /// Shard.
    pub shard: u8,
    /// Slot.
    pub slot: u32,
    /// Generation.
    pub generation: u32,
}

/// The transaction and branch that wait for what becomes of a sent message.
pub type TxTag = (TxId, u16);

/// Where the transport delivers. Called by network threads and by workers inside
/// [`WorkerPort::wait`], with no lock of the transport held; must not block.
pub trait Sink: Send + Sync {
    /// One whole message, as it came.
    fn message(&self, bytes: Bytes, flow: Flow);

    /// A message that [`Net::send`] accepted could not be sent (RFC 3261 section 18.4).
    fn send_failed(&self, flow: &Flow, tx: Option<TxTag>);

    /// A connection is gone; `flow.conn` is never used again.
    fn conn_closed(&self, flow: &Flow) {
        let _ = flow;
    }

    /// Whether jobs wait. Asked by a worker after it has been marked as waiting
    /// and before it sleeps, so that no wake-up is lost (see [`Net::wake_worker`]).
    fn jobs_pending(&self) -> bool {
        false
    }
}

/// Why nothing could be bound or started; `Display` names the address or file.
#[derive(Debug)]
pub struct NetError(String);

impl NetError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NetError {}

/// Why a message was refused at once; nothing of it is or will be sent, and
/// [`Sink::send_failed`] is not called.
#[derive(Debug)]
pub enum SendError {
    /// The engine is stopped, or this is a forked child.
    Stopped,
    /// No listening socket of that protocol and address family.
    NoSocket,
    /// There is no connection, and none can be opened to there.
    NoConnection,
    /// Too many bytes wait in the connection already.
    Full,
    /// Too many connections.
    TooManyConnections,
    /// The kernel refused the datagram.
    Io(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the engine is stopped"),
            Self::NoSocket => f.write_str("no listening socket of that protocol and address family"),
            Self::NoConnection => f.write_str("no connection"),
            Self::Full => f.write_str("the write buffer of the connection is full"),
            Self::TooManyConnections => f.write_str("too many connections"),
            Self::Io(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

/// A connection as `Net::conns` lists it.
#[derive(Clone, Debug)]
pub struct ConnInfo {
    /// Identity.
    pub id: ConnId,
    /// Transport.
    pub proto: Proto,
    /// The other side.
    pub remote: SocketAddr,
    /// Our side, once it is known.
    pub local: Option<SocketAddr>,
    /// Whether we opened it.
    pub outbound: bool,
    /// `connecting`, `handshake`, `open` or `closing`.
    pub state: &'static str,
    /// Name of the thread that serves it, such as `sw-tls-0` or `worker-1`.
    pub thread: String,
    /// Bytes that wait to be written.
    pub queued: usize,
    /// Age in milliseconds.
    pub age_ms: u64,
}

/// The transport; clones share it.
#[derive(Clone)]
pub struct Net {}

impl Net {
    /// Loads certificates and binds every socket; nothing is accepted or read yet.
    ///
    /// # Errors
    /// Names the file or the address and what is wrong with it.
    pub fn bind(cfg: &EngineConfig, sink: Arc<dyn Sink>) -> Result<Self, NetError> {
        let _ = (cfg, sink);
        todo!()
    }

    /// Starts the network threads, which begin to accept.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(&self) -> Result<(), NetError> {
        todo!()
    }

    /// Accepts no further connection; those that are open go on.
    pub fn stop_accepting(&self) {
        todo!()
    }

    /// Waits until no byte waits to be written, at most `limit`; whether it is so.
    pub fn drain(&self, limit: Duration) -> bool {
        let _ = limit;
        todo!()
    }

    /// Closes every connection, ends and joins the threads, within 2 s. Workers
    /// inside [`WorkerPort::wait`] return with `stopped`. Idempotent. Not from
    /// inside a [`Sink`] call.
    pub fn stop(&self) {
        todo!()
    }

    /// The listening sockets; the index is the `SocketId`.
    #[must_use]
    pub fn sockets(&self) -> &[SocketInfo] {
        todo!()
    }

    /// Sends `bytes` along `flow`; never blocks. UDP leaves at once. A stream
    /// takes the connection `flow.conn`, else one to `flow.remote`, else opens one.
    ///
    /// # Errors
    /// See [`SendError`]; later failures are reported by [`Sink::send_failed`].
    pub fn send(&self, flow: &Flow, bytes: Bytes, tx: Option<TxTag>) -> Result<(), SendError> {
        self.send_named(flow, bytes, tx, None)
    }

    /// As [`Net::send`], with the host name of the next hop: TLS sends it as SNI
    /// and verifies the certificate for it (RFC 5922). Without one the address counts.
    ///
    /// # Errors
    /// As [`Net::send`].
    pub fn send_named(
        &self,
        flow: &Flow,
        bytes: Bytes,
        tx: Option<TxTag>,
        server_name: Option<&str>,
    ) -> Result<(), SendError> {
        let _ = (flow, bytes, tx, server_name);
        todo!()
    }

    /// Flushes and closes a connection.
    pub fn close(&self, conn: ConnId) {
        let _ = conn;
        todo!()
    }

    /// Takes the port of worker `index` (0 to `workers - 1`).
    ///
    /// # Errors
    /// No such worker, or its port is taken.
    pub fn worker(&self, index: usize) -> Result<WorkerPort, NetError> {
        let _ = index;
        todo!()
    }

    /// Wakes one worker that waits, if any does; at most one system call.
    pub fn wake_worker(&self) -> bool {
        todo!()
    }

    /// Wakes every worker.
    pub fn wake_all_workers(&self) {
        todo!()
    }

    /// Workers inside [`WorkerPort::wait`] now.
    #[must_use]
    pub fn workers_waiting(&self) -> usize {
        todo!()
    }

    /// All connections.
    #[must_use]
    pub fn conns(&self) -> Vec<ConnInfo> {
        todo!()
    }

    /// Reads certificates and keys again; connections that are open keep theirs.
    ///
    /// # Errors
    /// Names the file and the problem; the profiles in use stay.
    pub fn reload_tls(&self, cfg: &EngineConfig) -> Result<(), NetError> {
        let _ = cfg;
        todo!()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        todo!()
    }
}

/// Why [`WorkerPort::wait`] returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WaitResult {
    /// Messages given to the sink.
    pub messages: usize,
    /// Somebody woke this worker, or jobs were waiting.
    pub woken: bool,
    /// The engine stops, or this is a forked child: do not wait again.
    pub stopped: bool,
}

/// A script worker's share of the sockets. One thread at a time.
pub struct WorkerPort {}

impl WorkerPort {
    /// Waits for messages, jobs or the end, at most `timeout` (`None`: no limit),
    /// and serves what came. To be called without the GIL.
    pub fn wait(&mut self, timeout: Option<Duration>) -> WaitResult {
        let _ = timeout;
        todo!()
    }
}
