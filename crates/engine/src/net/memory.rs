//! The transport without sockets and threads: whoever holds its [`Wire`] brings what
//! arrives and takes what leaves. For tests of routing scripts and for replays.
//!
//! It stands in for the reactors: the table of connections, the choice of one and the
//! bytes that wait in it are those of the real transport.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::build::{self, ViaFix};
use sipwright_sip::frame::{Frame, FrameError, Framer};
use sipwright_sip::types::{ConnId, Flow, Millis, Proto, SocketId};

use super::bind;
use super::command::{After, Command};
use super::shared::{Phase, Shared, Sockets};
use super::table::{ConnHandle, ConnState, NewConn, OutItem, TlsInfo};
use super::web::refusal;
use super::{Core, Net, NetError, Sink};
use crate::config::{EngineConfig, TlsConfig};
use crate::sync::{OrderedMutex, rank};
use crate::tls::{Identity, TlsStore, Verdict};

/// What the transport has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Bytes have left.
    Sent(Flow, Bytes),
    /// A connection was opened from here.
    Opened(Flow),
    /// A connection was closed from here.
    Closed(Flow),
}

/// What TLS is to have agreed on with a peer.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// Server name that the peer asked for.
    pub server_name: Option<String>,
    /// The peer's certificate, DER.
    pub certificate: Option<Bytes>,
    /// What came of verifying it.
    pub verdict: Verdict,
}

/// How the bytes of a connection are read.
struct Line {
    framer: Framer,
    /// An HTTP request of it is in work.
    awaits_answer: bool,
}

#[derive(Default)]
struct State {
    notes: Vec<Note>,
    lines: HashMap<ConnId, Line>,
    /// Connections that the script has not decided on (`tls:connection-out`).
    held: HashSet<ConnId>,
    /// Where no connection is to be had.
    refusing: HashSet<(Proto, SocketAddr)>,
    /// For connections that are opened from here.
    facts: HashMap<SocketAddr, TlsFacts>,
}

/// What stands in for reactors and sockets.
pub struct Memory {
    state: OrderedMutex<State>,
}

impl Memory {
    fn new() -> Self {
        Self {
            state: OrderedMutex::new(rank::WIRE, State::default()),
        }
    }

    /// Bytes that leave.
    pub(super) fn sent(&self, flow: Flow, bytes: Bytes) {
        self.state.lock().notes.push(Note::Sent(flow, bytes));
    }

    fn note(&self, note: Note) {
        self.state.lock().notes.push(note);
    }
}

impl Net {
    /// The transport in memory. Its sockets have the addresses of the settings, whatever
    /// this machine's are; certificates and keys are not read.
    ///
    /// # Errors
    /// Too many sockets.
    pub fn in_memory(cfg: &EngineConfig, sink: Arc<dyn Sink>) -> Result<Self, NetError> {
        let infos = bind::infos(cfg)?;
        let tls = TlsStore::load(&TlsConfig::default())?;
        let mut shared = Shared::new(cfg, infos, Sockets::default(), tls, sink)?;
        shared.memory = Some(Memory::new());
        shared.advance(Phase::Running);
        Ok(Self {
            core: Arc::new(Core {
                shared: Arc::new(shared),
                threads: OrderedMutex::new(rank::LIFECYCLE, Vec::new()),
            }),
        })
    }

    /// The other end of a transport in memory.
    #[must_use]
    pub fn wire(&self) -> Option<Wire> {
        let is_memory = self.shared().memory.is_some();
        is_memory.then(|| Wire { net: self.clone() })
    }

    /// Does what a reactor would be asked to do. No lock may be held.
    pub(super) fn obey(&self, memory: &Memory, handle: &Arc<ConnHandle>, command: Command) {
        match command {
            Command::Open(_) => self.connect_out(memory, handle),
            Command::Close(_) => self.close_in_memory(memory, handle, true),
            Command::Farewell(_, frame) => {
                let _ = handle.push(item(frame), usize::MAX);
                self.close_in_memory(memory, handle, true);
            }
            Command::Release(id, may_send) => {
                if !memory.state.lock().held.remove(&id) {
                    return;
                }
                if may_send {
                    self.flush_in_memory(memory, handle);
                } else {
                    self.shared().stats.refused_by_script.inc();
                    self.close_in_memory(memory, handle, false);
                }
            }
            Command::Answered(id, after) => self.answered_in_memory(memory, handle, id, after),
            Command::Flush(_) => self.flush_in_memory(memory, handle),
            Command::Accepted(..) | Command::Adopt(_) => {}
        }
    }

    fn connect_out(&self, memory: &Memory, handle: &Arc<ConnHandle>) {
        let (flow, shared) = (handle.flow(), self.shared());
        let facts = {
            let state = memory.state.lock();
            if state.refusing.contains(&(flow.proto, flow.remote)) {
                drop(state);
                return self.close_in_memory(memory, handle, false);
            }
            state.facts.get(&flow.remote).cloned()
        };
        self.establish(memory, handle, facts);
        memory.note(Note::Opened(flow));
        if flow.proto.is_secure() && !shared.cfg.tls.event_callback.is_empty() {
            memory.state.lock().held.insert(handle.id);
            if let Some(sink) = shared.sink() {
                sink.connection_out(&flow);
            }
            return;
        }
        self.flush_in_memory(memory, handle);
    }

