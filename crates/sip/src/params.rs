//! `;name=value` parameters of URIs and of header values (RFC 3261 section 7.3.1).

use memchr::memchr2;

use crate::lex;

/// Iterates over `name[=value]` separated by semicolons; blanks around names,
/// equal signs and values are skipped, quoted values are kept whole, empty
/// parameters are left out.
///
/// Yields the name and the value as written (quotes kept); `None` when there is no `=`.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    rest: &'a [u8],
}

impl<'a> Params<'a> {
    /// Parameters of `list`, with or without the first semicolon.
    #[must_use]
    pub const fn new(list: &'a [u8]) -> Self {
        Self { rest: list }
    }

    /// Value of the first parameter of that name in any case; an empty slice
    /// when it has no value.
    #[must_use]
    pub fn get(mut self, name: &[u8]) -> Option<&'a [u8]> {
        self.find(|(n, _)| n.len() == name.len() && n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.unwrap_or_default())
    }

    /// Whether there is a parameter of that name, with a value or not.
    #[must_use]
    pub fn has(self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// The next parameter, an empty one included; `None` at the end of the list.
    #[inline]
    pub(crate) fn next_raw(&mut self) -> Option<RawParam<'a>> {
        let list = self.rest;
        if list.is_empty() {
            return None;
        }
        let (name, mut after) = list.split_at(lex::param_name_len(list));
        let mut value = None;
        if let [b'=', text @ ..] = after {
            let len = lex::param_value_len(text);
            value = Some(&text[..len]);
            after = &text[len..];
        }
        if !matches!(after, [] | [b';', ..]) {
            return Some(self.next_unusual());
        }
        self.rest = after.get(1..).unwrap_or_default();
        let text = &list[..list.len() - after.len()];
        Some(RawParam { text, name, value })
    }

    /// As [`Params::next_raw`], for one with white space or quotes.
    #[cold]
    fn next_unusual(&mut self) -> RawParam<'a> {
        let end = param_len(self.rest);
        let text = lex::trim(&self.rest[..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        let (name, value) = match text.iter().position(|&b| b == b'=') {
            Some(eq) => (lex::trim(&text[..eq]), Some(lex::trim(&text[eq + 1..]))),
            None => (text, None),
        };
        RawParam { text, name, value }
    }
}

/// One parameter with its whole text.
#[derive(Clone, Copy)]
pub(crate) struct RawParam<'a> {
    pub text: &'a [u8],
    pub name: &'a [u8],
    pub value: Option<&'a [u8]>,
}

impl<'a> Iterator for Params<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let param = self.next_raw()?;
            if !param.text.is_empty() {
                return Some((param.name, param.value));
            }
        }
    }
}

/// A value without the quotes around it; escapes inside are resolved.
#[must_use]
pub fn unquote(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
    else {
        return value.to_vec();
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&b) = bytes.next() {
        let b = if b == b'\\' { bytes.next() } else { Some(&b) };
        out.extend(b);
    }
    out
}

/// Bytes up to the semicolon that ends the first parameter; one inside quotes does not.
fn param_len(list: &[u8]) -> usize {
    let mut pos = 0;
    while let Some(hit) = list.get(pos..).and_then(|r| memchr2(b';', b'"', r)) {
        let at = pos + hit;
        if list[at] == b';' {
            return at;
        }
        let Some(skip) = lex::quoted_len(&list[at..]) else {
            break;
        };
        pos = at + skip;
    }
    list.len()
}
