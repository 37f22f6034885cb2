//! Script variables `$var(..)`, `$vn(..)` and `$vz(..)`.

use super::context::Value;

/// Named values. Few per script, so a list is faster than a map.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    list: Vec<(Box<[u8]>, Value<'static>)>,
}

impl Vars {
    /// The value of `name`, if it was ever set.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Value<'static>> {
        self.list.iter().find(|v| *v.0 == *name).map(|v| &v.1)
    }

    /// Sets `name`; [`Value::Null`] forgets it.
    pub fn set(&mut self, name: &[u8], value: Value<'static>) {
        let at = self.list.iter().position(|v| *v.0 == *name);
        match (at, value.is_null()) {
            (Some(i), true) => {
                self.list.swap_remove(i);
            }
            (Some(i), false) => self.list[i].1 = value,
            (None, true) => {}
            (None, false) => self.list.push((name.into(), value)),
        }
    }

    /// All names and values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value<'static>)> {
        self.list.iter().map(|(name, value)| (&**name, value))
    }
}
