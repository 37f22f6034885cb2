//! One running machine: its state and its two timers.

use super::config::TxConfig;
use super::table::{Event, Kind, Row, State, Then, Timer, Transition};
use crate::types::Millis;

/// A deadline that is not set.
const OFF: Millis = Millis::MAX;

/// A client or server transaction as the RFC draws it. It runs at most two
/// timers: one that retransmits (A, E, G) and one that ends a wait.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    retransmit_at: Millis,
    wait_until: Millis,
    interval: u32,
    kind: Kind,
    state: State,
    waiting: Timer,
    reliable: bool,
}

impl Machine {
    /// A machine in its first state; the caller runs the table's entry actions.
    pub(super) const fn new(kind: Kind, reliable: bool) -> Self {
        Self {
            retransmit_at: OFF,
            wait_until: OFF,
            interval: 0,
            kind,
            state: kind.table().initial,
            waiting: Timer::A,
            reliable,
        }
    }

    /// The server machine of a request of our own, which has none.
    pub(super) const fn terminated() -> Self {
        let machine = Self::new(Kind::NonInviteServer, true);
        Self {
            state: State::Terminated,
            ..machine
        }
    }

    /// Which machine.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// The timer that ends the present wait, and when.
    #[must_use]
    pub fn waiting(&self) -> Option<(Timer, Millis)> {
        (self.wait_until != OFF).then_some((self.waiting, self.wait_until))
    }

    /// When it wants to hear of time again; `Millis::MAX` for never.
    pub(super) fn deadline(&self) -> Millis {
        self.retransmit_at.min(self.wait_until)
    }

    /// Takes the step that its table says for `event`; the caller runs the actions.
    pub(super) fn step(&mut self, event: Event) -> (Transition, &'static Row) {
        let row = self.kind.table().row(self.state, event);
        let row = row.unwrap_or_else(|| unreachable!("{event:?} is no event of {:?}", self.kind));
        let from = self.state;
        match row.then {
            Then::Go(State::Terminated, _) => {
                *self = Self {
                    state: State::Terminated,
                    retransmit_at: OFF,
                    wait_until: OFF,
                    ..*self
                }
            }
            Then::Go(next, _) => self.state = next,
            Then::Ignore => {}
            Then::Never => debug_assert!(false, "{event:?} in {from:?} of {:?}", self.kind),
        }
        let transition = Transition {
            kind: self.kind,
            from,
            event,
            to: self.state,
        };
        (transition, row)
    }

    /// Takes the timer that is due, if one is. The end of a wait comes before a
    /// retransmission: nothing is sent once the wait is over.
    pub(super) fn take_due(&mut self, now: Millis) -> Option<Event> {
        if self.wait_until <= now {
            self.wait_until = OFF;
            return Some(self.waiting.event());
        }
        if self.retransmit_at <= now {
            self.retransmit_at = OFF;
            return Some(self.retransmitter().event());
        }
        None
    }

    /// Starts the retransmission timer: T1 the first time, then twice as long each
    /// time, at most T2 for E and G (sections 17.1.1.2, 17.1.2.2 and 17.2.1).
    pub(super) fn start_retransmit(
        &mut self,
        now: Millis,
        (t1_ms, t2_ms): (u32, u32),
        at_t2: bool,
    ) {
        // Only a 2xx of our own is repeated over reliable transports too (section 13.3.1.4).
        if self.reliable && !matches!(self.state, State::Accepted) {
            return;
        }
        let doubled = match self.interval {
            0 => t1_ms,
            interval => interval.saturating_mul(2),
        };
        self.interval = match (at_t2, self.kind) {
            (true, _) => t2_ms,
            (false, Kind::InviteClient) => doubled,
            (false, _) => doubled.min(t2_ms),
        }
        .max(1);
        self.retransmit_at = now + Millis::from(self.interval);
    }

    /// Starts a timer that ends a wait; it takes the place of the one before.
    pub(super) fn start_wait(&mut self, timer: Timer, at: Millis) {
        self.waiting = timer;
        self.wait_until = at;
    }

    /// Stops a timer if it runs.
    pub(super) fn stop(&mut self, timer: Timer) {
        if timer.retransmits() {
            self.retransmit_at = OFF;
        } else if self.waiting == timer {
            self.wait_until = OFF;
        }
    }

    /// How long the fixed timers run: those that are zero on reliable transports,
    /// and those of 64 * T1 (RFC 3261 table 4, RFC 6026 section 8.5).
    pub(super) fn wait_ms(&self, timer: Timer, cfg: &TxConfig) -> u32 {
        match timer {
            Timer::D | Timer::I | Timer::J | Timer::K if self.reliable => 0,
            Timer::D => cfg.timer_d_ms,
            Timer::I | Timer::K => cfg.t4_ms,
            Timer::Trying if self.kind == Kind::InviteServer => cfg.trying_ms,
            Timer::Trying => cfg.timer_e_at_t2_ms(),
            Timer::C => cfg.fr_inv_timer_ms,
            Timer::B | Timer::F => cfg.fr_timer_ms,
            _ => cfg.t1_64_ms(),
        }
    }

    const fn retransmitter(&self) -> Timer {
        match self.kind {
            Kind::InviteClient => Timer::A,
            Kind::NonInviteClient => Timer::E,
            Kind::InviteServer | Kind::NonInviteServer => Timer::G,
        }
    }
}
