//! The transition tables of the four machines.
//!
//! Read a row as: in this state, on one of these events, go to that state and do
//! these actions, because of that section (of RFC 3261, unless another RFC is
//! named). Entering `Terminated` stops all timers. Timers that are zero on
//! reliable transports (D, I, J, K) fire at once there; A, E and G do not run.

use super::table::Action::{
    Deliver, PassAck, PassReply, ReportCancelled, ReportTimeout, ReportUnreachable, ResendReply,
    SendAck, SendCancel, SendReply, SendRequest, SendTrying, Start, StartAtT2, Stop, WantCancel,
};
use super::table::Event::{
    Ack, Cancel, CancelAtOnce, CancelQuietly, Release, Reply1xx, Reply2xx, Reply408, ReplyFailure,
    ReplyFinal, Request, Response1xx, Response2xx, Response100, ResponseFailure, ResponseFinal,
    TimerA, TimerB, TimerC, TimerCancel, TimerD, TimerE, TimerF, TimerG, TimerH, TimerI, TimerJ,
    TimerK, TimerL, TimerM, TimerTrying, TransportError,
};
use super::table::State::{
    Accepted, Calling, Cancelling, Completed, Confirmed, Proceeding, Terminated, Trying,
};
use super::table::Timer::{A, B, C, D, E, F, G, H, I, J, K, L, M};
use super::table::{Kind, Table, Timer, go, ignore, never};

/// INVITE server transaction: section 17.2.1 as RFC 6026 section 7.1 amends it.
///
/// A 2xx that a branch brings after a failure went upstream is passed on without
/// a change of state: a proxy forwards every 2xx (section 16.7 steps 5 and 9).
/// Timer G runs in `Accepted` for a 2xx of the user's own only, which the core of a
/// UAS repeats until the ACK comes, over any transport (section 13.3.1.4).
#[rustfmt::skip]
pub static INVITE_SERVER: Table = Table::new(Kind::InviteServer, Proceeding, &[Start(Timer::Trying)], &[
    go(Proceeding, &[Request], Proceeding, &[ResendReply], "17.2.1"),
    ignore(Proceeding, &[Ack], "no final response yet"),
    go(Proceeding, &[Reply1xx], Proceeding, &[Stop(Timer::Trying), SendReply], "17.2.1"),
    go(Proceeding, &[Reply2xx], Accepted, &[SendReply, Start(L)], "RFC 6026 7.1"),
    go(Proceeding, &[ReplyFailure], Completed, &[SendReply, Start(G), Start(H)], "17.2.1"),
    go(Proceeding, &[Release], Terminated, &[], "the user gives up"),
    go(Proceeding, &[TimerTrying], Proceeding, &[SendTrying], "17.2.1"),
    ignore(Proceeding, &[TransportError], "RFC 6026 7.1"),
    never(Proceeding, &[TimerG, TimerH, TimerI, TimerL]),

    ignore(Accepted, &[Request], "RFC 6026 7.1"),
    go(Accepted, &[Ack], Accepted, &[Stop(G), PassAck], "RFC 6026 7.1, 13.3.1.4"),
    go(Accepted, &[Reply2xx], Accepted, &[SendReply], "RFC 6026 7.1, 16.7 step 5"),
    ignore(Accepted, &[Reply1xx, ReplyFailure], "16.7 step 5"),
    ignore(Accepted, &[Release], "has been answered"),
    go(Accepted, &[TimerG], Accepted, &[ResendReply, Start(G)], "13.3.1.4"),
    go(Accepted, &[TimerL], Terminated, &[], "RFC 6026 7.1"),
    ignore(Accepted, &[TransportError], "RFC 6026 7.1"),
    never(Accepted, &[TimerTrying, TimerH, TimerI]),

    go(Completed, &[Request], Completed, &[ResendReply], "17.2.1"),
    go(Completed, &[Ack], Confirmed, &[Stop(G), Start(I)], "17.2.1"),
    go(Completed, &[Reply2xx], Completed, &[PassReply], "16.7 steps 5 and 9"),
    ignore(Completed, &[Reply1xx, ReplyFailure], "16.7 step 5"),
    ignore(Completed, &[Release], "has been answered"),
    go(Completed, &[TimerG], Completed, &[ResendReply, Start(G)], "17.2.1"),
    go(Completed, &[TimerH], Terminated, &[], "17.2.1"),
    ignore(Completed, &[TransportError], "RFC 6026 7.1"),
    never(Completed, &[TimerTrying, TimerI, TimerL]),

    ignore(Confirmed, &[Request, Ack], "17.2.1"),
    go(Confirmed, &[Reply2xx], Confirmed, &[PassReply], "16.7 steps 5 and 9"),
    ignore(Confirmed, &[Reply1xx, ReplyFailure], "16.7 step 5"),
    ignore(Confirmed, &[Release], "has been answered"),
    go(Confirmed, &[TimerI], Terminated, &[], "17.2.1"),
    ignore(Confirmed, &[TransportError], "RFC 6026 7.1"),
    never(Confirmed, &[TimerTrying, TimerG, TimerH, TimerL]),

    // Still here only because a branch is.
    ignore(Terminated, &[Request, Ack], "absorbed while branches last"),
    go(Terminated, &[Reply2xx], Terminated, &[PassReply], "16.7 steps 5 and 9"),
    ignore(Terminated, &[Reply1xx, ReplyFailure], "16.7 step 5"),
    ignore(Terminated, &[Release, TransportError], "over"),
    never(Terminated, &[TimerTrying, TimerG, TimerH, TimerI, TimerL]),
]);

