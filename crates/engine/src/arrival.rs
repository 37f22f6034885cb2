//! What becomes of a message that arrives, before the script sees it and without it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::error::{ErrorKind, ParseError};
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::script::{Context, Env, forward};
use sipwright_sip::tx::{
    ClientMatch, Outcome, ServerMatch, Transaction, TxId, happening, shard_of_datagram,
    shard_of_response,
};
use sipwright_sip::types::{Flow, Millis, Proto, SocketId};
use sipwright_sip::{Edits, build};

use crate::config::StrayResponses;
use crate::core::{Core, Outputs, SHARDS};
use crate::dns::{Located, Target};
use crate::job::Job;
use crate::log::{self, level};
use crate::net::{Sink, TxTag};
use crate::onsend::{Upstream, is_failing};
use crate::reply::Reply;
use crate::route::{self, NextHop, RouteError};

impl Core {
    pub(crate) fn on_request(&self, msg: Message, flow: Flow) {
        if msg.method() == Method::Ack && msg.to_tag().is_some_and(|t| t.starts_with(&self.sl_tag))
        {
            // The ACK of a final response that we sent without a transaction.
            self.counters().filtered_acks.inc();
            return;
        }
        let now = self.now();
        let msg = Arc::new(msg);
        let found = self.lookup(now, &msg, &flow);
        if let ServerMatch::Retransmission(_) = found {
            self.counters().retransmissions.inc();
            return;
        }
        let is_new = !matches!(msg.method(), Method::Ack | Method::Cancel);
        if is_new && self.is_draining() {
            self.refuse(&msg, &flow, b"Service Unavailable");
            return;
        }
        if self.is_too_much(&msg) {
            self.refuse_overload(&msg, &flow);
            return;
        }
        let key = self.pending.key(&msg);
        if !self.pending.insert(key, &msg, flow, now) {
            self.counters().retransmissions.inc();
            return;
        }
        if let ServerMatch::Ack { tx, to_2xx: false } = found {
            // Over TCP the transaction is gone at once (Timer I), before the route asks.
            self.pending.set_ended(key, tx);
        }
        if let ServerMatch::Ack { tx, to_2xx: true } = found {
            self.tell_of(tx, happening::ACK, &msg);
        }
        self.counters().requests.inc();
        let overloaded = self
            .queue_job(Job::Request {
                msg: Arc::clone(&msg),
                flow,
                key,
            })
            .is_err();
        if overloaded {
            self.pending.remove(key);
            self.refuse_overload(&msg, &flow);
        }
    }

    pub(crate) fn on_malformed(&self, error: &ParseError, flow: &Flow) {
        if error.kind == ErrorKind::Empty {
            return;
        }
        let answer = error.status.zip(error.partial.as_deref());
        let Some((code, partial)) =
            answer.filter(|(_, m)| m.is_request() && m.method() != Method::Ack)
        else {
            self.counters().dropped_malformed.inc();
            log::log(
                level::NOTICE,
                &format!(
                    "dropped a message from {}:{}: {error}",
                    flow.proto, flow.remote
                ),
            );
            return;
        };
        self.counters().answered_malformed.inc();
        log::log(
            level::NOTICE,
            &format!("answered {code} to {}:{}: {error}", flow.proto, flow.remote),
        );
        let reason = match code {
            505 => "Version Not Supported".to_owned(),
            413 => "Request Entity Too Large".to_owned(),
            _ => format!("Bad Request ({})", error.reason),
        };
        self.reply_stateless(partial, flow, &Reply::new(code, reason.as_bytes()));
    }

    pub(crate) fn on_response(&self, msg: Message, flow: Flow) {
        self.counters().responses.inc();
        let now = self.now();
        let msg = Arc::new(msg);
        let mut out = Vec::new();
        let (found, hooked) = self.match_response(now, &msg, &mut out);
        self.flush(&mut out);
        let target = match found {
            ClientMatch::Absorbed(_) => return,
            ClientMatch::Deliver { tx, branch } => Some((tx, branch)),
            ClientMatch::None => None,
        };
        // A 100 goes nowhere, so that no onsend route would run for it.
        let relayed = target.is_none() || msg.status() > 100;
        let scripted = self.has_reply_route() || hooked || (relayed && self.has_onsend_route());
        match target {
            // The transaction bounds these: few responses for each branch.
            Some(_) if scripted => self.queue_event(Job::Reply { msg, flow, target }),
            Some(tag) => {
                let bytes = build::forward_response(&msg, &Edits::new());
                self.deliver(tag, &msg, &flow, bytes);
            }
            None if scripted => {
                if self.queue_job(Job::Reply { msg, flow, target }).is_err() {
                    self.counters().overload_dropped.inc();
                }
            }
            None => {
                self.forward_stray(&self.context(msg, flow));
            }
        }
    }

