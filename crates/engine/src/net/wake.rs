//! Wakes a thread that sleeps in `epoll_wait`. `tests/loom` searches its interleavings.

use crate::sync::atomic::{AtomicBool, Ordering};

/// What the sleeping thread waits for: an eventfd.
pub trait Event {
    /// Signals; does not block.
    fn signal(&self);
    /// Takes the signal, if there is one.
    fn clear(&self);
}

/// Wakes one reactor; any number of calls between two of its turns cost one write.
pub struct Waker<E> {
    event: E,
    raised: AtomicBool,
}

impl<E: Event> Waker<E> {
    /// Wakes who waits for that event.
    pub fn new(event: E) -> Self {
        Self {
            event,
            raised: AtomicBool::new(false),
        }
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
    pub const fn event(&self) -> &E {
        &self.event
    }
}
