//! The engine as a whole: the order in which it comes up and goes down.
//!
//! 1. [`Engine::new`] reads the settings.
//! 2. [`Engine::bind`] loads certificates and binds sockets. Then Python loads the
//!    script and starts its workers.
//! 3. [`Engine::start`] begins to accept.
//!
//! Down it goes in reverse: stop accepting, drain, stop.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sipwright_sip::message::Message;
use sipwright_sip::script::{Env, Vars};
use sipwright_sip::types::Millis;

use crate::clock::Clock;
use crate::config::{EngineConfig, TlsConfig};
use crate::core::Core;
use crate::job::Queued;
use crate::log::{self, level};
use crate::net::threads::{self, ThreadKind};
use crate::net::{Net, NetError, Sink, WorkerPort};
use crate::record::Instant;
use crate::session::{Callback, Current};
use crate::shift::Shift;
use crate::sync::{OrderedMutex, rank};
use crate::watch::Finding;

/// The timer thread sleeps no longer than this, so that a timer set meanwhile
/// is late by no more.
const TICK_BUSY_MS: Millis = 40;
/// Nor does it sleep shorter: what falls due in between is done together. Waking a
/// thread costs more than what most timers have to do, which is to forget a transaction.
const TICK_MS: Millis = 20;
/// The same while no transaction and no request is in work.
const TICK_IDLE_MS: Millis = 100;

/// What a worker does now, for the watchdog.
#[derive(Clone, Debug)]
pub struct Busy {
    /// Number of the worker, from 1.
    pub worker: usize,
    /// Milliseconds since it took the message up.
    pub for_ms: u64,
    /// Name of the route.
    pub callback: String,
    /// The message.
    pub msg: Arc<Message>,
}

impl Busy {
    fn describe(&self) -> String {
        let call_id = String::from_utf8_lossy(self.msg.call_id());
        let (worker, route, ms) = (self.worker, &self.callback, self.for_ms);
        format!("worker {worker} is in {route} for {ms} ms (Call-ID {call_id})")
    }
}

#[derive(Debug)]
struct Work {
    since: Millis,
    began: Instant,
    callback: Callback,
    msg: Arc<Message>,
}

/// A worker's state as others see it.
#[derive(Debug)]
struct WorkerState {
    work: OrderedMutex<Option<Work>>,
    done: AtomicU64,
}

/// Sockets, threads and transactions of one server.
pub struct Engine {
    core: Arc<Core>,
    workers: Arc<[WorkerState]>,
    timer: OrderedMutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// The engine for these settings; nothing is bound.
    #[must_use]
    pub fn new(config: EngineConfig) -> Self {
        Self::with_clock(config, Clock::System)
    }

    /// An engine in memory, for tests and replays: it has no sockets and no threads, its
    /// clock is turned by its owner, and [`Net::wire`] is its network.
    #[must_use]
    pub fn in_memory(config: EngineConfig, wall_us: u64) -> Self {
        Self::with_clock(config, Clock::stopped_at(wall_us))
    }

    fn with_clock(config: EngineConfig, clock: Clock) -> Self {
        let idle = || WorkerState {
            work: OrderedMutex::new(rank::WORKER, None),
            done: AtomicU64::new(0),
        };
        let workers = (0..config.workers).map(|_| idle()).collect();
        Self {
            core: Core::with_clock(config, clock),
            workers,
            timer: OrderedMutex::new(rank::TIMER, None),
        }
    }

    /// What transport and script share.
    #[must_use]
    pub const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Loads certificates and binds every socket.
    ///
    /// # Errors
    /// Names the file or the address.
    pub fn bind(&self, env: Env) -> Result<(), NetError> {
        let sink: Arc<dyn Sink> = Arc::clone(&self.core) as Arc<dyn Sink>;
        let in_memory = self.core.clock.as_virtual().is_some();
        let net = match in_memory {
            true => Net::in_memory(&self.core.config, sink)?,
            false => Net::bind(&self.core.config, sink)?,
        };
        for text in net.tls_warnings() {
            log::log(level::WARN, &text);
        }
        let env = Env {
            sockets: net.sockets().to_vec(),
            in_memory,
            ..env
        };
        self.core.attach(net, env);
        Ok(())
    }

