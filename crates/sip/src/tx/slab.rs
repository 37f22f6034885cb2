//! Transactions by slot and generation.

use super::id::TxId;
use super::transaction::Transaction;

/// An empty table no larger than this is left as it is.
const KEPT_SLOTS: usize = 256;

/// A table of transactions. A slot is used again, its generation tells the
/// tenants apart: no two in a row of 2**32 have the same. Transactions are boxed: growing
/// the table moves pointers only.
#[derive(Debug)]
pub(super) struct Slab<D> {
    shard: u8,
    next_generation: u32,
    slots: Vec<Option<Box<Transaction<D>>>>,
    free: Vec<u32>,
}

impl<D> Slab<D> {
    pub(super) const fn new(shard: u8) -> Self {
        Self {
            shard,
            next_generation: 0,
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts a transaction into a free slot; it is made once its id is known.
    pub(super) fn insert(&mut self, make: impl FnOnce(TxId) -> Transaction<D>) -> TxId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        let id = TxId {
            shard: self.shard,
            slot,
            generation: self.next_generation,
        };
        self.next_generation = self.next_generation.wrapping_add(1);
        self.slots[slot as usize] = Some(Box::new(make(id)));
        id
    }

    pub(super) fn remove(&mut self, id: TxId) -> Option<Box<Transaction<D>>> {
        self.get(id)?;
        self.free.push(id.slot);
        self.slots[id.slot as usize].take()
    }

    /// Gives back what a peak of load has left, once nothing is in the table.
    pub(super) fn shrink_if_empty(&mut self) -> bool {
        let shrinks = self.len() == 0 && self.slots.len() > KEPT_SLOTS;
        if shrinks {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
        shrinks
    }

    pub(super) fn get(&self, id: TxId) -> Option<&Transaction<D>> {
        self.at(id.slot).filter(|tx| tx.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: TxId) -> Option<&mut Transaction<D>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.as_deref_mut().filter(|tx| tx.id == id)
    }

    /// Whoever is in the slot now.
    pub(super) fn at(&self, slot: u32) -> Option<&Transaction<D>> {
        self.slots.get(slot as usize)?.as_deref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Transaction<D>> {
        self.slots.iter().filter_map(Option::as_deref)
    }
}
