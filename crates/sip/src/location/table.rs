//! The bindings of one location table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::binding::{Binding, State};

/// An address-of-record with its bindings, in the order in which they are tried.
#[derive(Debug, Default)]
struct Slot {
    aor: Option<Arc<str>>,
    bindings: Vec<Binding>,
}

/// A binding with its address-of-record.
pub type Owned = (Arc<str>, Binding);

/// What the database does not know yet.
#[derive(Debug, Default)]
pub struct Changes {
    /// New or changed bindings; their `state` says which.
    pub written: Vec<Owned>,
    /// Bindings that are gone.
    pub removed: Vec<Owned>,
}

/// Bindings by address-of-record. They lie in slots, so that a walk over all of them can be made in steps.
#[derive(Debug, Default)]
pub struct Table {
    index: HashMap<Arc<str>, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    count: usize,
    newest_first: bool,
    tracked: bool,
    /// Slots with changed bindings, some of them more than once.
    changed: Vec<u32>,
    removed: Vec<Owned>,
    /// Slots of the bindings with an instance by record id, for temporary GRUUs (RFC 5627).
    instances: HashMap<Box<str>, u32>,
    /// Texts that many bindings have.
    agents: HashSet<Arc<str>>,
}

/// Texts that are kept once, such as names of user agents.
const MAX_SHARED: usize = 4_096;
/// Removed bindings that are kept for the database at most; further ones stay there until they end.
const MAX_REMOVED: usize = 1_000_000;

impl Table {
    /// An empty table: the newest binding first, or the one with the highest q; changes kept for the database or not.
    #[must_use]
    pub fn new(newest_first: bool, tracked: bool) -> Self {
        Self {
            newest_first,
            tracked,
            ..Self::default()
        }
    }

    /// Number of bindings.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of addresses-of-record.
    #[must_use]
    pub fn users(&self) -> usize {
        self.index.len()
    }