    /// Reads everything of TLS again; what the administrator should know of it.
    ///
    /// # Errors
    /// Names the file and the problem; what was in use stays.
    pub fn reload_tls(&self, cfg: &TlsConfig) -> Result<Vec<String>, NetError> {
        let net = self
            .core
            .bound()
            .ok_or_else(|| NetError::new("the engine is not bound"))?;
        net.reload_tls(cfg)?;
        Ok(net.tls_warnings())
    }

    /// Starts the engine's threads, which begin to accept.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(&self) -> Result<(), NetError> {
        let core = Arc::clone(&self.core);
        let workers = Arc::clone(&self.workers);
        let handle = threads::spawn("sw-timer", ThreadKind::Timer, move || {
            run_timers(&core, &workers);
        })
        .map_err(|e| NetError::new(format!("cannot start the timer thread: {e}")))?;
        *self.timer.lock() = Some(handle);
        self.core.dns.start()?;
        self.core.net().start()
    }

    /// The port of worker `index`, from 1.
    ///
    /// # Errors
    /// No such worker, or its port is taken.
    pub fn worker(&self, index: usize) -> Result<Worker, NetError> {
        if !(1..=self.workers.len()).contains(&index) {
            return Err(NetError::new(format!("there is no worker {index}")));
        }
        let port = match self.core.clock.as_virtual() {
            Some(_) => None,
            None => Some(self.core.net().worker(index - 1)?),
        };
        Ok(Worker {
            core: Arc::clone(&self.core),
            port,
            states: Arc::clone(&self.workers),
            index: index - 1,
            active: Cell::new(false),
            vars: Cell::new(initial_vars(&self.core.config)),
        })
    }

    /// Accepts no further connections; a request that begins something new gets 503.
    pub fn stop_accepting(&self) {
        self.core.set_draining();
        if let Some(net) = self.core.bound() {
            net.stop_accepting();
        }
    }

    /// Waits until what was accepted is done; whether it is.
    pub fn drain(&self, limit: Duration) -> bool {
        self.core.drain(limit)
    }

    /// Ends all threads of the engine and closes its sockets. Workers get no
    /// further message. Idempotent.
    pub fn stop(&self) {
        self.core.set_stopping();
        let timer = self.timer.lock().take();
        if let Some(timer) = timer {
            timer.thread().unpark();
            if timer.join().is_err() {
                log::log(level::ERR, "the timer thread had panicked");
            }
        }
        // Workers that wait for a name come back.
        self.core.dns.stop();
        if let Some(net) = self.core.bound() {
            net.wake_all_workers();
            net.stop();
        }
    }

    /// Workers that are in a route now.
    #[must_use]
    pub fn busy(&self) -> Vec<Busy> {
        busy(&self.workers, self.core.now())
    }

    /// Routes that each worker has run.
    #[must_use]
    pub fn done(&self) -> Vec<u64> {
        self.workers
            .iter()
            .map(|w| w.done.load(Ordering::Relaxed))
            .collect()
    }
}

/// The script variables that a worker begins with (Kamailio's pv, `varset`).
fn initial_vars(config: &EngineConfig) -> Vars {
    let mut vars = Vars::default();
    for (name, value) in &config.varset {
        vars.set(name.as_bytes(), value.value());
    }
    vars
}

/// A worker thread's end of the engine.
pub struct Worker {
    core: Arc<Core>,
    /// None in memory, where nobody waits.
    port: Option<WorkerPort>,
    states: Arc<[WorkerState]>,
    index: usize,
    /// Whether it counts as being at work.
    active: Cell<bool>,
    /// `$var(..)`: as with Kamailio, they outlive the message but belong to one worker.
    vars: Cell<Vars>,
}

