//! The message in work of this thread, and how engine code reaches the script.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyString;
use sipwright_engine::core::Core;
use sipwright_engine::log::{self, level};
use sipwright_engine::net::process_generation;
use sipwright_engine::record::Instant;
use sipwright_engine::session::{Callback, Current, Kind};
use sipwright_engine::tm::Slot;
use sipwright_sip::script::Context;

use crate::message::Message;

/// The core that this process runs, and which process that is. A second engine in one
/// process (tests) replaces the first.
static CORE: std::sync::RwLock<Option<(u32, Arc<Core>)>> = std::sync::RwLock::new(None);
/// Core for code that runs before any engine is made, as `sipwright check` does, and for
/// forked children: in the parent's, locks may be held that nobody gives back there.
static BARE: OnceLock<Arc<Core>> = OnceLock::new();

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
    static SERIAL: Cell<u64> = const { Cell::new(0) };
    static SUSPENDED: RefCell<Vec<(Option<Current>, u64)>> = const { RefCell::new(Vec::new()) };
    static LAST_SERIAL: Cell<u64> = const { Cell::new(0) };
    /// The message whose variable a module is asked for: the one in work is borrowed then.
    static SHOWN: RefCell<Option<Message>> = const { RefCell::new(None) };
    static HANDLER: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Makes `core` the one that KSR functions work on.
pub fn set_core(core: &Arc<Core>) {
    *CORE
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner) =
        Some((process_generation(), Arc::clone(core)));
}

/// The core of this process.
pub fn core() -> Arc<Core> {
    with_core(Arc::clone)
}

/// Runs `f`, which must be short, on the core of this process.
pub fn with_core<R>(f: impl FnOnce(&Arc<Core>) -> R) -> R {
    let made = CORE
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match &*made {
        Some((process, core)) if *process == process_generation() => f(core),
        _ => f(BARE.get_or_init(|| Core::new(Default::default()))),
    }
}

/// Puts a message into work; gives the serial that its Python object carries.
pub fn enter(current: Current) -> u64 {
    tell_log(Some(&current));
    CURRENT.with(|c| *c.borrow_mut() = Some(current));
    next_serial()
}

/// Takes the message out of work; its Python object is invalid from here on.
pub fn leave() -> Option<Current> {
    tell_log(None);
    next_serial();
    CURRENT.with(|c| c.borrow_mut().take())
}

/// Lays the message in work aside, for code that runs outside of any message:
/// a worker that changes to a reloaded script has taken up a message already.
pub fn suspend() {
    tell_log(None);
    let current = CURRENT.with(|c| c.borrow_mut().take());
    SUSPENDED.with(|s| s.borrow_mut().push((current, serial())));
    next_serial();
}

/// Takes up again what `suspend` laid aside; its Python object is valid again.
pub fn resume() {
    let laid_aside = SUSPENDED.with(|s| s.borrow_mut().pop());
    let (current, serial) = laid_aside.unwrap_or_else(|| (None, next_serial()));
    tell_log(current.as_ref());
    CURRENT.with(|c| *c.borrow_mut() = current);
    SERIAL.with(|s| s.set(serial));
}

/// Lines of the log are about this message from now on.
fn tell_log(current: Option<&Current>) {
    let of_network = current.filter(|c| !matches!(c.kind, Kind::Fake));
    log::set_call(of_network.map_or_else(Bytes::new, |c| c.ctx.msg.call_id_bytes()));
}

/// A serial that no message of this thread has had.
fn next_serial() -> u64 {
    let next = LAST_SERIAL.with(|s| {
        s.set(s.get() + 1);
        s.get()
    });
    SERIAL.with(|s| s.set(next));
    next
}

/// Serial of the message in work.
pub fn serial() -> u64 {
    SERIAL.with(Cell::get)
}

/// Runs `f` on the message in work. Outside of any message a made-up one
/// serves, as with Kamailio, and lasts as long as the thread.
pub fn with<R>(f: impl FnOnce(&mut Current) -> R) -> R {
    CURRENT.with(|c| f(c.borrow_mut().get_or_insert_with(|| Current::fake(&core()))))
}

/// Whether a message of the network is in work in this thread.
pub fn is_in_work() -> bool {
    CURRENT.with(|c| {
        c.try_borrow()
            .is_ok_and(|c| c.as_ref().is_some_and(|c| !matches!(c.kind, Kind::Fake)))
    })
}

/// Whether the message in work is being worked on, so that nobody else may look at it.
pub fn is_borrowed() -> bool {
    CURRENT.with(|c| c.try_borrow().is_err())
}

/// Runs `f`, in which Python may ask for the message of this context.
pub fn showing<R>(ctx: &Context, f: impl FnOnce() -> R) -> R {
    let message = Message::of_context(serial(), ctx);
    let before = SHOWN.with(|s| s.replace(Some(message)));
    let result = f();
    SHOWN.with(|s| s.replace(before));
    result
}

/// The message that Python asks for.
pub fn message() -> Message {
    let shown = SHOWN.with(|s| s.borrow().clone());
    shown.unwrap_or_else(|| with(|c| Message::new(serial(), c)))
}

/// The handler whose routes this worker runs.
pub fn set_handler(handler: Option<Py<PyAny>>) {
    HANDLER.with(|h| *h.borrow_mut() = handler);
}

/// Lets engine code work on the message of this thread and call the script.
pub struct ThreadSlot<'py> {
    /// The interpreter, attached.
    pub py: Python<'py>,
}

impl Slot for ThreadSlot<'_> {
    fn with<R>(&self, f: impl FnOnce(&mut Current) -> R) -> R {
        with(f)
    }

    fn run(&self, callback: &Callback) -> bool {
        run_callback(self.py, callback)
    }

    fn aside(&self, mut current: Current, f: impl FnOnce()) -> Current {
        // `$var(..)` belongs to the worker, whatever it works on.
        current.ctx.vars = with(|c| std::mem::take(&mut c.ctx.vars));
        suspend();
        enter(current);
        f();
        let done = leave();
        resume();
        let mut done = done.unwrap_or_else(|| Current::fake(&core()));
        with(|c| c.ctx.vars = std::mem::take(&mut done.ctx.vars));
        done
    }

    fn blocking<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        self.py.detach(f)
    }
}

/// Calls a route in the middle of a KSR function. `sys.exit()` ends only that
/// route; an exception is logged and ends it too.
fn run_callback(py: Python<'_>, callback: &Callback) -> bool {
    let Some(handler) = HANDLER.with(|h| h.borrow().as_ref().map(|h| h.clone_ref(py))) else {
        return false;
    };
    let name = callback.name();
    let route = match handler.bind(py).getattr(PyString::intern(py, name)) {
        Ok(route) if route.is_callable() => route,
        _ => {
            let severity = if callback.required() {
                level::ERR
            } else {
                level::DBG
            };
            log::log(severity, &format!("route {name} not found or not callable"));
            return false;
        }
    };
    let message = with(|c| Message::nested(serial(), c, callback.clone()));
    let Ok(message) = Py::new(py, message) else {
        return false;
    };
    let began = Instant::now();
    let called = match callback.event() {
        None => route.call1((message,)),
        Some(event) => py
            .import("sipwright.script.worker")
            .and_then(|worker| worker.getattr("call_for_event"))
            .and_then(|call| call.call1((route, message, event))),
    };
    let failed = called
        .err()
        .filter(|e| !e.is_instance_of::<pyo3::exceptions::PySystemExit>(py));
    with(|c| core().ran(c, callback, began, failed.is_some()));
    if let Some(error) = &failed {
        crate::errors::report(py, name, error);
    }
    failed.is_none()
}
