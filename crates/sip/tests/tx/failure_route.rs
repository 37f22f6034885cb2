//! Failure routes and branch failure routes: serial forking by a script.

use sipwright_sip::tx::{BranchError, DropReplies, Outcome, State, TxConfig};
use sipwright_sip::types::Proto;

use crate::ladder::Ladder;

/// A call that has failed with 486, its failure route running.
fn failing() -> (Ladder, sipwright_sip::tx::TxId) {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 486);
    l.seen(&["INVITE > bob", "ACK > bob", "FAIL 486 of 0"]);
    assert!(l.tx(tx).is_deciding());
    (l, tx)
}

#[test]
fn the_route_does_nothing() {
    let (mut l, tx) = failing();
    l.wait(100_000); // however long it takes, the reply is held
    l.timed(&[(200, "100 > caller")]);
    l.failure_done(tx);
    l.seen(&["486 > caller"]);
}

#[test]
fn the_route_replies() {
    let (mut l, tx) = failing();
    l.reply(tx, 480).unwrap();
    l.failure_done(tx);
    l.seen(&["480 > caller"]);
}

#[test]
fn the_route_tries_another_target() {
    let (mut l, tx) = failing();
    l.add(tx, "carol").unwrap();
    l.failure_done(tx);
    l.seen(&["INVITE > carol"]);
    l.answer(tx, 1, 180);
    l.answer(tx, 1, 200);
    l.seen(&["180 > caller", "200 > caller"]);
}

/// The hook was used up: the second failure goes upstream.
#[test]
fn the_hook_is_reset() {
    let (mut l, tx) = failing();
    assert_eq!(l.tx(tx).hooks().unwrap().on_failure, None);
    l.add(tx, "carol").unwrap();
    l.failure_done(tx);
    l.answer(tx, 1, 500);
    l.seen(&["INVITE > carol", "ACK > carol", "500 > caller"]);
}

/// What goes upstream in the end, when bob says 404, carol 500 and dave 501, one after
/// the other, and each failure route says which replies to drop.
fn after_three(settings: DropReplies, wishes: [Option<DropReplies>; 2]) -> u16 {
    let cfg = TxConfig {
        drop_replies: settings,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 404);
    for (index, (callee, wish)) in ["carol", "dave"].into_iter().zip(wishes).enumerate() {
        assert!(l.tx(tx).is_deciding());
        if let Some(wish) = wish {
            l.drop_replies(tx, wish);
        }
        l.add(tx, callee).unwrap();
        if index == 0 {
            l.arm_failure(tx);
        }
        l.failure_done(tx);
        l.answer(tx, index as u16 + 1, 500 + index as u16);
    }
    l.last_to("caller").status()
}

#[test]
fn which_failures_are_compared() {
    use DropReplies::{All, IfNewBranch, LastSet, Nothing};
    let cases = [
        // settings, first route, second route, what the caller gets
        (IfNewBranch, None, None, 501),
        (Nothing, None, None, 404),
        (All, None, None, 501),
        (LastSet, None, None, 501),
        (Nothing, None, Some(LastSet), 404), // carol's is dropped, bob's is not
        (Nothing, None, Some(All), 501),
        (Nothing, Some(All), None, 500), // of carol and dave the lower
        (Nothing, Some(LastSet), None, 500),
        (IfNewBranch, Some(Nothing), Some(Nothing), 404),
        (IfNewBranch, Some(Nothing), None, 501),
    ];
    for (settings, first, second, code) in cases {
        let seen = after_three(settings, [first, second]);
        assert_eq!(seen, code, "{settings:?}, {first:?}, {second:?}");
    }
}

/// As Kamailio does: nothing is left to answer with.
#[test]
fn everything_dropped_and_nothing_added() {
    let (mut l, tx) = failing();
    l.drop_replies(tx, DropReplies::All);
    assert_eq!(l.tx(tx).branch(0).unwrap().outcome(), Outcome::Done);
    l.failure_done(tx);
    assert_eq!(l.tx(tx).branch(0).unwrap().outcome(), Outcome::Dropped);
    l.seen(&["500 > caller"]);
}

#[test]
fn the_last_word_about_dropping_counts() {
    let (mut l, tx) = failing();
    l.drop_replies(tx, DropReplies::All);
    l.drop_replies(tx, DropReplies::Nothing);
    l.failure_done(tx);
    l.seen(&["486 > caller"]);
}

#[test]
fn the_hook_may_be_armed_again() {
    let (mut l, tx) = failing();
    l.arm_failure(tx);
    l.add(tx, "carol").unwrap();
    l.failure_done(tx);
    l.answer(tx, 1, 404);
    l.seen(&["INVITE > carol", "ACK > carol", "FAIL 404 of 1"]);
    l.arm_failure(tx); // but without a new branch it does not run again
    l.failure_done(tx);
    l.seen(&["404 > caller"]);
}

#[test]
fn a_timeout_is_a_408() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.wait(29_999);
    l.forget();
    l.wait(1);
    l.seen(&["FAIL 408 of 0"]);
    assert!(l.tx(tx).branch(0).unwrap().is_timed_out());
    l.failure_done(tx);
    l.seen(&["408 > caller"]);
}

#[test]
fn a_timeout_of_another_request_is_told_but_not_answered() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.wait(30_000);
    l.forget();
    assert!(l.tx(tx).is_deciding());
    l.failure_done(tx);
    l.nothing();
    assert_eq!(l.state(tx), State::Completed);
}

