//! Modules tm and sl for scripts: answering a request (RFC 3261 section 8.2.6).

use std::sync::Arc;

use sipwright_sip::build;
use sipwright_sip::method::Method;
use sipwright_sip::script::RouteType;
use sipwright_sip::tx::{ReplyError, TxId};
use sipwright_sip::types::SendOptions;

use crate::core::Core;
use crate::log::{self, level};
use crate::reply::Reply;
use crate::route;
use crate::session::{Current, Kind};

impl Core {
    /// `t_reply`: answers the transaction, making it first if need be.
    pub fn t_reply(&self, cur: &mut Current, code: u16, reason: &[u8]) -> i32 {
        if matches!(cur.ctx.route, RouteType::Branch | RouteType::Onsend) {
            log::log(level::ERR, "t_reply: not in a branch or onsend route");
            return -1;
        }
        let answered = match cur.kind {
            Kind::Reply { target } => target.map(|(tx, _)| tx),
            _ => None,
        };
        if cur.tx.is_none() && answered.is_none() && self.t_newtran(cur) != 1 {
            return -1;
        }
        let Some(tx) = cur.tx.or(answered) else {
            return -1;
        };
        let body = cur.ctx.reply_body.take();
        let (extra, body) = with_body(take_reply_headers(cur), body.as_ref());
        let extra = self.with_server_header(&extra);
        let force_rport = cur.ctx.force_rport;
        self.keep_reply_options(cur, tx);
        let result = self.transact(tx, |shard, now, out| {
            let t = shard.get(tx).ok_or(ReplyError::Gone)?;
            let request = Arc::clone(t.request().ok_or(ReplyError::Local)?);
            let (flow, tag) = (*t.flow(), t.to_tag());
            let force_rport = force_rport || t.force_rport();
            let tag = (request.to_tag().is_none() && code > 100).then_some(tag.as_bytes());
            let fix = route::via_fix(&request, &flow, force_rport);
            let bytes = build::response(&request, code, reason, tag, &extra, body, &fix);
            shard.reply(now, tx, code, bytes.into(), out)
        });
        match result {
            Ok(()) => {
                cur.handled = true;
                if let Some(view) = cur
                    .ctx
                    .tx
                    .as_mut()
                    .filter(|_| cur.ctx.route == RouteType::Request)
                {
                    view.reply_code = code;
                }
                1
            }
            Err(error) => {
                log::log(level::NOTICE, &format!("t_reply({code}): {error}"));
                -1
            }
        }
    }

    /// Lets a transaction know what the script wants of the connection of its replies.
    pub(super) fn keep_reply_options(&self, cur: &Current, tx: TxId) {
        let options = cur.ctx.send_flags.reply();
        if options == SendOptions::default() {
            return;
        }
        if let Some(t) = self.shard(tx).get_mut(tx) {
            t.set_reply_options(options);
        }
    }

    /// `sl_send_reply`: answers without a transaction; an HTTP request too.
    pub fn sl_send_reply(&self, cur: &mut Current, code: u16, reason: &[u8]) -> i32 {
        if cur.ctx.msg.is_http() {
            return match self.xhttp_reply(cur, code, reason, b"", b"") {
                0 => 1,
                failed => failed,
            };
        }
        if !cur.ctx.msg.is_request() || cur.ctx.msg.method() == Method::Ack {
            return -1;
        }
        let extra = take_reply_headers(cur);
        let body = cur.ctx.reply_body.take();
        let (extra, body) = with_body(extra, body.as_ref());
        let reply = Reply {
            code,
            reason,
            headers: &extra,
            body,
            force_rport: cur.ctx.force_rport,
            options: cur.ctx.send_flags.reply(),
        };
        self.reply_stateless(&cur.ctx.msg, &cur.ctx.flow, &reply);
        cur.handled = true;
        1
    }

    /// `sl.send_reply`: through the transaction if there is one, else without.
    pub fn send_reply(&self, cur: &mut Current, code: u16, reason: &[u8]) -> i32 {
        if cur.tx.is_some() {
            self.t_reply(cur, code, reason)
        } else {
            self.sl_send_reply(cur, code, reason)
        }
    }

    /// `sl_reply_error`: answers with what the last failed function had to say.
    pub fn sl_reply_error(&self, cur: &mut Current) -> i32 {
        let (code, reason) = cur
            .error
            .take()
            .unwrap_or((500, "I'm terribly sorry, server error occurred (1/SL)"));
        self.send_reply(cur, code, reason.as_bytes())
    }

    /// `t_reply_error`: as `sl_reply_error`, through the transaction.
    pub fn t_reply_error(&self, cur: &mut Current) -> i32 {
        let (code, reason) = cur
            .error
            .take()
            .unwrap_or((500, "I'm terribly sorry, server error occurred (1/TM)"));
        self.t_reply(cur, code, reason.as_bytes())
    }

    /// `sl_forward_reply`: forwards a response by its Via, without transactions.
    pub fn sl_forward_reply(&self, cur: &mut Current) -> i32 {
        if cur.ctx.msg.is_request() {
            return -1;
        }
        self.forward_stray(&cur.ctx);
        1
    }
}

pub(super) fn take_reply_headers(cur: &mut Current) -> Vec<u8> {
    std::mem::take(&mut cur.ctx.reply_headers)
}

fn with_body(mut extra: Vec<u8>, body: Option<&(Vec<u8>, Vec<u8>)>) -> (Vec<u8>, &[u8]) {
    match body {
        Some((body, content_type)) => {
            extra.extend_from_slice(b"Content-Type: ");
            extra.extend_from_slice(content_type);
            extra.extend_from_slice(b"\r\n");
            (extra, body)
        }
        None => (extra, b""),
    }
}
