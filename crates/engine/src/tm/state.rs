//! What the engine keeps with a transaction besides what the layer knows of it.

use std::sync::Arc;

use sipwright_sip::script::TxData;

use crate::session::Current;

/// The engine's part of a transaction; it goes away with it.
#[derive(Debug, Default)]
pub struct TxState {
    /// AVPs and flags, which all routes of the transaction share.
    pub script: TxData,
    /// The message that a script suspended.
    pub(crate) suspension: Option<Box<Suspension>>,
}

impl TxState {
    /// The state of a new transaction.
    #[must_use]
    pub fn new(script: TxData) -> Self {
        Self {
            script,
            ..Self::default()
        }
    }
}

/// A message between `t_suspend` and `t_continue`.
#[derive(Debug)]
pub(crate) enum Suspension {
    /// The route that suspended it has not ended; what was asked for meanwhile.
    Running(Option<Then>),
    /// It waits, as its route left it.
    Waiting(Current),
}

/// What becomes of a suspended message.
#[derive(Debug)]
pub(crate) enum Then {
    /// This route runs.
    Run(Arc<str>),
    /// Nobody resumed it in time: a response goes on as it is.
    GoOn,
}
