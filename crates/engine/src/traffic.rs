//! What arrives and leaves, by method and code, and how long things take. Relaxed
//! atomics: each is right, a snapshot is not one instant.

use sipwright_sip::message::Message;
use sipwright_sip::method::Method;

use crate::passed::Times;
use crate::stats::Counter;

/// The methods that are counted apart; any other is the last.
pub const METHODS: [Method; 15] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Options,
    Method::Register,
    Method::Prack,
    Method::Subscribe,
    Method::Notify,
    Method::Publish,
    Method::Info,
    Method::Refer,
    Method::Message,
    Method::Update,
    Method::Other,
];
const CODES: usize = 600;
const FIRST_CODE: u16 = 100;

/// Upper bounds of the buckets of a [`Histogram`], in microseconds; what took longer
/// comes last.
pub const BOUNDS_US: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000,
    5_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BOUNDS_US.len() + 1],
    sum_us: Counter,
    longest_us: Counter,
}

impl Histogram {
    /// It took that long.
    pub fn note(&self, us: u64) {
        self.buckets[BOUNDS_US.partition_point(|bound| *bound < us)].inc();
        self.sum_us.add(us);
        self.longest_us.raise(us);
    }

    /// How often, how long in all, and the longest.
    #[must_use]
    pub fn times(&self) -> Times {
        Times {
            count: self.buckets.iter().map(Counter::get).sum(),
            total_us: self.sum_us.get(),
            longest_us: self.longest_us.get(),
        }
    }

    /// The buckets, each by itself, and the sum of the times in microseconds.
    #[must_use]
    pub fn snapshot(&self) -> (Vec<u64>, u64) {
        (
            self.buckets.iter().map(Counter::get).collect(),
            self.sum_us.get(),
        )
    }
}

/// Numbers by response code.
#[derive(Debug)]
struct Codes(Vec<Counter>);

impl Default for Codes {
    fn default() -> Self {
        Self((0..CODES).map(|_| Counter::default()).collect())
    }
}

impl Codes {
    fn note(&self, code: u16) {
        let place = usize::from(code.wrapping_sub(FIRST_CODE));
        if let Some(counter) = self.0.get(place) {
            counter.inc();
        }
    }

    fn snapshot(&self) -> Vec<(u16, u64)> {
        let all = (FIRST_CODE..).zip(self.0.iter().map(Counter::get));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

macro_rules! histograms {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What takes how long.
        #[derive(Debug, Default)]
        pub struct Histograms { $($(#[$doc])* pub $name: Histogram,)* }

        impl Histograms {
            /// Every histogram by name: its buckets and its sum in microseconds.
            #[must_use]
            pub fn snapshot(&self) -> Vec<(&'static str, (Vec<u64>, u64))> {
                vec![$((stringify!($name), self.$name.snapshot()),)*]
            }
        }
    };
}

histograms! {
    /// Wait of requests, responses and events for a script worker.
    queue_wait,
    /// Routes of requests.
    request_route,
    /// Routes of responses.
    reply_route,
    /// Failure routes, those of branches too.
    failure_route,
    /// Event routes and all other calls of Python.
    event_route,
}

/// What arrives and leaves.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: [Counter; METHODS.len()],
    responses: [[Counter; 7]; METHODS.len()],
    received: Codes,
    stateless: Codes,
    /// How long things take.
    pub times: Histograms,
}

impl Traffic {
    /// A message arrived.
    pub(crate) fn arrived(&self, msg: &Message) {
        let place = METHODS.iter().position(|method| *method == msg.method());
        let place = place.unwrap_or(METHODS.len() - 1);
        if msg.is_request() {
            self.requests[place].inc();
            return;
        }
        if let Some(counter) = self.responses[place].get(usize::from(msg.status() / 100)) {
            counter.inc();
        }
        self.received.note(msg.status());
    }

    /// A response was sent without a transaction.
    pub(crate) fn answered(&self, code: u16) {
        self.stateless.note(code);
    }

    /// Requests that arrived, by method (empty for any other).
    #[must_use]
    pub fn requests(&self) -> Vec<(&'static str, u64)> {
        let names = METHODS.iter().map(|method| method.as_str());
        names.zip(self.requests.iter().map(Counter::get)).collect()
    }

    /// Responses that arrived, by method and the first digit of their code.
    #[must_use]
    pub fn responses(&self) -> Vec<(&'static str, [u64; 7])> {
        let names = METHODS.iter().map(|method| method.as_str());
        let rows = self.responses.iter();
        names
            .zip(rows.map(|row| std::array::from_fn(|digit| row[digit].get())))
            .collect()
    }

    /// Responses that arrived, by code.
    #[must_use]
    pub fn received_codes(&self) -> Vec<(u16, u64)> {
        self.received.snapshot()
    }

    /// Responses sent without a transaction, by code.
    #[must_use]
    pub fn stateless_codes(&self) -> Vec<(u16, u64)> {
        self.stateless.snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_the_bucket_that_ends_with_them() {
        let times = Histogram::default();
        for us in [0, 50, 51, 5_000_000, 5_000_001] {
            times.note(us);
        }
        let (buckets, sum) = times.snapshot();
        assert_eq!(buckets.len(), BOUNDS_US.len() + 1);
        assert_eq!((buckets[0], buckets[1]), (2, 1));
        assert_eq!(buckets[13..], [1, 1]);
        assert_eq!(sum, 10_000_102);
    }

    #[test]
    fn waits_have_a_longest() {
        let waits = Histogram::default();
        waits.note(7);
        waits.note(3);
        assert_eq!(
            waits.times(),
            Times {
                count: 2,
                total_us: 10,
                longest_us: 7
            }
        );
    }

    #[test]
    fn codes_that_are_none_are_left_out() {
        let codes = Codes::default();
        for code in [0, 99, 100, 200, 200, 699, 700] {
            codes.note(code);
        }
        assert_eq!(codes.snapshot(), [(100, 1), (200, 2), (699, 1)]);
    }
}
