//! Suspended transactions: Kamailio's `t_suspend` and `t_continue`.

use sipwright_sip::tx::{BranchError, ClientMatch, ReplyError, Resumption, TxConfig, TxId};
use sipwright_sip::types::Proto;

use crate::ladder::{Ladder, request};

/// A request that its route suspended; the route is over.
fn suspended(l: &mut Ladder, method: &str) -> TxId {
    let tx = l.get(method);
    assert!(l.suspend(tx));
    l.done(tx);
    assert!(l.tx(tx).is_suspended());
    l.forget();
    tx
}

fn resume(l: &mut Ladder, tx: TxId) -> Resumption {
    l.layer.resume(l.now, tx)
}

#[test]
fn resumed_and_relayed() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    l.wait(20_000);
    l.timed(&[(200, "100 > caller")]);
    assert_eq!(resume(&mut l, tx), Resumption::Request);
    assert_eq!(resume(&mut l, tx), Resumption::NotSuspended);
    l.add(tx, "bob").unwrap();
    l.resume_done(tx);
    l.answer(tx, 1, 180);
    l.answer(tx, 1, 200);
    l.seen(&["INVITE > bob", "180 > caller", "200 > caller"]);
}

#[test]
fn a_failure_goes_back_without_the_blind_branch() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    resume(&mut l, tx);
    l.add(tx, "bob").unwrap();
    l.resume_done(tx);
    l.answer(tx, 1, 486);
    l.seen(&["INVITE > bob", "ACK > bob", "486 > caller"]);
}

/// The decision waits for the route, however fast the callee is.
#[test]
fn a_failure_while_the_route_runs() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    resume(&mut l, tx);
    l.add(tx, "bob").unwrap();
    l.answer(tx, 1, 486);
    l.seen(&["INVITE > bob", "ACK > bob"]);
    l.wait(60_000);
    l.forget();
    l.resume_done(tx);
    l.seen(&["486 > caller"]);
}

#[test]
fn resumed_and_answered() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "MESSAGE");
    resume(&mut l, tx);
    l.reply(tx, 202).unwrap();
    l.resume_done(tx);
    l.seen(&["202 > caller"]);
}

/// As Kamailio: whoever resumes a request and does nothing has forgotten it.
#[test]
fn resumed_for_nothing() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    l.arm_failure(tx);
    resume(&mut l, tx);
    l.resume_done(tx);
    l.seen(&["500 > caller"]);
}

#[test]
fn copies_are_absorbed() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    l.wait(500);
    l.again(tx);
    l.seen(&["100 > caller", "100 > caller"]);
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "MESSAGE");
    l.again(tx);
    l.nothing();
}

/// Timer B of the branch that does not exist.
#[test]
fn nobody_resumes_it() {
    for (method, expected) in [
        (
            "INVITE",
            &[(200, "100 > caller"), (30_000, "408 > caller")][..],
        ),
        // RFC 4320 section 4.2: no 408 to other requests.
        ("MESSAGE", &[(3_500, "100 > caller")][..]),
    ] {
        let mut l = Ladder::udp();
        let tx = suspended(&mut l, method);
        l.wait(30_001);
        l.timed(expected);
        assert_eq!(resume(&mut l, tx), Resumption::NotSuspended, "{method}");
    }
}

#[test]
fn nobody_resumes_it_and_a_failure_route_is_armed() {
    for method in ["INVITE", "MESSAGE"] {
        let mut l = Ladder::tcp();
        let tx = suspended(&mut l, method);
        l.arm_failure(tx);
        l.wait(5_000);
        l.forget();
        l.wait(30_000);
        l.timed(&[(30_000, "FAIL 408 of 0")]);
        assert!(l.tx(tx).branch(0).unwrap().is_timed_out());
        l.reply(tx, 480).unwrap();
        l.failure_done(tx);
        l.seen(&["480 > caller"]);
    }
}

/// `t_set_fr` sets the time of this one, before and while it is suspended.
#[test]
fn its_own_time() {
    let mut l = Ladder::tcp();
    let tx = l.get("INVITE");
    l.set_fr(tx, 0, 2_000);
    assert!(l.suspend(tx));
    l.done(tx);
    l.wait(1_000);
    l.set_fr(tx, 0, 5_000);
    l.wait(100_000);
    l.timed(&[
        (200, "100 > caller"),
        (6_000, "408 > caller"),
        (38_000, "gone 408"),
    ]);
}

#[test]
fn cancelled_while_suspended() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    l.arm_failure(tx);
    l.cancel(tx);
    l.seen(&["487 > caller"]);
    assert_eq!(resume(&mut l, tx), Resumption::Cancelled);
    assert!(!l.suspend(tx));
}

