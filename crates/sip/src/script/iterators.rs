//! Named iterators over header fields and body lines (module textopsx).

/// Iterators in use, by name.
#[derive(Clone, Debug, Default)]
pub struct Iterators {}
