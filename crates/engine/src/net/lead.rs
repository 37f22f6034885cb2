//! Which worker reads UDP, and what calls another one when it is stuck in its script.
//! `tests/loom` searches its interleavings.

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A timer that wakes one of the workers that wait: a timerfd in their epoll sets.
pub trait Alarm {
    /// Fires after `after`; zero sets it back, also when it has fired already.
    fn set(&self, after: Duration);
}

/// How long jobs may wait for the worker that read them before another is called.
pub const STUCK_AFTER_US: u64 = 1_000;
/// The same while no worker has been stuck for [`EXACT_FOR_US`].
const LAZY_US: u64 = 10_000;
/// How long the timer is exact after a worker was stuck.
const EXACT_FOR_US: u64 = 10_000_000;

/// Calls another worker for jobs that wait too long, because the one that read them is
/// stuck in its script.
///
/// Setting a timer and setting it back for every batch costs more than the
/// rest of the batch's system calls where the hardware's timer is behind a
/// hypervisor. While scripts come back at once the timer is therefore left
/// to run out, every [`LAZY_US`] at most; whoever it wakes looks whether anybody is
/// stuck. Once somebody was, it is exact for a while.
pub struct Nudge<A> {
    timer: A,
    set: AtomicBool,
    exact_until_us: AtomicU64,
}

impl<A: Alarm> Nudge<A> {
    /// Not called yet.
    pub fn new(timer: A) -> Self {
        Self {
            timer,
            set: AtomicBool::new(false),
            exact_until_us: AtomicU64::new(0),
        }
    }

    /// For epoll.
    pub const fn timer(&self) -> &A {
        &self.timer
    }

    /// Some worker is woken in a while unless called off.
    pub fn call(&self, now_us: u64) {
        if !self.set.swap(true, Ordering::SeqCst) {
            let exact = self.is_exact(now_us);
            let after = if exact { STUCK_AFTER_US } else { LAZY_US };
            self.timer.set(Duration::from_micros(after));
        }
    }

    /// No job waits any more.
    pub fn call_off(&self, now_us: u64) {
        if self.is_exact(now_us) && self.set.load(Ordering::SeqCst) {
            self.came();
        }
    }

    /// The timer ran out. Who calls this looks at the jobs afterwards, or puts the timer off.
    pub fn came(&self) {
        // In this order, else a call in between would have its timer set back, and
        // later ones would rely on it for ever. The swap shows us the job of one that
        // finds the timer still set.
        self.timer.set(Duration::ZERO);
        self.set.swap(false, Ordering::SeqCst);
    }

    /// It came too early: some worker is woken after this time.
    pub fn put_off(&self, after_us: u64) {
        self.set.store(true, Ordering::SeqCst);
        self.timer.set(Duration::from_micros(after_us.max(1)));
    }

    /// A worker was stuck.
    pub fn be_exact(&self, now_us: u64) {
        self.exact_until_us
            .store(now_us + EXACT_FOR_US, Ordering::Relaxed);
    }

    fn is_exact(&self, now_us: u64) -> bool {
        now_us < self.exact_until_us.load(Ordering::Relaxed)
    }
}

/// Which worker reads the UDP sockets. It keeps that part while it runs the script, since
/// it mostly comes back at once; two that read would only pass the GIL to and fro. If
/// it stays away the nudge calls another one, which takes the part over.
#[derive(Default)]
pub struct Lead {
    /// The index of the worker plus one, 0 for none, above [`SINCE_BITS`] bits that say
    /// since when it is away, in microseconds, 0 while it is not. In one word: a holder
    /// that comes back just when it is replaced must not say so of the next one.
    state: AtomicU64,
}

/// Nine years.
const SINCE_BITS: u32 = 48;

/// What the worker that the nudge woke finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// The holder waits for messages, as it should.
    Present,
    /// It has been in the script for these microseconds, which is not yet long.
    Away(u64),
    /// It is stuck; its part has been taken over.
    Stuck,
}

impl Lead {
    const fn state(index: usize, since_us: u64) -> u64 {
        ((index as u64 + 1) << SINCE_BITS) | since_us
    }

    const fn parts(state: u64) -> (u64, u64) {
        (state >> SINCE_BITS, state & ((1 << SINCE_BITS) - 1))
    }

    /// Worker `index` is there; whether it has the part, which it gets when it is free.
    pub fn back(&self, index: usize) -> bool {
        let mine = index as u64 + 1;
        self.change(|holder| (holder == 0 || holder == mine).then(|| Self::state(index, 0)))
    }

    /// Worker `index` leaves for the script. Nothing to say unless it has the part.
    pub fn leave(&self, index: usize, now_us: u64) {
        let mine = index as u64 + 1;
        self.change(|holder| (holder == mine).then(|| Self::state(index, now_us.max(1))));
    }

    /// Gives worker `index` the part of a holder that stays away.
    pub fn look_after(&self, index: usize, now_us: u64) -> Found {
        let state = self.state.load(Ordering::SeqCst);
        let (_, since) = Self::parts(state);
        if since == 0 {
            return Found::Present;
        }
        let away = now_us.saturating_sub(since);
        if away < STUCK_AFTER_US {
            return Found::Away(away);
        }
        let taken = Self::state(index, 0);
        let same = self
            .state
            .compare_exchange(state, taken, Ordering::SeqCst, Ordering::SeqCst);
        if same.is_ok() {
            Found::Stuck
        } else {
            Found::Present
        }
    }

    /// Worker `index` will not wait again.
    pub fn release(&self, index: usize) {
        let mine = index as u64 + 1;
        self.change(|holder| (holder == mine).then_some(0));
    }

    /// Goes from one state to the next; false where there is none.
    fn change(&self, next: impl Fn(u64) -> Option<u64>) -> bool {
        let step = |state| next(Self::parts(state).0);
        self.state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
            .is_ok()
    }
}
