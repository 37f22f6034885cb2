//! Module textops: text of header fields and body.
//!
//! Searching looks at the message as received; edits show when it leaves. Regular
//! expressions match in any case, as Kamailio compiles them.

use crate::header::HeaderId;
use crate::types::Span;

use super::context::Context;
use super::corex::code;
use super::hdr;
use super::regexes::{Substitution, regex};
use super::ruri;

pub use super::multipart::{
    append_body_part, filter_body, get_body_part, get_body_part_raw, remove_body_part,
    set_body_multipart,
};

/// `KSR.textops.remove_hf`: all header fields of that name; no error when there is none.
pub fn remove_hf(ctx: &mut Context, name: &[u8]) -> i32 {
    hdr::remove(ctx, name)
}

/// `KSR.textops.remove_hf_idx`: the header field at `index` of those of that name;
/// negative counts from the end.
pub fn remove_hf_idx(ctx: &mut Context, name: &[u8], index: i64) -> i32 {
    let spans: Vec<Span> = ctx.msg.find(name).map(|h| h.full).collect();
    let at = i32::try_from(index)
        .ok()
        .and_then(|i| super::pv::at(spans.len(), i));
    match at {
        Some(i) => {
            hdr::remove_field(ctx, spans[i]);
            1
        }
        None => -1,
    }
}

/// `KSR.textops.remove_hf_re`: all header fields whose name matches. -1 when none does.
pub fn remove_hf_re(ctx: &mut Context, pattern: &[u8]) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    let removed = hdr::remove_where(ctx, |ctx, h| re.is_match(ctx.msg.get(h.name)));
    code(removed > 0)
}

/// `KSR.textops.remove_hf_exp`: header fields whose name matches `remove` but not `keep`.
pub fn remove_hf_exp(ctx: &mut Context, remove: &[u8], keep: &[u8]) -> i32 {
    let (Some(remove), Some(keep)) = (regex(ctx, remove), regex(ctx, keep)) else {
        return -1;
    };
    let removed = hdr::remove_where(ctx, |ctx, h| {
        let name = ctx.msg.get(h.name);
        remove.is_match(name) && !keep.is_match(name)
    });
    code(removed > 0)
}

/// `KSR.textops.remove_hf_match`: header fields of that name whose value compares to
/// `text` by `op` (`eq`, `ne`, `sw`, `in`, `re`).
pub fn remove_hf_match(ctx: &mut Context, name: &[u8], op: &[u8], text: &[u8]) -> i32 {
    let pattern = match op {
        b"re" => match regex(ctx, text) {
            Some(re) => Some(re),
            None => return -1,
        },
        b"eq" | b"ne" | b"sw" | b"in" => None,
        _ => return -1,
    };
    let removed = hdr::remove_where(ctx, |ctx, h| {
        let value = ctx.msg.get(h.value);
        hdr::matches(ctx, h, name)
            && match op {
                b"eq" => value == text,
                b"ne" => value != text,
                b"sw" => value.starts_with(text),
                b"in" => memchr::memmem::find(value, text).is_some(),
                _ => pattern.as_ref().is_some_and(|re| re.is_match(value)),
            }
    });
    code(removed > 0)
}

/// `KSR.textops.is_present_hf`.
#[must_use]
pub fn is_present_hf(ctx: &Context, name: &[u8]) -> i32 {
    hdr::is_present(ctx, name)
}

/// `KSR.textops.is_present_hf_re`: whether the name of a header field matches.
pub fn is_present_hf_re(ctx: &mut Context, pattern: &[u8]) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    let msg = &ctx.msg;
    code(msg.headers().iter().any(|h| re.is_match(msg.get(h.name))))
}

/// `KSR.textops.has_body`.
#[must_use]
pub fn has_body(ctx: &Context) -> i32 {
    code(!ctx.msg.body().is_empty())
}

/// `KSR.textops.has_body_type`: whether there is a body of that media type, without
/// regard to case and parameters.
#[must_use]
pub fn has_body_type(ctx: &Context, media: &[u8]) -> i32 {
    let ours = ctx.msg.value(HeaderId::ContentType).unwrap_or_default();
    let ours = ours.split(|c| *c == b';').next().unwrap_or_default();
    code(!ctx.msg.body().is_empty() && ours.trim_ascii().eq_ignore_ascii_case(media))
}

