//! The server side of the layer: matching requests, creating transactions, replying.

use std::sync::Arc;

use bytes::Bytes;

use super::id::TxId;
use super::keys::{self, KeyMap};
use super::layer::TxLayer;
use super::machine::Machine;
use super::output::{Output, ReplyError, ServerMatch};
use super::server::reply_flow;
use super::slab::Slab;
use super::table::{Event, Kind};
use super::transaction::Transaction;
use crate::message::Message;
use crate::method::Method;
use crate::types::{Flow, Millis};

/// The server side (RFC 3261 section 17.2).
impl<D> TxLayer<D> {
    /// Matches a request; copies of known ones and ACKs for failures are dealt
    /// with. Call [`TxLayer::create`] under the same lock if the result lets you.
    pub fn lookup(
        &mut self,
        now: Millis,
        msg: &Message,
        flow: &Flow,
        out: &mut Vec<Output<D>>,
    ) -> ServerMatch {
        // All there is to say while a server answers without transactions.
        if self.is_empty() {
            return ServerMatch::None;
        }
        match msg.method() {
            Method::Ack => self.lookup_ack(now, msg, out),
            Method::Cancel => self
                .repeated(now, msg, flow, out)
                .or_else(|| self.cancelled(msg))
                .unwrap_or(ServerMatch::None),
            _ => self
                .repeated(now, msg, flow, out)
                .unwrap_or(ServerMatch::None),
        }
    }

    /// The transaction of the same request that came before by another path
    /// (RFC 3261 section 8.2.2.2), for what [`TxLayer::lookup`] does not know. A UAS
    /// answers 482; a proxy does not care: the request may have forked before it
    /// came here, or spiral.
    #[must_use]
    pub fn merged(&self, msg: &Message) -> Option<TxId> {
        if matches!(msg.method(), Method::Ack | Method::Cancel) || msg.to_tag().is_some() {
            return None;
        }
        let key = keys::dialog_key(&self.tokens, msg);
        Self::verified(&self.dialogs, &self.slab, key, |known| {
            keys::same_dialog(known, msg)
        })
    }

    /// Whether one of our transactions forwarded this same request and it came back
    /// (RFC 5393 section 4): one of its Vias is ours, and it has all that decided where
    /// the request of that transaction went. Where it came from is part of that, as
    /// scripts route by it; so a loop may be noticed when it closes the second time.
    #[must_use]
    pub fn is_loop(&self, msg: &Message, flow: &Flow) -> bool {
        let vias = msg.vias().skip(1).flatten();
        let tokens = vias.filter_map(|via| self.tokens.decode(msg.get(via.branch?)));
        let mut before = tokens.filter_map(|(id, _)| self.slab.get(id));
        before.any(|tx| {
            let known = tx.request.as_deref();
            tx.flow.remote.ip() == flow.remote.ip()
                && known.is_some_and(|known| keys::same_route(known, msg))
        })
    }

    /// Makes the transaction of a new request, with one pin that the caller gives
    /// back when it has dealt with the request. An ACK has none: forward it statelessly.
    pub fn create(&mut self, now: Millis, msg: Arc<Message>, flow: Flow, data: D) -> TxId {
        debug_assert_ne!(msg.method(), Method::Ack, "an ACK has no transaction");
        let key = keys::request_key(&self.tokens, &self.cfg, &msg, true);
        let dialog_key =
            Self::is_found_by_dialog(&msg).then(|| keys::dialog_key(&self.tokens, &msg));
        let kind = match msg.method() {
            Method::Invite => Kind::InviteServer,
            _ => Kind::NonInviteServer,
        };
        let machine = Machine::new(kind, flow.proto.is_reliable());
        let reply_flow = reply_flow(&msg, flow, false);
        let method = msg.method();
        let id = self.insert(now, method, data, machine, |tx| {
            tx.request = Some(msg);
            tx.flow = flow;
            tx.reply_flow = reply_flow;
            tx.key = key;
            tx.dialog_key = dialog_key.unwrap_or(0);
        });
        self.requests.insert(key, id.slot);
        if let Some(key) = dialog_key {
            self.dialogs.entry(key).or_insert(id.slot);
        }
        self.with(now, id, &mut Vec::new(), |work| {
            work.enter_server();
            if method == Method::Invite && !work.cfg.auto_trying {
                work.set_auto_trying(false);
            }
        });
        id
    }

    /// Sends a response of the user's. Its first final one ends what the branches
    /// were to find out: they are cancelled. A 408 to a request other than INVITE
    /// ends the transaction in silence (RFC 4320 section 4.2).
    ///
    /// # Errors
    /// See [`ReplyError`]; nothing was sent.
    pub fn reply(
        &mut self,
        now: Millis,
        tx: TxId,
        code: u16,
        bytes: Bytes,
        out: &mut Vec<Output<D>>,
    ) -> Result<(), ReplyError> {
        self.with(now, tx, out, |work| work.user_reply(code, bytes))
            .unwrap_or(Err(ReplyError::Gone))
    }

