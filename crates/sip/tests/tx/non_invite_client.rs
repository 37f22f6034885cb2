//! Non-INVITE client transaction: RFC 3261 section 17.1.2, RFC 4320.

use sipwright_sip::tx::State;

use crate::ladder::Ladder;

pub const ALL: &[fn()] = &[
    timer_e_doubles_up_to_t2,
    proceeding_retransmits_at_t2,
    reliable_transport_does_not_retransmit,
    answered,
    answered_after_a_provisional,
    timer_k_is_zero_on_reliable_transports,
    unreachable,
    unreachable_after_a_provisional,
    late_answer_is_dropped,
    is_not_cancelled,
];

fn options(l: &mut Ladder) -> sipwright_sip::tx::TxId {
    let tx = l.get("OPTIONS");
    l.layer.set_auto_trying(l.now, tx, false);
    l.relay(tx, &["bob"]);
    tx
}

#[test]
pub fn timer_e_doubles_up_to_t2() {
    let mut l = Ladder::udp();
    options(&mut l);
    l.wait(29_000);
    let at = [
        0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500,
    ];
    l.timed(&at.map(|at| (at, "OPTIONS > bob")));
}

#[test]
pub fn proceeding_retransmits_at_t2() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.answer(tx, 0, 100);
    l.answer(tx, 0, 100);
    assert_eq!(l.branch_state(tx, 0), State::Proceeding);
    l.wait(9_000);
    l.timed(&[0, 500, 4_500, 8_500].map(|at| (at, "OPTIONS > bob")));
    l.wait(21_000); // Timer F goes on
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
}

#[test]
pub fn reliable_transport_does_not_retransmit() {
    let mut l = Ladder::tcp();
    let tx = options(&mut l);
    l.wait(30_000);
    l.timed(&[(0, "OPTIONS > bob"), (30_000, "gone 408")]);
    assert!(l.layer.get(tx).is_none());
}

#[test]
pub fn answered() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.answer(tx, 0, 200);
    l.absorbed(tx, 0, 200);
    l.absorbed(tx, 0, 100);
    l.send_failed(tx, 0);
    assert_eq!(l.branch_state(tx, 0), State::Completed);
    l.wait(5_000); // Timer K
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
    l.seen(&["OPTIONS > bob", "200 > caller"]);
}

#[test]
pub fn answered_after_a_provisional() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.answer(tx, 0, 100);
    l.answer(tx, 0, 404);
    l.seen(&["OPTIONS > bob", "404 > caller"]);
}

#[test]
pub fn timer_k_is_zero_on_reliable_transports() {
    let mut l = Ladder::tcp();
    let tx = options(&mut l);
    l.answer(tx, 0, 200);
    l.wait(0);
    l.seen(&["OPTIONS > bob", "200 > caller", "gone 200"]);
    assert!(l.layer.get(tx).is_none());
}

#[test]
pub fn unreachable() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.send_failed(tx, 0);
    l.seen(&["OPTIONS > bob", "500 > caller"]);
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
}

#[test]
pub fn unreachable_after_a_provisional() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.answer(tx, 0, 100);
    l.send_failed(tx, 0);
    l.seen(&["OPTIONS > bob", "500 > caller"]);
}

#[test]
pub fn late_answer_is_dropped() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.wait(30_000);
    l.forget();
    l.absorbed(tx, 0, 200);
    l.absorbed(tx, 0, 100);
    l.send_failed(tx, 0);
    l.nothing();
}

#[test]
pub fn is_not_cancelled() {
    let mut l = Ladder::udp();
    let tx = options(&mut l);
    l.answer(tx, 0, 100);
    l.cancel(tx);
    l.cancel_branch(tx, 0);
    assert!(!l.tx(tx).is_cancelled());
    l.seen(&["OPTIONS > bob"]);
}
