//! Regular expressions of scripts, compiled once per thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::context::Context;
use super::pv::{Format, Spec, get};

/// Patterns are constants of the script; more than this is a script that makes them up.
const MOST: usize = 256;

thread_local! {
    static COMPILED: RefCell<HashMap<Box<[u8]>, Regex>> = RefCell::default();
}

/// A pattern in any case, `^` and `$` at line ends, as Kamailio compiles them; lines of
/// SIP end in CRLF, so the dot matches neither byte of it.
/// Complains when it is malformed.
pub(super) fn regex(ctx: &mut Context, pattern: &[u8]) -> Option<Regex> {
    let known = COMPILED.with_borrow(|all| all.get(pattern).cloned());
    if known.is_some() {
        return known;
    }
    match compile(pattern, true) {
        Ok(re) => {
            COMPILED.with_borrow_mut(|all| {
                if all.len() >= MOST {
                    all.clear();
                }
                all.insert(pattern.into(), re.clone());
            });
            Some(re)
        }
        Err(why) => {
            ctx.complain(why);
            None
        }
    }
}

fn compile(pattern: &[u8], any_case: bool) -> Result<Regex, String> {
    let text = std::str::from_utf8(pattern).map_err(|_| "pattern is not UTF-8".to_owned())?;
    RegexBuilder::new(text)
        .case_insensitive(any_case)
        .multi_line(true)
        .crlf(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|why| format!("bad regular expression: {why}"))
}

/// `/pattern/replacement/flags`: `\1` is a group, `$var` a variable; flags `i` any case,
/// `g` all matches, `s` dot matches line ends.
#[derive(Clone, Debug)]
pub struct Substitution {
    regex: Regex,
    parts: Vec<Part>,
    all: bool,
}

#[derive(Clone, Debug)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
    Var(Spec),
}

impl Substitution {
    /// Parses the expression; its first byte is the separator.
    ///
    /// # Errors
    /// A text saying what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let (separator, rest) = text.split_first().ok_or("empty expression")?;
        let [pattern, replacement, flags] = fields(rest, *separator).ok_or("not /re/text/flags")?;
        if let Some(flag) = flags.iter().find(|f| !b"igs".contains(f)) {
            return Err(format!("unknown flag {}", char::from(*flag)));
        }
        let mut pattern = pattern;
        if flags.contains(&b's') {
            pattern = [b"(?s)", pattern.as_slice()].concat();
        }
        Ok(Self {
            regex: compile(&pattern, flags.contains(&b'i'))?,
            parts: parts(&replacement)?,
            all: flags.contains(&b'g'),
        })
    }

    /// The text with matches replaced; `None` when nothing matched.
    #[must_use]
    pub fn apply(&self, ctx: &Context, text: &[u8]) -> Option<Vec<u8>> {
        let found = self.matches(ctx, text);
        if found.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len() + 32);
        let mut done = 0;
        for (range, new) in found {
            out.extend_from_slice(&text[done..range.start]);
            out.extend_from_slice(&new);
            done = range.end;
        }
        out.extend_from_slice(&text[done..]);
        Some(out)
    }

    /// What matches, and what is to be in its place.
    pub(super) fn matches(&self, ctx: &Context, text: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
        let most = if self.all { usize::MAX } else { 1 };
        self.regex
            .captures_iter(text)
            .take(most)
            .filter_map(|found| Some((found.get(0)?.range(), self.replacement(ctx, &found))))
            .collect()
    }

    fn replacement(&self, ctx: &Context, found: &Captures<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Group(n) => {
                    out.extend_from_slice(found.get(*n).map_or(b"", |m| m.as_bytes()));
                }
                Part::Var(spec) => {
                    out.extend_from_slice(&get(ctx, spec).text().unwrap_or_default());
                }
            }
        }
        out
    }
}

/// Three fields; a separator after a backslash is text.
fn fields(text: &[u8], separator: u8) -> Option<[Vec<u8>; 3]> {
    let mut all = vec![Vec::new()];
    let mut bytes = text.iter().copied().peekable();
    while let Some(c) = bytes.next() {
        match c {
            b'\\' if bytes.peek() == Some(&separator) => {
                bytes.next();
                all.last_mut()?.push(separator);
            }
            b'\\' => {
                all.last_mut()?.push(c);
                all.last_mut()?.extend(bytes.next());
            }
            c if c == separator => all.push(Vec::new()),
            c => all.last_mut()?.push(c),
        }
    }
    all.try_into().ok()
}

fn parts(replacement: &[u8]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut rest = replacement;
    while let Some((c, tail)) = rest.split_first() {
        rest = tail;
        let part = match (c, tail.first()) {
            (b'\\', Some(next)) => {
                rest = &tail[1..];
                match next {
                    b'0'..=b'9' => Part::Group(usize::from(next - b'0')),
                    b'n' => Part::Text(b"\n".to_vec()),
                    b'r' => Part::Text(b"\r".to_vec()),
                    b't' => Part::Text(b"\t".to_vec()),
                    other => Part::Text(vec![*other]),
                }
            }
            (b'$', Some(_)) => {
                let (spec, len) =
                    Format::variable(&replacement[replacement.len() - tail.len() - 1..])
                        .map_err(|why| why.to_string())?;
                rest = &tail[len - 1..];
                Part::Var(spec)
            }
            _ => {
                plain.push(*c);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(part);
    }
    parts.push(Part::Text(plain));
    Ok(parts)
}
