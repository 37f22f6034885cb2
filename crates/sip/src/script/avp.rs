//! Attribute-value pairs (`$avp`) and their extended kin (`$xavp`, `$xavu`, `$xavi`).

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

/// Which of the three name spaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XavpKind {
    /// `$xavp`: names may occur several times.
    Plain,
    /// `$xavu`: names are unique.
    Unique,
    /// `$xavi`: as `$xavp`, names in any case.
    NoCase,
}

impl XavpKind {
    fn same(self, a: &[u8], b: &[u8]) -> bool {
        match self {
            Self::NoCase => a.eq_ignore_ascii_case(b),
            Self::Plain | Self::Unique => a == b,
        }
    }
}

/// `root[i]=>field[j]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XavpPath<'a> {
    /// Name and index of the outer value.
    pub root: (&'a [u8], Option<usize>),
    /// Name and index of the field in it.
    pub field: Option<(&'a [u8], Option<usize>)>,
}

impl<'a> XavpPath<'a> {
    /// Parses the inner name of `$xavp(..)`. `[*]` counts as no index.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let arrow = text.windows(2).position(|w| w == b"=>");
        let (root, field) = match arrow {
            Some(i) => (&text[..i], Some(&text[i + 2..])),
            None => (text, None),
        };
        Some(Self {
            root: Self::step(root)?,
            field: match field {
                None => None,
                Some(field) => Some(Self::step(field)?),
            },
        })
    }

    fn step(text: &'a [u8]) -> Option<(&'a [u8], Option<usize>)> {
        let text = text.trim_ascii();
        match text.strip_suffix(b"]") {
            None => (!text.is_empty()).then_some((text, None)),
            Some(open) => {
                let at = memchr::memrchr(b'[', open)?;
                let index = open[at + 1..].trim_ascii();
                let index = match index {
                    b"*" => None,
                    digits => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
                };
                Some((open[..at].trim_ascii(), index))
            }
        }
    }
}

/// A value, or a list of fields.
#[derive(Clone, Debug)]
enum Item {
    Value(Value<'static>),
    Fields(Vec<(Box<[u8]>, Value<'static>)>),
}

/// The extended AVPs of a transaction: `$xavp(root=>field)`, `$xavu`, `$xavi`.
#[derive(Clone, Debug, Default)]
pub struct XavpList {
    /// Oldest first.
    list: Vec<(XavpKind, Box<[u8]>, Item)>,
}

/// What reading a list of fields as text gives; Kamailio prints an address.
static FIELDS: Value<'static> = Value::borrowed(b"<<xavp>>");

impl XavpList {
    /// The value at a path.
    #[must_use]
    pub fn get(&self, kind: XavpKind, path: &XavpPath<'_>) -> Option<&Value<'static>> {
        let item = &self.list[self.position(kind, path.root)?].2;
        match (item, path.field) {
            (Item::Value(value), None) => Some(value),
            (Item::Fields(_), None) => Some(&FIELDS),
            (Item::Value(_), Some(_)) => None,
            (Item::Fields(fields), Some((name, index))) => {
                Some(&fields[field_position(kind, fields, name, index)?].1)
            }
        }
    }

    /// Names of the fields of a root, newest first.
    #[must_use]
    pub fn keys(&self, kind: XavpKind, root: &[u8], index: usize) -> Option<Vec<&[u8]>> {
        match &self.list[self.position(kind, (root, Some(index)))?].2 {
            Item::Fields(fields) => Some(fields.iter().rev().map(|f| &*f.0).collect()),
            Item::Value(_) => None,
        }
    }

    /// Sets the value at a path. Without an index `$xavp` and `$xavi` get a new root;
    /// with one, and in `$xavu`, the value that is there is replaced. False when the
    /// index names nothing.
    pub fn set(&mut self, kind: XavpKind, path: &XavpPath<'_>, value: Value<'static>) -> bool {
        let at = match (kind, path.root.1) {
            (XavpKind::Unique, _) | (_, Some(_)) => self.position(kind, path.root),
            (_, None) => None,
        };
        match (at, path.root.1) {
            (Some(i), _) => {
                let add = kind != XavpKind::Unique;
                set_item(kind, &mut self.list[i].2, path, value, add);
                true
            }
            (None, Some(_)) => false,
            (None, None) => {
                let item = match path.field {
                    None => Item::Value(value),
                    Some((name, _)) => Item::Fields(vec![(name.into(), value)]),
                };
                self.list.push((kind, path.root.0.into(), item));
                true
            }
        }
    }

    /// Adds or replaces one field of the newest root, which is made if need be
    /// (`KSR.pvx.xavp_child_sets`).
    pub fn set_child(&mut self, kind: XavpKind, root: &[u8], field: &[u8], value: Value<'static>) {
        let path = XavpPath {
            root: (root, None),
            field: Some((field, None)),
        };
        match self.position(kind, path.root) {
            Some(i) => set_item(kind, &mut self.list[i].2, &path, value, false),
            None => drop(self.set(kind, &path, value)),
        }
    }

    /// Removes the value at a path. False when there was none.
    pub fn remove(&mut self, kind: XavpKind, path: &XavpPath<'_>) -> bool {
        let Some(at) = self.position(kind, path.root) else {
            return false;
        };
        match (&mut self.list[at].2, path.field) {
            (_, None) => drop(self.list.remove(at)),
            (Item::Value(_), Some(_)) => return false,
            (Item::Fields(fields), Some((name, index))) => {
                match field_position(kind, fields, name, index) {
                    Some(i) => drop(fields.remove(i)),
                    None => return false,
                }
            }
        }
        true
    }

    /// Removes every root of that name.
    pub fn remove_all(&mut self, kind: XavpKind, root: &[u8]) -> usize {
        let before = self.list.len();
        self.list.retain(|x| x.0 != kind || !kind.same(&x.1, root));
        before - self.list.len()
    }

    fn position(&self, kind: XavpKind, root: (&[u8], Option<usize>)) -> Option<usize> {
        self.list
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, x)| x.0 == kind && kind.same(&x.1, root.0))
            .nth(root.1.unwrap_or(0))
            .map(|(i, _)| i)
    }
}

/// Sets a field of an item, or its value. `add` hides an earlier value of a field that
/// is named without an index instead of replacing it.
fn set_item(
    kind: XavpKind,
    item: &mut Item,
    path: &XavpPath<'_>,
    value: Value<'static>,
    add: bool,
) {
    let Some((name, index)) = path.field else {
        *item = Item::Value(value);
        return;
    };
    match item {
        Item::Value(_) => *item = Item::Fields(vec![(name.into(), value)]),
        Item::Fields(fields) => {
            let at = field_position(kind, fields, name, index);
            match at.filter(|_| !add || index.is_some()) {
                Some(i) => fields[i].1 = value,
                None => fields.push((name.into(), value)),
            }
        }
    }
}

fn field_position(
    kind: XavpKind,
    fields: &[(Box<[u8]>, Value<'static>)],
    name: &[u8],
    index: Option<usize>,
) -> Option<usize> {
    fields
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, f)| kind.same(&f.0, name))
        .nth(index.unwrap_or(0))
        .map(|(i, _)| i)
}
