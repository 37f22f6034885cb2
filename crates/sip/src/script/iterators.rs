//! Named iterators over header fields and body lines (module textopsx).

/// Where a named iterator is.
#[derive(Clone, Debug)]
pub(super) struct Iterator {
    name: Box<[u8]>,
    /// Position; -1 before the first one.
    pub(super) at: i64,
}

/// Iterators in use, by name.
#[derive(Clone, Debug, Default)]
pub struct Iterators {
    /// Over header fields.
    pub(super) headers: List,
    /// Over lines of the body.
    pub(super) lines: List,
}

#[derive(Clone, Debug, Default)]
pub(super) struct List(Vec<Iterator>);

impl List {
    /// Puts an iterator before its first element.
    pub(super) fn start(&mut self, name: &[u8]) {
        self.end(name);
        self.0.push(Iterator {
            name: name.into(),
            at: -1,
        });
    }

    /// Forgets an iterator. False when there was none.
    pub(super) fn end(&mut self, name: &[u8]) -> bool {
        let before = self.0.len();
        self.0.retain(|it| *it.name != *name);
        self.0.len() != before
    }

    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Iterator> {
        self.0.iter_mut().find(|it| *it.name == *name)
    }

    /// Position of an iterator that stands on an element.
    pub(super) fn position(&self, name: &[u8]) -> Option<usize> {
        let it = self.0.iter().find(|it| *it.name == *name)?;
        usize::try_from(it.at).ok()
    }
}
