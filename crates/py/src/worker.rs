//! One script worker's way to its messages.

use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::Arc;

use sipwright_engine::core::Core;
use sipwright_engine::engine::Worker as EngineWorker;
use sipwright_engine::net::process_generation;
use sipwright_engine::session::Next;

use crate::message::Message;
use crate::{prefix, scope};

/// Pulls messages for one worker thread. Not to be shared between threads.
#[pyclass(unsendable, module = "sipwright._engine")]
pub struct Worker {
    inner: EngineWorker,
    /// The process it works for.
    process: u32,
    /// Whether the route of the message in work raised.
    raised: Cell<bool>,
}

impl Worker {
    pub fn new(inner: EngineWorker) -> Self {
        Self {
            inner,
            process: process_generation(),
            raised: Cell::new(false),
        }
    }

    fn core(&self) -> &Arc<Core> {
        self.inner.core()
    }

    /// Ends the message in work; another callback for it may follow.
    fn end_current(&self) -> Option<Message> {
        let mut current = scope::leave()?;
        self.inner.idle(&mut current, self.raised.take());
        match self.core().finish(current) {
            Next::Again(current) => Some(self.take_up(*current)),
            Next::Done => None,
        }
    }

    fn take_up(&self, mut current: sipwright_engine::session::Current) -> Message {
        self.inner.busy(&mut current);
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
    fn next(&mut self, py: Python<'_>) -> Option<Message> {
        if self.process != process_generation() {
            // A child that the script forked in a route: the message is the parent's.
            return None;
        }
        if let Some(again) = self.end_current() {
            return Some(again);
        }
        loop {
            if self.core().is_stopping() {
                return None;
            }
            if let Some(current) = self.inner.try_next() {
                return Some(self.take_up(current));
            }
            if !self.inner.waits() {
                return None;
            }
            let inner = &mut self.inner;
            py.detach(|| inner.wait());
        }
    }

    /// Says that the route of the message in work raised or does not exist: the
    /// request is answered with 500 if `answer` is true and nothing was sent yet.
    #[pyo3(signature = (answer, /))]
    fn failed(&self, answer: bool) {
        self.raised.set(true);
        scope::with(|current| self.core().failed(current, answer));
    }
}
