//! Header lines of a message copied into another one.

use crate::header::Header;
use crate::message::Message;
use crate::types::Span;

/// Copies lines of `msg` to `out`; neighbours go in one piece.
pub(crate) struct Lines<'a> {
    pub msg: &'a Message,
    out: &'a mut Vec<u8>,
    /// Still to be copied.
    pending: Span,
}

impl<'a> Lines<'a> {
    #[inline]
    pub(crate) fn new(msg: &'a Message, out: &'a mut Vec<u8>) -> Self {
        let pending = Span::default();
        Self { msg, out, pending }
    }

    /// The header field as it came; its line ends as CRLF.
    #[inline(always)]
    pub(crate) fn line(&mut self, header: &Header) {
        self.rest_of_line(header.full.start, header);
    }

    /// The header field with `suffix` after its value.
    #[inline]
    pub(crate) fn line_with(&mut self, header: &Header, suffix: [&[u8]; 2]) {
        self.copy(Span::new(header.full.start, header.value.end));
        suffix.iter().for_each(|part| self.text(part));
        self.text(b"\r\n");
    }

    /// The header field from `pos` on.
    #[inline(always)]
    pub(crate) fn rest_of_line(&mut self, pos: u32, header: &Header) {
        // Nearly always CRLF follows the value at once, and the line needs no change.
        let end = Span::new(header.value.end, header.full.end);
        if self.msg.get(end) == b"\r\n" {
            return self.copy(Span::new(pos, end.end));
        }
        self.copy(Span::new(pos, end.start));
        self.text(b"\r\n");
    }

    #[inline]
    pub(crate) fn copy(&mut self, span: Span) {
        if span.start == self.pending.end {
            self.pending.end = span.end;
        } else {
            self.flush();
            self.pending = span;
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, bytes: &[u8]) {
        self.flush();
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.out.extend_from_slice(self.msg.get(self.pending));
            self.pending = Span::default();
        }
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
