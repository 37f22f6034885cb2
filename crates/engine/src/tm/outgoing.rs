//! A request on its way out: its next hop, its socket and its bytes
//! (RFC 3261 section 16.6 steps 6 to 10), and forwarding without state.

use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::message::Message;
use sipwright_sip::script::{BranchTarget, RouteType, forward};
use sipwright_sip::tx::{Alternate, Alternates, BranchSpec, shard_of_response};
use sipwright_sip::types::{Flow, Proto, SendOptions, SocketInfo};

use super::Slot;
use crate::core::{Core, SHARDS};
use crate::dns::Target;
use crate::log::{self, level};
use crate::net::How;
use crate::reply::hex16;
use crate::route::{self, NextHop, RouteError};
use crate::session::{Callback, Current};

/// Start of the branches of requests without a transaction.
const STATELESS: &str = "z9hG4bKsl";

/// A request as it leaves.
pub(super) struct Outgoing {
    pub flow: Flow,
    pub bytes: Bytes,
    /// Name that the certificate of the other side must be valid for.
    pub server_name: Option<Arc<str>>,
    /// Where else, and as what, if there is no connection to be had.
    pub fallback: Option<(Flow, Bytes)>,
    /// What is to become of the connection.
    pub options: SendOptions,
    /// Where to try next.
    pub next: Option<Box<Alternates>>,
}

impl Outgoing {
    /// The branch of a transaction that sends it; `uri` is what it is for.
    pub(super) fn into_branch(self, index: u16, uri: Vec<u8>) -> BranchSpec {
        BranchSpec {
            index,
            bytes: self.bytes,
            flow: self.flow,
            server_name: self.server_name,
            fallback: self.fallback,
            options: self.options,
            uri: uri.into(),
            on_reply: None,
            on_failure: None,
            next: self.next,
        }
    }
}

/// Further targets of one URI that are kept while the first one is tried.
const MOST_ALTERNATES: usize = 7;

impl Core {
    /// Resolves a target and builds the request as it leaves; `None` if the
    /// onsend route dropped it. `branch` is the number of the branch that may try
    /// further targets; a request without state has none.
    pub(super) fn build<S: Slot>(
        &self,
        slot: &S,
        target: &BranchTarget,
        via_branch: &str,
        branch: Option<u16>,
        forced: Option<&NextHop>,
    ) -> Result<Option<Outgoing>, RouteError> {
        let hop = match forced {
            Some(hop) => hop.clone(),
            None => route::next_hop(forward::next_hop(target))?,
        };
        // The same request without state goes the same way again (RFC 3263 section 4.4).
        let seed = match branch {
            Some(_) => None,
            None => Some(slot.with(|c| self.pending.family(&c.ctx.msg))),
        };
        let numeric = hop.numeric().map(|place| self.as_connected(place));
        let found = self.places(slot, &hop, seed)?;
        let places = numeric.as_ref().map_or(&found[..], std::slice::from_ref);
        let outgoing = slot.with(|c| {
            let mut ways = places
                .iter()
                .filter_map(|p| Some((p, socket_for(c, target, p).ok()?)));
            let (place, socket) = ways.next().ok_or(RouteError::NoSocket(places[0].proto))?;
            let head = forward::head(&c.ctx, socket, via_branch, target);
            let bytes: Bytes = forward::build_below(&c.ctx, &head, target).into();
            let next = branch
                .filter(|_| self.config.dns.failover)
                .and_then(|index| {
                    let further = ways.take(MOST_ALTERNATES).map(|(place, other)| Alternate {
                        flow: flow_to(place, other),
                        head: (other.id != socket.id)
                            .then(|| forward::head(&c.ctx, other, via_branch, target).into()),
                    });
                    let further = further.collect();
                    Alternates::new(&bytes, head.len(), index, further, hop.name.clone())
                });
            let client = forward::flow_of(target).filter(|_| forced.is_none());
            let flow = client.unwrap_or_else(|| flow_to(place, socket));
            let small = Outgoing {
                flow,
                bytes,
                server_name: hop.name.clone().filter(|_| flow.proto.is_secure()),
                fallback: None,
                options: SendOptions {
                    exact: client.is_some(),
                    ..c.ctx.send_flags.forward()
                },
                next,
            };
            // Nobody would notice the refusal of what leaves without state.
            if branch.is_none() || !self.is_too_large(c, target, &hop, &small) {
                return Ok(small);
            }
            Ok(self.by_stream(c, target, via_branch, &hop, small))
        })?;
        let dropped = self.has_onsend_route() && onsend_drops(slot, outgoing.flow);
        Ok((!dropped).then_some(outgoing))
    }

