//! Syntax of pseudo-variables and of texts that contain them.

use super::names::{self, Class};
use super::transform::Transform;
use super::{Foreign, Index, PvError, Spec, Var};

/// A text with variables in it.
#[derive(Clone, Debug, Default)]
pub struct Format {
    pub(super) parts: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(Box<[u8]>),
    Var(Box<Spec>),
}

/// An inner name: fixed, or to be made from variables.
#[derive(Clone, Debug)]
pub(super) enum Inner {
    Fixed(Box<[u8]>),
    Format(Format),
}

impl Format {
    /// Parses a text. `$$` is a dollar sign; a dollar sign that begins no variable stays.
    ///
    /// # Errors
    /// When a variable is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, PvError> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut at = 0;
        while let Some(step) = memchr::memchr(b'$', &text[at..]) {
            plain.extend_from_slice(&text[at..at + step]);
            at += step;
            match text.get(at + 1) {
                Some(b'$') => {
                    plain.push(b'$');
                    at += 2;
                }
                Some(c) if *c == b'(' || is_name(*c) => {
                    let (spec, len) = spec_at(&text[at..])?;
                    if !plain.is_empty() {
                        parts.push(Piece::Text(std::mem::take(&mut plain).into()));
                    }
                    parts.push(Piece::Var(Box::new(spec)));
                    at += len;
                }
                _ => {
                    plain.push(b'$');
                    at += 1;
                }
            }
        }
        plain.extend_from_slice(&text[at..]);
        if !plain.is_empty() {
            parts.push(Piece::Text(plain.into()));
        }
        Ok(Self { parts })
    }
}

impl Format {
    /// The variable at the start of a text, and how long it is there.
    pub(in super::super) fn variable(text: &[u8]) -> Result<(Spec, usize), PvError> {
        spec_at(text)
    }
}

/// A whole text that is one variable.
pub(super) fn whole(text: &[u8]) -> Result<Spec, PvError> {
    let (spec, len) = spec_at(text)?;
    if len == text.len() {
        Ok(spec)
    } else {
        Err(bad(text, "text after the variable"))
    }
}

/// The variable at the start of `text`, and its length there.
fn spec_at(text: &[u8]) -> Result<(Spec, usize), PvError> {
    match text {
        [b'$', b'(', ..] => {
            let close = closing(&text[1..]).ok_or_else(|| bad(text, "no closing parenthesis"))? + 1;
            Ok((wrapped(&text[2..close])?, close + 1))
        }
        [b'$', ..] => bare(text),
        _ => Err(bad(text, "no $ at its start")),
    }
}

/// `$name` and `$name(inner)`.
fn bare(text: &[u8]) -> Result<(Spec, usize), PvError> {
    let mut end = 1 + name_len(&text[1..]);
    if end == 1 {
        return Err(bad(text, "no name after $"));
    }
    while names::lookup(&text[1..end]).is_none() && text[end - 1] == b'.' {
        end -= 1;
    }
    let name = &text[1..end];
    if text.get(end) == Some(&b'(') && takes_inner(name) {
        let close =
            end + closing(&text[end..]).ok_or_else(|| bad(text, "no closing parenthesis"))?;
        let var = variable(name, Some(&text[end + 1..close]), Index::None)?;
        return Ok((Spec::new(var), close + 1));
    }
    Ok((Spec::new(variable(name, None, Index::None)?), end))
}