    /// What a response is to the transactions, and whether a reply route of the
    /// transaction wants to see it.
    fn match_response(&self, now: Millis, msg: &Message, out: &mut Outputs) -> (ClientMatch, bool) {
        let Some(shard) = shard_of_response(msg).filter(|s| *s < SHARDS) else {
            return (ClientMatch::None, false);
        };
        let mut shard = self.shards[usize::from(shard)].lock();
        let found = shard.respond(now, msg, out);
        let hooked = match found {
            ClientMatch::Deliver { tx, branch } => shard.get(tx).is_some_and(|t| {
                t.data.script.restore != 0 || crate::session::reply_hook(t, branch).is_some()
            }),
            ClientMatch::None | ClientMatch::Absorbed(_) => false,
        };
        (found, hooked)
    }

    /// Passes a response that its routes are done with to its transaction, and tells what
    /// went upstream because of it.
    pub(crate) fn deliver(
        &self,
        (tx, branch): TxTag,
        msg: &Arc<Message>,
        flow: &Flow,
        bytes: Vec<u8>,
    ) -> Option<Upstream> {
        let wanted = self.has_onsend_route();
        self.transact(tx, |shard, now, out| {
            let open = wanted && shard.get(tx).is_some_and(|t| t.final_code() == 0);
            // What answers a request of our own stays whole: its only Via is ours.
            let local = shard.get(tx).is_some_and(Transaction::is_local);
            let bytes = if local {
                msg.bytes().clone()
            } else {
                bytes.into()
            };
            shard.deliver(now, tx, branch, msg.status(), bytes, out);
            let t = shard.get_mut(tx).filter(|_| open)?;
            if is_failing(out) {
                t.data.failed_by = Some(Box::new((Arc::clone(msg), *flow)));
            }
            Upstream::of(out, t, branch)
        })
    }

    /// Forwards a response without a transaction by its next Via
    /// (RFC 3261 section 16.7, last paragraphs; section 18.1.2). Gives the way it went,
    /// if that is known at once.
    pub(crate) fn forward_stray(&self, ctx: &Context) -> Option<Flow> {
        self.counters().stray_responses.inc();
        let msg = &ctx.msg;
        let via = msg.via();
        let ours = ctx
            .env
            .is_self(msg.get(via.host), via.port_or_default(), via.proto);
        let taken = self.config.forward.stray_responses == StrayResponses::Any;
        if ours && !taken && !self.is_branch_ours(msg) {
            self.counters().foreign_responses.inc();
            log::log(level::DBG, "dropped a response to no request of ours");
            return None;
        }
        let target = ours.then(|| build::response_target(msg)).flatten();
        let Some(target) = target else {
            log::log(
                level::DBG,
                "dropped a response whose top Via is not ours or that has no other",
            );
            return None;
        };
        match route::response_hop(&target) {
            Ok(hop) => self.send_stray(ctx, &hop),
            Err(error) => {
                Self::complain_of_stray(&error);
                None
            }
        }
    }

    /// Sends a response to a host of its Via, once that is known: nobody waits for it.
    fn send_stray(&self, ctx: &Context, hop: &NextHop) -> Option<Flow> {
        let bytes: Bytes = forward::build_reply(ctx).into();
        let (env, received) = (Arc::clone(&ctx.env), ctx.flow.socket);
        if let Some(place) = hop.numeric() {
            return self.send_to_first(&env, &[place], received, &bytes);
        }
        let act = {
            let (core, host) = (self.me.clone(), Arc::clone(&hop.host));
            move |found: Located| match (core.upgrade(), found) {
                (Some(core), Ok(places)) => core.send_to_first(&env, &places, received, &bytes),
                (Some(_), Err(why)) => {
                    Self::complain_of_stray(&RouteError::no_target(&host, why));
                    None
                }
                (None, _) => None,
            }
        };
        match self.dns.locate(&hop.wanted(), self.dns_policy(), None) {
            Ok(found) => act(found),
            Err(search) => {
                self.dns.then(search, move |found| {
                    act(found);
                });
                None
            }
        }
    }

