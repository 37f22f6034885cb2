//! What a layer counts. Plain numbers: they lie under the lock of their shard.

use crate::types::Millis;

/// Upper bounds of the times to a final response, in milliseconds; what took longer
/// comes last.
pub const RESPONSE_BOUNDS_MS: [Millis; 12] = [
    1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 30_000,
];

/// Sums since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Requests that went to the next target of their URI (RFC 3263 section 4.3).
    pub failovers: u64,
    /// Transactions made.
    pub created: u64,
    /// Those among them for requests of our own.
    pub local: u64,
    /// Transactions that are gone.
    pub freed: u64,
    /// Responses that belonged to a transaction.
    pub received: u64,
    /// Responses of the script.
    pub generated: u64,
    /// Responses sent to clients, those repeated without being asked for left out.
    pub sent: u64,
    /// Transactions by the first digit of their final response.
    pub finals: [u64; 7],
    /// Those of clients by the time to their final response.
    pub response: [u64; RESPONSE_BOUNDS_MS.len() + 1],
    /// Sum of these times, in milliseconds.
    pub response_sum_ms: u64,
}

impl Counts {
    /// A final response was decided on, for a request of a client after that time.
    pub(super) fn decided(&mut self, code: u16, after: Option<Millis>) {
        if let Some(count) = self.finals.get_mut(usize::from(code / 100)) {
            *count += 1;
        }
        if let Some(ms) = after {
            let place = RESPONSE_BOUNDS_MS.partition_point(|bound| *bound < ms);
            self.response[place] += 1;
            self.response_sum_ms += ms;
        }
    }

    /// Adds those of another shard.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.failovers, other.failovers),
            (&mut self.created, other.created),
            (&mut self.local, other.local),
            (&mut self.freed, other.freed),
            (&mut self.received, other.received),
            (&mut self.generated, other.generated),
            (&mut self.sent, other.sent),
            (&mut self.response_sum_ms, other.response_sum_ms),
        ];
        for (own, more) in pairs {
            *own += more;
        }
        let finals = self.finals.iter_mut().zip(other.finals);
        let response = self.response.iter_mut().zip(other.response);
        for (own, more) in finals.chain(response) {
            *own += more;
        }
    }
}
