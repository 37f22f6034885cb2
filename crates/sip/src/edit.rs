//! Changes to a message, applied once when it is written out.

use std::borrow::Cow;

use crate::header::{Header, HeaderId};
use crate::message::Message;
use crate::types::Span;

/// A list of changes to one message.
///
/// Spans and positions refer to the message as received; bytes that no edit
/// names stay identical. Removals may overlap. An insertion inside a removed
/// span still appears. Insertions at one position appear in call order.
#[derive(Clone, Default, Debug)]
pub struct Edits {
    /// Boxed, so that the usual empty list is one pointer and allocates nothing.
    list: Option<Box<List>>,
}

#[derive(Clone, Default, Debug)]
struct List {
    ops: Vec<Op>,
    /// In call order; the last comes first.
    prepended: Vec<Vec<u8>>,
    appended: Vec<u8>,
    uri: Option<Vec<u8>>,
    body: Option<Body>,
}

/// Text in the place of a span, which is empty for an insertion.
#[derive(Clone, Debug)]
struct Op {
    span: Span,
    text: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Body {
    bytes: Vec<u8>,
    content_type: Option<Vec<u8>>,
}

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
        self.replace(span, Vec::new());
    }

    /// Inserts bytes before the byte at `pos`.
    pub fn insert_at(&mut self, pos: u32, bytes: impl Into<Vec<u8>>) {
        self.replace(Span::new(pos, pos), bytes);
    }

    /// Puts bytes in the place of `span`.
    pub fn replace(&mut self, span: Span, bytes: impl Into<Vec<u8>>) {
        let text = bytes.into();
        self.list().ops.push(Op { span, text });
    }

    /// Puts bytes in the place of `span` and forgets earlier changes inside it, so
    /// that the last change of a value wins and nothing is left of a removed header
    /// field. Insertions at its ends stay.
    pub fn overwrite(&mut self, span: Span, bytes: impl Into<Vec<u8>>) {
        let inside = |op: &Op| {
            let at_an_end =
                op.span.is_empty() && (op.span.start == span.start || op.span.end == span.end);
            span.contains(op.span) && !at_an_end
        };
        self.list().ops.retain(|op| !inside(op));
        self.replace(span, bytes);
    }

    /// Adds whole header lines (with CRLF) after the last header field, in call order.
    pub fn append_header(&mut self, line: impl Into<Vec<u8>>) {
        self.list().appended.append(&mut line.into());
    }

    /// Adds whole header lines (with CRLF) before the first header field; later
    /// calls come first, as in Kamailio.
    pub fn prepend_header(&mut self, line: impl Into<Vec<u8>>) {
        self.list().prepended.push(line.into());
    }

    /// Replaces the body and corrects Content-Length; it wins over edits inside
    /// the old body. `Some(type)` sets Content-Type too; an empty body without
    /// type removes it.
    pub fn set_body(&mut self, body: impl Into<Vec<u8>>, content_type: Option<&[u8]>) {
        self.list().body = Some(Body {
            bytes: body.into(),
            content_type: content_type.map(<[u8]>::to_vec),
        });
    }

    /// The body that [`Edits::set_body`] set.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.list.as_ref()?.body.as_ref().map(|b| &b.bytes[..])
    }

    /// Replaces the Request-URI.
    pub fn set_uri(&mut self, uri: impl Into<Vec<u8>>) {
        self.list().uri = Some(uri.into());
    }

    /// The Request-URI that [`Edits::set_uri`] set.
    #[must_use]
    pub fn uri(&self) -> Option<&[u8]> {
        self.list.as_ref()?.uri.as_deref()
    }

    /// Whether every byte of `span` is removed or replaced; for an empty span,
    /// whether it lies inside removed bytes.
    #[must_use]
    pub fn removed(&self, span: Span) -> bool {
        let Some(list) = &self.list else { return false };
        let end = span.end.max(span.start + 1);
        let mut pos = span.start;
        while pos < end {
            let covers = |op: &&Op| op.span.start <= pos && pos < op.span.end;
            match list.ops.iter().find(covers) {
                Some(op) => pos = op.span.end,
                None => return false,
            }
        }
        true
    }

    /// Appends the changed message to `out`.
    ///
    /// Content-Length follows when the body changed, by [`Edits::set_body`] or by
    /// an edit inside the body.
    pub fn apply(&self, msg: &Message, out: &mut Vec<u8>) {
        let plan = Plan {
            edits: self,
            uri: None,
            top: [&[]; 3],
            inner: &[],
            add_length: false,
        };
        plan.write(msg, out);
    }

    fn list(&mut self) -> &mut List {
        self.list.get_or_insert_default()
    }

    /// The body after all edits, if it changes.
    fn new_body(&self, msg: &Message) -> Option<Cow<'_, [u8]>> {
        let list = self.list.as_deref()?;
        if let Some(body) = &list.body {
            return Some(Cow::Borrowed(&body.bytes));
        }
        let start = msg.body_offset() as u32;
        let mut splices: Vec<_> = list.ops.iter().filter_map(|op| op.from(start)).collect();
        if splices.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        let end = msg.bytes().len() as u32;
        render(msg.bytes(), Span::new(start, end), &mut splices, &mut out);
        Some(Cow::Owned(out))
    }
}

