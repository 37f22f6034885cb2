//! HTTP requests and WebSocket on a connection.
//!
//! ```text
//! messages and HTTP requests --(101)--> WebSocket frames
//! ```
//!
//! One HTTP request is in work at a time: answers leave in the order of the requests
//! (RFC 9112 section 9.3.2). What comes meanwhile waits, up to the largest message there
//! may be; beyond that it waits in the kernel.

use bytes::Bytes;
use sipwright_sip::frame::{Frame, FrameError, Framer};
use sipwright_sip::types::{ConnId, Proto};
use sipwright_sip::ws::{self, Event, Fault, Opcode, Reader};

use super::Net;
use super::command::{After, Command};
use super::conn::{Conn, Cx, Fate};
use super::table::{ConnState, OutItem};
use crate::config::{EngineConfig, KeepAlive};
use crate::sync::assert_no_lock_held;

/// Status code of a close frame: this side goes (RFC 6455 section 7.4.1).
pub const GOING_AWAY: u16 = 1001;
const NORMAL: u16 = 1000;

/// How the bytes of a connection are read.
pub enum Codec {
    /// SIP messages and HTTP requests.
    Messages(Box<Framer>),
    /// WebSocket frames.
    WebSocket(Box<Reader>),
}

impl Codec {
    /// For a new connection.
    pub fn new(cfg: &EngineConfig) -> Self {
        let framer = Framer::new(cfg.limits.max_message);
        Self::Messages(Box::new(
            framer.accept_missing_length(cfg.accept_missing_length),
        ))
    }

    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Messages(framer) => framer.push(bytes),
            Self::WebSocket(reader) => reader.push(bytes),
        }
    }

    /// Bytes waiting for the rest of their message.
    pub fn buffered(&self) -> usize {
        match self {
            Self::Messages(framer) => framer.buffered(),
            Self::WebSocket(reader) => reader.buffered(),
        }
    }
}

/// What only HTTP and WebSocket need of a connection.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct Web {
    /// An HTTP request is in work.
    pub awaits_answer: bool,
    /// The other side sends nothing more, but wants its answer.
    pub at_end: bool,
    /// It has spoken HTTP, where CRLFs are no keep-alives.
    is_http: bool,
    /// As much waits as may wait.
    is_full: bool,
    /// A ping of ours was not answered yet.
    pub awaits_pong: bool,
    /// The close frame was sent.
    said_goodbye: bool,
}

impl Conn {
    /// Whether more is to be read.
    pub fn reads(&self) -> bool {
        let waits = self.web.awaits_answer && self.web.is_full;
        !self.web.at_end && !waits
    }

    /// Hands on what is complete; a fate where the connection ends or moves.
    pub(super) fn deliver(&mut self, cx: &mut Cx) -> Option<Fate> {
        let fate = match &self.codec {
            Codec::Messages(_) => self.deliver_messages(cx),
            Codec::WebSocket(_) => self.deliver_events(cx),
        };
        self.web.is_full = self.codec.buffered() >= cx.shared.cfg.limits.max_message;
        fate
    }

    fn deliver_messages(&mut self, cx: &mut Cx) -> Option<Fate> {
        while !self.web.awaits_answer {
            let Codec::Messages(framer) = &mut self.codec else {
                break;
            };
            match framer.next_frame() {
                Ok(Some(frame)) => {
                    if let Err(error) = self.take(frame, cx) {
                        return Some(self.malformed(&error, cx));
                    }
                }
                Ok(None) => break,
                Err(error) => return Some(self.malformed(&error, cx)),
            }
        }
        None
    }

    fn take(&mut self, frame: Frame, cx: &mut Cx) -> Result<(), FrameError> {
        match frame {
            Frame::Message(_) if cx.shared.is_web_only(self.handle.socket()) => {
                return Err(FrameError::not_here("SIP on a socket for WebSocket"));
            }
            Frame::Message(bytes) => self.hand_on(bytes, cx),
            Frame::Http(bytes) => {
                self.web.awaits_answer = true;
                self.web.is_http = true;
                cx.shared.stats.received_http.inc();
                cx.messages += 1;
                assert_no_lock_held("Sink::http");
                cx.sink.http(bytes, self.handle.flow());
            }
            Frame::Ping if !self.web.is_http => self.pong(Bytes::from_static(b"\r\n"), cx),
            Frame::Ping | Frame::Pong => {}
        }
        Ok(())
    }

    fn hand_on(&self, bytes: Bytes, cx: &mut Cx) {
        cx.shared.stats.received(self.handle.proto()).inc();
        cx.messages += 1;
        assert_no_lock_held("Sink::message");
        cx.sink.message(bytes, self.handle.flow());
    }

    /// One SIP message in each message of WebSocket (RFC 7118 section 5).
    fn deliver_events(&mut self, cx: &mut Cx) -> Option<Fate> {
        loop {
            let Codec::WebSocket(reader) = &mut self.codec else {
                return None;
            };
            match reader.next_event() {
                Ok(None) => return None,
                // A keep-alive of RFC 5626, which RFC 7118 section 6 allows.
                Ok(Some(Event::Message(bytes))) if bytes[..] == b"\r\n\r\n"[..] => {
                    self.pong(ws::frame(Opcode::Text, b"\r\n"), cx);
                }
                Ok(Some(Event::Message(bytes))) => self.hand_on(bytes, cx),
                Ok(Some(Event::Ping(data))) => self.pong(ws::frame(Opcode::Pong, &data), cx),
                Ok(Some(Event::Pong(_))) => {}
                Ok(Some(Event::Close(code))) => {
                    let code = code.unwrap_or(NORMAL);
                    return Some(self.farewell(ws::close(Some(code), ""), cx));
                }
                Err(Fault { code, reason }) => {
                    cx.shared.stats.malformed_websockets.inc();
                    return Some(self.farewell(ws::close(Some(code), reason), cx));
                }
            }
        }
    }

