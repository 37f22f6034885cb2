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

mod accept;
mod bind;
mod command;
mod conn;
mod icmp;
mod lead;
mod mailbox;
mod memory;
mod pktinfo;
mod reactor;
mod send;
mod service;
mod shared;
mod sleep;
mod stream;
pub(crate) mod sys;
mod table;
pub mod threads;
pub(crate) mod wake;
mod web;
mod worker;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sipwright_sip::tx::TxId;
use sipwright_sip::types::{ConnId, Flow, Proto, SendOptions, SocketId, SocketInfo};

pub use self::command::After;
use self::command::Command;
pub use self::memory::{Note, TlsFacts, Wire};
pub use self::pktinfo::source_for;
pub use self::send::SendError;
use self::shared::{Phase, Shared};
pub use self::sys::{monotonic_ms, process_generation};
use self::table::ConnHandle;
pub use self::table::TlsInfo;
pub use self::worker::{WaitResult, WorkerPort};
use crate::config::{EngineConfig, TlsConfig};
use crate::stats::Stats;
use crate::sync::{OrderedMutex, assert_no_lock_held, rank};
use crate::tls::TlsStore;
use crate::traffic::Histogram;

/// The transaction and branch that wait for what becomes of a sent message.
pub type TxTag = (TxId, u16);

/// How a message is to be sent over a stream.
#[derive(Clone, Copy, Default, Debug)]
pub struct How<'a> {
    /// Host name of the next hop: TLS sends it as SNI and verifies the certificate for it
    /// (RFC 5922). Without one the address counts.
    pub server_name: Option<&'a str>,
    /// What is to become of the connection.
    pub options: SendOptions,
}

/// Where the transport delivers. Called by network threads and by workers inside
/// [`WorkerPort::wait`], with no lock of the transport held; must not block.
pub trait Sink: Send + Sync {
    /// One whole message, as it came.
    fn message(&self, bytes: Bytes, flow: Flow);

    /// One whole HTTP request. Nothing further is read from its connection as messages
    /// until it is answered by [`Net::answer_http`].
    fn http(&self, bytes: Bytes, flow: Flow) {
        let _ = (bytes, flow);
    }

    /// A message that [`Net::send`] accepted could not be sent (RFC 3261 section 18.4).
    fn send_failed(&self, flow: &Flow, tx: Option<TxTag>);

    /// ICMP says that a datagram did not arrive; `quoted` is its beginning, as much
    /// of it as was sent back.
    fn unreachable(&self, remote: SocketAddr, quoted: &[u8]) {
        let _ = (remote, quoted);
    }

    /// A connection is gone; `flow.conn` is never used again.
    fn conn_closed(&self, flow: &Flow) {
        let _ = flow;
    }

    /// The TLS handshake of a connection that we opened is done, and the script is to
    /// decide on it: nothing is written until [`Net::release`].
    fn connection_out(&self, flow: &Flow) {
        let _ = flow;
    }