/// Non-INVITE server transaction: section 17.2.2 as RFC 4320 amends it: no
/// provisional response but a 100, and that late; never a 408.
#[rustfmt::skip]
pub static NON_INVITE_SERVER: Table = Table::new(Kind::NonInviteServer, Trying, &[Start(Timer::Trying)], &[
    ignore(Trying, &[Request], "17.2.2"),
    go(Trying, &[Reply1xx], Proceeding, &[Stop(Timer::Trying), SendReply], "17.2.2"),
    go(Trying, &[ReplyFinal], Completed, &[SendReply, Start(J)], "17.2.2"),
    go(Trying, &[Reply408], Completed, &[Start(J)], "RFC 4320 4.2"),
    go(Trying, &[Release], Terminated, &[], "the user gives up"),
    go(Trying, &[TimerTrying], Proceeding, &[SendTrying], "RFC 4320 4.1"),
    ignore(Trying, &[TransportError], "nothing was sent"),
    never(Trying, &[TimerJ]),

    go(Proceeding, &[Request], Proceeding, &[ResendReply], "17.2.2"),
    go(Proceeding, &[Reply1xx], Proceeding, &[SendReply], "17.2.2"),
    go(Proceeding, &[ReplyFinal], Completed, &[SendReply, Start(J)], "17.2.2"),
    go(Proceeding, &[Reply408], Completed, &[Start(J)], "RFC 4320 4.2"),
    go(Proceeding, &[Release], Terminated, &[], "the user gives up"),
    go(Proceeding, &[TransportError], Terminated, &[], "17.2.2"),
    never(Proceeding, &[TimerTrying, TimerJ]),

    go(Completed, &[Request], Completed, &[ResendReply], "17.2.2"),
    ignore(Completed, &[Reply1xx, ReplyFinal, Reply408], "17.2.2"),
    ignore(Completed, &[Release], "has been answered"),
    go(Completed, &[TimerJ], Terminated, &[], "17.2.2"),
    go(Completed, &[TransportError], Terminated, &[], "17.2.2"),
    never(Completed, &[TimerTrying]),

    ignore(Terminated, &[Request], "absorbed while branches last"),
    ignore(Terminated, &[Reply1xx, ReplyFinal, Reply408], "RFC 4320 4.2"),
    ignore(Terminated, &[Release, TransportError], "over"),
    never(Terminated, &[TimerTrying, TimerJ]),
]);

