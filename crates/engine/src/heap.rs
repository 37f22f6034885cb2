//! The heap, once the work of a peak is over.
//!
//! Memory belongs to the thread that took it. What another thread frees, as the timer does with transactions, goes back to
//! the system only when its owner looks: a thread that has nothing to do never would.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static COLLECT: OnceLock<fn()> = OnceLock::new();
static PEAKS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

/// Sets what gives the memory back that the calling thread no longer needs. The first call counts.
pub fn set_collector(collect: fn()) {
    let _ = COLLECT.set(collect);
}

/// A peak is over: every thread is to look once.
pub(crate) fn peak_is_over() {
    PEAKS.fetch_add(1, Ordering::Release);
}

/// Gives memory back if a peak has ended since the last call of this thread.
pub(crate) fn tidy() {
    let peaks = PEAKS.load(Ordering::Acquire);
    if SEEN.with(|seen| seen.replace(peaks)) != peaks
        && let Some(collect) = COLLECT.get()
    {
        collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static COLLECTED: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn each_thread_looks_once_for_each_peak() {
        set_collector(|| {
            COLLECTED.fetch_add(1, Ordering::Relaxed);
        });
        let threads: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(|| {
                    tidy();
                    let before = COLLECTED.load(Ordering::Relaxed);
                    tidy();
                    before
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let before = COLLECTED.load(Ordering::Relaxed);
        peak_is_over();
        for _ in 0..2 {
            std::thread::spawn(|| (0..3).for_each(|_| tidy()))
                .join()
                .unwrap();
        }
        assert_eq!(COLLECTED.load(Ordering::Relaxed), before + 2);
    }
}
