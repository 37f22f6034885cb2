//! A received message and the index over its bytes.

use bytes::Bytes;

use crate::error::{ParseError, SyntaxError};
use crate::header::{Header, HeaderId};
use crate::method::Method;
use crate::nameaddr::NameAddr;
use crate::types::Span;
use crate::via::Via;

/// A parsed message: immutable, and cheap to share in an `Arc`.
///
/// All header fields are indexed; the top Via, From, To, Call-ID, CSeq and
/// Content-Length are parsed, everything else on demand.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Bytes,
    headers: Vec<Header>,
    via: Via,
    from: NameAddr,
    to: NameAddr,
}

impl Message {
    /// Indexes a datagram or a framed message. CRLFs before the first line are
    /// skipped, bytes after the body (by Content-Length) are cut off.
    ///
    /// # Errors
    /// [`ParseError`] says what was wrong and how it may be answered.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        let _ = bytes;
        todo!()
    }

    /// The whole message, from the first line to the end of the body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes of a span of this message.
    #[must_use]
    pub fn get(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        todo!()
    }

    /// Method of a request; of CSeq for a response.
    #[must_use]
    pub fn method(&self) -> Method {
        todo!()
    }

    /// Method as written; of CSeq for a response.
    #[must_use]
    pub fn method_name(&self) -> &[u8] {
        todo!()
    }

    /// Request-URI as written; empty for a response.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        self.get(self.uri_span())
    }

    /// Where the Request-URI is; empty for a response.
    #[must_use]
    pub fn uri_span(&self) -> Span {
        todo!()
    }

    /// Status code; 0 for a request.
    #[must_use]
    pub fn status(&self) -> u16 {
        todo!()
    }

    /// Reason phrase; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        todo!()
    }

    /// The first line, its line end included.
    #[must_use]
    pub fn first_line(&self) -> Span {
        todo!()
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
    pub fn values(&self, id: HeaderId) -> impl Iterator<Item = Span> {
        let _ = id;
        std::iter::empty() // TODO
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
        todo!()
    }

    /// Sequence number of CSeq.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        todo!()
    }

    /// Content-Length, if the header field is there.
    #[must_use]
    pub fn content_length(&self) -> Option<u32> {
        todo!()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_offset()..]
    }

    /// Where the body begins, one past the empty line.
    #[must_use]
    pub fn body_offset(&self) -> usize {
        todo!()
    }

    /// Where the header fields end: offset of the empty line. [`crate::Edits`]
    /// append here.
    #[must_use]
    pub fn headers_end(&self) -> usize {
        todo!()
    }

    /// Max-Forwards; `None` when absent or malformed.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u32> {
        todo!()
    }
}
