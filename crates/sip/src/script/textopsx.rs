//! Module textopsx: iterators, applying edits at once; values of lists in header fields
//! are in `hf_values`.

use std::sync::Arc;

use crate::header::Header;
use crate::message::Message;
use crate::types::Span;

use super::addresses::Addresses;
use super::context::{Context, Value};
use super::corex::code;
use super::hdr::{header_lines, remove_field, remove_where};
use super::regexes::regex;
use super::{forward, iterators};

pub use super::hf_values::{
    append_hf_value, assign_hf_value, assign_hf_value2, exclude_hf_value, hf_value_exists,
    include_hf_value, insert_hf_value, remove_hf_value, remove_hf_value2,
};

/// `KSR.textopsx.msg_apply_changes`: the edits so far become part of the message that
/// the script sees. Fails after `record_route`, whose lines depend on where the message goes.
pub fn msg_apply_changes(ctx: &mut Context) -> i32 {
    if ctx.record_route.is_recorded() {
        ctx.complain("msg_apply_changes: not after record_route");
        return -1;
    }
    replace_message(ctx, forward::applied(ctx))
}

/// `KSR.textopsx.msg_set_buffer`: a whole new message in place of this one.
pub fn msg_set_buffer(ctx: &mut Context, buffer: &[u8]) -> i32 {
    replace_message(ctx, buffer.to_vec().into())
}

fn replace_message(ctx: &mut Context, bytes: bytes::Bytes) -> i32 {
    match Message::parse(bytes) {
        Ok(msg) => {
            ctx.msg = Arc::new(msg);
            ctx.edits.clear();
            ctx.addresses = Addresses::default();
            ctx.contact_aliases.clear();
            ctx.new_uri = None;
            ctx.max_forwards = None;
            ctx.reply_status = None;
            1
        }
        Err(why) => {
            ctx.complain(format!("the changed message is malformed: {why}"));
            -1
        }
    }
}

/// `KSR.textopsx.change_reply_status`: code and reason of the response that is being
/// forwarded. The class of a final response cannot change into a provisional one.
pub fn change_reply_status(ctx: &mut Context, status: i64, reason: &[u8]) -> i32 {
    if ctx.is_request() {
        ctx.complain("change_reply_status: not a response");
        return -1;
    }
    let old = ctx.msg.status();
    let valid = u16::try_from(status)
        .ok()
        .filter(|s| (100..700).contains(s));
    let Some(status) = valid.filter(|s| (*s < 200) == (old < 200) && (*s < 300) == (old < 300))
    else {
        ctx.complain("change_reply_status: not from one class to another of 1xx, 2xx, failures");
        return -1;
    };
    if reason.iter().any(|c| *c < b' ') {
        ctx.complain("change_reply_status: control character in the reason");
        return -1;
    }
    ctx.reply_status = Some((status, reason.to_vec()));
    1
}

/// `KSR.textopsx.change_reply_status_code`: the same, keeping the reason.
pub fn change_reply_status_code(ctx: &mut Context, status: i64) -> i32 {
    let reason = ctx.msg.reason().to_vec();
    change_reply_status(ctx, status, &reason)
}

/// `KSR.textopsx.remove_body`.
pub fn remove_body(ctx: &mut Context) -> i32 {
    ctx.edits.set_body(Vec::new(), None);
    1
}

/// `KSR.textopsx.keep_hf`: removes all header fields that RFC 3261 does not need.
pub fn keep_hf(ctx: &mut Context) -> i32 {
    keep(ctx, |_| false)
}

/// `KSR.textopsx.keep_hf_re`: the same, keeping those whose name matches too.
pub fn keep_hf_re(ctx: &mut Context, pattern: &[u8]) -> i32 {
    match regex(ctx, pattern) {
        Some(re) => keep(ctx, |name| re.is_match(name)),
        None => -1,
    }
}

fn keep(ctx: &mut Context, wanted: impl Fn(&[u8]) -> bool) -> i32 {
    use crate::header::HeaderId as H;
    remove_where(ctx, |ctx, h| {
        let needed = matches!(
            h.id,
            H::Via
                | H::From
                | H::To
                | H::CallId
                | H::CSeq
                | H::Contact
                | H::MaxForwards
                | H::Route
                | H::RecordRoute
                | H::ContentLength
                | H::ContentType
        );
        !needed && !wanted(ctx.msg.get(h.name))
    });
    1
}

