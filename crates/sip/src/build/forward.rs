//! Forwarded requests and responses (RFC 3261 sections 16.6 and 16.7).

use crate::build::text::Text;
use crate::build::via::ViaFix;
use crate::edit::{Edits, Plan, Splice};
use crate::header::HeaderId;
use crate::message::Message;
use crate::types::Span;

/// How a request leaves (RFC 3261 section 16.6).
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// New Request-URI; `None` keeps the one of the edits or of the message.
    pub uri: Option<&'a [u8]>,
    /// Our whole Via line with CRLF; comes first. May be empty.
    pub via: &'a [u8],
    /// What goes into the Via of the sender.
    pub via_fix: ViaFix,
    /// Header lines with CRLF that follow our Via, before all others: Path,
    /// Record-Route, Route.
    pub top: &'a [u8],
    /// New Max-Forwards; added when the request has none. `None` leaves it alone,
    /// and a value that the edits replace wins.
    pub max_forwards: Option<u32>,
    /// What the script changed.
    pub edits: &'a Edits,
}

/// A request as it is forwarded: only what the proxy adds changes.
///
/// A Content-Length is added when there is none, as streams need it
/// (RFC 3261 section 16.6 step 9).
#[must_use]
pub fn forward_request(msg: &Message, how: &Forward<'_>) -> Vec<u8> {
    let changes = via_changes(msg, how);
    let number = |before: &[u8], n: u32| Text::new(before).number(n.into());
    let hops = how.max_forwards.map(|n| number(b"", n));
    let line = how
        .max_forwards
        .map(|n| number(b"Max-Forwards: ", n).and(b"\r\n"));
    let place = max_forwards(msg, how);
    let mut inner = [Splice::default(); 3];
    let mut count = 0;
    let texts = changes.iter().flatten().map(|(span, text)| (*span, text));
    for (span, text) in texts.chain(place.replaced().zip(hops.as_ref())) {
        let text = text.as_bytes();
        inner[count] = Splice { span, text };
        count += 1;
    }
    let line = line.as_ref().filter(|_| place == Hops::Add);
    let plan = Plan {
        edits: how.edits,
        uri: how.uri,
        top: [how.via, how.top, line.map_or(&[], Text::as_bytes)],
        inner: &inner[..count],
        add_length: true,
    };
    let mut out = Vec::new();
    plan.write(msg, &mut out);
    out
}

/// A response as it is forwarded: without its top Via value (RFC 3261 section 16.7).
///
/// The whole header field goes, or only the first value when it holds several.
#[must_use]
pub fn forward_response(msg: &Message, edits: &Edits) -> Vec<u8> {
    let top = Splice {
        span: top_via(msg),
        text: &[],
    };
    let plan = Plan {
        edits,
        uri: None,
        top: [&[]; 3],
        inner: &[top],
        add_length: true,
    };
    let mut out = Vec::new();
    plan.write(msg, &mut out);
    out
}

/// What to leave out so that the top Via value is gone.
fn top_via(msg: &Message) -> Span {
    let Some(header) = msg.header(HeaderId::Via) else {
        return Span::default();
    };
    match msg.split(header).nth(1) {
        Some(second) => Span::new(msg.via().span.start, second.start),
        None => header.full,
    }
}

/// The changes to the sender's Via, unless the script removed it.
fn via_changes(msg: &Message, how: &Forward<'_>) -> [Option<(Span, Text)>; 2] {
    let span = msg.via().span;
    if span.is_empty() || how.edits.removed(span) {
        return [None, None];
    }
    how.via_fix.changes(msg)
}

/// Where the new Max-Forwards goes (RFC 3261 section 16.6 step 3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hops {
    /// In the place of the old value.
    Replace(Span),
    /// Into a line of its own.
    Add,
    /// Nowhere: the script has set it.
    Keep,
}

impl Hops {
    fn replaced(self) -> Option<Span> {
        match self {
            Self::Replace(span) => Some(span),
            _ => None,
        }
    }
}

fn max_forwards(msg: &Message, how: &Forward<'_>) -> Hops {
    match msg.header(HeaderId::MaxForwards) {
        Some(h) if how.edits.removed(h.full) => Hops::Add,
        Some(h) if how.edits.removed(h.value) => Hops::Keep,
        Some(h) => Hops::Replace(h.value),
        None => Hops::Add,
    }
}