#[test]
fn cancelled_while_its_route_runs() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    resume(&mut l, tx);
    l.cancel(tx);
    assert_eq!(l.add(tx, "bob"), Err(BranchError::Cancelled));
    l.resume_done(tx);
    l.seen(&["487 > caller"]);
}

#[test]
fn cancelled_with_another_branch() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    assert!(l.suspend(tx));
    l.add(tx, "bob").unwrap();
    l.done(tx);
    l.answer(tx, 1, 180);
    l.forget();
    l.cancel(tx);
    l.answer(tx, 1, 487);
    l.seen(&["CANCEL > bob", "ACK > bob", "487 > caller"]);
}

#[test]
fn suspended_again_by_its_route() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    assert_eq!(resume(&mut l, tx), Resumption::Request);
    assert!(l.suspend(tx));
    l.resume_done(tx);
    l.nothing();
    assert_eq!(resume(&mut l, tx), Resumption::Request);
    l.reply(tx, 480).unwrap();
    l.resume_done(tx);
    l.seen(&["480 > caller"]);
}

#[test]
fn suspended_by_a_failure_route() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 486);
    l.forget();
    assert!(l.suspend(tx));
    l.failure_done(tx);
    l.nothing();
    assert_eq!(resume(&mut l, tx), Resumption::Request);
    l.resume_done(tx);
    // The suspension counts as a new branch, for which earlier failures are dropped.
    l.seen(&["500 > caller"]);
}

#[test]
fn answered_while_suspended() {
    let mut l = Ladder::udp();
    let tx = suspended(&mut l, "INVITE");
    l.reply(tx, 480).unwrap();
    l.ack();
    l.seen(&["480 > caller"]);
    assert_eq!(resume(&mut l, tx), Resumption::Request);
    assert_eq!(l.add(tx, "bob"), Err(BranchError::Replied));
    assert_eq!(l.reply(tx, 200), Err(ReplyError::Replied));
    l.resume_done(tx);
    l.nothing();
}

#[test]
fn suspending_has_its_bounds() {
    let cfg = TxConfig {
        max_branches: 3,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    for _ in 0..3 {
        assert!(l.suspend(tx));
    }
    assert!(!l.suspend(tx));
    l.done(tx);
    assert_eq!(resume(&mut l, tx), Resumption::Request);
    l.reply(tx, 503).unwrap();
    assert!(!l.suspend(tx), "it was answered");
    l.resume_done(tx);
    l.ack();
    l.wait(100_000);
    assert_eq!(resume(&mut l, tx), Resumption::Gone);
}

/// A call whose 200 waits for its route.
fn held() -> (Ladder, TxId) {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let deliver = ClientMatch::Deliver { tx, branch: 0 };
    assert_eq!(l.arrive(tx, 0, 200), deliver);
    assert!(l.layer.suspend_reply(l.now, tx, 0, 200));
    l.forget();
    (l, tx)
}

#[test]
fn a_response_is_resumed() {
    let (mut l, tx) = held();
    assert_eq!(l.tx(tx).held_reply(), Some((0, 200)));
    assert!(!l.layer.suspend_reply(l.now, tx, 0, 200), "one at a time");
    l.wait(500);
    l.absorbed(tx, 0, 200); // the callee's copies
    assert_eq!(resume(&mut l, tx), Resumption::Response(0));
    assert_eq!(resume(&mut l, tx), Resumption::NotSuspended);
    l.deliver(tx, 0, 200);
    l.seen(&["100 > caller", "200 > caller"]);
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn a_response_that_nobody_resumes() {
    let (mut l, tx) = held();
    l.wait(40_000);
    l.timed(&[(200, "100 > caller"), (30_000, "held reply of 0")]);
    assert_eq!(resume(&mut l, tx), Resumption::NotSuspended);
    l.deliver(tx, 0, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn a_final_response_overtakes_a_suspended_provisional_one() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 180);
    assert!(l.layer.suspend_reply(l.now, tx, 0, 180));
    l.answer(tx, 0, 200);
    assert_eq!(resume(&mut l, tx), Resumption::Response(0));
    l.deliver(tx, 0, 180);
    l.seen(&["INVITE > bob", "200 > caller"]);
}

#[test]
fn requests_of_our_own_are_not_suspended() {
    let mut l = Ladder::udp();
    l.request = std::sync::Arc::new(crate::ladder::parse(request("OPTIONS")));
    let tx = l
        .layer
        .create_local(l.now, sipwright_sip::Method::Options, "data");
    assert!(!l.suspend(tx));
    l.layer.unpin(l.now, tx, &mut Vec::new());
    assert_eq!(resume(&mut l, tx), Resumption::Gone);
}
