//! When something was, by one reading of the clock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::net::sys;

/// How long the wall clock may go on without a look at it: entries show soon that it was set.
const LOOK_EVERY_NS: u64 = 100_000_000;

static WALL: Wall = Wall::new();

/// When something was: monotonic nanoseconds, and microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Instant {
    /// Monotonic.
    pub mono_ns: u64,
    /// Wall clock.
    pub wall_us: u64,
}

impl Instant {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let mono_ns = sys::monotonic_ns();
        Self {
            mono_ns,
            wall_us: WALL.at(mono_ns, since_1970),
        }
    }
}

fn since_1970() -> u64 {
    Clock::System.wall_us()
}

/// How far the wall clock is ahead of the monotonic one, looked at ten times a second at most.
struct Wall {
    ahead_us: AtomicU64,
    looked_ns: AtomicU64,
}

impl Wall {
    const fn new() -> Self {
        Self {
            ahead_us: AtomicU64::new(0),
            looked_ns: AtomicU64::new(0),
        }
    }

    /// Microseconds since 1970 at a time that has just been read; `look` reads the wall clock.
    #[inline]
    fn at(&self, mono_ns: u64, look: impl FnOnce() -> u64) -> u64 {
        // Whoever sees the time of a look sees what it found.
        let looked_ns = self.looked_ns.load(Ordering::Acquire);
        if looked_ns == 0 || mono_ns.saturating_sub(looked_ns) >= LOOK_EVERY_NS {
            let ahead_us = look().wrapping_sub(mono_ns / 1000);
            self.ahead_us.store(ahead_us, Ordering::Relaxed);
            self.looked_ns.store(mono_ns, Ordering::Release);
        }
        let ahead_us = self.ahead_us.load(Ordering::Relaxed);
        (mono_ns / 1000).wrapping_add(ahead_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_2026_US: u64 = 1_800_000_000_000_000;

    #[test]
    fn the_wall_clock_goes_on_and_is_looked_at_again_when_it_may_have_been_set() {
        let wall = Wall::new();
        let never = || unreachable!("no look is due");
        assert_eq!(wall.at(5_000, || YEAR_2026_US), YEAR_2026_US);
        assert_eq!(wall.at(9_000, never), YEAR_2026_US + 4);
        assert_eq!(wall.at(LOOK_EVERY_NS, never), YEAR_2026_US + 99_995);
        // Set back by an hour.
        let set = YEAR_2026_US - 3_600_000_000;
        assert_eq!(wall.at(5_000 + LOOK_EVERY_NS, || set), set);
        // Another thread has read its clock a little earlier.
        assert_eq!(wall.at(4_000 + LOOK_EVERY_NS, never), set - 1);
    }

    #[test]
    fn both_clocks_are_right() {
        let (before, now, after) = (since_1970(), Instant::now(), since_1970());
        // The one look may be a tenth of a second old, in which the clock may be slewed.
        assert!(before - 1_000 <= now.wall_us && now.wall_us <= after + 1_000);
        assert!(Instant::now().mono_ns >= now.mono_ns);
    }
}
