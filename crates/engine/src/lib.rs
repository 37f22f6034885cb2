//! The engine under Sipwright: sockets, TLS threads, queues, timers.
//!
//! It never links Python and never holds a Python object: Python pulls.

mod arrival;
pub mod clock;
pub mod config;
pub mod core;
pub mod dns;
pub mod engine;
pub mod heap;
mod http;
pub mod job;
pub mod log;
pub mod net;
mod observe;
mod onsend;
mod overload;
pub mod passed;
pub mod pending;
pub mod queue;
pub mod record;
mod repeats;
pub mod reply;
pub mod route;
pub mod session;
mod settings;
mod shift;
pub mod stats;
pub mod sync;
pub mod tap;
pub mod tls;
pub mod tm;
pub mod traffic;
pub mod watch;
pub mod websocket;
