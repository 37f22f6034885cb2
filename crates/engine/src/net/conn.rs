//! One connection: connect, handshake, messages, farewell.
//!
//! ```text
//! Connecting -> [Handshake] -> Open -> Closing -> gone
//! ```
//!
//! Timeouts and errors lead from every state to the end. In mode 1 a connection
//! changes its reactor between Handshake and Open.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use rustls::server::ClientHello;
use rustls_pki_types::ServerName;
use sipwright_sip::build::{self, ViaFix};
use sipwright_sip::error::ErrorKind as SipError;
use sipwright_sip::frame::FrameError;
use sipwright_sip::types::Millis;

use super::shared::{HandshakeSlot, Shared};
use super::stream::{HandshakeError, Outgoing, Stream};
use super::table::{ConnHandle, ConnState, OutItem};
use super::web::{Codec, GOING_AWAY, Web, refusal};
use super::{Sink, sys};
use crate::config::TlsMode;
use crate::sync::assert_no_lock_held;
use crate::tls::{self, Failure, Identity};

/// Reads of one connection before others get their turn.
const READS_PER_TURN: usize = 8;

/// What a connection needs of the reactor that serves it.
pub struct Cx {
    /// The transport.
    pub shared: Arc<Shared>,
    /// Where messages go.
    pub sink: Arc<dyn Sink>,
    /// Index of the reactor's mailbox.
    pub index: usize,
    /// Time of this turn.
    pub now: Millis,
    /// Scratch space for reading.
    pub buf: Box<[u8]>,
    /// Messages delivered in this turn.
    pub messages: usize,
}

impl Cx {
    /// Whether this reactor runs in a network thread rather than in a worker.
    pub fn in_net_thread(&self) -> bool {
        self.index < self.shared.net_threads
    }
}

/// What the reactor is to do with a connection after it was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Wait for its next event.
    Keep,
    /// Its handshake is done: another reactor serves it from now on.
    Move,
    /// It is over.
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    Flush,
    Notify { said: bool },
    Listen,
}

/// A connection, owned by one reactor.
pub struct Conn {
    /// Its shared face.
    pub handle: Arc<ConnHandle>,
    /// When its reactor must look at it, whatever happens.
    pub deadline: Millis,
    /// Readiness that epoll watches for.
    pub watched: u32,
    /// Earliest entry in the reactor's timer heap; 0 for none.
    pub timer: Millis,
    pub(super) stream: Stream,
    pub(super) state: ConnState,
    pub(super) out: Outgoing,
    pub(super) codec: Codec,
    pub(super) web: Web,
    pub(super) partial_since: Option<Millis>,
    farewell: Farewell,
    slot: Option<HandshakeSlot>,
    /// The TLS profile, once it is known.
    profile: Option<Arc<Identity>>,
    /// Nothing is written until the script has decided.
    held: bool,
}

impl Conn {
    /// A connection that was accepted.
    pub fn accepted(
        sock: TcpStream,
        handle: Arc<ConnHandle>,
        slot: Option<HandshakeSlot>,
        cx: &Cx,
    ) -> Self {
        let state = handle.state();
        let secure = handle.carrier.is_secure();
        let stream = if secure {
            Stream::server(sock)
        } else {
            Stream::plain(sock)
        };
        Self::new(handle, stream, state, slot, cx)
    }

    /// An outgoing connection; it is up, or not, at its first event.
    pub fn connect(handle: Arc<ConnHandle>, cx: &Cx) -> io::Result<Self> {
        let from = cx
            .shared
            .infos
            .get(usize::from(handle.socket()))
            .map(|s| s.addr.ip());
        let from = from.filter(|ip| !ip.is_unspecified());
        let sock = sys::tcp_connect(from, &handle.remote)?;
        let stream = Stream::plain(sock);
        let mut conn = Self::new(handle, stream, ConnState::Connecting, None, cx);
        conn.deadline = cx.now + cx.shared.cfg.timeouts.connect_ms;
        Ok(conn)
    }

