//! Workers that sleep, and how one is found for a job. `tests/loom` searches its interleavings.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

/// Which workers sleep and may be woken for a job.
#[derive(Debug)]
pub struct Sleepers {
    asleep: Vec<AtomicBool>,
    /// Where the next search begins, so that all have their turn.
    next: AtomicUsize,
}

impl Sleepers {
    /// Nobody sleeps yet.
    pub fn new(workers: usize) -> Self {
        Self {
            asleep: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// How many workers there may be.
    pub const fn len(&self) -> usize {
        self.asleep.len()
    }

    /// Marks worker `index` as asleep while `doze` runs. It is to ask first whether a
    /// job waits: whoever brings one meanwhile sees the mark, or is seen.
    pub fn sleep<R>(&self, index: usize, doze: impl FnOnce() -> R) -> R {
        let asleep = &self.asleep[index];
        asleep.store(true, Ordering::SeqCst);
        // Pairs with the fence in `wake_one`.
        fence(Ordering::SeqCst);
        let result = doze();
        asleep.store(false, Ordering::SeqCst);
        result
    }

    /// Has one sleeping worker woken, after a job was queued; false if none sleeps.
    pub fn wake_one(&self, wake: impl FnOnce(usize)) -> bool {
        // Pairs with the fence in `sleep`: we see it asleep, or it sees the job.
        fence(Ordering::SeqCst);
        let count = self.asleep.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for offset in 0..count {
            let index = first.wrapping_add(offset) % count;
            let asleep = &self.asleep[index];
            if asleep.load(Ordering::SeqCst) && asleep.swap(false, Ordering::SeqCst) {
                wake(index);
                return true;
            }
        }
        false
    }
}