    fn establish(&self, memory: &Memory, handle: &Arc<ConnHandle>, facts: Option<TlsFacts>) {
        let shared = self.shared();
        handle.set_state(ConnState::Open);
        let local = shared.infos.get(usize::from(handle.socket()));
        if let Some(local) = local {
            let _ = handle.local.set(local.addr);
        }
        if handle.carrier.is_secure() {
            let facts = facts.unwrap_or(TlsFacts {
                server_name: None,
                certificate: None,
                verdict: Verdict::Missing,
            });
            let _ = handle.tls.set(tls_info(facts));
        }
        let framer = Framer::new(shared.cfg.limits.max_message);
        let line = Line {
            framer: framer.accept_missing_length(shared.cfg.accept_missing_length),
            awaits_answer: false,
        };
        memory.state.lock().lines.insert(handle.id, line);
    }

    fn flush_in_memory(&self, memory: &Memory, handle: &Arc<ConnHandle>) {
        if memory.state.lock().held.contains(&handle.id) {
            return;
        }
        let flow = handle.flow();
        for item in handle.take() {
            handle.waiting_less(item.bytes.len());
            if item.message {
                self.shared().stats.sent(flow.proto).inc();
            }
            memory.sent(flow, item.bytes);
        }
        if handle.closes_when_sent() {
            self.close_in_memory(memory, handle, true);
        }
    }

    /// Ends a connection; what waits in it is written first, or has failed.
    fn close_in_memory(&self, memory: &Memory, handle: &Arc<ConnHandle>, write: bool) {
        if handle.state() == ConnState::Closing {
            return;
        }
        let flow = handle.flow();
        let shared = self.shared();
        let was_open = handle.state() == ConnState::Open;
        let left = handle.shut();
        for item in &left {
            handle.waiting_less(item.bytes.len());
            if write {
                memory.sent(flow, item.bytes.clone());
            }
        }
        {
            let mut state = memory.state.lock();
            state.lines.remove(&handle.id);
            state.held.remove(&handle.id);
            if was_open {
                state.notes.push(Note::Closed(flow));
            }
        }
        shared.table.remove(handle);
        shared.count_gone(handle.owner());
        let Some(sink) = shared.sink() else { return };
        for item in left.iter().filter(|item| item.message && !write) {
            shared.stats.send_failures.inc();
            sink.send_failed(&flow, item.tx);
        }
        sink.conn_closed(&flow);
    }

    fn answered_in_memory(
        &self,
        memory: &Memory,
        handle: &Arc<ConnHandle>,
        id: ConnId,
        after: After,
    ) {
        if let Some(line) = memory.state.lock().lines.get_mut(&id) {
            line.awaits_answer = false;
        }
        self.flush_in_memory(memory, handle);
        match after {
            After::Close => self.close_in_memory(memory, handle, true),
            After::Upgrade => self.shared().stats.websockets_opened.inc(),
            After::Next => self.deliver_in_memory(memory, handle),
        }
    }

    /// Hands on what is complete.
    fn deliver_in_memory(&self, memory: &Memory, handle: &Arc<ConnHandle>) {
        let shared = self.shared();
        let Some(sink) = shared.sink() else { return };
        loop {
            let frame = {
                let mut state = memory.state.lock();
                let line = state.lines.get_mut(&handle.id);
                let Some(line) = line.filter(|line| !line.awaits_answer) else {
                    return;
                };
                let frame = line.framer.next_frame();
                line.awaits_answer = matches!(frame, Ok(Some(Frame::Http(_))));
                frame
            };
            match frame {
                Ok(None) => return,
                Ok(Some(Frame::Message(bytes))) => {
                    shared.stats.received(handle.proto()).inc();
                    sink.message(bytes, handle.flow());
                }
                Ok(Some(Frame::Http(bytes))) => {
                    shared.stats.received_http.inc();
                    sink.http(bytes, handle.flow());
                }
                Ok(Some(Frame::Ping)) => memory.sent(handle.flow(), Bytes::from_static(b"\r\n")),
                Ok(Some(Frame::Pong)) => {}
                Err(error) => return self.malformed_in_memory(memory, handle, &error),
            }
        }
    }

    fn malformed_in_memory(&self, memory: &Memory, handle: &Arc<ConnHandle>, error: &FrameError) {
        self.shared().stats.malformed_streams.inc();
        if let (Some(code), true) = (error.status, error.is_http) {
            memory.sent(handle.flow(), refusal(code, error.reason));
        } else if let (Some(code), Some(request)) = (error.status, &error.partial)
            && request.is_request()
        {
            let fix = ViaFix::for_request(request, handle.remote, false);
            let extra = b"Connection: close\r\n";
            let answer = build::response(request, code, b"", None, extra, b"", &fix);
            memory.sent(handle.flow(), answer.into());
        }
        self.close_in_memory(memory, handle, true);
    }
}