    /// Whether messages wait too long for workers, although these take them up.
    fn is_lagging(&self) -> bool {
        false
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

/// A connection as `Net::conns` lists it.
#[derive(Clone, Debug)]
pub struct ConnInfo {
    /// Identity.
    pub id: ConnId,
    /// Transport.
    pub proto: Proto,
    /// Our listening socket.
    pub socket: SocketId,
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
    /// Milliseconds until it is closed if nothing happens.
    pub timeout_ms: u64,
    /// What TLS agreed on.
    pub tls: Option<TlsInfo>,
}

/// The transport; clones share it. The last clone that is dropped stops it, but a
/// sink that holds one keeps itself alive until [`Net::stop`].
#[derive(Clone)]
pub struct Net {
    core: Arc<Core>,
}

struct Core {
    shared: Arc<Shared>,
    threads: OrderedMutex<Vec<JoinHandle<()>>>,
}

impl Net {
    /// Loads certificates and binds every socket; nothing is accepted or read yet.
    ///
    /// # Errors
    /// Names the file or the address and what is wrong with it.
    pub fn bind(cfg: &EngineConfig, sink: Arc<dyn Sink>) -> Result<Self, NetError> {
        let tls = TlsStore::load(&cfg.tls)?;
        let (infos, sockets) = bind::bind_all(cfg)?;
        let bound = &infos[..cfg.listen.len()];
        for info in bound.iter().filter(|s| s.proto.is_secure()) {
            if !tls.covers(info.addr) {
                let text = format!("no TLS server profile is for tls:{}", info.addr);
                return Err(NetError::new(text));
            }
        }
        let shared = Arc::new(Shared::new(cfg, infos, sockets, tls, sink)?);
        let threads = OrderedMutex::new(rank::LIFECYCLE, Vec::new());
        Ok(Self {
            core: Arc::new(Core { shared, threads }),
        })
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.core.shared
    }

    /// Starts the network threads, which begin to accept. Once only.
    ///
    /// # Errors
    /// A thread could not be started, or the transport has run already.
    pub fn start(&self) -> Result<(), NetError> {
        if !self.shared().advance(Phase::Running) {
            return Err(NetError::new("the transport was started before"));
        }
        let threads = service::start(self.shared())?;
        *self.core.threads.lock() = threads;
        Ok(())
    }

    /// Accepts no further connection; those that are open go on.
    pub fn stop_accepting(&self) {
        if self.shared().advance(Phase::NotAccepting) {
            self.shared().wake_everyone();
        }
    }

    /// Waits until no byte waits to be written, at most `limit`; whether it is so.
    #[must_use]
    pub fn drain(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            if self.shared().table.all().iter().all(|c| c.waiting() == 0) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Closes every connection, ends and joins the threads, within 2 s. Workers
    /// inside [`WorkerPort::wait`] return with `stopped`. Idempotent. Not from
    /// inside a [`Sink`] call.
    pub fn stop(&self) {
        self.core.stop();
    }

    /// The listening sockets; the index is the `SocketId`.
    #[must_use]
    pub fn sockets(&self) -> &[SocketInfo] {
        &self.shared().infos
    }

    /// Has a connection also be found for another port of its peer (RFC 5923); false if it
    /// is gone, or if another connection is there for that port.
    #[must_use]
    pub fn add_alias(&self, conn: ConnId, port: u16) -> bool {
        self.shared().alive() && self.shared().table.add_alias(conn, port)
    }

    /// Flushes and closes a connection.
    pub fn close(&self, conn: ConnId) {
        if !self.shared().alive() {
            return;
        }
        if let Some(handle) = self.shared().table.get(conn) {
            self.tell_owner(&handle, Command::Close(conn));
        }
    }

    /// What the script decided on a connection of [`Sink::connection_out`]: it may be
    /// used, or it is closed, and what waits in it has failed.
    pub fn release(&self, conn: ConnId, may_send: bool) {
        if !self.shared().alive() {
            return;
        }
        if let Some(handle) = self.shared().table.get(conn) {
            self.tell_owner(&handle, Command::Release(conn, may_send));
        }
    }

    /// Takes the port of worker `index` (0 to `workers - 1`); it is free again once
    /// dropped. Worker threads take theirs before [`Net::start`].
    ///
    /// # Errors
    /// No such worker, or its port is taken.
    pub fn worker(&self, index: usize) -> Result<WorkerPort, NetError> {
        WorkerPort::new(self.shared(), index)
    }

    /// Wakes one worker that sleeps, if any does; at most one system call. To be
    /// called after a job was queued; see [`Sink::jobs_pending`].
    pub fn wake_worker(&self) -> bool {
        self.shared().alive() && self.shared().wake_worker()
    }

    /// Has some worker woken in a millisecond, for jobs that still wait then.
    pub fn nudge_worker(&self) {
        if self.shared().alive() && self.shared().memory.is_none() {
            self.shared().nudge.call(sys::monotonic_us());
        }
    }

    /// Wakes every worker.
    pub fn wake_all_workers(&self) {
        if self.shared().alive() {
            for mailbox in &self.shared().mailboxes[self.shared().net_threads..] {
                mailbox.waker().wake();
            }
        }
    }

    /// Wakes every thread that serves sockets, workers included.
    pub fn wake_all(&self) {
        if self.shared().alive() {
            for mailbox in &self.shared().mailboxes {
                mailbox.waker().wake();
            }
        }
    }

    /// Workers inside [`WorkerPort::wait`] now.
    #[must_use]
    pub fn workers_waiting(&self) -> usize {
        self.shared().presence.inside()
    }

    /// All connections.
    #[must_use]
    pub fn conns(&self) -> Vec<ConnInfo> {
        if !self.shared().is_own_process() {
            return Vec::new();
        }
        let now = monotonic_ms();
        let all = self.shared().table.all();
        all.iter()
            .map(|handle| self.describe(handle, now))
            .collect()
    }

    /// One connection.
    #[must_use]
    pub fn conn(&self, id: ConnId) -> Option<ConnInfo> {
        let handle = self
            .shared()
            .alive()
            .then(|| self.shared().table.get(id))??;
        Some(self.describe(&handle, monotonic_ms()))
    }

    fn describe(&self, handle: &ConnHandle, now: u64) -> ConnInfo {
        ConnInfo {
            id: handle.id,
            proto: handle.proto(),
            socket: handle.socket(),
            remote: handle.remote,
            local: handle.local.get().copied(),
            outbound: handle.outbound,
            state: handle.state().as_str(),
            thread: self.shared().mailboxes[handle.owner()].name.clone(),
            queued: handle.waiting(),
            age_ms: now.saturating_sub(handle.born),
            timeout_ms: handle.deadline.load(Ordering::Relaxed).saturating_sub(now),
            tls: handle.tls.get().cloned(),
        }
    }

    /// What TLS agreed on in a connection.
    #[must_use]
    pub fn tls_info(&self, id: ConnId) -> Option<TlsInfo> {
        let handle = self
            .shared()
            .alive()
            .then(|| self.shared().table.get(id))??;
        handle.tls.get().cloned()
    }

    /// Reads certificates and keys again; connections that are open keep theirs.
    ///
    /// # Errors
    /// Names the file and the problem; the profiles in use stay.
    pub fn reload_tls(&self, cfg: &TlsConfig) -> Result<(), NetError> {
        self.shared().tls.reload(cfg)
    }

    /// What the administrator should know of the TLS profiles in use, such as
    /// that one verifies nothing.
    #[must_use]
    pub fn tls_warnings(&self) -> Vec<String> {
        self.shared().tls.warnings()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.shared().stats
    }

    /// How long TLS handshakes took.
    #[must_use]
    pub fn handshake_times(&self) -> &Histogram {
        &self.shared().handshake_times
    }
}

impl Core {
    fn stop(&self) {
        // A forked child has neither the threads nor a right to the sockets.
        if !self.shared.is_own_process() {
            return;
        }
        self.shared.advance(Phase::Stopped);
        self.shared.wake_everyone();
        let threads = std::mem::take(&mut *self.threads.lock());
        assert_no_lock_held("joining threads");
        for thread in threads {
            // A sink that stops its own transport would wait for itself.
            if thread.thread().id() != thread::current().id() {
                // Panics were caught and counted inside.
                let _ = thread.join();
            }
        }
        self.shared.release();
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.stop();
    }
}
