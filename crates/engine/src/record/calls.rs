//! Calls and other conversations, as the messages of the recording tell of them.

use std::collections::HashMap;

use bytes::Bytes;
use sipwright_sip::{Message, Method};

use super::{Entry, Instant, Kind, Recorder, Way};

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing but 100 came back so far.
    Trying,
    /// A provisional response came.
    Ringing,
    /// The INVITE was accepted.
    Answered,
    /// The call was taken down.
    Ended,
    /// The caller gave up.
    Cancelled,
    /// It was refused.
    Failed,
    /// A request other than INVITE was accepted.
    Done,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }
}

/// All messages with one Call-ID, in a few words.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its Call-ID.
    pub call_id: Bytes,
    /// Method of the first request.
    pub method: Bytes,
    /// URI of From.
    pub from: Bytes,
    /// URI of To.
    pub to: Bytes,
    /// Request-URI.
    pub uri: Bytes,
    /// The way of its first message.
    pub way: Way,
    /// How far it has come.
    pub state: State,
    /// Last response to the first request, 0 before there is one.
    pub status: u16,
    /// Time of the first message.
    pub began: Instant,
    /// Time of the last message or decision.
    pub last: Instant,
    /// When the INVITE was accepted, in monotonic nanoseconds.
    pub answered_ns: Option<u64>,
    /// When it was over, in monotonic nanoseconds.
    pub ended_ns: Option<u64>,
    /// Messages.
    pub messages: u32,
    /// Exceptions of the script.
    pub errors: u32,
    cseq: u32,
    /// Whether it begins with a request of our own.
    is_ours: bool,
}

/// Calls by Call-ID; entries are fed in the order in which they were recorded.
#[derive(Default, Debug)]
pub struct Calls {
    found: HashMap<Bytes, Call>,
}

impl Calls {
    /// Those of a recording.
    #[must_use]
    pub fn of(recorder: &Recorder) -> Self {
        let mut calls = Self::default();
        let mut from = 0;
        loop {
            let piece = recorder.piece(from);
            piece.entries.iter().for_each(|entry| calls.feed(entry));
            from = piece.next;
            if piece.is_end {
                return calls;
            }
        }
    }

    /// The calls whose last message came last, first.
    #[must_use]
    pub fn latest(self, limit: usize) -> Vec<Call> {
        let mut all: Vec<Call> = self.found.into_values().collect();
        all.sort_by_key(|call| std::cmp::Reverse(call.last.mono_ns));
        all.truncate(limit);
        all
    }

    /// Takes an entry into account.
    pub fn feed(&mut self, entry: &Entry) {
        if entry.kind.is_message() {
            if let Ok(msg) = Message::parse(entry.data.clone()) {
                self.message(entry, &msg);
            }
        } else if let Some(call) = self.found.get_mut(&entry.call_id()) {
            call.last = entry.at;
            call.errors += u32::from(entry.kind == Kind::Error);
        }
    }

    fn message(&mut self, entry: &Entry, msg: &Message) {
        // Copies, so that a call does not keep a piece of the recording.
        let call = self
            .found
            .entry(Bytes::copy_from_slice(msg.call_id()))
            .or_insert_with(|| first(entry, msg));
        call.last = entry.at;
        call.messages += 1;
        if msg.is_request() {
            call.request(entry, msg);
        } else {
            call.response(entry, msg);
        }
    }
}

fn first(entry: &Entry, msg: &Message) -> Call {
    let method = msg.method_name();
    let uri = if msg.is_request() { msg.uri() } else { b"" };
    Call {
        call_id: Bytes::copy_from_slice(msg.call_id()),
        method: Bytes::copy_from_slice(method),
        from: Bytes::copy_from_slice(msg.get(msg.from().uri)),
        to: Bytes::copy_from_slice(msg.get(msg.to().uri)),
        uri: Bytes::copy_from_slice(uri),
        way: entry.way,
        state: State::Trying,
        status: 0,
        began: entry.at,
        last: entry.at,
        answered_ns: None,
        ended_ns: None,
        messages: 0,
        errors: 0,
        cseq: msg.cseq(),
        is_ours: entry.kind == Kind::Sent && msg.is_request(),
    }
}

impl Call {
    fn request(&mut self, entry: &Entry, msg: &Message) {
        let is_first = msg.method_name() == self.method.as_ref() && msg.to_tag().is_none();
        if is_first && msg.cseq() > self.cseq {
            // Again with credentials (RFC 3261 section 22.2).
            self.cseq = msg.cseq();
            (self.state, self.status, self.ended_ns) = (State::Trying, 0, None);
        }
        if msg.method() == Method::Bye && self.state == State::Answered {
            self.end(State::Ended, entry);
        }
    }

    /// What the caller is told decides, since branches may have failed before; of a request of
    /// our own, what we are told.
    fn response(&mut self, entry: &Entry, msg: &Message) {
        let decides = if self.is_ours {
            Kind::Received
        } else {
            Kind::Sent
        };
        let is_first = msg.cseq() == self.cseq && msg.method_name() == self.method.as_ref();
        let is_open = self.ended_ns.is_none() && self.state != State::Answered;
        if entry.kind != decides || !is_first || !is_open {
            return;
        }
        self.status = msg.status();
        match msg.status() {
            0..=100 => {}
            101..=199 => self.state = State::Ringing,
            200..=299 if msg.method() == Method::Invite => {
                self.state = State::Answered;
                self.answered_ns = Some(entry.at.mono_ns);
            }
            200..=299 => self.end(State::Done, entry),
            487 => self.end(State::Cancelled, entry),
            _ => self.end(State::Failed, entry),
        }
    }

    fn end(&mut self, state: State, entry: &Entry) {
        self.state = state;
        self.ended_ns = Some(entry.at.mono_ns);
    }
}
