//! A script worker's share of the sockets.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

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
}

/// What one script worker reads: the UDP sockets while it has the lead, its wake-ups, and in TLS modes 0 and 1 the connections that it owns.
pub struct WorkerPort {
    shared: Arc<Shared>,
    index: usize,
    /// `None` once stopped.
    reactor: Option<Reactor>,
    /// Whether it watches the UDP sockets; see [`Lead`](super::shared::Lead).
    leads: bool,
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
            shared.lead.set_away(false);
            shared.nudge.call_off();
        }
        let _present = Present::enter(shared);
        let asleep = &shared.asleep[self.index];
        asleep.store(true, Ordering::SeqCst);
        // Pairs with the fence in Shared::wake_worker.
        fence(Ordering::SeqCst);
        let jobs = reactor.cx.sink.jobs_pending();
        let timeout = if jobs {
            Some(0)
        } else {
            timeout.map(sys::ceil_ms)
        };
        reactor.poll(timeout);
        asleep.store(false, Ordering::SeqCst);
        let woken = reactor.process() | jobs;
        if std::mem::take(&mut reactor.nudged) {
            shared.lead.take_over(self.index);
        }
        if self.leads && (woken || reactor.cx.messages > 0) {
            shared.lead.set_away(true);
            shared.nudge.call();
        }
        WaitResult {
            messages: reactor.cx.messages,
            woken,
            stopped: !shared.alive(),
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
