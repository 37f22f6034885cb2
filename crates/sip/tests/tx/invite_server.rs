//! INVITE server transaction: RFC 3261 section 17.2.1, RFC 6026 section 7.1.

use sipwright_sip::tx::{ReplyError, ServerMatch, State, TxConfig};
use sipwright_sip::types::Proto;

use crate::ladder::Ladder;

pub const ALL: &[fn()] = &[
    trying_after_200_ms,
    trying_on_demand_once,
    trying_suppressed,
    proceeding_repeats_the_last_provisional,
    failure_is_retransmitted_until_ack,
    failure_without_ack_ends_by_timer_h,
    reliable_transport_runs_no_timer_g,
    confirmed_absorbs_acks,
    accepted_absorbs_invites_and_passes_acks,
    own_2xx_is_repeated_over_udp,
    accepted_answers_once,
    one_final_failure_only,
    transport_errors_change_nothing,
    release_ends_it_silently,
    release_after_an_answer_is_too_late,
    terminated_absorbs_while_a_branch_lasts,
    forgotten_by_the_script,
];

#[test]
pub fn trying_after_200_ms() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.wait(5_000);
    l.timed(&[(200, "100 > caller")]);
    assert_eq!(l.state(tx), State::Proceeding);
    assert_eq!(l.last_to("caller").to_tag(), None);
}

#[test]
pub fn trying_on_demand_once() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.trying(tx);
    l.trying(tx);
    l.wait(5_000);
    l.timed(&[(0, "100 > caller")]);
}

#[test]
pub fn trying_suppressed() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.set_auto_trying(l.now, tx, false);
    l.wait(5_000);
    l.nothing();
}

/// `auto_inv_100 = 0`; the script may still send one.
#[test]
fn no_trying_by_itself() {
    let cfg = TxConfig {
        auto_trying: false,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    l.trying(tx);
    l.wait(5_000);
    l.nothing();
    l.reply(tx, 100).unwrap();
    l.layer.set_auto_trying(l.now, tx, true);
    l.seen(&["100 > caller"]);
}

#[test]
fn trying_has_a_reason_of_its_own() {
    let cfg = TxConfig {
        trying_reason: "your call is important".into(),
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    l.trying(tx);
    assert_eq!(l.last_to("caller").reason(), b"your call is important");
    l.reply(tx, 404).unwrap();
    assert_eq!(l.last_to("caller").reason(), b"Not Found");
}

#[test]
pub fn proceeding_repeats_the_last_provisional() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.again(tx);
    l.nothing(); // nothing to repeat yet
    l.reply(tx, 180).unwrap();
    l.reply(tx, 183).unwrap();
    l.again(tx);
    l.seen(&["180 > caller", "183 > caller", "183 > caller"]);
    assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: false });
    assert_eq!(l.state(tx), State::Proceeding);
    l.nothing();
}

/// Timer G: T1, 2 T1, 4 T1, then T2.
#[test]
pub fn failure_is_retransmitted_until_ack() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 486).unwrap();
    l.again(tx);
    l.wait(12_000);
    assert_eq!(l.state(tx), State::Completed);
    assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: false });
    assert_eq!(l.state(tx), State::Confirmed);
    l.done(tx);
    l.wait(5_000); // Timer I
    l.timed(&[
        (0, "486 > caller"),
        (0, "486 > caller"),
        (500, "486 > caller"),
        (1_500, "486 > caller"),
        (3_500, "486 > caller"),
        (7_500, "486 > caller"),
        (11_500, "486 > caller"),
        (17_000, "gone 486"),
    ]);
}

#[test]
pub fn failure_without_ack_ends_by_timer_h() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 404).unwrap();
    l.done(tx);
    l.forget();
    l.wait(31_999);
    assert_eq!(l.state(tx), State::Completed);
    l.forget();
    l.wait(1);
    l.timed(&[(32_000, "gone 404")]);
    assert!(l.layer.get(tx).is_none());
}

#[test]
pub fn reliable_transport_runs_no_timer_g() {
    let mut l = Ladder::tcp();
    let tx = l.get("INVITE");
    l.reply(tx, 404).unwrap();
    l.done(tx);
    l.wait(31_000);
    l.ack();
    l.wait(0); // Timer I is zero
    l.timed(&[(0, "404 > caller"), (31_000, "gone 404")]);
}

#[test]
pub fn confirmed_absorbs_acks() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 600).unwrap();
    l.ack();
    l.forget();
    assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: false });
    l.again(tx);
    for code in [180, 200, 486] {
        assert_eq!(l.reply(tx, code), Err(ReplyError::Replied));
    }
    l.release(tx);
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Confirmed);
    l.nothing();
}

#[test]
pub fn accepted_absorbs_invites_and_passes_acks() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 200).unwrap();
    assert_eq!(l.state(tx), State::Accepted);
    l.again(tx);
    assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: true });
    assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: true });
    l.done(tx);
    l.wait(40_000); // Timer L
    l.timed(&[(0, "200 > caller"), (32_000, "gone 200")]);
}