    fn new(
        handle: Arc<ConnHandle>,
        stream: Stream,
        state: ConnState,
        slot: Option<HandshakeSlot>,
        cx: &Cx,
    ) -> Self {
        // Messages are small and somebody waits for each; a failure costs only delay.
        let _ = stream.socket().set_nodelay(true);
        let _ = sys::set_keepalive(stream.socket());
        Self {
            handle,
            deadline: cx.now,
            watched: 0,
            timer: 0,
            stream,
            state,
            out: Outgoing::default(),
            codec: Codec::new(&cx.shared.cfg),
            web: Web::default(),
            partial_since: None,
            farewell: Farewell::Flush,
            slot,
            profile: None,
            held: false,
        }
    }

    /// Takes up its first or next reactor's limits; serves what came meanwhile.
    pub fn begin(&mut self, cx: &mut Cx) -> Fate {
        let timeouts = &cx.shared.cfg.timeouts;
        match self.state {
            ConnState::Connecting => return Fate::Keep,
            ConnState::Handshake => self.deadline = cx.now + timeouts.handshake_ms,
            ConnState::Open | ConnState::Closing => self.deadline = cx.now + timeouts.idle_ms,
        }
        if let Ok(local) = self.stream.socket().local_addr() {
            let _ = self.handle.local.set(local);
        }
        self.ready(cx)
    }

    /// For epoll.
    pub const fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    /// Readiness that it waits for.
    pub fn wanted(&self) -> u32 {
        let write = self.stream.wants_write()
            || (self.is_established() && !self.held && !self.out.is_empty());
        match self.state {
            ConnState::Connecting => sys::WRITABLE,
            ConnState::Open if !self.reads() => u32::from(write) * sys::WRITABLE,
            _ if write => sys::READABLE | sys::WRITABLE,
            _ => sys::READABLE,
        }
    }

    fn is_established(&self) -> bool {
        matches!(self.state, ConnState::Open | ConnState::Closing)
    }

    fn enter(&mut self, state: ConnState) {
        self.state = state;
        self.handle.set_state(state);
    }

    /// Something happened on the socket, or may have.
    pub fn ready(&mut self, cx: &mut Cx) -> Fate {
        if self.state == ConnState::Connecting {
            let fate = self.finish_connect(cx);
            if fate != Fate::Keep {
                return fate;
            }
        }
        if self.state == ConnState::Handshake {
            let fate = self.handshake(cx);
            if fate != Fate::Keep {
                return fate;
            }
        }
        match self.state {
            ConnState::Open => self.exchange(cx),
            ConnState::Closing => self.say_farewell(cx),
            ConnState::Connecting | ConnState::Handshake => Fate::Keep,
        }
    }

    fn finish_connect(&mut self, cx: &Cx) -> Fate {
        if !matches!(self.stream.socket().take_error(), Ok(None)) {
            cx.shared.stats.connect_errors.inc();
            return Fate::Close;
        }
        if let Ok(local) = self.stream.socket().local_addr() {
            let _ = self.handle.local.set(local);
        }
        let timeouts = &cx.shared.cfg.timeouts;
        if !self.handle.carrier.is_secure() {
            self.opened(cx);
            return Fate::Keep;
        }
        let handle = &self.handle;
        let name = handle.server_name.as_deref();
        let id = handle.server_id.as_deref();
        let Some((config, profile)) = cx.shared.tls.client_for(handle.remote, name, id) else {
            // There always is a profile for any server.
            return self.handshake_failed(cx, "no profile for this server");
        };
        let asked = profile.server_name.as_deref().or(name);
        let Some(asked) = server_name(asked, handle) else {
            return self.handshake_failed(cx, "the next hop's name is no name for TLS");
        };
        self.profile = Some(profile);
        if let Err(e) = self.stream.start_client(config, asked) {
            return self.handshake_failed(cx, &e.to_string());
        }
        self.enter(ConnState::Handshake);
        self.deadline = cx.now + timeouts.handshake_ms;
        Fate::Keep
    }

