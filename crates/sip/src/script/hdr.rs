//! Header fields: `KSR.hdr`.
//!
//! Reading shows the message as received. Edits show when it leaves, or after
//! `msg_apply_changes`. Text of the script must be whole header lines; a missing line
//! end is added and anything that could smuggle in another part of a message is refused.

use crate::header::{Header, HeaderId};
use crate::types::Span;

use super::context::{Context, Value};
use super::corex::code;

/// `KSR.hdr.get`: value of the first header field of that name.
#[must_use]
pub fn get<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    get_idx(ctx, name, 0)
}

/// `KSR.hdr.gete`: an absent header field is the empty string.
#[must_use]
pub fn gete<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    super::kx::e(get(ctx, name))
}

/// `KSR.hdr.getw`: an absent header field is `<null>`.
#[must_use]
pub fn getw<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    super::kx::w(get(ctx, name))
}

/// `KSR.hdr.get_idx`: value of the header field at `index`; negative counts from the end.
#[must_use]
pub fn get_idx<'a>(ctx: &'a Context, name: &[u8], index: i64) -> Value<'a> {
    if let (Some(left), HeaderId::MaxForwards) = (ctx.max_forwards, HeaderId::of(name))
        && ctx.msg.header(HeaderId::MaxForwards).is_some()
    {
        return Value::owned(left.to_string().into_bytes());
    }
    let mut found = ctx.msg.find(name);
    let header = match usize::try_from(index) {
        Ok(n) => found.nth(n),
        Err(_) => {
            let all: Vec<_> = found.collect();
            usize::try_from(index.unsigned_abs())
                .ok()
                .and_then(|n| all.len().checked_sub(n))
                .map(|n| all[n])
        }
    };
    Value::opt(header.map(|h| ctx.msg.get(h.value)))
}

/// `KSR.hdr.gete_idx`.
#[must_use]
pub fn gete_idx<'a>(ctx: &'a Context, name: &[u8], index: i64) -> Value<'a> {
    super::kx::e(get_idx(ctx, name, index))
}

/// `KSR.hdr.getw_idx`.
#[must_use]
pub fn getw_idx<'a>(ctx: &'a Context, name: &[u8], index: i64) -> Value<'a> {
    super::kx::w(get_idx(ctx, name, index))
}

/// `KSR.hdr.is_present`: 1 or -1.
#[must_use]
pub fn is_present(ctx: &Context, name: &[u8]) -> i32 {
    code(ctx.msg.find(name).next().is_some())
}

/// `KSR.hdr.append`: after the last header field.
pub fn append(ctx: &mut Context, line: &[u8]) -> i32 {
    with_lines(ctx, line, |ctx, lines| ctx.edits.append_header(lines))
}

/// `KSR.hdr.insert`: before the first header field.
pub fn insert(ctx: &mut Context, line: &[u8]) -> i32 {
    with_lines(ctx, line, |ctx, lines| {
        let start = ctx.msg.first_line().end;
        ctx.edits.insert_at(start, lines);
    })
}

/// `KSR.hdr.append_after`: after the first header field of that name, or the last of all.
pub fn append_after(ctx: &mut Context, line: &[u8], name: &[u8]) -> i32 {
    let at = ctx.msg.find(name).next().map(|h| h.full.end);
    with_lines(ctx, line, |ctx, lines| match at {
        Some(at) => ctx.edits.insert_at(at, lines),
        None => ctx.edits.append_header(lines),
    })
}

/// `KSR.hdr.insert_before`: before the first header field of that name, or the first of all.
pub fn insert_before(ctx: &mut Context, line: &[u8], name: &[u8]) -> i32 {
    let at = ctx.msg.find(name).next().map(|h| h.full.start);
    with_lines(ctx, line, |ctx, lines| {
        let start = at.unwrap_or_else(|| ctx.msg.first_line().end);
        ctx.edits.insert_at(start, lines);
    })
}

/// `KSR.hdr.remove`: all header fields of that name; no error when there is none.
pub fn remove(ctx: &mut Context, name: &[u8]) -> i32 {
    remove_where(ctx, |ctx, h| matches(ctx, h, name));
    1
}

/// `KSR.hdr.rmappend`: [`remove`] and [`append`].
pub fn rmappend(ctx: &mut Context, name: &[u8], line: &[u8]) -> i32 {
    remove(ctx, name);
    append(ctx, line)
}

