//! What `crate::sync` is here: loom's. Ranks are left to debug builds of the engine:
//! loom's threads share one thread of the system, and so its thread-local lists.

pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
}

pub mod rank {
    pub const MAILBOX: u8 = 40;
    pub const JOBS: u8 = 100;
}

#[derive(Debug)]
pub struct OrderedMutex<T>(loom::sync::Mutex<T>);

impl<T> OrderedMutex<T> {
    pub fn new(_rank: u8, value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}
