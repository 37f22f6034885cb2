//! Messages out of a byte stream (RFC 3261 section 18.3, RFC 5626 section 4.4.1), and HTTP
//! requests that come the same way.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::error::{ErrorKind, ParseError};
use crate::header::HeaderId;
use crate::http::{self, Chunks, Length};
use crate::lex;
use crate::message::Message;

/// What a stream holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// One whole message, from its first line to the end of its body.
    Message(Bytes),
    /// One whole HTTP/1.x request, a chunked body put together.
    Http(Bytes),
    /// CRLFCRLF: answer with one CRLF (RFC 5626 section 4.4.1).
    Ping,
    /// A single CRLF: the answer to our own ping. Reported when the next byte
    /// shows that it is not the first half of a ping.
    Pong,
}

/// The stream cannot be read further: answer if possible, then close.
#[derive(Clone, Debug)]
pub struct FrameError {
    /// What was wrong.
    pub kind: ErrorKind,
    /// Code to answer with (400, 505, 513; of HTTP 400, 413, 431, 501), `None` when there is
    /// nothing to answer.
    pub status: Option<u16>,
    /// One line for the log.
    pub reason: &'static str,
    /// The request as far as it could be read, when that is enough to answer it.
    pub partial: Option<Box<Message>>,
    /// Whether it was an HTTP request.
    pub is_http: bool,
}

impl FrameError {
    /// A message that may not come this way, and is not answered.
    #[must_use]
    pub const fn not_here(reason: &'static str) -> Self {
        Self {
            kind: ErrorKind::StartLine,
            status: None,
            reason,
            partial: None,
            is_http: false,
        }
    }
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for FrameError {}

impl From<ParseError> for FrameError {
    fn from(e: ParseError) -> Self {
        Self {
            kind: e.kind,
            status: e.status,
            reason: e.reason,
            partial: e.partial,
            is_http: false,
        }
    }
}

/// Cuts a byte stream into messages by Content-Length.
///
/// HTTP/1.x requests between them come out as such ([`Frame::Http`]).
///
/// What comes out depends on the bytes alone, not on how they were split into
/// pushes, and no byte of a header block is looked at twice.
#[derive(Debug)]
pub struct Framer {
    buf: BytesMut,
    max_message: usize,
    default_length: Option<u32>,
    state: State,
    /// The HTTP request with a chunked body that is coming in.
    chunks: Option<Box<Chunks>>,
}

/// How far the message at the start of the buffer is known.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Between messages, where CRLFs are keep-alives.
    Idle,
    /// In the header block; nothing ends it before this offset.
    Head(usize),
    /// The whole message is that long.
    Body(usize),
    /// The whole HTTP request is that long.
    HttpBody(usize),
    /// In the chunks of an HTTP request.
    HttpChunks,
    /// After an error.
    Dead,
}

