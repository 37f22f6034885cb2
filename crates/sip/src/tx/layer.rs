//! The transaction layer: what the engine calls. Requests and replies are in
//! [`super::requests`], branches and responses in [`super::responses`].

use super::config::TxConfig;
use super::counts::Counts;
use super::id::{Tokens, TxId};
use super::keys::KeyMap;
use super::output::Output;
use super::server::Work;
use super::slab::Slab;
use super::table::{Event, Transition};
use super::transaction::Transaction;
use crate::timer::Deadlines;
use crate::types::Millis;

/// The transactions of one shard, with `D` for the caller's data on each.
///
/// Not a lock in here: the caller keeps every shard behind one of its own, and
/// carries the outputs out after leaving it.
#[derive(Debug)]
pub struct TxLayer<D> {
    pub(super) cfg: TxConfig,
    pub(super) tokens: Tokens,
    pub(super) slab: Slab<D>,
    pub(super) requests: KeyMap,
    pub(super) dialogs: KeyMap,
    pub(super) deadlines: Deadlines,
    pub(super) trace: Option<Vec<Transition>>,
    pub(super) counts: Counts,
}

/// Life, time and looking at transactions.
impl<D> TxLayer<D> {
    /// An empty layer. `instance` is the secret behind branch tokens and To tags:
    /// random at every start, the same for all shards.
    #[must_use]
    pub fn new(shard: u8, instance: u64, cfg: TxConfig) -> Self {
        Self {
            cfg,
            tokens: Tokens::new(instance),
            slab: Slab::new(shard),
            requests: KeyMap::default(),
            dialogs: KeyMap::default(),
            deadlines: Deadlines::new(),
            trace: None,
            counts: Counts::default(),
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &TxConfig {
        &self.cfg
    }

    /// Changes settings; timers that run keep their time.
    pub fn set_config(&mut self, cfg: TxConfig) {
        self.cfg = cfg;
    }

    /// When [`TxLayer::handle_timeout`] is to be called; may be in the past.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.deadlines.next()
    }

    /// Runs all timers that are due. Early and late calls do no harm.
    pub fn handle_timeout(&mut self, now: Millis, out: &mut Vec<Output<D>>) {
        while let Some(slot) = self.deadlines.due(now) {
            match self.slab.at(slot).map(Transaction::id) {
                Some(id) => self.with(now, id, out, |work| work.run_timers()),
                None => {
                    debug_assert!(false, "a deadline of an empty slot");
                    self.deadlines.clear(slot);
                    None
                }
            };
        }
    }

    /// A transaction.
    #[must_use]
    pub fn get(&self, tx: TxId) -> Option<&Transaction<D>> {
        self.slab.get(tx)
    }

    /// A transaction, to arm hooks and to change the caller's data.
    pub fn get_mut(&mut self, tx: TxId) -> Option<&mut Transaction<D>> {
        self.slab.get_mut(tx)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All transactions, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Transaction<D>> {
        self.slab.iter()
    }

    /// Records the steps of all machines from now on, or stops it. For tests and
    /// for looking at a server at work; [`TxLayer::take_trace`] empties it.
    pub fn set_trace(&mut self, on: bool) {
        self.trace = on.then(Vec::new);
    }

    /// The steps recorded since the last call.
    pub fn take_trace(&mut self) -> Vec<Transition> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Keeps a transaction alive until [`TxLayer::unpin`]. False if it is gone.
    pub fn pin(&mut self, tx: TxId) -> bool {
        let found = self.slab.get_mut(tx);
        found.map(|tx| tx.pins += 1).is_some()
    }

    /// Gives a pin back. A request that nobody answered, forwarded or holds on to
    /// is forgotten (Kamailio's "script didn't release transaction").
    pub fn unpin(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| work.unpin());
    }

    /// Does something to a transaction, then sees to its timers and its end.
    pub(super) fn with<R>(
        &mut self,
        now: Millis,
        id: TxId,
        out: &mut Vec<Output<D>>,
        act: impl FnOnce(&mut Work<'_, D>) -> R,
    ) -> Option<R> {
        let tx = self.slab.get_mut(id)?;
        let mut work = Work {
            now,
            cfg: &self.cfg,
            tx,
            out,
            trace: &mut self.trace,
            tokens: &self.tokens,
            counts: &mut self.counts,
        };
        let result = act(&mut work);
        if work.tx.is_forgotten() {
            work.server_event(Event::Release);
        }
        if work.tx.is_over() && !work.tell_end() {
            self.destroy(id, out);
        } else {
            match work.tx.deadline() {
                Millis::MAX => self.deadlines.clear(id.slot),
                at => self.deadlines.set(id.slot, at),
            }
        }
        Some(result)
    }

    fn destroy(&mut self, id: TxId, out: &mut Vec<Output<D>>) {
        let Some(tx) = self.slab.remove(id) else {
            return;
        };
        self.counts.freed += 1;
        self.deadlines.clear(id.slot);
        for (map, key) in [
            (&mut self.requests, tx.key),
            (&mut self.dialogs, tx.dialog_key),
        ] {
            if map.get(&key) == Some(&id.slot) {
                map.remove(&key);
            }
        }
        let ends_peak = self.slab.shrink_if_empty();
        if ends_peak {
            self.requests = KeyMap::default();
            self.dialogs = KeyMap::default();
            self.deadlines = Deadlines::new();
        }
        out.push(Output::Destroyed {
            tx: id,
            code: tx.final_code,
            data: tx.data,
            ends_peak,
        });
    }
}

impl<D> Work<'_, D> {
    /// Gives a pin back.
    pub(super) fn unpin(&mut self) {
        debug_assert!(self.tx.pins > 0, "a pin was given back twice");
        self.tx.pins = self.tx.pins.saturating_sub(1);
    }
}
