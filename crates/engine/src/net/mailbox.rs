//! How other threads reach a reactor: commands under a short lock, one eventfd.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sipwright_sip::types::ConnId;

use super::conn::Conn;
use super::shared::HandshakeSlot;
use super::sys::EventFd;
use super::table::ConnHandle;
use crate::sync::{OrderedMutex, rank};

/// Wakes one reactor; any number of calls between two of its turns cost one write.
pub struct Waker {
    event: EventFd,
    raised: AtomicBool,
}

impl Waker {
    fn new() -> io::Result<Self> {
        Ok(Self {
            event: EventFd::new()?,
            raised: AtomicBool::new(false),
        })
    }

    /// Makes the reactor return from its wait, or not enter the next one.
    pub fn wake(&self) {
        // AcqRel here and in `lower`: what was done before a wake-up that needs no
        // write is visible after the one that was written before it is taken.
        if !self.raised.swap(true, Ordering::AcqRel) {
            self.event.signal();
        }
    }

    /// Takes the wake-up; what it was for is to be looked at afterwards.
    pub fn lower(&self) {
        self.event.clear();
        self.raised.swap(false, Ordering::AcqRel);
    }

    /// For epoll.
    pub const fn event(&self) -> &EventFd {
        &self.event
    }
}

/// What a reactor is asked to do.
pub enum Command {
    /// Serve a connection that another thread accepted.
    Accepted(TcpStream, Arc<ConnHandle>, Option<HandshakeSlot>),
    /// Open an outgoing connection.
    Open(Arc<ConnHandle>),
    /// Serve a connection that another reactor has brought through its handshake.
    Adopt(Box<Conn>),
    /// Bytes wait in this connection.
    Flush(ConnId),
    /// Flush and close it.
    Close(ConnId),
    /// The script has decided whether it may be written to.
    Release(ConnId, bool),
}

/// The address of a reactor. It outlives the reactor: a worker's is refilled when
/// the next port is taken.
pub struct Mailbox {
    /// Shown as the thread of a connection.
    pub name: String,
    /// Connections it owns, or that are on their way to it.
    pub load: AtomicUsize,
    waker: Waker,
    /// `None` while no reactor reads it.
    commands: OrderedMutex<Option<Vec<Command>>>,
    open: AtomicBool,
}

impl Mailbox {
    /// Closed until a reactor opens it.
    pub fn new(name: String) -> io::Result<Self> {
        Ok(Self {
            name,
            load: AtomicUsize::new(0),
            waker: Waker::new()?,
            commands: OrderedMutex::new(rank::MAILBOX, None),
            open: AtomicBool::new(false),
        })
    }

    /// Takes commands from now on; false if another reactor reads it already.
    pub fn open(&self) -> bool {
        let mut commands = self.commands.lock();
        if commands.is_some() {
            return false;
        }
        *commands = Some(Vec::new());
        self.open.store(true, Ordering::Release);
        true
    }

    /// Takes no more commands; those that still wait are given back.
    pub fn shut(&self) -> Vec<Command> {
        self.open.store(false, Ordering::Release);
        self.commands.lock().take().unwrap_or_default()
    }

    /// Whether a reactor reads it.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Leaves a command; gives it back if nobody reads here.
    pub fn post(&self, command: Command) -> Result<(), Command> {
        {
            let mut commands = self.commands.lock();
            let Some(commands) = commands.as_mut() else {
                return Err(command);
            };
            commands.push(command);
        }
        self.waker.wake();
        Ok(())
    }

    /// All commands that wait.
    pub fn take(&self) -> Vec<Command> {
        self.commands
            .lock()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Wakes the reactor.
    pub const fn waker(&self) -> &Waker {
        &self.waker
    }
}
