//! Extended attribute-value pairs: `$xavp(root=>field)`, `$xavu(..)`, `$xavi(..)`.
//!
//! A name of `$xavp` and `$xavi` may have several values, the newest first, and each of
//! them is a text, a number or a list of fields; fields may have several values too.
//! Names of `$xavu` have one value, and its fields may be lists again.

use super::context::Value;
use super::pv::Index;

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

/// One name of a path, with its index.
pub type Step<'a> = (&'a [u8], Index);

/// `root[i]=>field[j]`, in `$xavu` also `root=>field=>field`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XavpPath<'a> {
    /// Name and index of the outer value.
    pub root: Step<'a>,
    /// Name and index of the field in it.
    pub field: Option<Step<'a>>,
    /// Name of a field of that field, in `$xavu`.
    pub inner: Option<&'a [u8]>,
}

impl<'a> XavpPath<'a> {
    /// Parses the inner name of `$xavp(..)`. Further steps than there are levels are left
    /// out, as Kamailio does.
    #[must_use]
    pub fn parse(kind: XavpKind, text: &'a [u8]) -> Option<Self> {
        let (root, rest) = split(text);
        let (field, rest) = match rest {
            Some(rest) => {
                let (field, rest) = split(rest);
                (Some(step(kind, field)?), rest)
            }
            None => (None, None),
        };
        let inner = match rest {
            Some(rest) if kind == XavpKind::Unique => Some(step(kind, split(rest).0)?.0),
            _ => None,
        };
        Some(Self {
            root: step(kind, root)?,
            field,
            inner,
        })
    }

    /// The same with an index of its last step, as in `$(xavp(root=>field)[1])`, if that
    /// has none.
    #[must_use]
    pub fn at(mut self, index: Index) -> Self {
        let last = self.field.as_mut().unwrap_or(&mut self.root);
        if last.1 == Index::None {
            last.1 = index;
        }
        self
    }

    /// The newest value of a name.
    #[must_use]
    pub const fn root(name: &'a [u8]) -> Self {
        Self {
            root: (name, Index::None),
            field: None,
            inner: None,
        }
    }

    /// A field of the newest value of a name.
    #[must_use]
    pub const fn child(name: &'a [u8], field: &'a [u8]) -> Self {
        Self {
            root: (name, Index::None),
            field: Some((field, Index::None)),
            inner: None,
        }
    }
}

fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memmem::find(text, b"=>") {
        Some(i) => (&text[..i], Some(&text[i + 2..])),
        None => (text, None),
    }
}

/// Names of `$xavu` have one value, whatever their index.
fn step(kind: XavpKind, text: &[u8]) -> Option<Step<'_>> {
    let text = text.trim_ascii();
    let Some(open) = text.strip_suffix(b"]") else {
        return (!text.is_empty()).then_some((text, Index::None));
    };
    let at = memchr::memrchr(b'[', open)?;
    let name = open[..at].trim_ascii();
    let index = match open[at + 1..].trim_ascii() {
        b"*" => Index::All,
        digits => Index::At(std::str::from_utf8(digits).ok()?.parse().ok()?),
    };
    let index = match kind {
        XavpKind::Unique => Index::None,
        XavpKind::Plain | XavpKind::NoCase => index,
    };
    (!name.is_empty()).then_some((name, index))
}

/// A value, or a list of fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// Text or number.
    Value(Value<'static>),
    /// Named values.
    Fields(Fields),
}

/// Named values. A name may occur several times, the newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    /// Oldest first, so that adding is cheap.
    list: Vec<(Box<[u8]>, Item)>,
}

impl Fields {
    /// All of them, newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Item)> {
        self.list.iter().rev().map(|(name, item)| (&**name, item))
    }

    /// Adds a value before the ones that are there.
    pub fn push(&mut self, name: &[u8], item: Item) {
        self.list.push((name.into(), item));
    }

    /// Adds a value behind the ones that are there.
    pub fn push_last(&mut self, name: &[u8], item: Item) {
        self.list.insert(0, (name.into(), item));
    }

    /// The values of a name, newest first.
    pub fn all<'a>(
        &'a self,
        kind: XavpKind,
        name: &'a [u8],
    ) -> impl DoubleEndedIterator<Item = &'a Item> + Clone {
        self.list
            .iter()
            .rev()
            .filter(move |f| kind.same(&f.0, name))
            .map(|f| &f.1)
    }

    /// Where the value at an index is in the list.
    fn position(&self, kind: XavpKind, (name, index): Step<'_>) -> Option<usize> {
        let mut found = self
            .list
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, f)| kind.same(&f.0, name));
        let at = match index {
            Index::None | Index::All => found.next(),
            Index::At(i) if i < 0 => found.nth_back(usize::try_from(i.unsigned_abs() - 1).ok()?),
            Index::At(i) => found.nth(usize::try_from(i).ok()?),
        };
        at.map(|(i, _)| i)
    }

    fn get(&self, kind: XavpKind, step: Step<'_>) -> Option<&Item> {
        Some(&self.list[self.position(kind, step)?].1)
    }

    /// The value at an index of a name, to be changed.
    pub fn get_mut(&mut self, kind: XavpKind, step: Step<'_>) -> Option<&mut Item> {
        let at = self.position(kind, step)?;
        Some(&mut self.list[at].1)
    }

    /// The values of a name, newest first, to be changed.
    pub fn all_mut(&mut self, kind: XavpKind, name: &[u8]) -> Vec<&mut Item> {
        let fields = self.list.iter_mut().rev();
        fields
            .filter(|f| kind.same(&f.0, name))
            .map(|f| &mut f.1)
            .collect()
    }

    fn remove(&mut self, kind: XavpKind, step: Step<'_>) -> usize {
        if step.1 == Index::All {
            let before = self.list.len();
            self.list.retain(|f| !kind.same(&f.0, step.0));
            return before - self.list.len();
        }
        let at = self.position(kind, step);
        at.map(|i| self.list.remove(i)).map_or(0, |_| 1)
    }
}

