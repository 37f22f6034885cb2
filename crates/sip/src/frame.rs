//! Messages out of a byte stream (RFC 3261 section 18.3, RFC 5626 section 4.4.1).

use bytes::{Bytes, BytesMut};

use crate::error::{ErrorKind, ParseError};
use crate::message::Message;

/// What a stream holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// One whole message, from its first line to the end of its body.
    Message(Bytes),
    /// CRLFCRLF: answer with one CRLF (RFC 5626 section 4.4.1).
    Ping,
    /// A single CRLF: the answer to our own ping.
    Pong,
}

/// The stream cannot be read further: answer if possible, then close.
#[derive(Clone, Debug)]
pub struct FrameError {
    /// What was wrong.
    pub kind: ErrorKind,
    /// Code to answer with (400, 413), `None` when there is nothing to answer.
    pub status: Option<u16>,
    /// One line for the log.
    pub reason: &'static str,
    /// The request as far as it could be read, when that is enough to answer it.
    pub partial: Option<Box<Message>>,
}

impl From<ParseError> for FrameError {
    fn from(e: ParseError) -> Self {
        Self {
            kind: e.kind,
            status: e.status,
            reason: e.reason,
            partial: e.partial,
        }
    }
}

/// Cuts a byte stream into messages by Content-Length.
#[derive(Debug)]
pub struct Framer {
    buf: BytesMut,
    max_message: usize,
}

impl Framer {
    /// A framer that refuses messages above `max_message` bytes.
    #[must_use]
    pub fn new(max_message: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            max_message,
        }
    }

    /// Adds bytes as they were read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Bytes waiting for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// The next frame, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// A message without or with a malformed Content-Length, or one that is too
    /// large. The stream is lost: every later call gives `Ok(None)`.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let _ = self.max_message;
        todo!()
    }
}
