//! The client side of a transaction: its branches (RFC 3261 section 17.1).

use bytes::Bytes;

use super::config::CancelUnreplied;
use super::machine::Machine;
use super::output::Output;
use super::server::Work;
use super::table::{Action, Event, Kind, State, Then, Timer};
use super::transaction::{Branch, BranchSpec, Extra, Outcome, Own};
use super::watch::happening;
use crate::build;
use crate::message::Message;
use crate::method::Method;
use crate::types::{Millis, SendOptions};

/// What comes with an event of a client machine.
#[derive(Clone, Copy)]
pub(super) enum With<'a> {
    Nothing,
    Response(&'a Message),
    CancelLines(&'a Bytes),
}

impl<D> Work<'_, D> {
    /// Adds a branch and sends its request.
    pub(super) fn start_branch(&mut self, spec: BranchSpec) {
        let kind = match self.tx.method {
            Method::Invite => Kind::InviteClient,
            _ => Kind::NonInviteClient,
        };
        let default = || self.tx.hooks.as_ref()?.on_branch_failure.clone();
        let on_failure = spec.on_failure.or_else(default);
        let hooked = spec.on_reply.is_some()
            || on_failure.is_some()
            || spec.server_name.is_some()
            || spec.fallback.is_some()
            || spec.options != SendOptions::default()
            || spec.next.is_some();
        let extra = hooked.then(|| {
            Box::new(Extra {
                on_reply: spec.on_reply,
                on_failure,
                server_name: spec.server_name,
                fallback: spec.fallback,
                options: spec.options,
                next: spec.next,
                ..Extra::default()
            })
        });
        if self.tx.branches.is_empty() {
            self.tx.branches.reserve_exact(1);
        }
        let index = self.tx.branches.len();
        self.tell(happening::FORWARDED, index, 0, Some(&spec.bytes));
        self.tx.branches.push(Branch {
            machine: Machine::new(kind, spec.flow.proto.is_reliable()),
            flow: spec.flow,
            bytes: spec.bytes,
            uri: spec.uri,
            reply: None,
            extra,
            code: 0,
            origin: spec.index,
            outcome: Outcome::Pending,
            replies: 0,
            timed_out: false,
            blind: false,
        });
        let branch = self.tx.branches.len() - 1;
        self.client_actions(branch, kind.table().entry, With::Nothing);
    }

    /// The transport could not send for a branch: it takes the other way if it has one and
    /// nothing has come back by the first; else it has failed (section 18.4).
    pub(super) fn unreachable(&mut self, branch: usize) {
        let this = &mut self.tx.branches[branch];
        let fallback = this.extra.as_mut().and_then(|e| e.fallback.take());
        let fresh = matches!(this.machine.state(), State::Calling | State::Trying);
        let Some((flow, bytes)) = fallback.filter(|_| fresh) else {
            self.client_event(branch, Event::TransportError, With::Nothing);
            return;
        };
        let kind = this.machine.kind();
        this.machine = Machine::new(kind, flow.proto.is_reliable());
        this.flow = flow;
        this.bytes = bytes;
        this.extra().server_name = None;
        self.client_actions(branch, kind.table().entry, With::Nothing);
    }

    /// Steps the client machine of a branch; true if it hands the response to the user.
    pub(super) fn client_event(&mut self, branch: usize, event: Event, with: With<'_>) -> bool {
        let (transition, row) = self.tx.branches[branch].machine.step(event);
        self.note(transition);
        let Then::Go(next, actions) = row.then else {
            return false;
        };
        let deliver = self.client_actions(branch, actions, with);
        if next == State::Proceeding
            && let Some(lines) = self.take_cancel_wanted(branch)
        {
            self.client_event(branch, Event::Cancel, With::CancelLines(&lines));
        }
        deliver
    }

    /// A response by its class, for the machine of its branch.
    pub(super) fn response(&mut self, branch: usize, msg: &Message) -> bool {
        let kind = self.tx.branches[branch].machine.kind();
        let event = match (kind, msg.status()) {
            (Kind::NonInviteClient, ..200) => Event::Response1xx,
            (Kind::NonInviteClient, _) => Event::ResponseFinal,
            (_, 100) => Event::Response100,
            (_, ..200) => Event::Response1xx,
            (_, 200..300) => Event::Response2xx,
            _ => Event::ResponseFailure,
        };
        self.client_event(branch, event, With::Response(msg))
    }

    /// Cancels a branch that has no final response; header lines with CRLF go into
    /// the CANCEL. Requests other than INVITE are not cancelled (section 9.1).
    pub(super) fn cancel_branch(&mut self, branch: usize, lines: &Bytes) {
        if self.tx.method == Method::Invite && !self.tx.branches[branch].blind {
            let event = match self.cfg.cancel_unreplied {
                CancelUnreplied::Wait => Event::Cancel,
                CancelUnreplied::Assume487 => Event::CancelQuietly,
                CancelUnreplied::AtOnce => Event::CancelAtOnce,
            };
            self.client_event(branch, event, With::CancelLines(lines));
        }
    }

    /// Cancels all branches but one.
    pub(super) fn cancel_branches(&mut self, except: Option<usize>, lines: &Bytes) {
        for branch in (0..self.tx.branches.len()).filter(|&b| Some(b) != except) {
            self.cancel_branch(branch, lines);
        }
    }

    /// Steps the machine of a branch's CANCEL, if there is one.
    pub(super) fn cancel_event(&mut self, branch: usize, event: Event) {
        let Some(extra) = self.tx.branches[branch].extra.as_mut() else {
            return;
        };
        let Some((machine, _)) = extra.cancel.as_mut() else {
            return;
        };
        let (transition, row) = machine.step(event);
        self.note(transition);
        if let Then::Go(_, actions) = row.then {
            self.cancel_actions(branch, actions);
        }
    }

    /// Runs the timers that are due, until none is.
    pub(super) fn run_timers(&mut self) {
        self.release_held_reply();
        while let Some(event) = self.tx.server.take_due(self.now) {
            self.server_event(event);
        }
        for branch in 0..self.tx.branches.len() {
            while let Some(event) = self.tx.branches[branch].machine.take_due(self.now) {
                self.client_event(branch, event, With::Nothing);
            }
            while let Some(event) = self.take_due_cancel(branch) {
                self.cancel_event(branch, event);
            }
        }
    }

    /// Sets Timers B or F and C anew from now where they run (Kamailio's `t_set_fr`).
    pub(super) fn restart_final_timers(&mut self) {
        for branch in 0..self.tx.branches.len() {
            let running = self.tx.branches[branch].machine.waiting();
            if let Some((timer @ (Timer::B | Timer::F | Timer::C), _)) = running {
                self.start_wait(branch, timer);
            }
        }
    }

    /// T1 and T2 of this transaction.
    pub(super) fn retr(&self) -> (u32, u32) {
        let own = |pick: fn(&Own) -> u32| self.tx.own.as_deref().map_or(0, pick);
        let or = |own, configured| if own == 0 { configured } else { own };
        let (t1, t2) = (own(|o| o.t1_ms), own(|o| o.t2_ms));
        (or(t1, self.cfg.t1_ms), or(t2, self.cfg.t2_ms))
    }

    /// Whether a provisional response starts Timer C anew: the first one does, others
    /// as the settings say. `code` of the branch is that of the one before.
    fn restarts_timer_c(&self, branch: usize, with: With<'_>) -> bool {
        let this = &self.tx.branches[branch];
        let running = matches!(this.machine.waiting(), Some((Timer::C, _)));
        let rises = |msg: &Message| msg.status() >= 180 && msg.status() > this.code;
        !running || self.cfg.restart_timer_c || matches!(with, With::Response(msg) if rises(msg))
    }

    fn client_actions(&mut self, branch: usize, actions: &[Action], with: With<'_>) -> bool {
        let mut deliver = false;
        for &action in actions {
            match action {
                Action::Start(timer) if timer.retransmits() => {
                    let retr = self.retr();
                    let machine = &mut self.tx.branches[branch].machine;
                    machine.start_retransmit(self.now, retr, false);
                }
                Action::Start(Timer::C) if !self.restarts_timer_c(branch, with) => {}
                Action::Start(timer) => self.start_wait(branch, timer),
                Action::StartAtT2(_) => {
                    let retr = self.retr();
                    let machine = &mut self.tx.branches[branch].machine;
                    machine.start_retransmit(self.now, retr, true);
                }
                Action::Stop(timer) => self.tx.branches[branch].machine.stop(timer),
                Action::SendRequest => {
                    let bytes = self.tx.branches[branch].bytes.clone();
                    self.send_downstream(branch, bytes, true);
                }
                Action::SendAck => self.send_ack(branch, with),
                Action::SendCancel => self.send_cancel(branch, with),
                Action::WantCancel => {
                    if let With::CancelLines(lines) = with {
                        let extra = self.tx.branches[branch].extra();
                        extra.cancel_wanted.get_or_insert_with(|| lines.clone());
                    }
                }
                Action::Deliver => deliver = true,
                Action::ReportTimeout => {
                    self.tx.branches[branch].timed_out = true;
                    self.branch_failed(branch, 408, None);
                }
                Action::ReportCancelled => self.branch_failed(branch, 487, None),
                Action::ReportUnreachable => {
                    let extra = self.tx.branches[branch].extra.as_ref();
                    // RFC 5626 section 5.3.1: the flow of the client is gone.
                    let code = if extra.is_some_and(|e| e.options.exact) {
                        430
                    } else {
                        503
                    };
                    self.branch_failed(branch, code, None);
                }
                _ => debug_assert!(false, "{action:?} is not for clients"),
            }
        }
        deliver
    }

    /// Starts a timer that ends a wait. Timers B, C and F are the transaction's own
    /// if it has any, and do not outlive it.
    pub(super) fn start_wait(&mut self, branch: usize, timer: Timer) {
        let machine = &mut self.tx.branches[branch].machine;
        let own = self.tx.own.as_ref().map_or(0, |own| match timer {
            Timer::B | Timer::F => own.fr_ms,
            Timer::C => own.fr_inv_ms,
            _ => 0,
        });
        let wait = if own == 0 {
            machine.wait_ms(timer, self.cfg)
        } else {
            own
        };
        let mut at = self.now + Millis::from(wait);
        if matches!(timer, Timer::B | Timer::F | Timer::C) {
            at = at.min(self.tx.end_of_life.max(self.now));
        }
        machine.start_wait(timer, at);
    }

    /// Sends the ACK for a failure; the first one is built and kept (section 17.1.1.3).
    fn send_ack(&mut self, branch: usize, with: With<'_>) {
        let With::Response(response) = with else {
            return;
        };
        let this = &mut self.tx.branches[branch];
        let kept = this.extra.as_ref().and_then(|e| e.ack.clone());
        let built = || {
            let invite = Message::parse(this.bytes.clone()).ok()?;
            Some(Bytes::from(build::ack_for(&invite, response)))
        };
        let Some(ack) = kept.or_else(built) else {
            return;
        };
        this.extra().ack = Some(ack.clone());
        self.send_downstream(branch, ack, true);
    }

    /// Sends a CANCEL in a client transaction of its own (section 9.1).
    fn send_cancel(&mut self, branch: usize, with: With<'_>) {
        let lines = match with {
            With::CancelLines(lines) => lines.clone(),
            _ => Bytes::new(),
        };
        let this = &mut self.tx.branches[branch];
        let Ok(invite) = Message::parse(this.bytes.clone()) else {
            return;
        };
        let cancel = build::cancel_for(&invite, &lines);
        let machine = Machine::new(Kind::NonInviteClient, this.flow.proto.is_reliable());
        this.extra().cancel = Some((machine, cancel.into()));
        self.cancel_actions(branch, Kind::NonInviteClient.table().entry);
    }

    fn cancel_actions(&mut self, branch: usize, actions: &[Action]) {
        let (now, cfg, retr) = (self.now, self.cfg, self.retr());
        let extra = self.tx.branches[branch].extra.as_mut();
        let Some((machine, bytes)) = extra.and_then(|e| e.cancel.as_mut()) else {
            return;
        };
        let mut send = None;
        for &action in actions {
            match action {
                Action::Start(timer) if timer.retransmits() => {
                    machine.start_retransmit(now, retr, false);
                }
                Action::StartAtT2(_) => machine.start_retransmit(now, retr, true),
                Action::Start(timer) => {
                    let wait = machine.wait_ms(timer, cfg);
                    machine.start_wait(timer, now + Millis::from(wait));
                }
                Action::Stop(timer) => machine.stop(timer),
                Action::SendRequest => send = Some(bytes.clone()),
                // What became of the CANCEL changes nothing: the INVITE's final response does.
                _ => {}
            }
        }
        if let Some(bytes) = send {
            self.send_downstream(branch, bytes, false);
        }
    }

    fn send_downstream(&mut self, branch: usize, bytes: Bytes, tell: bool) {
        let this = &self.tx.branches[branch];
        self.out.push(Output::Send {
            flow: this.flow,
            bytes,
            tx: tell.then_some((self.tx.id, branch as u16)),
            server_name: this.extra.as_ref().and_then(|e| e.server_name.clone()),
            options: this.extra.as_ref().map(|e| e.options).unwrap_or_default(),
        });
    }

    fn take_cancel_wanted(&mut self, branch: usize) -> Option<Bytes> {
        let extra = self.tx.branches[branch].extra.as_mut()?;
        extra.cancel_wanted.take()
    }

    fn take_due_cancel(&mut self, branch: usize) -> Option<Event> {
        let extra = self.tx.branches[branch].extra.as_mut()?;
        let (machine, _) = extra.cancel.as_mut()?;
        machine.take_due(self.now)
    }
}
