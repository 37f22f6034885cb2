//! What passes in both directions by method and class, and how long each route takes: for
//! live views. [`crate::traffic`] has more detail of what arrives.

use std::collections::HashMap;

use crate::stats::Counter;
use crate::sync::{OrderedMutex, rank};

/// Methods that are counted by name (RFC 3261, 3262, 3311, 3428, 3515, 3903, 6086, 6665).
pub const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
    "other",
];
/// Classes of responses.
pub const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"];
/// Routes with a name of their own; scripts may make names up.
const MOST_ROUTES: usize = 256;
const OTHER_ROUTES: &str = "other";

/// How often something happened and how long it took.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// Microseconds in all.
    pub total_us: u64,
    /// The longest, in microseconds.
    pub longest_us: u64,
}

impl Times {
    const fn add(&mut self, us: u64) {
        self.count += 1;
        self.total_us += us;
        if us > self.longest_us {
            self.longest_us = us;
        }
    }
}

/// Counters of one direction.
#[derive(Debug, Default)]
struct Direction {
    requests: [Counter; METHODS.len()],
    responses: [Counter; CLASSES.len()],
}

/// See the module.
#[derive(Debug)]
pub struct Passed {
    received: Direction,
    sent: Direction,
    // A leaf: nothing else is locked while it is held.
    routes: OrderedMutex<HashMap<String, Times>>,
}

impl Default for Passed {
    fn default() -> Self {
        Self {
            received: Direction::default(),
            sent: Direction::default(),
            routes: OrderedMutex::new(rank::ROUTES, HashMap::new()),
        }
    }
}

impl Passed {
    /// Counts a message by its first bytes.
    pub fn count(&self, sent: bool, bytes: &[u8]) {
        let direction = if sent { &self.sent } else { &self.received };
        if let Some(status) = bytes.strip_prefix(b"SIP/2.0 ") {
            let class = status.first().map(|digit| digit.wrapping_sub(b'1'));
            if let Some(counter) = class.and_then(|c| direction.responses.get(usize::from(c))) {
                counter.inc();
            }
        } else {
            direction.requests[method_index(bytes)].inc();
        }
    }

    /// A route has taken so many microseconds.
    pub fn ran(&self, route: &str, us: u64) {
        let mut routes = self.routes.lock();
        if let Some(times) = routes.get_mut(route) {
            times.add(us);
            return;
        }
        let is_full = routes.len() >= MOST_ROUTES;
        let name = if is_full { OTHER_ROUTES } else { route };
        routes.entry(name.to_owned()).or_default().add(us);
    }

    /// Requests by method as `(name, received, sent)`.
    #[must_use]
    pub fn requests(&self) -> Vec<(&'static str, u64, u64)> {
        let both = self.received.requests.iter().zip(&self.sent.requests);
        let rows = METHODS.iter().zip(both);
        rows.map(|(name, (r, s))| (*name, r.get(), s.get()))
            .collect()
    }

    /// Responses by class as `(name, received, sent)`.
    #[must_use]
    pub fn responses(&self) -> Vec<(&'static str, u64, u64)> {
        let both = self.received.responses.iter().zip(&self.sent.responses);
        let rows = CLASSES.iter().zip(both);
        rows.map(|(name, (r, s))| (*name, r.get(), s.get()))
            .collect()
    }

    /// Times of routes by name.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, Times)> {
        let routes = self.routes.lock();
        let mut rows: Vec<_> = routes.iter().map(|(n, t)| (n.clone(), *t)).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }
}

fn method_index(bytes: &[u8]) -> usize {
    let end = bytes.iter().take(16).position(|b| *b == b' ').unwrap_or(0);
    let name = &bytes[..end];
    let known = METHODS.iter().position(|m| m.as_bytes() == name);
    known.unwrap_or(METHODS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_method_and_class() {
        let passed = Passed::default();
        for text in [
            "INVITE sip:a SIP/2.0",
            "invite sip:a SIP/2.0",
            "FOO sip:a SIP/2.0",
            "",
        ] {
            passed.count(false, text.as_bytes());
        }
        for text in [
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK",
            "SIP/2.0 299 OK",
            "SIP/2.0 ",
            "SIP/2.0 900 X",
        ] {
            passed.count(true, text.as_bytes());
        }
        assert_eq!(passed.requests()[0], ("INVITE", 1, 0));
        assert_eq!(passed.requests()[14], ("other", 3, 0));
        assert_eq!(passed.responses()[..2], [("1xx", 0, 1), ("2xx", 0, 2)]);
        assert_eq!(passed.responses().iter().map(|r| r.2).sum::<u64>(), 3);
    }

    #[test]
    fn names_that_a_script_makes_up_share_one_row() {
        let passed = Passed::default();
        for n in 0..MOST_ROUTES + 10 {
            passed.ran(&format!("r{n}"), 5);
        }
        passed.ran("r1", 9);
        let rows = passed.routes();
        assert_eq!(rows.len(), MOST_ROUTES + 1);
        let of = |name: &str| rows.iter().find(|r| r.0 == name).map(|r| r.1);
        assert_eq!(
            of("other"),
            Some(Times {
                count: 10,
                total_us: 50,
                longest_us: 5
            })
        );
        assert_eq!(
            of("r1"),
            Some(Times {
                count: 2,
                total_us: 14,
                longest_us: 9
            })
        );
    }
}
