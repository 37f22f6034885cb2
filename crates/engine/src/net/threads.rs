//! The engine's own threads, as `sipwright doctor` lists them.

use std::cell::OnceCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use sipwright_sip::types::Millis;

use super::sys;
use crate::sync::{OrderedMutex, rank};

/// What a thread is for. None of them ever has a Python thread state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadKind {
    /// Plain TCP, accepting, relief reader.
    Network,
    /// TLS and all that [`ThreadKind::Network`] does.
    Tls,
    /// Transaction timers.
    Timer,
    /// Name resolution.
    Dns,
    /// Log writer and other helpers.
    Other,
}

impl ThreadKind {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Timer => "timer",
            Self::Dns => "dns",
            Self::Other => "other",
        }
    }
}

/// One running engine thread.
#[derive(Clone, Debug)]
pub struct ThreadInfo {
    /// Name, also that of the kernel thread (at most 15 bytes).
    pub name: String,
    /// What it is for.
    pub kind: ThreadKind,
    /// Kernel thread id, as in `/proc/self/task`.
    pub tid: i32,
    /// pthread id, as Python's `threading.get_ident()` would give it.
    pub pthread: u64,
    pulse: Arc<Pulse>,
    generation: u32,
}

impl ThreadInfo {
    /// How often it has begun to work after a wait.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.pulse.turns.load(Ordering::Relaxed)
    }

    /// Milliseconds from when it last began to work until `now`, 0 while it waits.
    #[must_use]
    pub fn busy_ms(&self, now: Millis) -> Millis {
        match self.pulse.since.load(Ordering::Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        }
    }
}

/// Shows that a thread makes progress; the thread itself writes it, others read.
#[derive(Debug, Default)]
struct Pulse {
    turns: AtomicU64,
    /// 0 while it waits.
    since: AtomicU64,
}

thread_local! {
    static PULSE: OnceCell<Arc<Pulse>> = const { OnceCell::new() };
}

/// An engine thread has something to do since `now`; nothing for other threads.
pub fn works(now: Millis) {
    PULSE.with(|pulse| {
        if let Some(pulse) = pulse.get() {
            // The only writer: no read-modify-write is needed.
            let turns = pulse.turns.load(Ordering::Relaxed);
            pulse.turns.store(turns + 1, Ordering::Relaxed);
            pulse.since.store(now, Ordering::Relaxed);
        }
    });
}

/// It is done, and waits.
pub fn rests() {
    PULSE.with(|pulse| {
        if let Some(pulse) = pulse.get() {
            pulse.since.store(0, Ordering::Relaxed);
        }
    });
}

static THREADS: OrderedMutex<Vec<ThreadInfo>> = OrderedMutex::new(rank::THREADS, Vec::new());

/// The engine threads of this process; none in a forked child.
#[must_use]
pub fn list() -> Vec<ThreadInfo> {
    let generation = sys::process_generation();
    THREADS
        .lock()
        .iter()
        .filter(|t| t.generation == generation)
        .cloned()
        .collect()
}

/// Starts a listed thread that leaves all signals to others.
///
/// # Errors
/// The system refused another thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    kind: ThreadKind,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let listed = name.to_owned();
    Builder::new().name(name.to_owned()).spawn(move || {
        sys::block_signals();
        let _listed = Listed::new(listed, kind);
        body()
    })
}

/// Takes the thread off the list when it ends, also by a panic.
struct Listed(i32);

impl Listed {
    fn new(name: String, kind: ThreadKind) -> Self {
        let (tid, pthread) = sys::thread_ids();
        let generation = sys::process_generation();
        let pulse = Arc::<Pulse>::default();
        PULSE.with(|own| own.set(Arc::clone(&pulse))).ok();
        THREADS.lock().push(ThreadInfo {
            name,
            kind,
            tid,
            pthread,
            pulse,
            generation,
        });
        Self(tid)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        THREADS.lock().retain(|t| t.tid != self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_listed_while_it_runs() {
        let (started, wait_started) = std::sync::mpsc::channel();
        let (end, wait_end) = std::sync::mpsc::channel::<()>();
        let thread = spawn("sw-test", ThreadKind::Other, move || {
            works(1_000);
            started.send(sys::thread_ids()).unwrap();
            let _ = wait_end.recv();
        })
        .unwrap();
        let (tid, pthread) = wait_started.recv().unwrap();
        let found = list().into_iter().find(|t| t.tid == tid).unwrap();
        assert_eq!((found.name.as_str(), found.pthread), ("sw-test", pthread));
        // It is in one turn for as long as it is held up here.
        assert_eq!((found.turns(), found.busy_ms(1_250)), (1, 250));
        drop(end);
        thread.join().unwrap();
        assert!(list().iter().all(|t| t.tid != tid));
    }
}
