//! The bounded queue between whoever reads messages and the script workers.
//!
//! Any worker may take any job: one that is stuck in Python delays nobody
//! while another is free. Jobs are taken only by a worker that already holds
//! the GIL, so none is lost to a worker that waits for it.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{OrderedMutex, rank};
use std::collections::VecDeque;

/// First in, first out, bounded.
#[derive(Debug)]
pub struct JobQueue<T> {
    jobs: OrderedMutex<VecDeque<T>>,
    /// Mirrors the length, so that idle checks take no lock.
    len: AtomicUsize,
    capacity: usize,
}

impl<T> JobQueue<T> {
    /// A queue for at most `capacity` jobs.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let jobs = VecDeque::with_capacity(capacity.min(1024));
        Self {
            jobs: OrderedMutex::new(rank::JOBS, jobs),
            len: AtomicUsize::new(0),
            capacity,
        }
    }

    /// Adds a job at the end.
    ///
    /// # Errors
    /// Gives the job back when the queue is full.
    pub fn push(&self, job: T) -> Result<(), T> {
        let mut jobs = self.jobs.lock();
        if jobs.len() >= self.capacity {
            return Err(job);
        }
        jobs.push_back(job);
        self.len.store(jobs.len(), Ordering::SeqCst);
        Ok(())
    }

    /// Adds a job that must not be lost, whatever the bound: one whose
    /// transaction already holds memory and waits for the script.
    pub fn push_unbounded(&self, job: T) {
        let mut jobs = self.jobs.lock();
        jobs.push_back(job);
        self.len.store(jobs.len(), Ordering::SeqCst);
    }

    /// Takes the oldest job.
    pub fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let mut jobs = self.jobs.lock();
        let job = jobs.pop_front();
        self.len.store(jobs.len(), Ordering::SeqCst);
        job
    }

    /// What `look` sees of the oldest job.
    pub fn oldest<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        if self.is_empty() {
            return None;
        }
        self.jobs.lock().front().map(look)
    }

    /// Jobs waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Whether no job waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
