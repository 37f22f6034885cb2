//! Requests of our own: a client transaction without a server side.

use sipwright_sip::Method;
use sipwright_sip::tx::{ReplyError, TxId};

use crate::ladder::{Ladder, parse, request};

fn local(l: &mut Ladder, method: Method, name: &str) -> TxId {
    l.request = std::sync::Arc::new(parse(request(name)));
    let tx = l.layer.create_local(l.now, method, "data");
    l.add(tx, "bob").expect("a branch");
    l.layer.unpin(l.now, tx, &mut Vec::new());
    tx
}

#[test]
fn answered() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Options, "OPTIONS");
    assert!(l.tx(tx).is_local());
    assert_eq!(l.reply(tx, 200), Err(ReplyError::Local));
    l.answer(tx, 0, 100);
    l.answer(tx, 0, 200);
    l.wait(5_000);
    l.seen(&["OPTIONS > bob", "local 200 of 0", "gone 200"]);
}

#[test]
fn failed() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Register, "REGISTER");
    l.answer(tx, 0, 503);
    l.seen(&["REGISTER > bob", "local 503 of 0"]); // as it came
}

#[test]
fn timed_out() {
    let mut l = Ladder::tcp();
    local(&mut l, Method::Message, "MESSAGE");
    l.wait(40_000);
    l.timed(&[
        (0, "MESSAGE > bob"),
        (30_000, "local made 408 of 0"),
        (30_000, "gone 408"),
    ]);
}

#[test]
fn unreachable() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Options, "OPTIONS");
    l.send_failed(tx, 0);
    l.seen(&["OPTIONS > bob", "local made 503 of 0", "gone 503"]);
}

#[test]
fn an_invite_reports_every_2xx() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Invite, "INVITE");
    l.answer(tx, 0, 180);
    l.answer(tx, 0, 200);
    l.answer(tx, 0, 200);
    l.seen(&[
        "INVITE > bob",
        "local 180 of 0",
        "local 200 of 0",
        "local 200 of 0",
    ]);
}

#[test]
fn a_failure_is_acknowledged_here() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Invite, "INVITE");
    l.answer(tx, 0, 486);
    l.seen(&["INVITE > bob", "ACK > bob", "local 486 of 0"]);
}

#[test]
fn cancelled_by_the_user() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Invite, "INVITE");
    l.answer(tx, 0, 180);
    l.cancel(tx);
    l.answer(tx, 0, 487);
    l.release(tx); // means nothing here
    l.reply_failed(tx);
    l.seen(&[
        "INVITE > bob",
        "local 180 of 0",
        "CANCEL > bob",
        "ACK > bob",
        "local 487 of 0",
    ]);
}

#[test]
fn with_a_failure_route() {
    let mut l = Ladder::udp();
    let tx = local(&mut l, Method::Register, "REGISTER");
    l.arm_failure(tx);
    l.answer(tx, 0, 401);
    l.add(tx, "bob").expect("with credentials");
    l.failure_done(tx);
    l.answer(tx, 1, 200);
    l.seen(&[
        "REGISTER > bob",
        "FAIL 401 of 0",
        "REGISTER > bob",
        "local 200 of 1",
    ]);
}

#[test]
fn nothing_sent() {
    let mut l = Ladder::udp();
    let tx = l.layer.create_local(l.now, Method::Options, "data");
    l.layer.unpin(l.now, tx, &mut Vec::new());
    assert!(l.layer.get(tx).is_none());
}
