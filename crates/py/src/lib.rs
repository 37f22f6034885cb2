//! Python bindings of the Sipwright engine: translation only.
//!
//! Nothing here starts a thread, and no engine thread comes here: Python pulls.
//! One file for each exported class, `ksr/` for the KSR functions, `errors` for
//! what becomes a Python exception.

mod engine;
mod env;
mod errors;
mod flow;
mod functions;
mod ksr;
mod location;
mod message;
mod prefix;
mod recording;
mod scope;
mod tls;
mod wire;
mod worker;
mod xavps;

use pyo3::prelude::*;
use sipwright_sip::tx::happening;

/// The engine's own heap. Transactions are made in one thread and end in another
/// half a minute later: glibc grows a thread's arena for them page by page and
/// keeps it. Python's objects stay with Python's allocator.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    /// Of mimalloc: returns what the calling thread's heap no longer needs; with `force` also what other threads have freed.
    fn mi_collect(force: bool);
}

fn collect_heap() {
    // SAFETY: the library is linked by `HEAP`; any thread may call it at any time.
    unsafe { mi_collect(true) }
}

/// The engine of Sipwright: sockets, TLS, SIP messages, transactions, and the
/// KSR functions that run for every message.
#[pymodule]
mod _engine {
    use super::*;

    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::errors::{BindError, ConfigError, EngineError};
    #[pymodule_export]
    use super::flow::{Contact, Flow};
    #[pymodule_export]
    use super::functions::{
        append_branch, append_reply_header, begin_fake, begin_shown, capture_log, current,
        end_fake, flush_log, forget_plain_tables, ksr_functions, log, look_up_plainly,
        make_dev_certificates, next_branch, on_lookup, on_loose_route, on_transaction, register_pv,
        send_request, set_binding, set_body, set_destination, set_log_json, set_log_level,
        set_log_prefix, set_own_names, set_strict, take_drop, take_log, watch, watched,
        xavp_fields,
    };
    #[pymodule_export]
    use super::location::{Binding, LocationTable, RegistrarRules, methods_mask};
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::recording::{
        Recorded, RecordedCall, Recording, record_begin, record_call, record_error,
    };
    #[pymodule_export]
    use super::wire::Wire;
    #[pymodule_export]
    use super::worker::Worker;
    #[pymodule_export]
    use super::xavps::{
        clear_shared_vars, set_shared_var, shared_vars, xavp_add, xavp_count, xavp_get, xavp_rm,
        xavp_rm_all, xavp_set,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        sipwright_engine::heap::set_collector(collect_heap);
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        for (name, kind) in [
            ("WATCH_FORWARDED", happening::FORWARDED),
            ("WATCH_RECEIVED", happening::RECEIVED),
            ("WATCH_PROVISIONAL", happening::PROVISIONAL),
            ("WATCH_FINAL", happening::FINAL),
            ("WATCH_FAILED", happening::FAILED),
            ("WATCH_ACK", happening::ACK),
            ("WATCH_CANCEL", happening::CANCEL),
            ("WATCH_END", happening::END),
        ] {
            module.add(name, kind)?;
        }
        module.add("LOCK_ORDER_CHECKED", sipwright_engine::sync::CHECKED)?;
        super::ksr::register(module)
    }
}
