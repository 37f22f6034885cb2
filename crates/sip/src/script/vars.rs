//! Script variables `$var(..)`, `$vn(..)` and `$vz(..)`, and shared ones, `$shv(..)`.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

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

/// Domains of a table that are this server.
#[derive(Debug, Default)]
pub struct OwnDomains {
    // held for a look-up or a change only; nothing else is locked meanwhile
    names: RwLock<HashSet<Box<[u8]>>>,
}

impl OwnDomains {
    /// Whether a host is one of them.
    #[must_use]
    pub fn contains(&self, host: &[u8]) -> bool {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        !names.is_empty() && names.contains(&*host.to_ascii_lowercase())
    }

    /// Puts others in the place of all that there were.
    pub fn set<'a>(&self, hosts: impl Iterator<Item = &'a [u8]>) {
        let all = hosts.map(|host| host.to_ascii_lowercase().into()).collect();
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = all;
    }
}

/// Variables that all workers share. One that was never set is 0.
#[derive(Debug, Default)]
pub struct SharedVars {
    // held for a look-up or a change only; nothing else is locked meanwhile
    list: RwLock<Vec<(Box<[u8]>, Value<'static>)>>,
}

impl SharedVars {
    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Value<'static> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let found = list.iter().find(|v| *v.0 == *name);
        found.map_or(Value::Int(0), |v| v.1.clone())
    }

    /// Sets `name`; [`Value::Null`] makes it an empty text, as in Kamailio.
    pub fn set(&self, name: &[u8], value: Value<'static>) {
        let value = match value {
            Value::Null => Value::borrowed(b""),
            value => value,
        };
        self.change(name, |old| *old = value);
    }

    /// Adds one to the number that `name` is, and gives the sum; null for a text.
    #[must_use]
    pub fn increment(&self, name: &[u8]) -> Value<'static> {
        self.change(name, |old| match old {
            Value::Int(n) => {
                *n = n.wrapping_add(1);
                Value::Int(*n)
            }
            _ => Value::Null,
        })
    }

    /// All names and values.
    #[must_use]
    pub fn all(&self) -> Vec<(Box<[u8]>, Value<'static>)> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.clone()
    }

    /// Forgets all and sets these.
    pub fn replace(&self, values: impl IntoIterator<Item = (Box<[u8]>, Value<'static>)>) {
        let values = values.into_iter().collect();
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = values;
    }

    fn change<R>(&self, name: &[u8], f: impl FnOnce(&mut Value<'static>) -> R) -> R {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let at = list.iter().position(|v| *v.0 == *name);
        let at = at.unwrap_or_else(|| {
            list.push((name.into(), Value::Int(0)));
            list.len() - 1
        });
        f(&mut list[at].1)
    }
}
