//! The next target of a branch when one fails (RFC 3263 section 4.3).
//!
//! A branch may know further targets of the same URI. When nobody answers at one, or it
//! answers 503, the request goes to the next one in a client transaction of its own: a new
//! branch of the same response context. The branch that failed counts for nothing then.
//! The message differs only in what stands for our socket, so it is made here, without the
//! script: its first header lines are exchanged.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memchr, memmem};

use super::client::With;
use super::id;
use super::layer::TxLayer;
use super::output::Output;
use super::server::Work;
use super::table::Event;
use super::transaction::{BranchSpec, Outcome};
use crate::types::{Flow, Millis};

/// Further targets of a branch.
#[derive(Clone, Debug)]
pub struct Alternates {
    /// The next one is last.
    targets: Vec<Alternate>,
    /// Header lines of the branch that this began with, for targets without their own.
    head: Bytes,
    /// Length of what follows these lines, which is the same for all targets.
    tail: u32,
    /// The branch whose token all these lines carry.
    token_of: u16,
    /// Name for certificates of secure targets.
    server_name: Option<Arc<str>>,
}

/// One further target.
#[derive(Clone, Debug)]
pub struct Alternate {
    /// Where it is.
    pub flow: Flow,
    /// The header lines with CRLF that the request has there first: our Via with the
    /// token of the first branch, and Record-Route. `None` if the same as at the first
    /// target, because it is reached from the same socket.
    pub head: Option<Bytes>,
}

impl Alternates {
    /// Further targets in the order of trying. `request` is the one that leaves first, with
    /// `head` bytes of header lines for its socket after its first line, `index` the number of
    /// its branch. `None` where there are no targets.
    #[must_use]
    pub fn new(
        request: &Bytes,
        head: usize,
        index: u16,
        mut targets: Vec<Alternate>,
        server_name: Option<Arc<str>>,
    ) -> Option<Box<Self>> {
        let start = memchr(b'\n', request)? + 1;
        if targets.is_empty() || start + head > request.len() {
            return None;
        }
        targets.reverse();
        targets.shrink_to_fit();
        Some(Box::new(Self {
            targets,
            head: request.slice(start..start + head),
            tail: (request.len() - start - head) as u32,
            token_of: index,
            server_name,
        }))
    }

    fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Takes the request as it is about to leave: below its first header lines it may
    /// have changed. False if these are not those that were told.
    fn settle(&mut self, request: &Bytes) -> bool {
        let below =
            memchr(b'\n', request).and_then(|end| request[end + 1..].strip_prefix(&self.head[..]));
        self.tail = below.map_or(0, |below| below.len() as u32);
        below.is_some()
    }

    /// The request for a target: `request` with other first header lines, in which the
    /// token `old` becomes `new`.
    fn rebuild(&self, request: &[u8], target: &Alternate, old: &str, new: &str) -> Option<Bytes> {
        let start = memchr(b'\n', request)? + 1;
        let rest = request.get(request.len().checked_sub(self.tail as usize)?..)?;
        let head = target.head.as_ref().unwrap_or(&self.head);
        let token = memmem::find(head, old.as_bytes())?;
        let mut out = Vec::with_capacity(start + head.len() + rest.len());
        out.extend_from_slice(&request[..start]);
        out.extend_from_slice(&head[..token]);
        out.extend_from_slice(new.as_bytes());
        out.extend_from_slice(&head[token + old.len()..]);
        out.extend_from_slice(rest);
        Some(out.into())
    }
}

impl<D> TxLayer<D> {
    /// ICMP says that a datagram did not get to `remote`; `quoted` is the beginning of
    /// it. A branch with further targets goes to the next one at once. Without any its
    /// timers go on: such errors pass, and scripts take a silent phone for a 408.
    pub fn unreachable(
        &mut self,
        now: Millis,
        remote: SocketAddr,
        quoted: &[u8],
        out: &mut Vec<Output<D>>,
    ) {
        let token = id::token_in(quoted).and_then(|t| self.tokens.decode(t));
        let Some((tx, branch)) = token else { return };
        self.with(now, tx, out, |work| {
            let index = usize::from(branch);
            let about_request = work.tx.branches.get(index).is_some_and(|b| {
                let line = |bytes: &[u8]| memchr(b' ', bytes).map(|end| bytes[..end].to_vec());
                b.flow.remote == remote && line(&b.bytes) == line(quoted)
            });
            if about_request && work.may_fail_over(index, 503, false) {
                work.client_event(index, Event::TransportError, With::Nothing);
            }
        });
    }
}

