//! The engine under Sipwright: sockets, TLS threads, queues, timers.
//!
//! It never links Python and never holds a Python object: Python pulls.

pub mod config;
pub mod net;
pub mod stats;
pub mod sync;
pub mod tls;