impl Op {
    const fn splice(&self) -> Splice<'_> {
        Splice {
            span: self.span,
            text: self.text.as_slice(),
        }
    }

    /// What it changes at or after `pos`; text belongs to where the span begins.
    fn from(&self, pos: u32) -> Option<Splice<'_>> {
        if self.span.start >= pos {
            return Some(self.splice());
        }
        (self.span.end > pos).then_some(Splice {
            span: Span::new(pos, self.span.end),
            text: &[],
        })
    }
}

/// Text in the place of a span of the message.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Splice<'a> {
    pub span: Span,
    pub text: &'a [u8],
}

/// All that changes when a message is written: the script's edits and what
/// forwarding itself adds.
pub(crate) struct Plan<'a> {
    pub edits: &'a Edits,
    /// Request-URI that wins over that of the edits.
    pub uri: Option<&'a [u8]>,
    /// Lines before all others.
    pub top: [&'a [u8]; 3],
    /// Changes inside header fields; made before those of the script.
    pub inner: &'a [Splice<'a>],
    /// Whether a Content-Length is added when there is none.
    pub add_length: bool,
}

impl Plan<'_> {
    /// Appends the message with all changes to `out`.
    pub(crate) fn write(&self, msg: &Message, out: &mut Vec<u8>) {
        out.reserve(msg.bytes().len() + 512);
        let body = self.edits.new_body(msg);
        let body_ops = self.body_headers(msg, body.as_deref());
        let mut splices = Vec::with_capacity(16);
        self.head(msg, &mut splices);
        splices.extend(body_ops.iter().map(Op::splice));
        let end = msg.headers_end() as u32;
        render(msg.bytes(), Span::new(0, end), &mut splices, out);
        out.extend_from_slice(msg.get(msg.blank));
        out.extend_from_slice(body.as_deref().unwrap_or(msg.body()));
    }

    /// First line, lines on top, changes inside header fields, lines at the end.
    fn head<'s>(&'s self, msg: &Message, splices: &mut Vec<Splice<'s>>) {
        if let Some(text) = self.uri.or(self.edits.uri()) {
            let span = msg.uri_span();
            splices.push(Splice { span, text });
        }
        let at = |pos: u32, text: &'s [u8]| Splice {
            span: Span::new(pos, pos),
            text,
        };
        let first = msg.first_line().end;
        splices.extend(self.top.iter().map(|text| at(first, text)));
        let list = self.edits.list.as_deref();
        if let Some(list) = list {
            splices.extend(list.prepended.iter().rev().map(|text| at(first, text)));
        }
        splices.extend_from_slice(self.inner);
        if let Some(list) = list {
            let body = msg.body_offset() as u32;
            let ops = list.ops.iter().filter(|op| op.span.start < body);
            splices.extend(ops.map(Op::splice));
            splices.push(at(msg.headers_end() as u32, &list.appended));
        }
    }

    /// What a changed body does to Content-Length and Content-Type.
    fn body_headers(&self, msg: &Message, body: Option<&[u8]>) -> Vec<Op> {
        let mut ops = Vec::new();
        let edits = self.edits;
        let length = live_header(msg, edits, HeaderId::ContentLength);
        let missing = self.add_length && length.is_none();
        if body.is_some() || missing {
            let n = body.unwrap_or(msg.body()).len();
            let text = n.to_string();
            ops.push(set_header(
                msg,
                length,
                HeaderId::ContentLength,
                text.as_bytes(),
            ));
        }
        let Some(set) = edits.list.as_ref().and_then(|l| l.body.as_ref()) else {
            return ops;
        };
        let id = HeaderId::ContentType;
        match (&set.content_type, live_header(msg, edits, id)) {
            (Some(value), header) => ops.push(set_header(msg, header, id, value)),
            (None, Some(header)) if set.bytes.is_empty() => ops.push(Op {
                span: header.full,
                text: Vec::new(),
            }),
            _ => {}
        }
        ops
    }
}

/// The first header field of that name that the edits leave there.
fn live_header<'a>(msg: &'a Message, edits: &Edits, id: HeaderId) -> Option<&'a Header> {
    msg.all(id).find(|h| !edits.removed(h.full))
}

/// A new value where the header field is, or a new line at the end.
fn set_header(msg: &Message, header: Option<&Header>, id: HeaderId, value: &[u8]) -> Op {
    if let Some(header) = header {
        let (span, text) = (header.value, value.to_vec());
        return Op { span, text };
    }
    let end = msg.headers_end() as u32;
    let name = id.canonical_name().as_bytes();
    Op {
        span: Span::new(end, end),
        text: [name, b": ", value, b"\r\n"].concat(),
    }
}

/// Copies `range` of `buf` with the splices made; those at one position in their order.
fn render(buf: &[u8], range: Span, splices: &mut [Splice<'_>], out: &mut Vec<u8>) {
    splices.sort_by_key(|s| s.span.start);
    let mut pos = range.start;
    for splice in splices {
        let start = splice.span.start.min(range.end);
        if start > pos {
            out.extend_from_slice(Span::new(pos, start).of(buf));
            pos = start;
        }
        out.extend_from_slice(splice.text);
        pos = pos.max(splice.span.end.min(range.end));
    }
    out.extend_from_slice(Span::new(pos, range.end).of(buf));
}
