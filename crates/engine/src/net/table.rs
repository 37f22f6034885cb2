//! Every connection of the process: who owns it, how to find it, what waits in it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sipwright_sip::types::{ConnId, Flow, Millis, Proto, SocketId};

use super::TxTag;
use crate::sync::{OrderedMutex, rank};
use crate::tls::{Identity, Verdict};

/// Bytes to write, and who wants to know if they cannot be.
#[derive(Debug)]
pub struct OutItem {
    /// One message, or a keep-alive.
    pub bytes: Bytes,
    /// For [`super::Sink::send_failed`].
    pub tx: Option<TxTag>,
    /// False for keep-alives, which are neither counted nor reported.
    pub message: bool,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ConnState {
    /// Our connect has not been answered.
    Connecting,
    /// TLS handshake.
    Handshake,
    /// Messages flow.
    Open,
    /// Nothing is accepted for it any more.
    Closing,
}

impl ConnState {
    /// Lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Handshake => "handshake",
            Self::Open => "open",
            Self::Closing => "closing",
        }
    }
}

/// What TLS agreed on, for `tls.*` variables and listings.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// Such as `TLSv1.3`.
    pub version: &'static str,
    /// Such as `TLS_AES_256_GCM_SHA384`, as OpenSSL names it.
    pub cipher: &'static str,
    /// Bits of the cipher's key.
    pub cipher_bits: u16,
    /// Server name that the client asked for.
    pub server_name: Option<String>,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// The other side's certificate, DER.
    pub peer_certificate: Option<Bytes>,
    /// What is to be thought of it, even if the profile does not insist on anything.
    pub verdict: Verdict,
    /// Why it was found to be bad.
    pub problem: Option<Arc<str>>,
    /// The profile: our certificate and where it was configured.
    pub profile: Arc<Identity>,
}

impl TlsInfo {
    /// Why the other side's certificate is not verified; `None` when it is.
    #[must_use]
    pub fn unverified(&self) -> Option<String> {
        let asks = self.profile.verifies();
        Some(match self.verdict {
            Verdict::Valid => return None,
            Verdict::Missing if asks => "it showed none".to_owned(),
            Verdict::Missing => "the profile asks for none".to_owned(),
            _ if !asks => "the profile verifies none".to_owned(),
            _ => self.problem.as_deref().unwrap_or_default().to_owned(),
        })
    }
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<OutItem>,
    closed: bool,
}

/// Why [`ConnHandle::push`] refused.
pub enum PushError {
    /// The bound on waiting bytes is reached.
    Full,
    /// The connection closes; try another.
    Closed,
}

/// The shared face of a connection. Its socket is its reactor's alone.
#[derive(Debug)]
pub struct ConnHandle {
    /// Never used twice.
    pub id: ConnId,
    /// TCP or TLS, which WebSocket runs on too.
    pub carrier: Proto,
    /// The other side.
    pub remote: SocketAddr,
    /// Our listening socket, or the one we connect on behalf of.
    carrier_socket: SocketId,
    /// The socket that stands for WebSocket on it, once it has been upgraded.
    websocket: OnceLock<SocketId>,
    /// Whether we open it.
    pub outbound: bool,
    /// Name that its certificate must be for, if we open it.
    pub server_name: Option<String>,
    /// The TLS profile that the script chose for it (Kamailio `server_id`).
    pub server_id: Option<String>,
    /// When it came into being.
    pub born: Millis,
    /// Our side, once known.
    pub local: OnceLock<SocketAddr>,
    /// Set when the handshake is done.
    pub tls: OnceLock<TlsInfo>,
    /// When its owner must look at it: for listings.
    pub deadline: AtomicU64,
    owner: AtomicUsize,
    state: AtomicU8,
    waiting: AtomicUsize,
    notified: AtomicBool,
    closes: AtomicBool,
    queue: OrderedMutex<Queue>,
}

impl ConnHandle {
    /// Transport of what it carries.
    pub fn proto(&self) -> Proto {
        match (self.is_websocket(), self.carrier) {
            (false, carrier) => carrier,
            (true, Proto::Tls) => Proto::Wss,
            (true, _) => Proto::Ws,
        }
    }

