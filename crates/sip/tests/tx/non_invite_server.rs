//! Non-INVITE server transaction: RFC 3261 section 17.2.2, RFC 4320.

use sipwright_sip::tx::{ReplyError, State};

use crate::ladder::{Ladder, request};

pub const ALL: &[fn()] = &[
    trying_absorbs_copies,
    proceeding_repeats_100,
    trying_only_when_timer_e_is_at_t2,
    no_early_100_over_udp,
    early_100_over_tcp,
    no_other_provisional,
    completed_repeats_the_answer_until_timer_j,
    reliable_transport_ends_at_once,
    never_408,
    never_408_after_100,
    transport_error_ends_it,
    transport_error_in_trying_is_of_nobody,
    release_ends_it_silently,
    second_answer_is_refused,
    late_answers_after_the_end_are_ignored,
    trying_is_not_for_other_requests,
];

#[test]
pub fn trying_absorbs_copies() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.again(tx);
    l.nothing();
    assert_eq!(l.state(tx), State::Trying);
}

#[test]
pub fn trying_only_when_timer_e_is_at_t2() {
    let mut l = Ladder::udp();
    l.get("OPTIONS");
    l.wait(10_000);
    l.timed(&[(3_500, "100 > caller")]);
}

#[test]
pub fn proceeding_repeats_100() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.wait(4_000);
    l.again(tx);
    l.reply(tx, 100).unwrap();
    l.seen(&["100 > caller", "100 > caller", "100 > caller"]);
    assert_eq!(l.state(tx), State::Proceeding);
    l.reply(tx, 200).unwrap();
    l.seen(&["200 > caller"]);
}

#[test]
pub fn no_early_100_over_udp() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    assert_eq!(l.reply(tx, 100), Err(ReplyError::Forbidden));
    l.nothing();
}

#[test]
pub fn early_100_over_tcp() {
    let mut l = Ladder::tcp();
    let tx = l.get("OPTIONS");
    l.reply(tx, 100).unwrap();
    l.wait(10_000);
    l.timed(&[(0, "100 > caller")]);
}

#[test]
pub fn no_other_provisional() {
    let mut l = Ladder::tcp();
    let tx = l.get("OPTIONS");
    assert_eq!(l.reply(tx, 183), Err(ReplyError::Forbidden));
    l.done(tx);
    l.seen(&["gone 0"]);

    // A callee's is not forwarded either.
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 183);
    l.seen(&["OPTIONS > bob"]);
}

#[test]
pub fn completed_repeats_the_answer_until_timer_j() {
    let mut l = Ladder::udp();
    let tx = l.get("REGISTER");
    l.reply(tx, 200).unwrap();
    l.done(tx);
    l.wait(31_999);
    l.again(tx);
    l.wait(1);
    l.timed(&[
        (0, "200 > caller"),
        (31_999, "200 > caller"),
        (32_000, "gone 200"),
    ]);
}

#[test]
pub fn reliable_transport_ends_at_once() {
    let mut l = Ladder::tcp();
    let tx = l.get("REGISTER");
    l.reply(tx, 401).unwrap();
    l.done(tx);
    l.wait(0);
    l.timed(&[(0, "401 > caller"), (0, "gone 401")]);
}

/// RFC 4320 section 4.2. Copies are absorbed, so that nobody starts over.
#[test]
pub fn never_408() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.reply(tx, 408).unwrap();
    assert_eq!(l.reply(tx, 408), Err(ReplyError::Replied));
    assert_eq!(l.state(tx), State::Completed);
    l.again(tx);
    l.done(tx);
    l.wait(60_000);
    l.timed(&[(32_000, "gone 408")]);
}

#[test]
pub fn never_408_after_100() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.relay(tx, &["bob"]);
    l.wait(29_999);
    l.forget();
    l.wait(1); // Timer F
    assert_eq!(l.state(tx), State::Completed);
    assert_eq!(l.tx(tx).final_code(), 408);
    l.nothing();
    l.again(tx); // the 100
    l.seen(&["100 > caller"]);
}

#[test]
pub fn transport_error_ends_it() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.reply(tx, 200).unwrap();
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Terminated);
    l.done(tx);
    l.seen(&["200 > caller", "gone 200"]);

    let mut l = Ladder::tcp();
    let tx = l.get("OPTIONS");
    l.reply(tx, 100).unwrap();
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Terminated);
}

#[test]
pub fn transport_error_in_trying_is_of_nobody() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.reply_failed(tx);
    assert_eq!(l.state(tx), State::Trying);
}

#[test]
pub fn release_ends_it_silently() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.release(tx);
    l.done(tx);
    l.seen(&["gone 0"]);

    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.wait(4_000);
    l.release(tx);
    l.done(tx);
    l.seen(&["100 > caller", "gone 0"]);
}

#[test]
pub fn second_answer_is_refused() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 0, 200);
    l.answer(tx, 1, 200); // the response context tries; the machine discards it
    assert_eq!(l.reply(tx, 100), Err(ReplyError::Replied));
    assert_eq!(l.reply(tx, 404), Err(ReplyError::Replied));
    l.release(tx);
    l.seen(&["OPTIONS > bob", "OPTIONS > carol", "200 > caller"]);
}

/// The server side ended by a transport error; the branches are still there.
#[test]
pub fn late_answers_after_the_end_are_ignored() {
    let mut l = Ladder::tcp();
    let request = |tag| {
        request("OPTIONS")
            .replace("caller", tag)
            .replace("ladder", tag)
    };
    for (code, tag) in [(200, "a"), (404, "b")] {
        let tx = l.receive_new(&request(tag));
        l.reply(tx, 100).unwrap();
        l.relay(tx, &["bob"]);
        l.reply_failed(tx);
        l.forget();
        l.again(tx);
        l.release(tx);
        l.reply_failed(tx);
        assert_eq!(l.reply(tx, 100), Err(ReplyError::Gone));
        l.answer(tx, 0, code);
        l.nothing();
    }
    let tx = l.receive_new(&request("c"));
    l.reply(tx, 100).unwrap();
    l.relay(tx, &["bob"]);
    l.reply_failed(tx);
    l.forget();
    l.wait(30_000);
    l.seen(&["gone 200", "gone 404", "gone 408"]);
}

#[test]
pub fn trying_is_not_for_other_requests() {
    let mut l = Ladder::udp();
    let tx = l.get("MESSAGE");
    l.trying(tx);
    l.nothing();
}
