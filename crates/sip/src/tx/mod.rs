//! Transactions and forking (RFC 3261 sections 16 and 17, RFC 6026, RFC 4320).
//!
//! # Theory of operation
//!
//! A [`TxLayer`] holds the transactions of one shard. It owns no socket and no
//! clock: every call takes the time and pushes what is to be done to a list of
//! [`Output`]s; [`TxLayer::next_timeout`] says when to call
//! [`TxLayer::handle_timeout`].
//!
//! One [`Transaction`] is what a stateful proxy knows of one request: the server
//! transaction towards whoever sent it, a [`Branch`] with a client transaction
//! for every target it went to, and the response context (section 16.7) that
//! decides which response goes back. Each of these transactions is a small
//! [`Machine`] that steps through a [`Table`]: state and event give the next
//! state and the [`Action`]s, with the section of the RFC beside them. The
//! diagrams in `docs/explain/transactions.md` are drawn from the same tables.
//!
//! ```text
//!   request -> lookup -> create -> add_branch* ----------> Output::Send
//!  response -> respond -> (reply route) -> deliver -------> Output::Send upstream
//!                                            |
//!                       all branches failed  +--> Output::Failure -> failure_done
//! ```
//!
//! Who keeps a transaction alive: its machines until they have terminated, and
//! pins. [`TxLayer::create`] hands out one pin to the script that works on the
//! request, [`ClientMatch::Deliver`] one per response, both to be given back
//! ([`TxLayer::unpin`], [`TxLayer::deliver`] or [`TxLayer::discard`]); while a
//! failure route runs, or while somebody is told what happened ([`Watcher`]), the layer
//! holds on by itself.

mod best;
mod client;
mod config;
mod context;
mod counts;
pub mod diagram;
mod failover;
mod hash;
mod id;
mod keys;
mod layer;
mod machine;
mod output;
mod requests;
mod responses;
mod server;
mod slab;
mod suspend;
mod table;
pub mod tables;
mod transaction;
mod watch;

pub use config::{CancelUnreplied, DropReplies, TxConfig};
pub use counts::{Counts, RESPONSE_BOUNDS_MS};
pub use failover::{Alternate, Alternates};
pub use id::{
    SERVER, TxId, shard_of_call_id, shard_of_datagram, shard_of_request, shard_of_response,
};
pub use layer::TxLayer;
pub use machine::Machine;
pub use output::{BranchError, ClientMatch, Output, ReplyError, ServerMatch};
pub use suspend::Resumption;
pub use table::{Action, Event, Kind, Row, State, Table, Then, Timer, Transition};
pub use transaction::{Branch, BranchSpec, Hooks, Outcome, Transaction};
pub use watch::{Happened, Watcher, happening};
