//! A tap on what is received and sent, for tracing (module siptrace).
//!
//! Nothing is looked at while nobody traces: one relaxed load for each message. What is traced
//! waits in a bounded list until a thread of Python takes it; what does not fit is counted.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sipwright_sip::message::Message;
use sipwright_sip::types::Flow;

use crate::clock::Clock;
use crate::stats::Counter;

/// Messages that may wait to be taken.
const RING: usize = 4_096;
/// Calls that may be traced at a time.
const CALLS: usize = 65_536;

const OFF: u8 = 0;
const CALLS_ONLY: u8 = 1;
const ALL: u8 = 2;

/// A message that was received or sent.
#[derive(Clone, Debug)]
pub struct Traced {
    /// What `watch` was told about its call; 0 for what is traced without.
    pub key: u64,
    /// Whether it was sent.
    pub sent: bool,
    /// When, in microseconds since 1970.
    pub at: u64,
    /// The path it took.
    pub flow: Flow,
    /// The message.
    pub bytes: Bytes,
}

/// A call that is traced: all of it, or the transactions with one number of CSeq.
#[derive(Clone, Copy, Debug)]
struct Call {
    key: u64,
    cseq: Option<u32>,
    /// When nobody needs it any more, in microseconds since 1970.
    until: u64,
}

#[derive(Default, Debug)]
struct State {
    all: bool,
    calls: HashMap<Box<[u8]>, Call>,
    ring: VecDeque<Traced>,
}

/// See the module.
#[derive(Default, Debug)]
pub struct Tap {
    level: AtomicU8,
    // A leaf: nothing else is locked while it is held.
    state: Mutex<State>,
    filled: Condvar,
    /// Messages that found the list full.
    pub lost: Counter,
}

impl Tap {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_level(&self, state: &State) {
        let level = match (state.all, state.calls.is_empty()) {
            (true, _) => ALL,
            (false, false) => CALLS_ONLY,
            (false, true) => OFF,
        };
        self.level.store(level, Ordering::Relaxed);
    }

    /// Whether everything is traced.
    pub fn trace_all(&self, on: bool) {
        let mut state = self.lock();
        state.all = on;
        self.set_level(&state);
    }

    /// Has the messages of a call traced with this key for so many seconds, those with one
    /// number of CSeq or all. False when too many calls are traced.
    pub fn watch(&self, call_id: &[u8], cseq: Option<u32>, key: u64, seconds: u64) -> bool {
        let now = Clock::System.wall_us();
        let mut state = self.lock();
        if state.calls.len() >= CALLS {
            state.calls.retain(|_, call| call.until > now);
        }
        if state.calls.len() >= CALLS {
            return false;
        }
        let until = now + seconds * 1_000_000;
        state
            .calls
            .insert(call_id.into(), Call { key, cseq, until });
        self.set_level(&state);
        true
    }

    /// Forgets calls whose time is over; how many are left.
    pub fn sweep(&self) -> usize {
        let now = Clock::System.wall_us();
        let mut state = self.lock();
        state.calls.retain(|_, call| call.until > now);
        self.set_level(&state);
        state.calls.len()
    }

    /// Forgets every call, and what waits.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.ring.clear();
        self.set_level(&state);
    }

    /// A message came or went.
    pub fn note(&self, sent: bool, flow: &Flow, bytes: &Bytes) {
        let level = self.level.load(Ordering::Relaxed);
        if level != OFF {
            self.keep(level, sent, flow, bytes);
        }
    }

    #[cold]
    fn keep(&self, level: u8, sent: bool, flow: &Flow, bytes: &Bytes) {
        let parsed = if level == ALL {
            None
        } else {
            let Ok(msg) = Message::parse(bytes.clone()) else {
                return;
            };
            Some(msg)
        };
        let at = Clock::System.wall_us();
        let mut state = self.lock();
        let key = match &parsed {
            None => 0,
            Some(msg) => match state.calls.get(msg.call_id()) {
                Some(call) if call.until > at && call.cseq.is_none_or(|n| n == msg.cseq()) => {
                    call.key
                }
                _ => return,
            },
        };
        if state.ring.len() >= RING {
            self.lost.inc();
            return;
        }
        state.ring.push_back(Traced {
            key,
            sent,
            at,
            flow: *flow,
            bytes: bytes.clone(),
        });
        self.filled.notify_one();
    }

    /// Takes all that waits; waits at most so long for something.
    #[must_use]
    pub fn take(&self, timeout: Duration) -> Vec<Traced> {
        let state = self.lock();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, timeout, |s| s.ring.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        state.ring.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use sipwright_sip::types::Proto;

    use super::*;

    fn flow() -> Flow {
        Flow {
            proto: Proto::Udp,
            socket: 0,
            remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060),
            conn: 0,
        }
    }

    fn message(call_id: &str, cseq: u32) -> Bytes {
        Bytes::from(format!(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:a@b>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ))
    }

    fn keys(tap: &Tap) -> Vec<(u64, bool)> {
        let taken = tap.take(Duration::ZERO);
        taken.iter().map(|t| (t.key, t.sent)).collect()
    }

    #[test]
    fn only_what_is_watched_is_kept() {
        let tap = Tap::default();
        tap.note(false, &flow(), &message("a", 1));
        assert!(tap.watch(b"a", Some(1), 7, 60));
        assert!(tap.watch(b"b", None, 8, 60));
        for (call, cseq) in [("a", 1), ("a", 2), ("b", 5), ("c", 1)] {
            tap.note(true, &flow(), &message(call, cseq));
        }
        assert_eq!(keys(&tap), [(7, true), (8, true)]);
        tap.trace_all(true);
        tap.note(false, &flow(), &message("c", 1));
        assert_eq!(keys(&tap), [(0, false)]);
    }

    #[test]
    fn time_ends_a_watch() {
        let tap = Tap::default();
        assert!(tap.watch(b"a", None, 7, 0));
        tap.note(true, &flow(), &message("a", 1));
        assert_eq!(keys(&tap), []);
        assert_eq!(tap.sweep(), 0);
        assert_eq!(tap.level.load(Ordering::Relaxed), OFF);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let tap = Tap::default();
        tap.trace_all(true);
        for _ in 0..RING + 3 {
            tap.note(true, &flow(), &message("a", 1));
        }
        assert_eq!(tap.take(Duration::ZERO).len(), RING);
        assert_eq!(tap.lost.get(), 3);
    }
}
