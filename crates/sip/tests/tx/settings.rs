//! Timers that an operator or a script sets.

use sipwright_sip::tx::{Timer, TxConfig};
use sipwright_sip::types::Proto;

use crate::ladder::Ladder;

#[test]
fn timers_of_the_configuration() {
    let cfg = TxConfig {
        t1_ms: 100,
        fr_timer_ms: 1_000,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    l.layer.set_auto_trying(l.now, tx, false);
    l.relay(tx, &["bob"]);
    l.wait(1_000);
    l.timed(&[
        (0, "INVITE > bob"),
        (100, "INVITE > bob"),
        (300, "INVITE > bob"),
        (700, "INVITE > bob"),
        (1_000, "408 > caller"),
    ]);
}

#[test]
fn the_100_to_other_requests_follows_t1_and_t2() {
    let after = |t1_ms, t2_ms| {
        TxConfig {
            t1_ms,
            t2_ms,
            ..TxConfig::default()
        }
        .timer_e_at_t2_ms()
    };
    assert_eq!(after(500, 4_000), 3_500);
    assert_eq!(after(1_000, 4_000), 3_000);
    assert_eq!(after(4_000, 4_000), 0);
    assert_eq!(after(0, 4), 3); // 1 + 2
}

#[test]
fn zero_t1_does_not_spin() {
    let cfg = TxConfig {
        t1_ms: 0,
        t2_ms: 0,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("OPTIONS");
    l.relay(tx, &["bob"]);
    l.wait(100);
    assert!(l.sent.len() < 200);
}

#[test]
fn set_fr_before_the_branches() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.set_fr(tx, 7_000, 2_000);
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 1, 180);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::B, 2_000)));
    assert_eq!(waiting(&l, tx, 1), Some((Timer::C, 7_000)));
}

#[test]
fn set_fr_while_they_run() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 1, 180);
    l.wait(1_000);
    l.set_fr(tx, 9_000, 0);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::B, 30_000)));
    assert_eq!(waiting(&l, tx, 1), Some((Timer::C, 9_000)));
    l.set_fr(tx, 0, 5_000);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::B, 5_000)));
    l.forget();
    l.wait(9_000);
    assert!(l.sent.iter().any(|(_, bytes)| bytes.starts_with(b"CANCEL")));
}

#[test]
fn set_fr_leaves_other_timers_alone() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 486);
    l.set_fr(tx, 1, 1);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::D, 32_000)));
}

#[test]
fn lifetime_caps_the_branches() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.set_max_lifetime(l.now, tx, 10_000, &mut Vec::new());
    l.relay(tx, &["bob"]);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::B, 10_000)));
    l.wait(9_000);
    l.answer(tx, 0, 180);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::C, 1_000)));
}

#[test]
fn lifetime_back_to_the_configured_one() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.set_max_lifetime(l.now, tx, 10_000, &mut Vec::new());
    assert!(!l.tx(tx).is_expired(l.now + 9_999));
    assert!(l.tx(tx).is_expired(l.now + 10_000));
    l.layer.set_max_lifetime(l.now, tx, 0, &mut Vec::new());
    assert!(!l.tx(tx).is_expired(l.now + 179_999));
    assert!(l.tx(tx).is_expired(l.now + 180_000));
}

#[test]
fn fr_back_to_the_configured_one() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.reset_fr(l.now, tx, &mut Vec::new()); // nothing to set back
    l.set_fr(tx, 7_000, 2_000);
    l.relay(tx, &["bob"]);
    l.layer.reset_fr(l.now, tx, &mut Vec::new());
    assert_eq!(waiting(&l, tx, 0), Some((Timer::B, 30_000)));
    l.answer(tx, 0, 180);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::C, 120_000)));
}

/// `t_set_retr`: T1 and T2 of one transaction.
#[test]
fn retransmission_intervals_of_one_transaction() {
    let mut l = Ladder::udp();
    let tx = l.get("OPTIONS");
    l.layer.set_retr(tx, 100, 300);
    l.relay(tx, &["bob"]);
    l.wait(1_000);
    l.timed(&[
        (0, "OPTIONS > bob"),
        (100, "OPTIONS > bob"),
        (300, "OPTIONS > bob"),
        (600, "OPTIONS > bob"),
        (900, "OPTIONS > bob"),
    ]);
    l.layer.set_retr(tx, 0, 700);
    l.wait(300);
    l.layer.reset_retr(tx);
    l.wait(2_000);
    l.timed(&[
        (1_200, "OPTIONS > bob"),
        (1_800, "OPTIONS > bob"),
        (3_000, "OPTIONS > bob"),
    ]);
}