/// `KSR.textops.search`: anywhere in the message.
pub fn search(ctx: &mut Context, pattern: &[u8]) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    code(re.is_match(ctx.msg.bytes()))
}

/// `KSR.textops.search_str`: in a text of the script.
pub fn search_str(ctx: &mut Context, text: &[u8], pattern: &[u8]) -> i32 {
    regex(ctx, pattern).map_or(-1, |re| code(re.is_match(text)))
}

/// `KSR.textops.search_body`: in the body.
pub fn search_body(ctx: &mut Context, pattern: &[u8]) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    code(re.is_match(ctx.msg.body()))
}

/// `KSR.textops.search_hf`: in values of header fields of that name; `flags` `f` the
/// first, `l` the last, otherwise any.
pub fn search_hf(ctx: &mut Context, name: &[u8], pattern: &[u8], flags: &[u8]) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    let mut values = ctx.msg.find(name).map(|h| ctx.msg.get(h.value));
    let found = match flags.first().map(u8::to_ascii_lowercase) {
        Some(b'f') => values.next().is_some_and(|v| re.is_match(v)),
        Some(b'l') => values.last().is_some_and(|v| re.is_match(v)),
        _ => values.any(|v| re.is_match(v)),
    };
    code(found)
}

/// Which part of the message an edit by text concerns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Everything after the first line.
    Message,
    Headers,
    Body,
}

fn part(ctx: &Context, part: Part) -> (usize, usize) {
    let msg = &ctx.msg;
    let headers = msg.first_line().end as usize;
    match part {
        Part::Message => (headers, msg.bytes().len()),
        Part::Headers => (headers, msg.headers_end()),
        Part::Body => (msg.body_offset(), msg.bytes().len()),
    }
}

/// Edits what lies between `start` and `end`, besides earlier edits elsewhere.
fn edit(ctx: &mut Context, (start, end): (usize, usize), text: &[u8]) {
    let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let span = Span::new(offset(start), offset(end));
    if start >= ctx.msg.body_offset() {
        ctx.edits.overwrite(span, text);
    } else {
        hdr::change(ctx, span, text);
    }
}

fn edit_matches(
    ctx: &mut Context,
    pattern: &[u8],
    at: Part,
    most: usize,
    new: impl Fn(&[u8]) -> Vec<u8>,
) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    let (start, end) = part(ctx, at);
    let msg = std::sync::Arc::clone(&ctx.msg);
    let text = &msg.bytes()[start..end];
    let found: Vec<_> = re.find_iter(text).take(most).map(|m| m.range()).collect();
    for range in &found {
        let replacement = new(&text[range.clone()]);
        let range = (start + range.start, start + range.end);
        edit(ctx, range, &replacement);
    }
    code(!found.is_empty())
}

/// `KSR.textops.replace`: the first match after the first line.
pub fn replace(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    edit_matches(ctx, pattern, Part::Message, 1, |_| text.to_vec())
}

/// `KSR.textops.replace_all`: every match in header fields, and in the body.
pub fn replace_all(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    let headers = edit_matches(ctx, pattern, Part::Headers, usize::MAX, |_| text.to_vec());
    let body = edit_matches(ctx, pattern, Part::Body, usize::MAX, |_| text.to_vec());
    headers.max(body)
}

/// `KSR.textops.replace_hdrs`: every match in the header fields.
pub fn replace_hdrs(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    edit_matches(ctx, pattern, Part::Headers, usize::MAX, |_| text.to_vec())
}

/// `KSR.textops.replace_body`: the first match in the body.
pub fn replace_body(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    edit_matches(ctx, pattern, Part::Body, 1, |_| text.to_vec())
}

/// `KSR.textops.replace_body_all`, `replace_body_atonce`: every match in the body.
pub fn replace_body_all(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    edit_matches(ctx, pattern, Part::Body, usize::MAX, |_| text.to_vec())
}

