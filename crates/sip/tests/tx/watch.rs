//! What is told to those who watch a transaction: accounting, dialogs.

use sipwright_sip::message::Message;
use sipwright_sip::tx::{Happened, SERVER, TxId, Watcher, happening};

use crate::ladder::Ladder;

const ALL: u16 = 255;

fn kind_name(kind: u16) -> &'static str {
    match kind {
        happening::FORWARDED => "forwarded",
        happening::RECEIVED => "received",
        happening::PROVISIONAL => "provisional",
        happening::FINAL => "final",
        happening::FAILED => "failed",
        happening::ACK => "ack",
        happening::CANCEL => "cancel",
        happening::END => "end",
        _ => panic!("unknown kind {kind}"),
    }
}

impl Ladder {
    /// Somebody watches a transaction.
    pub fn watch(&mut self, tx: TxId, name: &str, kinds: u16) {
        let watcher = Watcher {
            kinds,
            name: name.into(),
            key: 7,
            shows_message: false,
        };
        assert!(self.layer.watch(tx, watcher));
    }

    /// Tells the oldest thing that was not told: whom, kind, code and branch.
    pub fn tell(&mut self, tx: TxId) -> Option<String> {
        let told = self.layer.next_watched(tx).map(|(watcher, what)| {
            assert_eq!(watcher.key, 7);
            if let Some(bytes) = &what.message {
                Message::parse(bytes.clone()).expect("a valid message");
            }
            let branch = match what.branch {
                SERVER => String::new(),
                branch => format!(" of {branch}"),
            };
            let kind = kind_name(what.kind);
            format!("{} {kind} {}{branch}", watcher.name, what.code)
        });
        self.layer.watched_done(self.now, tx, &mut self.out);
        self.pump();
        told
    }

    /// Tells all of it.
    pub fn told(&mut self, tx: TxId, expected: &[&str]) {
        let mut all = Vec::new();
        while self.layer.get(tx).is_some() {
            match self.tell(tx) {
                Some(what) => all.push(what),
                None => break,
            }
        }
        assert_eq!(all, expected);
    }
}

#[test]
fn a_call_is_told_in_order() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", ALL);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 0, 200);
    l.seen(&["watched", "INVITE > bob", "180 > caller", "200 > caller"]);
    l.told(
        tx,
        &[
            "acc forwarded 0 of 0",
            "acc received 180 of 0",
            "acc provisional 180 of 0",
            "acc received 200 of 0",
            "acc final 200 of 0",
        ],
    );
    l.wait(100_000);
    l.told(tx, &["acc end 200"]);
    assert!(l.layer.get(tx).is_none());
}

/// One is asked to come at a time, so that two workers never tell of one transaction at once.
#[test]
fn the_next_comes_when_the_last_was_told() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", happening::PROVISIONAL | happening::FINAL);
    l.relay(tx, &["bob"]);
    l.forget();
    l.answer(tx, 0, 180);
    l.answer(tx, 0, 183);
    l.seen(&["180 > caller", "watched", "183 > caller"]);
    assert_eq!(l.tell(tx).as_deref(), Some("acc provisional 180 of 0"));
    l.seen(&["watched"]);
    assert_eq!(l.tell(tx).as_deref(), Some("acc provisional 183 of 0"));
    l.seen(&[]);
    l.answer(tx, 0, 486);
    l.seen(&["ACK > bob", "486 > caller", "watched"]);
    l.told(tx, &["acc final 486 of 0"]);
}

/// However late: the transaction and its data are there.
#[test]
fn the_transaction_stays_until_all_is_told() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.watch(tx, "acc", happening::FINAL);
    l.reply(tx, 404).unwrap();
    l.done(tx);
    l.wait(1_000_000);
    assert_eq!(l.tx(tx).final_code(), 404);
    l.forget();
    l.told(tx, &["acc final 404"]);
    l.seen(&["gone 404"]);
}

#[test]
fn each_watcher_is_told_what_it_wants() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", happening::FINAL);
    l.watch(tx, "dialog", happening::PROVISIONAL);
    l.watch(tx, "dialog", happening::FINAL);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 0, 200);
    l.told(
        tx,
        &[
            "dialog provisional 180 of 0",
            "acc final 200 of 0",
            "dialog final 200 of 0",
        ],
    );
}

#[test]
fn nothing_is_asked_for_where_nobody_watches() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", happening::CANCEL);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 200);
    l.seen(&["INVITE > bob", "200 > caller"]);
    assert!(l.layer.next_watched(tx).is_none());
}

/// A 2xx that the callee repeats is one answer; one of another branch is another.
#[test]
fn copies_of_a_2xx_are_told_once() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", happening::FINAL);
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 0, 200);
    l.answer(tx, 0, 200);
    l.answer(tx, 1, 200);
    l.told(tx, &["acc final 200 of 0", "acc final 200 of 1"]);
}

#[test]
fn all_branches_have_failed() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.watch(tx, "acc", happening::FAILED | happening::FINAL);
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 0, 404);
    l.answer(tx, 1, 486);
    l.told(tx, &["acc failed 404 of 0"]);
    l.add(tx, "dave").unwrap();
    l.failure_done(tx);
    l.answer(tx, 2, 603);
    l.told(tx, &["acc failed 603 of 2", "acc final 603 of 2"]);
}

#[test]
fn nobody_answers() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(
        tx,
        "acc",
        happening::FAILED | happening::FINAL | happening::END,
    );
    l.relay(tx, &["bob"]);
    l.wait(200_000);
    l.told(
        tx,
        &["acc failed 408 of 0", "acc final 408 of 0", "acc end 408"],
    );
}

#[test]
fn cancelled() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", happening::CANCEL | happening::FINAL);
    l.relay(tx, &["bob"]);
    l.answer(tx, 0, 180);
    let cancel = Happened {
        kind: happening::CANCEL,
        branch: SERVER,
        code: 0,
        message: None,
    };
    l.layer.happened(l.now, tx, &cancel, &mut Vec::new());
    l.cancel(tx);
    l.answer(tx, 0, 487);
    l.told(tx, &["acc cancel 0", "acc final 487 of 0"]);
}

#[test]
fn a_request_that_nobody_answers_ends() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", ALL);
    l.done(tx);
    l.told(tx, &["acc end 0"]);
    assert!(l.layer.get(tx).is_none());
}

/// A callee that says the same thing without end fills no memory.
#[test]
fn a_flood_of_provisional_responses_is_bounded() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.watch(tx, "acc", happening::PROVISIONAL | happening::FINAL);
    l.relay(tx, &["bob"]);
    for _ in 0..1000 {
        l.answer(tx, 0, 183);
    }
    l.answer(tx, 0, 486);
    let mut told = 0;
    let mut last = None;
    while let Some(what) = l.tell(tx) {
        last = Some(what);
        told += 1;
    }
    assert_eq!((told, last.as_deref()), (65, Some("acc final 486 of 0")));
}
