//! The recording: the last messages and what scripts decided about them, in bounded memory.
//!
//! Whoever receives, sends or decides copies a few hundred bytes into a ring under a leaf
//! lock; nothing is parsed, formatted, masked, allocated or awaited there. Readers follow by
//! number: they copy a piece at a time out of the ring and look at it without the lock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use sipwright_sip::types::{ConnId, Proto};

use crate::sync::{OrderedMutex, rank};

pub mod calls;
mod clock;
mod ring;
mod text;

pub use self::clock::Instant;
use self::ring::{Head, Ring};
pub use self::text::{Decision, Made, Shown, Value};

/// What is copied out of the ring under one lock: some microseconds.
const PIECE_BYTES: usize = 65_536;
const PIECE_ENTRIES: usize = 256;
/// Script errors and slow routes are kept apart too, since the traffic around them soon goes.
const NOTABLE: RecordConfig = RecordConfig {
    enabled: true,
    max_bytes: 262_144,
    max_entries: 256,
    slow_ms: 0,
};

/// Bounds of the recording.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordConfig {
    /// Whether it records from the start.
    pub enabled: bool,
    /// Bytes of messages and decisions that are kept.
    pub max_bytes: usize,
    /// Messages and decisions that are kept; each takes 80 bytes more.
    pub max_entries: usize,
    /// Routes that take longer are kept longer.
    pub slow_ms: u64,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            max_bytes: 16 << 20,
            max_entries: 65_536,
            slow_ms: 500,
        }
    }
}

/// What an entry of the recording is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A message that was received.
    Received,
    /// A message that was given to the transport.
    Sent,
    /// A route of the script that ended.
    Route,
    /// A KSR function with an effect that returned.
    Function,
    /// An exception of the script.
    Error,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Route => "route",
            Self::Function => "function",
            Self::Error => "error",
        }
    }

    /// Whether it is a message, and no decision.
    #[must_use]
    pub const fn is_message(self) -> bool {
        matches!(self, Self::Received | Self::Sent)
    }
}

/// The way of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Transport protocol.
    pub proto: Proto,
    /// Our socket: that which listens, for connections too.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// The connection, 0 for none.
    pub conn: ConnId,
}

impl Way {
    /// That of decisions, which have none.
    pub const NONE: Self = Self {
        proto: Proto::Udp,
        local: NOWHERE,
        remote: NOWHERE,
        conn: 0,
    };
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One entry, copied out of the recording.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number, from 1.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// When a message passed, or when a route or function began.
    pub at: Instant,
    /// How long a route or function took, in microseconds.
    pub spent_us: u32,
    /// The way of a message.
    pub way: Way,
    /// Bytes that the message had; `data` may have fewer.
    pub size: u32,
    /// The message, or the texts of a decision.
    pub data: Bytes,
}

impl Entry {
    /// Call-ID of the message that it is or belongs to; empty for none.
    #[must_use]
    pub fn call_id(&self) -> Bytes {
        if !self.kind.is_message() {
            return text::call_id(&self.data);
        }
        let parsed = sipwright_sip::Message::parse(self.data.clone());
        parsed.map_or_else(|_| Bytes::new(), |m| m.bytes().slice_ref(m.call_id()))
    }

    /// The texts of a decision; those of a message are empty.
    #[must_use]
    pub fn decision(&self) -> Decision {
        if self.kind.is_message() {
            return Decision::default();
        }
        text::unpack(&self.data)
    }
}

/// A piece of the recording.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// What was found, the oldest first.
    pub entries: Vec<Entry>,
    /// Where to go on.
    pub next: u64,
    /// Entries that were overwritten before they were read.
    pub missed: u64,
    /// Whether there was nothing behind it.
    pub is_end: bool,
}

/// How full the recording is.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// Entries kept.
    pub entries: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Number of the oldest entry kept.
    pub first: u64,
    /// Number that the next entry gets.
    pub next: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    config: RecordConfig,
    enabled: AtomicBool,
    slow_ms: AtomicU64,
    // Leaves: nothing else is locked while one is held.
    ring: OrderedMutex<Ring>,
    notable: OrderedMutex<Ring>,
}

