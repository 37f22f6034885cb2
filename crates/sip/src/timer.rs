//! A queue of deadlines, at most one per owner.
//!
//! An owner is a small number such as the slot of a transaction. It has one
//! entry, which moves when its deadline does and leaves when it is cleared:
//! memory follows what is alive, not what was once armed. A heap of four children per node
//! in which every owner knows its place makes all of that O(log n) in the worst
//! case; a new deadline is mostly later than the others and costs one comparison.

use crate::types::Millis;

/// Children per node: half the depth of a binary heap, same cache lines.
const ARITY: usize = 4;
/// An owner that is not in the heap.
const ABSENT: u32 = u32::MAX;

/// Deadlines of numbered owners, the earliest first; equal ones by number.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    heap: Vec<(Millis, u32)>,
    place: Vec<u32>,
}

impl Deadlines {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: Vec::new(),
            place: Vec::new(),
        }
    }

    /// How many owners have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nobody has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Millis> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// The owner with the earliest deadline, once that is due. It stays until it
    /// is set anew or cleared.
    #[must_use]
    pub fn due(&self, now: Millis) -> Option<u32> {
        self.heap
            .first()
            .filter(|&&(at, _)| at <= now)
            .map(|&(_, owner)| owner)
    }

    /// Sets or moves the deadline of `owner`.
    pub fn set(&mut self, owner: u32, at: Millis) {
        let index = owner as usize;
        if index >= self.place.len() {
            self.place.resize(index + 1, ABSENT);
        }
        let place = match self.place[index] {
            ABSENT => {
                self.heap.push((at, owner));
                self.heap.len() - 1
            }
            place => {
                self.heap[place as usize].0 = at;
                place as usize
            }
        };
        self.restore(place);
    }

    /// Removes the deadline of `owner`, if it has one.
    pub fn clear(&mut self, owner: u32) {
        let Some(place) = self.place.get_mut(owner as usize) else {
            return;
        };
        let at = std::mem::replace(place, ABSENT);
        if at == ABSENT {
            return;
        }
        self.heap.swap_remove(at as usize);
        if (at as usize) < self.heap.len() {
            self.restore(at as usize);
        }
    }

    /// Puts the entry at `place` where it belongs.
    fn restore(&mut self, place: usize) {
        let place = self.up(place);
        self.down(place);
    }

    fn up(&mut self, mut place: usize) -> usize {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
        place
    }

    fn down(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let first = place * ARITY + 1;
            let last = (first + ARITY).min(self.heap.len());
            let Some(least) = (first..last).min_by_key(|&child| self.heap[child]) else {
                break;
            };
            if entry <= self.heap[least] {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: (Millis, u32)) {
        self.heap[place] = entry;
        self.place[entry.1 as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Deadlines;

    /// Takes out everything, in order.
    fn drain(mut deadlines: Deadlines) -> Vec<(u64, u32)> {
        let mut drained = Vec::new();
        while let Some(at) = deadlines.next() {
            let owner = deadlines.due(at).expect("the next one is due then");
            assert_eq!(at.checked_sub(1).and_then(|t| deadlines.due(t)), None);
            deadlines.clear(owner);
            drained.push((at, owner));
        }
        drained
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(steps in prop::collection::vec((0_u32..40, 0_u64..100, any::<bool>()), 0..300)) {
            let mut deadlines = Deadlines::new();
            let mut at_of = vec![None; 40];
            for (owner, at, set) in steps {
                if set { deadlines.set(owner, at) } else { deadlines.clear(owner) }
                at_of[owner as usize] = set.then_some(at);
            }
            let sorted: BTreeSet<(u64, u32)> = (0..).zip(at_of).filter_map(|(o, at)| Some((at?, o))).collect();
            prop_assert_eq!(deadlines.len(), sorted.len());
            prop_assert_eq!(drain(deadlines), sorted.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_unknown_owner_may_be_cleared() {
        let mut deadlines = Deadlines::new();
        deadlines.clear(7);
        assert!(deadlines.is_empty());
    }
}