/// `KSR.hdr.rminsert`: [`remove`] and [`insert`].
pub fn rminsert(ctx: &mut Context, name: &[u8], line: &[u8]) -> i32 {
    remove(ctx, name);
    insert(ctx, line)
}

/// `KSR.hdr.append_to_reply`: for responses that are made here.
pub fn append_to_reply(ctx: &mut Context, line: &[u8]) -> i32 {
    with_lines(ctx, line, |ctx, lines| {
        ctx.reply_headers.extend_from_slice(&lines);
    })
}

/// `KSR.hdr.match_content`: whether the value compares to `text`. `op`: `eq` equal, `ne`
/// not equal, `sw` starts with, `in` contains. `mode`: `f` first, `l` last, `a` all
/// header fields of that name.
pub fn match_content(ctx: &mut Context, name: &[u8], op: &[u8], text: &[u8], mode: &[u8]) -> bool {
    let compare: fn(&[u8], &[u8]) -> bool = match op {
        b"eq" => |a, b| a == b,
        b"ne" => |a, b| a != b,
        b"sw" => |a, b| a.starts_with(b),
        b"in" => |a, b| memchr::memmem::find(a, b).is_some(),
        _ => {
            ctx.complain("match_content: operator is not eq, ne, sw or in");
            return false;
        }
    };
    let mut values = ctx.msg.find(name).map(|h| ctx.msg.get(h.value)).peekable();
    if values.peek().is_none() {
        return false;
    }
    match mode.first() {
        Some(b'a') => values.all(|v| compare(v, text)),
        Some(b'l') => values.last().is_some_and(|v| compare(v, text)),
        _ => values.next().is_some_and(|v| compare(v, text)),
    }
}

/// Whether a header field has that name, compact forms included.
pub(super) fn matches(ctx: &Context, header: &Header, name: &[u8]) -> bool {
    match HeaderId::of(name) {
        HeaderId::Other => ctx.msg.get(header.name).eq_ignore_ascii_case(name),
        id => header.id == id,
    }
}

/// Removes header fields; how many.
pub(super) fn remove_where(ctx: &mut Context, which: impl Fn(&Context, &Header) -> bool) -> usize {
    let spans: Vec<Span> = ctx
        .msg
        .headers()
        .iter()
        .filter(|h| which(ctx, h))
        .map(|h| h.full)
        .collect();
    for span in &spans {
        remove_field(ctx, *span);
    }
    spans.len()
}

/// Removes a whole header field with all that was changed in it.
pub(super) fn remove_field(ctx: &mut Context, full: Span) {
    ctx.edits.overwrite(full, Vec::new());
}

/// Whether the header field around `span` is still there, so that editing it makes sense.
pub(super) fn is_alive(ctx: &Context, span: Span) -> bool {
    let around = ctx.msg.headers().iter().find(|h| h.full.contains(span));
    around.is_none_or(|h| !ctx.edits.removed(h.full))
}

/// Puts text in the place of a part of a header field that is still there.
pub(super) fn change(ctx: &mut Context, span: Span, text: impl Into<Vec<u8>>) {
    if is_alive(ctx, span) {
        ctx.edits.overwrite(span, text);
    }
}

fn with_lines(ctx: &mut Context, text: &[u8], act: impl FnOnce(&mut Context, Vec<u8>)) -> i32 {
    match header_lines(text) {
        Some(lines) => {
            act(ctx, lines);
            1
        }
        None => {
            ctx.complain(format!(
                "not a header line: {:?}",
                String::from_utf8_lossy(text)
            ));
            -1
        }
    }
}

/// Header lines with their CRLFs. `None` when a line has no name, an empty line would
/// end the header, or there is a control character in it.
pub(super) fn header_lines(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() + 2);
    for (i, line) in text.split(|c| *c == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let folded = i > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        if line.iter().any(|c| *c < b' ' && *c != b'\t') || !(folded || has_name(line)) {
            return None;
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    Some(out)
}

/// Whether a line begins with a token and a colon (RFC 3261 section 25.1).
fn has_name(line: &[u8]) -> bool {
    memchr::memchr(b':', line).is_some_and(|colon| is_token(line[..colon].trim_ascii_end()))
}

/// A `token` of RFC 3261 section 25.1.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(c))
}
