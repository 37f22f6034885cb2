//! Requests that the script has not finished yet.
//!
//! A transaction exists only once the script makes one (`t_newtran`, `t_relay`),
//! but a client retransmits from 500 ms on whether or not a worker has been free.
//! Every request is therefore known here from its arrival to the end of its
//! route: retransmissions meanwhile are dropped, an INVITE gets a 100 Trying
//! after 200 ms, and a CANCEL can be carried out without the script.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::RandomState;
use sipwright_sip::message::Message;
use sipwright_sip::method::Method;
use sipwright_sip::tx::TxId;
use sipwright_sip::types::{Flow, Millis};
use sipwright_sip::via::Via;

use crate::sync::{OrderedGuard, OrderedMutex, rank};

/// Identity of a request among those in work (RFC 3261 section 17.2.3).
pub type PendingKey = u64;

const STRIPES: usize = 16;

/// What is kept of a request in work.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The request itself.
    pub msg: Arc<Message>,
    /// How it came.
    pub flow: Flow,
    /// When it came.
    pub arrived: Millis,
    /// Whether the engine has already done for it what it does when workers lag.
    pub relieved: bool,
    /// The transaction that this ACK ended when it came; it may be gone by now.
    pub ended: Option<TxId>,
}

/// All requests in work, in stripes with a short lock each.
#[derive(Debug)]
pub struct PendingTable {
    stripes: [OrderedMutex<HashMap<PendingKey, Pending, RandomState>>; STRIPES],
    hasher: RandomState,
    len: AtomicUsize,
}

impl Default for PendingTable {
    fn default() -> Self {
        Self {
            stripes: std::array::from_fn(|_| OrderedMutex::new(rank::PENDING, HashMap::default())),
            hasher: RandomState::new(),
            len: AtomicUsize::new(0),
        }
    }
}

impl PendingTable {
    /// Key of a request: branch, sent-by and method, or what RFC 2543 had
    /// instead where the branch lacks the magic cookie.
    #[must_use]
    pub fn key(&self, msg: &Message) -> PendingKey {
        let mut h = self.hasher.build_hasher();
        msg.method_name().hash(&mut h);
        Self::hash_request(msg, &mut h);
        h.finish()
    }

    /// The same for a request, its CANCEL and the ACK of its failure, whose methods alone
    /// tell them apart (RFC 3261 sections 9.1, 17.1.1.3).
    #[must_use]
    pub fn family(&self, msg: &Message) -> PendingKey {
        let mut h = self.hasher.build_hasher();
        Self::hash_request(msg, &mut h);
        h.finish()
    }

    /// Ties the branch that a family gets, when it is forwarded without state, to the Via
    /// that its responses go back by.
    #[must_use]
    pub fn seal(&self, family: &[u8], msg: &Message, via: &Via) -> PendingKey {
        let mut h = self.hasher.build_hasher();
        family.hash(&mut h);
        msg.get(via.host).hash(&mut h);
        via.port.hash(&mut h);
        via.branch.map(|s| msg.get(s)).hash(&mut h);
        h.finish()
    }

    fn hash_request(msg: &Message, h: &mut impl Hasher) {
        let via = msg.via();
        let branch = via.branch.map_or(&b""[..], |s| msg.get(s));
        msg.get(via.host).hash(h);
        via.port.hash(h);
        branch.hash(h);
        // The bare cookie is no better than none (RFC 4475 section 3.2.1).
        if !branch.starts_with(b"z9hG4bK") || branch.len() == 7 {
            msg.uri().hash(h);
            msg.call_id().hash(h);
            msg.cseq().hash(h);
            msg.from().tag.map(|s| msg.get(s)).hash(h);
        }
    }

    fn stripe(
        &self,
        key: PendingKey,
    ) -> OrderedGuard<'_, HashMap<PendingKey, Pending, RandomState>> {
        let index = usize::try_from(key % STRIPES as u64).unwrap_or(0);
        self.stripes[index].lock()
    }

    /// Notes a request; false if it is there already, that is, a retransmission.
    pub fn insert(&self, key: PendingKey, msg: &Arc<Message>, flow: Flow, now: Millis) -> bool {
        match self.stripe(key).entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                slot.insert(Pending {
                    msg: Arc::clone(msg),
                    flow,
                    arrived: now,
                    relieved: false,
                    ended: None,
                });
                self.len.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }

    /// Forgets a request whose route has ended; gives what was known of it.
    pub fn remove(&self, key: PendingKey) -> Option<Pending> {
        let gone = self.stripe(key).remove(&key);
        if gone.is_some() {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        gone
    }

    /// Notes that an ACK ended this transaction when it came.
    pub fn set_ended(&self, key: PendingKey, tx: TxId) {
        if let Some(pending) = self.stripe(key).get_mut(&key) {
            pending.ended = Some(tx);
        }
    }

    /// The transaction that an ACK ended when it came.
    #[must_use]
    pub fn ended(&self, key: PendingKey) -> Option<TxId> {
        self.stripe(key).get(&key).and_then(|p| p.ended)
    }

    /// Whether the engine has dealt with it while it waited.
    #[must_use]
    pub fn is_relieved(&self, key: PendingKey) -> bool {
        self.stripe(key).get(&key).is_some_and(|p| p.relieved)
    }

    /// INVITEs and CANCELs older than `age_ms` that nothing was done for yet;
    /// each is given out once.
    pub fn overdue(&self, now: Millis, age_ms: Millis) -> Vec<Pending> {
        let mut found = Vec::new();
        if self.is_empty() {
            return found;
        }
        for stripe in &self.stripes {
            let mut map = stripe.lock();
            for p in map.values_mut() {
                let waits = matches!(p.msg.method(), Method::Invite | Method::Cancel);
                if waits && !p.relieved && now.saturating_sub(p.arrived) >= age_ms {
                    p.relieved = true;
                    found.push(p.clone());
                }
            }
        }
        found
    }

    /// Requests in work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether none is in work.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
