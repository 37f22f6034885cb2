//! The server side of a transaction (RFC 3261 section 17.2).

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::config::TxConfig;
use super::counts::Counts;
use super::id::{SERVER, Tokens};
use super::output::{Output, ReplyError};
use super::table::{Action, Event, Kind, State, Then, Timer, Transition};
use super::transaction::Transaction;
use super::watch::happening;
use crate::build::{self, ViaFix};
use crate::message::Message;
use crate::types::{Flow, Millis, Proto, SendOptions};
use crate::via::Rport;

/// One transaction at work: what its machines need while they step.
pub(super) struct Work<'a, D> {
    pub(super) now: Millis,
    pub(super) cfg: &'a TxConfig,
    pub(super) tx: &'a mut Transaction<D>,
    pub(super) out: &'a mut Vec<Output<D>>,
    pub(super) trace: &'a mut Option<Vec<Transition>>,
    pub(super) tokens: &'a Tokens,
    pub(super) counts: &'a mut Counts,
}

impl<D> Work<'_, D> {
    /// Runs the entry actions of the server machine.
    pub(super) fn enter_server(&mut self) {
        let entry = self.tx.server.kind().table().entry;
        self.server_actions(entry, None);
    }

    /// Steps the server machine; true if it hands an ACK to the user.
    pub(super) fn server_event(&mut self, event: Event) -> bool {
        self.server_step(event, None).unwrap_or(false)
    }

    /// A response of the script (RFC 3261 section 17.2, RFC 4320).
    pub(super) fn user_reply(&mut self, code: u16, bytes: Bytes) -> Result<(), ReplyError> {
        self.check_reply(code)?;
        let first_final = code >= 200 && self.tx.final_code == 0;
        self.tx.repeats = false;
        let kind = match code {
            ..=100 => 0,
            101..200 => happening::PROVISIONAL,
            _ => happening::FINAL,
        };
        let kept = self.tx.is_watched(kind).then(|| bytes.clone());
        if !self.send_reply(code, bytes) {
            return Err(self.refusal());
        }
        self.counts.generated += 1;
        self.tell(kind, usize::from(SERVER), code, kept.as_ref());
        if first_final {
            self.decided(code);
            let lines = self.cancel_reason(code);
            self.cancel_branches(None, &lines);
        }
        if self.tx.server.kind() == Kind::InviteServer && (200..300).contains(&code) {
            self.tx.repeats = true;
            self.tx
                .server
                .start_retransmit(self.now, self.retr(), false);
        }
        Ok(())
    }

    /// Sends a response upstream as the server machine allows; false if it does not.
    pub(super) fn send_reply(&mut self, code: u16, bytes: Bytes) -> bool {
        let event = match (self.tx.server.kind(), code) {
            (_, ..200) => Event::Reply1xx,
            (Kind::InviteServer, 200..300) => Event::Reply2xx,
            (Kind::InviteServer, _) => Event::ReplyFailure,
            (_, 408) => Event::Reply408,
            _ => Event::ReplyFinal,
        };
        self.tx.accepted |= event == Event::Reply2xx;
        let sent = self.server_step(event, Some((code, bytes))).is_some();
        self.counts.sent += u64::from(sent);
        sent
    }

    /// The first final response is settled: failures are not compared any more.
    pub(super) fn decided(&mut self, code: u16) {
        if self.tx.final_code == 0 {
            self.tx.final_code = code;
            self.tx.forget_failures();
            let after = self.now.saturating_sub(self.tx.began);
            let asked = self.tx.request.is_some();
            self.counts.decided(code, asked.then_some(after));
        }
    }

    /// Sends a 100 if nothing was sent before (section 17.2.1). Not to other
    /// requests, which get theirs when RFC 4320 wants it.
    pub(super) fn send_first_trying(&mut self) {
        let invite = self.tx.server.kind() == Kind::InviteServer;
        if invite && self.tx.last_code == 0 && !self.tx.silent {
            let bytes = self.local_reply(100);
            self.send_reply(100, bytes);
        }
    }

    /// Whether to send a 100 without being told, from now on.
    pub(super) fn set_auto_trying(&mut self, on: bool) {
        self.tx.silent = !on;
        if !on {
            self.tx.server.stop(Timer::Trying);
        }
    }

    /// An ACK for a 2xx came: it ends the repetitions of our own.
    pub(super) fn accepted_ack(&mut self, ack: &Message) {
        let own = self.tx.request.as_ref().and_then(|r| r.to_tag());
        let ours = match own {
            Some(tag) => ack.to_tag() == Some(tag),
            None => ack.to_tag() == Some(self.tx.to_tag().as_bytes()),
        };
        if self.tx.repeats && ours {
            self.server_event(Event::Ack);
        }
    }

    /// A response made here.
    pub(super) fn local_reply(&self, code: u16) -> Bytes {
        let Some(request) = &self.tx.request else {
            return Bytes::new();
        };
        let fix = ViaFix::for_request(request, self.tx.flow.remote, self.tx.force_rport);
        let (tag, lines) = (self.tx.to_tag(), &self.cfg.reply_headers);
        let reason: &[u8] = if code == 100 {
            &self.cfg.trying_reason
        } else {
            b""
        };
        build::response(
            request,
            code,
            reason,
            Some(tag.as_bytes()),
            lines,
            b"",
            &fix,
        )
        .into()
    }

    pub(super) fn note(&mut self, transition: Transition) {
        if let Some(trace) = self.trace {
            trace.push(transition);
        }
    }

    /// Refuses what the table would let pass for a proxy, but a script must not send.
    fn check_reply(&self, code: u16) -> Result<(), ReplyError> {
        if self.tx.is_local() {
            return Err(ReplyError::Local);
        }
        let (kind, state) = (self.tx.server.kind(), self.tx.state());
        if kind == Kind::InviteServer {
            // The table lets every 2xx of a branch pass; a script has one answer.
            let late = (200..300).contains(&code) && state != State::Proceeding;
            return if late { Err(self.refusal()) } else { Ok(()) };
        }
        let early = matches!(self.tx.server.waiting(), Some((Timer::Trying, _)));
        if code < 200 && (code != 100 || early && !self.tx.flow.proto.is_reliable()) {
            return Err(ReplyError::Forbidden);
        }
        Ok(())
    }

    fn refusal(&self) -> ReplyError {
        match self.tx.final_code {
            0 => ReplyError::Gone,
            _ => ReplyError::Replied,
        }
    }

    /// Steps the server machine: `None` if the event is ignored, else whether an
    /// ACK is handed to the user.
    fn server_step(&mut self, event: Event, reply: Option<(u16, Bytes)>) -> Option<bool> {
        let (transition, row) = self.tx.server.step(event);
        self.note(transition);
        match row.then {
            Then::Go(_, actions) => Some(self.server_actions(actions, reply)),
            Then::Ignore | Then::Never => None,
        }
    }

    fn server_actions(&mut self, actions: &[Action], mut reply: Option<(u16, Bytes)>) -> bool {
        let mut pass_ack = false;
        for &action in actions {
            match action {
                Action::Start(timer) if timer.retransmits() => {
                    let retr = self.retr();
                    self.tx.server.start_retransmit(self.now, retr, false);
                }
                Action::Start(timer) => {
                    let wait = self.tx.server.wait_ms(timer, self.cfg);
                    let at = self.now + Millis::from(wait);
                    self.tx.server.start_wait(timer, at);
                }
                Action::Stop(timer) => self.tx.server.stop(timer),
                Action::SendReply => {
                    if let Some((code, bytes)) = reply.take() {
                        self.send_and_keep(code, bytes);
                    }
                }
                Action::PassReply => {
                    if let Some((_, bytes)) = reply.take() {
                        self.send_upstream(bytes);
                    }
                }
                Action::ResendReply => self.resend(),
                Action::SendTrying => {
                    self.tx.last_code = 100;
                    self.tx.last_reply = self.local_reply(100);
                    self.resend();
                }
                Action::PassAck => pass_ack = true,
                _ => debug_assert!(false, "{action:?} is not for servers"),
            }
        }
        pass_ack
    }

    /// A branch's 2xx does not take the place of our own, which is being repeated.
    fn send_and_keep(&mut self, code: u16, bytes: Bytes) {
        if self.tx.repeats {
            return self.send_upstream(bytes);
        }
        self.tx.last_code = code;
        self.tx.last_reply = bytes;
        self.resend();
    }

    /// Sends the last response again.
    pub(super) fn resend(&mut self) {
        if !self.tx.last_reply.is_empty() {
            self.send_upstream(self.tx.last_reply.clone());
        }
    }

    fn send_upstream(&mut self, bytes: Bytes) {
        self.out.push(Output::Send {
            flow: self.tx.reply_flow,
            bytes,
            tx: Some((self.tx.id, SERVER)),
            server_name: None,
            options: SendOptions {
                close: self.tx.reply_options.close && self.tx.last_code() >= 200,
                ..self.tx.reply_options
            },
        });
    }
}

/// Where responses to `msg` go: back on the connection, or once that is gone by another one
/// to the source address and the port of the Via; over UDP to `maddr`, or to
/// the source address with the port of the Via, or with the source port if the
/// Via has rport (RFC 3261 section 18.2.2, RFC 3581 section 4).
pub(super) fn reply_flow(msg: &Message, flow: Flow, force_rport: bool) -> Flow {
    let via = msg.via();
    if flow.proto != Proto::Udp {
        // The connection if it is still there, else one to the port of sent-by.
        let remote = SocketAddr::new(flow.remote.ip(), via.port_or_default());
        return Flow { remote, ..flow };
    }
    let maddr = via.maddr.and_then(|span| parse_ip(msg.get(span)));
    let symmetric = force_rport || via.rport != Rport::Absent;
    let remote = match maddr {
        Some(ip) => SocketAddr::new(ip, via.port_or_default()),
        None if symmetric => flow.remote,
        None => SocketAddr::new(flow.remote.ip(), via.port_or_default()),
    };
    Flow { remote, ..flow }
}

fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    let host = std::str::from_utf8(host).ok()?;
    host.trim_matches(['[', ']']).parse().ok()
}
