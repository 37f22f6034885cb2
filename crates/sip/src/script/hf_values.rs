//! Values of lists in header fields, and their parameters (module textopsx).
//!
//! A value is named `Name`, `Name[2]` or `Name[-1]`, a parameter of it `Name[2].expires`, those of
//! all values `Name[*].expires`. Positions count from 1, negative ones from the end.

use crate::header::Header;
use crate::message::Message;
use crate::types::Span;

use super::context::Context;
use super::corex::code;
use super::hdr::{is_token, matches, remove_field, remove_where};

/// Which of the values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// None is named.
    Any,
    /// By its position, from 1 on; negative ones count from the end.
    At(i32),
    All,
}

struct Target<'a> {
    name: &'a [u8],
    which: Which,
    param: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr2(b'[', b'.', text).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut which = Which::Any;
        if let [b'[', inside @ ..] = rest {
            let close = memchr::memchr(b']', inside)?;
            which = match &inside[..close] {
                b"*" => Which::All,
                digits => Which::At(std::str::from_utf8(digits).ok()?.parse().ok()?),
            };
            rest = &inside[close + 1..];
        }
        let param = match rest {
            [] => None,
            [b'.', param @ ..] if is_token(param) => Some(param),
            _ => return None,
        };
        is_token(name).then_some(Self { name, which, param })
    }

    /// Index of the value of that position among `len`; `zero` is that of position 0.
    fn index(&self, len: usize, zero: usize) -> Option<usize> {
        let found = match self.which {
            Which::Any => 0,
            Which::At(0) => zero,
            Which::At(n) if n > 0 => usize::try_from(n - 1).ok()?,
            Which::At(n) => len.checked_sub(usize::try_from(n.unsigned_abs()).ok()?)?,
            Which::All => return None,
        };
        (found < len).then_some(found)
    }
}

/// A value and the header field, not removed yet, that it is in.
struct Item {
    header: Header,
    span: Span,
    /// Values of the header field.
    siblings: Vec<Span>,
}

/// How a header field is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Values with commas between them, parameters begin with a semicolon.
    List,
    /// One value, with commas between its parameters: `Digest a="b", c=d`.
    Credentials,
}

impl Form {
    const fn separator(self) -> u8 {
        match self {
            Self::List => b';',
            Self::Credentials => b',',
        }
    }
}