/// The extended AVPs of a transaction.
#[derive(Clone, Debug, Default)]
pub struct XavpList {
    plain: Fields,
    unique: Fields,
    no_case: Fields,
}

/// What reading a list of fields as text gives; Kamailio prints an address.
const FIELDS: Value<'static> = Value::borrowed(b"<<xavp>>");

impl XavpList {
    /// The roots of one kind.
    #[must_use]
    pub const fn roots(&self, kind: XavpKind) -> &Fields {
        match kind {
            XavpKind::Plain => &self.plain,
            XavpKind::Unique => &self.unique,
            XavpKind::NoCase => &self.no_case,
        }
    }

    /// The roots of one kind, to be changed.
    pub const fn roots_mut(&mut self, kind: XavpKind) -> &mut Fields {
        match kind {
            XavpKind::Plain => &mut self.plain,
            XavpKind::Unique => &mut self.unique,
            XavpKind::NoCase => &mut self.no_case,
        }
    }

    /// The value of a root.
    #[must_use]
    pub fn root(&self, kind: XavpKind, step: Step<'_>) -> Option<&Item> {
        self.roots(kind).get(kind, step)
    }

    /// The fields of a root; none when it has a value instead.
    #[must_use]
    pub fn fields(&self, kind: XavpKind, step: Step<'_>) -> Option<&Fields> {
        match self.root(kind, step)? {
            Item::Fields(fields) => Some(fields),
            Item::Value(_) => None,
        }
    }

    /// The value at a path. All values of a field are joined by `, `.
    #[must_use]
    pub fn get(&self, kind: XavpKind, path: &XavpPath<'_>) -> Value<'_> {
        let root = self.root(kind, path.root);
        let Some(field) = path.field else {
            return root.map_or(Value::Null, shown);
        };
        let Some(Item::Fields(fields)) = root else {
            return Value::Null;
        };
        match (path.inner, field.1) {
            (Some(inner), _) => inner_fields(fields, field.0)
                .and_then(|inner_fields| inner_fields.get(kind, (inner, Index::None)))
                .map_or(Value::Null, shown),
            (None, Index::All) => joined(fields.all(kind, field.0)),
            (None, _) if kind == XavpKind::Unique => unique(fields, field.0),
            (None, _) => fields.get(kind, field).map_or(Value::Null, shown),
        }
    }

    /// Sets the value at a path. Without an index `$xavp` and `$xavi` get a new value;
    /// with one, and in `$xavu`, the value that is there is replaced. As in Kamailio it is
    /// an error if there is no such root to replace, or if one that is to get a field has a
    /// value; a field that is not there is none.
    pub fn set(&mut self, kind: XavpKind, path: &XavpPath<'_>, value: Value<'static>) -> bool {
        let roots = self.roots_mut(kind);
        if kind == XavpKind::Unique {
            set_unique(roots, path, value);
            return true;
        }
        match (path.root.1, path.field) {
            (Index::None, None) => roots.push(path.root.0, Item::Value(value)),
            (Index::None, Some((name, _))) => {
                let mut fields = Fields::default();
                fields.push(name, Item::Value(value));
                roots.push(path.root.0, Item::Fields(fields));
            }
            (Index::At(0..), None) => match roots.position(kind, path.root) {
                Some(at) => roots.list[at].1 = Item::Value(value),
                None => return false,
            },
            (_, None) => return false,
            (_, Some(field)) => {
                let Some(at) = roots.position(kind, path.root) else {
                    return true;
                };
                let Item::Fields(fields) = &mut roots.list[at].1 else {
                    return false;
                };
                set_field(kind, fields, field, value);
            }
        }
        true
    }

    /// Sets the one value of a field of the newest root, which is made if need be
    /// (`KSR.pvx.xavp_child_sets`).
    pub fn set_child(&mut self, kind: XavpKind, root: &[u8], field: &[u8], value: Value<'static>) {
        let fields = self.newest_fields(kind, root);
        match fields.position(kind, (field, Index::None)) {
            Some(at) => fields.list[at].1 = Item::Value(value),
            None => fields.push(field, Item::Value(value)),
        }
    }

    /// The fields of the newest root of that name. A value that is there instead of fields
    /// gives way, and the root is made if need be.
    pub fn newest_fields(&mut self, kind: XavpKind, root: &[u8]) -> &mut Fields {
        let roots = self.roots_mut(kind);
        let at = roots
            .position(kind, (root, Index::None))
            .unwrap_or_else(|| {
                roots.push(root, Item::Fields(Fields::default()));
                roots.list.len() - 1
            });
        as_fields(&mut roots.list[at].1)
    }

    /// Removes what is at a path: of several values the newest, all of them with `[*]`.
    /// How many were removed.
    pub fn remove(&mut self, kind: XavpKind, path: &XavpPath<'_>) -> usize {
        let roots = self.roots_mut(kind);
        let Some(field) = path.field else {
            return roots.remove(kind, path.root);
        };
        let first = roots.position(kind, path.root);
        let chosen = |(i, f): &(usize, &mut (Box<[u8]>, Item))| match path.root.1 {
            Index::All => kind.same(&f.0, path.root.0),
            Index::None | Index::At(_) => first == Some(*i),
        };
        let roots = roots.list.iter_mut().enumerate().filter(chosen);
        roots
            .map(|(_, (_, item))| match (item, path.inner) {
                (Item::Value(_), _) => 0,
                (Item::Fields(fields), None) => fields.remove(kind, field),
                (Item::Fields(fields), Some(inner)) => inner_fields_mut(fields, field.0)
                    .map_or(0, |fields| fields.remove(kind, (inner, Index::All))),
            })
            .sum()
    }
}

/// What a script reads of an item.
fn shown(item: &Item) -> Value<'_> {
    match item {
        Item::Value(value) => super::pv::borrow(value),
        Item::Fields(_) => FIELDS,
    }
}