/// `KSR.textopsx.fnmatch`: a text against a shell pattern; 0 when it matches, else -1.
#[must_use]
pub fn fnmatch(text: &[u8], pattern: &[u8]) -> i32 {
    fnmatch_ex(text, pattern, b"")
}

/// `KSR.textopsx.fnmatch_ex`: with flag `i` in any case.
#[must_use]
pub fn fnmatch_ex(text: &[u8], pattern: &[u8], flags: &[u8]) -> i32 {
    let matched = if flags.contains(&b'i') {
        glob(&text.to_ascii_lowercase(), &pattern.to_ascii_lowercase())
    } else {
        glob(text, pattern)
    };
    if matched { 0 } else { -1 }
}

/// Shell pattern with `*`, `?` and `[...]`. Linear in the text for each `*`.
fn glob(text: &[u8], pattern: &[u8]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match step(&pattern[p..], text[t]) {
            Step::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            Step::Matched(len) => {
                p += len;
                t += 1;
            }
            Step::Not => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

enum Step {
    Star,
    Matched(usize),
    Not,
}

fn step(pattern: &[u8], c: u8) -> Step {
    match pattern {
        [b'*', ..] => Step::Star,
        [b'?', ..] => Step::Matched(1),
        [b'\\', literal, ..] if *literal == c => Step::Matched(2),
        [b'[', class @ ..] => match memchr::memchr(b']', class.get(1..).unwrap_or_default()) {
            Some(end) => {
                let members = &class[..=end];
                let (negated, members) = match members {
                    [b'!' | b'^', rest @ ..] => (true, rest),
                    _ => (false, members),
                };
                if in_class(members, c) == negated {
                    Step::Not
                } else {
                    Step::Matched(end + 3)
                }
            }
            None if c == b'[' => Step::Matched(1),
            None => Step::Not,
        },
        [literal, ..] if *literal == c => Step::Matched(1),
        _ => Step::Not,
    }
}

fn in_class(members: &[u8], c: u8) -> bool {
    let mut rest = members;
    while let Some(first) = rest.first() {
        if let [low, b'-', high, ..] = rest {
            if (*low..=*high).contains(&c) {
                return true;
            }
            rest = &rest[3..];
        } else {
            if *first == c {
                return true;
            }
            rest = &rest[1..];
        }
    }
    false
}

/// `KSR.textopsx.hf_iterator_start`: an iterator over the header fields.
pub fn hf_iterator_start(ctx: &mut Context, name: &[u8]) -> i32 {
    ctx.iterators.headers.start(name);
    1
}

/// `KSR.textopsx.hf_iterator_end`.
pub fn hf_iterator_end(ctx: &mut Context, name: &[u8]) -> i32 {
    code(ctx.iterators.headers.end(name))
}

/// `KSR.textopsx.hf_iterator_next`: 1, or -1 past the last one.
pub fn hf_iterator_next(ctx: &mut Context, name: &[u8]) -> i32 {
    let count = ctx.msg.headers().len();
    step_by(ctx.iterators.headers.get_mut(name), 1, count)
}

/// `KSR.textopsx.hf_iterator_prev`: 1, or -1 before the first one.
pub fn hf_iterator_prev(ctx: &mut Context, name: &[u8]) -> i32 {
    let count = ctx.msg.headers().len();
    step_by(ctx.iterators.headers.get_mut(name), -1, count)
}

fn step_by(iterator: Option<&mut iterators::Iterator>, by: i64, count: usize) -> i32 {
    let Some(iterator) = iterator else {
        return -1;
    };
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    iterator.at = (iterator.at + by).clamp(-1, count);
    code((0..count).contains(&iterator.at))
}

fn current_header(ctx: &Context, name: &[u8]) -> Option<Header> {
    let at = ctx.iterators.headers.position(name)?;
    ctx.msg.headers().get(at).copied()
}

/// `KSR.textopsx.hf_iterator_hname`: name of the current header field.
#[must_use]
pub fn hf_iterator_hname<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    Value::opt(current_header(ctx, name).map(|h| ctx.msg.get(h.name)))
}

/// `KSR.textopsx.hf_iterator_hbody`: value of the current header field.
#[must_use]
pub fn hf_iterator_hbody<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    Value::opt(current_header(ctx, name).map(|h| ctx.msg.get(h.value)))
}