#[test]
fn retransmission_intervals_hold_for_replies_too() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.set_retr(tx, 200, 0);
    l.reply(tx, 404).unwrap();
    l.wait(700);
    l.timed(&[
        (0, "404 > caller"),
        (200, "404 > caller"),
        (600, "404 > caller"),
    ]);
}

/// `restart_fr_on_each_reply = 0`: a phone that repeats its 180 is not waited for longer.
#[test]
fn timer_c_and_repeated_provisionals() {
    let cfg = TxConfig {
        restart_timer_c: false,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.invite(&["bob"]);
    let mut codes = Vec::new();
    for code in [100, 180, 180, 183, 182, 183] {
        l.answer(tx, 0, code);
        codes.push((code, waiting(&l, tx, 0).expect("Timer C").1));
        l.wait(1_000);
    }
    assert_eq!(
        codes,
        [
            (100, 120_000),
            (180, 120_000), // rises
            (180, 119_000),
            (183, 120_000), // rises
            (182, 119_000),
            (183, 120_000), // after the 182
        ]
    );
}

/// `noisy_ctimer = 0`.
#[test]
fn silence_is_not_answered() {
    let cfg = TxConfig {
        answer_silence: false,
        ..TxConfig::default()
    };
    let ladder = || Ladder::with(Proto::Tcp, Proto::Tcp, cfg.clone());
    let mut l = ladder();
    let tx = l.invite(&["bob"]);
    l.wait(30_000);
    assert!(l.layer.get(tx).is_none());
    l.seen(&["INVITE > bob", "100 > caller", "gone 408"]);

    let mut l = ladder();
    l.invite(&["bob", "carol"]);
    l.forget();
    l.wait(30_000);
    l.seen(&["100 > caller", "408 > caller"]);

    let mut l = ladder();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 100);
    l.forget();
    l.wait(121_000);
    l.seen(&["100 > caller", "CANCEL > bob", "408 > caller"]);

    let mut l = ladder();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    l.relay(tx, &["bob"]);
    l.wait(30_000);
    l.failure_done(tx);
    l.seen(&[
        "INVITE > bob",
        "100 > caller",
        "FAIL 408 of 0",
        "408 > caller",
    ]);
}

#[test]
fn next_timeout_is_exact() {
    let mut l = Ladder::udp();
    assert_eq!(l.layer.next_timeout(), None);
    let tx = l.get("INVITE");
    assert_eq!(l.layer.next_timeout(), Some(l.now + 200));
    l.relay(tx, &["bob"]);
    l.wait(250);
    assert_eq!(l.layer.next_timeout(), Some(l.now + 250));
    l.layer.handle_timeout(l.now + 249, &mut Vec::new()); // early
    assert_eq!(l.layer.next_timeout(), Some(l.now + 250));
}

#[test]
fn changed_settings_hold_for_what_follows() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let cfg = TxConfig {
        fr_timer_ms: 1,
        fr_inv_timer_ms: 77_000,
        ..l.layer.config().clone()
    };
    l.layer.set_config(cfg);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::B, 30_000)));
    l.answer(tx, 0, 180);
    assert_eq!(waiting(&l, tx, 0), Some((Timer::C, 77_000)));
}

#[test]
fn last_reply_again() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let mut out = Vec::new();
    assert!(!l.layer.retransmit_reply(l.now, tx, &mut out));
    l.reply(tx, 200).unwrap();
    assert!(l.layer.retransmit_reply(l.now, tx, &mut out));
    assert_eq!(out.len(), 1);
}

/// The timer that a branch waits for, and in how many milliseconds.
fn waiting(l: &Ladder, tx: sipwright_sip::tx::TxId, branch: u16) -> Option<(Timer, u64)> {
    let machine = l.tx(tx).branch(branch).expect("a branch").machine();
    machine.waiting().map(|(timer, at)| (timer, at - l.now))
}

/// Virtual time is free: what takes minutes on the wire takes a millisecond here
/// (with room for a busy machine).
#[test]
fn a_long_timer_costs_no_time() {
    let start = std::time::Instant::now();
    const CALLS: u32 = 50;
    for _ in 0..CALLS {
        let mut l = Ladder::udp();
        let tx = l.invite(&["bob", "carol"]);
        l.answer(tx, 1, 180);
        l.wait(150_000); // Timers B and C
        assert_eq!(l.tx(tx).final_code(), 408);
    }
    let each = start.elapsed() / CALLS;
    assert!(each.as_millis() < 50, "{each:?} for a call");
    println!("{each:?} for a call");
}