impl Framer {
    /// A framer that refuses messages above `max_message` bytes.
    #[must_use]
    pub fn new(max_message: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            max_message,
            default_length: None,
            state: State::Idle,
            chunks: None,
        }
    }

    /// Takes a message without Content-Length as one without body instead of
    /// refusing it (Kamailio's `tcp_accept_no_cl`).
    #[must_use]
    pub fn accept_missing_length(mut self, accept: bool) -> Self {
        self.default_length = accept.then_some(0);
        self
    }

    /// Adds bytes as they were read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Dead) {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Bytes waiting for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len() + self.chunks.as_ref().map_or(0, |chunks| chunks.len())
    }

    /// What came after the last frame, for whoever reads the stream on.
    #[must_use]
    pub fn into_rest(self) -> BytesMut {
        self.buf
    }

    /// The next frame, or `None` until more bytes are pushed. Call it until then
    /// after each push, and the buffer never holds more than one unfinished
    /// message.
    ///
    /// # Errors
    /// A message without or with a malformed Content-Length, or one that is too
    /// large. The stream is lost: every later call gives `Ok(None)`.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let result = self.step();
        if result.is_err() {
            self.state = State::Dead;
            self.buf = BytesMut::new();
            self.chunks = None;
        }
        result
    }

    fn step(&mut self) -> Result<Option<Frame>, FrameError> {
        if let State::Idle = self.state {
            if let Some(frame) = self.keep_alive() {
                return Ok(frame);
            }
            self.state = State::Head(0);
        }
        if let State::Head(from) = self.state {
            match self.head_end(from)? {
                Ok(end) if http::is_request(&self.buf[..end]) => self.begin_http(end)?,
                Ok(end) => self.state = State::Body(self.whole_len(end)?),
                Err(from) => {
                    self.state = State::Head(from);
                    return Ok(None);
                }
            }
        }
        match self.state {
            State::Body(len) if self.buf.len() >= len => {
                self.state = State::Idle;
                Ok(Some(Frame::Message(self.buf.split_to(len).freeze())))
            }
            State::HttpBody(len) if self.buf.len() >= len => {
                self.state = State::Idle;
                Ok(Some(Frame::Http(self.buf.split_to(len).freeze())))
            }
            State::HttpChunks => self.next_chunks(),
            _ => Ok(None),
        }
    }

    /// An HTTP request whose header block ends at `head`.
    fn begin_http(&mut self, head: usize) -> Result<(), FrameError> {
        self.state = match http::body_length(&self.buf[..head])? {
            Length::Bytes(length) if head + length > self.max_message => {
                return Err(http::refusal(413, "Content Too Large"));
            }
            Length::Bytes(length) => State::HttpBody(head + length),
            Length::Chunked => {
                self.chunks = Some(Box::new(Chunks::new(self.buf.split_to(head))));
                State::HttpChunks
            }
        };
        Ok(())
    }

    fn next_chunks(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(chunks) = &mut self.chunks else {
            return Ok(None);
        };
        let whole = chunks.step(&mut self.buf, self.max_message)?;
        if whole.is_some() {
            self.chunks = None;
            self.state = State::Idle;
        }
        Ok(whole.map(Frame::Http))
    }

    /// CRLFs between messages. `Some(None)` waits for more bytes, `None` says that
    /// a message begins.
    fn keep_alive(&mut self) -> Option<Option<Frame>> {
        // A lone LF is no keep-alive; as before a datagram, it is skipped.
        let lf = self.buf.iter().take_while(|&&b| b == b'\n').count();
        self.buf.advance(lf);
        let (frame, len) = match self.buf[..] {
            [b'\r', b'\n', b'\r', b'\n', ..] => (Frame::Ping, 4),
            [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Some(None),
            [b'\r', b'\n', ..] => (Frame::Pong, 2),
            _ => return None,
        };
        self.buf.advance(len);
        Some(Some(frame))
    }

    /// Where the header block ends, or from where to look on when there is more.
    fn head_end(&self, from: usize) -> Result<Result<usize, usize>, FrameError> {
        let limit = self.buf.len().min(self.max_message);
        let buf = &self.buf[..limit];
        let mut pos = from;
        while let Some(hit) = memchr(b'\n', &buf[pos..]) {
            let at = pos + hit;
            match buf[at + 1..] {
                [b'\n', ..] => return Ok(Ok(at + 2)),
                [b'\r', b'\n', ..] => return Ok(Ok(at + 3)),
                [] | [b'\r'] if limit < self.max_message => return Ok(Err(at)),
                _ => pos = at + 1,
            }
        }
        if limit < self.max_message {
            return Ok(Err(limit));
        }
        if http::is_request(buf) {
            return Err(http::refusal(431, "Request Header Fields Too Large"));
        }
        Err(self.too_large(limit))
    }

    /// Length of the message whose header block ends at `head`.
    fn whole_len(&self, head: usize) -> Result<usize, FrameError> {
        let start = memchr(b'\n', &self.buf).map_or(head, |n| n + 1);
        let length = match lex::content_length(&self.buf[..head], start) {
            Ok(length) => length.or(self.default_length),
            Err(_) => None,
        };
        let length = length.ok_or_else(|| self.refuse(head))?;
        let len = head + length as usize;
        if len > self.max_message {
            return Err(self.too_large(head));
        }
        Ok(len)
    }

    /// The error for a header block whose Content-Length is missing or malformed.
    fn refuse(&self, head: usize) -> FrameError {
        match self.parse(head) {
            Err(e) => e.into(),
            Ok(msg) => {
                let partial = Some(msg).filter(Message::is_answerable);
                FrameError {
                    kind: ErrorKind::Missing(HeaderId::ContentLength),
                    status: partial.is_some().then_some(400),
                    reason: "Content-Length missing",
                    partial: partial.map(Box::new),
                    is_http: false,
                }
            }
        }
    }

    fn too_large(&self, head: usize) -> FrameError {
        let partial = match self.parse(head) {
            Err(e) => e.partial,
            Ok(msg) => Some(Box::new(msg)).filter(|m| m.is_answerable()),
        };
        FrameError {
            kind: ErrorKind::TooLarge,
            status: partial.is_some().then_some(513),
            reason: "Message too large",
            partial,
            is_http: false,
        }
    }

    /// Whatever can be read of the first `len` bytes.
    fn parse(&self, len: usize) -> Result<Message, ParseError> {
        Message::parse(Bytes::copy_from_slice(&self.buf[..len]))
    }
}
