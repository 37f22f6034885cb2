//! Changes to a message, applied once when it is written out.

use crate::message::Message;
use crate::types::Span;

/// A list of changes to one message.
///
/// Spans and positions refer to the message as received; bytes that no edit
/// names stay identical. Removals may overlap. An insertion inside a removed
/// span still appears. Insertions at one position appear in call order.
#[derive(Clone, Default, Debug)]
pub struct Edits {
    list: Option<Box<List>>,
}

#[derive(Clone, Default, Debug)]
struct List {}

impl Edits {
    /// No changes; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: None }
    }

    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_none()
    }

    /// Forgets all changes.
    pub fn clear(&mut self) {
        self.list = None;
    }

    /// Leaves out the bytes of `span`.
    pub fn remove(&mut self, span: Span) {
        let _ = span;
        todo!()
    }

    /// Inserts bytes before the byte at `pos`.
    pub fn insert_at(&mut self, pos: u32, bytes: impl Into<Vec<u8>>) {
        let _ = (pos, bytes.into());
        todo!()
    }

    /// Puts bytes in the place of `span`.
    pub fn replace(&mut self, span: Span, bytes: impl Into<Vec<u8>>) {
        let _ = (span, bytes.into());
        todo!()
    }

    /// Adds whole header lines (with CRLF) after the last header field, in call order.
    pub fn append_header(&mut self, line: impl Into<Vec<u8>>) {
        let _ = line.into();
        todo!()
    }

    /// Adds whole header lines (with CRLF) before the first header field; later
    /// calls come first, as in Kamailio.
    pub fn prepend_header(&mut self, line: impl Into<Vec<u8>>) {
        let _ = line.into();
        todo!()
    }

    /// Replaces the body and corrects Content-Length. `Some(type)` sets
    /// Content-Type too; an empty body removes it.
    pub fn set_body(&mut self, body: impl Into<Vec<u8>>, content_type: Option<&[u8]>) {
        let _ = (body.into(), content_type);
        todo!()
    }

    /// The body that [`Edits::set_body`] set.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        todo!()
    }

    /// Replaces the Request-URI.
    pub fn set_uri(&mut self, uri: impl Into<Vec<u8>>) {
        let _ = uri.into();
        todo!()
    }

    /// Whether every byte of `span` is removed or replaced.
    #[must_use]
    pub fn removed(&self, span: Span) -> bool {
        let _ = span;
        todo!()
    }

    /// Appends the changed message to `out`.
    pub fn apply(&self, msg: &Message, out: &mut Vec<u8>) {
        let _ = (msg, out, &self.list);
        todo!()
    }
}