    /// Whether it was upgraded (RFC 6455).
    pub fn is_websocket(&self) -> bool {
        self.websocket.get().is_some()
    }

    /// Our socket for what it carries.
    pub fn socket(&self) -> SocketId {
        self.websocket.get().copied().unwrap_or(self.carrier_socket)
    }

    /// The path of what it carries.
    pub fn flow(&self) -> Flow {
        Flow {
            proto: self.proto(),
            socket: self.socket(),
            remote: self.remote,
            conn: self.id,
        }
    }

    /// Index of the mailbox of the reactor that owns it.
    pub fn owner(&self) -> usize {
        self.owner.load(Ordering::Acquire)
    }

    /// Names the next owner, before it is told.
    pub fn set_owner(&self, owner: usize) {
        self.owner.store(owner, Ordering::Release);
    }

    /// Where it is in its life.
    pub fn state(&self) -> ConnState {
        match self.state.load(Ordering::Acquire) {
            0 => ConnState::Connecting,
            1 => ConnState::Handshake,
            2 => ConnState::Open,
            _ => ConnState::Closing,
        }
    }

    /// Notes where it is.
    pub fn set_state(&self, state: ConnState) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// Bytes accepted and not yet given to the kernel.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Notes bytes that the owner queued itself.
    pub fn waiting_more(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes bytes that are gone.
    pub fn waiting_less(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Queues bytes; true if the owner must be told, which then is the caller's duty.
    pub fn push(&self, item: OutItem, bound: usize) -> Result<bool, PushError> {
        let len = item.bytes.len();
        let before = self.waiting.fetch_add(len, Ordering::Relaxed);
        if before > 0 && before + len > bound {
            self.waiting_less(len);
            return Err(PushError::Full);
        }
        {
            let mut queue = self.queue.lock();
            if queue.closed {
                drop(queue);
                self.waiting_less(len);
                return Err(PushError::Closed);
            }
            queue.items.push_back(item);
        }
        Ok(!self.notified.swap(true, Ordering::AcqRel))
    }

    /// It is to be closed once what waits is written.
    pub fn close_when_sent(&self) {
        self.closes.store(true, Ordering::Release);
    }

    /// Whether [`ConnHandle::close_when_sent`] was called.
    pub fn closes_when_sent(&self) -> bool {
        self.closes.load(Ordering::Acquire)
    }

    /// Everything queued; by the owner. A later push tells the owner again.
    pub fn take(&self) -> VecDeque<OutItem> {
        self.notified.swap(false, Ordering::AcqRel);
        std::mem::take(&mut self.queue.lock().items)
    }

    /// Refuses further bytes; what was queued, by the owner.
    pub fn shut(&self) -> VecDeque<OutItem> {
        self.set_state(ConnState::Closing);
        let mut queue = self.queue.lock();
        queue.closed = true;
        std::mem::take(&mut queue.items)
    }
}

/// What a new connection is.
pub struct NewConn {
    /// Transport.
    pub proto: Proto,
    /// The other side.
    pub remote: SocketAddr,
    /// Our socket.
    pub socket: SocketId,
    /// Whether we open it.
    pub outbound: bool,
    /// Host name of the other side, if we open it and know it.
    pub server_name: Option<String>,
    /// TLS profile that the script chose, if we open it.
    pub server_id: Option<String>,
    /// First owner.
    pub owner: usize,
    /// First state.
    pub state: ConnState,
    /// Now.
    pub born: Millis,
}

/// Why there is no room for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Too many in all.
    Max,
    /// Too many from its source.
    PerSource,
}

#[derive(Default)]
struct Maps {
    by_id: HashMap<ConnId, Arc<ConnHandle>>,
    by_remote: HashMap<(Proto, SocketAddr), Arc<ConnHandle>>,
    per_source: HashMap<IpAddr, usize>,
    /// Further ports of the peers by which connections are found.
    aliases: HashMap<ConnId, Vec<u16>>,
}

impl Maps {
    /// A connection by the address of its peer. `transport=ws` is said of WebSocket with and
    /// without TLS (RFC 7118 section 5), so either will do.
    fn by_address(&self, proto: Proto, remote: SocketAddr) -> Option<&Arc<ConnHandle>> {
        let found = self.by_remote.get(&(proto, remote));
        found.or_else(|| match proto {
            Proto::Ws => self.by_remote.get(&(Proto::Wss, remote)),
            Proto::Wss => self.by_remote.get(&(Proto::Ws, remote)),
            _ => None,
        })
    }
}

/// Aliases that one connection may have.
const MAX_ALIASES: usize = 12;

/// The table; one short lock.
pub struct ConnTable {
    maps: OrderedMutex<Maps>,
    next_id: AtomicU64,
    max: usize,
    max_per_source: usize,
}

impl ConnTable {
    /// An empty table with these bounds.
    pub fn new(max: usize, max_per_source: usize) -> Self {
        let maps = OrderedMutex::new(rank::CONNECTIONS, Maps::default());
        Self {
            maps,
            next_id: AtomicU64::new(1),
            max,
            max_per_source,
        }
    }

