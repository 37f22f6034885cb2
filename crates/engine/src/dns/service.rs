//! The DNS thread: sockets to the name servers, and the tasks that wait for answers.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;

use sipwright_sip::types::Millis;

use super::client::{Action, Client, QueryId};
use super::record::{Answer, Key, Records};
use super::{Shared, Task, View};
use crate::net::sys::{self, Epoll};
use crate::net::threads;
use crate::net::wake::Event;

/// Queries in flight at most, each with a socket; further ones wait for their turn.
const MOST_QUERIES: usize = 512;
/// Largest datagram that a server without EDNS sends is 512 bytes; more room does no harm.
const DATAGRAM: usize = 4096;
/// Token of the wake-up; queries have their own number, from 1.
const WAKE: u64 = 0;

/// A query's socket.
enum Socket {
    Udp(UdpSocket),
    Tcp(Stream),
}

/// A query by TCP: the length goes before the message, on both ways (RFC 1035 section 4.2.2).
struct Stream {
    stream: TcpStream,
    unsent: Vec<u8>,
    received: Vec<u8>,
}

/// What the DNS thread owns.
pub(super) struct Service {
    shared: Arc<Shared>,
    epoll: Epoll,
    client: Client,
    sockets: HashMap<QueryId, Socket>,
    tasks: HashMap<u64, Waiting>,
    next_task: u64,
    by_key: HashMap<Key, Vec<u64>>,
    backlog: VecDeque<Key>,
}

