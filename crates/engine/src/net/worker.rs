//! A script worker's share of the sockets.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::reactor::Reactor;
use super::shared::{Found, STUCK_AFTER_US, Shared};
use super::{NetError, sys};

/// Why [`WorkerPort::wait`] returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WaitResult {
    /// Messages given to the sink.
    pub messages: usize,
    /// Somebody woke this worker, or jobs were waiting.
    pub woken: bool,
    /// The engine stops, or this is a forked child: do not wait again.
    pub stopped: bool,
    /// Woken for jobs that the worker which read them is about to take: wait again,
    /// also if there are some.
    pub stand_back: bool,
}

/// What one script worker reads: the UDP sockets while it has the lead, its wake-ups, and in TLS modes 0 and 1 the connections that it owns.
pub struct WorkerPort {
    shared: Arc<Shared>,
    index: usize,
    /// `None` once stopped.
    reactor: Option<Reactor>,
    /// Whether it watches the UDP sockets; see [`Lead`](super::shared::Lead).
    leads: bool,
    /// Whether the jobs that wait are another worker's for now.
    stands_back: bool,
}

impl WorkerPort {
    pub(super) fn new(shared: &Arc<Shared>, index: usize) -> Result<Self, NetError> {
        if index >= shared.asleep.len() {
            return Err(NetError::new(format!("there is no worker {index}")));
        }
        let mut reactor = Reactor::new(shared, shared.net_threads + index)?;
        reactor.watch_nudge()?;
        Ok(Self {
            shared: Arc::clone(shared),
            index,
            reactor: Some(reactor),
            leads: false,
            stands_back: false,
        })
    }

    /// Waits for messages, jobs or the end, at most `timeout` (`None`: no limit),
    /// and serves what came. To be called without the GIL.
    ///
    /// May return early with nothing, as after a timer of a connection.
    pub fn wait(&mut self, timeout: Option<Duration>) -> WaitResult {
        let stopped = WaitResult {
            stopped: true,
            ..WaitResult::default()
        };
        if !self.shared.alive() {
            self.wind_up();
            return stopped;
        }
        let Some(reactor) = self.reactor.as_mut() else {
            return stopped;
        };
        let shared = &self.shared;
        let leads = shared.lead.holds(self.index);
        if leads != self.leads {
            reactor.watch_udp(leads, false);
            self.leads = leads;
        }
        if leads {
            shared.lead.back();
            shared.nudge.call_off(sys::monotonic_us());
        }
        let _present = Present::enter(shared);
        let asleep = &shared.asleep[self.index];
        asleep.store(true, Ordering::SeqCst);
        // Pairs with the fence in Shared::wake_worker.
        fence(Ordering::SeqCst);
        let jobs = !std::mem::take(&mut self.stands_back) && reactor.cx.sink.jobs_pending();
        let timeout = if jobs {
            Some(0)
        } else {
            timeout.map(sys::ceil_ms)
        };
        reactor.poll(timeout);
        asleep.store(false, Ordering::SeqCst);
        let woken = reactor.process() | jobs;
        let messages = reactor.cx.messages;
        if std::mem::take(&mut reactor.nudged) {
            self.stands_back = answer_nudge(shared, self.index) && !woken && messages == 0;
        }
        if self.leads && (woken || messages > 0) {
            let now_us = sys::monotonic_us();
            shared.lead.leave(now_us);
            shared.nudge.call(now_us);
        }
        WaitResult {
            messages,
            woken,
            stopped: !shared.alive(),
            stand_back: self.stands_back,
        }
    }

    fn wind_up(&mut self) {
        self.shared.lead.release(self.index);
        let Some(mut reactor) = self.reactor.take() else {
            return;
        };
        if self.shared.is_own_process() {
            // A farewell is tried, but nobody waits for it here.
            reactor.wind_up(0);
        }
        // In a forked child the descriptors are only closed: epoll, TLS sessions and
        // locks are the parent's.
    }
}

/// Looks whether the worker with the lead is stuck; true if it is at work and not stuck yet.
fn answer_nudge(shared: &Shared, index: usize) -> bool {
    let now_us = sys::monotonic_us();
    match shared.lead.look_after(index, now_us) {
        Found::Present => false,
        Found::Stuck => {
            shared.nudge.be_exact(now_us);
            false
        }
        Found::Away(since_us) => {
            shared
                .nudge
                .put_off(STUCK_AFTER_US.saturating_sub(since_us));
            true
        }
    }
}

impl Drop for WorkerPort {
    fn drop(&mut self) {
        self.wind_up();
    }
}

/// Tells the relief reader that a worker is there, also if the wait panics.
struct Present<'a>(&'a Shared);

impl<'a> Present<'a> {
    fn enter(shared: &'a Shared) -> Self {
        shared.presence.enter();
        Self(shared)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if self.0.presence.leave() {
            self.0.mailboxes[0].waker().wake();
        }
    }
}
