//! INVITE client transaction: RFC 3261 section 17.1.1, RFC 6026 section 7.2,
//! and Timer C of section 16.

use sipwright_sip::tx::{ClientMatch, State};

use crate::ladder::Ladder;

pub const ALL: &[fn()] = &[
    timer_a_doubles_until_timer_b,
    reliable_transport_does_not_retransmit,
    provisional_stops_retransmission,
    every_provisional_but_100_is_forwarded,
    timer_c_is_reset_by_101_to_199,
    timer_c_cancels_and_answers_408,
    failure_is_acknowledged_and_absorbed,
    ack_has_the_branch_of_the_invite,
    timer_d_is_zero_on_reliable_transports,
    failure_right_away,
    success_right_away,
    accepted_passes_every_2xx_only,
    success_after_failure,
    unreachable_is_503_sent_as_500,
    transport_error_after_a_response,
    ack_that_cannot_be_sent,
    terminated_still_passes_2xx,
];

#[test]
pub fn timer_a_doubles_until_timer_b() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.trying(tx);
    l.relay(tx, &["bob"]);
    l.wait(30_000);
    l.ack();
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
    assert!(l.tx(tx).branch(0).unwrap().is_timed_out());
    l.timed(&[
        (0, "100 > caller"),
        (0, "INVITE > bob"),
        (500, "INVITE > bob"),
        (1_500, "INVITE > bob"),
        (3_500, "INVITE > bob"),
        (7_500, "INVITE > bob"),
        (15_500, "INVITE > bob"),
        (30_000, "408 > caller"),
    ]);
    l.wait(5_000);
    l.seen(&["gone 408"]);
}

#[test]
pub fn reliable_transport_does_not_retransmit() {
    let mut l = Ladder::tcp();
    let tx = l.get("INVITE");
    l.trying(tx);
    l.relay(tx, &["bob"]);
    l.wait(60_000);
    l.ack();
    l.timed(&[
        (0, "100 > caller"),
        (0, "INVITE > bob"),
        (30_000, "408 > caller"),
    ]);
}

#[test]
pub fn provisional_stops_retransmission() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.wait(600);
    l.answer(tx, 0, 100);
    assert_eq!(l.branch_state(tx, 0), State::Proceeding);
    l.forget();
    l.wait(100_000);
    l.nothing();
}

#[test]
pub fn every_provisional_but_100_is_forwarded() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    for code in [100, 180, 100, 183, 180] {
        l.answer(tx, 0, code);
    }
    l.seen(&[
        "INVITE > bob",
        "180 > caller",
        "183 > caller",
        "180 > caller",
    ]);
    assert_eq!(l.tx(tx).last_code(), 180);
}

#[test]
pub fn timer_c_is_reset_by_101_to_199() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 100);
    l.wait(100_000);
    l.answer(tx, 0, 180);
    l.wait(70_000);
    l.answer(tx, 0, 100); // no reset
    l.forget();
    l.wait(9_999);
    l.nothing(); // and max_inv_lifetime is 180 s
    l.wait(1);
    l.timed(&[(180_000, "CANCEL > bob"), (180_000, "408 > caller")]);
    assert_eq!(l.branch_state(tx, 0), State::Cancelling);
}

#[test]
pub fn timer_c_cancels_and_answers_408() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.forget();
    l.wait(120_000);
    l.ack();
    l.seen(&["CANCEL > bob", "408 > caller"]);
    assert_eq!(l.answer_cancel("bob", 200), ClientMatch::Absorbed(tx));
    l.absorbed(tx, 0, 487); // the 408 has been sent
    l.seen(&["ACK > bob"]);
}

#[test]
pub fn failure_is_acknowledged_and_absorbed() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 0, 486);
    l.ack();
    l.absorbed(tx, 0, 486);
    l.absorbed(tx, 0, 180);
    l.absorbed(tx, 0, 100);
    l.seen(&[
        "INVITE > bob",
        "180 > caller",
        "ACK > bob",
        "486 > caller",
        "ACK > bob",
    ]);
    l.cancel_branch(tx, 0);
    assert_eq!(l.branch_state(tx, 0), State::Completed);
    l.wait(32_000); // Timer D
    l.seen(&["gone 486"]);
}

