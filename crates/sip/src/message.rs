//! A received message and the index over its bytes.

use bytes::Bytes;

use crate::error::{ParseError, SyntaxError};
use crate::header::{Header, HeaderId};
use crate::lex;
use crate::method::Method;
use crate::nameaddr::NameAddr;
use crate::parse;
use crate::types::Span;
use crate::via::Via;

/// A parsed message: immutable, and cheap to share in an `Arc`.
///
/// All header fields are indexed; the top Via, From, To, Call-ID, CSeq and
/// Content-Length are parsed, everything else on demand.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) bytes: Bytes,
    pub(crate) headers: Vec<Header>,
    pub(crate) start: StartLine,
    pub(crate) first_line: Span,
    /// The empty line.
    pub(crate) blank: Span,
    pub(crate) via: Via,
    pub(crate) from: NameAddr,
    pub(crate) to: NameAddr,
    pub(crate) call_id: Span,
    pub(crate) cseq: u32,
    pub(crate) cseq_method: Span,
    pub(crate) content_length: Option<u32>,
}

/// What the first line says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StartLine {
    Request {
        method: Method,
        name: Span,
        uri: Span,
    },
    Response {
        code: u16,
        reason: Span,
        /// Of CSeq.
        method: Method,
    },
    /// HTTP request.
    Http {
        name: Span,
        uri: Span,
        version: Span,
    },
}

