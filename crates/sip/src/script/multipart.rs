//! Bodies of several parts (RFC 2046 section 5.1), for module textops.
//!
//! Parts are those of the message that the script sees: what is put together here is in it
//! after `msg_apply_changes`.

use crate::header::HeaderId;
use crate::params::{Params, unquote};
use crate::types::Span;

use super::context::Context;
use super::hdr::header_lines;
use super::pvx::assign;
use super::textops::is_media;

/// What separates parts unless the script says otherwise.
const BOUNDARY: &[u8] = b"unique-boundary-1";
/// Longest boundary (RFC 2046 section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// `KSR.textops.set_body_multipart` and its kin: a body of one part, the text or, for an empty
/// one, the body that is there. An empty boundary stands for [`BOUNDARY`].
pub fn set_body_multipart(ctx: &mut Context, text: &[u8], media: &[u8], boundary: &[u8]) -> i32 {
    let boundary = if boundary.is_empty() {
        BOUNDARY
    } else {
        boundary
    };
    let (text, media) = if text.is_empty() {
        let media = ctx.msg.value(HeaderId::ContentType).unwrap_or_default();
        (ctx.msg.body().to_vec(), media.to_vec())
    } else {
        (text.to_vec(), media.to_vec())
    };
    if text.is_empty() || !is_media(&media) || !is_boundary(boundary) {
        ctx.complain("no body, no media type, or a boundary that RFC 2046 does not allow");
        return -1;
    }
    let body = [
        &b"--"[..],
        boundary,
        b"\r\nContent-Type: ",
        &media,
        b"\r\n\r\n",
        &text,
        b"\r\n--",
        boundary,
        b"--\r\n",
    ];
    let of_parts = [b"multipart/mixed;boundary=\"", boundary, b"\""].concat();
    ctx.edits.set_body(body.concat(), Some(&of_parts));
    if ctx.msg.find(b"Mime-Version").next().is_none() {
        ctx.edits.append_header(&b"Mime-Version: 1.0\r\n"[..]);
    }
    1
}

/// `bcharsnospace` of RFC 2046 section 5.1.1, with blanks inside.
fn is_boundary(text: &[u8]) -> bool {
    let good = |c: &u8| c.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(c);
    text.len() <= MAX_BOUNDARY && text.iter().all(good) && !text.ends_with(b" ")
}

/// `KSR.textops.append_body_part`: one more part at the end; the media type may be followed by
/// further header lines. An empty disposition is left out.
pub fn append_body_part(ctx: &mut Context, text: &[u8], media: &[u8], disposition: &[u8]) -> i32 {
    let Some(parts) = parts(ctx) else {
        ctx.complain("the body is not of several parts");
        return -1;
    };
    let mut lines = [b"Content-Type: ", media].concat();
    if !disposition.is_empty() {
        lines.extend_from_slice(b"\r\nContent-Disposition: ");
        lines.extend_from_slice(disposition);
    }
    let (Some(lines), false) = (header_lines(&lines), media.is_empty()) else {
        ctx.complain("not a media type with header lines");
        return -1;
    };
    let delimiter = [&b"--"[..], &parts.boundary].concat();
    let part = [&delimiter, &b"\r\n"[..], &lines, b"\r\n", text, b"\r\n"].concat();
    match parts.close {
        Some(close) => ctx.edits.insert_at(close, part),
        None => {
            let end = ctx.msg.bytes().len();
            let whole = [b"\r\n", &part[..], &delimiter, b"--\r\n"].concat();
            ctx.edits
                .insert_at(u32::try_from(end).unwrap_or(u32::MAX), whole);
        }
    }
    1
}

/// `KSR.textops.get_body_part`: the content of the first part of that media type, from the empty
/// line before it to the boundary behind it as in Kamailio, into a variable; all of a body that
/// is not of several parts. -1 when there is none.
pub fn get_body_part(ctx: &mut Context, media: &[u8], target: &[u8]) -> i32 {
    store(ctx, media, target, |part| Span::new(part.blank, part.end))
}

/// `KSR.textops.get_body_part_raw`: the same with the part's header lines and the boundary.
pub fn get_body_part_raw(ctx: &mut Context, media: &[u8], target: &[u8]) -> i32 {
    store(ctx, media, target, |part| {
        Span::new(part.headers, part.after)
    })
}

fn store(ctx: &mut Context, media: &[u8], target: &[u8], what: fn(&Part) -> Span) -> i32 {
    let found = if is_of_parts(ctx) {
        part(ctx, media).map(|part| ctx.msg.get(what(&part)).to_vec())
    } else {
        let ours = ctx.msg.value(HeaderId::ContentType);
        let is_it = ours.is_some_and(|ours| same_media(ours, media));
        (is_it && !ctx.msg.body().is_empty()).then(|| ctx.msg.body().to_vec())
    };
    match found {
        Some(text) => assign(ctx, target, text),
        None => -1,
    }
}