    /// Enters a connection that was accepted.
    pub fn admit(&self, new: NewConn) -> Result<Arc<ConnHandle>, Refused> {
        let mut maps = self.maps.lock();
        self.insert(&mut maps, new)
    }

    /// The connection of a flow, as long as it is open and to the same place.
    pub fn of_flow(&self, flow: &Flow) -> Option<Arc<ConnHandle>> {
        let maps = self.maps.lock();
        let known = maps.by_id.get(&flow.conn)?;
        let same = known.remote == flow.remote && known.proto() == flow.proto;
        (same && known.state() != ConnState::Closing).then(|| Arc::clone(known))
    }

    /// The connection for a flow, or a new one: then `make` says what it is to be.
    pub fn find_or_insert(
        &self,
        flow: &Flow,
        hop: Hop<'_>,
        make: impl FnOnce() -> Option<NewConn>,
    ) -> Result<Found, Refused> {
        let mut maps = self.maps.lock();
        let known = maps
            .by_id
            .get(&flow.conn)
            .filter(|c| c.state() != ConnState::Closing);
        let known = known.or_else(|| {
            let found = maps.by_address(flow.proto, flow.remote)?;
            (found.state() != ConnState::Closing && fits(found, hop)).then_some(found)
        });
        if let Some(known) = known {
            return Ok(Found::Known(Arc::clone(known)));
        }
        match make() {
            Some(new) => self.insert(&mut maps, new).map(Found::New),
            None => Ok(Found::Nothing),
        }
    }

    fn insert(&self, maps: &mut Maps, new: NewConn) -> Result<Arc<ConnHandle>, Refused> {
        if maps.by_id.len() >= self.max {
            return Err(Refused::Max);
        }
        if !new.outbound {
            let count = maps
                .per_source
                .entry(source_of(new.remote.ip()))
                .or_default();
            if *count >= self.max_per_source {
                return Err(Refused::PerSource);
            }
            *count += 1;
        }
        let handle = Arc::new(ConnHandle {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            carrier: new.proto,
            remote: new.remote,
            carrier_socket: new.socket,
            websocket: OnceLock::new(),
            outbound: new.outbound,
            server_name: new.server_name,
            server_id: new.server_id,
            born: new.born,
            local: OnceLock::new(),
            tls: OnceLock::new(),
            deadline: AtomicU64::new(new.born),
            owner: AtomicUsize::new(new.owner),
            state: AtomicU8::new(new.state as u8),
            waiting: AtomicUsize::new(0),
            notified: AtomicBool::new(false),
            closes: AtomicBool::new(false),
            queue: OrderedMutex::new(rank::CONNECTION_QUEUE, Queue::default()),
        });
        maps.by_id.insert(handle.id, Arc::clone(&handle));
        maps.by_remote
            .insert((handle.carrier, handle.remote), Arc::clone(&handle));
        Ok(handle)
    }