/// What is inside of `$( )`: name, inner name, index, transformations.
fn wrapped(text: &[u8]) -> Result<Spec, PvError> {
    let mut at = name_len(text);
    let name = &text[..at];
    if name.is_empty() {
        return Err(bad(text, "no name"));
    }
    let mut inner = None;
    if text.get(at) == Some(&b'(') {
        let close = at + closing(&text[at..]).ok_or_else(|| bad(text, "no closing parenthesis"))?;
        inner = Some(&text[at + 1..close]);
        at = close + 1;
    }
    let mut index = Index::None;
    if text.get(at) == Some(&b'[') {
        let close = at
            + memchr::memchr(b']', &text[at..]).ok_or_else(|| bad(text, "no closing bracket"))?;
        index = parse_index(&text[at + 1..close]).ok_or_else(|| bad(text, "bad index"))?;
        at = close + 1;
    }
    let mut transforms = Vec::new();
    while text.get(at) == Some(&b'{') {
        let close = at + closing(&text[at..]).ok_or_else(|| bad(text, "no closing brace"))?;
        transforms.push(Transform::parse(&text[at + 1..close])?);
        at = close + 1;
    }
    if at != text.len() {
        return Err(bad(text, "unexpected text"));
    }
    let mut spec = Spec::new(variable(name, inner, index)?);
    spec.index = index;
    spec.transforms = transforms.into();
    Ok(spec)
}

fn variable(name: &[u8], inner: Option<&[u8]>, index: Index) -> Result<Var, PvError> {
    // the configuration's own variables are not known here
    let settings = |inner: &[u8]| {
        let inner = inner.strip_prefix(b"@").unwrap_or(inner);
        (name == b"sel" && inner.starts_with(b"cfg_get.")).then(|| inner.to_vec())
    };
    if let Some(inner) = inner.and_then(settings) {
        let class = "sel".to_owned();
        let inner = Some(Inner::Fixed(inner.into()));
        return Ok(Var::Foreign(Foreign { class, index }, inner));
    }
    let Some((class, needs_inner)) = names::lookup(name) else {
        return Ok(Var::Foreign(
            Foreign {
                class: String::from_utf8_lossy(name).into_owned(),
                index,
            },
            inner.map(parse_inner).transpose()?,
        ));
    };
    match (needs_inner, inner) {
        (false, None) => Ok(Var::Plain(class)),
        (true, Some(inner)) => with_inner(class, inner),
        (true, None) => Err(bad(name, "an inner name is needed")),
        (false, Some(_)) => Err(bad(name, "takes no inner name")),
    }
}

fn with_inner(class: Class, inner: &[u8]) -> Result<Var, PvError> {
    Ok(match class {
        Class::TxReq | Class::TxInv | Class::TxRpl | Class::Count => {
            Var::Nested(class, Box::new(whole(inner)?))
        }
        Class::Text => Var::Inner(class, Inner::Format(Format::parse(inner)?)),
        _ => Var::Inner(class, parse_inner(inner)?),
    })
}

pub(super) fn parse_inner(inner: &[u8]) -> Result<Inner, PvError> {
    if memchr::memchr(b'$', inner).is_some() {
        Format::parse(inner).map(Inner::Format)
    } else {
        Ok(Inner::Fixed(inner.into()))
    }
}

fn takes_inner(name: &[u8]) -> bool {
    names::lookup(name).is_none_or(|(_, inner)| inner)
}

fn parse_index(text: &[u8]) -> Option<Index> {
    match text.trim_ascii() {
        b"*" => Some(Index::All),
        text => std::str::from_utf8(text).ok()?.parse().ok().map(Index::At),
    }
}

const fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'?')
}

fn name_len(text: &[u8]) -> usize {
    text.iter().take_while(|c| is_name(**c)).count()
}

/// Where the bracket that opens `text` is closed. Other brackets of its kind nest.
fn closing(text: &[u8]) -> Option<usize> {
    let open = *text.first()?;
    let close = if open == b'{' { b'}' } else { b')' };
    let mut depth = 0_usize;
    for (i, c) in text.iter().enumerate() {
        if *c == open {
            depth += 1;
        } else if *c == close {
            depth -= 1;
            if depth == 0 {
                return Some(i);
            }
        }
    }
    None
}

pub(super) fn bad(text: &[u8], why: &str) -> PvError {
    PvError(format!("{}: {why}", String::from_utf8_lossy(text)))
}
