//! What the transaction layer says to its caller.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::id::TxId;
use crate::types::{Flow, SendOptions};

/// Something to do. Outputs are to be carried out in order, outside the lock of
/// the shard.
#[derive(Debug)]
pub enum Output<D> {
    /// Send these bytes. When that fails, and `tx` is there, call
    /// [`super::TxLayer::send_failed`] with it.
    Send {
        /// Where to.
        flow: Flow,
        /// The whole message.
        bytes: Bytes,
        /// Transaction and branch ([`super::SERVER`] for responses) to tell.
        tx: Option<(TxId, u16)>,
        /// Name that the certificate of the other side must be valid for (RFC 5922);
        /// `None` for its address.
        server_name: Option<Arc<str>>,
        /// What is to become of the connection.
        options: SendOptions,
    },
    /// Run a failure route: every branch has failed, `code` is the best answer.
    /// Then call [`super::TxLayer::failure_done`], whatever happened.
    Failure {
        /// Which transaction.
        tx: TxId,
        /// The branch whose answer won.
        branch: u16,
        /// Its code; 408 when it timed out.
        code: u16,
        /// The route, as armed in [`super::Hooks::on_failure`].
        route: Arc<str>,
    },
    /// Run a branch failure route: this branch has failed. Then call
    /// [`super::TxLayer::branch_failure_done`], whatever happened.
    BranchFailure {
        /// Which transaction.
        tx: TxId,
        /// Which branch.
        branch: u16,
        /// Its code; 408 when it timed out.
        code: u16,
        /// The route, as given in [`super::BranchSpec::on_failure`].
        route: Arc<str>,
    },
    /// A response to a request of our own ([`super::TxLayer::create_local`]):
    /// provisional (not 100), every 2xx, or the best failure once.
    Local {
        /// Which transaction.
        tx: TxId,
        /// Which branch.
        branch: u16,
        /// Its code.
        code: u16,
        /// The response as handed to [`super::TxLayer::deliver`]; `None` when the
        /// layer made up the code (408 timed out, 503 unreachable).
        reply: Option<Bytes>,
    },
    /// A response that was suspended ([`super::TxLayer::suspend_reply`]) was not
    /// resumed in time: deliver or discard it.
    HeldReply {
        /// Which transaction.
        tx: TxId,
        /// Which branch.
        branch: u16,
    },
    /// Something happened that somebody wants to know. Take it by
    /// [`super::TxLayer::next_watched`], tell them, then call
    /// [`super::TxLayer::watched_done`]; not before that comes the next one.
    Watched {
        /// Which transaction.
        tx: TxId,
    },
    /// The transaction is gone; its id finds nothing any more.
    Destroyed {
        /// Which it was.
        tx: TxId,
        /// The final code that went upstream, 0 if none did.
        code: u16,
        /// The caller's data, to be dropped where that is allowed.
        data: D,
        /// Whether it was the last of very many, whose memory is free now.
        ends_peak: bool,
    },
}

/// What a request is to the transactions there are ([`super::TxLayer::lookup`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerMatch {
    /// Nothing: a new request, or an ACK or CANCEL without its INVITE.
    None,
    /// A copy of a known request. It is dealt with: the last response, if there
    /// was one, is in the outputs.
    Retransmission(TxId),
    /// An ACK.
    Ack {
        /// Transaction of the INVITE.
        tx: TxId,
        /// Whether it is for a 2xx, to be forwarded by the proxy. Otherwise it was
        /// for a failure and ends here.
        to_2xx: bool,
    },
    /// A CANCEL for this INVITE. Answer it with 200 and call
    /// [`super::TxLayer::cancel`] (RFC 3261 sections 9.2 and 16.10).
    Cancel {
        /// Transaction of the INVITE.
        invite: TxId,
    },
}

/// What a response is to the transactions there are ([`super::TxLayer::respond`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientMatch {
    /// Nothing of ours.
    None,
    /// Dealt with: a retransmission, an answer to our CANCEL, or too late.
    Absorbed(TxId),
    /// To be processed. The transaction is pinned until the caller calls
    /// [`super::TxLayer::deliver`] or [`super::TxLayer::discard`], once.
    Deliver {
        /// Which transaction.
        tx: TxId,
        /// Which branch.
        branch: u16,
    },
}

/// Why a reply was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyError {
    /// There is no such transaction any more.
    Gone,
    /// A final response was sent before.
    Replied,
    /// RFC 4320 section 4.1 forbids this provisional response to a non-INVITE request.
    Forbidden,
    /// The transaction is our own request and has nobody to reply to.
    Local,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the transaction has ended",
            Self::Replied => "a final response was sent before",
            Self::Forbidden => "RFC 4320 forbids this provisional response to a non-INVITE request",
            Self::Local => "a request of our own cannot be replied to",
        })
    }
}

impl std::error::Error for ReplyError {}

/// Why a branch was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BranchError {
    /// There is no such transaction any more.
    Gone,
    /// A final response was sent before.
    Replied,
    /// The request was cancelled (RFC 3261 section 16.10).
    Cancelled,
    /// [`super::TxConfig::max_branches`] are there.
    TooMany,
    /// The token was made for a number that is not the next one.
    Index,
}

impl fmt::Display for BranchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the transaction has ended",
            Self::Replied => "a final response was sent before",
            Self::Cancelled => "the request was cancelled",
            Self::TooMany => "the transaction has too many branches",
            Self::Index => "the branch number is not the next one",
        })
    }
}

impl std::error::Error for BranchError {}