    /// See [`super::Net::add_alias`].
    pub fn add_alias(&self, id: ConnId, port: u16) -> bool {
        let mut guard = self.maps.lock();
        let maps = &mut *guard;
        let Some(handle) = maps.by_id.get(&id) else {
            return false;
        };
        let key = (handle.proto(), SocketAddr::new(handle.remote.ip(), port));
        let other = maps
            .by_remote
            .get(&key)
            .filter(|c| c.state() != ConnState::Closing);
        if let Some(other) = other {
            return other.id == id;
        }
        let ports = maps.aliases.entry(id).or_default();
        if ports.len() >= MAX_ALIASES {
            return false;
        }
        ports.push(port);
        maps.by_remote.insert(key, Arc::clone(handle));
        true
    }

    /// From here on a connection carries WebSocket, and is found as such; `socket` is ours for
    /// that. False if it is gone or carries it already.
    pub fn upgrade(&self, id: ConnId, socket: SocketId) -> bool {
        let mut guard = self.maps.lock();
        let maps = &mut *guard;
        let Some(handle) = maps.by_id.get(&id).filter(|c| !c.is_websocket()).cloned() else {
            return false;
        };
        let carrier = handle.carrier;
        let _ = handle.websocket.set(socket);
        let ports = maps.aliases.get(&id).into_iter().flatten().copied();
        for port in ports.chain([handle.remote.port()]).collect::<Vec<_>>() {
            let remote = SocketAddr::new(handle.remote.ip(), port);
            let old = (carrier, remote);
            if maps.by_remote.get(&old).is_some_and(|c| c.id == id) {
                maps.by_remote.remove(&old);
            }
            maps.by_remote
                .insert((handle.proto(), remote), Arc::clone(&handle));
        }
        true
    }

    /// What an address is connected by, if it is by WebSocket.
    pub fn websocket_proto(&self, remote: SocketAddr) -> Option<Proto> {
        let maps = self.maps.lock();
        maps.by_address(Proto::Ws, remote).map(|c| c.proto())
    }

    /// A connection by its identity.
    pub fn get(&self, id: ConnId) -> Option<Arc<ConnHandle>> {
        self.maps.lock().by_id.get(&id).cloned()
    }

    /// Forgets a connection that is gone.
    pub fn remove(&self, handle: &ConnHandle) {
        let mut maps = self.maps.lock();
        if maps.by_id.remove(&handle.id).is_none() {
            return;
        }
        let mut ports = maps.aliases.remove(&handle.id).unwrap_or_default();
        ports.push(handle.remote.port());
        for port in ports {
            let mut remote = handle.remote;
            remote.set_port(port);
            let key = (handle.proto(), remote);
            if maps.by_remote.get(&key).is_some_and(|c| c.id == handle.id) {
                maps.by_remote.remove(&key);
            }
        }
        if handle.outbound {
            return;
        }
        let source = source_of(handle.remote.ip());
        if let Some(count) = maps.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                maps.per_source.remove(&source);
            }
        }
    }

    /// All connections.
    pub fn all(&self) -> Vec<Arc<ConnHandle>> {
        self.maps.lock().by_id.values().cloned().collect()
    }
}

/// Whom a connection must reach, besides the address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hop<'a> {
    /// Host name of the next hop.
    pub server_name: Option<&'a str>,
    /// TLS profile that the script chose.
    pub server_id: Option<&'a str>,
}

/// What [`ConnTable::find_or_insert`] came to.
pub enum Found {
    /// A connection that is or will be up.
    Known(Arc<ConnHandle>),
    /// One that its owner must be told to open.
    New(Arc<ConnHandle>),
    /// None, and none is to be made.
    Nothing,
}

/// A connection that we verified for one name must not carry what is meant for
/// another (RFC 5923 section 4); one that came to us may carry anything back.
fn fits(found: &ConnHandle, hop: Hop<'_>) -> bool {
    if found.outbound && hop.server_id.is_some() && found.server_id.as_deref() != hop.server_id {
        return false;
    }
    match (&found.server_name, hop.server_name) {
        (_, None) => true,
        (Some(have), Some(want)) => have.eq_ignore_ascii_case(want),
        (None, Some(_)) => !found.outbound,
    }
}

/// Whoever has one IPv6 address has its whole /64.
fn source_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}
