//! How other threads reach a reactor: commands under a short lock, one wake-up.
//! `tests/loom` searches its interleavings.

use super::wake::{Event, Waker};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{OrderedMutex, rank};

/// The address of a reactor. It outlives the reactor: a worker's is refilled when
/// the next port is taken.
pub struct Mailbox<C, E> {
    /// Shown as the thread of a connection.
    pub name: String,
    /// Connections it owns, or that are on their way to it.
    pub load: AtomicUsize,
    waker: Waker<E>,
    /// `None` while no reactor reads it.
    commands: OrderedMutex<Option<Vec<C>>>,
    open: AtomicBool,
}

impl<C, E: Event> Mailbox<C, E> {
    /// Closed until a reactor opens it.
    pub fn new(name: String, event: E) -> Self {
        Self {
            name,
            load: AtomicUsize::new(0),
            waker: Waker::new(event),
            commands: OrderedMutex::new(rank::MAILBOX, None),
            open: AtomicBool::new(false),
        }
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
    pub fn shut(&self) -> Vec<C> {
        self.open.store(false, Ordering::Release);
        self.commands.lock().take().unwrap_or_default()
    }

    /// Whether a reactor reads it.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Leaves a command; gives it back if nobody reads here.
    pub fn post(&self, command: C) -> Result<(), C> {
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
    pub fn take(&self) -> Vec<C> {
        self.commands
            .lock()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Wakes the reactor.
    pub const fn waker(&self) -> &Waker<E> {
        &self.waker
    }
}
