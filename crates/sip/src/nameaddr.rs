//! name-addr and addr-spec with header parameters: From, To, Contact, Route (RFC 3261 section 20.10).

use crate::error::{ErrorKind, SyntaxError};
use crate::lex::{self, span_in};
use crate::params::Params;
use crate::scan;
use crate::types::Span;

/// Where the parts of a From, To, Contact or Route value are in their message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct NameAddr {
    /// The whole value.
    pub span: Span,
    /// Display name as written (quotes kept); empty when absent.
    pub display: Span,
    /// The URI without angle brackets.
    pub uri: Span,
    /// Header parameters, after their first semicolon; empty when absent.
    pub params: Span,
    /// Value of the `tag` parameter.
    pub tag: Option<Span>,
    /// Whether the URI is in angle brackets.
    pub bracketed: bool,
}

impl NameAddr {
    /// Parses the value at `span` of `buf`.
    ///
    /// # Errors
    /// Unbalanced quotes or brackets, no URI, or bytes after it that are no parameters.
    pub fn parse(buf: &[u8], span: Span) -> Result<Self, SyntaxError> {
        let parts = parse_nameaddr(span.of(buf))?;
        let tag = parts.param(b"tag").filter(|tag| !tag.is_empty());
        Ok(Self {
            span,
            display: span_in(buf, parts.display),
            uri: span_in(buf, parts.uri),
            params: span_in(buf, parts.params),
            tag: tag.map(|tag| span_in(buf, tag)),
            bracketed: parts.bracketed,
        })
    }
}

/// The parts of a name-addr, borrowed from its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameAddrRef<'a> {
    /// Display name as written (quotes kept); empty when absent.
    pub display: &'a [u8],
    /// The URI without angle brackets.
    pub uri: &'a [u8],
    /// Header parameters, after their first semicolon; empty when absent.
    pub params: &'a [u8],
    /// Whether the URI is in angle brackets.
    pub bracketed: bool,
}

impl<'a> NameAddrRef<'a> {
    /// Header parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    /// Value of a header parameter, empty when it has none.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().get(name)
    }
}

/// Parses one name-addr or addr-spec with its header parameters.
///
/// Tolerates an unquoted display name of any characters and blanks inside the
/// angle brackets. The URI is only checked for a scheme. The `*` of a Contact is
/// not a name-addr.
///
/// # Errors
/// As [`NameAddr::parse`].
pub fn parse_nameaddr(text: &[u8]) -> Result<NameAddrRef<'_>, SyntaxError> {
    let text = lex::trim(text);
    match open_bracket(text)? {
        Some(open) => bracketed(text, open),
        None => bare(text),
    }
}

/// Where the `<` is, unless a parameter comes first: then it belongs to that.
fn open_bracket(text: &[u8]) -> Result<Option<usize>, SyntaxError> {
    let mut pos = 0;
    let marks = |word| scan::equal(word, b'<') | scan::equal(word, b'"') | scan::equal(word, b';');
    while let Some(hit) = text.get(pos..).and_then(|rest| scan::find(rest, marks)) {
        let at = pos + hit;
        match text[at] {
            b'<' => return Ok(Some(at)),
            b';' => return Ok(None),
            _ => pos = at + lex::quoted_len(&text[at..]).ok_or(UNBALANCED)?,
        }
    }
    Ok(None)
}

fn bracketed(text: &[u8], open: usize) -> Result<NameAddrRef<'_>, SyntaxError> {
    let close = open + scan::find_byte(&text[open..], b'>').ok_or(UNBALANCED)?;
    let uri = lex::trim(&text[open + 1..close]);
    check_scheme(uri)?;
    let params = match lex::trim_start(&text[close + 1..]) {
        [] => &text[text.len()..],
        [b';', params @ ..] => params,
        _ => return Err(error("Unexpected text after an address")),
    };
    Ok(NameAddrRef {
        display: lex::trim(&text[..open]),
        uri,
        params,
        bracketed: true,
    })
}

/// Without brackets everything from the first semicolon is a header parameter, and
/// commas and question marks are not allowed (RFC 3261 section 20).
fn bare(text: &[u8]) -> Result<NameAddrRef<'_>, SyntaxError> {
    let end = scan::find_byte(text, b';').unwrap_or(text.len());
    let uri = lex::trim(&text[..end]);
    check_scheme(uri)?;
    if !lex::is_uri_text(uri) || uri.iter().any(|b| matches!(b, b',' | b'?')) {
        return Err(error("An address needs angle brackets"));
    }
    Ok(NameAddrRef {
        display: &text[..0],
        uri,
        params: text.get(end + 1..).unwrap_or(&text[text.len()..]),
        bracketed: false,
    })
}

fn check_scheme(uri: &[u8]) -> Result<(), SyntaxError> {
    crate::uri::scheme_len(uri)
        .map(drop)
        .ok_or(error("An address without URI"))
}

const UNBALANCED: SyntaxError = error("Unbalanced quote or bracket in an address");

const fn error(reason: &'static str) -> SyntaxError {
    SyntaxError::new(ErrorKind::NameAddr, reason)
}
