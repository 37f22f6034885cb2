//! An event loop over epoll: connections, listeners, UDP sockets, commands, timers.
//!
//! One runs in each network thread, one in each `WorkerPort`. A turn is
//! [`Reactor::poll`], which may sleep, then [`Reactor::process`], which does not.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use sipwright_sip::types::{ConnId, Flow, Millis, Proto};

use super::NetError;
use super::accept::Pause;
use super::command::Command;
use super::conn::{Conn, Cx, Fate};
use super::icmp;
use super::mailbox::Mailbox;
use super::shared::{HandshakeSlot, Shared, Sockets};
use super::sys::{self, EdgeFd, Epoll, Event, RecvBatch};
use super::table::ConnHandle;
use crate::heap;
use crate::sync::assert_no_lock_held;

const EVENTS_PER_TURN: usize = 64;
const READ_BUFFER: usize = 65_536;

/// What an epoll token stands for; the kind is in the top byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token {
    /// The mailbox.
    Wake,
    /// Jobs have been waiting for a while; see [`Nudge`](super::lead::Nudge).
    Nudge,
    /// A listener, by `SocketId`.
    Listener(usize),
    /// A UDP socket, by `SocketId`.
    Udp(usize),
    /// A connection.
    Conn(ConnId),
}

impl Token {
    const SHIFT: u32 = 56;

    /// As epoll carries it.
    pub const fn pack(self) -> u64 {
        match self {
            Self::Wake => 0,
            Self::Listener(i) => (1 << Self::SHIFT) | i as u64,
            Self::Udp(i) => (2 << Self::SHIFT) | i as u64,
            Self::Conn(id) => (3 << Self::SHIFT) | id,
            Self::Nudge => 4 << Self::SHIFT,
        }
    }

    const fn unpack(raw: u64) -> Self {
        let value = raw & ((1 << Self::SHIFT) - 1);
        match raw >> Self::SHIFT {
            0 => Self::Wake,
            1 => Self::Listener(value as usize),
            2 => Self::Udp(value as usize),
            3 => Self::Conn(value),
            _ => Self::Nudge,
        }
    }
}

/// The loop and all that it owns.
pub struct Reactor {
    /// What connections need of it.
    pub cx: Cx,
    /// The sockets of the transport.
    pub sockets: Arc<Sockets>,
    /// Set while accept is suspended.
    pub paused: Option<Pause>,
    pub(super) epoll: Epoll,
    events: Vec<Event>,
    conns: HashMap<ConnId, Box<Conn>>,
    timers: BinaryHeap<Reverse<(Millis, ConnId)>>,
    batch: Option<RecvBatch>,
    /// Reads UDP only while no worker waits.
    relief: bool,
    /// The nudge came since this was last reset.
    pub nudged: bool,
}

impl Reactor {
    /// A reactor for mailbox `index`, which it opens.
    pub fn new(shared: &Arc<Shared>, index: usize) -> Result<Self, NetError> {
        let describe = |e: io::Error| NetError::new(format!("epoll: {e}"));
        let stopped = || NetError::new("the transport is stopped");
        let sink = shared.sink().ok_or_else(stopped)?;
        let epoll = Epoll::new(EVENTS_PER_TURN).map_err(describe)?;
        let mailbox = &shared.mailboxes[index];
        epoll
            .add(
                mailbox.waker().event(),
                Token::Wake.pack(),
                sys::READABLE | sys::EDGE,
            )
            .map_err(describe)?;
        if !mailbox.open() {
            return Err(NetError::new(format!("{} is taken already", mailbox.name)));
        }
        let cx = Cx {
            shared: Arc::clone(shared),
            sink,
            index,
            now: sys::monotonic_ms(),
            buf: vec![0; READ_BUFFER].into_boxed_slice(),
            messages: 0,
        };
        Ok(Self {
            sockets: shared.sockets(),
            cx,
            paused: None,
            epoll,
            events: Vec::with_capacity(EVENTS_PER_TURN),
            conns: HashMap::new(),
            timers: BinaryHeap::new(),
            batch: None,
            relief: false,
            nudged: false,
        })
    }

