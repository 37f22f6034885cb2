//! CANCEL: RFC 3261 sections 9 and 16.10.

use sipwright_sip::HeaderId;
use sipwright_sip::tx::{
    BranchError, CancelUnreplied, ClientMatch, ReplyError, State, TxConfig, TxId,
};
use sipwright_sip::types::Proto;

use crate::ladder::Ladder;

pub const ALL: &[fn()] = &[
    upstream_cancels,
    cancel_waits_for_a_provisional,
    cancel_is_a_transaction_of_its_own,
    cancel_without_a_final_response,
    provisional_after_cancel,
    success_after_cancel,
    unreplied_branch_counts_as_487,
    unreplied_branch_is_cancelled_at_once,
    cancel_methods_once_more,
];

#[test]
pub fn upstream_cancels() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.forget();
    l.cancel(tx);
    assert!(l.tx(tx).is_cancelled());
    assert_eq!(l.branch_state(tx, 0), State::Cancelling);
    l.answer_cancel("bob", 200);
    l.answer(tx, 0, 487);
    l.ack();
    l.seen(&["CANCEL > bob", "ACK > bob", "487 > caller"]);
}

#[test]
fn cancel_looks_like_its_invite() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let invite = l.last_to("bob");
    l.answer(tx, 0, 180);
    let mut out = Vec::new();
    l.layer
        .cancel(l.now, tx, b"Reason: SIP;cause=480\r\n", &mut out);
    let bytes = out.iter().find_map(|output| match output {
        sipwright_sip::tx::Output::Send { bytes, .. } => Some(bytes.clone()),
        _ => None,
    });
    let cancel = crate::ladder::parse(bytes.expect("a CANCEL"));
    assert_eq!(cancel.branch(), invite.branch());
    assert_eq!(cancel.uri(), invite.uri());
    assert_eq!(cancel.value(HeaderId::CSeq), Some(&b"7 CANCEL"[..]));
    assert_eq!(cancel.value(HeaderId::Reason), Some(&b"SIP;cause=480"[..]));
    assert_eq!(cancel.vias().count(), 1);
}

/// Section 9.1: no CANCEL before a provisional response.
#[test]
pub fn cancel_waits_for_a_provisional() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.cancel(tx);
    l.wait(1_000);
    l.timed(&[
        (0, "INVITE > bob"),
        (200, "100 > caller"),
        (500, "INVITE > bob"),
    ]);
    assert_eq!(l.branch_state(tx, 0), State::Calling);
    l.answer(tx, 0, 100);
    l.seen(&["CANCEL > bob"]);
    l.answer(tx, 0, 487);
    l.seen(&["ACK > bob", "487 > caller"]);
}

#[test]
fn cancelled_but_never_heard_of() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.cancel(tx);
    l.wait(29_999);
    l.forget();
    l.wait(1);
    l.timed(&[(30_000, "487 > caller")]);
    l.absorbed(tx, 0, 180);
    l.nothing();
}

/// Retransmitted by Timer E until answered.
#[test]
pub fn cancel_is_a_transaction_of_its_own() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.forget();
    l.wait(2_000);
    assert_eq!(l.answer_cancel("bob", 100), ClientMatch::Absorbed(tx));
    assert_eq!(
        l.tx(tx).branch(0).unwrap().cancel_state(),
        Some(State::Proceeding)
    );
    l.wait(2_000);
    assert_eq!(l.answer_cancel("bob", 200), ClientMatch::Absorbed(tx));
    assert_eq!(l.answer_cancel("bob", 200), ClientMatch::Absorbed(tx));
    l.wait(10_000);
    assert_eq!(
        l.tx(tx).branch(0).unwrap().cancel_state(),
        Some(State::Terminated)
    );
    l.timed(&[
        (500, "CANCEL > bob"),
        (1_500, "CANCEL > bob"),
        (3_500, "CANCEL > bob"),
    ]);
}

#[test]
fn an_unanswered_cancel_ends() {
    let mut l = Ladder::over(Proto::Udp, Proto::Tcp);
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.wait(30_000);
    assert_eq!(
        l.tx(tx).branch(0).unwrap().cancel_state(),
        Some(State::Terminated)
    );
}

/// Section 9.1: after 64 * T1 the request counts as cancelled.
#[test]
pub fn cancel_without_a_final_response() {
    let mut l = Ladder::tcp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.answer_cancel("bob", 481);
    l.forget();
    l.wait(32_000);
    l.timed(&[(32_000, "487 > caller")]);
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
}

