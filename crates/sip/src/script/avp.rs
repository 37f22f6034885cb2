//! Attribute-value pairs, `$avp`.

use super::context::Value;

/// Name of an AVP: `$avp(name)`, `$avp(s:name)` or `$avp(i:5)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AvpKey {
    /// By text.
    Name(Box<[u8]>),
    /// By number.
    Id(i64),
}

/// The AVPs of a transaction. A name may have several values, the newest first.
#[derive(Clone, Debug, Default)]
pub struct AvpList {
    /// Oldest first, so that adding is cheap.
    list: Vec<(AvpKey, Value<'static>)>,
}

impl AvpList {
    /// All values of `key`, newest first.
    pub fn values<'a>(&'a self, key: &AvpKey) -> impl Iterator<Item = &'a Value<'static>> {
        self.list
            .iter()
            .rev()
            .filter(move |v| v.0 == *key)
            .map(|v| &v.1)
    }

    /// The newest value.
    #[must_use]
    pub fn first(&self, key: &AvpKey) -> Option<&Value<'static>> {
        self.nth(key, 0)
    }

    /// The value that `n` newer ones hide.
    #[must_use]
    pub fn nth(&self, key: &AvpKey, n: usize) -> Option<&Value<'static>> {
        self.list
            .iter()
            .rev()
            .filter(|v| v.0 == *key)
            .nth(n)
            .map(|v| &v.1)
    }

    /// Adds a value before the ones that are there.
    pub fn push(&mut self, key: &AvpKey, value: Value<'static>) {
        self.list.push((key.clone(), value));
    }

    /// Adds a value behind the ones that are there.
    pub fn push_last(&mut self, key: &AvpKey, value: Value<'static>) {
        self.list.insert(0, (key.clone(), value));
    }

    /// Removes the newest value. False when there was none.
    pub fn pop(&mut self, key: &AvpKey) -> bool {
        let at = self.list.iter().rposition(|v| v.0 == *key);
        at.map(|i| self.list.remove(i)).is_some()
    }

    /// Removes all values. False when there were none.
    pub fn clear(&mut self, key: &AvpKey) -> bool {
        let before = self.list.len();
        self.list.retain(|v| v.0 != *key);
        self.list.len() != before
    }
}
