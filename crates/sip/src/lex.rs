//! Bytes and lines: character classes, white space, quoted strings, numbers, header lines.
//!
//! All functions take any bytes and never panic.

use memchr::{memchr, memchr2};

use crate::error::{ErrorKind, SyntaxError};
use crate::header::{Header, HeaderId};
use crate::types::Span;

const TOKEN: u8 = 1;
const URI: u8 = 2;
const HOST: u8 = 4;
const WS: u8 = 8;

/// Classes of every byte (RFC 3261 section 25.1). `URI` is lenient: all but
/// controls, blanks, quotes and angle brackets, since user parts like `*86#` are common.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let alnum = b.is_ascii_alphanumeric();
        if alnum
            || matches!(
                b,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            )
        {
            class[i] |= TOKEN;
        }
        if b > 0x20 && b != 0x7f && !matches!(b, b'<' | b'>' | b'"') {
            class[i] |= URI;
        }
        if alnum || matches!(b, b'-' | b'.' | b'_') {
            class[i] |= HOST;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
            class[i] |= WS;
        }
        i += 1;
    }
    class
};

const fn is(b: u8, class: u8) -> bool {
    CLASS[b as usize] & class != 0
}

/// White space, line folding included.
pub(crate) const fn is_ws(b: u8) -> bool {
    is(b, WS)
}

/// Whether `text` is a `token` of RFC 3261 section 25.1.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is(b, TOKEN))
}

/// Whether no byte of `text` is one that a URI can never hold.
pub(crate) fn is_uri_text(text: &[u8]) -> bool {
    text.iter().all(|&b| is(b, URI))
}

/// Length of the token that `text` begins with.
pub(crate) fn token_len(text: &[u8]) -> usize {
    text.iter()
        .position(|&b| !is(b, TOKEN))
        .unwrap_or(text.len())
}

/// Length of the host that `text` begins with: a name, an IPv4 address or a
/// bracketed IPv6 reference. 0 when there is none.
pub(crate) fn host_len(text: &[u8]) -> usize {
    if text.first() != Some(&b'[') {
        return text
            .iter()
            .position(|&b| !is(b, HOST))
            .unwrap_or(text.len());
    }
    match memchr(b']', text) {
        Some(end) if crate::uri::host_ip(&text[..=end]).is_some() => end + 1,
        _ => 0,
    }
}

/// `text` without white space at its start.
pub(crate) fn trim_start(text: &[u8]) -> &[u8] {
    let n = text.iter().position(|&b| !is_ws(b)).unwrap_or(text.len());
    &text[n..]
}

/// `text` without white space around it.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let n = text.iter().rposition(|&b| !is_ws(b)).map_or(0, |n| n + 1);
    &text[..n]
}

/// Where `part` lies in `whole`, of which it must be a subslice.
pub(crate) fn span_in(whole: &[u8], part: &[u8]) -> Span {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    debug_assert!(start + part.len() <= whole.len());
    Span::new(start as u32, (start + part.len()) as u32)
}

/// Length of the quoted string that `text` begins with, both quotes included;
/// `None` when its end is missing.
pub(crate) fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut pos = 1;
    loop {
        let hit = pos + memchr2(b'"', b'\\', text.get(pos..)?)?;
        if text[hit] == b'"' {
            return Some(hit + 1);
        }
        pos = hit + 2;
    }
}

/// A number of decimal digits only; `None` when malformed or above `max`.
pub(crate) fn decimal(text: &[u8], max: u32) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut value: u32 = 0;
    for &b in text {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    (value <= max).then_some(value)
}

/// Values separated by commas that are outside quotes and angle brackets; empty ones are skipped.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    pub(crate) const fn new(list: &'a [u8]) -> Self {
        Self { rest: list }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = value_len(self.rest);
            let value = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !value.is_empty() {
                return Some(value);
            }
        }
        None
    }
}

/// Bytes up to the comma that ends the first value of `list`. An unbalanced
/// quote or bracket makes the rest one value.
fn value_len(list: &[u8]) -> usize {
    let mut pos = 0;
    while let Some(hit) = list
        .get(pos..)
        .and_then(|r| memchr::memchr3(b',', b'"', b'<', r))
    {
        let at = pos + hit;
        let skip = match list[at] {
            b',' => return at,
            b'"' => quoted_len(&list[at..]),
            _ => memchr(b'>', &list[at..]).map(|n| n + 1),
        };
        let Some(skip) = skip else { break };
        pos = at + skip;
    }
    list.len()
}

