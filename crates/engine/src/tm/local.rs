//! Requests of our own (Kamailio's `t_uac_send`; RFC 3261 section 8.1) and what
//! becomes of them.

use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::build::{self, LocalError, LocalRequest};
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::script::{Context, Env, RouteType, TxView, forward};
use sipwright_sip::tx::{BranchSpec, TxId};
use sipwright_sip::types::{Flow, SendOptions, SocketId, SocketInfo};

use super::outgoing::flow_to;
use super::{Slot, TxState, id_of};
use crate::core::Core;
use crate::job::Job;
use crate::log::{self, level};
use crate::net::How;
use crate::route::{self, RouteError};
use crate::session::{Callback, Current, Kind};

/// Branch numbers of ACKs for a 2xx: no branch of a transaction has them, so that
/// nothing that comes back for them is mistaken for a response.
const ACK_BRANCH: u16 = 0x8000;

/// A request of our own, as a script or a module asks for it.
#[derive(Clone, Debug, Default)]
pub struct LocalSpec<'a> {
    /// Method.
    pub method: &'a str,
    /// Request-URI.
    pub uri: &'a str,
    /// URI to send it to; empty for the Request-URI.
    pub next_hop: &'a str,
    /// Our socket, `proto:host:port` or its name; empty for any.
    pub socket: &'a str,
    /// Header lines with CRLF; From and To are needed.
    pub headers: &'a str,
    /// Body.
    pub body: &'a [u8],
    /// Function of the script to call with the final response, or with the request
    /// when none came.
    pub then: Option<Callback>,
}

/// What the engine keeps of a request of our own.
#[derive(Debug)]
pub(crate) struct Sent {
    request: Arc<Message>,
    flow: Flow,
    then: Option<Callback>,
}

/// What a transaction of ours reported ([`Output::Local`](sipwright_sip::tx::Output)).
#[derive(Debug)]
pub(crate) struct Reported {
    /// Which transaction.
    pub tx: TxId,
    /// Which branch.
    pub branch: u16,
    /// The code.
    pub code: u16,
    /// The response; `None` when the code stands for one.
    pub reply: Option<Bytes>,
}

/// A final response to a request of our own, on its way to who asked for it.
#[derive(Debug)]
pub struct LocalDone {
    /// The response, or the request when there is none.
    msg: Arc<Message>,
    request: Arc<Message>,
    flow: Flow,
    tx: TxId,
    branch: u16,
    code: u16,
    callback: Callback,
}

/// Why a request of our own was not sent.
#[derive(Debug)]
pub enum SendRequestError {
    /// It cannot be built.
    Request(LocalError),
    /// It cannot be routed.
    Route(RouteError),
    /// There is no such socket.
    Socket,
    /// The message that was built is not valid.
    Invalid(String),
}

impl std::fmt::Display for SendRequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(why) => why.fmt(f),
            Self::Route(why) => why.fmt(f),
            Self::Socket => f.write_str("there is no such socket"),
            Self::Invalid(why) => f.write_str(why),
        }
    }
}

impl Core {
    /// `t_uac_send`: sends a request of our own.
    pub fn t_uac_send<S: Slot>(&self, slot: &S, spec: &LocalSpec<'_>) -> i32 {
        match self.send_request(slot, spec) {
            Ok(()) => 1,
            Err(why) => {
                log::log(level::ERR, &format!("t_uac_send: {why}"));
                -1
            }
        }
    }

    /// Sends a request of our own, after the event route `tm:local-request` has
    /// seen it. It is retransmitted, acknowledged and timed out as any other.
    ///
    /// # Errors
    /// See [`SendRequestError`]; nothing was sent.
    pub fn send_request<S: Slot>(
        &self,
        slot: &S,
        spec: &LocalSpec<'_>,
    ) -> Result<(), SendRequestError> {
        let env = self.env();
        let forced = forced_socket(&env, spec.socket)?;
        let hop_uri = match spec.next_hop {
            "" | "." => spec.uri,
            uri => uri,
        };
        let names = (self.unique_name(), self.unique_name());
        let draft = self.draft(spec, &names, DRAFT_VIA)?;
        let (flow, server_name) = self.way_to(slot, &env, hop_uri, forced)?;
        let socket = env.socket(flow.socket).ok_or(SendRequestError::Socket)?;
        let tx = self.create_local(&draft);
        let token = self.shard(tx).branch_token(tx, 0);
        let via = forward::via_line(&self.context(Arc::new(draft), flow), socket, &token);
        let built = self.draft(spec, &names, &via).map(|msg| {
            let ctx = self.local_context(msg, flow, hop_uri, tx);
            self.local_request_route(slot, ctx)
        });
        let sent = match built {
            Ok(Some(bytes)) => self.start_local(tx, spec, flow, server_name, bytes),
            Ok(None) => {
                log::log(level::INFO, "tm:local-request dropped a request");
                Ok(())
            }
            Err(why) => Err(why),
        };
        self.transact(tx, |shard, now, out| shard.unpin(now, tx, out));
        sent
    }

