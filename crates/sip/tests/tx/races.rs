//! What crosses on the wire, or between two workers.

use sipwright_sip::tx::{ClientMatch, ReplyError, ServerMatch, State};

use crate::ladder::Ladder;

/// The 200 is on its way while the caller cancels.
#[test]
fn cancel_crosses_200() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.arrive(tx, 0, 200); // waits for the reply route
    l.forget();
    l.cancel(tx); // too late: bob has a final response
    l.nothing();
    l.deliver(tx, 0, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn cancel_crosses_486() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 486);
    l.cancel(tx);
    l.deliver(tx, 0, 486);
    l.seen(&["INVITE > bob", "ACK > bob", "486 > caller"]);
}

/// Two workers: the 180 was read first, but its reply route ends last.
#[test]
fn provisional_delivered_after_final() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 180);
    l.arrive(tx, 0, 200);
    l.deliver(tx, 0, 200);
    l.deliver(tx, 0, 180);
    l.seen(&["INVITE > bob", "200 > caller"]);
    assert_eq!(l.tx(tx).branch(0).unwrap().code(), 200);
}

/// The reply route takes so long that all timers have run: the transaction waits.
#[test]
fn a_pinned_transaction_outlives_its_timers() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 1, 404);
    l.arrive(tx, 0, 486);
    l.wait(500_000);
    assert_eq!(l.state(tx), State::Proceeding);
    l.forget();
    l.deliver(tx, 0, 486);
    l.seen(&["404 > caller"]);
}

#[test]
fn a_2xx_delivered_after_its_machine_ended() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 200);
    l.wait(100_000);
    l.forget();
    l.deliver(tx, 0, 200);
    l.seen(&["200 > caller"]);
}

/// Timer C has run out, the caller has its 408: then the callee answers after all.
#[test]
fn success_after_timer_c() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.wait(120_000);
    l.ack();
    l.forget();
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]);
    assert_eq!(l.state(tx), State::Confirmed);
}

#[test]
fn failure_after_timer_b() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.wait(30_000);
    l.forget();
    l.absorbed(tx, 0, 486);
    l.seen(&["ACK > bob"]);
}

/// Both workers got a copy of the 486 before the first was processed.
#[test]
fn the_same_failure_twice() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    assert_eq!(l.arrive(tx, 0, 486), ClientMatch::Deliver { tx, branch: 0 });
    l.absorbed(tx, 0, 486);
    l.deliver(tx, 0, 486);
    l.answer(tx, 1, 404);
    assert_eq!(l.last_to("caller").status(), 404);
}

#[test]
fn script_reply_crosses_a_failure() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 486);
    l.reply(tx, 480).unwrap();
    l.deliver(tx, 0, 486);
    l.seen(&["INVITE > bob", "ACK > bob", "480 > caller"]);
    assert_eq!(l.reply(tx, 486), Err(ReplyError::Replied));
}

#[test]
fn script_reply_crosses_a_2xx() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 200);
    l.reply(tx, 480).unwrap();
    l.deliver(tx, 0, 200); // the call is up: the caller must know
    l.seen(&["INVITE > bob", "480 > caller", "200 > caller"]);
}

#[test]
fn ack_repeated_after_a_failure() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 486);
    for _ in 0..3 {
        assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: false });
    }
    assert_eq!(l.state(tx), State::Confirmed);
}

/// The ACK is lost; the failure is repeated, and so is the ACK.
#[test]
fn lost_ack() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 486);
    l.forget();
    l.wait(600);
    l.seen(&["486 > caller"]);
    l.ack();
    l.wait(4_000);
    l.nothing();
}

#[test]
fn copies_while_ringing() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.again(tx);
    l.seen(&["INVITE > bob", "180 > caller", "180 > caller"]);
}

/// A late call of `handle_timeout` retransmits once, not once per missed time.
#[test]
fn a_late_timer_fires_once() {
    let mut l = Ladder::udp();
    l.invite(&["bob"]);
    l.forget();
    l.now += 10_000;
    l.wait(0);
    l.timed(&[(10_000, "100 > caller"), (10_000, "INVITE > bob")]);
}

/// A very late one does not retransmit what is over.
#[test]
fn a_very_late_timer_times_out() {
    let mut l = Ladder::udp();
    l.invite(&["bob"]);
    l.forget();
    l.now += 60_000;
    l.wait(0);
    l.timed(&[(60_000, "100 > caller"), (60_000, "408 > caller")]);
}

/// Nobody holds on to a release crossing an answer.
#[test]
fn send_failure_of_a_gone_branch() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 200);
    l.send_failed(tx, 0);
    l.send_failed(tx, 5);
    assert_eq!(l.branch_state(tx, 0), State::Accepted);
}
