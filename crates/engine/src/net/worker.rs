//! A script worker's share of the sockets.

use std::sync::Arc;
use std::time::Duration;

use super::lead::{Found, STUCK_AFTER_US};
use super::reactor::Reactor;
use super::shared::Shared;
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
    /// Whether the UDP sockets are its part; see [`Lead`](super::lead::Lead).
    leads: bool,
    /// Whether it watches them.
    watches: bool,
    /// Whether the jobs that wait are another worker's for now.
    stands_back: bool,
}

impl WorkerPort {
    pub(super) fn new(shared: &Arc<Shared>, index: usize) -> Result<Self, NetError> {
        if index >= shared.sleepers.len() {
            return Err(NetError::new(format!("there is no worker {index}")));
        }
        let mut reactor = Reactor::new(shared, shared.net_threads + index)?;
        reactor.watch_nudge()?;
        Ok(Self {
            shared: Arc::clone(shared),
            index,
            reactor: Some(reactor),
            leads: false,
            watches: false,
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
        self.leads = shared.lead.back(self.index);
        if self.leads != self.watches {
            reactor.watch_udp(self.leads, false);
            self.watches = self.leads;
        }
        if self.leads {
            shared.nudge.call_off(sys::monotonic_us());
        }
        let _present = Present::enter(shared);
        let stands_back = std::mem::take(&mut self.stands_back);
        let jobs = shared.sleepers.sleep(self.index, || {
            let jobs = !stands_back && reactor.cx.sink.jobs_pending();
            reactor.poll(if jobs {
                Some(0)
            } else {
                timeout.map(sys::ceil_ms)
            });
            jobs
        });
        let woken = reactor.process() | jobs;
        let messages = reactor.cx.messages;
        let nudged = std::mem::take(&mut reactor.nudged);
        let pending = reactor.cx.sink.jobs_pending();
        if nudged {
            let found = answer_nudge(shared, self.index);
            self.leads |= found == Found::Stuck;
            self.stands_back = matches!(found, Found::Away(_)) && !woken && messages == 0;
        }
        if pending || messages > 0 {
            leave(shared, self.index, &mut self.leads);
        }
        WaitResult {
            messages,
            woken: woken | nudged,
            stopped: !self.shared.alive(),
            stand_back: self.stands_back,
        }
    }

    /// Says that this worker goes to its script now: if it stays there, another one is
    /// to read UDP. To be called again when a job is taken up, which may have come
    /// after the wait.
    pub fn leave(&mut self) {
        leave(&self.shared, self.index, &mut self.leads);
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

fn leave(shared: &Shared, index: usize, leads: &mut bool) {
    if std::mem::take(leads) {
        let now_us = sys::monotonic_us();
        shared.lead.leave(index, now_us);
        shared.nudge.call(now_us);
    }
}

/// Looks whether the worker with the lead is stuck. If it is, worker `index` has the
/// part now, and may go to its script at once without having watched anything.
fn answer_nudge(shared: &Shared, index: usize) -> Found {
    let now_us = sys::monotonic_us();
    let found = shared.lead.look_after(index, now_us);
    match found {
        Found::Present => {}
        Found::Stuck => shared.nudge.be_exact(now_us),
        Found::Away(since_us) => shared
            .nudge
            .put_off(STUCK_AFTER_US.saturating_sub(since_us)),
    }
    found
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