    /// Whether a request ought not to leave by UDP (RFC 3261 section 18.1.1), neither the
    /// next hop nor the script having chosen it.
    fn is_too_large(
        &self,
        cur: &Current,
        target: &BranchTarget,
        hop: &NextHop,
        out: &Outgoing,
    ) -> bool {
        let bound = self.config.forward.udp_mtu;
        bound > 0
            && out.bytes.len() > bound
            && out.flow.proto == Proto::Udp
            && hop.proto.is_none()
            && target.socket.or(cur.ctx.force_socket).is_none()
    }

    /// The same request over a connection, if one of our sockets is for that, and by UDP
    /// if there is none to be had.
    fn by_stream(
        &self,
        cur: &Current,
        target: &BranchTarget,
        via_branch: &str,
        hop: &NextHop,
        small: Outgoing,
    ) -> Outgoing {
        let place = Target {
            proto: self.config.forward.udp_mtu_try_proto,
            addr: small.flow.remote,
        };
        let Ok(socket) = socket_for(cur, target, &place) else {
            return small;
        };
        Outgoing {
            flow: flow_to(&place, socket),
            bytes: forward::build_branch(&cur.ctx, socket, via_branch, target).into(),
            server_name: hop.name.clone().filter(|_| place.proto.is_secure()),
            fallback: Some((small.flow, small.bytes)),
            options: small.options,
            next: small.next,
        }
    }

    /// Where a next hop with a name is, best first and at least one place (RFC 3263
    /// section 4); none for an address, which is a place itself.
    pub(super) fn places<S: Slot>(
        &self,
        slot: &S,
        hop: &NextHop,
        seed: Option<u64>,
    ) -> Result<Vec<Target>, RouteError> {
        if hop.addr.is_some() {
            return Ok(Vec::new());
        }
        let found = self
            .dns
            .locate(&hop.wanted(), self.dns_policy(), seed)
            .unwrap_or_else(|search| slot.blocking(|| self.dns.wait(search)));
        found.map_err(|why| RouteError::no_target(&hop.host, why))
    }

    /// The best place of a next hop, if that needs no waiting.
    pub(super) fn known_place(&self, hop: &NextHop) -> Option<Target> {
        if let Some(target) = hop.numeric() {
            return Some(target);
        }
        let found = self
            .dns
            .locate(&hop.wanted(), self.dns_policy(), None)
            .ok()?;
        found.ok()?.first().cloned()
    }

    /// `KSR.forward`: passes the message on without state (RFC 3261 section 16.11).
    pub fn forward_stateless<S: Slot>(&self, slot: &S, forced: Option<NextHop>) -> i32 {
        if slot.with(|c| c.ctx.msg.is_http()) {
            return -1;
        }
        let (target, branch) =
            slot.with(|c| (forward::main_branch(&c.ctx), self.stateless_branch(c)));
        match self.build(slot, &target, &branch, None, forced.as_ref()) {
            Ok(Some(out)) => {
                let how = How {
                    server_name: out.server_name.as_deref(),
                    options: out.options,
                };
                self.send(&out.flow, out.bytes, None, how);
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

    /// Branch of a request forwarded without state: the same for its retransmissions, its
    /// CANCEL and the ACK of its failure (RFC 3261 section 16.11).
    fn stateless_branch(&self, cur: &Current) -> String {
        let msg = &cur.ctx.msg;
        let key = hex16(self.pending.family(msg));
        let seal = hex16(self.pending.seal(&key, msg, msg.via()));
        let text = String::from_utf8_lossy;
        format!("{STATELESS}{}{}", text(&key), text(&seal))
    }

    /// Whether the branch of a response is one that we gave to a request, with a transaction
    /// or without. Anybody can send a response with any Vias; whoever forwards them all
    /// sends any bytes anywhere for anybody (RFC 6026 section 7.3).
    pub(crate) fn is_branch_ours(&self, msg: &Message) -> bool {
        let Some(branch) = msg.branch() else {
            return false;
        };
        let sealed = branch.strip_prefix(STATELESS.as_bytes());
        let Some((key, seal)) = sealed.and_then(|rest| rest.split_at_checked(16)) else {
            let shard = shard_of_response(msg).filter(|s| *s < SHARDS);
            return shard.is_some_and(|s| self.shards[usize::from(s)].lock().made(branch));
        };
        let next = msg.vias().nth(1).and_then(Result::ok);
        next.is_some_and(|via| seal == hex16(self.pending.seal(key, msg, &via)))
    }
}

/// Our socket for a place, and whether there is one.
fn socket_for<'c>(
    cur: &'c Current,
    target: &BranchTarget,
    place: &Target,
) -> Result<&'c SocketInfo, RouteError> {
    let forced = target.socket.or(cur.ctx.force_socket);
    let (proto, ip) = (place.proto, place.addr.ip());
    route::out_socket(&cur.ctx.env, proto, ip, forced, cur.ctx.flow.socket)
}

pub(super) const fn flow_to(place: &Target, socket: &SocketInfo) -> Flow {
    Flow {
        proto: place.proto,
        socket: socket.id,
        remote: place.addr,
        conn: 0,
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