    /// `send_data`, `sendx`: sends bytes that are no request of ours, by a socket
    /// `proto:host:port` or its name, or by any for an empty one.
    ///
    /// # Errors
    /// See [`SendRequestError`]; nothing was sent.
    pub fn send_data<S: Slot>(
        &self,
        slot: &S,
        uri: &str,
        socket: &str,
        data: &[u8],
    ) -> Result<(), SendRequestError> {
        let env = self.env();
        let forced = forced_socket(&env, socket)?;
        let (flow, server_name) = self.way_to(slot, &env, uri, forced)?;
        let how = How {
            server_name: server_name.as_deref(),
            ..How::default()
        };
        self.send(&flow, Bytes::copy_from_slice(data), None, how);
        Ok(())
    }

    /// The first place of a URI that one of our sockets can send to, and its name for TLS.
    fn way_to<S: Slot>(
        &self,
        slot: &S,
        env: &Env,
        uri: &str,
        forced: Option<SocketId>,
    ) -> Result<(Flow, Option<Arc<str>>), SendRequestError> {
        let mut hop = route::next_hop(uri.as_bytes()).map_err(SendRequestError::Route)?;
        let (numeric, found) = (hop.numeric(), self.places(slot, &hop, None));
        let found = found.map_err(SendRequestError::Route)?;
        let places = numeric.as_ref().map_or(&found[..], std::slice::from_ref);
        let flow = places.iter().find_map(|place| {
            let (proto, ip) = (place.proto, place.addr.ip());
            let socket = route::out_socket(env, proto, ip, forced, u16::MAX).ok()?;
            Some(flow_to(place, socket))
        });
        let flow = flow.ok_or(SendRequestError::Route(RouteError::NoSocket(
            places[0].proto,
        )))?;
        let server_name = hop.name.take().filter(|_| flow.proto.is_secure());
        Ok((flow, server_name))
    }

    fn draft(
        &self,
        spec: &LocalSpec<'_>,
        (from_tag, call_id): &(String, String),
        via: &[u8],
    ) -> Result<Message, SendRequestError> {
        let bytes = build::local_request(&LocalRequest {
            method: spec.method.as_bytes(),
            uri: spec.uri.as_bytes(),
            headers: spec.headers.as_bytes(),
            body: spec.body,
            via,
            from_tag: from_tag.as_bytes(),
            call_id: call_id.as_bytes(),
            user_agent: self.config.user_agent_header.as_bytes(),
        })
        .map_err(SendRequestError::Request)?;
        Message::parse(bytes.into()).map_err(|e| SendRequestError::Invalid(e.to_string()))
    }

    fn create_local(&self, draft: &Message) -> TxId {
        let now = self.now();
        self.shard_of(draft)
            .create_local(now, draft.method(), TxState::default())
    }

    fn local_context(&self, msg: Message, flow: Flow, hop_uri: &str, tx: TxId) -> Context {
        let mut ctx = self.context(Arc::new(msg), flow);
        ctx.route = RouteType::Event;
        ctx.dst_uri = Some(hop_uri.as_bytes().to_vec());
        ctx.tx = Some(Box::new(TxView {
            id: id_of(tx),
            ..TxView::default()
        }));
        ctx
    }

    /// Shows the request to `tm:local-request`; gives its bytes, or `None` if the
    /// route dropped it.
    fn local_request_route<S: Slot>(&self, slot: &S, ctx: Context) -> Option<Bytes> {
        let Some(name) = self.tm_event_callback() else {
            return Some(ctx.msg.bytes().clone());
        };
        let callback = Callback::Event {
            name,
            event: "tm:local-request".into(),
            required: false,
        };
        let cur = Current::new(ctx, Kind::Fake, callback.clone());
        let cur = slot.aside(cur, || {
            slot.run(&callback);
        });
        (!cur.ctx.drop).then(|| forward::applied(&cur.ctx))
    }

    fn start_local(
        &self,
        tx: TxId,
        spec: &LocalSpec<'_>,
        flow: Flow,
        server_name: Option<Arc<str>>,
        bytes: Bytes,
    ) -> Result<(), SendRequestError> {
        let request =
            Message::parse(bytes.clone()).map_err(|e| SendRequestError::Invalid(e.to_string()))?;
        if request.method() == Method::Ack {
            // An ACK has no transaction (RFC 3261 section 17.1).
            let how = How {
                server_name: server_name.as_deref(),
                ..How::default()
            };
            self.send(&flow, bytes, None, how);
            return Ok(());
        }
        let uri = Bytes::copy_from_slice(request.uri());
        self.transact(tx, |shard, now, out| {
            if let Some(t) = shard.get_mut(tx) {
                t.data.local = Some(Box::new(Sent {
                    request: Arc::new(request),
                    flow,
                    then: spec.then.clone(),
                }));
            }
            let branch = BranchSpec {
                index: 0,
                bytes,
                flow,
                server_name,
                fallback: None,
                next: None,
                options: SendOptions::default(),
                uri,
                on_reply: None,
                on_failure: None,
            };
            shard.add_branch(now, tx, branch, out)
        })
        .map(drop)
        .map_err(|e| SendRequestError::Invalid(e.to_string()))
    }

