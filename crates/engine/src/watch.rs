//! The engine's watchdog, which needs no interpreter.
//!
//! The watchdog in Python (`sipwright.script.watchdog`) says where a script is stuck, but
//! stands still itself while a script keeps the GIL. This one runs in the timer thread: it
//! notices when Python's control loop does not come round, and when an engine thread
//! does not come to the end of a turn. The timer thread's own turns are in the register
//! of threads for others to see.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sipwright_sip::types::Millis;

use crate::net::threads;

/// A turn of an engine thread never waits for anybody, and takes microseconds.
const TURN_LIMIT_MS: Millis = 1_000;
/// How often turns are looked at.
const EVERY_MS: Millis = 500;

/// What is watched.
#[derive(Debug, Default)]
pub struct Watch {
    beat_at: AtomicU64,
    limit: AtomicU64,
    reported: AtomicBool,
    looked_at: AtomicU64,
}

/// What was found, once for each time it happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Python's control loop has not come round for so many milliseconds.
    Interpreter(Millis),
    /// The thread has been in one turn for so many milliseconds.
    Thread(String, Millis),
}

impl Watch {
    /// Python's control loop has come round, and will again within `limit`
    /// milliseconds; 0 ends the watch.
    pub fn beat(&self, now: Millis, limit: Millis) {
        self.beat_at.store(now, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        self.reported.store(false, Ordering::Relaxed);
    }

    /// Looks at everything; for one thread only.
    pub fn look(&self, now: Millis) -> Vec<Finding> {
        let mut found = Vec::new();
        let since = now.saturating_sub(self.beat_at.load(Ordering::Relaxed));
        let limit = self.limit.load(Ordering::Relaxed);
        if limit > 0 && since > limit && !self.reported.swap(true, Ordering::Relaxed) {
            found.push(Finding::Interpreter(since));
        }
        let last = self.looked_at.load(Ordering::Relaxed);
        if now.saturating_sub(last) >= EVERY_MS {
            self.looked_at.store(now, Ordering::Relaxed);
            found.extend(threads_over_limit(now, now.saturating_sub(last)));
        }
        found
    }
}

/// Engine threads that came over the limit within the last `within` milliseconds.
fn threads_over_limit(now: Millis, within: Millis) -> impl Iterator<Item = Finding> {
    let stuck = move |busy: Millis| (TURN_LIMIT_MS..TURN_LIMIT_MS + within).contains(&busy);
    let all = threads::list().into_iter();
    all.map(move |t| (t.busy_ms(now), t.name))
        .filter(move |(busy, _)| stuck(*busy))
        .map(|(busy, name)| Finding::Thread(name, busy))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::net::monotonic_ms;
    use crate::net::threads::ThreadKind;

    #[test]
    fn a_control_loop_that_stands_still_is_found_once() {
        let watch = Watch::default();
        assert_eq!(watch.look(10_000), [], "nothing is watched yet");
        watch.beat(10_000, 500);
        assert_eq!(watch.look(10_500), []);
        assert_eq!(watch.look(10_501), [Finding::Interpreter(501)]);
        assert_eq!(watch.look(10_900), []);
        watch.beat(11_000, 500);
        assert_eq!(watch.look(11_501), [Finding::Interpreter(501)]);
        watch.beat(11_600, 0);
        assert_eq!(watch.look(99_000), [], "the server ends");
    }

    #[test]
    fn an_engine_thread_that_is_stuck_is_found() {
        let (begun, wait_begun) = mpsc::channel();
        let (end, wait_end) = mpsc::channel::<()>();
        let stuck = threads::spawn("sw-stuck", ThreadKind::Other, move || {
            threads::works(monotonic_ms());
            begun.send(()).unwrap();
            let _ = wait_end.recv();
        });
        wait_begun.recv().unwrap();
        let found = Watch::default().look(monotonic_ms() + TURN_LIMIT_MS);
        let names = |f: &Finding| matches!(f, Finding::Thread(name, ms) if name == "sw-stuck" && *ms >= TURN_LIMIT_MS);
        assert!(found.iter().any(names), "{found:?}");
        drop(end);
        stuck.unwrap().join().unwrap();
    }
}
