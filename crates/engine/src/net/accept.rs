//! Accepting connections: limits, placement, and what to do without descriptors.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use sipwright_sip::types::{Millis, Proto};

use super::command::Command;
use super::reactor::{Reactor, Token};
use super::shared::HandshakeSlot;
use super::sys;
use super::table::{ConnState, NewConn, Refused};
use crate::log::{self, level};

/// Connections accepted for one event before others get their turn.
const ACCEPTS_PER_TURN: usize = 32;

/// How long to wait for descriptors when there are none left, milliseconds.
const PAUSE_MS: Millis = 100;

/// A shortage that comes and goes is told this often, milliseconds.
const SHORTAGE_EVERY_MS: Millis = 60_000;

const ENOUGH: u8 = 0;
const UNSAID: u8 = 1;
const SAID: u8 = 2;

/// Whether connections wait because there are no descriptors, or no memory, for them: logged when it begins and
/// when it is over, not for each connection.
#[derive(Default)]
pub struct Shortage {
    state: AtomicU8,
    said_at: AtomicU64,
}

impl Shortage {
    fn begins(&self, now: Millis, error: &io::Error) {
        let unsaid =
            self.state
                .compare_exchange(ENOUGH, UNSAID, Ordering::Relaxed, Ordering::Relaxed);
        let said_at = self.said_at.load(Ordering::Relaxed);
        if unsaid.is_err() || said_at > 0 && now < said_at + SHORTAGE_EVERY_MS {
            return;
        }
        self.said_at.store(now.max(1), Ordering::Relaxed);
        self.state.store(SAID, Ordering::Relaxed);
        let text = format!(
            "new connections wait: {error}; process.open_files_limit and limits.connections say how many there may be"
        );
        log::log(level::ERR, &text);
    }

    /// None waits any more.
    fn is_over(&self) {
        if self.state.load(Ordering::Relaxed) != ENOUGH
            && self.state.swap(ENOUGH, Ordering::Relaxed) == SAID
        {
            log::log(level::NOTICE, "new connections are accepted again");
        }
    }
}

/// Accepting is suspended: a level-triggered listener that cannot be served
/// would make the loop spin.
pub struct Pause {
    /// When to try again.
    pub until: Millis,
}

impl Reactor {
    /// Watches every listener; of all threads that do, one is woken.
    pub fn start_accepting(&mut self) {
        self.paused = None;
        for (index, listener) in self.sockets.tcp.iter().enumerate() {
            if let Some(listener) = listener {
                let token = Token::Listener(index).pack();
                // Fails only if it is watched already.
                let _ = self
                    .epoll
                    .add(listener, token, sys::READABLE | sys::EXCLUSIVE);
            }
        }
    }

    /// Leaves the listeners to others.
    pub fn stop_accepting(&mut self) {
        self.paused = None;
        for listener in self.sockets.tcp.iter().flatten() {
            // Fails only if it is not watched.
            let _ = self.epoll.delete(listener);
        }
    }

    /// Watches the listeners again once a pause is over.
    pub fn resume_accepting(&mut self, now: Millis) {
        if self.paused.as_ref().is_some_and(|p| p.until <= now) {
            self.start_accepting();
        }
    }

    /// Accepts what waits on listener `index`.
    pub fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(Some(listener)) = self.sockets.tcp.get(index) else {
                return;
            };
            match listener.accept() {
                Ok((sock, remote)) => self.accepted(index, sock, remote),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.cx.shared.shortage.is_over();
                    return;
                }
                Err(e) => {
                    self.cx.shared.stats.accept_errors.inc();
                    if lacks_resources(&e) {
                        self.cx.shared.shortage.begins(self.cx.now, &e);
                        self.stop_accepting();
                        self.paused = Some(Pause {
                            until: self.cx.now + PAUSE_MS,
                        });
                        return;
                    }
                }
            }
        }
    }

    /// Whatever is refused here is closed by dropping it.
    fn accepted(&mut self, index: usize, sock: TcpStream, remote: SocketAddr) {
        let shared = &self.cx.shared;
        let stats = &shared.stats;
        let proto = carrier(shared.infos[index].proto);
        stats.connections_accepted.inc();
        if sock.set_nonblocking(true).is_err() {
            return;
        }
        let slot = if proto.is_secure() {
            let Some(slot) = HandshakeSlot::take(shared) else {
                stats.refused_handshakes_max.inc();
                return;
            };
            Some(slot)
        } else {
            None
        };
        let owner = shared.place(proto, false, self.cx.index);
        let new = NewConn {
            proto,
            remote,
            socket: shared.face(index, sock.local_addr().ok().map(|a| a.ip())),
            outbound: false,
            server_name: None,
            server_id: None,
            owner,
            state: first_state(proto),
            born: self.cx.now,
        };
        let handle = match shared.table.admit(new) {
            Ok(handle) => handle,
            Err(Refused::Max) => return stats.refused_connections_max.inc(),
            Err(Refused::PerSource) => return stats.refused_per_source.inc(),
        };
        shared.count_new(owner);
        if owner == self.cx.index {
            self.take_accepted(sock, handle, slot);
            return;
        }
        let command = Command::Accepted(sock, handle, slot);
        if let Err(Command::Accepted(sock, handle, slot)) = shared.mailboxes[owner].post(command) {
            self.change_load(self.cx.index, owner);
            handle.set_owner(self.cx.index);
            self.take_accepted(sock, handle, slot);
        }
    }
}

/// What a WebSocket listener accepts connections of.
const fn carrier(proto: Proto) -> Proto {
    match proto {
        Proto::Ws => Proto::Tcp,
        Proto::Wss => Proto::Tls,
        other => other,
    }
}

const fn first_state(proto: Proto) -> ConnState {
    if proto.is_secure() {
        ConnState::Handshake
    } else {
        ConnState::Open
    }
}

fn lacks_resources(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}