    /// Responses to requests of our own, or codes that stand for them. `gone` has what
    /// was kept with transactions that have ended.
    pub(crate) fn local_responses(&self, reported: Vec<Reported>, gone: &[(TxId, Box<Sent>)]) {
        for what in reported {
            let past = gone.iter().find(|(tx, _)| *tx == what.tx);
            match past {
                Some((_, sent)) => self.local_response(what, sent.parts()),
                None => {
                    let shard = self.shard(what.tx);
                    let sent = shard.get(what.tx).and_then(|t| t.data.local.as_ref());
                    let parts = sent.map(|sent| sent.parts());
                    drop(shard);
                    if let Some(parts) = parts {
                        self.local_response(what, parts);
                    }
                }
            }
        }
    }

    fn local_response(
        &self,
        what: Reported,
        (request, flow, then): (Arc<Message>, Flow, Option<Callback>),
    ) {
        let Reported {
            tx, branch, code, ..
        } = what;
        let reply = what.reply.and_then(|bytes| Message::parse(bytes).ok());
        if let Some(reply) = &reply
            && request.method() == Method::Invite
            && (200..300).contains(&code)
        {
            self.ack_local((tx, branch), flow, &request, reply);
        }
        if let Some(callback) = then.filter(|_| code >= 200) {
            let msg = reply.map_or_else(|| Arc::clone(&request), Arc::new);
            self.queue_event(Job::Local(Box::new(LocalDone {
                msg,
                request,
                flow,
                tx,
                branch,
                code,
                callback,
            })));
        }
    }

    /// Sends the ACK for a 2xx (RFC 3261 section 13.2.2.4). Any thread may do this, so
    /// that it waits for no DNS: a next hop by name that is not in the cache is taken
    /// to be where the INVITE went.
    fn ack_local(&self, (tx, branch): (TxId, u16), sent: Flow, invite: &Message, reply: &Message) {
        let token = self.shard(tx).branch_token(tx, ACK_BRANCH | branch);
        let (_, hop) = build::ack_for_2xx(invite, reply, b"");
        let env = self.env();
        let near = route::next_hop(&hop)
            .ok()
            .and_then(|hop| self.known_place(&hop));
        let near = near.and_then(|place| {
            let (proto, ip) = (place.proto, place.addr.ip());
            let socket = route::out_socket(&env, proto, ip, Some(sent.socket), sent.socket).ok()?;
            Some(flow_to(&place, socket))
        });
        let flow = near.unwrap_or(sent);
        let Some(socket) = env.socket(flow.socket) else {
            return;
        };
        let via = via_of(socket, &token);
        let (bytes, _) = build::ack_for_2xx(invite, reply, &via);
        self.send(&flow, bytes.into(), None, How::default());
    }

    /// The context of the function that is told of the outcome.
    pub(crate) fn begin_local(&self, done: LocalDone) -> Current {
        let mut ctx = self.context(done.msg, done.flow);
        ctx.route = RouteType::Event;
        ctx.original = Some(done.request);
        ctx.tx = Some(Box::new(TxView {
            id: id_of(done.tx),
            branch_idx: done.branch,
            reply_code: done.code,
            ..TxView::default()
        }));
        Current::new(ctx, Kind::Fake, done.callback)
    }
}

impl Sent {
    /// The request as it left.
    pub(super) fn request(&self) -> &Arc<Message> {
        &self.request
    }

    fn parts(&self) -> (Arc<Message>, Flow, Option<Callback>) {
        (Arc::clone(&self.request), self.flow, self.then.clone())
    }
}

/// The socket that a caller names; `None` when it names none.
fn forced_socket(env: &Env, name: &str) -> Result<Option<SocketId>, SendRequestError> {
    if matches!(name, "" | ".") {
        return Ok(None);
    }
    let socket = env
        .find_socket(name.as_bytes())
        .or_else(|| env.named_socket(name.as_bytes()));
    socket.map(|s| Some(s.id)).ok_or(SendRequestError::Socket)
}

const DRAFT_VIA: &[u8] = b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKdraft\r\n";

fn via_of(socket: &SocketInfo, token: &str) -> Vec<u8> {
    format!(
        "Via: SIP/2.0/{} {}:{};branch={token}\r\n",
        socket.proto.via_str(),
        socket.host(),
        socket.port()
    )
    .into_bytes()
}
