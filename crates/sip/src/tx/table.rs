//! What a transition table is. The tables themselves are in [`super::tables`].

use Event::{
    TimerA, TimerB, TimerC, TimerCancel, TimerD, TimerE, TimerF, TimerG, TimerH, TimerI, TimerJ,
    TimerK, TimerL, TimerM, TimerTrying,
};

/// Which of the four machines of RFC 3261 section 17.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Section 17.2.1, RFC 6026.
    InviteServer,
    /// Section 17.2.2, RFC 4320.
    NonInviteServer,
    /// Section 17.1.1, RFC 6026, and what section 16 adds to it.
    InviteClient,
    /// Section 17.1.2.
    NonInviteClient,
}

/// State of a machine; each machine uses some of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum State {
    /// INVITE client: sent, nothing heard.
    Calling,
    /// Non-INVITE: nothing answered.
    Trying,
    /// A provisional response went by; INVITE server: from the beginning.
    Proceeding,
    /// INVITE client of a proxy: a CANCEL is out, the final response is awaited (section 9.1).
    Cancelling,
    /// A 2xx to INVITE went by (RFC 6026).
    Accepted,
    /// A final response went by.
    Completed,
    /// INVITE server: the ACK for a failure came.
    Confirmed,
    /// Over.
    Terminated,
}

/// Number of [`State`]s.
pub(super) const STATES: usize = State::Terminated as usize + 1;

/// What can happen to a machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Event {
    /// Server: the request came again.
    Request,
    /// INVITE server: an ACK came.
    Ack,
    /// Server: the user sends a provisional response (non-INVITE: 100).
    Reply1xx,
    /// INVITE server: the user sends a 2xx.
    Reply2xx,
    /// INVITE server: the user sends a 300 to 699.
    ReplyFailure,
    /// Non-INVITE server: the user sends a final response other than 408.
    ReplyFinal,
    /// Non-INVITE server: the user sends a 408.
    Reply408,
    /// Server: the user gives up without an answer (Kamailio's `t_release`).
    Release,
    /// INVITE client: a 100 came.
    Response100,
    /// Client: another provisional response came (non-INVITE: any).
    Response1xx,
    /// INVITE client: a 2xx came.
    Response2xx,
    /// INVITE client: a 300 to 699 came.
    ResponseFailure,
    /// Non-INVITE client: a final response came.
    ResponseFinal,
    /// INVITE client: the user wants the request cancelled.
    Cancel,
    /// INVITE client: as `Cancel`, and nobody waits for the answer (Kamailio's
    /// `cancel_b_method` 0).
    CancelQuietly,
    /// INVITE client: as `Cancel`, even before a response came (`cancel_b_method` 2).
    CancelAtOnce,
    /// What was sent last could not be sent.
    TransportError,
    /// INVITE client: retransmit.
    TimerA,
    /// INVITE client: no response.
    TimerB,
    /// INVITE client of a proxy: no final response.
    TimerC,
    /// INVITE client: end of the wait for retransmitted failures.
    TimerD,
    /// Non-INVITE client: retransmit.
    TimerE,
    /// Non-INVITE client: no final response.
    TimerF,
    /// INVITE server: retransmit the failure.
    TimerG,
    /// INVITE server: no ACK.
    TimerH,
    /// INVITE server: end of the wait for retransmitted ACKs.
    TimerI,
    /// Non-INVITE server: end of the wait for retransmitted requests.
    TimerJ,
    /// Non-INVITE client: end of the wait for retransmitted responses.
    TimerK,
    /// INVITE server: end of the wait for ACKs and further 2xx (RFC 6026).
    TimerL,
    /// INVITE client: end of the wait for further 2xx (RFC 6026).
    TimerM,
    /// Server: time for a 100 (section 17.2.1, RFC 4320 section 4.1).
    TimerTrying,
    /// INVITE client: no final response after the CANCEL (section 9.1).
    TimerCancel,
}

/// Number of [`Event`]s.
pub(super) const EVENTS: usize = Event::TimerCancel as usize + 1;

/// A timer, named as in RFC 3261 table 4 and RFC 6026, and two it leaves unnamed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "the RFC's names; Event says what each means")]
pub enum Timer {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
    /// See [`Event::TimerTrying`].
    Trying,
    /// See [`Event::TimerCancel`].
    Cancel,
}

impl Timer {
    /// The event of its firing.
    #[must_use]
    pub const fn event(self) -> Event {
        match self {
            Self::A => TimerA,
            Self::B => TimerB,
            Self::C => TimerC,
            Self::D => TimerD,
            Self::E => TimerE,
            Self::F => TimerF,
            Self::G => TimerG,
            Self::H => TimerH,
            Self::I => TimerI,
            Self::J => TimerJ,
            Self::K => TimerK,
            Self::L => TimerL,
            Self::M => TimerM,
            Self::Trying => TimerTrying,
            Self::Cancel => TimerCancel,
        }
    }