    /// Sends a response to the first place that takes it (RFC 3263 section 5).
    fn send_to_first(
        &self,
        env: &Env,
        places: &[Target],
        received: SocketId,
        bytes: &Bytes,
    ) -> Option<Flow> {
        for place in places.iter().map(|place| self.as_connected(place.clone())) {
            match route::response_flow(env, &place, received) {
                Ok(flow) if self.net().send(&flow, bytes.clone(), None).is_ok() => {
                    self.passes(true, &flow, bytes);
                    return Some(flow);
                }
                Ok(_) => self.counters().send_errors.inc(),
                Err(error) => Self::complain_of_stray(&error),
            }
        }
        None
    }

    fn complain_of_stray(error: &RouteError) {
        log::log(
            level::NOTICE,
            &format!("cannot forward a response: {error}"),
        );
    }

    /// Does for a request what cannot wait for the script.
    pub(crate) fn relieve(&self, msg: &Message, flow: &Flow) {
        match (msg.method(), self.lookup(self.now(), msg, flow)) {
            (Method::Invite, ServerMatch::None) => {
                self.counters().relief_trying.inc();
                self.reply_stateless(msg, flow, &Reply::new(100, b"Trying"));
            }
            (Method::Cancel, ServerMatch::Cancel { invite }) => {
                self.counters().relief_cancel.inc();
                self.cancel_transaction(invite, msg, flow, b"", false);
            }
            _ => {}
        }
    }

    /// Answers a CANCEL and ends the pending branches (RFC 3261 sections 9.2, 16.10).
    pub(crate) fn cancel_transaction(
        &self,
        invite: TxId,
        msg: &Message,
        flow: &Flow,
        extra: &[u8],
        force_rport: bool,
    ) {
        let now = self.now();
        self.tell_of(invite, happening::CANCEL, msg);
        let mut out = Vec::new();
        let (tag, idle) = {
            let mut shard = self.shard(invite);
            let wanted = shard.get(invite).and_then(Transaction::cancel_reason);
            let reason = match wanted.unwrap_or(self.config.tm.e2e_cancel_reason) {
                true => reasons(msg),
                false => Vec::new(),
            };
            let t = shard.get(invite);
            let idle =
                t.is_some_and(|t| t.branches().iter().all(|b| b.outcome() != Outcome::Pending));
            shard.cancel(now, invite, &reason, &mut out);
            (shard.get(invite).map(Transaction::to_tag), idle)
        };
        let text: &[u8] = if idle {
            b"ok -- no more pending branches"
        } else {
            b"canceling"
        };
        let reply = Reply {
            headers: extra,
            force_rport,
            ..Reply::new(200, text)
        };
        self.reply_tagged(msg, flow, &reply, tag.as_deref().map(str::as_bytes));
        self.flush(&mut out);
    }
}

impl Sink for Core {
    fn message(&self, bytes: Bytes, flow: Flow) {
        self.passes(false, &flow, &bytes);
        match Message::parse(bytes) {
            Ok(msg) => {
                self.traffic.arrived(&msg);
                if msg.is_request() {
                    self.on_request(msg, flow);
                } else {
                    self.on_response(msg, flow);
                }
            }
            Err(error) => self.on_malformed(&error, &flow),
        }
    }

    fn http(&self, bytes: Bytes, flow: Flow) {
        self.on_http(bytes, flow);
    }

    fn conn_closed(&self, flow: &Flow) {
        let wanted = !self.config.websocket.event_callback.is_empty();
        if wanted && matches!(flow.proto, Proto::Ws | Proto::Wss) {
            self.queue_event(Job::WebSocketClosed { flow: *flow });
        }
    }

    fn send_failed(&self, _flow: &Flow, tx: Option<TxTag>) {
        let Some((tx, branch)) = tx else { return };
        let mut out = Vec::new();
        self.shard(tx).send_failed(self.now(), tx, branch, &mut out);
        self.flush(&mut out);
    }

    fn connection_out(&self, flow: &Flow) {
        self.queue_event(Job::TlsConnectionOut { flow: *flow });
    }

    fn unreachable(&self, remote: SocketAddr, quoted: &[u8]) {
        let Some(shard) = shard_of_datagram(quoted).filter(|s| *s < SHARDS) else {
            return;
        };
        let mut out = Outputs::new();
        self.shards[usize::from(shard)]
            .lock()
            .unreachable(self.now(), remote, quoted, &mut out);
        self.flush(&mut out);
    }

    fn jobs_pending(&self) -> bool {
        !self.queue.is_empty()
    }

    fn is_lagging(&self) -> bool {
        self.lag.is_lagging(self.now_us())
    }
}

/// The lines of a message that say why (RFC 3326).
fn reasons(msg: &Message) -> Vec<u8> {
    let lines = msg.find(b"Reason").map(|h| msg.get(h.full));
    lines.collect::<Vec<_>>().concat()
}