/// Section 13.3.1.4: T1, doubled up to T2, whatever the transport, until the ACK with
/// our tag comes.
fn repeats_its_2xx(mut l: Ladder) {
    let tx = l.get("INVITE");
    l.reply(tx, 200).unwrap();
    l.wait(8_000);
    let tag = l.tx(tx).to_tag();
    assert_eq!(
        l.ack_2xx("z9hG4bKother", "bogus"),
        ServerMatch::Ack { tx, to_2xx: true }
    );
    l.wait(4_000);
    assert_eq!(
        l.ack_2xx("z9hG4bKack", &tag),
        ServerMatch::Ack { tx, to_2xx: true }
    );
    l.done(tx);
    l.wait(30_000);
    l.timed(&[
        (0, "200 > caller"),
        (500, "200 > caller"),
        (1_500, "200 > caller"),
        (3_500, "200 > caller"),
        (7_500, "200 > caller"),
        (11_500, "200 > caller"),
        (32_000, "gone 200"),
    ]);
}

#[test]
pub fn own_2xx_is_repeated_over_udp() {
    repeats_its_2xx(Ladder::udp());
}

#[test]
fn own_2xx_is_repeated_over_tcp() {
    repeats_its_2xx(Ladder::tcp());
}

#[test]
fn own_2xx_without_an_ack() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 202).unwrap();
    l.wait(31_000);
    assert_eq!(l.sent.len(), 10); // at 0, .5, 1.5, 3.5, 7.5, 11.5 .. 27.5
    l.done(tx);
    l.wait(2_000);
    assert!(l.layer.get(tx).is_none());
}

/// A branch that succeeds after all is passed on; what is repeated is our own.
#[test]
fn a_late_2xx_of_a_branch_is_not_repeated() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.reply(tx, 200).unwrap();
    l.answer(tx, 0, 200);
    l.forget();
    let ours = l.tx(tx).to_tag();
    l.wait(500);
    l.seen(&["200 > caller", "CANCEL > bob"]);
    assert_eq!(l.last_to("caller").to_tag(), Some(ours.as_bytes()));
}

#[test]
pub fn accepted_answers_once() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 200).unwrap();
    assert_eq!(l.reply(tx, 200), Err(ReplyError::Replied));
    assert_eq!(l.reply(tx, 180), Err(ReplyError::Replied));
    assert_eq!(l.reply(tx, 500), Err(ReplyError::Replied));
    l.seen(&["200 > caller"]);
}

#[test]
pub fn one_final_failure_only() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 404).unwrap();
    assert_eq!(l.reply(tx, 486), Err(ReplyError::Replied));
    assert_eq!(l.reply(tx, 200), Err(ReplyError::Replied));
    assert_eq!(l.reply(tx, 180), Err(ReplyError::Replied));
    l.seen(&["404 > caller"]);
    assert_eq!(l.tx(tx).final_code(), 404);
}

#[test]
pub fn transport_errors_change_nothing() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Proceeding);
    l.reply(tx, 404).unwrap();
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Completed);
    l.seen(&["404 > caller"]);

    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 200).unwrap();
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Accepted);
}

#[test]
pub fn release_ends_it_silently() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.release(tx);
    assert_eq!(l.state(tx), State::Terminated);
    assert_eq!(l.reply(tx, 200), Err(ReplyError::Gone));
    assert!(l.add(tx, "bob").is_err());
    l.done(tx);
    l.seen(&["gone 0"]);
}

#[test]
pub fn release_after_an_answer_is_too_late() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 200).unwrap();
    l.release(tx);
    assert_eq!(l.state(tx), State::Accepted);

    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 302).unwrap();
    l.release(tx);
    assert_eq!(l.state(tx), State::Completed);
}

/// The server machine is over by Timer H; a branch waits for the end of its CANCEL.
#[test]
pub fn terminated_absorbs_while_a_branch_lasts() {
    let mut l = Ladder::over(Proto::Udp, Proto::Tcp);
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.wait(20_000);
    l.answer(tx, 1, 603); // cancels bob
    l.wait(15_000);
    l.answer(tx, 0, 487); // 603 goes up
    l.wait(35_000);
    assert!(l.layer.get(tx).is_none());

    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.reply(tx, 404).unwrap();
    l.wait(20_000);
    l.answer(tx, 0, 180); // and is cancelled
    l.wait(14_000);
    assert_eq!(l.state(tx), State::Terminated);
    l.forget();
    l.again(tx);
    assert_eq!(l.ack(), ServerMatch::Ack { tx, to_2xx: false });
    l.release(tx);
    l.reply_failed(tx);
    l.answer(tx, 0, 183);
    assert_eq!(l.reply(tx, 486), Err(ReplyError::Replied));
    l.nothing();
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]); // section 16.7 step 9
    assert_eq!(l.state(tx), State::Terminated);
}

/// Kamailio's "script writer didn't release transaction": nothing is kept.
#[test]
pub fn forgotten_by_the_script() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.done(tx);
    l.seen(&["gone 0"]);
}
