//! What the engine keeps with a transaction besides what the layer knows of it.

use std::sync::Arc;

use sipwright_sip::script::{Binding, BranchTarget, TxData};

use super::local::Sent;
use crate::onsend::FailedBy;
use crate::session::Current;

/// The engine's part of a transaction; it goes away with it.
#[derive(Debug, Default)]
pub struct TxState {
    /// AVPs and flags, which all routes of the transaction share.
    pub script: TxData,
    /// The message that a script suspended.
    pub(crate) suspension: Option<Box<Suspension>>,
    /// What few branches have, with their numbers.
    pub(crate) notes: Vec<(u16, BranchNote)>,
    /// What a request of our own is for.
    pub(crate) local: Option<Box<Sent>>,
    /// What made the failure route run, if the script has an onsend route.
    pub(crate) failed_by: Option<Box<FailedBy>>,
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

/// What the routes of a branch see of how it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BranchNote {
    /// Branch flags.
    pub flags: u32,
    /// The binding that it came from.
    pub binding: Option<Box<Binding>>,
}

impl BranchNote {
    /// The note of a target; `None` when there is nothing to note.
    pub fn of(target: &mut BranchTarget) -> Option<Self> {
        let (ruid, location_ua) = (target.ruid.take(), target.location_ua.take());
        let known = ruid.is_some() || location_ua.is_some();
        let note = Self {
            flags: target.flags,
            binding: known.then(|| {
                Box::new(Binding {
                    ruid,
                    location_ua,
                    instance: target.instance.take(),
                    reg_id: target.reg_id,
                })
            }),
        };
        (note != Self::default()).then_some(note)
    }
}

/// A message between `t_suspend` and `t_continue`.
// It lies in a box anyway.
#[allow(clippy::large_enum_variant)]
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