/// INVITE client transaction of a proxy: section 17.1.1 as RFC 6026 section 7.2
/// amends it, Timer C of section 16, and CANCEL of section 9.1.
///
/// `Cancelling` is `Proceeding` with a CANCEL out: Timer C no longer runs, the
/// wait of section 9.1 does. After Timer C the user has its 408 already and only
/// a 2xx is news. As long as the response context lives, a 2xx is passed on even
/// after the machine has terminated (section 16.7 step 5: the next proxy may
/// have timed out before its callee did).
#[rustfmt::skip]
pub static INVITE_CLIENT: Table = Table::new(Kind::InviteClient, Calling, &[SendRequest, Start(A), Start(B)], &[
    go(Calling, &[Response100, Response1xx], Proceeding, &[Stop(A), Start(C), Deliver], "17.1.1.2, 16.6 step 11"),
    go(Calling, &[Response2xx], Accepted, &[Stop(A), Start(M), Deliver], "RFC 6026 7.2"),
    go(Calling, &[ResponseFailure], Completed, &[Stop(A), SendAck, Start(D), Deliver], "17.1.1.2"),
    go(Calling, &[Cancel], Calling, &[WantCancel], "9.1"),
    go(Calling, &[CancelQuietly], Calling, &[Stop(A), WantCancel, ReportCancelled], "cancel_b_method 0"),
    go(Calling, &[CancelAtOnce], Cancelling, &[Stop(A), SendCancel, Start(Timer::Cancel)], "cancel_b_method 2"),
    go(Calling, &[TimerA], Calling, &[SendRequest, Start(A)], "17.1.1.2"),
    go(Calling, &[TimerB], Terminated, &[ReportTimeout], "17.1.1.2, 16.7 step 1"),
    go(Calling, &[TransportError], Terminated, &[ReportUnreachable], "17.1.4, 16.9"),
    never(Calling, &[TimerC, TimerCancel, TimerD, TimerM]),

    go(Proceeding, &[Response100], Proceeding, &[Deliver], "17.1.1.2"),
    go(Proceeding, &[Response1xx], Proceeding, &[Start(C), Deliver], "17.1.1.2, 16.7 step 2"),
    go(Proceeding, &[Response2xx], Accepted, &[Start(M), Deliver], "RFC 6026 7.2"),
    go(Proceeding, &[ResponseFailure], Completed, &[SendAck, Start(D), Deliver], "17.1.1.2"),
    go(Proceeding, &[Cancel, CancelQuietly, CancelAtOnce], Cancelling, &[SendCancel, Start(Timer::Cancel)], "9.1"),
    go(Proceeding, &[TimerC], Cancelling, &[SendCancel, Start(Timer::Cancel), ReportTimeout], "16.8"),
    ignore(Proceeding, &[TransportError], "the request has arrived"),
    never(Proceeding, &[TimerA, TimerB, TimerCancel, TimerD, TimerM]),

    go(Cancelling, &[Response100, Response1xx], Cancelling, &[Deliver], "17.1.1.2"),
    go(Cancelling, &[Response2xx], Accepted, &[Start(M), Deliver], "RFC 6026 7.2, 9.1"),
    go(Cancelling, &[ResponseFailure], Completed, &[SendAck, Start(D), Deliver], "17.1.1.2, 9.1"),
    ignore(Cancelling, &[Cancel, CancelQuietly, CancelAtOnce], "was sent"),
    go(Cancelling, &[TimerCancel], Terminated, &[ReportTimeout], "9.1"),
    ignore(Cancelling, &[TransportError], "the request has arrived"),
    never(Cancelling, &[TimerA, TimerB, TimerC, TimerD, TimerM]),

    ignore(Accepted, &[Response100, Response1xx], "RFC 6026 7.2"),
    go(Accepted, &[Response2xx], Accepted, &[Deliver], "RFC 6026 7.2"),
    ignore(Accepted, &[ResponseFailure], "RFC 6026 7.2"),
    ignore(Accepted, &[Cancel, CancelQuietly, CancelAtOnce], "9.1: has a final response"),
    go(Accepted, &[TimerM], Terminated, &[], "RFC 6026 7.2"),
    ignore(Accepted, &[TransportError], "the request has arrived"),
    never(Accepted, &[TimerA, TimerB, TimerC, TimerCancel, TimerD]),

    ignore(Completed, &[Response100, Response1xx], "17.1.1.2"),
    go(Completed, &[Response2xx], Accepted, &[Start(M), Deliver], "16.7 step 5"),
    go(Completed, &[ResponseFailure], Completed, &[SendAck], "17.1.1.2"),
    ignore(Completed, &[Cancel, CancelQuietly, CancelAtOnce], "9.1: has a final response"),
    go(Completed, &[TimerD], Terminated, &[], "17.1.1.2"),
    go(Completed, &[TransportError], Terminated, &[], "17.1.1.2"),
    never(Completed, &[TimerA, TimerB, TimerC, TimerCancel, TimerM]),

    // Still here only because the response context is.
    ignore(Terminated, &[Response100, Response1xx], "too late"),
    go(Terminated, &[Response2xx], Accepted, &[Start(M), Deliver], "16.7 step 5"),
    go(Terminated, &[ResponseFailure], Terminated, &[SendAck], "17.1.1.3"),
    ignore(Terminated, &[Cancel, CancelQuietly, CancelAtOnce, TransportError], "over"),
    never(Terminated, &[TimerA, TimerB, TimerC, TimerCancel, TimerD, TimerM]),
]);

