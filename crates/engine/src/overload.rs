//! Which requests are refused because messages wait for too long.
//!
//! A worker that takes up a late request refuses it if others wait behind it: whatever came at once, in the first moments of
//! an overload or from a socket that nobody read while every worker was in its script, nothing is served that waited for
//! longer than is allowed. Then the workers lag, and a request that arrives is refused as soon as it is known
//! that it would be late: the oldest message of the queue is, or there are too many for the pace at which the workers
//! took them up of late.

use std::sync::atomic::{AtomicU64, Ordering};

use sipwright_sip::message::Message;
use sipwright_sip::method::Method;

use crate::core::Core;
use crate::job::Job;

/// For how long workers lag after a message that was late. When none has taken up anything for this long although
/// messages waited, all were stuck.
const STUCK_US: u64 = 200_000;
/// Of how many messages the pace is the average, roughly.
const PACE_OF: u64 = 8;

/// How long messages wait before a worker takes them up; all atomic, no lock.
#[derive(Debug)]
pub(crate) struct Lag {
    /// What waited for longer is late; 0 for no bound.
    limit_us: u64,
    last_taken_us: AtomicU64,
    last_wait_us: AtomicU64,
    last_late_us: AtomicU64,
    stuck_until_us: AtomicU64,
    /// When a worker took up the message served last, if others waited behind it; else 0.
    busy_since_us: AtomicU64,
    /// Time from one message served to the next while others waited, as a moving average.
    pace_ns: AtomicU64,
}

impl Lag {
    /// Nothing has waited so far; what waits for longer than `limit_us` will be late, for 0 nothing.
    pub fn new(limit_us: u64) -> Self {
        Self {
            limit_us,
            last_taken_us: AtomicU64::new(0),
            last_wait_us: AtomicU64::new(0),
            last_late_us: AtomicU64::new(0),
            stuck_until_us: AtomicU64::new(0),
            busy_since_us: AtomicU64::new(0),
            pace_ns: AtomicU64::new(0),
        }
    }

    /// A worker takes up a message now, which has waited for so long.
    pub fn taken(&self, now_us: u64, waited_us: u64) {
        if self.limit_us == 0 {
            return;
        }
        let before_us = self.last_taken_us.swap(now_us, Ordering::Relaxed);
        if now_us.saturating_sub(before_us) >= STUCK_US.max(self.limit_us) {
            self.stuck_until_us.store(now_us, Ordering::Relaxed);
        }
        self.last_wait_us.store(waited_us, Ordering::Relaxed);
        if self.is_late(waited_us) {
            self.last_late_us.store(now_us, Ordering::Relaxed);
        }
    }

    /// The message that a worker has taken up now is served; whether others wait behind it.
    pub fn serves(&self, now_us: u64, others_wait: bool) {
        let since_us = if others_wait { now_us } else { 0 };
        let before_us = self.busy_since_us.swap(since_us, Ordering::Relaxed);
        if self.limit_us == 0 || before_us == 0 {
            return;
        }
        // One that took longer than any may wait says no more than one that took as long.
        let took_ns = 1000 * now_us.saturating_sub(before_us).min(self.limit_us);
        let pace_ns = match self.pace_ns.load(Ordering::Relaxed) {
            0 => took_ns,
            pace_ns => pace_ns - pace_ns / PACE_OF + took_ns / PACE_OF,
        };
        self.pace_ns.store(pace_ns, Ordering::Relaxed);
    }

    /// Whether what comes behind so many messages will be late.
    pub fn will_be_late(&self, waiting: usize) -> bool {
        let pace_ns = self.pace_ns.load(Ordering::Relaxed);
        self.is_late(pace_ns.saturating_mul(waiting as u64) / 1000)
    }

    /// Whether a message that has waited for so long is late.
    pub const fn is_late(&self, waited_us: u64) -> bool {
        self.limit_us != 0 && waited_us > self.limit_us
    }

    /// Whether messages are late although the workers take them up. Workers that are stuck take up nothing; what waits
    /// for them is bounded by number alone.
    pub fn is_lagging(&self, now_us: u64) -> bool {
        if self.is_late(self.last_wait_us.load(Ordering::Relaxed)) {
            return true;
        }
        let late_us = self.last_late_us.load(Ordering::Relaxed);
        late_us != 0 && now_us.saturating_sub(late_us) < STUCK_US
    }

    /// Whether what has waited since then did so while every worker was stuck.
    pub fn was_stuck(&self, since_us: u64) -> bool {
        since_us <= self.stuck_until_us.load(Ordering::Relaxed)
    }
}

