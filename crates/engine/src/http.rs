//! HTTP requests on SIP's sockets: to the script (Kamailio's module xhttp), and answers.

use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::message::Message;
use sipwright_sip::script::RouteType;
use sipwright_sip::types::Flow;

use crate::core::Core;
use crate::job::Job;
use crate::log::{self, level};
use crate::net::After;
use crate::session::{Callback, Current, Kind};
use crate::websocket;

/// An answer to an HTTP request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub code: u16,
    pub reason: &'a [u8],
    /// Header lines, each with its CRLF.
    pub headers: &'a [u8],
    pub content_type: &'a [u8],
    pub body: &'a [u8],
    pub after: After,
}

impl Answer<'_> {
    /// An answer without a body, after which the connection is closed.
    pub(crate) const fn last(code: u16, reason: &[u8]) -> Answer<'_> {
        Answer {
            code,
            reason,
            headers: b"",
            content_type: b"",
            body: b"",
            after: After::Close,
        }
    }

    /// What becomes of the connection, which the client may want closed
    /// (RFC 9112 section 9.6).
    fn what_follows(&self, msg: &Message) -> After {
        let is_old = msg.version() == b"HTTP/1.0";
        let says = |word| websocket::lists(msg, b"Connection", word);
        match self.after {
            After::Next if says(b"close") || is_old && !says(b"keep-alive") => After::Close,
            after => after,
        }
    }

    /// The bytes; a HEAD gets no body (RFC 9110 section 9.3.2), nor does what must not
    /// have one (section 6.4.1).
    fn to_bytes(self, msg: &Message, server_line: &[u8], after: After) -> Bytes {
        let bodiless = self.code < 200 || matches!(self.code, 204 | 304);
        let mut out = Vec::with_capacity(256 + self.headers.len() + self.body.len());
        out.extend_from_slice(msg.version());
        out.extend_from_slice(format!(" {} ", self.code).as_bytes());
        out.extend_from_slice(self.reason);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.headers);
        if !self.content_type.is_empty() {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(self.content_type);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(server_line);
        if after == After::Close {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        if !bodiless {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if !bodiless && msg.method_name() != b"HEAD" {
            out.extend_from_slice(self.body);
        }
        out.into()
    }
}

impl Core {
    pub(crate) fn on_http(&self, bytes: Bytes, flow: Flow) {
        let msg = match Message::parse_http(bytes) {
            Ok(msg) => Arc::new(msg),
            Err(error) => {
                self.counters().answered_malformed.inc();
                let text = format!("answered 400 to {}:{}: {error}", flow.proto, flow.remote);
                log::log(level::NOTICE, &text);
                let answer =
                    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                let bytes = Bytes::from_static(answer);
                self.net().answer_http(flow.conn, bytes, After::Close);
                return;
            }
        };
        if self.is_draining() {
            self.answer(&msg, &flow, Answer::last(503, b"Service Unavailable"));
        } else if self.config.websocket.enabled && websocket::asks(&msg) {
            self.upgrade_without_script(&msg, &flow);
        } else if self.config.xhttp.wants(msg.uri()) {
            self.queue_http(msg, flow);
        } else {
            self.counters().http_not_found.inc();
            self.answer(&msg, &flow, Answer::last(404, b"Not Found"));
        }
    }

    fn queue_http(&self, msg: Arc<Message>, flow: Flow) {
        self.counters().http_requests.inc();
        if let Err(Job::Http { msg, flow }) = self.queue_job(Job::Http { msg, flow }) {
            self.counters().overload_refused.inc();
            let retry = format!("Retry-After: {}\r\n", self.config.limits.retry_after_s);
            let answer = Answer {
                headers: retry.as_bytes(),
                ..Answer::last(503, b"Service Unavailable")
            };
            self.answer(&msg, &flow, answer);
        }
    }

    /// Sends an answer; false if the connection is gone.
    pub(crate) fn answer(&self, msg: &Message, flow: &Flow, answer: Answer<'_>) -> bool {
        let after = answer.what_follows(msg);
        let bytes = answer.to_bytes(msg, &self.server_line, after);
        self.net().answer_http(flow.conn, bytes, after)
    }

    pub(crate) fn begin_http(&self, msg: Arc<Message>, flow: Flow) -> Current {
        let mut ctx = self.context(msg, flow);
        ctx.route = RouteType::Event;
        let callback = Callback::Event {
            name: self.config.xhttp.event_callback.as_str().into(),
            event: "xhttp:request".into(),
            required: true,
        };
        Current::new(ctx, Kind::Http, callback)
    }

    /// A request that the script did not answer would leave those behind it without a place
    /// in the order, so that its connection is closed.
    pub(crate) fn finish_http(&self, cur: &Current) {
        if !cur.handled {
            let conn = cur.ctx.flow.conn;
            self.net().answer_http(conn, Bytes::new(), After::Close);
        }
    }

    /// `xhttp_reply`: answers the HTTP request in work, once, with the header lines that
    /// `hdr.append_to_reply` gathered. 0 as in Kamailio, or -1 if it is none, was answered, or what is to be
    /// written has line breaks.
    pub fn xhttp_reply(
        &self,
        cur: &mut Current,
        code: u16,
        reason: &[u8],
        content_type: &[u8],
        body: &[u8],
    ) -> i32 {
        let breaks = |text: &[u8]| text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        let fits = matches!(cur.kind, Kind::Http) && !cur.handled;
        if !fits || breaks(reason) || breaks(content_type) {
            return -1;
        }
        let headers = std::mem::take(&mut cur.ctx.reply_headers);
        let answer = Answer {
            code,
            reason,
            headers: &headers,
            content_type,
            body,
            after: match cur.ctx.send_flags.reply_close {
                true => After::Close,
                false => After::Next,
            },
        };
        cur.handled = true;
        match self.answer(&cur.ctx.msg, &cur.ctx.flow, answer) {
            true => 0,
            false => -1,
        }
    }
}