    /// The handshake cannot even begin.
    fn handshake_failed(&self, cx: &Cx, why: &str) -> Fate {
        cx.shared.stats.handshakes_failed_incompatible.inc();
        self.log_failure(cx, why);
        Fate::Close
    }

    fn log_failure(&self, cx: &Cx, why: &str) {
        let done = self.handle.tls.get().map(|info| &info.profile);
        let profile = self.profile.as_ref().or(done).map_or("", |p| &p.label);
        let handle = &self.handle;
        let failure = Failure {
            remote: handle.remote,
            outbound: handle.outbound,
            profile,
            why,
        };
        cx.shared.tls_failures.note(cx.now, &failure);
    }

    fn handshake(&mut self, cx: &Cx) -> Fate {
        let shared = &cx.shared;
        // Profiles name the address that is bound.
        let listener = shared
            .infos
            .get(usize::from(self.handle.socket()))
            .and_then(|s| shared.infos.get(shared.bound(s).0))
            .map(|s| s.addr);
        let chosen = &mut self.profile;
        let select = |hello: &ClientHello<'_>| {
            let (config, profile) = shared.tls.server_for(listener, hello.server_name())?;
            *chosen = Some(profile);
            Some(config)
        };
        match self.stream.handshake(select) {
            Ok(false) => Fate::Keep,
            Ok(true) => {
                self.handshake_done(cx);
                let moves = shared.cfg.tls.threads_mode == TlsMode::Handshake;
                if moves && cx.in_net_thread() {
                    Fate::Move
                } else {
                    Fate::Keep
                }
            }
            Err(HandshakeError::Closed) => {
                shared.stats.handshakes_failed_closed.inc();
                // Without a ClientHello it was a probe, as load balancers send them.
                if self.profile.is_some() {
                    self.log_failure(cx, "the other side closed the connection");
                }
                Fate::Close
            }
            Err(HandshakeError::Tls(e)) => {
                tls::failure_counter(&shared.stats, &e).inc();
                self.log_failure(cx, &tls::reason(&e));
                Fate::Close
            }
        }
    }

    fn handshake_done(&mut self, cx: &Cx) {
        let stats = &cx.shared.stats;
        stats.handshakes_ok.inc();
        let limit_ms = cx.shared.cfg.timeouts.handshake_ms;
        let began = self.deadline.saturating_sub(limit_ms);
        let took_ms = cx.now.saturating_sub(began);
        cx.shared.handshake_times.note(took_ms * 1000);
        let profile = self.profile.take();
        if let Some(info) = profile.and_then(|p| self.stream.tls_info(p)) {
            if info.resumed {
                stats.handshakes_resumed.inc();
            }
            let _ = self.handle.tls.set(info);
        }
        self.opened(cx);
        if self.handle.outbound && !cx.shared.cfg.tls.event_callback.is_empty() {
            self.held = true;
            self.deadline = cx.now + cx.shared.cfg.timeouts.handshake_ms;
            assert_no_lock_held("Sink::connection_out");
            cx.sink.connection_out(&self.handle.flow());
        }
    }

    /// The script has decided. A connection that it refuses ends at once, so that what
    /// waits in it fails instead of being flushed.
    pub fn release(&mut self, may_send: bool, cx: &Cx) -> Fate {
        if !std::mem::take(&mut self.held) {
            return Fate::Keep;
        }
        if !may_send {
            cx.shared.stats.refused_by_script.inc();
            return Fate::Close;
        }
        self.active(cx);
        self.flush(cx)
    }

    fn opened(&mut self, cx: &Cx) {
        self.slot = None;
        self.enter(ConnState::Open);
        self.deadline = cx.now + cx.shared.cfg.timeouts.idle_ms;
    }

    /// Reads what came, delivers it, writes what waits.
    pub(super) fn exchange(&mut self, cx: &mut Cx) -> Fate {
        if !self.reads() && !matches!(self.stream.socket().take_error(), Ok(None)) {
            return Fate::Close;
        }
        let mut turns = 0;
        while turns < READS_PER_TURN && self.reads() {
            turns += 1;
            match self.stream.read(&mut cx.buf) {
                // Who asks and says that this was all still wants the answer.
                Ok(0) if self.web.awaits_answer => self.web.at_end = true,
                Ok(0) => return self.ended(cx),
                Ok(n) => {
                    self.active(cx);
                    self.codec.push(&cx.buf[..n]);
                    if let Some(fate) = self.deliver(cx) {
                        return fate;
                    }
                    // TLS may hold more plaintext, which epoll knows nothing of.
                    turns -= usize::from(n == cx.buf.len());
                }
                Err(e) if would_block(&e) => break,
                Err(e) => return self.broken(cx, &e),
            }
        }
        self.note_partial(cx);
        self.flush_or_end(cx)
    }

    /// The connection failed; broken TLS is worth a line.
    fn broken(&self, cx: &Cx, error: &io::Error) -> Fate {
        if error.kind() == ErrorKind::InvalidData {
            cx.shared.stats.tls_errors.inc();
            self.log_failure(cx, &format!("after the handshake: {error}"));
        }
        Fate::Close
    }

    /// The other side has finished; what waits for it may still reach it.
    fn ended(&mut self, cx: &Cx) -> Fate {
        self.out.extend(self.handle.take());
        let _ = self.stream.flush(&mut self.out);
        self.count_sent(cx);
        Fate::Close
    }

    /// RFC 5626 section 4.4.1.
    pub(super) fn pong(&mut self, bytes: Bytes, cx: &Cx) {
        // Who pings without reading gets no more answers.
        if self.handle.waiting() < cx.shared.cfg.limits.write_buffer {
            self.queue(bytes, false);
            cx.shared.stats.pings_answered.inc();
        }
    }

    /// Queues bytes behind all others.
    pub(super) fn queue(&mut self, bytes: Bytes, message: bool) {
        self.out.extend(self.handle.take());
        self.handle.waiting_more(bytes.len());
        let tx = None;
        self.out.extend([OutItem { bytes, tx, message }]);
    }

    /// The stream cannot be read on: answer if possible, then close.
    pub(super) fn malformed(&mut self, error: &FrameError, cx: &mut Cx) -> Fate {
        if error.kind == SipError::TooLarge {
            cx.shared.stats.oversize_messages.inc();
        } else {
            cx.shared.stats.malformed_streams.inc();
        }
        if let (Some(code), true) = (error.status, error.is_http) {
            self.queue(refusal(code, error.reason), false);
        } else if let (Some(code), Some(request)) = (error.status, &error.partial)
            && request.is_request()
        {
            let fix = ViaFix::for_request(request, self.handle.remote, false);
            let extra = b"Connection: close\r\n";
            let answer = build::response(request, code, b"", None, extra, b"", &fix);
            self.queue(answer.into(), true);
        }
        self.close(cx)
    }

    fn note_partial(&mut self, cx: &Cx) {
        if self.web.awaits_answer || self.codec.buffered() == 0 {
            self.partial_since = None;
            return;
        }
        let since = *self.partial_since.get_or_insert(cx.now);
        self.deadline = self.deadline.min(since + cx.shared.cfg.timeouts.message_ms);
    }

    pub(super) fn active(&mut self, cx: &Cx) {
        if !self.held {
            self.deadline = cx.now + self.silence_ms(cx);
            self.web.awaits_pong = false;
        }
    }

    /// Writes what others have queued, as far as the connection is up.
    pub fn flush_queued(&mut self, cx: &mut Cx) -> Fate {
        match self.state {
            ConnState::Open => self.flush_or_end(cx),
            ConnState::Closing => Fate::Keep,
            ConnState::Connecting | ConnState::Handshake => {
                self.out.extend(self.handle.take());
                Fate::Keep
            }
        }
    }

    /// Writes what waits, and closes if that was to be the last.
    fn flush_or_end(&mut self, cx: &mut Cx) -> Fate {
        let closes = self.handle.closes_when_sent();
        match self.flush(cx) {
            Fate::Keep if closes && self.out.is_empty() => self.close(cx),
            fate => fate,
        }
    }

    pub(super) fn flush(&mut self, cx: &Cx) -> Fate {
        self.out.extend(self.handle.take());
        if self.held {
            return Fate::Keep;
        }
        let result = self.stream.flush(&mut self.out);
        if self.count_sent(cx) {
            self.active(cx);
            self.note_partial(cx);
        }
        if result.is_ok() {
            Fate::Keep
        } else {
            Fate::Close
        }
    }

    fn count_sent(&mut self, cx: &Cx) -> bool {
        let (messages, bytes) = self.out.take_done();
        self.handle.waiting_less(bytes);
        cx.shared.stats.sent(self.handle.proto()).add(messages);
        bytes > 0
    }

    /// Begins to close: what waits is written, then the other side is told.
    pub fn close(&mut self, cx: &mut Cx) -> Fate {
        if !self.is_established() || self.held {
            return Fate::Close;
        }
        if self.state == ConnState::Open {
            self.out.extend(self.handle.shut());
            self.say_goodbye(GOING_AWAY);
            self.enter(ConnState::Closing);
            self.deadline = cx.now + cx.shared.cfg.timeouts.close_ms;
        }
        self.say_farewell(cx)
    }

    fn say_farewell(&mut self, cx: &mut Cx) -> Fate {
        if self.farewell == Farewell::Flush {
            let flushed = self.stream.flush(&mut self.out);
            self.count_sent(cx);
            match flushed {
                Ok(true) => self.farewell = Farewell::Notify { said: false },
                Ok(false) => return Fate::Keep,
                Err(_) => return Fate::Close,
            }
        }
        if let Farewell::Notify { mut said } = self.farewell {
            let finished = self.stream.finish(&mut said);
            self.farewell = Farewell::Notify { said };
            match finished {
                Ok(true) => self.farewell = Farewell::Listen,
                Ok(false) => return Fate::Keep,
                Err(_) => return Fate::Close,
            }
        }
        if self.stream.discard(&mut cx.buf) {
            Fate::Close
        } else {
            Fate::Keep
        }
    }

    /// Its deadline has passed.
    pub fn expired(&mut self, cx: &mut Cx) -> Fate {
        let stats = &cx.shared.stats;
        match self.state {
            ConnState::Connecting => stats.timeouts_connect.inc(),
            ConnState::Handshake => {
                stats.handshakes_failed_timeout.inc();
                self.log_failure(cx, "not done in time");
            }
            ConnState::Open if self.partial_since.is_some() => stats.timeouts_message.inc(),
            ConnState::Open if self.is_kept_alive(cx) => return self.keep_alive(cx),
            ConnState::Open => stats.timeouts_idle.inc(),
            ConnState::Closing => return Fate::Close,
        }
        self.close(cx)
    }

    /// Ends it; gives back what was not sent.
    pub fn into_unsent(mut self) -> Vec<OutItem> {
        self.out.extend(self.handle.shut());
        self.out.into_unsent().filter(|item| item.message).collect()
    }
}

fn would_block(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn server_name(name: Option<&str>, handle: &ConnHandle) -> Option<ServerName<'static>> {
    let by_name = name.and_then(|n| ServerName::try_from(n.to_owned()).ok());
    match name {
        Some(_) => by_name,
        None => Some(ServerName::IpAddress(handle.remote.ip().into())),
    }
}
