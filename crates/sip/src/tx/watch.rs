//! What others want to know of a transaction while it goes on: accounting, dialogs, traces.
//!
//! Whoever watches names the kinds of [`happening`]s it wants. What happens is noted
//! in the transaction, in order, and told one at a time: [`Output::Watched`] says that
//! something is there, [`TxLayer::next_watched`] takes it, and after
//! [`TxLayer::watched_done`] comes the next one. Until all is told the transaction
//! stays, so that its data are there for whoever is told. The end comes last.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::id::{SERVER, TxId};
use super::layer::TxLayer;
use super::output::Output;
use super::server::Work;
use super::transaction::Transaction;
use crate::types::Millis;

/// Kinds of what happens to a transaction, to be added up.
pub mod happening {
    /// The request left on a branch; the message is the request as it left.
    pub const FORWARDED: u16 = 1;
    /// A response other than 100 came, whether or not it goes upstream; the message is
    /// that response as it would be forwarded.
    pub const RECEIVED: u16 = 2;
    /// A provisional response other than 100 went upstream.
    pub const PROVISIONAL: u16 = 4;
    /// A final response went upstream: the first one, and to INVITE the first 2xx of each
    /// further branch.
    pub const FINAL: u16 = 8;
    /// All branches have failed; a failure route may still make another decision of it. The
    /// message is the best failure, if there was one.
    pub const FAILED: u16 = 16;
    /// The ACK for a 2xx to INVITE came; the message is that ACK.
    pub const ACK: u16 = 32;
    /// A CANCEL for the INVITE came; the message is that CANCEL.
    pub const CANCEL: u16 = 64;
    /// The transaction is over. The code is that of the first final response, 0 when there
    /// was none.
    pub const END: u16 = 128;
}

/// What may be left out when it happens faster than it is told.
const MANY: u16 = happening::FORWARDED
    | happening::RECEIVED
    | happening::PROVISIONAL
    | happening::ACK
    | happening::CANCEL;
/// So much of it waits in a transaction; the rest is bounded by its branches.
const MOST_WAITING: usize = 64;

/// Somebody who watches a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// The kinds of [`happening`]s that it wants, added up.
    pub kinds: u16,
    /// Who it is; the layer passes it on.
    pub name: Arc<str>,
    /// What it is to it; the layer passes it on.
    pub key: u64,
    /// Passed on too: the message of what happened is to be shown, not the request.
    pub shows_message: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happened {
    /// One of the [`happening`]s.
    pub kind: u16,
    /// The branch; [`SERVER`] when it is about none.
    pub branch: u16,
    /// The code of the response, 0 for none.
    pub code: u16,
    /// The message.
    pub message: Option<Bytes>,
}

/// The watchers of one transaction, and what they have not been told yet.
#[derive(Debug, Default)]
pub(super) struct Watch {
    watchers: Vec<Watcher>,
    kinds: u16,
    /// With the number of the watcher.
    waiting: VecDeque<(u16, Happened)>,
    /// Whether somebody was asked to come for it; that holds a pin.
    telling: bool,
    ended: bool,
}

impl Watch {
    fn add(&mut self, watcher: Watcher) {
        self.kinds |= watcher.kinds;
        let same = |w: &&mut Watcher| w.name == watcher.name && w.key == watcher.key;
        match self.watchers.iter_mut().find(same) {
            Some(known) => known.kinds |= watcher.kinds,
            None => self.watchers.push(watcher),
        }
    }

    fn note(&mut self, happened: &Happened) {
        if happened.kind & MANY != 0 && self.waiting.len() >= MOST_WAITING {
            return;
        }
        for (index, watcher) in self.watchers.iter().enumerate() {
            if watcher.kinds & happened.kind != 0 {
                self.waiting.push_back((index as u16, happened.clone()));
            }
        }
    }
}

impl<D> TxLayer<D> {
    /// Has a watcher told what happens from now on. Twice the same name and key is one
    /// watcher. False if the transaction is gone.
    pub fn watch(&mut self, tx: TxId, watcher: Watcher) -> bool {
        let found = self.slab.get_mut(tx);
        found
            .map(|tx| tx.watch.get_or_insert_default().add(watcher))
            .is_some()
    }

    /// Notes what the layer does not see by itself: [`happening::ACK`] and
    /// [`happening::CANCEL`].
    pub fn happened(
        &mut self,
        now: Millis,
        tx: TxId,
        happened: &Happened,
        out: &mut Vec<Output<D>>,
    ) {
        self.with(now, tx, out, |work| work.note_happened(happened));
    }

    /// The oldest thing that was not told yet, and whom to tell.
    pub fn next_watched(&mut self, tx: TxId) -> Option<(Watcher, Happened)> {
        let watch = self.slab.get_mut(tx)?.watch.as_mut()?;
        let (index, happened) = watch.waiting.pop_front()?;
        let watcher = watch.watchers.get(usize::from(index))?.clone();
        Some((watcher, happened))
    }

    /// What [`Output::Watched`] asked for was told.
    pub fn watched_done(&mut self, now: Millis, tx: TxId, out: &mut Vec<Output<D>>) {
        self.with(now, tx, out, |work| {
            let Some(watch) = work.tx.watch.as_mut().filter(|w| w.telling) else {
                return;
            };
            if watch.waiting.is_empty() {
                watch.telling = false;
                work.unpin();
            } else {
                work.out.push(Output::Watched { tx: work.tx.id });
            }
        });
    }
}

impl<D> Transaction<D> {
    /// Whether somebody wants to know of one of these [`happening`]s.
    #[must_use]
    pub fn is_watched(&self, kinds: u16) -> bool {
        self.watch.as_ref().is_some_and(|w| w.kinds & kinds != 0)
    }
}

impl<D> Work<'_, D> {
    /// Notes that something happened on a branch, if somebody wants to know.
    pub(super) fn tell(&mut self, kind: u16, branch: usize, code: u16, message: Option<&Bytes>) {
        if self.tx.is_watched(kind) {
            self.note_happened(&Happened {
                kind,
                branch: branch as u16,
                code,
                message: message.cloned(),
            });
        }
    }

    /// Notes the end; false if nobody wants to know, or everybody does already.
    pub(super) fn tell_end(&mut self) -> bool {
        let wanted = |w: &&mut Box<Watch>| w.kinds & happening::END != 0 && !w.ended;
        let Some(watch) = self.tx.watch.as_mut().filter(wanted) else {
            return false;
        };
        watch.ended = true;
        let code = self.tx.final_code;
        self.tell(happening::END, usize::from(SERVER), code, None);
        true
    }

    fn note_happened(&mut self, happened: &Happened) {
        let Some(watch) = &mut self.tx.watch else {
            return;
        };
        watch.note(happened);
        if !watch.telling && !watch.waiting.is_empty() {
            watch.telling = true;
            self.tx.pins += 1;
            self.out.push(Output::Watched { tx: self.tx.id });
        }
    }
}
