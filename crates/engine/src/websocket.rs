//! WebSocket: the handshake (RFC 6455 section 4.2, RFC 7118 section 4), and the connections
//! as scripts see them (Kamailio's module websocket).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sipwright_sip::message::Message;
use sipwright_sip::script::RouteType;
use sipwright_sip::types::{ConnId, Flow, Proto};

use crate::core::Core;
use crate::dns::Target;
use crate::http::Answer;
use crate::log::{self, level};
use crate::net::After;
use crate::session::{Callback, Current, Kind};

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// What a client is told that asks for something else, as Kamailio does.
const OFFER: &[u8] = b"Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n";
const VERSION: &[u8] = b"Sec-WebSocket-Version: 13\r\n";

/// Whether one of the header fields of that name lists that word, in any case.
pub(crate) fn lists(msg: &Message, name: &[u8], word: &[u8]) -> bool {
    msg.find(name).any(|h| {
        let words = msg.get(h.value).split(|b| *b == b',');
        words
            .map(<[u8]>::trim_ascii)
            .any(|w| w.eq_ignore_ascii_case(word))
    })
}

/// Whether an HTTP request asks for WebSocket.
pub(crate) fn asks(msg: &Message) -> bool {
    lists(msg, b"Upgrade", b"websocket")
}

fn value<'m>(msg: &'m Message, name: &'m [u8]) -> Option<&'m [u8]> {
    let mut all = msg.find(name);
    let first = all.next()?;
    all.next().is_none().then(|| msg.get(first.value))
}

/// The value of `Sec-WebSocket-Accept` for a good request, else how it is answered.
fn check(msg: &Message) -> Result<String, Answer<'static>> {
    let bad = Answer {
        headers: OFFER,
        ..Answer::last(400, b"Bad Request")
    };
    let is_get = msg.method_name() == b"GET" && msg.version() == b"HTTP/1.1";
    let upgrades = lists(msg, b"Connection", b"upgrade") && asks(msg);
    let speaks_sip = lists(msg, b"Sec-WebSocket-Protocol", b"sip");
    let key = value(msg, b"Sec-WebSocket-Key");
    // Sixteen bytes (section 4.2.1 item 5).
    let key = key.filter(|k| STANDARD.decode(k).is_ok_and(|bytes| bytes.len() == 16));
    let version = value(msg, b"Sec-WebSocket-Version");
    let (true, true, true, Some(key), Some(version)) = (is_get, upgrades, speaks_sip, key, version)
    else {
        return Err(bad);
    };
    if version != b"13" {
        return Err(Answer {
            headers: VERSION,
            ..Answer::last(426, b"Upgrade Required")
        });
    }
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    Ok(STANDARD.encode(sum))
}

impl Core {
    /// `handle_handshake`: answers the HTTP request in work with 101 and makes its connection
    /// one of WebSocket, or refuses it. 1 if it did, 0 if it refused, -1 where there is no
    /// such request, or it was answered.
    pub fn handle_handshake(&self, cur: &mut Current) -> i32 {
        if !matches!(cur.kind, Kind::Http) || cur.handled {
            return -1;
        }
        cur.handled = true;
        let headers = std::mem::take(&mut cur.ctx.reply_headers);
        i32::from(self.handshake(&cur.ctx.msg, &cur.ctx.flow, &headers))
    }

    /// The same without a script (setting `websocket.enabled`).
    pub(crate) fn upgrade_without_script(&self, msg: &Message, flow: &Flow) {
        let origins = &self.config.websocket.origins;
        let origin = value(msg, b"Origin").unwrap_or_default();
        let known = |o: &String| o.as_bytes().eq_ignore_ascii_case(origin);
        if origins.is_empty() || origins.iter().any(known) {
            self.handshake(msg, flow, b"");
            return;
        }
        self.counters().websockets_refused.inc();
        let text = String::from_utf8_lossy(origin);
        let what = format!("refused WebSocket to {}: origin {text:?}", flow.remote);
        log::log(level::NOTICE, &what);
        self.answer(msg, flow, Answer::last(403, b"Forbidden"));
    }