    /// The HTTP request in work was answered.
    pub fn answered(&mut self, after: After, cx: &mut Cx) -> Fate {
        if self.state != ConnState::Open || !self.web.awaits_answer {
            return Fate::Keep;
        }
        self.web.awaits_answer = false;
        match after {
            After::Next => {}
            After::Close => return self.close(cx),
            After::Upgrade => self.upgrade(cx),
        }
        if let Some(fate) = self.deliver(cx) {
            return fate;
        }
        if self.web.at_end && !self.web.awaits_answer {
            return self.close(cx);
        }
        self.exchange(cx)
    }

    /// From here on the connection speaks WebSocket.
    fn upgrade(&mut self, cx: &Cx) {
        let max_message = cx.shared.cfg.limits.max_message;
        let framer = match &mut self.codec {
            Codec::Messages(framer) => std::mem::replace(&mut **framer, Framer::new(0)),
            Codec::WebSocket(_) => return,
        };
        let reader = Reader::new(max_message, framer.into_rest());
        self.codec = Codec::WebSocket(Box::new(reader));
        self.partial_since = None;
        cx.shared.stats.websockets_opened.inc();
        self.active(cx);
    }

    /// Sends a close frame behind all that waits, then closes (RFC 6455 section 7.1).
    pub fn farewell(&mut self, frame: Bytes, cx: &mut Cx) -> Fate {
        if self.state == ConnState::Open && !self.web.said_goodbye {
            self.web.said_goodbye = true;
            self.queue(frame, false);
        }
        self.close(cx)
    }

    /// Says with a close frame that the connection ends, unless that was said.
    pub(super) fn say_goodbye(&mut self, code: u16) {
        let is_websocket = matches!(self.codec, Codec::WebSocket(_));
        if is_websocket && !std::mem::replace(&mut self.web.said_goodbye, true) {
            self.queue(ws::close(Some(code), ""), false);
        }
    }

    /// How long the other side may be silent.
    pub(super) fn silence_ms(&self, cx: &Cx) -> u64 {
        let cfg = &cx.shared.cfg;
        match cfg.websocket.keepalive {
            KeepAlive::None => cfg.timeouts.idle_ms,
            _ if !self.handle.is_websocket() => cfg.timeouts.idle_ms,
            _ => cfg.websocket.keepalive_ms,
        }
    }

    /// Whether silence is answered with a frame before it ends the connection.
    pub(super) fn is_kept_alive(&self, cx: &Cx) -> bool {
        let mechanism = cx.shared.cfg.websocket.keepalive;
        self.handle.is_websocket() && mechanism != KeepAlive::None && !self.web.awaits_pong
    }

    /// Kamailio's `keepalive_mechanism`: a ping has to be answered, an unasked pong
    /// (RFC 6455 section 5.5.3) has not.
    pub(super) fn keep_alive(&mut self, cx: &Cx) -> Fate {
        let cfg = &cx.shared.cfg.websocket;
        let opcode = match cfg.keepalive {
            KeepAlive::Ping => Opcode::Ping,
            _ => Opcode::Pong,
        };
        cx.shared.stats.websocket_keepalives.inc();
        self.queue(ws::frame(opcode, cfg.ping_data.as_bytes()), false);
        let fate = self.flush(cx);
        self.deadline = cx.now + cfg.keepalive_ms;
        self.web.awaits_pong = opcode == Opcode::Ping;
        fate
    }
}

/// The answer to an HTTP request that could not be read.
pub fn refusal(code: u16, reason: &str) -> Bytes {
    let head = format!("HTTP/1.1 {code} {reason}\r\n");
    format!("{head}Connection: close\r\nContent-Length: 0\r\n\r\n").into()
}

impl Net {
    /// Answers the HTTP request that a connection waits with. False if the connection is gone,
    /// or if it was to be upgraded and cannot be.
    pub fn answer_http(&self, conn: ConnId, bytes: Bytes, after: After) -> bool {
        let shared = self.shared();
        let Some(handle) = shared.alive().then(|| shared.table.get(conn)).flatten() else {
            return false;
        };
        let face = match after {
            After::Upgrade => shared.websocket_face(handle.socket()),
            _ => None,
        };
        if after == After::Upgrade && face.is_none() {
            return false;
        }
        if !bytes.is_empty() {
            let item = OutItem {
                bytes,
                tx: None,
                message: false,
            };
            if handle.push(item, shared.cfg.limits.write_buffer).is_err() {
                self.tell_owner(&handle, Command::Close(conn));
                return false;
            }
            shared.stats.sent_http.inc();
        }
        // What others send from here on is framed, and queued behind the answer.
        let is_done = face.is_none_or(|socket| shared.table.upgrade(conn, socket));
        self.tell_owner(&handle, Command::Answered(conn, after));
        is_done
    }

    /// Closes a connection of WebSocket with this status code; false if there is none.
    pub fn close_websocket(&self, conn: ConnId, code: u16, reason: &str) -> bool {
        let shared = self.shared();
        let handle = shared.alive().then(|| shared.table.get(conn)).flatten();
        let Some(handle) = handle.filter(|c| c.is_websocket()) else {
            return false;
        };
        let frame = ws::close(Some(code), reason);
        self.tell_owner(&handle, Command::Farewell(conn, frame));
        true
    }

    /// What an address is connected by, if it is by WebSocket: `transport=ws` does not say
    /// whether it is with TLS.
    #[must_use]
    pub fn websocket_proto(&self, remote: std::net::SocketAddr) -> Option<Proto> {
        self.shared().table.websocket_proto(remote)
    }
}