impl Worker {
    /// What transport and script share.
    #[must_use]
    pub const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Takes a job up if there is one, and sees to it that others do not wait
    /// for this worker while another is free.
    #[must_use]
    pub fn try_next(&mut self) -> Option<Current> {
        loop {
            let Queued { job, at_us } = self.core.queue.pop()?;
            let now_us = self.core.now_us();
            let waited_us = now_us.saturating_sub(at_us);
            self.core.traffic.times.queue_wait.note(waited_us);
            self.core.shift.taken(now_us);
            if !self.active.replace(true) {
                self.core.shift.begin();
                if let Some(port) = &mut self.port {
                    port.leave();
                }
            }
            if !self.core.queue.is_empty() {
                self.core.net().nudge_worker();
            }
            let job = self.core.admit(job, at_us, now_us);
            if let Some(mut current) = job.and_then(|job| self.core.begin(job)) {
                current.began_us = now_us;
                return Some(current);
            }
        }
    }

    fn state(&self) -> &WorkerState {
        &self.states[self.index]
    }

    /// Whether it waits for jobs; in memory there are no others than those that are there.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.port.is_some()
    }

    /// Waits until there is a job, or the engine ends. To be called without the GIL.
    pub fn wait(&mut self) {
        self.rest();
        let Some(port) = &mut self.port else { return };
        let mut stand_back = false;
        while (stand_back || self.core.queue.is_empty()) && !self.core.is_stopping() {
            let result = Shift::reading(|| port.wait(None));
            stand_back = result.stand_back;
            if result.stopped {
                self.core.set_stopping();
            }
        }
    }

    fn rest(&self) {
        if self.active.replace(false) {
            self.core.shift.end();
        }
    }

    /// Notes for the watchdog what is being worked on, and lends the worker's variables.
    pub fn busy(&self, current: &mut Current) {
        current.ctx.vars = self.vars.take();
        *self.state().work.lock() = Some(Work {
            since: self.core.now(),
            began: Instant::now(),
            callback: current.callback.clone(),
            msg: Arc::clone(&current.ctx.msg),
        });
    }

    /// Notes that the route has ended, and keeps the worker's variables. `raised` is whether
    /// an exception ended it.
    pub fn idle(&self, current: &mut Current, raised: bool) {
        self.vars.set(std::mem::take(&mut current.ctx.vars));
        self.state().done.fetch_add(1, Ordering::Relaxed);
        let work = self.state().work.lock().take();
        if let Some(work) = work {
            self.core.ran(current, &work.callback, work.began, raised);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.rest();
    }
}

fn run_timers(core: &Core, workers: &[WorkerState]) {
    while !core.is_stopping() {
        threads::works(core.now());
        let next = core.tick();
        for finding in core.watch.look(core.now()) {
            report(core, workers, &finding);
        }
        threads::rests();
        let rest = core.pending.is_empty() && core.transactions() == 0;
        let longest = if rest { TICK_IDLE_MS } else { TICK_BUSY_MS };
        let sleep = next.saturating_sub(core.now()).clamp(TICK_MS, longest);
        std::thread::park_timeout(Duration::from_millis(sleep));
    }
}

fn busy(workers: &[WorkerState], now: Millis) -> Vec<Busy> {
    let states = workers.iter().enumerate();
    states
        .filter_map(|(i, state)| {
            let work = state.work.lock();
            work.as_ref().map(|w| Busy {
                worker: i + 1,
                for_ms: now.saturating_sub(w.since),
                callback: w.callback.name().to_owned(),
                msg: Arc::clone(&w.msg),
            })
        })
        .collect()
}

/// Counts and logs what the watchdog has found.
fn report(core: &Core, workers: &[WorkerState], finding: &Finding) {
    let text = match finding {
        Finding::Interpreter(ms) => {
            core.counters().interpreter_stalls.inc();
            let routes = busy(workers, core.now());
            let routes: Vec<String> = routes.iter().map(Busy::describe).collect();
            format!(
                "Python has not come round for {ms} ms: some thread keeps the interpreter lock; {}",
                if routes.is_empty() {
                    "no worker is in a route".to_owned()
                } else {
                    routes.join("; ")
                }
            )
        }
        Finding::Thread(name, ms) => {
            core.counters().thread_stalls.inc();
            format!("the thread {name} has been in one turn for {ms} ms")
        }
    };
    log::log(level::ERR, &text);
}