fn items(ctx: &Context, name: &[u8], form: Form) -> Vec<Item> {
    let mut items = Vec::new();
    for header in ctx.msg.find(name).filter(|h| !ctx.edits.removed(h.full)) {
        let siblings = match form {
            Form::List => split(&ctx.msg, header.value, b','),
            Form::Credentials => vec![header.value],
        };
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

/// The parts of a span between separators, without blanks around them; quotes and angle
/// brackets are kept together.
fn split(msg: &Message, value: Span, separator: u8) -> Vec<Span> {
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
            c if *c == separator && !quoted && !angle => {
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
        ctx.complain("not a header field name with an optional index and parameter");
    }
    target
}

/// One that a value may be put beside: not of a parameter, not of all values.
fn place<'a>(ctx: &mut Context, text: &'a [u8]) -> Option<Target<'a>> {
    let found = target(ctx, text)?;
    if found.param.is_some() || found.which == Which::All {
        ctx.complain("a parameter or [*] has no place for a value beside it");
        return None;
    }
    Some(found)
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

/// `KSR.textopsx.append_hf_value`: with an index after that value, `[0]` the last; otherwise,
/// and where there is no such value, a new header field below all others.
pub fn append_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(target), Some(value)) = (place(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    let items = items(ctx, target.name, Form::List);
    match target.index(items.len(), items.len().saturating_sub(1)) {
        Some(at) if target.which != Which::Any => {
            ctx.edits
                .insert_at(items[at].span.end, [b",", value].concat());
        }
        _ => ctx.edits.append_header(line(target.name, value)),
    }
    1
}

/// `KSR.textopsx.insert_hf_value`: with an index before that value, -1 when there are others
/// only; otherwise a new header field above the first of that name, or below all others.
pub fn insert_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(target), Some(value)) = (place(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    let items = items(ctx, target.name, Form::List);
    match (items.first(), target.index(items.len(), 0)) {
        (None, _) => ctx.edits.append_header(line(target.name, value)),
        (Some(first), _) if target.which == Which::Any => {
            let above = first.header.full.start;
            ctx.edits.insert_at(above, line(target.name, value));
        }
        (_, Some(at)) => {
            ctx.edits
                .insert_at(items[at].span.start, [value, b","].concat());
        }
        (_, None) => return -1,
    }
    1
}

/// `KSR.textopsx.remove_hf_value`: the value at the index, the first without one, all with
/// `[*]`; or the parameter of it.
pub fn remove_hf_value(ctx: &mut Context, field: &[u8]) -> i32 {
    remove(ctx, field, Form::List)
}

/// `KSR.textopsx.remove_hf_value2`: the same of header fields with credentials.
pub fn remove_hf_value2(ctx: &mut Context, field: &[u8]) -> i32 {
    remove(ctx, field, Form::Credentials)
}

fn remove(ctx: &mut Context, field: &[u8], form: Form) -> i32 {
    let Some(target) = target(ctx, field) else {
        return -1;
    };
    if let Some(param) = target.param {
        return change_params(ctx, &target, form, param, b"");
    }
    if target.which == Which::All {
        return code(remove_where(ctx, |ctx, h| matches(ctx, h, target.name)) > 0);
    }
    match chosen(ctx, &target, form).first() {
        Some(item) => {
            remove_item(ctx, item);
            1
        }
        None => -1,
    }
}

/// The values that a target names.
fn chosen(ctx: &Context, target: &Target<'_>, form: Form) -> Vec<Item> {
    let mut items = items(ctx, target.name, form);
    match target.which {
        Which::All => items,
        _ => match target.index(items.len(), 0) {
            Some(at) => vec![items.swap_remove(at)],
            None => Vec::new(),
        },
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

/// `KSR.textopsx.assign_hf_value`: another value in the place of the one at the index, or
/// another value of its parameter, which is added if need be and removed for an empty one.
pub fn assign_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    assign(ctx, field, value, Form::List)
}

/// `KSR.textopsx.assign_hf_value2`: the same of header fields with credentials.
pub fn assign_hf_value2(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    assign(ctx, field, value, Form::Credentials)
}

fn assign(ctx: &mut Context, field: &[u8], value: &[u8], form: Form) -> i32 {
    let (Some(target), Some(value)) = (target(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    if let Some(param) = target.param {
        return change_params(ctx, &target, form, param, value);
    }
    match chosen(ctx, &target, form).first() {
        Some(item) if target.which != Which::All => {
            ctx.edits.overwrite(item.span, value);
            1
        }
        _ => -1,
    }
}

/// Changes a parameter of all values that a target names; -1 when it was none.
fn change_params(
    ctx: &mut Context,
    target: &Target<'_>,
    form: Form,
    name: &[u8],
    value: &[u8],
) -> i32 {
    let mut changed = false;
    for item in &chosen(ctx, target, form) {
        changed |= change_param(ctx, item, form, name, value);
    }
    code(changed)
}

/// Sets, adds or, for an empty value, removes a parameter; false when there is none to remove.
fn change_param(ctx: &mut Context, item: &Item, form: Form, name: &[u8], value: &[u8]) -> bool {
    let parts = split(&ctx.msg, item.span, form.separator());
    let found = parts
        .iter()
        .enumerate()
        .find(|(i, part)| param_name(ctx, **part, form, *i) == Some(name.to_ascii_lowercase()));
    let text = [name, b"=", value].concat();
    match (found, value.is_empty()) {
        (None, true) => return false,
        (None, false) => {
            let added = [&[form.separator()][..], &text].concat();
            ctx.edits.insert_at(item.span.end, added);
        }
        (Some((0, part)), false) => ctx.edits.overwrite(after_scheme(ctx, *part), text),
        (Some((_, part)), false) => ctx.edits.overwrite(*part, text),
        // The first one of credentials has the scheme before it and the separator behind.
        (Some((0, part)), true) => {
            let end = parts.get(1).map_or(part.end, |next| next.start);
            let span = Span::new(after_scheme(ctx, *part).start, end);
            ctx.edits.overwrite(span, Vec::new());
        }
        (Some((i, part)), true) => {
            let span = Span::new(parts[i - 1].end, part.end);
            ctx.edits.overwrite(span, Vec::new());
        }
    }
    true
}

/// The name, in lower case, of the parameter that the part of a value is; of a list the first
/// part is no parameter but the value itself.
fn param_name(ctx: &Context, part: Span, form: Form, index: usize) -> Option<Vec<u8>> {
    let text = match (form, index) {
        (Form::List, 0) => return None,
        (Form::Credentials, 0) => ctx.msg.get(after_scheme(ctx, part)),
        _ => ctx.msg.get(part),
    };
    let name = text.split(|c| *c == b'=').next()?;
    Some(name.trim_ascii().to_ascii_lowercase())
}

/// A part without the word before it: `Digest username="x"`.
fn after_scheme(ctx: &Context, part: Span) -> Span {
    let text = ctx.msg.get(part);
    let start = memchr::memchr(b' ', text)
        .filter(|blank| memchr::memchr(b'=', text).is_none_or(|equal| *blank < equal))
        .map_or(0, |blank| {
            blank + text[blank..].len() - text[blank..].trim_ascii_start().len()
        });
    Span::new(part.start + u32::try_from(start).unwrap_or(0), part.end)
}

/// `KSR.textopsx.hf_value_exists`: whether a list has that value, in any case.
pub fn hf_value_exists(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let Some(target) = target(ctx, field) else {
        return -1;
    };
    code(position(ctx, target.name, value).is_some())
}

fn position(ctx: &Context, name: &[u8], value: &[u8]) -> Option<Item> {
    items(ctx, name, Form::List)
        .into_iter()
        .find(|i| ctx.msg.get(i.span).eq_ignore_ascii_case(value))
}

/// `KSR.textopsx.include_hf_value`: adds a value to a list, at the end of its first header
/// field, unless it has it.
pub fn include_hf_value(ctx: &mut Context, field: &[u8], value: &[u8]) -> i32 {
    let (Some(target), Some(value)) = (target(ctx, field), checked(ctx, value)) else {
        return -1;
    };
    if position(ctx, target.name, value).is_some() {
        return 1;
    }
    let items = items(ctx, target.name, Form::List);
    match items.first().and_then(|first| first.siblings.last()) {
        Some(last) => ctx.edits.insert_at(last.end, [b",", value].concat()),
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
