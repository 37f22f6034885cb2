//! Which script worker is at work, and when another one had better join in.
//!
//! Python code runs in one thread at a time, so a second worker that joins while
//! the first keeps up only passes the GIL to and fro: measured, that costs a third
//! more CPU for each message. A job that comes while a worker took one up less
//! than [`KEEPS_UP_US`] ago therefore waits for it, and a timer calls another worker
//! should that one be stuck in its script.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A worker that took up a message this recently keeps up, in microseconds.
const KEEPS_UP_US: u64 = 1000;

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// The workers at work; all atomic, no lock.
#[derive(Debug, Default)]
pub(crate) struct Shift {
    active: AtomicUsize,
    last_taken_us: AtomicU64,
}

impl Shift {
    /// A worker that was idle begins to work.
    pub fn begin(&self) {
        self.active.fetch_add(1, Ordering::SeqCst);
    }

    /// A worker that was at work becomes idle.
    pub fn end(&self) {
        self.active.fetch_sub(1, Ordering::SeqCst);
    }

    /// A worker takes up a message now.
    pub fn taken(&self, now_us: u64) {
        self.last_taken_us.store(now_us, Ordering::SeqCst);
    }

    /// Whether some worker is at work and took up a message just now.
    pub fn is_kept_up(&self, now_us: u64) -> bool {
        self.active.load(Ordering::SeqCst) > 0
            && now_us.saturating_sub(self.last_taken_us.load(Ordering::SeqCst)) < KEEPS_UP_US
    }

    /// Runs what reads messages in a worker's own thread.
    pub fn reading<R>(read: impl FnOnce() -> R) -> R {
        READING.set(true);
        let result = read();
        READING.set(false);
        result
    }

    /// Whether this thread is a worker that reads and will look at the queue next.
    pub fn is_own_thread_reading() -> bool {
        READING.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_worker_stands_back_only_while_the_first_keeps_up() {
        let shift = Shift::default();
        assert!(!shift.is_kept_up(0), "nobody is at work");
        shift.begin();
        shift.taken(5_000);
        assert!(shift.is_kept_up(5_999));
        assert!(!shift.is_kept_up(6_000), "the first one is stuck");
        shift.taken(6_100);
        shift.end();
        assert!(!shift.is_kept_up(6_200), "the first one has gone idle");
    }

    #[test]
    fn reading_is_known_to_its_own_thread_alone() {
        assert!(!Shift::is_own_thread_reading());
        Shift::reading(|| {
            assert!(Shift::is_own_thread_reading());
            let other = std::thread::spawn(Shift::is_own_thread_reading)
                .join()
                .unwrap();
            assert!(!other);
        });
        assert!(!Shift::is_own_thread_reading());
    }
}