    /// The one text for all that are equal, as long as there are not too many different ones.
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.agents.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.agents.len() < MAX_SHARED {
            self.agents.insert(Arc::clone(&new));
        }
        new
    }

    /// All bindings of an address-of-record, those that have ended included, in the order in which they are tried.
    #[must_use]
    pub fn get(&self, aor: &str) -> &[Binding] {
        self.index
            .get(aor)
            .map_or(&[], |at| &self.slots[*at as usize].bindings)
    }

    /// The address-of-record of the binding with an instance that has that record id.
    #[must_use]
    pub fn aor_of(&self, ruid: &str) -> Option<&str> {
        let at = *self.instances.get(ruid)?;
        self.slots[at as usize].aor.as_deref()
    }

    /// Adds a binding, or replaces the one with its record id, which keeps its place unless its q has changed.
    pub fn put(&mut self, aor: &str, mut new: Binding) {
        let (at, tracked) = (self.slot_of(aor), self.tracked);
        if !new.instance.is_empty() {
            self.instances.insert(new.ruid.clone(), at);
        }
        let slot = &mut self.slots[at as usize];
        let old = slot.bindings.iter().position(|b| b.ruid == new.ruid);
        if let Some(place) = old {
            let old = &mut slot.bindings[place];
            new.state = old.state;
            new.touch();
            if old.q == new.q && !self.newest_first {
                *old = new;
                self.note(at, tracked);
                return;
            }
            slot.bindings.remove(place);
        } else {
            self.count += 1;
        }
        let place = if self.newest_first {
            0
        } else {
            let later = slot.bindings.iter().position(|b| b.q < new.q);
            later.unwrap_or(slot.bindings.len())
        };
        slot.bindings.reserve_exact(1);
        slot.bindings.insert(place, new);
        self.note(at, tracked);
    }

    /// Changes a binding in place, if `change` says so; whether it did.
    pub fn update(&mut self, aor: &str, change: impl FnOnce(&mut [Binding]) -> bool) -> bool {
        let Some(&at) = self.index.get(aor) else {
            return false;
        };
        let done = change(&mut self.slots[at as usize].bindings);
        if done {
            self.note(at, self.tracked);
        }
        done
    }

    /// Notes that the contact of a binding is there; no change for the database. Whether it is known.
    pub fn seen(&mut self, aor: &str, ruid: &str, seen_at: i64) -> bool {
        let Some(&at) = self.index.get(aor) else {
            return false;
        };
        let found = self.slots[at as usize]
            .bindings
            .iter_mut()
            .find(|b| &*b.ruid == ruid);
        found.map(|b| b.seen_at = seen_at).is_some()
    }

    /// Removes the binding with that record id.
    pub fn remove(&mut self, aor: &str, ruid: &str) -> Option<Binding> {
        let at = *self.index.get(aor)?;
        let place = self.slots[at as usize]
            .bindings
            .iter()
            .position(|b| &*b.ruid == ruid)?;
        Some(self.take(at, place))
    }

    /// Removes all bindings of an address-of-record.
    pub fn remove_all(&mut self, aor: &str) -> Vec<Binding> {
        let Some(&at) = self.index.get(aor) else {
            return Vec::new();
        };
        let count = self.slots[at as usize].bindings.len();
        (0..count).map(|_| self.take(at, 0)).collect()
    }

    /// Removes what has ended from the next `count` slots from `start` on. Where to go on, 0 at the end.
    pub fn sweep(&mut self, start: u32, count: u32, now: i64, ended: &mut Vec<Owned>) -> u32 {
        let (end, next) = self.step(start, count);
        for at in start..end {
            while let Some(place) = self.slots[at as usize]
                .bindings
                .iter()
                .position(|b| !b.is_live(now))
            {
                let aor = self.slots[at as usize].aor.clone().unwrap_or_default();
                let binding = self.take(at, place);
                ended.push((aor, binding));
            }
        }
        next
    }

    /// Copies the bindings of the next `count` slots from `start` on that `wanted` accepts. Where to go on, 0 at the end.
    pub fn page(
        &self,
        start: u32,
        count: u32,
        wanted: impl Fn(&Binding) -> bool,
        found: &mut Vec<Owned>,
    ) -> u32 {
        let (end, next) = self.step(start, count);
        for slot in &self.slots[start.min(end) as usize..end as usize] {
            if let Some(aor) = &slot.aor {
                let chosen = slot.bindings.iter().filter(|b| wanted(b));
                found.extend(chosen.map(|b| (Arc::clone(aor), b.clone())));
            }
        }
        next
    }

    /// What is to be written to the database, at most `limit` slots of it; counts as written from here on.
    pub fn take_changes(&mut self, limit: usize) -> Changes {
        let mut changes = Changes {
            removed: self
                .removed
                .split_off(self.removed.len().saturating_sub(limit)),
            ..Changes::default()
        };
        let from = self.changed.len().saturating_sub(limit);
        for at in self.changed.split_off(from) {
            let Some(slot) = self.slots.get_mut(at as usize) else {
                continue;
            };
            let Some(aor) = &slot.aor else { continue };
            for binding in &mut slot.bindings {
                if binding.state != State::Sync && binding.flags & Binding::MEMORY_ONLY == 0 {
                    changes.written.push((Arc::clone(aor), binding.clone()));
                    binding.state = State::Sync;
                }
            }
        }
        changes
    }

    /// Number of slots and removed bindings that the database does not know of.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.changed.len() + self.removed.len()
    }

    fn step(&self, start: u32, count: u32) -> (u32, u32) {
        let len = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let end = start.saturating_add(count).min(len);
        (end, if end < len { end } else { 0 })
    }

    fn slot_of(&mut self, aor: &str) -> u32 {
        if let Some(&at) = self.index.get(aor) {
            return at;
        }
        let key: Arc<str> = aor.into();
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[at as usize].aor = Some(Arc::clone(&key));
        self.index.insert(key, at);
        at
    }

    fn note(&mut self, at: u32, tracked: bool) {
        let is_written = |b: &Binding| b.state == State::Sync;
        if tracked && !self.slots[at as usize].bindings.iter().all(is_written) {
            // A slot that was noted last needs no second note: a client that registers twice in a row.
            if self.changed.last() != Some(&at) {
                self.changed.push(at);
            }
        }
    }

    fn take(&mut self, at: u32, place: usize) -> Binding {
        let slot = &mut self.slots[at as usize];
        let binding = slot.bindings.remove(place);
        self.count -= 1;
        if !binding.instance.is_empty() {
            self.instances.remove(&binding.ruid);
        }
        let aor = slot.aor.clone().unwrap_or_default();
        if slot.bindings.is_empty() {
            slot.bindings = Vec::new();
            slot.aor = None;
            self.index.remove(&*aor);
            self.free.push(at);
        }
        if self.tracked && binding.state != State::New && self.removed.len() < MAX_REMOVED {
            self.removed.push((aor, binding.clone()));
        }
        binding
    }
}
