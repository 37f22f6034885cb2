//! The network threads: a reactor each; the first one is also the relief reader.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use sipwright_sip::types::Millis;

use super::NetError;
use super::reactor::Reactor;
use super::shared::{Phase, Shared, does_tls};
use super::sys;
use super::threads::{self, ThreadKind};

/// Longest time that farewells may take at the end, milliseconds. Together with
/// what a turn takes it stays well below the 2 s that `stop` promises.
const FAREWELL_MS: Millis = 500;
/// How long no worker may have waited before the relief reader helps workers that lag.
const LAGGING_AFTER_MS: Millis = 1;

/// Starts every network thread.
pub fn start(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>, NetError> {
    let kind = if does_tls(&shared.cfg) {
        ThreadKind::Tls
    } else {
        ThreadKind::Network
    };
    let reactors: Result<Vec<_>, _> = (0..shared.net_threads)
        .map(|index| Reactor::new(shared, index))
        .collect();
    let mut handles = Vec::new();
    for (index, reactor) in reactors?.into_iter().enumerate() {
        let name = &shared.mailboxes[index].name;
        let relief = (index == 0).then(|| Relief::new(shared));
        let thread = threads::spawn(name, kind, move || run(reactor, relief));
        handles.push(thread.map_err(|e| NetError::new(format!("thread {name}: {e}")))?);
    }
    Ok(handles)
}

fn run(mut reactor: Reactor, mut relief: Option<Relief>) {
    let shared = Arc::clone(&reactor.cx.shared);
    let mut accepting = false;
    while shared.phase() < Phase::Stopped {
        let accept = shared.phase() == Phase::Running;
        if accept != accepting {
            accepting = accept;
            if accept {
                reactor.start_accepting()
            } else {
                reactor.stop_accepting()
            }
        }
        let turn = AssertUnwindSafe(|| {
            let timeout = relief.as_mut().and_then(|r| r.watch(&mut reactor));
            reactor.poll(timeout);
            threads::works(reactor.cx.now);
            reactor.process();
            threads::rests();
        });
        if catch_unwind(turn).is_err() {
            // The panic hook has said what and where; other connections go on.
            shared.stats.thread_panics.inc();
        }
    }
    let deadline = sys::monotonic_ms() + FAREWELL_MS;
    if catch_unwind(AssertUnwindSafe(|| reactor.wind_up(deadline))).is_err() {
        shared.stats.thread_panics.inc();
    }
}

/// Reads UDP while no worker does, so that retransmissions, CANCEL, 100 and 503 go on.
///
/// A worker that leaves its wait as the last one arms it. While armed it looks
/// every `relief_after_ms`, and more often when the workers lag; when a worker waits at such a moment it is disarmed,
/// and at rest, with a worker waiting, nothing ticks.
struct Relief {
    after_ms: Millis,
    has_udp: bool,
    active: bool,
    passes: u64,
    look_at: Option<Millis>,
}

impl Relief {
    fn new(shared: &Shared) -> Self {
        shared.presence.arm();
        Self {
            after_ms: shared.cfg.relief_after_ms.max(1),
            has_udp: shared.sockets().udp.iter().any(Option::is_some),
            active: false,
            passes: shared.presence.passes(),
            look_at: None,
        }
    }

    /// Takes over or steps back; how long the reactor may sleep.
    fn watch(&mut self, reactor: &mut Reactor) -> Option<u64> {
        let shared = Arc::clone(&reactor.cx.shared);
        let presence = &shared.presence;
        if !self.has_udp {
            return None;
        }
        if self.active {
            if presence.inside() == 0 {
                // Datagrams wake us, and a worker that is back does not have to.
                return None;
            }
            self.active = false;
            self.look_at = None;
            reactor.watch_udp(false, true);
        }
        if !presence.is_armed() {
            self.look_at = None;
            return None;
        }
        let now = sys::monotonic_ms();
        let after_ms = self.after_ms(reactor);
        let at = *self.look_at.get_or_insert_with(|| {
            self.passes = presence.passes();
            now + after_ms
        });
        if now < at {
            return Some(at - now);
        }
        self.look(reactor, now)
    }

    fn look(&mut self, reactor: &mut Reactor, now: Millis) -> Option<u64> {
        let shared = Arc::clone(&reactor.cx.shared);
        let presence = &shared.presence;
        let passes = presence.passes();
        self.look_at = None;
        if presence.inside() > 0 {
            if presence.disarm() {
                return None;
            }
        } else if passes == self.passes {
            self.active = true;
            shared.stats.relief_activations.inc();
            reactor.watch_udp(true, true);
            return None;
        }
        let after_ms = self.after_ms(reactor);
        self.passes = passes;
        self.look_at = Some(now + after_ms);
        Some(after_ms)
    }

    /// How long no worker may have waited. Where messages wait too long anyway nothing is to be gained by leaving
    /// them to the workers, and what needs none of these, as responses do mostly, is not to wait with the rest.
    fn after_ms(&self, reactor: &Reactor) -> Millis {
        if reactor.cx.sink.is_lagging() {
            LAGGING_AFTER_MS
        } else {
            self.after_ms
        }
    }
}
