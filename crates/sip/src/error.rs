//! What can be wrong with a message, and what RFC 3261 lets us answer.

use std::fmt;

use crate::header::HeaderId;
use crate::message::Message;

/// What was wrong with a message or with one of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// Nothing but CRLFs: a keep-alive (RFC 5626 section 4.4.1), not a message.
    Empty,
    /// Larger than the parser or the framer accepts.
    TooLarge,
    /// More header fields than the parser accepts.
    TooManyHeaders,
    /// The first line is neither a Request-Line nor a Status-Line.
    StartLine,
    /// A SIP version other than 2.0.
    Version,
    /// The Request-URI is malformed.
    RequestUri,
    /// The status code is not of 100 to 699.
    Status,
    /// A header field line without a name or a colon.
    HeaderLine,
    /// The header fields are not ended by an empty line.
    Unterminated,
    /// A mandatory header field is absent.
    Missing(HeaderId),
    /// A header field that may occur once occurs more often.
    Duplicate(HeaderId),
    /// The value of this header field is malformed.
    Header(HeaderId),
    /// The method in CSeq is not the one in the Request-Line.
    MethodMismatch,
    /// The body is shorter than Content-Length says.
    Truncated,
    /// A name-addr or addr-spec is malformed.
    NameAddr,
    /// A URI is malformed.
    Uri,
}

/// A message that cannot be processed.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// What was wrong.
    pub kind: ErrorKind,
    /// The response code that RFC 3261 provides (400, 505, 513), if the message
    /// is a request that may be answered; `None` says discard.
    pub status: Option<u16>,
    /// One line for the log, and for the reason phrase of the answer.
    pub reason: &'static str,
    /// The request as far as it could be read, present when it may be answered and
    /// has a usable top Via: pass it to [`crate::build::response`], which copies
    /// what is there (RFC 4475 section 3.3.1 wants a 400 even without From, To and
    /// Call-ID; [`Message::is_complete`] tells). Accessors give empty values for
    /// what is missing or malformed.
    pub partial: Option<Box<Message>>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for ParseError {}

/// A malformed part of a message: a URI, a name-addr, a Via.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// What was wrong.
    pub kind: ErrorKind,
    /// One line for the log.
    pub reason: &'static str,
}

impl SyntaxError {
    /// An error of that kind.
    #[must_use]
    pub const fn new(kind: ErrorKind, reason: &'static str) -> Self {
        Self { kind, reason }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for SyntaxError {}