    fn mailbox(&self) -> &Mailbox<Command, EdgeFd> {
        &self.cx.shared.mailboxes[self.cx.index]
    }

    /// Has this reactor take its turn when jobs have waited for a while.
    pub fn watch_nudge(&mut self) -> Result<(), NetError> {
        let nudge = self.cx.shared.nudge.timer();
        self.epoll
            .add(nudge, Token::Nudge.pack(), sys::READABLE | sys::EXCLUSIVE)
            .map_err(|e| NetError::new(format!("epoll: {e}")))
    }

    /// Watches or leaves the UDP sockets. Workers watch exclusively: one datagram
    /// wakes one of them.
    pub fn watch_udp(&mut self, on: bool, relief: bool) {
        self.relief = relief;
        let bits = if relief {
            sys::READABLE
        } else {
            sys::READABLE | sys::EXCLUSIVE
        };
        for (index, socket) in self.sockets.udp.iter().enumerate() {
            let Some(socket) = socket else { continue };
            // Fails only if it is watched, or not watched, already.
            let _ = if on {
                self.epoll.add(socket, Token::Udp(index).pack(), bits)
            } else {
                self.epoll.delete(socket)
            };
        }
    }

    /// Sleeps until something happens, at most `timeout_ms`.
    pub fn poll(&mut self, timeout_ms: Option<u64>) {
        let now = sys::monotonic_ms();
        let due = self.next_timer().map(|at| at.saturating_sub(now));
        let timeout = match (timeout_ms, due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if self.epoll.wait(timeout, &mut self.events).is_err() {
            // Only a bug makes epoll_wait fail; an empty turn keeps the rest alive.
            self.events.clear();
        }
        self.cx.now = sys::monotonic_ms();
        self.cx.messages = 0;
    }

    fn next_timer(&self) -> Option<Millis> {
        let paused = self.paused.as_ref().map(|p| p.until);
        let conn = self.timers.peek().map(|Reverse((at, _))| *at);
        match (paused, conn) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Serves what [`Reactor::poll`] found; whether somebody woke it.
    pub fn process(&mut self) -> bool {
        let mut woken = false;
        let events = std::mem::take(&mut self.events);
        for &(token, bits) in &events {
            match Token::unpack(token) {
                Token::Wake => {
                    woken = true;
                    self.mailbox().waker().lower();
                    self.run_commands();
                }
                Token::Nudge => {
                    self.cx.shared.nudge.came();
                    self.nudged = true;
                }
                Token::Listener(index) => self.accept(index),
                Token::Udp(index) => {
                    if bits & sys::ERROR != 0 {
                        self.read_udp_errors(index);
                    }
                    self.read_udp(index);
                }
                Token::Conn(id) => self.serve(id, Conn::ready),
            }
        }
        self.events = events;
        self.run_timers();
        heap::tidy();
        woken
    }

    fn run_commands(&mut self) {
        for command in self.mailbox().take() {
            match command {
                Command::Accepted(sock, handle, slot) => self.take_accepted(sock, handle, slot),
                Command::Open(handle) => self.open(handle),
                Command::Adopt(conn) => self.add(conn),
                command => self.serve_or_forward(command),
            }
        }
    }

    /// Serves a socket that was accepted, here or by another reactor.
    pub fn take_accepted(
        &mut self,
        sock: TcpStream,
        handle: Arc<ConnHandle>,
        slot: Option<HandshakeSlot>,
    ) {
        let conn = Conn::accepted(sock, handle, slot, &self.cx);
        self.add(Box::new(conn));
    }

    fn open(&mut self, handle: Arc<ConnHandle>) {
        match Conn::connect(Arc::clone(&handle), &self.cx) {
            Ok(conn) => self.add(Box::new(conn)),
            Err(_) => {
                self.cx.shared.stats.connect_errors.inc();
                self.forget(&handle);
                let unsent = handle.shut().into_iter().map(|item| item.tx).collect();
                self.report(&handle, unsent);
            }
        }
    }

    fn add(&mut self, mut conn: Box<Conn>) {
        let id = conn.handle.id;
        conn.timer = 0;
        conn.watched = conn.wanted();
        if self
            .epoll
            .add(conn.socket(), Token::Conn(id).pack(), conn.watched)
            .is_err()
        {
            self.bury(*conn);
            return;
        }
        self.conns.insert(id, conn);
        self.serve(id, |conn, cx| match conn.flush_queued(cx) {
            Fate::Keep => conn.begin(cx),
            fate => fate,
        });
    }

    /// Has a connection do something, then does what comes of it.
    fn serve(&mut self, id: ConnId, work: impl FnOnce(&mut Conn, &mut Cx) -> Fate) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        match work(conn, &mut self.cx) {
            Fate::Keep => self.keep(id),
            Fate::Move => self.hand_over(id),
            Fate::Close => {
                if let Some(conn) = self.conns.remove(&id) {
                    let _ = self.epoll.delete(conn.socket());
                    self.bury(*conn);
                }
            }
        }
    }

    fn keep(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let wanted = conn.wanted();
        if wanted != conn.watched {
            conn.watched = wanted;
            // Fails only for a descriptor that is not watched, which would be a bug.
            let _ = self
                .epoll
                .modify(conn.socket(), Token::Conn(id).pack(), wanted);
        }
        conn.handle.deadline.store(conn.deadline, Ordering::Relaxed);
        // Deadlines mostly move later: the entry in the heap stays until it is due.
        if conn.timer == 0 || conn.deadline < conn.timer {
            conn.timer = conn.deadline;
            self.timers.push(Reverse((conn.deadline, id)));
        }
    }

    /// Mode 1: a worker's reactor takes over, unless there is none.
    fn hand_over(&mut self, id: ConnId) {
        let Some(conn) = self.conns.remove(&id) else {
            return;
        };
        let shared = Arc::clone(&self.cx.shared);
        let next = shared.place(conn.handle.carrier, true, self.cx.index);
        let handle = Arc::clone(&conn.handle);
        let _ = self.epoll.delete(conn.socket());
        if next == self.cx.index {
            self.add(conn);
            return;
        }
        self.change_load(next, self.cx.index);
        handle.set_owner(next);
        match shared.mailboxes[next].post(Command::Adopt(conn)) {
            Ok(()) => shared.stats.connections_moved.inc(),
            Err(Command::Adopt(conn)) => {
                self.change_load(self.cx.index, next);
                handle.set_owner(self.cx.index);
                self.add(conn);
            }
            Err(_) => {}
        }
    }

    /// One connection more there, one less here.
    pub fn change_load(&self, up: usize, down: usize) {
        self.cx.shared.mailboxes[up]
            .load
            .fetch_add(1, Ordering::Relaxed);
        self.cx.shared.mailboxes[down]
            .load
            .fetch_sub(1, Ordering::Relaxed);
    }

    /// A command for a connection, which may have moved.
    fn serve_or_forward(&mut self, command: Command) {
        let Some(id) = command.conn() else { return };
        if !self.conns.contains_key(&id) {
            self.forward(id, command);
            return;
        }
        match command {
            Command::Flush(_) => self.serve(id, Conn::flush_queued),
            Command::Close(_) => self.serve(id, Conn::close),
            Command::Release(_, may_send) => {
                self.serve(id, |conn, cx| conn.release(may_send, cx));
            }
            Command::Answered(_, after) => self.serve(id, |conn, cx| conn.answered(after, cx)),
            Command::Farewell(_, frame) => self.serve(id, |conn, cx| conn.farewell(frame, cx)),
            Command::Accepted(..) | Command::Open(_) | Command::Adopt(_) => {}
        }
    }

    /// The connection has moved since its owner was looked up. One that is still
    /// on its way to us looks at its queue when it arrives.
    fn forward(&self, id: ConnId, command: Command) {
        if let Some(handle) = self.cx.shared.table.get(id) {
            let owner = handle.owner();
            if owner != self.cx.index {
                let _ = self.cx.shared.mailboxes[owner].post(command);
            }
        }
    }

    fn run_timers(&mut self) {
        let now = self.cx.now;
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(conn) = self.conns.get_mut(&id) else {
                continue;
            };
            if conn.timer != at {
                continue;
            }
            conn.timer = 0;
            if conn.deadline <= now {
                self.serve(id, Conn::expired);
            } else {
                self.keep(id);
            }
        }
        self.resume_accepting(now);
    }