/// The added branch has failed before the route ended.
#[test]
fn the_new_branch_is_unreachable() {
    let (mut l, tx) = failing();
    l.arm_failure(tx);
    l.add(tx, "carol").unwrap();
    l.send_failed(tx, 1);
    l.seen(&["INVITE > carol"]);
    l.failure_done(tx);
    l.seen(&["FAIL 503 of 1"]);
    l.failure_done(tx);
    l.seen(&["500 > caller"]);
}

#[test]
fn a_late_200_during_the_route() {
    let (mut l, tx) = failing();
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]);
    assert_eq!(l.add(tx, "carol"), Err(BranchError::Replied));
    assert!(l.reply(tx, 404).is_err());
    l.failure_done(tx);
    l.nothing();
}

#[test]
fn a_late_200_after_the_route_added_a_branch() {
    let (mut l, tx) = failing();
    l.add(tx, "carol").unwrap();
    l.answer(tx, 1, 180);
    l.forget();
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller", "CANCEL > carol"]);
    l.failure_done(tx);
    l.answer(tx, 1, 487);
    l.seen(&["ACK > carol"]);
}

#[test]
fn cancel_during_the_route() {
    let (mut l, tx) = failing();
    l.cancel(tx);
    l.nothing(); // nothing is pending, the answer is held
    assert!(l.tx(tx).is_cancelled());
    assert_eq!(l.add(tx, "carol"), Err(BranchError::Cancelled));
    l.failure_done(tx);
    l.seen(&["486 > caller"]);
}

#[test]
fn cancel_while_the_second_target_rings() {
    let (mut l, tx) = failing();
    l.add(tx, "carol").unwrap();
    l.failure_done(tx);
    l.answer(tx, 1, 180);
    l.cancel(tx);
    l.answer(tx, 1, 487);
    l.seen(&[
        "INVITE > carol",
        "180 > caller",
        "CANCEL > carol",
        "ACK > carol",
        "487 > caller",
    ]);
}

#[test]
fn the_route_runs_for_a_cancelled_call_too() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.answer(tx, 0, 487);
    l.forget();
    assert!(l.tx(tx).is_deciding() && l.tx(tx).is_cancelled());
    l.failure_done(tx);
    l.seen(&["487 > caller"]);
}

#[test]
fn the_route_after_a_6xx() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 603);
    l.add(tx, "carol").unwrap(); // voicemail
    l.failure_done(tx);
    l.answer(tx, 1, 200);
    l.seen(&[
        "INVITE > bob",
        "ACK > bob",
        "FAIL 603 of 0",
        "INVITE > carol",
        "200 > caller",
    ]);
}

#[test]
fn the_transaction_waits_for_the_route() {
    let (mut l, tx) = failing();
    l.wait(900_000);
    assert_eq!(l.tx(tx).final_code(), 0);
    l.failure_done(tx);
    l.failure_done(tx); // once too often does no harm
    assert_eq!(l.tx(tx).final_code(), 486);
}

#[test]
fn a_success_runs_no_route() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 0, 486);
    l.answer(tx, 1, 200);
    l.seen(&[
        "INVITE > bob",
        "INVITE > carol",
        "ACK > bob",
        "200 > caller",
    ]);
}

/// A call to two callees; bob's failure is watched by a branch failure route.
fn watched() -> (Ladder, sipwright_sip::tx::TxId) {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let mut spec = l.spec(tx, 0, "bob");
    spec.on_failure = Some("BRANCH".into());
    spec.on_reply = Some("REPLY".into());
    l.add_spec(tx, spec).unwrap();
    l.relay(tx, &["carol"]);
    assert_eq!(
        l.tx(tx).branch(0).unwrap().on_reply().unwrap().as_ref(),
        "REPLY"
    );
    l.forget();
    (l, tx)
}

#[test]
fn a_branch_failure_route_adds_a_target() {
    let (mut l, tx) = watched();
    l.answer(tx, 0, 480);
    l.seen(&["ACK > bob", "branch BRANCH 480 of 0"]);
    l.answer(tx, 1, 404);
    l.seen(&["ACK > carol"]); // bob is not decided yet
    l.add(tx, "dave").unwrap();
    l.branch_failure_done(tx, 0);
    l.seen(&["INVITE > dave"]);
    l.answer(tx, 2, 500);
    l.seen(&["ACK > dave", "404 > caller"]);
}

#[test]
fn a_branch_failure_route_does_nothing() {
    let (mut l, tx) = watched();
    l.answer(tx, 1, 486);
    l.wait(30_000);
    l.forget();
    assert_eq!(l.tx(tx).branch(0).unwrap().outcome(), Outcome::Held);
    l.wait(500_000);
    l.branch_failure_done(tx, 0);
    l.branch_failure_done(tx, 9);
    l.seen(&["408 > caller"]);
}

#[test]
fn a_success_during_a_branch_failure_route() {
    let (mut l, tx) = watched();
    l.answer(tx, 0, 480);
    l.answer(tx, 1, 200);
    l.forget();
    l.branch_failure_done(tx, 0);
    l.nothing();
}

#[test]
fn a_failure_after_the_end_runs_no_branch_failure_route() {
    let (mut l, tx) = watched();
    l.answer(tx, 0, 180);
    l.answer(tx, 1, 200);
    l.forget();
    l.answer(tx, 0, 487);
    l.seen(&["ACK > bob"]);
}

#[test]
fn the_transaction_has_a_default_for_its_branches() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.hooks(tx).on_branch_failure = Some("ALL".into());
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 480);
    l.seen(&["INVITE > bob", "ACK > bob", "branch ALL 480 of 0"]);
    l.branch_failure_done(tx, 0);
    l.seen(&["480 > caller"]);
}
