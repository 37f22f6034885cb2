//! Names: where the SIP server of a domain is (RFC 3263), and the DNS below it.
//!
//! ```text
//! worker ---- Dns::locate ----> all known? answer at once
//!                |  no                        ^
//!                v                            |
//!             sw-dns: tasks, queries  ---> cache
//! ```
//!
//! [`locate`] decides by what is known and says what is missing; the one DNS thread asks
//! for that and has it decide again. Nobody waits for names but those who asked for them.

mod cache;
mod client;
mod locate;
mod record;
mod select;
mod service;
mod settings;
mod wire;
mod zone;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use sipwright_sip::types::Millis;

use self::cache::Cache;
use self::client::{ClientConfig, Tally};
use self::service::Service;
use crate::log::{self, level};
use crate::net::NetError;
use crate::net::sys::{self, EventFd};
use crate::net::threads::{self, ThreadKind};
use crate::net::wake::Event;
use crate::sync::{OrderedMutex, rank};

pub use self::cache::CacheLimits;
pub use self::locate::{Known, NoTarget, Policy, Target, Wanted, locate};
pub use self::record::{Answer, Key, Kind, Naptr, Nothing, Records, Srv};
pub use self::select::{Random, Seeded};
pub use self::settings::DnsConfig;
pub use self::zone::Zone;

