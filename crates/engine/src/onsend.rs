//! `ksr_onsend_route` for responses.
//!
//! As in Kamailio 5.6 it runs for responses that are forwarded because one has come, shows
//! the one that has come, and cannot drop or change what leaves. It does not run for
//! responses made here, nor for what comes after the final one. Engine threads run no
//! script, so responses go through a worker when the script has such a route.

use std::sync::Arc;

use sipwright_sip::message::Message;
use sipwright_sip::script::{RouteType, TxView};
use sipwright_sip::tx::{Outcome, Output, Transaction};
use sipwright_sip::types::Flow;

use crate::core::{Core, Outputs};
use crate::net::TxTag;
use crate::session::{Callback, Current, Kind, Next};
use crate::tm::{TxState, id_of};

/// A response that leaves: where to, and whose it is if a transaction sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream {
    flow: Flow,
    of: Option<TxTag>,
}

/// A response that made a failure route run, and how it came.
pub(crate) type FailedBy = (Arc<Message>, Flow);

impl Upstream {
    /// One that no transaction sends.
    pub(crate) const fn stray(flow: Flow) -> Self {
        Self { flow, of: None }
    }

    /// What a transaction sends after a response of this branch.
    pub(crate) fn of(out: &Outputs, t: &Transaction<TxState>, branch: u16) -> Option<Self> {
        let flow = out.iter().find_map(|o| match o {
            Output::Send { flow, bytes, .. } if bytes.starts_with(b"SIP/2.0 ") => Some(*flow),
            _ => None,
        })?;
        let of = Some((t.id(), winner(t).unwrap_or(branch)));
        Some(Self { flow, of })
    }
}

/// The branch whose failure went upstream.
fn winner(t: &Transaction<TxState>) -> Option<u16> {
    let code = t.final_code();
    // A 503 went as 500 (RFC 3261 section 16.7 step 6).
    let same = |c: u16| c == code || (c, code) == (503, 500);
    let found = t
        .branches()
        .iter()
        .position(|b| code >= 300 && b.outcome() == Outcome::Done && same(b.code()));
    found.and_then(|index| u16::try_from(index).ok())
}

/// Whether a failure route is about to run.
pub(crate) fn is_failing(out: &Outputs) -> bool {
    let routes = |o: &_| matches!(o, Output::Failure { .. } | Output::BranchFailure { .. });
    out.iter().any(routes)
}

impl Core {
    /// Turns to the onsend route with a response that has made one leave.
    pub(crate) fn enter_onsend(&self, mut cur: Current, way: Option<Upstream>) -> Next {
        let Some(way) = way.filter(|_| self.has_onsend_route()) else {
            return Next::Done;
        };
        cur.ctx.tx = None;
        cur.tx = way.of.map(|(tx, _)| tx);
        if let Some((tx, branch)) = way.of {
            let shard = self.shard(tx);
            cur.ctx.tx = Some(Box::new(TxView {
                branch_idx: branch,
                id: id_of(tx),
                ..TxView::default()
            }));
            if let Some(t) = shard.get(tx) {
                cur.ctx.original = t.request().cloned();
                cur.ctx.tx_data = t.data.script.clone();
            }
        }
        cur.ctx.onsend = Some(way.flow);
        cur.ctx.route = RouteType::Onsend;
        cur.callback = Callback::OnsendRoute;
        Next::Again(Box::new(cur))
    }

    /// The same once the failure route that the response made run is over.
    pub(crate) fn onsend_after_failure(&self, by: FailedBy, way: Upstream) -> Next {
        let (msg, flow) = by;
        let kind = Kind::Reply { target: way.of };
        let cur = Current::new(self.context(msg, flow), kind, Callback::OnsendRoute);
        self.enter_onsend(cur, Some(way))
    }
}