/// `KSR.textops.replace_str`: as [`replace`] with a plain text; mode `a` for all.
pub fn replace_str(ctx: &mut Context, find: &[u8], text: &[u8], mode: &[u8]) -> i32 {
    let pattern = exact(find);
    if mode.first() == Some(&b'a') {
        replace_all(ctx, &pattern, text)
    } else {
        replace(ctx, &pattern, text)
    }
}

/// `KSR.textops.replace_hdrs_str`.
pub fn replace_hdrs_str(ctx: &mut Context, find: &[u8], text: &[u8], mode: &[u8]) -> i32 {
    let most = if mode.first() == Some(&b'a') {
        usize::MAX
    } else {
        1
    };
    edit_matches(ctx, &exact(find), Part::Headers, most, |_| text.to_vec())
}

/// `KSR.textops.replace_body_str`.
pub fn replace_body_str(ctx: &mut Context, find: &[u8], text: &[u8], mode: &[u8]) -> i32 {
    let most = if mode.first() == Some(&b'a') {
        usize::MAX
    } else {
        1
    };
    edit_matches(ctx, &exact(find), Part::Body, most, |_| text.to_vec())
}

/// A pattern that matches this text only, case included.
fn exact(text: &[u8]) -> Vec<u8> {
    format!("(?-i){}", regex::escape(&String::from_utf8_lossy(text))).into_bytes()
}

/// `KSR.textops.search_append`: puts text after the first match in the message.
pub fn search_append(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    edit_matches(ctx, pattern, Part::Message, 1, |found| {
        [found, text].concat()
    })
}

/// `KSR.textops.search_append_body`: puts text after the first match in the body.
pub fn search_append_body(ctx: &mut Context, pattern: &[u8], text: &[u8]) -> i32 {
    edit_matches(ctx, pattern, Part::Body, 1, |found| [found, text].concat())
}

fn substitution(ctx: &mut Context, expression: &[u8]) -> Option<Substitution> {
    Substitution::parse(expression)
        .map_err(|why| ctx.complain(why))
        .ok()
}

/// `KSR.textops.subst`: `/re/text/flags` on the header fields.
pub fn subst(ctx: &mut Context, expression: &[u8]) -> i32 {
    subst_in(ctx, Part::Headers, expression)
}

/// `KSR.textops.subst_body`: `/re/text/flags` on the body.
pub fn subst_body(ctx: &mut Context, expression: &[u8]) -> i32 {
    subst_in(ctx, Part::Body, expression)
}

fn subst_in(ctx: &mut Context, at: Part, expression: &[u8]) -> i32 {
    let Some(subst) = substitution(ctx, expression) else {
        return -1;
    };
    let (start, end) = part(ctx, at);
    let found = subst.matches(ctx, &ctx.msg.bytes()[start..end]);
    for (range, new) in &found {
        edit(ctx, (start + range.start, start + range.end), new);
    }
    code(!found.is_empty())
}

/// `KSR.textops.subst_hf`: `/re/text/flags` on values of header fields of that name;
/// `flags` `a` all, `f` the first, `l` the last.
pub fn subst_hf(ctx: &mut Context, name: &[u8], expression: &[u8], flags: &[u8]) -> i32 {
    let Some(subst) = substitution(ctx, expression) else {
        return -1;
    };
    let msg = std::sync::Arc::clone(&ctx.msg);
    let mut headers: Vec<_> = msg.find(name).collect();
    match flags.first().map(u8::to_ascii_lowercase) {
        Some(b'f') => headers.truncate(1),
        Some(b'l') => headers = headers.split_off(headers.len().saturating_sub(1)),
        _ => {}
    }
    let mut changed = false;
    for header in headers {
        if let Some(new) = subst.apply(ctx, msg.get(header.value)) {
            hdr::change(ctx, header.value, new);
            changed = true;
        }
    }
    code(changed)
}

/// `KSR.textops.subst_uri`: `/re/text/flags` on the request-URI in force.
pub fn subst_uri(ctx: &mut Context, expression: &[u8]) -> i32 {
    let Some(subst) = substitution(ctx, expression) else {
        return -1;
    };
    match subst.apply(ctx, ctx.uri()) {
        Some(new) => code(ruri::seturi(ctx, &new)),
        None => -1,
    }
}