    /// Ends a connection: nobody finds it any more, and who waits is told.
    fn bury(&mut self, conn: Conn) {
        let handle = Arc::clone(&conn.handle);
        self.forget(&handle);
        let unsent = conn.into_unsent().into_iter().map(|item| item.tx).collect();
        self.report(&handle, unsent);
    }

    fn forget(&self, handle: &ConnHandle) {
        let shared = &self.cx.shared;
        shared.table.remove(handle);
        shared.count_gone(self.cx.index);
    }

    fn report(&self, handle: &ConnHandle, unsent: Vec<Option<super::TxTag>>) {
        assert_no_lock_held("Sink::send_failed");
        let flow = handle.flow();
        for tx in unsent {
            self.cx.shared.stats.send_failures.inc();
            self.cx.sink.send_failed(&flow, tx);
        }
        self.cx.sink.conn_closed(&flow);
    }

    fn read_udp(&mut self, index: usize) {
        let shared = &self.cx.shared;
        if self.relief && shared.presence.inside() > 0 {
            return;
        }
        let Some(Some(socket)) = self.sockets.udp.get(index) else {
            return;
        };
        let size = shared.cfg.udp.batch;
        let batch = self.batch.get_or_insert_with(|| RecvBatch::new(size));
        let wild = shared.is_wild(index);
        let count = match batch.receive(socket, wild) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {
                shared.stats.udp_receive_errors.inc();
                return;
            }
        };
        if self.relief {
            shared.stats.udp_relief_read.add(count as u64);
        }
        for i in 0..count {
            let Some((bytes, remote)) = batch.get(i) else {
                continue;
            };
            if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
                shared.stats.udp_keepalives.inc();
                continue;
            }
            let local = if wild { batch.destination(i) } else { None };
            let flow = Flow {
                proto: Proto::Udp,
                socket: shared.face(index, local),
                remote,
                conn: 0,
            };
            shared.stats.received_udp.inc();
            self.cx.messages += 1;
            self.cx.sink.message(Bytes::copy_from_slice(bytes), flow);
        }
    }

    /// Reads what ICMP says of datagrams that were sent, all of it: epoll reports it
    /// until it is read.
    fn read_udp_errors(&mut self, index: usize) {
        let Some(Some(socket)) = self.sockets.udp.get(index) else {
            return;
        };
        while let Some((remote, len)) = icmp::next_udp_error(socket, &mut self.cx.buf) {
            if let Some(remote) = remote {
                self.cx.shared.stats.udp_unreachable.inc();
                self.cx.sink.unreachable(remote, &self.cx.buf[..len]);
            }
        }
        // The error is also kept for the next call on the socket, which is not at fault.
        let _ = socket.take_error();
    }

    /// Closes every connection, waiting at most until `deadline` for farewells.
    pub fn wind_up(&mut self, deadline: Millis) {
        self.stop_accepting();
        self.watch_udp(false, false);
        for command in self.mailbox().shut() {
            self.refuse(command);
        }
        let ids: Vec<ConnId> = self.conns.keys().copied().collect();
        for id in ids {
            self.serve(id, Conn::close);
        }
        while !self.conns.is_empty() && sys::monotonic_ms() < deadline {
            self.poll(Some(deadline.saturating_sub(sys::monotonic_ms())));
            self.process();
        }
        for (_, conn) in std::mem::take(&mut self.conns) {
            self.bury(*conn);
        }
    }

    /// A command that nobody will carry out.
    fn refuse(&mut self, command: Command) {
        match command {
            Command::Adopt(conn) => self.bury(*conn),
            Command::Accepted(_, handle, _) | Command::Open(handle) => {
                self.forget(&handle);
                let unsent = handle.shut().into_iter().map(|item| item.tx).collect();
                self.report(&handle, unsent);
            }
            _ => {}
        }
    }
}
