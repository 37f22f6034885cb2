//! What every thread of the transport shares.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use sipwright_sip::types::{Proto, SocketId, SocketInfo};

use super::accept::Shortage;
use super::command::Command;
use super::lead::{Lead, Nudge};
use super::mailbox::Mailbox;
use super::memory::Memory;
use super::sleep::Sleepers;
use super::sys::{self, EdgeFd, TimerFd};
use super::table::ConnTable;
use super::{NetError, Sink};
use crate::config::{EngineConfig, TlsMode};
use crate::stats::Stats;
use crate::sync::{OrderedMutex, rank};
use crate::tls::{FailureLog, TlsStore};
use crate::traffic::Histogram;

/// Life of the transport; it only goes forward.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Phase {
    /// Sockets are bound.
    Bound,
    /// Threads run and accept.
    Running,
    /// Threads run, listeners are closed to newcomers.
    NotAccepting,
    /// Threads end.
    Stopped,
}

/// The bound sockets, by `SocketId`.
#[derive(Default)]
pub struct Sockets {
    /// UDP sockets.
    pub udp: Vec<Option<UdpSocket>>,
    /// TCP listeners, also for TLS.
    pub tcp: Vec<Option<TcpListener>>,
}

/// Which workers wait, and whether the relief reader must look after them.
#[derive(Default)]
pub struct Presence {
    inside: AtomicUsize,
    passes: AtomicU64,
    armed: AtomicBool,
}

impl Presence {
    /// A worker begins to wait.
    pub fn enter(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
    }

    /// A worker goes to its script; true if the relief reader must be woken to watch.
    pub fn leave(&self) -> bool {
        self.passes.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_sub(1, Ordering::SeqCst) == 1 && self.arm()
    }

    /// Workers that wait now.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    /// How often a worker has left its wait.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::SeqCst)
    }

    /// Has the relief reader watch; false if it does already.
    pub fn arm(&self) -> bool {
        !self.armed.swap(true, Ordering::SeqCst)
    }

    /// Whether it is to watch.
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    /// Ends the watch while a worker waits; false if the last one has just left.
    pub fn disarm(&self) -> bool {
        self.armed.store(false, Ordering::SeqCst);
        self.inside() > 0 || !self.arm()
    }
}

/// One instance for each [`super::Net`].
pub struct Shared {
    /// Limits, timeouts and the rest.
    pub cfg: EngineConfig,
    /// The listening sockets as others see them.
    pub infos: Vec<SocketInfo>,
    /// Every connection.
    pub table: ConnTable,
    /// Certificates and keys.
    pub tls: TlsStore,
    /// Network threads first, then workers.
    pub mailboxes: Vec<Mailbox<Command, EdgeFd>>,
    /// How many of them are network threads.
    pub net_threads: usize,
    /// Which workers sleep and may be woken for a job.
    pub sleepers: Sleepers,
    /// Who waits.
    pub presence: Presence,
    /// TLS handshakes of incoming connections in progress.
    pub handshakes: AtomicUsize,
    /// Lines about handshakes that failed.
    pub tls_failures: FailureLog,
    /// Whether connections wait to be accepted.
    pub shortage: Shortage,
    /// Counters.
    pub stats: Stats,
    /// How long TLS handshakes took that were completed.
    pub handshake_times: Histogram,
    sockets: OrderedMutex<Arc<Sockets>>,
    sink: OrderedMutex<Option<Arc<dyn Sink>>>,
    phase: AtomicU8,
    generation: u32,
    /// Calls a worker for jobs that wait too long.
    pub nudge: Nudge<TimerFd>,
    /// Who reads UDP.
    pub lead: Lead,
    /// What stands in for sockets and reactors where there are none.
    pub memory: Option<Memory>,
}