/// The network's side of a transport in memory.
pub struct Wire {
    net: Net,
}

impl Wire {
    fn memory(&self) -> Option<&Memory> {
        self.net.shared().memory.as_ref()
    }

    fn sink(&self) -> Option<Arc<dyn Sink>> {
        self.net.shared().sink()
    }

    /// A datagram arrives at a UDP socket of that number.
    pub fn datagram(&self, socket: SocketId, remote: SocketAddr, bytes: Bytes) {
        let shared = self.net.shared();
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            shared.stats.udp_keepalives.inc();
            return;
        }
        let Some(sink) = self.sink() else { return };
        shared.stats.received(Proto::Udp).inc();
        sink.message(
            bytes,
            Flow {
                proto: Proto::Udp,
                socket,
                remote,
                conn: 0,
            },
        );
    }

    /// A peer opens a connection to one of the sockets, with TLS or WebSocket as `proto`
    /// says; its handshakes are over. `None` where there is no such socket, or no room.
    pub fn connect(
        &self,
        proto: Proto,
        socket: SocketId,
        remote: SocketAddr,
        tls: Option<TlsFacts>,
        now: Millis,
    ) -> Option<ConnId> {
        let (memory, shared) = (self.memory()?, self.net.shared());
        let carrier = match proto {
            Proto::Udp => return None,
            Proto::Tcp | Proto::Ws => Proto::Tcp,
            Proto::Tls | Proto::Wss => Proto::Tls,
        };
        let new = NewConn {
            proto: carrier,
            remote,
            socket,
            outbound: false,
            server_name: None,
            server_id: None,
            owner: 0,
            state: ConnState::Open,
            born: now,
        };
        let handle = shared.table.admit(new).ok()?;
        shared.count_new(0);
        shared.stats.connections_accepted.inc();
        self.net.establish(memory, &handle, tls);
        if proto != carrier {
            let face = shared.websocket_face(socket).unwrap_or(socket);
            let _ = shared.table.upgrade(handle.id, face);
            shared.stats.websockets_opened.inc();
        }
        Some(handle.id)
    }

    /// Bytes arrive on a connection: a piece of a stream, or a whole message of WebSocket.
    /// False if the connection is gone.
    pub fn stream(&self, conn: ConnId, bytes: &Bytes) -> bool {
        let (Some(memory), Some(sink)) = (self.memory(), self.sink()) else {
            return false;
        };
        let Some(handle) = self.net.shared().table.get(conn) else {
            return false;
        };
        if handle.is_websocket() {
            self.net.shared().stats.received(handle.proto()).inc();
            sink.message(bytes.clone(), handle.flow());
            return true;
        }
        if let Some(line) = memory.state.lock().lines.get_mut(&conn) {
            line.framer.push(bytes);
        }
        self.net.deliver_in_memory(memory, &handle);
        true
    }

    /// The peer closes a connection; false if it is gone.
    pub fn disconnect(&self, conn: ConnId) -> bool {
        let handle = self.net.shared().table.get(conn);
        let (Some(memory), Some(handle)) = (self.memory(), handle) else {
            return false;
        };
        self.net.close_in_memory(memory, &handle, false);
        true
    }

    /// A router says that a datagram did not arrive (ICMP).
    pub fn unreachable(&self, remote: SocketAddr, quoted: &[u8]) {
        if let Some(sink) = self.sink() {
            sink.unreachable(remote, quoted);
        }
    }

    /// Whether connections to there are refused from now on.
    pub fn refuse(&self, proto: Proto, remote: SocketAddr, refused: bool) {
        let Some(memory) = self.memory() else { return };
        let refusing = &mut memory.state.lock().refusing;
        if refused {
            refusing.insert((proto, remote));
        } else {
            refusing.remove(&(proto, remote));
        }
    }

    /// What TLS finds at that address when a connection is opened to it.
    pub fn set_facts(&self, remote: SocketAddr, facts: TlsFacts) {
        if let Some(memory) = self.memory() {
            memory.state.lock().facts.insert(remote, facts);
        }
    }

    /// What was done since it was asked last, in order.
    pub fn take(&self) -> Vec<Note> {
        self.memory().map_or_else(Vec::new, |memory| {
            std::mem::take(&mut memory.state.lock().notes)
        })
    }
}

fn item(bytes: Bytes) -> OutItem {
    OutItem {
        bytes,
        tx: None,
        message: false,
    }
}

fn tls_info(facts: TlsFacts) -> TlsInfo {
    TlsInfo {
        version: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384",
        cipher_bits: 256,
        server_name: facts.server_name,
        resumed: false,
        peer_certificate: facts.certificate,
        verdict: facts.verdict,
        problem: None,
        profile: Arc::new(Identity::nominal("in memory")),
    }
}