struct Waiting {
    task: Task,
    memo: HashMap<Key, Arc<Records>>,
    /// Answers that are missing.
    missing: usize,
    deadline: Millis,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let epoll = Epoll::new(64)?;
        if let Some(wake) = shared.wake.get() {
            epoll.add(wake, WAKE, sys::READABLE)?;
        }
        let client = Client::new(shared.client_config(), Box::new(random_id));
        Ok(Self {
            shared,
            epoll,
            client,
            sockets: HashMap::new(),
            tasks: HashMap::new(),
            next_task: 0,
            by_key: HashMap::new(),
            backlog: VecDeque::new(),
        })
    }

    /// Works until the engine stops; then every task ends with what is known.
    pub(super) fn run(&mut self) {
        let mut events = Vec::new();
        loop {
            let (tasks, stopped) = self.shared.take_inbox();
            for task in tasks {
                self.begin(task);
            }
            if stopped {
                break;
            }
            let timeout = self
                .next_timeout()
                .map(|at| at.saturating_sub(sys::monotonic_ms()));
            if self.epoll.wait(timeout, &mut events).is_err() {
                events.clear();
            }
            threads::works(sys::monotonic_ms());
            let mut out = Vec::new();
            for (token, _) in std::mem::take(&mut events) {
                match token {
                    WAKE => self.shared.wake.get().into_iter().for_each(Event::clear),
                    query => self.serve(query, &mut out),
                }
            }
            let now = sys::monotonic_ms();
            self.client.handle_timeout(now, &mut out);
            self.carry_out(out);
            self.end_overdue(now);
            self.shared.publish(&self.client.tally, self.client.len());
            threads::rests();
        }
        let left: Vec<u64> = self.tasks.keys().copied().collect();
        for id in left {
            self.end(id);
        }
    }

    fn next_timeout(&self) -> Option<Millis> {
        let task = self.tasks.values().map(|t| t.deadline).min();
        match (self.client.next_timeout(), task) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn begin(&mut self, task: Task) {
        let now = sys::monotonic_ms();
        let id = self.next_task;
        self.next_task += 1;
        let waiting = Waiting {
            task,
            memo: HashMap::new(),
            missing: 0,
            deadline: now + self.shared.config.total_ms,
        };
        self.tasks.insert(id, waiting);
        self.advance(id);
    }

    /// Has a task look at what is known, and asks for what it misses.
    fn advance(&mut self, id: u64) {
        let Some(waiting) = self.tasks.get_mut(&id) else {
            return;
        };
        let now = sys::monotonic_ms();
        let mut view = View::new(&self.shared, &mut waiting.memo, now);
        if (waiting.task)(&mut view) {
            self.tasks.remove(&id);
            return;
        }
        let missing = view.missing;
        waiting.missing = missing.len();
        let mut out = Vec::new();
        for key in missing {
            self.by_key.entry(key.clone()).or_default().push(id);
            if self.client.len() < MOST_QUERIES {
                self.client.ask(key, now, &mut out);
            } else if !self.backlog.contains(&key) {
                self.backlog.push_back(key);
            }
        }
        self.carry_out(out);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            let mut more = Vec::new();
            match action {
                Action::Send {
                    query,
                    server,
                    tcp,
                    bytes,
                } => {
                    // Closing the old one takes it out of the epoll set too.
                    self.sockets.remove(&query);
                    match self.open(query, server, tcp, &bytes) {
                        Ok(socket) => {
                            self.sockets.insert(query, socket);
                        }
                        Err(_) => self.client.failed(query, sys::monotonic_ms(), &mut more),
                    }
                }
                Action::Done { query, key, answer } => {
                    self.sockets.remove(&query);
                    self.answered(key, &answer);
                    if let Some(next) = self.backlog.pop_front() {
                        self.client.ask(next, sys::monotonic_ms(), &mut more);
                    }
                }
            }
            actions.extend(more);
        }
    }

    fn open(
        &self,
        query: QueryId,
        server: SocketAddr,
        tcp: bool,
        bytes: &[u8],
    ) -> io::Result<Socket> {
        if tcp {
            let stream = sys::tcp_connect(None, &server, 0)?;
            let len = u16::try_from(bytes.len()).map_err(io::Error::other)?;
            let unsent = [&len.to_be_bytes(), bytes].concat();
            self.epoll
                .add(&stream, query, sys::READABLE | sys::WRITABLE)?;
            return Ok(Socket::Tcp(Stream {
                stream,
                unsent,
                received: Vec::new(),
            }));
        }
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        // Connected: the kernel drops what comes from elsewhere, and reports ICMP errors.
        socket.connect(server)?;
        socket.send(bytes)?;
        self.epoll.add(&socket, query, sys::READABLE)?;
        Ok(Socket::Udp(socket))
    }

    /// Reads what has come for a query.
    fn serve(&mut self, query: QueryId, out: &mut Vec<Action>) {
        let now = sys::monotonic_ms();
        let received = match self.sockets.get_mut(&query) {
            None => return,
            Some(Socket::Udp(socket)) => {
                let mut buffer = [0; DATAGRAM];
                socket
                    .recv(&mut buffer)
                    .map(|len| Some(buffer[..len].to_vec()))
            }
            Some(Socket::Tcp(stream)) => stream.turn(&self.epoll, query),
        };
        match received {
            Ok(Some(bytes)) => self.client.received(query, &bytes, now, out),
            Ok(None) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.client.failed(query, now, out),
        }
    }

    /// Keeps an answer and wakes the tasks that wait for it.
    fn answered(&mut self, key: Key, answer: &Answer) {
        let now = sys::monotonic_ms();
        self.shared.cache.lock().put(key.clone(), answer, now);
        for id in self.by_key.remove(&key).unwrap_or_default() {
            let Some(waiting) = self.tasks.get_mut(&id) else {
                continue;
            };
            waiting
                .memo
                .insert(key.clone(), Arc::clone(&answer.records));
            waiting.missing = waiting.missing.saturating_sub(1);
            if waiting.missing == 0 {
                self.advance(id);
            }
        }
    }

    fn end_overdue(&mut self, now: Millis) {
        let due: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, t)| t.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.end(id);
        }
    }

    /// Ends a task with what is known.
    fn end(&mut self, id: u64) {
        let Some(mut waiting) = self.tasks.remove(&id) else {
            return;
        };
        let mut view = View::new(&self.shared, &mut waiting.memo, sys::monotonic_ms());
        view.last = true;
        (waiting.task)(&mut view);
    }
}

impl Stream {
    /// Writes and reads what is possible; the reply once it is whole.
    fn turn(&mut self, epoll: &Epoll, query: QueryId) -> io::Result<Option<Vec<u8>>> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        while !self.unsent.is_empty() {
            let written = self.stream.write(&self.unsent)?;
            self.unsent.drain(..written);
            if self.unsent.is_empty() {
                epoll.modify(&self.stream, query, sys::READABLE)?;
            }
        }
        let mut buffer = [0; DATAGRAM];
        loop {
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.received.extend_from_slice(&buffer[..len]),
            }
            if let Some((len, rest)) = self.received.split_first_chunk::<2>() {
                let len = usize::from(u16::from_be_bytes(*len));
                if let Some(message) = rest.get(..len) {
                    return Ok(Some(message.to_vec()));
                }
            }
        }
    }
}

/// Nobody may guess it (RFC 5452 section 9.2).
fn random_id() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness the port is still chosen by the kernel.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u16::from_be_bytes(bytes)
}
