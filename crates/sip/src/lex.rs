//! Bytes and lines: character classes, white space, quoted strings, numbers, header lines.
//!
//! All functions take any bytes and never panic.

use memchr::{memchr, memchr2};

use crate::error::{ErrorKind, SyntaxError};
use crate::header::{Header, HeaderId};
use crate::scan;
use crate::types::Span;

const TOKEN: u8 = 1;
const HOST: u8 = 2;
const WS: u8 = 4;
const PARAM: u8 = 8;

/// Classes of every byte (RFC 3261 section 25.1). `PARAM` is what can be in a parameter
/// without being looked at: all but white space, quotes and semicolons.
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
        if alnum || matches!(b, b'-' | b'.' | b'_') {
            class[i] |= HOST;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
            class[i] |= WS;
        }
        if !matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b';') {
            class[i] |= PARAM;
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

/// Whether no byte of `text` is one that a URI can never hold. Lenient: all is well
/// but controls, blanks, quotes and angle brackets, since user parts like `*86#` are common.
pub(crate) fn is_uri_text(text: &[u8]) -> bool {
    // `<` and `>` differ in one bit.
    let illegal = |word| {
        scan::below(word, 0x21)
            | scan::equal(word & !0x0202_0202_0202_0202, b'<')
            | scan::equal(word, b'"')
            | scan::equal(word, 0x7f)
    };
    scan::find(text, illegal).is_none()
}

/// Length of the parameter name that `text` begins with, if nothing about it is unusual.
#[inline]
pub(crate) fn param_name_len(text: &[u8]) -> usize {
    text.iter()
        .position(|&b| b == b'=' || !is(b, PARAM))
        .unwrap_or(text.len())
}

/// Length of the parameter value that `text` begins with, if nothing about it is unusual.
#[inline]
pub(crate) fn param_value_len(text: &[u8]) -> usize {
    text.iter()
        .position(|&b| !is(b, PARAM))
        .unwrap_or(text.len())
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
#[inline]
pub(crate) const fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_ws(*first)
    {
        text = rest;
    }
    text
}

/// `text` without white space around it.
#[inline]
pub(crate) const fn trim(text: &[u8]) -> &[u8] {
    match text {
        [first, .., last] if *first > b' ' && *last > b' ' => text,
        _ => trim_both(text),
    }
}

const fn trim_both(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    while let [rest @ .., last] = text
        && is_ws(*last)
    {
        text = rest;
    }
    text
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
    let mut value: u64 = 0;
    for &b in text {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 || value > u64::from(u32::MAX) {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    (value <= u64::from(max)).then_some(value as u32)
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
    stray_cr: bool,
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
        let stray_cr = false;
        Self { buf, pos, stray_cr }
    }

    /// Whether one of the lines passed so far held a CR without LF.
    pub(crate) const fn stray_cr(&self) -> bool {
        self.stray_cr
    }

    /// Passes the first line; gives its end, which is that of the buffer when no LF
    /// ends it.
    pub(crate) fn first_line(&mut self) -> usize {
        let rest = &self.buf[self.pos..];
        self.pos += self.line_len(rest, 0).map_or(rest.len(), |(_, len)| len);
        self.pos
    }

    /// The next header field. After a malformed line it can be called again.
    #[inline(always)]
    pub(crate) fn next_line(&mut self) -> Result<Step, SyntaxError> {
        let start = self.pos;
        let line = self.buf.get(start..).unwrap_or_default();
        let colon = scan::find(line, |word| {
            scan::equal(word, b':') | scan::below(word, LINE_ENDS)
        });
        let Some((name, [b':', ..])) = colon.and_then(|n| line.split_at_checked(n)) else {
            return self.no_colon(line, colon.unwrap_or(0));
        };
        self.field(line, name, name.len() + 1)
    }

    /// The header field of that name whose value begins at `from` of `line`.
    #[inline(always)]
    fn field(&mut self, line: &[u8], name: &[u8], from: usize) -> Result<Step, SyntaxError> {
        let start = self.pos;
        let (end, len) = self.folded_len(line, from)?;
        self.pos += len;
        let name = trim_blanks_end(name);
        let id = HeaderId::of(name);
        // A known name is a token.
        if id == HeaderId::Other && !is_token(name) {
            return Err(MALFORMED_LINE);
        }
        let value = match &line[from..end] {
            [b' ', value @ ..] => trim(value),
            value => trim(value),
        };
        Ok(Step::Line(Header {
            id,
            name: span_in(self.buf, name),
            value: span_in(self.buf, value),
            full: Span::new(start as u32, self.pos as u32),
        }))
    }

    /// What a line is in which something else comes before a colon, at `at`: the
    /// empty line, one with a tab before its colon, or none of a header field.
    #[cold]
    fn no_colon(&mut self, line: &[u8], at: usize) -> Result<Step, SyntaxError> {
        match line {
            [b'\n', ..] => return Ok(Step::End(self.pos, self.pos + 1)),
            [b'\r', b'\n', ..] => return Ok(Step::End(self.pos, self.pos + 2)),
            _ => {}
        }
        let blanks = line[at..].iter().take_while(|b| is_blank(**b)).count();
        if line.get(at + blanks) == Some(&b':') {
            return self.field(line, &line[..at], at + blanks + 1);
        }
        let (_, len) = self.folded_len(line, at)?;
        self.pos += len;
        Err(MALFORMED_LINE)
    }

    /// Where `text` has its first line end after `from` that no folding follows
    /// (RFC 3261 section 7.3.1), and where the next line begins.
    #[inline(always)]
    fn folded_len(&mut self, text: &[u8], mut from: usize) -> Result<(usize, usize), SyntaxError> {
        loop {
            let (end, next) = self.line_len(text, from).ok_or(UNTERMINATED)?;
            if !text.get(next).is_some_and(|&b| is_blank(b)) {
                return Ok((end, next));
            }
            from = next;
        }
    }

    /// Where `text` has its first line end after `from`, and where the next line begins.
    #[inline(always)]
    fn line_len(&mut self, text: &[u8], mut from: usize) -> Option<(usize, usize)> {
        loop {
            let rest = text.get(from..)?;
            let at = scan::find_far(rest, |word| scan::below(word, LINE_ENDS))?;
            match rest.get(at..)? {
                [b'\r', b'\n', ..] => return Some((from + at, from + at + 2)),
                [b'\n', ..] => return Some((from + at, from + at + 1)),
                [b'\r', ..] => self.stray_cr = true,
                _ => {}
            }
            from += at + 1;
        }
    }
}

/// Above CR and LF; the few other controls below it are passed one by one.
const LINE_ENDS: u8 = b'\r' + 1;

const MALFORMED_LINE: SyntaxError =
    SyntaxError::new(ErrorKind::HeaderLine, "Malformed header line");

const UNTERMINATED: SyntaxError =
    SyntaxError::new(ErrorKind::Unterminated, "Header fields without end");

const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

fn trim_blanks_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
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

#[cfg(test)]
mod tests {
    use super::is_uri_text;

    #[test]
    fn bytes_of_a_uri() {
        for byte in 0..=255_u8 {
            let illegal = byte <= 0x20 || matches!(byte, b'<' | b'>' | b'"' | 0x7f);
            assert_eq!(is_uri_text(&[b'a', byte]), !illegal, "{byte:#x}");
            assert_eq!(is_uri_text(&[&[b'a'; 9][..], &[byte]].concat()), !illegal);
        }
    }
}