impl Recorder {
    /// A recording within these bounds. Memory is taken as it fills.
    #[must_use]
    pub fn new(config: &RecordConfig) -> Self {
        Self {
            config: config.clone(),
            enabled: AtomicBool::new(config.enabled),
            slow_ms: AtomicU64::new(config.slow_ms),
            ring: OrderedMutex::new(rank::RECORD, Ring::new(config)),
            notable: OrderedMutex::new(rank::RECORD, Ring::new(&NOTABLE)),
        }
    }

    /// Its bounds.
    #[must_use]
    pub const fn config(&self) -> &RecordConfig {
        &self.config
    }

    /// Whether it records.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Begins or ends to record; what is recorded stays.
    pub fn switch(&self, on: bool) {
        self.enabled.store(on, Ordering::Relaxed);
    }

    /// Routes that take longer are kept longer from now on.
    pub fn set_slow_ms(&self, slow_ms: u64) {
        self.slow_ms.store(slow_ms, Ordering::Relaxed);
    }

    /// Forgets everything; numbers go on.
    pub fn clear(&self) {
        self.ring.lock().clear();
        self.notable.lock().clear();
    }

    /// How full it is.
    #[must_use]
    pub fn filled(&self) -> Filled {
        self.ring.lock().filled()
    }

    /// Records a message that passed at that time.
    pub fn message(&self, kind: Kind, at: Instant, way: &Way, bytes: &[u8]) {
        let head = Head::message(kind, at, way);
        self.ring.lock().push(head, bytes);
    }

    /// Records what a script did from a time on, until another in monotonic nanoseconds.
    pub fn decided(&self, kind: Kind, began: Instant, ended_ns: u64, made: &Made<'_>) {
        let spent_us = ended_ns.saturating_sub(began.mono_ns) / 1000;
        let head = Head::decision(kind, began, u32::try_from(spent_us).unwrap_or(u32::MAX));
        let slow_us = || self.slow_ms.load(Ordering::Relaxed).saturating_mul(1000);
        let is_notable = kind == Kind::Error || kind == Kind::Route && spent_us >= slow_us();
        text::packed(made, |data| {
            if is_notable {
                self.notable.lock().push(head, data);
            }
            self.ring.lock().push(head, data);
        });
    }

    /// What comes from number `from` on: as much as one look may copy.
    #[must_use]
    pub fn piece(&self, from: u64) -> Piece {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        let mut heads = Vec::with_capacity(PIECE_ENTRIES);
        let copied = self.ring.lock().copy(from, &mut heads, &mut data);
        ring::entries(copied, &heads, data)
    }

    /// Script errors and slow routes, the oldest first.
    #[must_use]
    pub fn notable(&self) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut from = 0;
        loop {
            let (mut data, mut heads) = (Vec::new(), Vec::new());
            let copied = self.notable.lock().copy(from, &mut heads, &mut data);
            let piece = ring::entries(copied, &heads, data);
            from = piece.next;
            found.extend(piece.entries);
            if piece.is_end {
                return found;
            }
        }
    }

    /// At most `limit` entries from number `from` on for which `wanted` holds.
    #[must_use]
    pub fn select(&self, from: u64, limit: usize, mut wanted: impl FnMut(&Entry) -> bool) -> Piece {
        let mut result = Piece {
            next: from,
            ..Piece::default()
        };
        loop {
            let piece = self.piece(result.next);
            result.missed += piece.missed;
            for entry in piece.entries {
                if result.entries.len() == limit {
                    return result;
                }
                result.next = entry.number + 1;
                if wanted(&entry) {
                    result.entries.push(entry);
                }
            }
            result.next = result.next.max(piece.next);
            if piece.is_end {
                result.is_end = true;
                return result;
            }
        }
    }
}

#[cfg(test)]
mod tests;