impl Message {
    /// Indexes a datagram or a framed message. CRLFs before the first line are
    /// skipped, bytes after the body (by Content-Length) are cut off, a lone LF
    /// ends a line as CRLF does.
    ///
    /// Checked are the first line (with the Request-URI), the form of every header
    /// line, the top Via, From, To, Call-ID, CSeq and Content-Length, and that
    /// header fields that must be single are. Nothing else is: a proxy has to
    /// forward what it does not need to understand (RFC 3261 section 16.3).
    ///
    /// # Errors
    /// [`ParseError`] says what was wrong and how it may be answered.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        parse::parse(bytes)
    }

    /// Indexes an HTTP/1.x request as [`crate::frame::Framer`] cuts it out: what follows the
    /// header block is the body. Nothing that SIP wants is there: addresses, Call-ID and the
    /// top Via are empty.
    ///
    /// # Errors
    /// A malformed first line or header field, or too many of them.
    pub fn parse_http(bytes: Bytes) -> Result<Self, ParseError> {
        parse::parse_http(bytes)
    }

    /// The whole message, from the first line to the end of the body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes of a span of this message; empty when out of bounds.
    #[must_use]
    pub fn get(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(
            self.start,
            StartLine::Request { .. } | StartLine::Http { .. }
        )
    }

    /// Whether it is an HTTP request.
    #[must_use]
    pub fn is_http(&self) -> bool {
        matches!(self.start, StartLine::Http { .. })
    }

    /// Protocol and version of the first line: `SIP/2.0`, or `HTTP/1.1`.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        match self.start {
            StartLine::Http { version, .. } => self.get(version),
            _ => b"SIP/2.0",
        }
    }

    /// Whether a SIP response may be sent to it: not to a response, nor to an ACK
    /// (RFC 3261 sections 8.1.3.3 and 17).
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        self.is_request() && !self.is_http() && self.method() != Method::Ack
    }

    /// Method of a request; of CSeq for a response.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.start {
            StartLine::Request { method, .. } | StartLine::Response { method, .. } => method,
            StartLine::Http { .. } => Method::Other,
        }
    }

    /// Method as written; of CSeq for a response.
    #[must_use]
    pub fn method_name(&self) -> &[u8] {
        match self.start {
            StartLine::Request { name, .. } | StartLine::Http { name, .. } => self.get(name),
            StartLine::Response { .. } => self.get(self.cseq_method),
        }
    }

    /// Request-URI as written; empty for a response.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        self.get(self.uri_span())
    }

    /// Where the Request-URI is; empty for a response.
    #[must_use]
    pub fn uri_span(&self) -> Span {
        match self.start {
            StartLine::Request { uri, .. } | StartLine::Http { uri, .. } => uri,
            StartLine::Response { .. } => Span::default(),
        }
    }

    /// Status code; 0 for a request.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.start {
            StartLine::Response { code, .. } => code,
            StartLine::Request { .. } | StartLine::Http { .. } => 0,
        }
    }

    /// Reason phrase; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        match self.start {
            StartLine::Response { reason, .. } => self.get(reason),
            StartLine::Request { .. } | StartLine::Http { .. } => &[],
        }
    }

    /// The first line, its line end included.
    #[must_use]
    pub fn first_line(&self) -> Span {
        self.first_line
    }

    /// All header fields in order.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The first header field of that name.
    #[must_use]
    pub fn header(&self, id: HeaderId) -> Option<&Header> {
        self.headers.iter().find(|h| h.id == id)
    }

    /// The value of the first header field of that name.
    #[must_use]
    pub fn value(&self, id: HeaderId) -> Option<&[u8]> {
        self.header(id).map(|h| self.get(h.value))
    }

    /// All header fields of that name, in order.
    pub fn all(&self, id: HeaderId) -> impl Iterator<Item = &Header> {
        self.headers.iter().filter(move |h| h.id == id)
    }

    /// All header fields of that name in any case; a compact form and its long form are the same.
    pub fn find<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a Header> {
        let id = HeaderId::of(name);
        self.headers.iter().filter(move |h| {
            h.id == id && (id != HeaderId::Other || self.get(h.name).eq_ignore_ascii_case(name))
        })
    }

    /// The comma separated values of all header fields of that name, in order.
    /// Only for header fields whose grammar is a list: a comma in a Date is no separator.
    pub fn values(&self, id: HeaderId) -> impl Iterator<Item = Span> {
        self.all(id).flat_map(|h| self.split(h))
    }

    /// The comma separated values of one header field.
    pub fn split(&self, header: &Header) -> impl Iterator<Item = Span> {
        lex::Values::new(self.get(header.value)).map(|value| lex::span_in(&self.bytes, value))
    }

    /// The top Via.
    #[must_use]
    pub fn via(&self) -> &Via {
        &self.via
    }

    /// All Via values in order, parsed on demand.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via, SyntaxError>> {
        self.values(HeaderId::Via)
            .map(|span| Via::parse(&self.bytes, span))
    }

    /// Branch of the top Via.
    #[must_use]
    pub fn branch(&self) -> Option<&[u8]> {
        self.via.branch.map(|s| self.get(s))
    }

    /// From.
    #[must_use]
    pub fn from(&self) -> &NameAddr {
        &self.from
    }

    /// To.
    #[must_use]
    pub fn to(&self) -> &NameAddr {
        &self.to
    }

    /// Tag of From.
    #[must_use]
    pub fn from_tag(&self) -> Option<&[u8]> {
        self.from.tag.map(|s| self.get(s))
    }

    /// Tag of To.
    #[must_use]
    pub fn to_tag(&self) -> Option<&[u8]> {
        self.to.tag.map(|s| self.get(s))
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        self.get(self.call_id)
    }

    /// The same, sharing the message's memory.
    #[must_use]
    pub fn call_id_bytes(&self) -> Bytes {
        self.bytes
            .slice(self.call_id.start as usize..self.call_id.end as usize)
    }

    /// Sequence number of CSeq.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        self.cseq
    }

    /// Content-Length, if the header field is there.
    #[must_use]
    pub fn content_length(&self) -> Option<u32> {
        self.content_length
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_offset()..]
    }

    /// Where the body begins, one past the empty line.
    #[must_use]
    pub fn body_offset(&self) -> usize {
        self.blank.end as usize
    }

    /// Where the header fields end: offset of the empty line. [`crate::Edits`]
    /// append here.
    #[must_use]
    pub fn headers_end(&self) -> usize {
        self.blank.start as usize
    }

    /// Max-Forwards; `None` when absent or not a number of 0 to 255
    /// (RFC 3261 section 20.22).
    #[must_use]
    pub fn max_forwards(&self) -> Option<u32> {
        lex::decimal(self.value(HeaderId::MaxForwards)?, 255)
    }

    /// Whether it has what every response needs: From, To, Call-ID and CSeq next
    /// to the top Via (RFC 3261 section 8.2.6.2). True unless it is
    /// [`ParseError::partial`] of a message that lacks one.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        [
            HeaderId::From,
            HeaderId::To,
            HeaderId::CallId,
            HeaderId::CSeq,
        ]
        .into_iter()
        .all(|id| self.header(id).is_some())
    }
}
