//! One script worker's way to its messages.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use sipwright_engine::core::Core;
use sipwright_engine::engine::Worker as EngineWorker;
use sipwright_engine::net::process_generation;
use sipwright_engine::session::Next;

use crate::message::Message;
use crate::{prefix, scope};

/// Pulls messages for one worker thread, and refuses to for another.
///
/// It may be dropped by any: in a forked child the interpreter clears away the threads
/// that the child does not have, with all that was on their stacks.
#[pyclass(module = "sipwright._engine")]
pub struct Worker {
    core: Arc<Core>,
    /// Never locked: who has `&mut self` needs no lock.
    inner: ManuallyDrop<Mutex<EngineWorker>>,
    /// The thread it works for.
    owner: ThreadId,
    /// The process it works for.
    process: u32,
    /// Whether the route of the message in work raised.
    raised: AtomicBool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.process == process_generation() {
            // SAFETY: nobody uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
        // In a forked child all of it is the parent's: locks in it may be held by threads
        // that are not there, so that not even the end of a worker may be told.
    }
}

impl Worker {
    pub fn new(inner: EngineWorker) -> Self {
        Self {
            core: Arc::clone(inner.core()),
            inner: ManuallyDrop::new(Mutex::new(inner)),
            owner: thread::current().id(),
            process: process_generation(),
            raised: AtomicBool::new(false),
        }
    }

    fn inner(&mut self) -> &mut EngineWorker {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the message in work; another callback for it may follow.
    fn end_current(&mut self) -> Option<Message> {
        let mut current = scope::leave()?;
        let raised = self.raised.swap(false, Ordering::Relaxed);
        self.inner().idle(&mut current, raised);
        match self.core.finish(current) {
            Next::Again(current) => Some(self.take_up(*current)),
            Next::Done => None,
        }
    }

    fn take_up(&mut self, mut current: sipwright_engine::session::Current) -> Message {
        self.inner().busy(&mut current);
        scope::enter(current);
        prefix::begin();
        scope::with(|c| Message::new(scope::serial(), c))
    }
}

#[pymethods]
impl Worker {
    /// Sets the object whose methods are the routes, for those that run inside
    /// KSR functions (branch and onsend routes).
    #[pyo3(signature = (handler, /))]
    #[allow(clippy::unused_self)]
    fn set_handler(&self, handler: Option<Py<PyAny>>) {
        scope::set_handler(handler);
    }

    /// Ends the previous message and waits for the next one with the GIL
    /// released; None when the engine stops, or in memory when there is none.
    /// RuntimeError for a thread that it does not work for.
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<Message>> {
        if self.process != process_generation() {
            // A child that the script forked in a route: the message is the parent's.
            return Ok(None);
        }
        if self.owner != thread::current().id() {
            let text = "a Worker works for the thread that made it";
            return Err(PyRuntimeError::new_err(text));
        }
        if let Some(again) = self.end_current() {
            return Ok(Some(again));
        }
        loop {
            if self.core.is_stopping() {
                return Ok(None);
            }
            let inner = self.inner();
            if let Some(current) = inner.try_next() {
                return Ok(Some(self.take_up(current)));
            }
            if !inner.waits() {
                return Ok(None);
            }
            py.detach(|| inner.wait());
        }
    }

    /// Says that the route of the message in work raised or does not exist: the
    /// request is answered with 500 if `answer` is true and nothing was sent yet.
    #[pyo3(signature = (answer, /))]
    fn failed(&self, answer: bool) {
        self.raised.store(true, Ordering::Relaxed);
        scope::with(|current| self.core.failed(current, answer));
    }
}