#[test]
pub fn provisional_after_cancel() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.answer(tx, 0, 100);
    l.answer(tx, 0, 183);
    // Whoever has cancelled does not want to know.
    l.seen(&["INVITE > bob", "180 > caller", "CANCEL > bob"]);
    assert_eq!(l.branch_state(tx, 0), State::Cancelling);
}

#[test]
pub fn success_after_cancel() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.forget();
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]);
    assert_eq!(l.state(tx), State::Accepted);
}

fn with_method(cancel_unreplied: CancelUnreplied, callees: &[&str]) -> (Ladder, TxId) {
    let cfg = TxConfig {
        cancel_unreplied,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.invite(callees);
    l.forget();
    (l, tx)
}

/// `cancel_b_method` 0: the caller need not wait; whoever rings after all is cancelled.
#[test]
pub fn unreplied_branch_counts_as_487() {
    let (mut l, tx) = with_method(CancelUnreplied::Assume487, &["bob", "carol"]);
    l.answer(tx, 1, 180);
    l.cancel(tx);
    l.seen(&["180 > caller", "CANCEL > carol"]);
    l.cancel_branch(tx, 0);
    l.cancel_branch(tx, 1);
    l.answer_cancel("carol", 200);
    l.answer(tx, 1, 487);
    l.seen(&["ACK > carol", "487 > caller"]);
    l.ack();
    l.wait(10_000);
    l.nothing(); // no INVITE to bob
    l.absorbed(tx, 0, 180);
    l.seen(&["CANCEL > bob"]);
    l.absorbed(tx, 0, 487);
    l.cancel_branch(tx, 0);
    l.seen(&["ACK > bob"]);
}

#[test]
fn an_unreplied_branch_that_succeeds_late() {
    let (mut l, tx) = with_method(CancelUnreplied::Assume487, &["bob"]);
    l.cancel(tx);
    l.seen(&["487 > caller"]);
    l.answer(tx, 0, 200);
    l.cancel_branch(tx, 0);
    l.seen(&["200 > caller"]);
}

/// `cancel_b_method` 2.
#[test]
pub fn unreplied_branch_is_cancelled_at_once() {
    let (mut l, tx) = with_method(CancelUnreplied::AtOnce, &["bob"]);
    l.cancel(tx);
    l.cancel_branch(tx, 0);
    l.wait(500);
    l.seen(&["CANCEL > bob", "100 > caller", "CANCEL > bob"]);
    l.answer_cancel("bob", 481);
    l.wait(31_500);
    l.seen(&["487 > caller"]);
    l.cancel_branch(tx, 0);
    l.nothing();
}

/// A branch that has ended, or that rings, is no different by these methods.
#[test]
pub fn cancel_methods_once_more() {
    for method in [CancelUnreplied::Assume487, CancelUnreplied::AtOnce] {
        for code in [180, 200, 404] {
            let (mut l, tx) = with_method(method, &["bob"]);
            l.answer(tx, 0, code);
            l.cancel_branch(tx, 0);
            let cancelled = l.sent.iter().any(|(_, b)| b.starts_with(b"CANCEL"));
            assert_eq!(cancelled, code == 180, "{method:?} after {code}");
        }
        let (mut l, tx) = with_method(method, &["bob", "carol"]);
        l.send_failed(tx, 0);
        l.cancel_branch(tx, 0);
        l.nothing();
    }
}

/// The script has not decided yet: the 487 is due at once (section 9.2).
#[test]
fn cancelled_before_any_branch() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.cancel(tx);
    l.seen(&["487 > caller"]);
    assert_eq!(l.add(tx, "bob"), Err(BranchError::Cancelled));
    assert_eq!(l.reply(tx, 404), Err(ReplyError::Replied));
    l.nothing();
}

#[test]
fn all_branches_are_cancelled_once() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol", "dave"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 1, 183);
    l.answer(tx, 2, 404);
    l.forget();
    l.cancel(tx);
    l.cancel(tx);
    l.seen(&["CANCEL > bob", "CANCEL > carol"]);
    l.answer(tx, 0, 487);
    l.answer(tx, 1, 487);
    l.seen(&["ACK > bob", "ACK > carol", "404 > caller"]); // the best of them
}

#[test]
fn cancel_after_the_final_response_has_no_effect() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 200);
    l.forget();
    l.cancel(tx);
    assert!(!l.tx(tx).is_cancelled());
    l.nothing();
}

#[test]
fn one_branch_only() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 1, 180);
    l.forget();
    l.cancel_branch(tx, 1);
    l.cancel_branch(tx, 7); // is not there
    l.seen(&["CANCEL > carol"]);
    assert!(!l.tx(tx).is_cancelled());
    l.answer(tx, 1, 487);
    l.answer(tx, 0, 200);
    l.seen(&["ACK > carol", "200 > caller"]);
}