    /// Sends a 100 Trying to an INVITE that got nothing yet. Without this call it
    /// goes out after [`TxConfig::trying_ms`].
    pub fn trying(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| work.send_first_trying());
    }

    /// Whether a 100 goes out by itself (Kamailio's `t_set_auto_inv_100`).
    pub fn set_auto_trying(&mut self, now: Millis, tx: TxId, on: bool) {
        self.with(now, tx, &mut Vec::new(), |work| work.set_auto_trying(on));
    }

    /// Sends the last response again (Kamailio's `t_retransmit_reply`). False if
    /// there is none.
    pub fn retransmit_reply(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) -> bool {
        self.with(now, tx, out, |work| {
            work.resend();
            !work.tx.last_reply.is_empty()
        })
        .unwrap_or(false)
    }

    /// Sends responses to the source port even if the Via has no rport (Kamailio's
    /// `force_rport`).
    pub fn force_rport(&mut self, tx: TxId) {
        if let Some(tx) = self.slab.get_mut(tx)
            && let Some(request) = &tx.request
        {
            tx.force_rport = true;
            tx.reply_flow = reply_flow(request, tx.flow, true);
        }
    }

    /// Gives an unanswered request up without a response (Kamailio's `t_release`).
    /// Branches and pins end as they would.
    pub fn release(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            if !work.tx.is_local() {
                work.server_event(Event::Release);
            }
        });
    }

    /// As [`TxLayer::release`]; the transaction counts as answered with `code`
    /// (Kamailio's `t_drop`).
    pub fn drop_request(&mut self, now: Millis, tx: TxId, code: u16, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            if !work.tx.is_local() {
                work.decided(code);
                work.server_event(Event::Release);
            }
        });
    }

    pub(super) fn insert(
        &mut self,
        now: Millis,
        method: Method,
        data: D,
        server: Machine,
        fill: impl FnOnce(&mut Transaction<D>),
    ) -> TxId {
        let lifetime = self.cfg.lifetime_ms(method);
        let tokens = self.tokens;
        self.counts.created += 1;
        self.slab.insert(|id| {
            let mut tx = Transaction::new(id, method, data, server);
            tx.to_tag = tokens.tag_of(id);
            tx.began = now;
            tx.end_of_life = now + Millis::from(lifetime);
            fill(&mut tx);
            tx
        })
    }

    /// The transaction with that key, whose request passes the check.
    fn verified(
        map: &KeyMap,
        slab: &Slab<D>,
        key: u64,
        check: impl FnOnce(&Message) -> bool,
    ) -> Option<TxId> {
        let tx = slab.at(*map.get(&key)?)?;
        check(tx.request.as_ref()?).then_some(tx.id)
    }

    fn repeated(
        &mut self,
        now: Millis,
        msg: &Message,
        flow: &Flow,
        out: &mut Vec<Output<D>>,
    ) -> Option<ServerMatch> {
        let key = keys::request_key(&self.tokens, &self.cfg, msg, true);
        let id = Self::verified(&self.requests, &self.slab, key, |known| {
            keys::same_request(&self.cfg, known, msg) && keys::same_method(known, msg)
        })?;
        self.with(now, id, out, |work| {
            // The client may have lost its connection and opened another one.
            if flow.proto == work.tx.flow.proto && flow.proto.is_reliable() {
                work.tx.reply_flow = reply_flow(msg, *flow, false);
            }
            work.server_event(Event::Request);
        });
        Some(ServerMatch::Retransmission(id))
    }

    fn cancelled(&self, msg: &Message) -> Option<ServerMatch> {
        let key = keys::request_key(&self.tokens, &self.cfg, msg, false);
        let invite = Self::verified(&self.requests, &self.slab, key, |known| {
            known.method() == Method::Invite && keys::same_request(&self.cfg, known, msg)
        })?;
        Some(ServerMatch::Cancel { invite })
    }

    /// Section 17.2.3 for an ACK of RFC 2543: its To tag is that of the response.
    fn has_tag_of_reply(&self, tx: TxId, ack: &Message) -> bool {
        if keys::is_unique(ack) {
            return true;
        }
        let reply = self.slab.get(tx).map(|tx| tx.last_reply.clone());
        let reply = reply.and_then(|bytes| Message::parse(bytes).ok());
        reply.is_some_and(|reply| reply.to_tag() == ack.to_tag())
    }

    /// Whether an ACK to a 2xx, or the same request by another path, may come.
    fn is_found_by_dialog(msg: &Message) -> bool {
        match msg.method() {
            Method::Invite => true,
            Method::Cancel => false,
            _ => msg.to_tag().is_none(),
        }
    }

    fn lookup_ack(&mut self, now: Millis, msg: &Message, out: &mut Vec<Output<D>>) -> ServerMatch {
        let key = keys::request_key(&self.tokens, &self.cfg, msg, false);
        let invite = Self::verified(&self.requests, &self.slab, key, |known| {
            known.method() == Method::Invite && keys::same_request(&self.cfg, known, msg)
        });
        if let Some(tx) = invite.filter(|&tx| self.has_tag_of_reply(tx, msg)) {
            let passed = self.with(now, tx, out, |work| {
                work.server_event(Event::Ack) || work.tx.final_code / 100 == 2
            });
            let to_2xx = passed.unwrap_or(false);
            return ServerMatch::Ack { tx, to_2xx };
        }
        let key = keys::dialog_key(&self.tokens, msg);
        let invite = Self::verified(&self.dialogs, &self.slab, key, |known| {
            keys::same_dialog(known, msg)
        });
        match invite.filter(|&tx| self.slab.get(tx).is_some_and(|tx| tx.accepted)) {
            Some(tx) => {
                self.with(now, tx, out, |work| work.accepted_ack(msg));
                ServerMatch::Ack { tx, to_2xx: true }
            }
            None => ServerMatch::None,
        }
    }
}