    fn handshake(&self, msg: &Message, flow: &Flow, more: &[u8]) -> bool {
        let accept = match check(msg) {
            Ok(accept) => accept,
            Err(answer) => {
                self.counters().websockets_refused.inc();
                self.answer(msg, flow, answer);
                return false;
            }
        };
        let mut headers = b"Sec-WebSocket-Protocol: sip\r\nUpgrade: websocket\r\n".to_vec();
        headers.extend_from_slice(b"Connection: upgrade\r\nSec-WebSocket-Accept: ");
        headers.extend_from_slice(accept.as_bytes());
        headers.extend_from_slice(b"\r\n");
        headers.extend_from_slice(&self.cors_line(msg));
        headers.extend_from_slice(more);
        let answer = Answer {
            code: 101,
            reason: b"Switching Protocols",
            headers: &headers,
            content_type: b"",
            body: b"",
            after: After::Upgrade,
        };
        self.answer(msg, flow, answer)
    }

    /// Kamailio's `cors_mode`.
    fn cors_line(&self, msg: &Message) -> Vec<u8> {
        let origin = match (self.config.websocket.cors_mode, value(msg, b"Origin")) {
            (1, _) => b"*",
            (2, Some(origin)) => origin,
            _ => return Vec::new(),
        };
        [b"Access-Control-Allow-Origin: ", origin, b"\r\n"].concat()
    }

    /// `websocket.close_conid`: closes a connection of WebSocket; 1, or -1 if it is none, or the
    /// status code is not one that may be sent (RFC 6455 section 7.4).
    pub fn close_websocket(&self, conn: ConnId, code: i64, reason: &str) -> i32 {
        let code = u16::try_from(code).ok();
        let code = code.filter(|c| sipwright_sip::ws::may_be_sent(*c));
        let closed = code.is_some_and(|code| self.net().close_websocket(conn, code, reason));
        if closed { 1 } else { -1 }
    }

    /// As in Kamailio the message is made up; its path is the connection that is gone.
    pub(crate) fn begin_websocket_closed(&self, flow: Flow) -> Current {
        let mut cur = Current::fake(self);
        cur.ctx.flow = flow;
        cur.ctx.route = RouteType::Event;
        cur.callback = Callback::Event {
            name: self.config.websocket.event_callback.as_str().into(),
            event: "websocket:closed".into(),
            required: true,
        };
        cur
    }

    /// A place with the transport that its connection has: `transport=ws` is said of
    /// WebSocket over TLS too (RFC 7118 section 5), but Via has to tell them apart.
    pub(crate) fn as_connected(&self, place: Target) -> Target {
        if !matches!(place.proto, Proto::Ws | Proto::Wss) {
            return place;
        }
        let found = self.bound().and_then(|n| n.websocket_proto(place.addr));
        let proto = found.unwrap_or(place.proto);
        Target { proto, ..place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /sip HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, SIP\r\nSec-WebSocket-Version: 13\r\n\r\n";

    fn answer(request: &str) -> Result<String, u16> {
        let msg = Message::parse_http(request.to_owned().into_bytes().into()).unwrap();
        check(&msg).map_err(|a| a.code)
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 6455 section 1.3.
        assert_eq!(answer(GOOD).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn what_is_refused() {
        for (old, new, code) in [
            ("GET ", "POST ", 400),
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("websocket", "h2c", 400),
            ("keep-alive, Upgrade", "keep-alive", 400),
            ("Sec-WebSocket-Key: ", "X-Key: ", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all!!!", 400),
            ("chat, SIP", "chat", 400),
            ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", 426),
            ("Sec-WebSocket-Version: 13", "X-Version: 13", 400),
            (
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13",
                400,
            ),
        ] {
            let changed = GOOD.replace(old, new);
            assert_ne!(changed, GOOD, "{old}");
            assert_eq!(answer(&changed), Err(code), "{old} -> {new}");
        }
    }
}