impl<D> Work<'_, D> {
    /// Sends the request of a branch that has failed to its next target, if it has one
    /// and the failure lets it; the branch is not considered any more then.
    pub(super) fn fail_over(&mut self, branch: usize, code: u16, answered: bool) -> bool {
        if !self.may_fail_over(branch, code, answered) {
            return false;
        }
        let (id, index) = (self.tx.id, self.tx.branches.len() as u16);
        let this = &mut self.tx.branches[branch];
        let Some(extra) = this.extra.as_mut() else {
            return false;
        };
        let Some(mut next) = extra.next.take() else {
            return false;
        };
        let Some(target) = next.targets.pop() else {
            return false;
        };
        let old = self.tokens.encode(id, next.token_of);
        let new = self.tokens.encode(id, index);
        let Some(bytes) = next.rebuild(&this.bytes, &target, &old, &new) else {
            return false;
        };
        let spec = BranchSpec {
            index,
            bytes,
            flow: target.flow,
            server_name: next
                .server_name
                .clone()
                .filter(|_| target.flow.proto.is_secure()),
            uri: this.uri.clone(),
            on_reply: extra.on_reply.clone(),
            on_failure: extra.on_failure.take(),
            options: extra.options,
            fallback: None,
            next: Some(next).filter(|n| !n.is_empty()),
        };
        this.code = code;
        this.outcome = Outcome::Dropped;
        self.counts.failovers += 1;
        let origin = this.origin;
        self.start_branch(spec);
        if let Some(started) = self.tx.branches.last_mut() {
            started.origin = origin;
        }
        true
    }

    /// Readies the further targets of a branch that is about to leave; it has none if
    /// they do not fit its request.
    pub(super) fn settled(mut spec: BranchSpec) -> BranchSpec {
        if let Some(next) = &mut spec.next {
            let request = spec
                .fallback
                .as_ref()
                .map_or(&spec.bytes, |(_, bytes)| bytes);
            if !next.settle(request) {
                spec.next = None;
            }
        }
        spec
    }

    /// A branch for which another number is left than its token was made for.
    pub(super) fn renumbered(&self, spec: BranchSpec) -> Option<BranchSpec> {
        let (id, index) = (self.tx.id, self.tx.branches.len() as u16);
        let old = self.tokens.encode(id, spec.index);
        let new = self.tokens.encode(id, index);
        let renamed = |bytes: &Bytes| {
            let at = memmem::find(bytes, old.as_bytes())?;
            let mut bytes = bytes.to_vec();
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
            Some(Bytes::from(bytes))
        };
        let fallback = match &spec.fallback {
            Some((flow, bytes)) => Some((*flow, renamed(bytes)?)),
            None => None,
        };
        Some(BranchSpec {
            index,
            bytes: renamed(&spec.bytes)?,
            fallback,
            ..spec
        })
    }

    /// Section 4.3: after a 503, after a transport error, and when nothing came in time.
    /// Not for what nobody waits for any more.
    fn may_fail_over(&self, branch: usize, code: u16, answered: bool) -> bool {
        let this = &self.tx.branches[branch];
        let Some(extra) = this.extra.as_ref().filter(|e| e.next.is_some()) else {
            return false;
        };
        let failed = match code {
            503 => answered || this.replies == 0,
            408 => !answered && this.replies == 0,
            _ => false,
        };
        let wanted = self.tx.final_code == 0
            && !self.tx.cancelled
            && extra.cancel_wanted.is_none()
            && extra.cancel.is_none();
        let room = self.tx.branches.len() < usize::from(self.cfg.max_branches)
            && self.now < self.tx.end_of_life;
        failed && wanted && room && !self.tx.disable_failover
    }
}
