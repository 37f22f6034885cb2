//! A request on its way out: its next hop, its socket and its bytes
//! (RFC 3261 section 16.6 steps 6 to 10), and forwarding without state.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sipwright_sip::script::{BranchTarget, RouteType, forward};
use sipwright_sip::types::{Flow, SocketInfo};

use super::Slot;
use crate::core::Core;
use crate::log::{self, level};
use crate::reply::hex16;
use crate::resolve;
use crate::route::{self, NextHop, RouteError};
use crate::session::{Callback, Current};

impl Core {
    /// Resolves a target and builds the request as it leaves; `None` if the
    /// onsend route dropped it.
    pub(super) fn build<S: Slot>(
        &self,
        slot: &S,
        target: &BranchTarget,
        via_branch: &str,
        forced: Option<&NextHop>,
    ) -> Result<Option<(Flow, Bytes)>, RouteError> {
        let hop = match forced {
            Some(hop) => hop.clone(),
            None => route::next_hop(forward::next_hop(target))?,
        };
        let addr = match hop.addr {
            Some(addr) => addr,
            None => slot.blocking(|| resolve::host(&hop.host))?,
        };
        let (flow, bytes) = slot.with(|c| {
            let socket = self.socket_for(c, target, &hop, addr)?;
            let bytes = forward::build_branch(&c.ctx, socket, via_branch, target);
            let remote = SocketAddr::new(addr, hop.port);
            let flow = Flow {
                proto: hop.proto,
                socket: socket.id,
                remote,
                conn: 0,
            };
            Ok((flow, Bytes::from(bytes)))
        })?;
        let dropped = self.has_onsend_route() && onsend_drops(slot, flow);
        Ok((!dropped).then_some((flow, bytes)))
    }

    fn socket_for<'c>(
        &self,
        cur: &'c Current,
        target: &BranchTarget,
        hop: &NextHop,
        addr: IpAddr,
    ) -> Result<&'c SocketInfo, RouteError> {
        let forced = target.socket.or(cur.ctx.force_socket);
        route::out_socket(&cur.ctx.env, hop.proto, addr, forced, cur.ctx.flow.socket)
    }

    /// `KSR.forward`: passes the message on without state (RFC 3261 section 16.11).
    pub fn forward_stateless<S: Slot>(&self, slot: &S, forced: Option<NextHop>) -> i32 {
        let (target, branch) = slot.with(|c| {
            let main = forward::branches(&c.ctx).into_iter().next();
            (main, self.stateless_branch(c))
        });
        let Some(target) = target else { return -1 };
        match self.build(slot, &target, &branch, forced.as_ref()) {
            Ok(Some((flow, bytes))) => {
                self.send(&flow, bytes, None);
                slot.with(|c| c.handled = true);
                1
            }
            Ok(None) => 1,
            Err(why) => {
                log::log(level::ERR, &format!("forward: {why}"));
                slot.with(|c| c.error = Some(error_reply(&why)));
                -1
            }
        }
    }

    /// Branch of a request forwarded without state (RFC 3261 section 16.11).
    fn stateless_branch(&self, cur: &Current) -> String {
        let key = hex16(self.pending.key(&cur.ctx.msg));
        format!("z9hG4bKsl{}", String::from_utf8_lossy(&key))
    }
}

/// What Kamailio answers when a request cannot be forwarded.
pub(super) const fn error_reply(why: &RouteError) -> (u16, &'static str) {
    match why {
        RouteError::BadUri | RouteError::Scheme | RouteError::Transport => {
            (478, "Unresolvable destination (478/TM)")
        }
        RouteError::Unresolved(_) => (478, "Unresolvable destination (478/TM)"),
        RouteError::NoSocket(_) => (500, "I'm terribly sorry, server error occurred (7/TM)"),
    }
}

/// Runs `ksr_onsend_route` for a request that leaves; whether it called `set_drop`.
fn onsend_drops<S: Slot>(slot: &S, flow: Flow) -> bool {
    let (route, drop) = slot.with(|c| {
        c.ctx.onsend = Some(flow);
        let route = std::mem::replace(&mut c.ctx.route, RouteType::Onsend);
        (route, std::mem::replace(&mut c.ctx.drop, false))
    });
    slot.run(&Callback::OnsendRoute);
    slot.with(|c| {
        c.ctx.onsend = None;
        c.ctx.route = route;
        std::mem::replace(&mut c.ctx.drop, drop)
    })
}