/// What waits for names: it looks at what is known, and is done once it returns true.
type Task = Box<dyn FnMut(&mut View<'_>) -> bool + Send>;

/// The resolver.
pub struct Dns {
    shared: Arc<Shared>,
    thread: OrderedMutex<Option<JoinHandle<()>>>,
}

/// What the DNS thread and those who ask it share.
struct Shared {
    config: DnsConfig,
    zone: OrderedMutex<Arc<Zone>>,
    cache: OrderedMutex<Cache>,
    inbox: OrderedMutex<Inbox>,
    /// There once the thread runs.
    wake: OnceLock<EventFd>,
    counters: DnsCounters,
    seed: AtomicU64,
    generation: u32,
}

#[derive(Default)]
struct Inbox {
    tasks: Vec<Task>,
    /// Whether the thread takes tasks.
    open: bool,
    stopped: bool,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the resolver counts.
        #[derive(Debug, Default)]
        pub struct DnsCounters { $($(#[$doc])* pub $name: AtomicU64,)* }

        impl DnsCounters {
            fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Next hops given by name that were looked up.
    dns_lookups,
    /// Those that were known, so that nobody had to wait.
    dns_cache_hits,
    /// Those that came to nothing.
    dns_failures,
    /// Queries sent to name servers, repetitions included.
    dns_queries,
    /// Queries in flight (gauge).
    dns_queries_pending,
    /// Queries without a reply in time.
    dns_timeouts,
    /// Replies dropped: not to what was asked, or no DNS messages.
    dns_bad_replies,
    /// Queries repeated by TCP because the reply was truncated.
    dns_truncated,
}

/// What is known, as a task sees it.
struct View<'a> {
    shared: &'a Shared,
    zone: Arc<Zone>,
    /// Answers to this task: they count even if their TTL is 0.
    memo: &'a mut HashMap<Key, Arc<Records>>,
    now: Millis,
    missing: Vec<Key>,
    /// No time is left: what is missing has no answer.
    last: bool,
}

impl<'a> View<'a> {
    fn new(shared: &'a Shared, memo: &'a mut HashMap<Key, Arc<Records>>, now: Millis) -> Self {
        let zone = Arc::clone(&shared.zone.lock());
        Self {
            shared,
            zone,
            memo,
            now,
            missing: Vec::new(),
            last: false,
        }
    }
}

impl Known for View<'_> {
    fn get(&mut self, name: &str, kind: Kind) -> Option<Arc<Records>> {
        let nothing = |why| Some(Arc::new(Records::None(why)));
        let Some(key) = Key::new(name, kind) else {
            return nothing(Nothing::NoName);
        };
        if let Some(known) = self.memo.get(&key) {
            return Some(Arc::clone(known));
        }
        let found = match self.zone.get(&key) {
            Some(records) => Some(Arc::new(records)),
            None => self.shared.cache.lock().get(&key, self.now),
        };
        match found {
            Some(records) => {
                // The same answer for the whole task, whatever happens to the cache.
                self.memo.insert(key, Arc::clone(&records));
                Some(records)
            }
            None if self.last => nothing(Nothing::Failed),
            None => {
                if !self.missing.contains(&key) {
                    self.missing.push(key);
                }
                None
            }
        }
    }
}

/// What comes of [`Dns::locate`].
pub type Located = Result<Vec<Target>, NoTarget>;

impl Dns {
    /// The resolver for these settings; its thread does not run yet. A record that
    /// cannot be read is left out: whoever reads the settings has complained.
    #[must_use]
    pub fn new(config: DnsConfig, seed: u64) -> Self {
        let zone = Arc::new(config.zone().unwrap_or_default());
        let cache = Cache::new(config.cache_limits());
        let shared = Shared {
            config,
            zone: OrderedMutex::new(rank::DNS_ZONE, zone),
            cache: OrderedMutex::new(rank::DNS_CACHE, cache),
            inbox: OrderedMutex::new(rank::DNS_INBOX, Inbox::default()),
            wake: OnceLock::new(),
            counters: DnsCounters::default(),
            seed: AtomicU64::new(seed),
            generation: sys::process_generation(),
        };
        Self {
            shared: Arc::new(shared),
            thread: OrderedMutex::new(rank::TIMER, None),
        }
    }

    /// Starts the DNS thread. Once only.
    ///
    /// # Errors
    /// The system refused it.
    pub fn start(&self) -> Result<(), NetError> {
        let wrong = |e| NetError::new(format!("cannot start the DNS thread: {e}"));
        let wake = EventFd::new().map_err(wrong)?;
        if self.shared.wake.set(wake).is_err() {
            return Err(NetError::new("the DNS thread was started before"));
        }
        let mut service = Service::new(Arc::clone(&self.shared)).map_err(wrong)?;
        let thread = threads::spawn("sw-dns", ThreadKind::Dns, move || service.run());
        *self.thread.lock() = Some(thread.map_err(wrong)?);
        self.shared.inbox.lock().open = true;
        Ok(())
    }

    /// Ends the DNS thread; who waits for it gets what is known. Idempotent.
    pub fn stop(&self) {
        if self.shared.generation != sys::process_generation() {
            return;
        }
        {
            let mut inbox = self.shared.inbox.lock();
            inbox.open = false;
            inbox.stopped = true;
        }
        self.shared.call();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::log(level::ERR, "the DNS thread had panicked");
        }
    }

    /// The targets of a next hop, if everything is known already; the second value is
    /// what [`Dns::wait`] or [`Dns::then`] go on with. Targets of equal rank are drawn
    /// anew each time, or by `seed` for who has to find the same one again.
    pub fn locate(
        &self,
        wanted: &Wanted,
        policy: &Policy,
        seed: Option<u64>,
    ) -> Result<Located, Search> {
        let counters = &self.shared.counters;
        counters.dns_lookups.fetch_add(1, Ordering::Relaxed);
        let seed = seed.unwrap_or_else(|| self.shared.next_seed());
        let mut memo = HashMap::new();
        let mut view = View::new(&self.shared, &mut memo, sys::monotonic_ms());
        let search = |seed| Search {
            wanted: wanted.clone(),
            policy: policy.clone(),
            seed,
        };
        match locate(wanted, policy, &mut view, &mut Seeded(seed)) {
            None => Err(search(seed)),
            Some(found) => {
                counters.dns_cache_hits.fetch_add(1, Ordering::Relaxed);
                self.shared.count(&found);
                Ok(found)
            }
        }
    }

    /// Waits for the names that a search needs. Blocks for as long as the settings let
    /// it: for script workers, with the interpreter released.
    pub fn wait(&self, search: Search) -> Located {
        let (tell, told) = mpsc::channel();
        self.then(search, move |found| {
            let _ = tell.send(found);
        });
        // The thread ends every task in time; the margin is for a machine that is stuck.
        let limit = Duration::from_millis(self.shared.config.total_ms + 1000);
        told.recv_timeout(limit)
            .unwrap_or(Err(NoTarget::Unresolved(Nothing::Failed)))
    }

    /// Does something once the names that a search needs are there: in the DNS thread,
    /// or at once if it does not run. Must not block.
    pub fn then(&self, search: Search, act: impl FnOnce(Located) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        let mut act = Some(act);
        let task: Task = Box::new(move |view| {
            let random = &mut Seeded(search.seed);
            let Some(found) = locate(&search.wanted, &search.policy, view, random) else {
                return false;
            };
            shared.count(&found);
            if let Some(act) = act.take() {
                act(found);
            }
            true
        });
        self.run(task);
    }

    /// The records of one name, asked for if need be (Kamailio's RPC `dns.lookup`). Blocks.
    #[must_use]
    pub fn lookup(&self, key: &Key) -> Arc<Records> {
        let (tell, told) = mpsc::channel();
        let wanted = key.clone();
        self.run(Box::new(move |view| {
            match view.get(&wanted.name, wanted.kind) {
                None => false,
                Some(records) => {
                    let _ = tell.send(records);
                    true
                }
            }
        }));
        let limit = Duration::from_millis(self.shared.config.total_ms + 1000);
        told.recv_timeout(limit)
            .unwrap_or_else(|_| Arc::new(Records::None(Nothing::Failed)))
    }

    /// Gives a task to the thread; without one it ends here, with what is known.
    fn run(&self, mut task: Task) {
        if self.shared.generation == sys::process_generation() {
            let mut inbox = self.shared.inbox.lock();
            if inbox.open {
                inbox.tasks.push(task);
                drop(inbox);
                self.shared.call();
                return;
            }
        }
        let mut memo = HashMap::new();
        let mut view = View::new(&self.shared, &mut memo, sys::monotonic_ms());
        view.last = true;
        task(&mut view);
    }

    /// What is in the cache, each with the milliseconds it has left (`dns.view`).
    #[must_use]
    pub fn dump(&self) -> Vec<(Key, Arc<Records>, Millis)> {
        self.shared.cache.lock().dump(sys::monotonic_ms())
    }

    /// Forgets one answer; whether there was one (`dns.delete`).
    #[must_use]
    pub fn forget(&self, key: &Key) -> bool {
        self.shared.cache.lock().remove(key)
    }

    /// Forgets all answers and reads the hosts file again (`dns.delete_all`); how many
    /// there were.
    pub fn forget_all(&self) -> usize {
        let count = {
            let mut cache = self.shared.cache.lock();
            let count = cache.len();
            cache.clear();
            count
        };
        // The settings were read without a mistake once; only the hosts file can differ.
        if let Ok(zone) = self.shared.config.zone() {
            *self.shared.zone.lock() = Arc::new(zone);
        }
        count
    }

    /// Makes records known besides those of the settings, written as in zone files.
    ///
    /// # Errors
    /// What is wrong with a record; nothing has changed then.
    pub fn set_records<'a>(
        &self,
        records: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), String> {
        let mut zone = self.shared.config.zone()?;
        for record in records {
            zone.add_record(record)?;
        }
        *self.shared.zone.lock() = Arc::new(zone);
        Ok(())
    }

    /// All counters by name.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.shared.counters.snapshot()
    }

    /// Answers in the cache, ended ones included.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.shared.cache.lock().len()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &DnsConfig {
        &self.shared.config
    }
}