/// Walks over the header fields of a message, folded lines joined, up to the empty line.
pub(crate) struct Lines<'a> {
    buf: &'a [u8],
    pos: usize,
    crlfs: usize,
}

/// What [`Lines::next_line`] met.
pub(crate) enum Step {
    Line(Header),
    /// The empty line: where it begins and where it ends.
    End(usize, usize),
}

impl<'a> Lines<'a> {
    /// Starts at `pos`, the beginning of a line.
    pub(crate) const fn new(buf: &'a [u8], pos: usize) -> Self {
        Self { buf, pos, crlfs: 0 }
    }

    /// How many of the line ends passed so far were CRLF.
    pub(crate) const fn crlfs(&self) -> usize {
        self.crlfs
    }

    /// The next header field. After a malformed line it can be called again.
    pub(crate) fn next_line(&mut self) -> Result<Step, SyntaxError> {
        let (buf, start) = (self.buf, self.pos);
        match buf[start..] {
            [b'\n', ..] => return Ok(Step::End(start, start + 1)),
            [b'\r', b'\n', ..] => {
                self.crlfs += 1;
                return Ok(Step::End(start, start + 2));
            }
            _ => {}
        }
        let name_end = start + token_len(&buf[start..]);
        let end = self.line_end(name_end)?;
        self.pos = end;
        let mut colon = name_end;
        while matches!(buf[colon], b' ' | b'\t') {
            colon += 1;
        }
        if buf[colon] != b':' || name_end == start {
            let reason = "Malformed header line";
            return Err(SyntaxError::new(ErrorKind::HeaderLine, reason));
        }
        let (mut from, mut to) = (colon + 1, end);
        while from < to && is_ws(buf[to - 1]) {
            to -= 1;
        }
        while from < to && is_ws(buf[from]) {
            from += 1;
        }
        Ok(Step::Line(Header {
            id: HeaderId::of(&buf[start..name_end]),
            name: Span::new(start as u32, name_end as u32),
            value: Span::new(from as u32, to as u32),
            full: Span::new(start as u32, end as u32),
        }))
    }

    /// One past the line end that no folding follows (RFC 3261 section 7.3.1).
    fn line_end(&mut self, mut pos: usize) -> Result<usize, SyntaxError> {
        loop {
            let Some(n) = memchr(b'\n', &self.buf[pos..]) else {
                return Err(SyntaxError::new(
                    ErrorKind::Unterminated,
                    "Header fields without end",
                ));
            };
            pos += n + 1;
            self.crlfs += usize::from(self.buf[..pos - 1].ends_with(b"\r"));
            if !matches!(self.buf.get(pos), Some(b' ' | b'\t')) {
                return Ok(pos);
            }
        }
    }
}

/// Content-Length of a whole header block that begins at `pos` of `head`, by the
/// rules of [`crate::Message::parse`]: one field, digits only. Malformed lines are
/// skipped, since they do not hide where the message ends.
pub(crate) fn content_length(head: &[u8], pos: usize) -> Result<Option<u32>, SyntaxError> {
    let mut lines = Lines::new(head, pos);
    let mut found = None;
    loop {
        let line = match lines.next_line() {
            Ok(Step::Line(line)) => line,
            Ok(Step::End(..)) => return Ok(found),
            Err(e) if e.kind == ErrorKind::HeaderLine => continue,
            Err(e) => return Err(e),
        };
        if line.id != HeaderId::ContentLength {
            continue;
        }
        let value = parse_content_length(line.value.of(head))?;
        if found.replace(value).is_some() {
            let kind = ErrorKind::Duplicate(HeaderId::ContentLength);
            let reason = "Several Content-Length header fields";
            return Err(SyntaxError::new(kind, reason));
        }
    }
}

/// The value of a Content-Length header field.
pub(crate) fn parse_content_length(value: &[u8]) -> Result<u32, SyntaxError> {
    let kind = ErrorKind::Header(HeaderId::ContentLength);
    decimal(value, i32::MAX as u32).ok_or(SyntaxError::new(kind, "Malformed Content-Length"))
}