impl Shared {
    /// Puts everything together; nothing runs yet.
    pub fn new(
        cfg: &EngineConfig,
        infos: Vec<SocketInfo>,
        sockets: Sockets,
        tls: TlsStore,
        sink: Arc<dyn Sink>,
    ) -> Result<Self, NetError> {
        let net_threads = thread_count(cfg);
        let workers = usize::from(cfg.workers);
        let role = if does_tls(cfg) { "sw-tls" } else { "sw-net" };
        let names = (0..net_threads).map(|i| format!("{role}-{i}"));
        let names = names.chain((0..workers).map(|i| format!("worker-{i}")));
        let mailboxes: io::Result<Vec<_>> = names
            .map(|name| Ok(Mailbox::new(name, EdgeFd::new()?)))
            .collect();
        let limits = &cfg.limits;
        Ok(Self {
            cfg: cfg.clone(),
            infos,
            table: ConnTable::new(limits.connections, limits.connections_per_source),
            tls,
            mailboxes: mailboxes.map_err(|e| NetError::new(format!("eventfd: {e}")))?,
            net_threads,
            sleepers: Sleepers::new(workers),
            presence: Presence::default(),
            handshakes: AtomicUsize::new(0),
            tls_failures: FailureLog::default(),
            shortage: Shortage::default(),
            stats: Stats::default(),
            handshake_times: Histogram::default(),
            sockets: OrderedMutex::new(rank::SOCKETS, Arc::new(sockets)),
            sink: OrderedMutex::new(rank::LIFECYCLE, Some(sink)),
            phase: AtomicU8::new(Phase::Bound as u8),
            generation: sys::process_generation(),
            nudge: Nudge::new(TimerFd::new().map_err(|e| NetError::new(format!("timerfd: {e}")))?),
            lead: Lead::default(),
            memory: None,
        })
    }

