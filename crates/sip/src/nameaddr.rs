//! name-addr and addr-spec with header parameters: From, To, Contact, Route (RFC 3261 section 20.10).

use crate::error::SyntaxError;
use crate::params::Params;
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
        let _ = (buf, span);
        todo!()
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
/// # Errors
/// As [`NameAddr::parse`].
pub fn parse_nameaddr(text: &[u8]) -> Result<NameAddrRef<'_>, SyntaxError> {
    let _ = text;
    todo!()
}
