//! Where messages and decisions pass those who watch: counters, recording, trace.

use std::net::SocketAddr;

use bytes::Bytes;
use sipwright_sip::types::Flow;

use crate::core::Core;
use crate::record::{Instant, Kind, Made, Shown, Way};
use crate::session::{self, Callback, Current};

impl Core {
    /// A message was received, or is given to the transport.
    pub(crate) fn passes(&self, sent: bool, flow: &Flow, bytes: &Bytes) {
        self.passed.count(sent, bytes);
        if self.recorder.is_on() {
            let kind = if sent { Kind::Sent } else { Kind::Received };
            let way = self.way(flow);
            self.recorder.message(kind, Instant::now(), &way, bytes);
        }
        self.tap.note(sent, flow, bytes);
    }

    fn way(&self, flow: &Flow) -> Way {
        let socket = self.env_ref().and_then(|env| env.socket(flow.socket));
        Way {
            proto: flow.proto,
            local: socket.map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |s| s.addr),
            remote: flow.remote,
            conn: flow.conn,
        }
    }

    /// A route of the script has ended.
    pub fn ran(&self, current: &Current, callback: &Callback, began: Instant, raised: bool) {
        let now = Instant::now();
        let spent_us = now.mono_ns.saturating_sub(began.mono_ns) / 1000;
        self.passed.ran(callback.name(), spent_us);
        let event = callback.event().unwrap_or_default();
        let result: &[u8] = match (raised, current.suspended) {
            (true, _) => b"raised",
            (false, true) => b"suspended",
            (false, false) => b"",
        };
        let shown = [Shown::Text(event.as_bytes()), Shown::Text(result)];
        let name = callback.name().as_bytes();
        self.decided(current, Kind::Route, (began, now.mono_ns), name, shown);
    }

    /// A script did something: from when until when (monotonic nanoseconds), name, arguments
    /// and result. Passwords in URIs are masked for those who read it.
    pub fn decided(
        &self,
        current: &Current,
        kind: Kind,
        (began, ended_ns): (Instant, u64),
        name: &[u8],
        [arguments, result]: [Shown<'_>; 2],
    ) {
        if !self.recorder.is_on() {
            return;
        }
        // A made-up message belongs to no call.
        let call_id = match current.kind {
            session::Kind::Fake => b"",
            _ => current.ctx.msg.call_id(),
        };
        let made = Made {
            call_id,
            name,
            arguments,
            result,
        };
        self.recorder.decided(kind, began, ended_ns, &made);
    }
}
