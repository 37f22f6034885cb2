//! The engine's own threads, as `sipwright doctor` lists them.

use std::io;
use std::thread::{Builder, JoinHandle};

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
    generation: u32,
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
        THREADS.lock().push(ThreadInfo {
            name,
            kind,
            tid,
            pthread,
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
            started.send(sys::thread_ids()).unwrap();
            let _ = wait_end.recv();
        })
        .unwrap();
        let (tid, pthread) = wait_started.recv().unwrap();
        let found = list().into_iter().find(|t| t.tid == tid).unwrap();
        assert_eq!((found.name.as_str(), found.pthread), ("sw-test", pthread));
        drop(end);
        thread.join().unwrap();
        assert!(list().iter().all(|t| t.tid != tid));
    }
}