/// `KSR.textopsx.hf_iterator_rm`: removes the current header field.
pub fn hf_iterator_rm(ctx: &mut Context, name: &[u8]) -> i32 {
    match current_header(ctx, name) {
        Some(header) => {
            remove_field(ctx, header.full);
            1
        }
        None => -1,
    }
}

/// `KSR.textopsx.hf_iterator_append`: header lines after the current one.
pub fn hf_iterator_append(ctx: &mut Context, name: &[u8], text: &[u8]) -> i32 {
    insert_lines(ctx, current_header(ctx, name).map(|h| h.full.end), text)
}

/// `KSR.textopsx.hf_iterator_insert`: header lines before the current one.
pub fn hf_iterator_insert(ctx: &mut Context, name: &[u8], text: &[u8]) -> i32 {
    insert_lines(ctx, current_header(ctx, name).map(|h| h.full.start), text)
}

fn insert_lines(ctx: &mut Context, at: Option<u32>, text: &[u8]) -> i32 {
    match (at, header_lines(text)) {
        (Some(at), Some(lines)) => {
            ctx.edits.insert_at(at, lines);
            1
        }
        _ => -1,
    }
}

/// `KSR.textopsx.bl_iterator_start`: an iterator over the lines of the body.
pub fn bl_iterator_start(ctx: &mut Context, name: &[u8]) -> i32 {
    ctx.iterators.lines.start(name);
    1
}

/// `KSR.textopsx.bl_iterator_end`.
pub fn bl_iterator_end(ctx: &mut Context, name: &[u8]) -> i32 {
    code(ctx.iterators.lines.end(name))
}

/// `KSR.textopsx.bl_iterator_next`: 1, or -1 past the last one.
pub fn bl_iterator_next(ctx: &mut Context, name: &[u8]) -> i32 {
    let count = body_lines(ctx).count();
    step_by(ctx.iterators.lines.get_mut(name), 1, count)
}

/// `KSR.textopsx.bl_iterator_value`: the current line with its line end.
#[must_use]
pub fn bl_iterator_value<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    let at = ctx.iterators.lines.position(name);
    Value::opt(at.and_then(|i| body_lines(ctx).nth(i)))
}

/// `KSR.textopsx.bl_iterator_rm`: leaves the current line out.
pub fn bl_iterator_rm(ctx: &mut Context, name: &[u8]) -> i32 {
    match current_line(ctx, name) {
        Some(line) => {
            ctx.edits.overwrite(line, Vec::new());
            1
        }
        None => -1,
    }
}

/// `KSR.textopsx.bl_iterator_append`: text after the current line.
pub fn bl_iterator_append(ctx: &mut Context, name: &[u8], text: &[u8]) -> i32 {
    insert_text(ctx, current_line(ctx, name).map(|line| line.end), text)
}

/// `KSR.textopsx.bl_iterator_insert`: text before the current line.
pub fn bl_iterator_insert(ctx: &mut Context, name: &[u8], text: &[u8]) -> i32 {
    insert_text(ctx, current_line(ctx, name).map(|line| line.start), text)
}

fn insert_text(ctx: &mut Context, at: Option<u32>, text: &[u8]) -> i32 {
    at.map_or(-1, |at| {
        ctx.edits.insert_at(at, text);
        1
    })
}

/// Where the line is that an iterator stands on.
fn current_line(ctx: &Context, name: &[u8]) -> Option<Span> {
    let at = ctx.iterators.lines.position(name)?;
    let mut start = ctx.msg.body_offset();
    for (i, line) in body_lines(ctx).enumerate() {
        let end = start + line.len();
        if i == at {
            return Some(Span::new(
                u32::try_from(start).ok()?,
                u32::try_from(end).ok()?,
            ));
        }
        start = end;
    }
    None
}

fn body_lines(ctx: &Context) -> impl Iterator<Item = &[u8]> {
    ctx.msg.body().split_inclusive(|c| *c == b'\n')
}
