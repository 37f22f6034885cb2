//! Responses made here without a transaction (RFC 3261 section 8.2.7).

use std::borrow::Cow;

use sipwright_sip::build;
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::script::Context;
use sipwright_sip::types::{Flow, SendOptions};

use crate::core::Core;
use crate::net::How;
use crate::route;

/// A response to be made here.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Status code.
    pub code: u16,
    /// Reason phrase.
    pub reason: &'a [u8],
    /// Header lines, each with its CRLF.
    pub headers: &'a [u8],
    /// Body; its Content-Type is among the header lines.
    pub body: &'a [u8],
    /// Answer to the source port whatever the Via asks (RFC 3581).
    pub force_rport: bool,
    /// What is to become of the connection.
    pub options: SendOptions,
}

impl<'a> Reply<'a> {
    /// A response without further header lines and without a body.
    #[must_use]
    pub const fn new(code: u16, reason: &'a [u8]) -> Self {
        Self {
            code,
            reason,
            headers: b"",
            body: b"",
            force_rport: false,
            options: SendOptions {
                close: false,
                no_connect: false,
                exact: false,
            },
        }
    }
}

impl Core {
    /// Answers what the queue has no room for.
    pub(crate) fn refuse_overload(&self, msg: &Message, flow: &Flow) {
        if matches!(msg.method(), Method::Ack | Method::Cancel) {
            self.counters().overload_dropped.inc();
            return;
        }
        self.counters().overload_refused.inc();
        self.refuse(msg, flow, b"Server Overloaded");
    }

    /// 503 with Retry-After (RFC 3261 section 21.5.4).
    pub(crate) fn refuse(&self, msg: &Message, flow: &Flow, reason: &[u8]) {
        let retry = format!("Retry-After: {}\r\n", self.config.limits.retry_after_s);
        let reply = Reply {
            headers: retry.as_bytes(),
            ..Reply::new(503, reason)
        };
        self.reply_stateless(msg, flow, &reply);
    }

    /// A tag for replies without a transaction: the same for a retransmission,
    /// another for anything else (RFC 3261 section 8.2.7).
    pub(crate) fn stateless_tag(&self, msg: &Message) -> [u8; SL_TAG] {
        let mut tag = [0; SL_TAG];
        tag[..SL_TAG_PREFIX].copy_from_slice(&self.sl_tag);
        tag[SL_TAG_PREFIX..].copy_from_slice(&hex16(self.pending.key(msg)));
        tag
    }

    /// Sends a response without a transaction (RFC 3261 section 8.2.7).
    pub fn reply_stateless(&self, msg: &Message, flow: &Flow, reply: &Reply<'_>) {
        self.traffic.answered(reply.code);
        let tag = (reply.code > 100 && msg.to_tag().is_none()).then(|| self.stateless_tag(msg));
        let tag = tag.as_ref().map(<[u8; SL_TAG]>::as_slice);
        self.reply_tagged(msg, flow, reply, tag);
    }

    /// Sends a response, with this To tag if the request has none.
    pub(crate) fn reply_tagged(
        &self,
        msg: &Message,
        flow: &Flow,
        reply: &Reply<'_>,
        tag: Option<&[u8]>,
    ) {
        let tag = tag.filter(|_| msg.to_tag().is_none());
        let extra = self.with_server_header(reply.headers);
        let fix = route::via_fix(msg, flow, reply.force_rport);
        let bytes = build::response(msg, reply.code, reply.reason, tag, &extra, reply.body, &fix);
        self.send(
            &route::reply_flow(msg, flow, reply.force_rport),
            bytes.into(),
            None,
            How {
                server_name: None,
                options: SendOptions {
                    close: reply.options.close && reply.code >= 200,
                    ..reply.options
                },
            },
        );
    }

    /// `add_tcp_alias`: has the connection of the message also be found for that port of its
    /// peer, or for the port of the Via (RFC 5923). Nothing to UDP.
    pub fn add_tcp_alias(&self, ctx: &Context, port: Option<i64>) -> i32 {
        let port = match port {
            Some(port) => u16::try_from(port).ok().filter(|p| *p != 0),
            None => Some(ctx.msg.via().port_or_default()),
        };
        match port {
            Some(_) if !ctx.flow.proto.is_reliable() => 1,
            Some(port) if self.net().add_alias(ctx.flow.conn, port) => 1,
            _ => -1,
        }
    }

    /// Header lines of a local response: the given ones and `Server`.
    pub(crate) fn with_server_header<'a>(&'a self, extra: &'a [u8]) -> Cow<'a, [u8]> {
        match (extra.is_empty(), self.server_line.is_empty()) {
            (true, _) => Cow::Borrowed(&self.server_line),
            (false, true) => Cow::Borrowed(extra),
            (false, false) => Cow::Owned([extra, &self.server_line].concat()),
        }
    }
}

/// Eight digits of the instance and a hyphen.
pub(crate) const SL_TAG_PREFIX: usize = 9;
/// The prefix and sixteen digits of the request.
const SL_TAG: usize = SL_TAG_PREFIX + 16;

pub(crate) fn sl_tag_prefix(instance: u64) -> [u8; SL_TAG_PREFIX] {
    let mut prefix = [b'-'; SL_TAG_PREFIX];
    prefix[..8].copy_from_slice(&hex16(instance)[..8]);
    prefix
}

pub(crate) fn server_line(server: &str) -> Vec<u8> {
    if server.is_empty() {
        Vec::new()
    } else {
        format!("Server: {server}\r\n").into_bytes()
    }
}

/// A number as sixteen hexadecimal digits.
pub(crate) fn hex16(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (i, byte) in number.to_be_bytes().into_iter().enumerate() {
        text[2 * i] = DIGITS[usize::from(byte >> 4)];
        text[2 * i + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}
