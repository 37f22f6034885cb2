//! Where the engine has its time from: the system, or whoever turns a virtual clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sipwright_sip::types::Millis;

use crate::net::sys;

/// Monotonic time at which a virtual clock begins, in microseconds: 0 would be "never" to some.
const START_US: u64 = 1_000_000_000;

/// The engine's clock.
#[derive(Debug)]
pub enum Clock {
    /// The system's.
    System,
    /// One that stands still until it is turned.
    Virtual(VirtualClock),
}

/// A clock that stands still until it is turned.
#[derive(Debug)]
pub struct VirtualClock {
    /// Monotonic time.
    now_us: AtomicU64,
    /// Wall-clock time at its start, since 1970-01-01 UTC.
    wall_us: u64,
}

impl Clock {
    /// A virtual clock whose wall-clock time begins at that many microseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn stopped_at(wall_us: u64) -> Self {
        Self::Virtual(VirtualClock {
            now_us: AtomicU64::new(START_US),
            wall_us,
        })
    }

    /// Monotonic time in milliseconds.
    pub fn now(&self) -> Millis {
        match self {
            Self::System => sys::monotonic_ms(),
            Self::Virtual(clock) => clock.now_us() / 1000,
        }
    }

    /// The same in microseconds.
    pub fn now_us(&self) -> u64 {
        match self {
            Self::System => sys::monotonic_us(),
            Self::Virtual(clock) => clock.now_us(),
        }
    }

    /// Wall-clock time in microseconds since 1970-01-01 UTC.
    pub fn wall_us(&self) -> u64 {
        match self {
            Self::System => {
                let wall = SystemTime::now().duration_since(UNIX_EPOCH);
                u64::try_from(wall.unwrap_or_default().as_micros()).unwrap_or(0)
            }
            Self::Virtual(clock) => clock.wall_us + (clock.now_us() - START_US),
        }
    }

    /// The virtual clock, if it is one.
    pub const fn as_virtual(&self) -> Option<&VirtualClock> {
        match self {
            Self::System => None,
            Self::Virtual(clock) => Some(clock),
        }
    }
}

impl VirtualClock {
    /// Monotonic time in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.now_us.load(Ordering::Relaxed)
    }

    /// Turns it; it never goes back.
    pub fn turn_to(&self, now_us: u64) {
        self.now_us.fetch_max(now_us, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_stands_still_until_it_is_turned_and_never_goes_back() {
        let clock = Clock::stopped_at(1_700_000_000_000_000);
        let (now, wall) = (clock.now(), clock.wall_us());
        assert_eq!((now, wall), (1_000_000, 1_700_000_000_000_000));
        let hands = clock.as_virtual().unwrap();
        hands.turn_to(START_US + 32_000_500);
        hands.turn_to(START_US);
        assert_eq!(clock.now(), now + 32_000);
        assert_eq!(clock.wall_us(), wall + 32_000_500);
    }
}
