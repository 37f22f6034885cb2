//! Module textopsx: values of lists in header fields, iterators, applying edits at once.

use std::sync::Arc;

use crate::header::Header;
use crate::message::Message;
use crate::types::Span;

use super::addresses::Addresses;
use super::context::{Context, Value};
use super::corex::code;
use super::hdr::{header_lines, is_token, matches, remove_field, remove_where};
use super::pv::at;
use super::regexes::regex;
use super::{forward, iterators};

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

/// A header field and one of its comma separated values: `Name`, `Name[1]`, `Name[*]`.
struct Target<'a> {
    name: &'a [u8],
    index: Option<i32>,
}

impl<'a> Target<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (name, index) = match text.strip_suffix(b"]") {
            Some(open) => {
                let bracket = memchr::memchr(b'[', open)?;
                let index = match &open[bracket + 1..] {
                    b"*" => None,
                    digits => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
                };
                (&open[..bracket], index)
            }
            None => (text, None),
        };
        is_token(name).then_some(Self { name, index })
    }
}

/// A value and the header field, not removed yet, that it is in, with its position among that field's.
struct Item {
    header: Header,
    span: Span,
    /// Values of the header field.
    siblings: Vec<Span>,
}

fn items(ctx: &Context, name: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    for header in ctx.msg.find(name).filter(|h| !ctx.edits.removed(h.full)) {
        let siblings = split_values(&ctx.msg, header.value);
        for span in &siblings {
            items.push(Item {
                header: *header,
                span: *span,
                siblings: siblings.clone(),
            });
        }
    }
    items
}

/// Comma separated values, quotes and angle brackets kept together.
fn split_values(msg: &Message, value: Span) -> Vec<Span> {
    let text = msg.get(value);
    let mut spans = Vec::new();
    let (mut start, mut quoted, mut angle) = (0, false, false);
    let mut push = |from: usize, to: usize| {
        let part = &text[from..to];
        let lead = part.len() - part.trim_ascii_start().len();
        let len = part.trim_ascii().len();
        let begin = value.start + u32::try_from(from + lead).unwrap_or(0);
        spans.push(Span::new(begin, begin + u32::try_from(len).unwrap_or(0)));
    };
    for (i, c) in text.iter().enumerate() {
        match c {
            b'"' if i == 0 || text[i - 1] != b'\\' => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            b',' if !quoted && !angle => {
                push(start, i);
                start = i + 1;
            }
            _ => {}
        }
    }
    push(start, text.len());
    spans
}

fn target<'a>(ctx: &mut Context, text: &'a [u8]) -> Option<Target<'a>> {
    let target = Target::parse(text);
    if target.is_none() {
        ctx.complain("not a header field name with an optional index");
    }
    target
}

fn find(ctx: &Context, target: &Target<'_>) -> Option<Item> {
    let mut items = items(ctx, target.name);
    let i = at(items.len(), target.index?)?;
    Some(items.swap_remove(i))
}

/// A value that stays inside of its header field.
fn checked<'a>(ctx: &mut Context, value: &'a [u8]) -> Option<&'a [u8]> {
    if value.iter().all(|c| *c >= b' ' && *c != 0x7f) {
        return Some(value);
    }
    ctx.complain("control character in the value");
    None
}

fn line(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b": ", value, b"\r\n"].concat()
}

/// `KSR.textopsx.append_hf_value`: with an index after that value; otherwise a new
/// header field below all others.
pub fn append_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(target), Some(value)) = (target(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    match find(ctx, &target) {
        Some(item) => ctx.edits.insert_at(item.span.end, [b",", value].concat()),
        None => ctx.edits.append_header(line(target.name, value)),
    }
    1
}

/// `KSR.textopsx.insert_hf_value`: with an index before that value; otherwise a new header
/// field above the first of that name, or below all others.
pub fn insert_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(target), Some(value)) = (target(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    let first = ctx.msg.find(target.name).next().map(|h| h.full.start);
    match (find(ctx, &target), first) {
        (Some(item), _) => ctx.edits.insert_at(item.span.start, [value, b","].concat()),
        (None, Some(start)) => ctx.edits.insert_at(start, line(target.name, value)),
        (None, None) => ctx.edits.append_header(line(target.name, value)),
    }
    1
}

/// `KSR.textopsx.remove_hf_value`: the value at the index, the first without one, all
/// with `[*]`.
pub fn remove_hf_value(ctx: &mut Context, field: &[u8]) -> i32 {
    let Some(mut target) = target(ctx, field) else {
        return -1;
    };
    if field.ends_with(b"[*]") {
        return code(remove_where(ctx, |ctx, h| matches(ctx, h, target.name)) > 0);
    }
    target.index.get_or_insert(0);
    match find(ctx, &target) {
        Some(item) => {
            remove_item(ctx, &item);
            1
        }
        None => -1,
    }
}

fn remove_item(ctx: &mut Context, item: &Item) {
    let at = item
        .siblings
        .iter()
        .position(|s| *s == item.span)
        .unwrap_or(0);
    let span = match (item.siblings.len(), item.siblings.get(at + 1)) {
        (1, _) => item.header.full,
        (_, Some(next)) => Span::new(item.span.start, next.start),
        (_, None) => Span::new(item.siblings[at - 1].end, item.span.end),
    };
    if span == item.header.full {
        remove_field(ctx, span);
    } else {
        ctx.edits.overwrite(span, Vec::new());
    }
}

/// `KSR.textopsx.assign_hf_value`: another value in the place of the one at the index.
pub fn assign_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(mut target), Some(value)) = (target(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    target.index.get_or_insert(0);
    match find(ctx, &target) {
        Some(item) => {
            ctx.edits.overwrite(item.span, value);
            1
        }
        None => -1,
    }
}

/// `KSR.textopsx.hf_value_exists`: whether a list has that value, in any case.
pub fn hf_value_exists(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let Some(target) = target(ctx, field) else {
        return -1;
    };
    code(position(ctx, target.name, value).is_some())
}

fn position(ctx: &Context, name: &[u8], value: &[u8]) -> Option<Item> {
    items(ctx, name)
        .into_iter()
        .find(|i| ctx.msg.get(i.span).eq_ignore_ascii_case(value))
}

/// `KSR.textopsx.include_hf_value`: adds a value to a list unless it has it.
pub fn include_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(target), Some(value)) = (target(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    if position(ctx, target.name, value).is_some() {
        return 1;
    }
    match items(ctx, target.name).last() {
        Some(last) => ctx.edits.insert_at(last.span.end, [b",", value].concat()),
        None => ctx.edits.append_header(line(target.name, value)),
    }
    1
}

/// `KSR.textopsx.exclude_hf_value`: removes a value from a list.
pub fn exclude_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let Some(target) = target(ctx, field) else {
        return -1;
    };
    if let Some(item) = position(ctx, target.name, value) {
        remove_item(ctx, &item);
    }
    1
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

fn body_lines(ctx: &Context) -> impl Iterator<Item = &[u8]> {
    ctx.msg.body().split_inclusive(|c| *c == b'\n')
}