    /// Where the transport is in its life.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Bound,
            1 => Phase::Running,
            2 => Phase::NotAccepting,
            _ => Phase::Stopped,
        }
    }

    /// Goes forward to `next`; false if it is there or beyond.
    pub fn advance(&self, next: Phase) -> bool {
        self.phase.fetch_max(next as u8, Ordering::SeqCst) < next as u8
    }

    /// Whether sockets may be used: not stopped, and not a forked child, which
    /// shares the parent's epoll instances and connections.
    pub fn alive(&self) -> bool {
        self.is_own_process() && self.phase() < Phase::Stopped
    }

    /// False in a forked child.
    pub fn is_own_process(&self) -> bool {
        self.generation == sys::process_generation()
    }

    /// The sockets; empty once stopped.
    pub fn sockets(&self) -> Arc<Sockets> {
        Arc::clone(&self.sockets.lock())
    }

    /// Where messages go; `None` once stopped.
    pub fn sink(&self) -> Option<Arc<dyn Sink>> {
        self.sink.lock().clone()
    }

    /// Lets go of the sockets and of the sink, which may well hold this transport.
    pub fn release(&self) {
        // Taken under the locks, dropped after them: dropping closes and may stop.
        let sockets = std::mem::take(&mut *self.sockets.lock());
        let sink = self.sink.lock().take();
        drop((sockets, sink));
    }

    /// Reactor for a connection: the least loaded of those that may have it.
    /// `done` says whether its TLS handshake is over; `prefer` wins ties.
    pub fn place(&self, proto: Proto, done: bool, prefer: usize) -> usize {
        let to_worker = proto.is_secure()
            && match self.cfg.tls.threads_mode {
                TlsMode::Inline => true,
                TlsMode::Handshake => done,
                TlsMode::Full => false,
            };
        let workers = self.net_threads..self.mailboxes.len();
        let found = if to_worker {
            self.least_loaded(workers, prefer)
        } else {
            None
        };
        found
            .or_else(|| self.least_loaded(0..self.net_threads, prefer))
            .unwrap_or(0)
    }

    /// Counts a connection that reactor `owner` is to serve.
    pub fn count_new(&self, owner: usize) {
        self.mailboxes[owner].load.fetch_add(1, Ordering::Relaxed);
        self.stats.connections_open.inc();
    }

    /// Takes back what [`Shared::count_new`] counted.
    pub fn count_gone(&self, owner: usize) {
        self.mailboxes[owner].load.fetch_sub(1, Ordering::Relaxed);
        self.stats.connections_open.dec();
        self.stats.connections_closed.inc();
    }

    fn least_loaded(&self, range: std::ops::Range<usize>, prefer: usize) -> Option<usize> {
        let load = |i: &usize| {
            (
                self.mailboxes[*i].load.load(Ordering::Relaxed),
                *i != prefer,
            )
        };
        range
            .filter(|i| self.mailboxes[*i].is_open())
            .min_by_key(load)
    }

    /// First socket of that protocol and address family, `wanted` before others.
    pub fn socket_for(
        &self,
        proto: Proto,
        remote: &SocketAddr,
        wanted: SocketId,
    ) -> Option<&SocketInfo> {
        let fits = |s: &&SocketInfo| s.proto == proto && s.addr.is_ipv4() == remote.is_ipv4();
        self.infos
            .get(usize::from(wanted))
            .filter(fits)
            .or_else(|| self.infos.iter().find(fits))
    }

    /// Index of the socket that is really bound, and, if it is bound to the wildcard
    /// address, the address that `info` stands for.
    pub fn bound(&self, info: &SocketInfo) -> (usize, Option<IpAddr>) {
        let index = usize::from(info.id);
        let count = self.cfg.listen.len();
        if index < count {
            return (index, None);
        }
        let same = |s: &SocketInfo| {
            s.proto == info.proto
                && s.addr.ip().is_unspecified()
                && s.addr.is_ipv4() == info.addr.is_ipv4()
                && s.addr.port() == info.addr.port()
        };
        let bound = self.infos[..count].iter().position(same);
        (bound.unwrap_or(0), Some(info.addr.ip()))
    }

    /// Whether a socket is bound to the wildcard address.
    pub fn is_wild(&self, bound: usize) -> bool {
        self.infos
            .get(bound)
            .is_some_and(|s| s.addr.ip().is_unspecified())
    }

    /// The socket that stands for one of the addresses of a bound one; the bound one
    /// itself where there is none, such as for an address that came after the start.
    pub fn face(&self, bound: usize, local: Option<IpAddr>) -> SocketId {
        let own = SocketId::try_from(bound).unwrap_or(0);
        let (true, Some(local)) = (self.is_wild(bound), local) else {
            return own;
        };
        let info = &self.infos[bound];
        let face = self.infos[self.cfg.listen.len()..].iter().find(|s| {
            s.proto == info.proto
                && s.addr.port() == info.addr.port()
                && s.addr.ip() == local.to_canonical()
        });
        face.map_or(own, |s| s.id)
    }

    /// The socket that stands for WebSocket on one of the sockets.
    pub fn websocket_face(&self, socket: SocketId) -> Option<SocketId> {
        let info = self.infos.get(usize::from(socket))?;
        let proto = if info.proto.is_secure() {
            Proto::Wss
        } else {
            Proto::Ws
        };
        let same = |s: &&SocketInfo| {
            s.proto == proto && s.addr == info.addr && s.advertise == info.advertise
        };
        self.infos.iter().find(same).map(|s| s.id)
    }

    /// Whether a socket is for HTTP and WebSocket only.
    pub fn is_web_only(&self, socket: SocketId) -> bool {
        let info = self.infos.get(usize::from(socket));
        info.is_some_and(|s| matches!(s.proto, Proto::Ws | Proto::Wss))
    }

    /// Wakes one sleeping worker; false if none sleeps.
    pub fn wake_worker(&self) -> bool {
        self.sleepers
            .wake_one(|worker| self.mailboxes[self.net_threads + worker].waker().wake())
    }

    /// Wakes every reactor.
    pub fn wake_everyone(&self) {
        for mailbox in &self.mailboxes {
            mailbox.waker().wake();
        }
    }
}

fn thread_count(cfg: &EngineConfig) -> usize {
    match cfg.tls.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => usize::from(n),
    }
}

/// Whether network threads do TLS, which gives them their name and kind.
pub fn does_tls(cfg: &EngineConfig) -> bool {
    cfg.tls.threads_mode != TlsMode::Inline && cfg.listen.iter().any(|l| l.proto.is_secure())
}

/// Counts an incoming TLS handshake while it lasts.
pub struct HandshakeSlot(Arc<Shared>);

impl HandshakeSlot {
    /// `None` if too many are in progress.
    pub fn take(shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.handshakes.fetch_add(1, Ordering::Relaxed);
        shared.stats.handshakes_pending.inc();
        let slot = Self(Arc::clone(shared));
        (before < shared.cfg.limits.handshakes).then_some(slot)
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
        self.0.stats.handshakes_pending.dec();
    }
}
