//! Lines of the log about what fails again and again.

use std::collections::HashMap;

use sipwright_sip::types::Millis;

use crate::sync::{OrderedMutex, rank};

/// How long nothing more is said of a thing.
const QUIET_MS: Millis = 60_000;
/// Things that are remembered. While they are so many, of others nothing is said at all.
const MOST: usize = 1_024;

/// What was spoken of lately.
#[derive(Debug)]
pub struct Repeats(OrderedMutex<HashMap<String, Said>>);

#[derive(Debug)]
struct Said {
    at: Millis,
    hidden: u64,
}

impl Default for Repeats {
    fn default() -> Self {
        Self(OrderedMutex::new(rank::REPEATS, HashMap::new()))
    }
}

impl Repeats {
    /// How often a thing was not spoken of since the last time; `None` if it is not to be now either.
    pub fn admit(&self, thing: &str, now: Millis) -> Option<u64> {
        let mut lately = self.0.lock();
        if let Some(said) = lately.get_mut(thing) {
            if now.saturating_sub(said.at) < QUIET_MS {
                said.hidden += 1;
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.hidden));
        }
        if lately.len() >= MOST {
            lately.retain(|_, said| now.saturating_sub(said.at) < QUIET_MS);
        }
        (lately.len() < MOST).then(|| {
            lately.insert(thing.to_owned(), Said { at: now, hidden: 0 });
            0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_spoken_of_once_a_minute_with_how_often_it_was_not() {
        let repeats = Repeats::default();
        assert_eq!(repeats.admit("a", 1_000), Some(0));
        assert_eq!(repeats.admit("b", 1_000), Some(0));
        for now in [1_000, 30_000, 60_999] {
            assert_eq!(repeats.admit("a", now), None);
        }
        assert_eq!(repeats.admit("a", 61_000), Some(3));
        assert_eq!(repeats.admit("a", 61_001), None);
        assert_eq!(repeats.admit("b", 90_000), Some(0));
    }

    #[test]
    fn memory_is_bounded() {
        let repeats = Repeats::default();
        let spoken = |from: usize, now| {
            let names = from..from + 2 * MOST;
            let spoken = names.filter(|n| repeats.admit(&n.to_string(), now).is_some());
            spoken.count()
        };
        assert_eq!(spoken(0, 1_000), MOST);
        assert_eq!(spoken(10_000, 2_000), 0);
        assert_eq!(spoken(20_000, 61_000), MOST);
        assert_eq!(repeats.0.lock().len(), MOST);
    }
}