fn joined<'a>(items: impl Iterator<Item = &'a Item>) -> Value<'static> {
    let texts: Vec<_> = items
        .filter_map(|item| shown(item).text().map(std::borrow::Cow::into_owned))
        .collect();
    if texts.is_empty() {
        Value::Null
    } else {
        Value::owned(texts.join(b", ".as_slice()))
    }
}

fn set_field(kind: XavpKind, fields: &mut Fields, field: Step<'_>, value: Value<'static>) {
    match field.1 {
        Index::None => fields.push(field.0, Item::Value(value)),
        Index::At(0..) => {
            if let Some(at) = fields.position(kind, field) {
                fields.list[at].1 = Item::Value(value);
            }
        }
        Index::At(_) | Index::All => {}
    }
}

fn as_fields(item: &mut Item) -> &mut Fields {
    if let Item::Value(_) = item {
        *item = Item::Fields(Fields::default());
    }
    match item {
        Item::Fields(fields) => fields,
        Item::Value(_) => unreachable!("made fields above"),
    }
}

// In `$xavu` a name may have a value and fields beside each other.

fn named(name: &[u8], with_fields: bool) -> impl Fn(&(Box<[u8]>, Item)) -> bool {
    move |f| *f.0 == *name && matches!(f.1, Item::Fields(_)) == with_fields
}

fn unique<'a>(fields: &'a Fields, name: &[u8]) -> Value<'a> {
    let value = fields.list.iter().find(|f| named(name, false)(f));
    let value = value.or_else(|| fields.list.iter().find(|f| *f.0 == *name));
    value.map_or(Value::Null, |f| shown(&f.1))
}

fn inner_fields<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a Fields> {
    fields.list.iter().find_map(|f| match &f.1 {
        Item::Fields(inner) if *f.0 == *name => Some(inner),
        _ => None,
    })
}

fn inner_fields_mut<'a>(fields: &'a mut Fields, name: &[u8]) -> Option<&'a mut Fields> {
    fields.list.iter_mut().find_map(|f| match &mut f.1 {
        Item::Fields(inner) if *f.0 == *name => Some(inner),
        _ => None,
    })
}

fn set_unique(roots: &mut Fields, path: &XavpPath<'_>, value: Value<'static>) {
    let at = roots.list.iter().position(|f| *f.0 == *path.root.0);
    let at = at.unwrap_or_else(|| {
        roots.push(path.root.0, Item::Value(Value::Null));
        roots.list.len() - 1
    });
    let root = &mut roots.list[at].1;
    match (path.field, path.inner) {
        (None, _) => *root = Item::Value(value),
        (Some((name, _)), None) => put(as_fields(root), name, value),
        (Some((name, _)), Some(inner)) => {
            let fields = as_fields(root);
            let at = fields.list.iter().position(named(name, true));
            let at = at.unwrap_or_else(|| {
                fields.push(name, Item::Fields(Fields::default()));
                fields.list.len() - 1
            });
            put(as_fields(&mut fields.list[at].1), inner, value);
        }
    }
}

/// Sets the one value of a name.
fn put(fields: &mut Fields, name: &[u8], value: Value<'static>) {
    match fields.list.iter_mut().find(|f| named(name, false)(f)) {
        Some(field) => field.1 = Item::Value(value),
        None => fields.push(name, Item::Value(value)),
    }
}