/// A search that has to wait for names.
#[derive(Clone, Debug)]
pub struct Search {
    wanted: Wanted,
    policy: Policy,
    seed: u64,
}

impl Shared {
    fn client_config(&self) -> ClientConfig {
        ClientConfig {
            servers: self.config.servers(),
            timeout_ms: self.config.timeout_ms,
            retries: self.config.retries,
        }
    }

    /// Wakes the DNS thread.
    fn call(&self) {
        if let Some(wake) = self.wake.get() {
            wake.signal();
        }
    }

    fn take_inbox(&self) -> (Vec<Task>, bool) {
        let mut inbox = self.inbox.lock();
        (std::mem::take(&mut inbox.tasks), inbox.stopped)
    }

    /// Every search has random numbers of its own, so that it can be repeated.
    fn next_seed(&self) -> u64 {
        self.seed
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    fn count(&self, found: &Located) {
        if found.is_err() {
            self.counters.dns_failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn publish(&self, tally: &Tally, pending: usize) {
        let counters = &self.counters;
        for (counter, value) in [
            (&counters.dns_queries, tally.sent),
            (&counters.dns_timeouts, tally.timeouts),
            (&counters.dns_bad_replies, tally.bad_replies),
            (&counters.dns_truncated, tally.truncated),
            (&counters.dns_queries_pending, pending as u64),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }
}
