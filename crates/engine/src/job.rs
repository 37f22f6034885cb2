//! What waits in the queue for a script worker.

use std::sync::Arc;

use sipwright_sip::message::Message;
use sipwright_sip::tx::TxId;
use sipwright_sip::types::Flow;

use crate::net::TxTag;
use crate::pending::PendingKey;
use crate::session::Callback;
use crate::tm::{LocalDone, Unanswered};

/// A job in the queue.
#[derive(Debug)]
pub struct Queued {
    /// What is to be done.
    pub job: Job,
    /// Since when it waits, in microseconds of the monotonic clock.
    pub at_us: u64,
}

/// Work for a script worker.
#[derive(Debug)]
pub enum Job {
    /// Run `ksr_request_route`.
    Request {
        /// The request.
        msg: Arc<Message>,
        /// How it came.
        flow: Flow,
        /// Its place in the table of requests in work.
        key: PendingKey,
    },
    /// Run `ksr_reply_route` and the `t_on_reply` callback, then forward.
    Reply {
        /// The response.
        msg: Arc<Message>,
        /// How it came.
        flow: Flow,
        /// The branch it answers; none for a response without a transaction.
        target: Option<TxTag>,
    },
    /// Run the `t_on_failure` callback.
    Failure {
        /// Transaction.
        tx: TxId,
        /// Branch whose response won.
        branch: u16,
        /// Code of that response, 408 for a timeout.
        code: u16,
        /// Name of the callback.
        callback: Arc<str>,
    },
    /// Run the `t_on_branch_failure` callback.
    BranchFailure {
        /// Transaction.
        tx: TxId,
        /// Branch that failed.
        branch: u16,
        /// Code of its response.
        code: u16,
        /// Name of the callback.
        callback: Arc<str>,
    },
    /// Run the script's function for `tls:connection-out`.
    TlsConnectionOut {
        /// The connection that was opened.
        flow: Flow,
    },
    /// Tell a function of the script what became of a request of our own.
    Local(Box<LocalDone>),
    /// Tell a watcher what happened to a transaction.
    Watched {
        /// Transaction.
        tx: TxId,
    },
    /// Tell a watcher that a request got no transaction.
    Unanswered(Box<Unanswered>),
    /// Run a function of the script, or a module's, that Python asked for.
    Event(Callback),
    /// Run the script's function for `xhttp:request`.
    Http {
        /// The HTTP request.
        msg: Arc<Message>,
        /// How it came.
        flow: Flow,
    },
    /// Run the script's function for `websocket:closed`.
    WebSocketClosed {
        /// The connection that is gone.
        flow: Flow,
    },
    /// Run the callback of `t_continue` with the message that was suspended.
    Resume {
        /// Transaction.
        tx: TxId,
        /// Name of the callback.
        callback: Arc<str>,
    },
}