#[test]
pub fn ack_has_the_branch_of_the_invite() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let invite = l.last_to("bob");
    l.answer(tx, 0, 404);
    let ack = l.last_to("bob");
    assert_eq!(ack.method_name(), b"ACK");
    assert_eq!(ack.branch(), invite.branch());
    assert_eq!(ack.uri(), invite.uri());
    assert_eq!(ack.cseq(), 7);
    assert_eq!(ack.to_tag(), Some(&b"callee0"[..]));
}

#[test]
pub fn timer_d_is_zero_on_reliable_transports() {
    let mut l = Ladder::tcp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 404);
    l.wait(0);
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
    l.ack();
    l.wait(0);
    l.seen(&["INVITE > bob", "ACK > bob", "404 > caller", "gone 404"]);
}

#[test]
pub fn failure_right_away() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 302);
    l.wait(100);
    l.seen(&["INVITE > bob", "ACK > bob", "302 > caller"]);
    assert_eq!(l.branch_state(tx, 0), State::Completed);
}

#[test]
pub fn success_right_away() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 200);
    l.wait(40_000); // Timers L and M
    l.timed(&[
        (0, "INVITE > bob"),
        (0, "200 > caller"),
        (32_000, "gone 200"),
    ]);
}

#[test]
pub fn accepted_passes_every_2xx_only() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 0, 200);
    l.answer(tx, 0, 200);
    l.absorbed(tx, 0, 100);
    l.absorbed(tx, 0, 180);
    l.absorbed(tx, 0, 486);
    l.cancel_branch(tx, 0);
    l.send_failed(tx, 0);
    assert_eq!(l.branch_state(tx, 0), State::Accepted);
    l.seen(&[
        "INVITE > bob",
        "180 > caller",
        "200 > caller",
        "200 > caller",
    ]);
}

/// The next proxy sent 408 and then its callee answered (section 16.7 step 5).
#[test]
pub fn success_after_failure() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 408);
    l.answer(tx, 0, 200);
    assert_eq!(l.state(tx), State::Completed);
    assert_eq!(l.branch_state(tx, 0), State::Accepted);
    l.ack();
    l.answer(tx, 0, 200);
    assert_eq!(l.state(tx), State::Confirmed);
    l.seen(&[
        "INVITE > bob",
        "ACK > bob",
        "408 > caller",
        "200 > caller",
        "200 > caller",
    ]);
}

#[test]
pub fn unreachable_is_503_sent_as_500() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.send_failed(tx, 0);
    assert_eq!(l.tx(tx).branch(0).unwrap().code(), 503);
    l.seen(&["INVITE > bob", "500 > caller"]);
}

#[test]
pub fn transport_error_after_a_response() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.send_failed(tx, 0);
    assert_eq!(l.branch_state(tx, 0), State::Proceeding);
    l.cancel(tx);
    l.send_failed(tx, 0);
    l.cancel_branch(tx, 0);
    assert_eq!(l.branch_state(tx, 0), State::Cancelling);
    l.seen(&["INVITE > bob", "180 > caller", "CANCEL > bob"]);
}

#[test]
pub fn ack_that_cannot_be_sent() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 486);
    l.send_failed(tx, 0);
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
    l.seen(&["INVITE > bob", "ACK > bob", "486 > caller"]);
}

/// A branch whose machine is over, in a transaction that is not.
#[test]
pub fn terminated_still_passes_2xx() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.wait(30_000);
    l.forget();
    l.absorbed(tx, 0, 100);
    l.absorbed(tx, 0, 180);
    l.cancel_branch(tx, 0);
    l.send_failed(tx, 0);
    l.nothing();
    l.absorbed(tx, 0, 486);
    l.absorbed(tx, 0, 486);
    l.seen(&["ACK > bob", "ACK > bob"]);
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]);
    assert_eq!(l.branch_state(tx, 0), State::Accepted);
}
