//! Module tm for scripts: transactions, relaying, replies (RFC 3261 section 16).
//!
//! Functions carry the names and return codes of Kamailio's tm: 1 done, 0 stop
//! (a retransmission), negative failed. Branch and onsend routes run in the
//! middle of `t_relay`; [`Slot`] is how this code reaches the message and the
//! script without knowing Python.

use sipwright_sip::tx::{TxId, TxLayer};
use sipwright_sip::types::Millis;

use crate::core::{Core, Outputs};
use crate::session::{Callback, Current};

mod adjust;
mod breadth;
mod callid;
mod local;
mod outgoing;
mod query;
mod relay;
mod replicate;
mod reply;
mod rows;
mod serial;
mod server;
mod state;
mod suspend;
mod view;
mod watch;

pub(crate) use local::Reported;
pub use local::{LocalDone, LocalSpec, SendRequestError};
pub use query::HookKind;
pub use relay::RelayFlags;
pub use state::TxState;
pub(crate) use suspend::id_of;
pub(crate) use view::{show_failure, show_reply};
pub use watch::{Told, Unanswered};

/// A worker's message in work, as code sees it that must let the script run in
/// between: nothing is borrowed while a callback runs.
pub trait Slot {
    /// Reads and changes the message in work.
    fn with<R>(&self, f: impl FnOnce(&mut Current) -> R) -> R;
    /// Calls a function of the script with the message in work; false if it
    /// raised or does not exist.
    fn run(&self, callback: &Callback) -> bool;
    /// Runs `f` with another message in work, in place of this one; gives it back.
    fn aside(&self, current: Current, f: impl FnOnce()) -> Current;
    /// Runs something that may block, with the interpreter released.
    fn blocking<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R;
}

impl Core {
    /// Does something to a transaction under its shard's lock, then sends what
    /// comes of it without the lock.
    pub(crate) fn transact<R>(
        &self,
        tx: TxId,
        act: impl FnOnce(&mut TxLayer<TxState>, Millis, &mut Outputs) -> R,
    ) -> R {
        let mut out = Outputs::new();
        let result = act(&mut self.shard(tx), self.now(), &mut out);
        self.flush(&mut out);
        result
    }
}
