//! `;name=value` parameters of URIs and of header values (RFC 3261 section 7.3.1).

/// Iterates over `name[=value]` separated by semicolons; blanks around names,
/// equal signs and values are skipped, quoted values are kept whole.
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
    pub fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        let _ = name;
        todo!()
    }

    /// Whether there is a parameter of that name, with a value or not.
    #[must_use]
    pub fn has(self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let _ = self.rest;
        todo!()
    }
}