    /// Whether it retransmits, and so never runs on a reliable transport.
    #[must_use]
    pub const fn retransmits(self) -> bool {
        matches!(self, Self::A | Self::E | Self::G)
    }
}

/// What a machine does on a transition, in the order of its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start a timer, or start it again; A, E and G with twice the interval.
    Start(Timer),
    /// Start Timer E with T2.
    StartAtT2(Timer),
    /// Stop a timer.
    Stop(Timer),
    /// Client: send the request, the first time or again.
    SendRequest,
    /// Client: send the ACK for a failure (section 17.1.1.3).
    SendAck,
    /// Client: send a CANCEL, which is a client transaction of its own (section 9.1).
    SendCancel,
    /// Client: remember to send a CANCEL once a provisional response has come (section 9.1).
    WantCancel,
    /// Client: hand the response to the user.
    Deliver,
    /// Client: tell the user that no final response came (as if 408, section 16.8).
    ReportTimeout,
    /// Client: tell the user that the request was cancelled (as if 487).
    ReportCancelled,
    /// Client: tell the user that the request could not be sent (as if 503, section 16.9).
    ReportUnreachable,
    /// Server: send the response and keep it for retransmissions.
    SendReply,
    /// Server: send the response without keeping it (section 16.7 step 9).
    PassReply,
    /// Server: send the kept response again, if there is one.
    ResendReply,
    /// Server: send a 100 made here.
    SendTrying,
    /// Server: hand the ACK to the user.
    PassAck,
}

/// What a row does with its event.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// Go to a state (maybe the same one) and act.
    Go(State, &'static [Action]),
    /// May happen, changes nothing.
    Ignore,
    /// Cannot happen: the timer does not run in this state.
    Never,
}

/// One row: what events do in a state, and who says so.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The state it is about.
    pub state: State,
    /// The events that it is about.
    pub events: &'static [Event],
    /// What they do.
    pub then: Then,
    /// Section of the RFC, or why.
    pub rfc: &'static str,
}

/// A step that a machine took, for tests and for live views.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Transition {
    /// Which machine.
    pub kind: Kind,
    /// State before.
    pub from: State,
    /// What happened.
    pub event: Event,
    /// State after.
    pub to: State,
}

pub(super) const fn go(
    state: State,
    events: &'static [Event],
    next: State,
    actions: &'static [Action],
    rfc: &'static str,
) -> Row {
    Row {
        state,
        events,
        then: Then::Go(next, actions),
        rfc,
    }
}

pub(super) const fn ignore(state: State, events: &'static [Event], rfc: &'static str) -> Row {
    Row {
        state,
        events,
        then: Then::Ignore,
        rfc,
    }
}

pub(super) const fn never(state: State, events: &'static [Event]) -> Row {
    Row {
        state,
        events,
        then: Then::Never,
        rfc: "timer not running",
    }
}

const NO_ROW: u8 = u8::MAX;

/// The transition table of a machine: complete, which is checked at compile
/// time. Every event of the machine has one row in every state of it.
#[derive(Debug)]
pub struct Table {
    /// Which machine.
    pub kind: Kind,
    /// The first state.
    pub initial: State,
    /// What is done on entering it.
    pub entry: &'static [Action],
    /// All rows, state by state.
    pub rows: &'static [Row],
    index: [[u8; EVENTS]; STATES],
}

impl Table {
    /// Indexes the rows. Panics (at compile time) on two rows for the same, and on
    /// a combination without one.
    pub(super) const fn new(
        kind: Kind,
        initial: State,
        entry: &'static [Action],
        rows: &'static [Row],
    ) -> Self {
        let mut index = [[NO_ROW; EVENTS]; STATES];
        let mut used = [false; EVENTS];
        let mut r = 0;
        while r < rows.len() {
            let mut e = 0;
            while e < rows[r].events.len() {
                let event = rows[r].events[e] as usize;
                let cell = &mut index[rows[r].state as usize][event];
                assert!(*cell == NO_ROW, "two rows for a state and an event");
                *cell = r as u8;
                used[event] = true;
                e += 1;
            }
            r += 1;
        }
        let mut r = 0;
        while r < rows.len() {
            let mut e = 0;
            while e < EVENTS {
                let missing = used[e] && index[rows[r].state as usize][e] == NO_ROW;
                assert!(!missing, "a state has no row for an event");
                e += 1;
            }
            r += 1;
        }
        Self {
            kind,
            initial,
            entry,
            rows,
            index,
        }
    }

    /// The row for an event in a state, if the machine knows both.
    #[must_use]
    pub fn row(&self, state: State, event: Event) -> Option<&'static Row> {
        self.rows
            .get(usize::from(self.index[state as usize][event as usize]))
    }
}