/// Non-INVITE client transaction: section 17.1.2. CANCEL uses it too.
#[rustfmt::skip]
pub static NON_INVITE_CLIENT: Table = Table::new(Kind::NonInviteClient, Trying, &[SendRequest, Start(E), Start(F)], &[
    go(Trying, &[Response1xx], Proceeding, &[Deliver], "17.1.2.2"),
    go(Trying, &[ResponseFinal], Completed, &[Stop(E), Start(K), Deliver], "17.1.2.2"),
    go(Trying, &[TimerE], Trying, &[SendRequest, Start(E)], "17.1.2.2"),
    go(Trying, &[TimerF], Terminated, &[ReportTimeout], "17.1.2.2"),
    go(Trying, &[TransportError], Terminated, &[ReportUnreachable], "17.1.2.2"),
    never(Trying, &[TimerK]),

    go(Proceeding, &[Response1xx], Proceeding, &[Deliver], "17.1.2.2"),
    go(Proceeding, &[ResponseFinal], Completed, &[Stop(E), Start(K), Deliver], "17.1.2.2"),
    go(Proceeding, &[TimerE], Proceeding, &[SendRequest, StartAtT2(E)], "17.1.2.2"),
    go(Proceeding, &[TimerF], Terminated, &[ReportTimeout], "17.1.2.2"),
    go(Proceeding, &[TransportError], Terminated, &[ReportUnreachable], "17.1.2.2"),
    never(Proceeding, &[TimerK]),

    ignore(Completed, &[Response1xx, ResponseFinal], "17.1.2.2"),
    go(Completed, &[TimerK], Terminated, &[], "17.1.2.2"),
    ignore(Completed, &[TransportError], "has been answered"),
    never(Completed, &[TimerE, TimerF]),

    // Still here only because the response context is.
    ignore(Terminated, &[Response1xx, ResponseFinal], "RFC 4320 4.2"),
    ignore(Terminated, &[TransportError], "over"),
    never(Terminated, &[TimerE, TimerF, TimerK]),
]);

impl Kind {
    /// All machines.
    pub const ALL: [Self; 4] = [
        Self::InviteServer,
        Self::NonInviteServer,
        Self::InviteClient,
        Self::NonInviteClient,
    ];

    /// The machine's transition table.
    #[must_use]
    pub const fn table(self) -> &'static Table {
        match self {
            Self::InviteServer => &INVITE_SERVER,
            Self::NonInviteServer => &NON_INVITE_SERVER,
            Self::InviteClient => &INVITE_CLIENT,
            Self::NonInviteClient => &NON_INVITE_CLIENT,
        }
    }
}