/// `KSR.textops.subst_user`: `/re/text/flags` on its user part.
pub fn subst_user(ctx: &mut Context, expression: &[u8]) -> i32 {
    let Some(subst) = substitution(ctx, expression) else {
        return -1;
    };
    let user = crate::uri::Uri::parse(ctx.uri())
        .ok()
        .and_then(|u| u.user)
        .unwrap_or_default();
    match subst.apply(ctx, user) {
        Some(new) => code(ruri::setuser(ctx, &new)),
        None => -1,
    }
}

/// `KSR.textops.subst_v`: `/re/text/flags` on a text, the result into a variable; -1 when
/// nothing matches.
pub fn subst_v(ctx: &mut Context, text: &[u8], expression: &[u8], target: &[u8]) -> i32 {
    let Some(subst) = substitution(ctx, expression) else {
        return -1;
    };
    match subst.apply(ctx, text) {
        Some(new) => super::pvx::assign(ctx, target, new),
        None => -1,
    }
}

/// `KSR.textops.set_body`: a new body with its media type.
pub fn set_body(ctx: &mut Context, body: &[u8], media: &[u8]) -> i32 {
    if body.is_empty() || !is_media(media) {
        ctx.complain("set_body: empty body, or not a media type");
        return -1;
    }
    ctx.edits.set_body(body.to_vec(), Some(media));
    1
}

/// `KSR.textops.set_body_hex`: a new body from pairs of hexadecimal digits.
pub fn set_body_hex(ctx: &mut Context, digits: &[u8], media: &[u8]) -> i32 {
    match decoded(ctx, digits) {
        Some(body) => set_body(ctx, &body, media),
        None => -1,
    }
}

/// `KSR.textops.set_reply_body_hex`: the same of responses that are made here.
pub fn set_reply_body_hex(ctx: &mut Context, digits: &[u8], media: &[u8]) -> i32 {
    match decoded(ctx, digits) {
        Some(body) => set_reply_body(ctx, &body, media),
        None => -1,
    }
}

/// `KSR.textops.append_body_part_hex`: [`append_body_part`] from pairs of hexadecimal digits.
pub fn append_body_part_hex(
    ctx: &mut Context,
    digits: &[u8],
    media: &[u8],
    disposition: &[u8],
) -> i32 {
    match decoded(ctx, digits) {
        Some(text) => append_body_part(ctx, &text, media, disposition),
        None => -1,
    }
}

/// Bytes written as pairs of hexadecimal digits, with blanks between the pairs.
fn decoded(ctx: &mut Context, digits: &[u8]) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        let digit = |c: u8| char::from(c).to_digit(16);
        u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
    };
    let words = digits.split(u8::is_ascii_whitespace);
    let bytes: Option<Vec<u8>> = words.flat_map(|word| word.chunks(2)).map(pair).collect();
    if bytes.is_none() {
        ctx.complain("not pairs of hexadecimal digits");
    }
    bytes
}

/// `KSR.textops.regex_substring`: group `index` of the first match, 0 for all of it, into a
/// variable. -2 when the text does not match, -1 when the group is none of the first `count` or
/// took no part in the match.
pub fn regex_substring(
    ctx: &mut Context,
    text: &[u8],
    pattern: &[u8],
    (index, count): (i64, i64),
    target: &[u8],
) -> i32 {
    let Some(re) = regex(ctx, pattern) else {
        return -1;
    };
    let Some(found) = re.captures(text) else {
        return -2;
    };
    let group = usize::try_from(index).ok().filter(|_| index < count);
    match group.and_then(|index| found.get(index)) {
        Some(group) => super::pvx::assign(ctx, target, group.as_bytes().to_vec()),
        None => -1,
    }
}

/// `KSR.textops.set_reply_body`: body of responses that are made here.
pub fn set_reply_body(ctx: &mut Context, body: &[u8], media: &[u8]) -> i32 {
    if !is_media(media) {
        ctx.complain("set_reply_body: not a media type");
        return -1;
    }
    ctx.reply_body = Some((body.to_vec(), media.to_vec()));
    1
}