/// Whether a request begins something. What belongs to a dialog or a transaction is let in, so that calls that were
/// accepted go on and end.
fn begins(msg: &Message) -> bool {
    !matches!(msg.method(), Method::Ack | Method::Cancel) && msg.to_tag().is_none()
}

impl Core {
    /// Whether a request that arrives now is too much.
    pub(crate) fn is_too_much(&self, msg: &Message) -> bool {
        let now_us = self.now_us();
        if !begins(msg) || !self.lag.is_lagging(now_us) {
            return false;
        }
        let since_us = self.queue.oldest(|queued| queued.at_us);
        let oldest_is_late = |at| self.lag.is_late(now_us.saturating_sub(at));
        self.lag.will_be_late(self.queue.len()) || since_us.is_some_and(oldest_is_late)
    }

    /// The job that a worker takes from the queue now, unless it is a late request that begins something: it is refused if
    /// others wait behind it, which serving it would make late as well.
    pub(crate) fn admit(&self, job: Job, at_us: u64, now_us: u64) -> Option<Job> {
        let waited_us = now_us.saturating_sub(at_us);
        self.lag.taken(now_us, waited_us);
        let others_wait = !self.queue.is_empty();
        let is_too_late = self.lag.is_late(waited_us) && !self.lag.was_stuck(at_us);
        if let Job::Request { msg, flow, key } = &job
            && is_too_late
            && others_wait
            && begins(msg)
        {
            self.pending.remove(*key);
            self.refuse_overload(msg, flow);
            return None;
        }
        self.lag.serves(now_us, others_wait);
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_US: u64 = 5_000;
    const START_US: u64 = 1_000_000;

    #[test]
    fn workers_lag_for_a_while_after_what_was_late() {
        let lag = Lag::new(LIMIT_US);
        lag.taken(START_US, LIMIT_US);
        assert!(!lag.is_lagging(START_US), "as long as is allowed");
        lag.taken(START_US, LIMIT_US + 1);
        lag.taken(START_US + 1, 0);
        assert!(lag.is_lagging(START_US + STUCK_US - 1));
        assert!(!lag.is_lagging(START_US + STUCK_US), "they keep up again");
        lag.taken(START_US + STUCK_US, LIMIT_US + 1);
        assert!(
            lag.is_lagging(START_US + 10 * STUCK_US),
            "nothing says that they keep up"
        );
    }

    #[test]
    fn workers_were_stuck_when_none_took_anything_up_for_long() {
        let lag = Lag::new(LIMIT_US);
        lag.taken(START_US, 0);
        let slow = START_US + STUCK_US - 1;
        lag.taken(slow, 0);
        assert!(!lag.was_stuck(START_US + 1), "they are slow");
        let back = slow + STUCK_US;
        lag.taken(back, STUCK_US);
        assert!(lag.was_stuck(back), "it came before they were back");
        assert!(!lag.was_stuck(back + 1), "it came afterwards");
    }

    #[test]
    fn slow_workers_are_not_stuck_while_waiting_for_them_is_allowed() {
        let lag = Lag::new(10 * STUCK_US);
        lag.taken(START_US, 0);
        lag.taken(START_US + 2 * STUCK_US, 0);
        assert!(!lag.was_stuck(START_US + 1));
    }

    #[test]
    fn how_many_may_wait_follows_the_pace_of_the_workers() {
        let lag = Lag::new(LIMIT_US);
        assert!(!lag.will_be_late(1_000), "nothing is known yet");
        let mut now_us = START_US;
        let mut serve = |took_us: u64, others_wait| {
            now_us += took_us;
            lag.serves(now_us, others_wait);
        };
        (0..100).for_each(|_| serve(1_000, true));
        assert!(!lag.will_be_late(5));
        assert!(lag.will_be_late(6));
        serve(1_000, false);
        serve(3_600_000_000, true);
        assert!(!lag.will_be_late(5), "nobody waited in the hour before");
        (0..100).for_each(|_| serve(500, true));
        assert!(!lag.will_be_late(9));
        assert!(lag.will_be_late(11));
        serve(3_600_000_000, true);
        assert!(!lag.will_be_late(4), "one that took very long");
    }

    #[test]
    fn without_a_limit_nothing_is_late() {
        let lag = Lag::new(0);
        lag.taken(START_US, u64::MAX);
        lag.serves(START_US, true);
        lag.serves(2 * START_US, true);
        assert!(!lag.is_late(u64::MAX) && !lag.is_lagging(START_US) && !lag.will_be_late(1_000));
    }
}
