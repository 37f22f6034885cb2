//! Transactions by slot and generation.

use super::id::TxId;
use super::transaction::Transaction;

/// A table of transactions. A slot is used again, its generation tells the
/// tenants apart. Transactions are boxed: growing the table moves pointers only.
#[derive(Debug)]
pub(super) struct Slab<D> {
    shard: u8,
    slots: Vec<Slot<D>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<D> {
    tx: Option<Box<Transaction<D>>>,
    generation: u32,
}

impl<D> Slab<D> {
    pub(super) const fn new(shard: u8) -> Self {
        Self {
            shard,
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
            self.slots.push(Slot {
                tx: None,
                generation: 0,
            });
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        let id = TxId {
            shard: self.shard,
            slot,
            generation: place.generation,
        };
        place.tx = Some(Box::new(make(id)));
        id
    }

    pub(super) fn remove(&mut self, id: TxId) -> Option<Box<Transaction<D>>> {
        self.get(id)?;
        let slot = &mut self.slots[id.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
        slot.tx.take()
    }

    pub(super) fn get(&self, id: TxId) -> Option<&Transaction<D>> {
        self.at(id.slot).filter(|tx| tx.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: TxId) -> Option<&mut Transaction<D>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.tx.as_deref_mut().filter(|tx| tx.id == id)
    }

    /// Whoever is in the slot now.
    pub(super) fn at(&self, slot: u32) -> Option<&Transaction<D>> {
        self.slots.get(slot as usize)?.tx.as_deref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Transaction<D>> {
        self.slots.iter().filter_map(|slot| slot.tx.as_deref())
    }
}