pub(super) fn is_media(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|c| *c >= b' ' && *c != 0x7f)
}

/// `KSR.textops.is_privacy`: whether Privacy names that service (RFC 3323).
#[must_use]
pub fn is_privacy(ctx: &Context, service: &[u8]) -> i32 {
    let value = ctx.msg.value(HeaderId::Privacy).unwrap_or_default();
    code(
        value
            .split(|c| *c == b';')
            .any(|s| s.trim_ascii().eq_ignore_ascii_case(service)),
    )
}

/// `KSR.textops.is_audio_on_hold`: an audio stream that is not to be sent, or to nowhere
/// (RFC 3264 section 8.4).
#[must_use]
pub fn is_audio_on_hold(ctx: &Context) -> i32 {
    let mut audio = false;
    let mut held = false;
    for line in ctx
        .msg
        .body()
        .split(|c| *c == b'\n')
        .map(<[u8]>::trim_ascii)
    {
        if line.starts_with(b"m=") {
            audio = line.starts_with(b"m=audio");
        } else if audio || line.starts_with(b"c=") {
            held |= matches!(line, b"a=sendonly" | b"a=inactive" | b"c=IN IP4 0.0.0.0");
        }
    }
    code(held)
}

/// `KSR.textops.cmp_str`: 1 when equal.
#[must_use]
pub fn cmp_str(a: &[u8], b: &[u8]) -> i32 {
    code(a == b)
}

/// `KSR.textops.cmp_istr`: 1 when equal in any case.
#[must_use]
pub fn cmp_istr(a: &[u8], b: &[u8]) -> i32 {
    code(a.eq_ignore_ascii_case(b))
}

/// `KSR.textops.starts_with`: 1 or, as in Kamailio, -2.
#[must_use]
pub fn starts_with(text: &[u8], prefix: &[u8]) -> i32 {
    if text.starts_with(prefix) { 1 } else { -2 }
}

/// `KSR.textops.ends_with`: 1 or -2.
#[must_use]
pub fn ends_with(text: &[u8], suffix: &[u8]) -> i32 {
    if text.ends_with(suffix) { 1 } else { -2 }
}

/// `KSR.textops.in_list`: whether a text is one of a list's.
#[must_use]
pub fn in_list(text: &[u8], list: &[u8], separator: &[u8]) -> i32 {
    code(items(list, separator).any(|item| item == text))
}

/// `KSR.textops.in_list_prefix`: whether a text begins with one of a list's.
#[must_use]
pub fn in_list_prefix(text: &[u8], list: &[u8], separator: &[u8]) -> i32 {
    code(items(list, separator).any(|item| !item.is_empty() && text.starts_with(item)))
}

fn items<'a>(list: &'a [u8], separator: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let separator = separator.first().copied().unwrap_or(b',');
    list.split(move |c| *c == separator).map(<[u8]>::trim_ascii)
}

/// `KSR.textops.str_find`: one past where a text is in another, or -1.
#[must_use]
pub fn str_find(text: &[u8], what: &[u8]) -> i32 {
    position(memchr::memmem::find(text, what))
}

/// `KSR.textops.str_ifind`: the same in any case.
#[must_use]
pub fn str_ifind(text: &[u8], what: &[u8]) -> i32 {
    position(memchr::memmem::find(
        &text.to_ascii_lowercase(),
        &what.to_ascii_lowercase(),
    ))
}

fn position(at: Option<usize>) -> i32 {
    at.and_then(|i| i32::try_from(i + 1).ok()).unwrap_or(-1)
}

/// `KSR.textops.str_any_in`: whether any byte of `set` is in the text.
#[must_use]
pub fn str_any_in(text: &[u8], set: &[u8]) -> i32 {
    code(text.iter().any(|c| set.contains(c)))
}

/// `KSR.textops.str_all_in`: whether all bytes of the text are of `set`.
#[must_use]
pub fn str_all_in(text: &[u8], set: &[u8]) -> i32 {
    code(text.iter().all(|c| set.contains(c)))
}
