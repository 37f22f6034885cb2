//! Every interleaving of the hand-overs between engine threads and workers, by loom.
//!
//! The files of the engine are compiled here once more, with loom's atomics and
//! mutex in place of std's (`crate::sync`), so what is searched is the very code.
//! `epoll_wait`, eventfd and timerfd are played by [`world`]. A lost wake-up shows
//! as a deadlock, which loom reports.
//!
//! Loom takes `SeqCst` of single loads and stores for `AcqRel`, and knows
//! `fence(SeqCst)`: what passes here does not rest on more than that.

#![allow(missing_docs, dead_code)]

#[path = "../../src/net/lead.rs"]
mod lead;
#[path = "../../src/net/mailbox.rs"]
mod mailbox;
#[path = "../../src/queue.rs"]
mod queue;
#[path = "../../src/net/sleep.rs"]
mod sleep;
#[path = "../../src/net/wake.rs"]
mod wake;

mod jobs;
mod leads;
mod sync;
mod world;