/// `KSR.textops.remove_body_part`: leaves out the first part of that media type.
pub fn remove_body_part(ctx: &mut Context, media: &[u8]) -> i32 {
    let Some(part) = part(ctx, media) else {
        return -1;
    };
    ctx.edits
        .overwrite(Span::new(part.start, part.end), Vec::new());
    1
}

/// `KSR.textops.filter_body`: the content of the first part of that media type becomes the body.
/// The script sets Content-Type.
pub fn filter_body(ctx: &mut Context, media: &[u8]) -> i32 {
    let Some(part) = part(ctx, media) else {
        return -1;
    };
    let content = ctx.msg.get(Span::new(part.blank, part.end));
    let content = content.strip_prefix(b"\r\n").unwrap_or(content);
    let content = content.strip_suffix(b"\r\n").unwrap_or(content).to_vec();
    ctx.edits.set_body(content, None);
    1
}

/// One part: where what begins, within the message.
struct Part {
    /// The boundary before it.
    start: u32,
    /// Its first header line.
    headers: u32,
    /// The empty line behind them.
    blank: u32,
    /// The boundary behind it.
    end: u32,
    /// The line behind that boundary.
    after: u32,
}

struct Parts {
    boundary: Vec<u8>,
    list: Vec<Part>,
    /// The boundary that ends the last part.
    close: Option<u32>,
}

fn is_of_parts(ctx: &Context) -> bool {
    let media = ctx.msg.value(HeaderId::ContentType).unwrap_or_default();
    media
        .get(..10)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
}

/// The parts of the body; `None` when it is not of several, or is replaced.
fn parts(ctx: &Context) -> Option<Parts> {
    let media = ctx.msg.value(HeaderId::ContentType)?;
    if !is_of_parts(ctx) || ctx.edits.body().is_some() {
        return None;
    }
    let params = &media[memchr::memchr(b';', media)?..];
    let boundary = unquote(Params::new(params).get(b"boundary")?);
    let delimiter = [&b"--"[..], &boundary].concat();
    let (body, offset) = (ctx.msg.body(), ctx.msg.body_offset());
    let at = |n: usize| u32::try_from(offset + n).unwrap_or(u32::MAX);
    let mut lines = Vec::new();
    for start in memchr::memmem::find_iter(body, &delimiter) {
        let rest = &body[start + delimiter.len()..];
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        let tail = rest[..end].trim_ascii();
        let closes = tail == b"--" || body[start..].trim_ascii_end() == delimiter;
        if (start == 0 || body[start - 1] == b'\n') && (closes || tail.is_empty()) {
            lines.push((start, start + delimiter.len() + end, closes));
        }
        if closes {
            break;
        }
    }
    let close = lines.last().filter(|line| line.2).map(|line| at(line.0));
    if close.is_none() && !lines.is_empty() {
        // The last part runs to the end of the body.
        lines.push((body.len(), body.len(), false));
    }
    let list = lines.windows(2).map(|pair| Part {
        start: at(pair[0].0),
        headers: at(pair[0].1),
        blank: at(pair[0].1 + head_len(&body[pair[0].1..pair[1].0])),
        end: at(pair[1].0),
        after: at(pair[1].1),
    });
    Some(Parts {
        boundary,
        list: list.collect(),
        close,
    })
}

/// Length of the header lines of a part.
fn head_len(part: &[u8]) -> usize {
    if part.starts_with(b"\r\n") || part.starts_with(b"\n") {
        return 0;
    }
    memchr::memmem::find(part, b"\r\n\r\n").map_or(part.len(), |n| n + 2)
}

/// The first part of that media type. A part without Content-Type is text/plain.
fn part(ctx: &Context, media: &[u8]) -> Option<Part> {
    parts(ctx)?.list.into_iter().find(|part| {
        let head = ctx.msg.get(Span::new(part.headers, part.blank));
        let ours = head.split(|c| *c == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let name = HeaderId::of(line[..colon].trim_ascii());
            (name == HeaderId::ContentType).then(|| &line[colon + 1..])
        });
        same_media(ours.unwrap_or(b"text/plain"), media)
    })
}

/// Whether two media types are the same but for their parameters.
fn same_media(a: &[u8], b: &[u8]) -> bool {
    let plain = |text: &[u8]| {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        text[..end].trim_ascii().to_ascii_lowercase()
    };
    plain(a) == plain(b)
}
