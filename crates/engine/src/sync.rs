//! Locks with a written order.
//!
//! Each lock has a rank. A thread that holds one may only take locks of a higher
//! rank; debug builds assert it, release builds pay nothing. The ranks and what
//! they guard are explained in `docs/explain/concurrency.md`.

/// The atomics of code whose interleavings are searched: `tests/loom` compiles the same files with loom's.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
}

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Ranks of the engine's locks, lowest first.
pub mod rank {
    /// Handles of the network threads and the sink, at start and stop.
    pub const LIFECYCLE: u8 = 10;
    /// The table of connections.
    pub const CONNECTIONS: u8 = 20;
    /// The bytes that wait in one connection.
    pub const CONNECTION_QUEUE: u8 = 30;
    /// Commands for one reactor.
    pub const MAILBOX: u8 = 40;
    /// What stands in for sockets in tests.
    pub const WIRE: u8 = 45;
    /// The TLS profiles in use.
    pub const TLS_PROFILES: u8 = 50;
    /// The sockets in use.
    pub const SOCKETS: u8 = 60;
    /// The list of engine threads.
    pub const THREADS: u8 = 70;
    /// One shard of the transactions.
    pub const TRANSACTIONS: u8 = 80;
    /// One stripe of the requests in work.
    pub const PENDING: u8 = 90;
    /// The jobs that wait for a script worker.
    pub const JOBS: u8 = 100;
    /// What a script worker does now.
    pub const WORKER: u8 = 110;
    /// Tasks for the DNS thread.
    pub const DNS_INBOX: u8 = 120;
    /// Pointer to the names that are known without asking.
    pub const DNS_ZONE: u8 = 130;
    /// Answers of name servers.
    pub const DNS_CACHE: u8 = 140;
    /// The recording.
    pub const RECORD: u8 = 150;
    /// Times of the script's routes.
    pub const ROUTES: u8 = 160;
    /// What the log has spoken of lately.
    pub const REPEATS: u8 = 170;
    /// The timer thread's and the DNS thread's handle.
    pub const TIMER: u8 = 5;
}

/// Whether locks check their order: in debug builds, as `cargo test` makes them.
pub const CHECKED: bool = cfg!(debug_assertions);

/// A mutex that knows its place in the lock order and survives a panic of a holder.
#[derive(Debug, Default)]
pub struct OrderedMutex<T> {
    rank: u8,
    inner: Mutex<T>,
}

impl<T> OrderedMutex<T> {
    /// A lock of that rank around `value`.
    pub const fn new(rank: u8, value: T) -> Self {
        Self {
            rank,
            inner: Mutex::new(value),
        }
    }

    /// Takes the lock.
    ///
    /// # Panics
    /// In debug builds, if this thread holds a lock of the same or a higher rank.
    pub fn lock(&self) -> OrderedGuard<'_, T> {
        held::enter(self.rank);
        let guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        OrderedGuard {
            guard,
            rank: self.rank,
        }
    }
}

/// Access to what an [`OrderedMutex`] guards.
#[derive(Debug)]
pub struct OrderedGuard<'a, T> {
    guard: MutexGuard<'a, T>,
    rank: u8,
}

impl<T> Deref for OrderedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for OrderedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for OrderedGuard<'_, T> {
    fn drop(&mut self) {
        held::leave(self.rank);
    }
}

/// Asserts, in debug builds, that this thread holds no engine lock: before a call
/// into the sink, and before anything that may block.
pub fn assert_no_lock_held(what: &str) {
    held::assert_empty(what);
}

#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;

    thread_local! {
        static RANKS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    pub fn enter(rank: u8) {
        RANKS.with_borrow_mut(|held| {
            let highest = held.iter().max();
            assert!(
                highest.is_none_or(|h| *h < rank),
                "lock order: {rank} taken while {held:?} are held"
            );
            held.push(rank);
        });
    }

    pub fn leave(rank: u8) {
        RANKS.with_borrow_mut(|held| {
            if let Some(at) = held.iter().rposition(|r| *r == rank) {
                held.remove(at);
            }
        });
    }

    pub fn assert_empty(what: &str) {
        RANKS.with_borrow(|held| assert!(held.is_empty(), "{what} while locks {held:?} are held"));
    }
}

#[cfg(not(debug_assertions))]
mod held {
    pub const fn enter(_: u8) {}
    pub const fn leave(_: u8) {}
    pub const fn assert_empty(_: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tests of the engine run with the checks on, or this one says that they do not.
    #[test]
    #[allow(clippy::assertions_on_constants)]
    fn the_engines_tests_check_the_order_of_locks() {
        assert!(CHECKED, "build the tests with debug assertions");
    }

    #[test]
    fn locks_may_be_taken_upwards_and_given_back_in_any_order() {
        let (low, high) = (OrderedMutex::new(1, ()), OrderedMutex::new(2, ()));
        let first = low.lock();
        let second = high.lock();
        drop(first);
        drop(second);
        drop(high.lock());
        drop(low.lock());
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "lock order")]
    fn a_lower_rank_after_a_higher_one_is_a_bug() {
        let (low, high) = (OrderedMutex::new(1, ()), OrderedMutex::new(2, ()));
        let _high = high.lock();
        let _low = low.lock();
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "lock order")]
    fn two_of_the_same_rank_are_a_bug() {
        let (a, b) = (OrderedMutex::new(1, ()), OrderedMutex::new(1, ()));
        let _a = a.lock();
        let _b = b.lock();
    }
}
